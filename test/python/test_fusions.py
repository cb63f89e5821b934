"""What exporters write in many nodes becomes one op: outputs stay, `llmpar inspect --fusions` says what and why not."""

from __future__ import annotations

import os
import subprocess
import tempfile
import unittest
from pathlib import Path

import numpy as np
import onnx
import onnx.parser
from onnx import numpy_helper
from onnx.reference import ReferenceEvaluator

from llmpar.cli import parse_layouts, run_llmpar

ROOT = Path(__file__).resolve().parents[2]
LLMPAR = Path(os.environ.get("LLMPAR_BUILD", ROOT / "build")) / "bin" / "llmpar"
BATCH, LENGTH, HEADS, WIDTH, INNER = 2, 9, 4, 24, 20
LAYOUTS = "single data=2 tensor=2 tensor=3 dp=2,tp=2 sequence:sp=2"

# A block as torch.onnx writes it: norm in f32 steps, guarded attention under a causal mask, GELU by tanh.
NORM = """
  {y}_m = ReduceMean <keepdims = 1> ({x}, last) {y}_c = Sub ({x}, {y}_m) {y}_s = Mul ({y}_c, {y}_c)
  {y}_v = ReduceMean <keepdims = 1> ({y}_s, last) {y}_e = Add ({y}_v, epsilon) {y}_r = Sqrt ({y}_e)
  {y}_n = Div ({y}_c, {y}_r) {y}_w = Mul ({y}_n, {y}_scale) {y} = Add ({y}_w, {y}_bias)
"""
HEAD = "  {t}_l = MatMul (n1, w_{t}) {t}_h = Reshape ({t}_l, split) {t} = Transpose <perm = [{perm}]> ({t}_h)\n"
BLOCK = (NORM.format(x="x", y="n1") + HEAD.format(t="q", perm="0, 2, 1, 3") + HEAD.format(t="k", perm="0, 2, 3, 1") +
         HEAD.format(t="v", perm="0, 2, 1, 3") + """
  scores = MatMul (q, k) scaled = Mul (scores, factor) masked = Where (allowed, scaled, lowest)
  p = Softmax <axis = -1> (masked) bad = IsNaN (p) safe = Where (bad, zero, p)
  heads = MatMul (safe, v) rows = Transpose <perm = [0, 2, 1, 3]> (heads) joined = Reshape (rows, join)
  o = MatMul (joined, w_o) r = Add (x, o)
""" + NORM.format(x="r", y="n2") + """
  u = MatMul (n2, w_up) half_u = Mul (u, half) cube = Pow (u, three) bent = Mul (cube, cubic) sum = Add (u, bent)
  inner = Mul (sum, root) t = Tanh (inner) gate = Add (t, one) act = Mul (half_u, gate)
  d = MatMul (act, w_down) y = Add (r, d)
""")

# Queries whose positions are angles, in the ways of writing that exporters have.
INTS = "".join(f"  {name} = Constant <value_ints = {values}> ()\n" for name, values in
               {"i0": [0], "i1": [1], "i2": [2], "end": [6], "four_two": [4, 2], "two_one": [2, 1], "wide": [9, 3, 2], "flat": [9, 6],
                "apart": [2, 4, 9, 3, 2], "rows": [2, 4, 9, 6]}.items())
TABLES = "  cos = Cos (both) sin = Sin (both)\n"
TURNED = "  lo, hi = Split <axis = -1, num_outputs = 2> ({x}) minus = Neg (hi) turned = Concat <axis = -1> (minus, lo)\n"
ADDED = "  straight = Mul ({x}, cos) across = Mul (turned, sin) {y} = Add (straight, across)\n"
STACKED = "  {a}_u = Unsqueeze ({a}, last) {b}_u = Unsqueeze ({b}, last) pairs = Concat <axis = -1> ({a}_u, {b}_u) {y} = Reshape (pairs, rows)\n"
ROTARY = {
    "halves": "  both = Concat <axis = -1> (f, f)\n" + TABLES + TURNED.format(x="q") + ADDED.format(x="q", y="r"),
    "first elements": "  part, rest = Split <axis = -1> (q, four_two) f2, other = Split <axis = -1> (f, two_one) both = Concat <axis = -1> (f2, f2)\n"
                      + TABLES + TURNED.format(x="part") + ADDED.format(x="part", y="s") + "  r = Concat <axis = -1> (s, rest)\n",
    "neighbours": "  f_u = Unsqueeze (f, last) f_e = Expand (f_u, wide) both = Reshape (f_e, flat)\n" + TABLES +
                  "  a = Slice (q, i0, end, last, i2) b = Slice (q, i1, end, last, i2) minus = Neg (b)\n" +
                  STACKED.format(a="minus", b="a", y="turned") + ADDED.format(x="q", y="r"),
    "pairs": "  zero_at = Constant <value_int = 0> () one_at = Constant <value_int = 1> () cos = Cos (f) sin = Sin (f)\n"
             "  q2 = Reshape (q, apart) a = Gather <axis = -1> (q2, zero_at) b = Gather <axis = -1> (q2, one_at)\n"
             "  ac = Mul (a, cos) bs = Mul (b, sin) bc = Mul (b, cos) as = Mul (a, sin) first = Sub (ac, bs) second = Add (bc, as)\n" +
             STACKED.format(a="first", b="second", y="r"),
}


