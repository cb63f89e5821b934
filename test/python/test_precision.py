"""`llmpar train --bf16` and `--fp16`: what they learn stays near f32, under every layout; f16 skips overflows and recovers."""

from __future__ import annotations

import json
import tempfile
import unittest
from pathlib import Path

import numpy as np
import onnx
import support  # noqa: F401  (finds the package)
from llmpar.cli import Kind, run_checked, run_llmpar
from llmpar.zoo import build_gpt2, build_llama
from llmpar.zoo.gpt2 import SIZES as GPT2_SIZES
from llmpar.zoo.llama import SIZES as LLAMA_SIZES
from onnx import TensorProto, helper, numpy_helper
from training_data import write_tokens

BATCH, LENGTH = 4, 16
MODELS = {"gpt2": (build_gpt2, GPT2_SIZES["tiny"]), "llama": (build_llama, LLAMA_SIZES["tiny"])}
DP2, TP2 = ["--mesh", "dp=2", "--layout", "data"], ["--mesh", "tp=2", "--layout", "tensor"]


def round_to_bf16(x: np.ndarray) -> np.ndarray:
    """To nearest, ties to even; as f32."""
    bits = np.ascontiguousarray(x, np.float32).view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000).astype(np.uint32).view(np.float32)


def bf16_values(tensor: onnx.TensorProto) -> np.ndarray:
    return (np.frombuffer(tensor.raw_data, "<u2").astype(np.uint32) << 16).view(np.float32).reshape(tensor.dims)


def in_bf16(tensor: onnx.TensorProto) -> onnx.TensorProto:
    bits = round_to_bf16(numpy_helper.to_array(tensor)).view(np.uint32) >> 16
    return helper.make_tensor(tensor.name, TensorProto.BFLOAT16, tensor.dims, bits.astype("<u2").tobytes(), raw=True)


def save_in_bf16(source: Path, target: Path) -> None:
    """The same model with bf16 in the place of f32 everywhere."""
    model = onnx.load(source)
    for tensor in model.graph.initializer:
        if tensor.data_type == TensorProto.FLOAT:
            tensor.CopyFrom(in_bf16(tensor))
    for node in model.graph.node:
        for attribute in node.attribute:
            if node.op_type == "Cast" and attribute.name == "to" and attribute.i == TensorProto.FLOAT:
                attribute.i = TensorProto.BFLOAT16
            if attribute.HasField("t") and attribute.t.data_type == TensorProto.FLOAT:
                attribute.t.CopyFrom(in_bf16(attribute.t))
    for value in [*model.graph.input, *model.graph.output, *model.graph.value_info]:
        if value.type.tensor_type.elem_type == TensorProto.FLOAT:
            value.type.tensor_type.elem_type = TensorProto.BFLOAT16
    onnx.save(model, target)


class PrecisionTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        cls.root = Path(cls.folder.name)
        write_tokens(cls.root / "data.bin", np.random.default_rng(3).integers(0, 101, 10 * LENGTH + 1), 101)
        for kind, (build, config) in MODELS.items():
            build(cls.root / kind, config)

    def command(self, model: Path, *more, batch: int = BATCH) -> list:
        return ["train", model, "--dim", f"batch={batch}", "--dim", f"seq={LENGTH}", "--data", self.root / "data.bin", "--json", *more]

    def log(self, kind: str, steps: int, *more, batch: int = BATCH) -> list[dict]:
        log = self.root / "log.jsonl"
        run_checked(*self.command(self.root / kind / "model.onnx", "--train-iters", str(steps), "--log", log, *more, batch=batch))
        return [json.loads(line) for line in log.read_text().splitlines()]

    def losses(self, *arguments, **keywords) -> np.ndarray:
        return np.array([line["loss"] for line in self.log(*arguments, **keywords)])

    def states(self, kind: str, steps: int, *more) -> dict[str, np.ndarray]:
        out = self.root / "states.npz"
        run_checked(*self.command(self.root / kind / "model.onnx", "--train-iters", str(steps), "-o", out, *more))
        return dict(np.load(out))

    def test_curves_stay_near_f32(self):
        for kind in MODELS:
            exact = self.losses(kind, 50, "--clip-grad", "1")
            self.assertLess(exact[-1], exact[0] - 0.3)
            for flag in ["--bf16", "--fp16"]:
                with self.subTest(f"{kind} {flag}"):
                    np.testing.assert_allclose(self.losses(kind, 50, "--clip-grad", "1", flag), exact, rtol=0.02)

    def test_gradients_are_near_those_of_f32(self):
        # One step of plain descent moves a parameter by its gradient.
        sgd = ["--optimizer", "sgd", "--lr", "1"]
        for kind in MODELS:
            before = self.states(kind, 1, "--optimizer", "sgd", "--lr", "0")
            exact = self.states(kind, 1, *sgd)
            for flag, limit in [("--bf16", 0.05), ("--fp16", 0.01)]:
                lowered = self.states(kind, 1, *sgd, flag)
                for name in before:
                    if name in lowered and exact[name].size > 1 and not name.endswith(".velocity"):
                        with self.subTest(f"{kind} {flag} {name}"):
                            gradient = before[name] - exact[name]
                            error = np.linalg.norm(lowered[name] - exact[name]) / np.linalg.norm(gradient)
                            self.assertLess(error, limit)

    def test_layouts_learn_the_same(self):
        for kind in MODELS:
            single = self.losses(kind, 20, "--clip-grad", "1", "--bf16")
            for more in [DP2, TP2, [*DP2, "--zero", "1"], [*DP2, "--zero", "3"], ["--mesh", "dp=2,tp=2", "--layout", "hybrid", "--zero", "1"],
                         ["--mesh", "dp=2", "--layout", "gathered"], ["--mesh", "x=2", "--layout", "auto"]]:
                with self.subTest(f"{kind} {more}"):
                    np.testing.assert_allclose(self.losses(kind, 20, "--clip-grad", "1", "--bf16", *more), single, rtol=3e-3)
            parts = self.losses(kind, 20, "--clip-grad", "1", "--bf16", "--gradient-accumulation-steps", "2", batch=BATCH // 2)
            np.testing.assert_allclose(parts, single, rtol=3e-3)

    def test_recomputed_activations_have_the_same_bits(self):
        kept = self.losses("gpt2", 5, "--bf16")
        for granularity in ["selective", "full"]:
            np.testing.assert_array_equal(self.losses("gpt2", 5, "--bf16", "--recompute", granularity), kept)

    def test_an_overflow_is_skipped_and_recovered_from(self):
        flags = ["--fp16", "--initial-loss-scale", str(2.0**40), "--hysteresis", "1", "--clip-grad", "1"]
        single = self.log("gpt2", 60, *flags)
        skipped = [line["skipped"] for line in single]
        count = skipped.index(False)
        self.assertGreater(count, 5)
        self.assertEqual([line["loss_scale"] for line in single[: count + 1]], [2.0 ** (40 - i) for i in range(count + 1)])
        self.assertLess(sum(skipped[count:]), 5)  # gradients grow for a while
        self.assertLess(single[-1]["loss"], single[0]["loss"] - 0.3)
        for more in [DP2, TP2, [*DP2, "--zero", "1"], [*DP2, "--zero", "3"]]:
            with self.subTest(f"{more}"):
                sharded = self.log("gpt2", 60, *flags, *more)
                self.assertAlmostEqual([line["skipped"] for line in sharded].index(False), count, delta=1)
                self.assertAlmostEqual(sharded[-1]["loss"], single[-1]["loss"], delta=0.02 * single[-1]["loss"])

    def test_a_skipped_step_changes_no_parameter_and_no_state(self):
        before, after = (self.states("gpt2", 1, "--fp16", "--initial-loss-scale", str(2.0**k), "--lr", lr) for k, lr in [(10, "0"), (40, "1e-3")])
        for name, value in after.items():
            if name.endswith((".m", ".v")) or name == "step":
                self.assertEqual(np.abs(value).max(), 0, name)
            elif name in ("loss_scale", "good_steps", "overflows"):
                self.assertEqual(value, {"loss_scale": 2.0**40, "good_steps": 0, "overflows": 1}[name])
            else:
                np.testing.assert_array_equal(value, before[name], err_msg=name)

    def test_the_scale_follows_window_and_hysteresis(self):
        lines = self.log("gpt2", 6, "--fp16", "--initial-loss-scale", "4", "--loss-scale-window", "2")
        self.assertEqual([line["loss_scale"] for line in lines], [4, 4, 8, 8, 16, 16])
        lines = self.log("gpt2", 5, "--fp16", "--initial-loss-scale", str(2.0**40), "--hysteresis", "3")
        self.assertEqual([line["loss_scale"] for line in lines], [2.0**40] * 3 + [2.0**39, 2.0**38])

    def test_no_way_out_is_an_error(self):
        outcome = run_llmpar(*self.command(self.root / "gpt2" / "model.onnx", "--fp16", "--initial-loss-scale", str(2.0**40), "--min-loss-scale", str(2.0**39)))
        self.assertEqual(outcome.kind, Kind.COMPILE_ERROR)
        self.assertIn("gradients are not finite at the least loss scale", outcome.error)

    def test_a_resumed_run_has_the_same_bits(self):
        for name, flags in {"bf16": ["--bf16", *DP2, "--zero", "1"], "fp16": ["--fp16", "--initial-loss-scale", str(2.0**25), "--loss-scale-window", "3"]}.items():
            with self.subTest(name):
                whole, save = self.states("gpt2", 9, *flags), self.root / name
                self.states("gpt2", 4, *flags, "--save", save)
                resumed = self.states("gpt2", 9, *flags, "--load", save)
                self.assertEqual(whole.keys(), resumed.keys())
                for state, value in whole.items():
                    np.testing.assert_array_equal(value.view(np.uint32), resumed[state].view(np.uint32), err_msg=state)

    def test_a_checkpoint_of_one_precision_goes_on_in_another(self):
        save = self.root / "f32 checkpoint"
        self.states("gpt2", 3, "--save", save)
        self.assertEqual(self.states("gpt2", 6, "--load", save, "--bf16")["step"], 6)

    def test_a_bf16_model_has_f32_masters(self):
        folder = self.root / "narrow"
        folder.mkdir()
        model, out = folder / "model.onnx", folder / "trained.onnx"
        save_in_bf16(self.root / "gpt2" / "model.onnx", model)
        initial = {t.name: bf16_values(t) for t in onnx.load(model).graph.initializer if t.data_type == TensorProto.BFLOAT16}
        for more in [[], TP2]:
            loaded = self.states("narrow", 1, "--lr", "0", *more)
            for name in ["wte.weight", "h.0.ln_1.weight", "h.0.attn.c_attn.weight", "h.1.attn.c_attn.bias", "h.1.mlp.c_fc.bias"]:
                self.assertEqual(loaded[name].dtype, np.float32)
                np.testing.assert_array_equal(loaded[name], initial[name])
        np.testing.assert_allclose(self.losses("narrow", 20), self.losses("gpt2", 20), rtol=0.02)
        np.testing.assert_allclose(self.losses("narrow", 20, *TP2), self.losses("narrow", 20), rtol=3e-3)
        trained = self.states("narrow", 5)
        run_checked(*self.command(model, "--train-iters", "5", "-o", out))
        exported = {t.name: bf16_values(t) for t in onnx.load(out).graph.initializer if t.data_type == TensorProto.BFLOAT16}
        for name in ["wte.weight", "h.0.attn.c_attn.weight", "ln_f.bias"]:
            np.testing.assert_array_equal(exported[name], round_to_bf16(trained[name]))
            self.assertGreater(np.abs(trained[name] - exported[name]).max(), 0)

    def test_evaluation_computes_as_training_does(self):
        shape = ["--dim", f"batch={BATCH}", "--dim", f"seq={LENGTH}", "--data", self.root / "data.bin", "--json"]
        exact, lowered = (run_checked("eval", self.root / "gpt2/model.onnx", *shape, *more)["all"]["loss"] for more in [[], ["--bf16"]])
        self.assertNotEqual(exact, lowered)
        self.assertAlmostEqual(lowered, exact, delta=0.01 * exact)
        lines = self.log("gpt2", 4, "--bf16", "--eval-interval", "2", "--split", "8,2,0")
        self.assertTrue(np.isfinite([lines[i]["validation"]["loss"] for i in (1, 3)]).all())

    def test_plans_count_the_copy_the_master_and_the_moments(self):
        model = self.root / "gpt2/model.onnx"
        shape = ["--dim", f"batch={BATCH}", "--dim", f"seq={LENGTH}", "--cluster", "cpu-2", "--train", "--json"]
        rows = {row["method"]: row for row in run_checked("compare", model, *shape, "--bf16")["methods"] if row["ok"]}
        self.assertLess(rows["zero"]["weight_bytes"], 0.6 * rows["data"]["weight_bytes"])  # masters are split too

    def test_errors_say_what_to_do(self):
        for more, part in [(["--bf16", "--fp16"], "choose one"),
                           (["--fp16", "--initial-loss-scale", "3"], "powers of two"),
                           (["--fp16", "--initial-loss-scale", "1", "--min-loss-scale", "2"], "is not above the first"),
                           (["--fp16", "--loss-scale-window", "0"], "at least 1"),
                           (["--hysteresis", "3"], "--hysteresis is of a loss scale: add --fp16")]:
            with self.subTest(part):
                outcome = run_llmpar(*self.command(self.root / "gpt2" / "model.onnx", *more))
                self.assertEqual(outcome.kind, Kind.USAGE)
                self.assertIn(part, outcome.error)


if __name__ == "__main__":
    unittest.main()
