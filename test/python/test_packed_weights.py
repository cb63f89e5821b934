"""Packed projections in training: under a tensor axis their parts are states of their own; outside they are one tensor."""

from __future__ import annotations

import json
import re
import tempfile
import unittest
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import support  # noqa: F401  (finds the package)
from llmpar.cli import run_checked
from llmpar.zoo import build_gpt2
from llmpar.zoo.gpt2 import SIZES
from onnx import TensorProto, helper, numpy_helper
from training_data import write_tokens

BATCH, LENGTH, CLASSES, STEPS = 4, 16, 101, 5
DP2, TP2, HYBRID = (["--mesh", mesh, "--layout", layout] for mesh, layout in
                    (("dp=2", "data"), ("tp=2", "tensor"), ("dp=2,tp=2", "hybrid")))


def build_gated(path: Path, form: str):
    """Logits from two projections of 12 and 20 columns, packed in one weight w as [x w + b] ("columns"), as Gemm with rows of
    w ("rows"), or with w transposed by a node of its own ("transpose")."""
    hidden, sizes = 8, [12, 20]
    numbers = np.random.default_rng(5)
    shapes = {"table": (CLASSES, hidden), "w": (sum(sizes), hidden) if form != "columns" else (hidden, sum(sizes)), "b": (sum(sizes),),
              "left": (sizes[0], CLASSES), "right": (sizes[1], CLASSES)}
    weights = [numpy_helper.from_array(numbers.normal(0, 0.3, shape).astype(np.float32), name) for name, shape in shapes.items()]
    packed = {"columns": [helper.make_node("MatMul", ["x", "w"], ["y"]), helper.make_node("Add", ["y", "b"], ["packed"])],
              "rows": [helper.make_node("Reshape", ["x", "flat"], ["x2"]), helper.make_node("Gemm", ["x2", "w", "b"], ["y2"], transB=1),
                       helper.make_node("Reshape", ["y2", "wide"], ["packed"])],
              "transpose": [helper.make_node("Transpose", ["w"], ["t"], perm=[1, 0]), helper.make_node("MatMul", ["x", "t"], ["y"]),
                            helper.make_node("Add", ["y", "b"], ["packed"])]}[form]
    integers = {"sizes": sizes, "flat": [-1, hidden], "wide": [BATCH, LENGTH, sum(sizes)]}
    nodes = [helper.make_node("Gather", ["table", "ids"], ["x"]), *packed, helper.make_node("Split", ["packed", "sizes"], ["p", "q"], axis=-1),
             helper.make_node("Relu", ["p"], ["pr"]), helper.make_node("Tanh", ["q"], ["qr"]), helper.make_node("MatMul", ["pr", "left"], ["l"]),
             helper.make_node("MatMul", ["qr", "right"], ["r"]), helper.make_node("Add", ["l", "r"], ["logits"])]
    graph = helper.make_graph(nodes, "gated", [helper.make_tensor_value_info("ids", TensorProto.INT64, [BATCH, LENGTH])],
                              [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [BATCH, LENGTH, CLASSES])],
                              weights + [numpy_helper.from_array(np.array(v, np.int64), k) for k, v in integers.items()])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)


class PackedWeightsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        cls.root = Path(cls.folder.name)
        write_tokens(cls.root / "data.bin", np.random.default_rng(3).integers(0, CLASSES, 20 * LENGTH + 1), CLASSES)
        build_gpt2(cls.root / "gpt2", SIZES["tiny"])
        cls.gpt2 = cls.root / "gpt2" / "model.onnx"

    def setUp(self):
        self.dir = Path(tempfile.mkdtemp(dir=self.root))

    def train(self, model: Path, *more, steps: int = STEPS) -> tuple[list[float], dict[str, np.ndarray]]:
        """Losses, and the states by name."""
        log, out = self.dir / "log.jsonl", self.dir / "out.npz"
        dims = ["--dim", f"batch={BATCH}", "--dim", f"seq={LENGTH}"] if model == self.gpt2 else []
        run_checked("train", model, *dims, "--data", self.root / "data.bin", "--clip-grad", "1", "--weight-decay", "0.1", "--train-iters", str(steps),
                    "--json", "--log", log, "-o", out, *more)
        return [json.loads(line)["loss"] for line in log.read_text().splitlines()], dict(np.load(out))

    def gathered(self, model: Path, *more) -> list[str]:
        """The types that a step gathers."""
        self.train(model, "--dump-dir", self.dir / "ir", *more, steps=1)
        partitioned = next((self.dir / "ir").glob("*-partition.mlir")).read_text()
        self.assertIn("llmpar.all_reduce", partitioned)
        return re.findall(r"llmpar\.all_gather .* -> (tensor<.*>)", partitioned)

    def assert_same_states(self, actual: dict[str, np.ndarray], expected: dict[str, np.ndarray]):
        self.assertEqual({name: array.shape for name, array in actual.items()}, {name: array.shape for name, array in expected.items()})
        for name, array in expected.items():
            np.testing.assert_allclose(actual[name], array, rtol=1e-3, atol=1e-5, err_msg=name)

    def test_nothing_is_gathered_under_tensor(self):
        for more in (TP2, [*TP2, "--bf16"], [*TP2, "--staleness", "1"], [*TP2, "--gradient-accumulation-steps", "2"], HYBRID):
            with self.subTest(more):
                self.assertEqual(self.gathered(self.gpt2, *more), [])
        # What ZeRO gathers are the parts of a data axis.
        self.assertNotIn("tensor<48x144xf32>", self.gathered(self.gpt2, *HYBRID, "--zero", "1"))

    def test_states_are_those_of_one_device(self):
        for name, more in {"": [], "staleness": ["--staleness", "1"], "weight frozen": ["--freeze", "h.*.attn.c_attn.weight"],
                           "sgd": ["--optimizer", "sgd", "--sgd-momentum", "0.9"]}.items():
            losses, states = self.train(self.gpt2, *more)
            self.assertEqual("h.0.attn.c_attn.weight" in states, name != "weight frozen")
            for layout in (TP2, ["--mesh", "tp=3", "--layout", "tensor"], [*HYBRID, "--zero", "1"], ["--mesh", "x=2", "--layout", "auto"]):
                with self.subTest(f"{name} {layout}"):
                    actual, there = self.train(self.gpt2, *more, *layout)
                    np.testing.assert_allclose(actual, losses, rtol=1e-5)
                    self.assert_same_states(there, states)

    def test_parts_may_be_uneven_and_rows(self):
        for form in ("columns", "rows", "transpose"):
            model = self.dir / f"{form}.onnx"
            build_gated(model, form)
            losses, states = self.train(model)
            self.assertEqual(self.gathered(model, *TP2), [], form)
            for mesh in ("tp=2", "tp=3"):
                with self.subTest(f"{form} {mesh}"):
                    actual, there = self.train(model, "--mesh", mesh, "--layout", "tensor")
                    np.testing.assert_allclose(actual, losses, rtol=1e-5)
                    self.assert_same_states(there, states)

    def test_a_checkpoint_moves_to_other_layouts_and_back(self):
        at = ["--load", self.dir / "there", "--save", self.dir / "back"]
        _, whole = self.train(self.gpt2, *TP2)
        self.train(self.gpt2, *TP2, "--save", self.dir / "begun", steps=2)
        self.train(self.gpt2, *DP2, "--load", self.dir / "begun", "--save", self.dir / "there", steps=2)
        self.train(self.gpt2, *TP2, *at, steps=2)
        for name in ("rank_000.safetensors", "rank_001.safetensors"):
            self.assertEqual(*((self.dir / folder / "iter_0000002" / name).read_bytes() for folder in ("begun", "back")))
        manifest = json.loads((self.dir / "back/iter_0000002/manifest.json").read_text())
        self.assertEqual({s["name"]: tuple(s["shape"]) for s in manifest["states"]}, {name: array.shape for name, array in whole.items()})
        _, moved = self.train(self.gpt2, *TP2, "--load", self.dir / "back")
        for name in whole:
            np.testing.assert_array_equal(moved[name].view(np.uint32), whole[name].view(np.uint32), err_msg=name)

    def test_the_trained_model_has_the_packed_weight(self):
        out = self.dir / "trained.onnx"
        _, states = self.train(self.gpt2, *TP2)
        self.train(self.gpt2, *TP2, "-o", out)
        before, after = ({t.name: numpy_helper.to_array(t, str(path.parent)) for t in onnx.load(path).graph.initializer} for path in (self.gpt2, out))
        self.assertEqual({name: array.shape for name, array in after.items()}, {name: array.shape for name, array in before.items()})
        for name in after.keys() & states.keys():
            np.testing.assert_array_equal(after[name], states[name], err_msg=name)
        ids = np.random.default_rng(4).integers(0, CLASSES, (BATCH, LENGTH))
        logits, expected = [], self.dir / "expected.onnx"
        self.train(self.gpt2, "-o", expected)
        for path in (out, expected):
            logits += onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"]).run(None, {"input_ids": ids})
        np.testing.assert_allclose(logits[0], logits[1], rtol=1e-3, atol=1e-4)

    def test_a_pin_is_for_all_parts(self):
        losses, states = self.train(self.gpt2)
        actual, there = self.train(self.gpt2, *TP2, "--shard", "h.0.attn.c_attn.weight=[tp,-]")
        np.testing.assert_allclose(actual, losses, rtol=1e-5)
        self.assert_same_states(there, states)
        ir = self.dir / "pinned"
        self.train(self.gpt2, *TP2, "--shard", "h.0.attn.c_attn.weight=[tp,-]", "--dump-dir", ir, steps=1)
        text = next(ir.glob("*-partition.mlir")).read_text()
        rests = re.findall(r'"h\.0\.attn\.c_attn\.weight\[[^"]*", llmpar\.out = #llmpar\.sharding<@mesh, (\[.*?\])>', text)
        self.assertEqual(rests, ['[{"tp"}, {}]'] * 3)


if __name__ == "__main__":
    unittest.main()