def rotated(form: str) -> str:
    head = HEAD.format(t="q", perm="0, 2, 1, 3").replace("n1", "x")
    return INTS + head + form + "  back = Transpose <perm = [0, 2, 1, 3]> (r) joined = Reshape (back, join) y = MatMul (joined, w_o)\n"


def weights() -> dict[str, np.ndarray]:
    draw = np.random.default_rng(3)
    shapes = {f"w_{t}": (WIDTH, WIDTH) for t in "qkvo"} | {"w_up": (WIDTH, INNER), "w_down": (INNER, WIDTH)}
    shapes |= {f"n{i}_{part}": (WIDTH,) for i in (1, 2) for part in ("scale", "bias")}
    numbers = {"epsilon": 1e-5, "factor": 0.4, "lowest": -np.inf, "zero": 0, "half": 0.5, "three": 3, "cubic": 0.044715,
               "root": 0.7978845608, "one": 1}
    return ({name: (draw.normal(size=shape) / 2).astype(np.float32) for name, shape in shapes.items()} |
            {name: np.float32(value) for name, value in numbers.items()} |
            {"last": np.array([-1]), "split": np.array([BATCH, LENGTH, HEADS, WIDTH // HEADS]), "join": np.array([BATCH, LENGTH, WIDTH])})


@unittest.skipUnless(LLMPAR.exists(), f"{LLMPAR} is not built")
class FusionsTest(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def save(self, nodes: str, outputs: str = "float[2, 9, 24] y", second: str = "bool[9, 9] allowed") -> Path:
        text = (f'<ir_version: 10, opset_import: ["" : 20]>\nblock (float[2, 9, 24] x, {second}) => ({outputs}) {{{nodes}}}')
        model = onnx.parser.parse_model(text)
        for node in model.graph.node:
            node.name = f"/{node.op_type}/{node.output[0]}"
        model.graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in weights().items())
        onnx.save(model, self.folder / "model.onnx")
        return self.folder / "model.onnx"

    def fusions(self, model: Path) -> list[dict]:
        return run_llmpar("inspect", model, "--fusions", "--json").report["fusions"]

    def verify(self, model: Path, feed: dict[str, np.ndarray], layouts: str) -> list[str]:
        """The arguments that give the inputs."""
        (expected,) = ReferenceEvaluator(onnx.load(model)).run(None, feed)
        for name, value in {**feed, "y": expected}.items():
            np.save(self.folder / f"{name}.npy", value)
        given = [f"--input={name}=@{self.folder / name}.npy" for name in feed]
        for layout in parse_layouts(layouts):
            outcome = run_llmpar("verify", model, *given, f"--expected-output=y=@{self.folder / 'y.npy'}", *layout.flags(), "--json")
            self.assertTrue(outcome.ok, f"{layout.text}: {outcome}")
        return given

    def test_a_block_is_raised_and_its_outputs_stay(self) -> None:
        model = self.save(BLOCK)
        fusions = self.fusions(model)
        self.assertEqual(sorted(f["kind"] for f in fusions), ["attention", "gelu_tanh", "layer_norm", "layer_norm"])
        self.assertTrue(all(f["raised"] for f in fusions))
        gelu = next(f for f in fusions if f["kind"] == "gelu_tanh")
        self.assertEqual(gelu["nodes"][0], "/Mul/half_u")
        self.assertEqual(gelu["nodes"][-1], "/Mul/act")

        draw = np.random.default_rng(7)
        allowed = np.tril(np.ones((LENGTH, LENGTH), bool))
        allowed[0] = False  # a row without keys
        feed = {"x": draw.normal(size=(BATCH, LENGTH, WIDTH)).astype(np.float32), "allowed": allowed}
        given = self.verify(model, feed, LAYOUTS)
        profile = run_llmpar("bench", model, *given, "--repeat", "1", "--profile", "--json").report["seconds_by_kernel"]
        self.assertIn("attention", profile)
        self.assertNotIn("softmax", profile)

    def test_rotary_positions_are_raised_and_outputs_stay(self) -> None:
        draw = np.random.default_rng(5)
        feed = {"x": draw.normal(size=(BATCH, LENGTH, WIDTH)).astype(np.float32), "f": draw.uniform(-9, 9, (LENGTH, 3)).astype(np.float32)}
        for name, form in ROTARY.items():
            with self.subTest(name):
                model = self.save(rotated(form), second="float[9, 3] f")
                self.assertEqual([(f["kind"], f["raised"]) for f in self.fusions(model)], [("rotary", True)])
                self.verify(model, feed, "single tensor=2 sequence:sp=2")

    def test_what_is_nearly_rotary_says_why_not(self) -> None:
        cases = {
            "table": ("halves", "both = Concat <axis = -1> (f, f)", "g = Neg (f) both = Concat <axis = -1> (f, g)",
                      "its angles are not known to come twice: '/Concat/both' (concat) gives them"),
            "order": ("halves", "both = Concat <axis = -1> (f, f)", "f_u = Unsqueeze (f, last) f_e = Expand (f_u, wide) both = Reshape (f_e, flat)",
                      "its angles are not known to come twice: '/Reshape/both' (reshape) gives them"),
            "sign": ("halves", "Concat <axis = -1> (minus, lo)", "Concat <axis = -1> (hi, lo)", "of the halves that it swaps one must be negated"),
            "straight": ("halves", "Mul (q, cos)", "Mul (turned, cos)", "'/Add/r' adds no product of the values that are turned"),
            "angles": ("pairs", "as = Mul (a, sin)", "as = Mul (a, cos)", "its halves are not turned by one angle"),
            "user": ("halves", "r = Add (straight, across)", "s = Add (straight, across) r = Add (s, across)",
                     "'/Add/r' uses a value inside of it too"),
        }
        for name, (form, old, new, why) in cases.items():
            with self.subTest(name):
                nodes = ROTARY[form].replace(old, new)
                self.assertNotEqual(nodes, ROTARY[form])
                fusions = self.fusions(self.save(rotated(nodes), second="float[9, 3] f"))
                self.assertEqual([(f["kind"], f["raised"]) for f in fusions], [("rotary", False)])
                self.assertIn(why, fusions[0]["missing"])

    def test_what_is_nearly_raised_says_why_not(self) -> None:
        cases = {
            "scores": ("float[2, 9, 24] y, float[2, 4, 9, 9] scores", BLOCK, "attention", "the scores of '/MatMul/scores' (matmul) have another user"),
            "softcap": ("float[2, 9, 24] y", BLOCK.replace("masked = Where (allowed, scaled, lowest)", "soft = Tanh (scaled) masked = Where (allowed, soft, lowest)"),
                        "attention", "its scores pass '/Tanh/soft' (unary)"),
            "constants": ("float[2, 9, 24] y", BLOCK.replace("bent = Mul (cube, cubic)", "bent = Mul (cube, epsilon)"), "gelu_tanh", "has other constants"),
            "variance": ("float[2, 9, 24] y, float[2, 9, 1] n1_v", BLOCK, "layer_norm", "uses a value inside of it too"),
        }
        for name, (outputs, nodes, kind, why) in cases.items():
            with self.subTest(name):
                missing = [f for f in self.fusions(self.save(nodes, outputs)) if not f["raised"]]
                self.assertEqual([f["kind"] for f in missing], [kind])
                self.assertIn(why, missing[0]["missing"])

    def test_the_table_counts_and_names(self) -> None:
        model = self.save(BLOCK, "float[2, 9, 24] y, float[2, 4, 9, 9] scores")
        run = lambda *flags: subprocess.run([LLMPAR, "inspect", model, "--fusions", *flags], capture_output=True, text=True, check=True).stdout
        table = run()
        self.assertRegex(table, r"raised +layer_norm +2\n")
        self.assertRegex(table, r"nearly +attention +at '/MatMul/heads': the scores of")
        self.assertNotIn("/Mul/half_u", table)
        self.assertIn("/Mul/half_u /Pow/cube", run("-v"))


if __name__ == "__main__":
    unittest.main()
