"""`llmpar train`: what it learns equals an independent implementation, under every layout."""

from __future__ import annotations

import json
import struct
import tempfile
import unittest
from pathlib import Path

import numpy as np
import support  # noqa: F401  (finds the package)
from llmpar.cli import Kind, run_checked, run_llmpar
from llmpar.zoo import build_gpt2, build_llama
from llmpar.zoo.gpt2 import SIZES as GPT2_SIZES
from llmpar.zoo.llama import SIZES as LLAMA_SIZES
from training_data import write_tokens

BATCH, LENGTH, STEPS = 4, 16, 10
MODELS = {"gpt2": (build_gpt2, GPT2_SIZES["tiny"]), "llama": (build_llama, LLAMA_SIZES["tiny"])}


class TrainTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        cls.root = Path(cls.folder.name)
        numbers = np.random.default_rng(3)
        cls.one_batch = numbers.integers(0, 101, BATCH * LENGTH + 1)
        write_tokens(cls.root / "one.bin", cls.one_batch, 101)
        write_tokens(cls.root / "many.bin", numbers.integers(0, 101, 40 * LENGTH + 1), 101)
        for kind, (build, config) in MODELS.items():
            build(cls.root / kind, config)

    def flags(self, kind: str, data: str, *more: str, batch: int = BATCH) -> list:
        return [self.root / kind / "model.onnx", "--dim", f"batch={batch}", "--dim", f"seq={LENGTH}", "--data", self.root / data, *more]

    def losses(self, kind: str, data: str, *more: str, batch: int = BATCH) -> list[float]:
        log = self.root / "log.jsonl"
        run_checked("train", *self.flags(kind, data, "--train-iters", str(STEPS), "--log", str(log), "--json", *more, batch=batch))
        return [json.loads(line)["loss"] for line in log.read_text().splitlines()]

    def test_equals_jax(self):
        try:
            import training_reference
        except ImportError as missing:
            self.skipTest(f"{missing}")
        # One batch in each epoch: the order of its samples does not matter.
        tokens = np.stack([self.one_batch[i * LENGTH : (i + 1) * LENGTH + 1] for i in range(BATCH)])
        for kind, (_, config) in MODELS.items():
            with self.subTest(kind):
                weights = training_reference.load_weights(self.root / kind / "model.onnx")
                expected = training_reference.train(weights, kind, config, tokens, STEPS, clip=0.5, decay=0.1)
                actual = self.losses(kind, "one.bin", "--clip-grad", "0.5", "--weight-decay", "0.1")
                np.testing.assert_allclose(actual, expected, rtol=1e-4)
                self.assertLess(actual[-1], actual[0])

    def test_layouts_learn_the_same(self):
        for kind in MODELS:
            single = self.losses(kind, "many.bin", "--clip-grad", "1")
            for mesh, layout in [("dp=2", "data"), ("dp=3", "data"), ("tp=2", "tensor"), ("dp=2,tp=2", "hybrid")]:
                with self.subTest(f"{kind} {mesh}"):
                    sharded = self.losses(kind, "many.bin", "--clip-grad", "1", "--mesh", mesh, "--layout", layout)
                    np.testing.assert_allclose(sharded, single, rtol=1e-5)
                    for stage in ["2", "3"] if "dp" in mesh else []:
                        zero = self.losses(kind, "many.bin", "--clip-grad", "1", "--mesh", mesh, "--layout", layout, "--zero", stage)
                        np.testing.assert_allclose(zero, single, rtol=1e-5)

    def test_micro_batches_learn_as_one_batch(self):
        half = ["--clip-grad", "1", "--gradient-accumulation-steps", "2"]
        for kind in MODELS:
            whole = self.losses(kind, "many.bin", "--clip-grad", "1")
            for more in [[], ["--mesh", "dp=2", "--layout", "data", "--zero", "1"], ["--mesh", "dp=2,tp=2", "--layout", "hybrid", "--zero", "3"],
                         ["--mesh", "x=2", "--layout", "auto"]]:
                with self.subTest(f"{kind} {more}"):
                    np.testing.assert_allclose(self.losses(kind, "many.bin", *half, *more, batch=BATCH // 2), whole, rtol=1e-5)

    def test_recomputed_activations_have_the_same_bits(self):
        for kind in MODELS:
            for more in [[], ["--gradient-accumulation-steps", "2"], ["--mesh", "dp=2,tp=2", "--layout", "hybrid", "--zero", "3"]]:
                kept = self.losses(kind, "many.bin", *more)
                for granularity in ["selective", "full"]:
                    with self.subTest(f"{kind} {more} {granularity}"):
                        self.assertEqual(self.losses(kind, "many.bin", "--recompute", granularity, *more), kept)

    def states(self, name: str, data: str, steps: int, *more: str, batch: int = BATCH) -> dict[str, np.ndarray]:
        path = self.root / f"{name}.npz"
        run_checked("train", *self.flags("gpt2", data, "--train-iters", str(steps), "--clip-grad", "0.5", "-o", path, *more, batch=batch))
        with np.load(path) as arrays:
            return dict(arrays)

    def test_replicas_that_step_apart_are_averaged(self):
        # Two replicas, each with half of the samples, against a run of each half and the mean of their states.
        half = BATCH // 2
        for index in range(2):
            begin = index * half * LENGTH
            write_tokens(self.root / f"half{index}.bin", self.one_batch[begin : begin + half * LENGTH + 1], 101)
        halves = [self.states(f"half{index}", f"half{index}.bin", 3, batch=half) for index in range(2)]
        self.assertGreater(np.abs(halves[0]["wte.weight"] - halves[1]["wte.weight"]).max(), 1e-4)
        for mesh, layout in [("dp=2", "data"), ("dp=2,tp=2", "hybrid")]:
            with self.subTest(mesh):
                both = self.states("both", "one.bin", 3, "--data-sharding", "uniform", "--mesh", mesh, "--layout", layout, "--sync-interval", "3")
                self.assertEqual(set(both), set(halves[0]))
                for name, actual in both.items():
                    np.testing.assert_allclose(actual, (halves[0][name] + halves[1][name]) / 2, rtol=1e-4, atol=1e-6, err_msg=name)

    def test_gradients_that_wait_are_the_same_under_every_layout(self):
        for age in ["1", "2"]:
            single = self.losses("llama", "one.bin", "--clip-grad", "1", "--staleness", age)
            np.testing.assert_allclose(single[: int(age)], single[int(age)], rtol=1e-6)  # nothing to step by yet
            self.assertLess(single[-1], single[0])
            for mesh, layout in [("dp=2", "data"), ("dp=3", "data"), ("dp=2,tp=2", "hybrid")]:
                with self.subTest(f"{age} {mesh}"):
                    sharded = self.losses("llama", "one.bin", "--clip-grad", "1", "--staleness", age, "--mesh", mesh, "--layout", layout)
                    np.testing.assert_allclose(sharded, single, rtol=1e-5)

    def test_runs_with_replicas_apart_go_on_with_the_same_bits(self):
        for more in [["--sync-interval", "2"], ["--staleness", "1", "--save-interval", "2"]]:
            with self.subTest(more[0]):
                flags = [*more, "--mesh", "dp=2", "--layout", "data"]
                whole = self.states("whole", "many.bin", 4, *flags, "--save", self.root / f"whole{more[0]}")
                self.states("part", "many.bin", 2, *flags, "--save", self.root / f"part{more[0]}")
                resumed = self.states("resumed", "many.bin", 4, *flags, "--load", self.root / f"part{more[0]}", *(["--save", self.root / f"again{more[0]}"]))
                for name, values in whole.items():
                    np.testing.assert_array_equal(resumed[name], values, err_msg=name)

    def test_the_rate_follows_its_schedule(self):
        # The rate is 0 at the end of a linear decay without a least rate, and in the first step of none: losses stand still.
        weights = self.root / "w.npz"
        run_checked("train", *self.flags("gpt2", "one.bin", "--train-iters", "2", "--lr", "0", "-o", str(weights)))
        states = np.load(weights)
        self.assertEqual(states["step"], 2)
        self.assertGreater(np.abs(states["ln_f.weight.m"]).max(), 0)
        original = np.load(weights)["ln_f.weight"]
        run_checked("train", *self.flags("gpt2", "one.bin", "--train-iters", "2", "--lr", "1e-3", "-o", str(weights)))
        self.assertGreater(np.abs(np.load(weights)["ln_f.weight"] - original).max(), 1e-4)

    def test_same_seed_same_bits(self):
        runs = [self.losses("gpt2", "many.bin", "--mesh", "dp=2", "--layout", "data", "--seed", "7") for _ in range(2)]
        self.assertEqual(runs[0], runs[1])
        self.assertNotEqual(runs[0], self.losses("gpt2", "many.bin", "--mesh", "dp=2", "--layout", "data", "--seed", "8"))

    def test_errors_say_what_to_do(self):
        for more, part in [(["--data", str(self.root / "gpt2" / "model.onnx")], "not a token file"),
                           (["--optimizer", "lion"], "choose adamw, adam or sgd"),
                           (["--lr-decay-style", "step"], "choose constant, linear, cosine"),
                           (["--train-iters", "0"], "at least 1"),
                           (["--lr-decay-style", "linear", "--lr-warmup-iters", "100"], "--lr-warmup-iters 100 leaves no steps of --train-iters 100"),
                           (["--log-interval", "0"], "at least 1"),
                           (["--label-smoothing", "2"], "below 1"),
                           (["--sync-interval", "8", "--mesh", "dp=2", "--layout", "data"], "--train-iters 100 is no multiple of the 8 steps"),
                           (["--sync-interval", "4", "--staleness", "1"], "choose one"),
                           (["--sync-interval", "4", "--mesh", "tp=2", "--layout", "tensor"], "choose --layout=data or hybrid"),
                           (["--sync-interval", "4", "--mesh", "dp=2", "--layout", "data", "--zero", "1"], "without --zero"),
                           (["--staleness", "-1"], "at least 0"),
                           (["-o", "/nowhere/w.npz"], "there is no folder '/nowhere'"),
                           (["--min-lr", "1"], "between 0 and --lr"),
                           (["--freeze", "["], "--freeze '['"),
                           (["--zero", "4"], "is 0, 1, 2 (optimizer states and gradients; 1 and 2 are the same here) or 3"),
                           (["--gradient-accumulation-steps", "0"], "is at least 1"),
                           (["--recompute", "some"], "choose none, selective, full or auto"),
                           (["--zero", "1", "--mesh", "tp=2", "--layout", "tensor"], "choose --layout=data or hybrid"),
                           (["--logits", "nothing"], "name the logits")]:
            with self.subTest(part):
                flags = [f for f in self.flags("gpt2", "one.bin")]
                if more[0] == "--data":
                    flags = flags[: flags.index("--data")]
                outcome = run_llmpar("train", *flags, *more)
                self.assertNotEqual(outcome.kind, Kind.OK)
                self.assertIn(part, outcome.error)

    def test_text_becomes_tokens(self):
        text = self.root / "text.txt"
        text.write_bytes(b"in the beginning")
        run_checked("data", text, "-o", self.root / "text.bin")
        self.assertEqual((self.root / "text.bin").read_bytes(), b"LLMPTOK1" + struct.pack("<II", 1, 256) + text.read_bytes())


    def test_methods_are_compared_by_time_memory_and_loss(self):
        report = run_checked("compare", self.root / "gpt2/model.onnx", "--train", "--dim", f"batch={BATCH}", "--dim", f"seq={LENGTH}",
                              "--cluster", "cpu-2", "--measure", "--repeat", "3", "--data", self.root / "many.bin", "--json")
        rows = {row["method"]: row for row in report["methods"] if row["ok"]}
        self.assertEqual({"single", "data", "data every 8", "data stale 1", "zero", "gathered", "tensor", "sequence", "auto"}, set(rows) - {"hybrid"})
        sent = {name: sum(entry["bytes"] for entry in row["traffic"]) for name, row in rows.items()}
        self.assertLess(sent["data every 8"], 0.5 * sent["data"])  # three states for the gradient, in every eighth step
        apart = [rows.pop("data every 8"), rows.pop("data stale 1")]
        self.assertTrue(all(np.isfinite(row["loss"]) for row in apart))
        losses = [row["loss"] for row in rows.values()]
        np.testing.assert_allclose(losses, losses[0], rtol=1e-5)
        # Of the whole states, data holds two, zero the parameters twice and the moments once.
        self.assertLess(rows["zero"]["weight_bytes"], 0.8 * rows["data"]["weight_bytes"])
        self.assertLess(rows["gathered"]["weight_bytes"], rows["zero"]["weight_bytes"])  # small ones stay whole

    def test_plan_and_compare_refuse_what_they_would_ignore(self):
        model = self.root / "gpt2/model.onnx"
        shape = ["--dim", f"batch={BATCH}", "--dim", f"seq={LENGTH}", "--cluster", "cpu-2"]
        for more, part in [(["--clip-grad", "1"], "--clip-grad is of a training step: add --train"),
                           (["--recompute", "full"], "--recompute is of a training step: add --train"),
                           (["--train", "--optimizer", "magic"], "choose adamw, adam or sgd"),
                           (["--train", "--freeze", "["], "--freeze '['"),
                           (["--train", "--gradient-accumulation-steps", "0"], "is at least 1"),
                           (["--train", "--data", self.root / "many.bin"], "--data=")]:
            for command in ("plan", "compare"):
                with self.subTest(f"{command} {part}"):
                    outcome = run_llmpar(command, model, *shape, *more)
                    self.assertEqual(outcome.kind, Kind.USAGE)
                    self.assertIn(part, outcome.error)

    def test_recomputation_is_chosen_where_memory_asks_for_it(self):
        # Rows enough that activations outweigh states.
        def plan(*more: str) -> dict:
            return run_checked("plan", self.root / "gpt2/model.onnx", "--train", "--dim", "batch=64", "--dim", f"seq={LENGTH}",
                               "--cluster", "cpu-2", "--json", *more)
        ample = plan()
        self.assertEqual(ample["recompute"], "none")
        rows = {row["recompute"]: row for row in ample["meshes"] if row["mesh"] == ample["mesh"]}
        self.assertLess(rows["none"]["time_s"], rows["selective"]["time_s"])
        self.assertLess(rows["selective"]["time_s"], rows["full"]["time_s"])
        self.assertEqual(rows["full"]["time_s"], plan("--recompute", "full", "--mesh", ample["mesh"])["time_s"])
        least = min(row["peak_bytes"] for row in plan("--recompute", "none", "--time-limit", "5")["meshes"] if row["fits"])
        tight = plan("--memory", f"{int(0.8 * least)} B", "--time-limit", "5")
        self.assertIn(tight["recompute"], ("selective", "full"))
        self.assertGreater(tight["time_s"], ample["time_s"])
        chosen = next(row for row in tight["meshes"] if row["recompute"] == tight["recompute"] and row["mesh"] == tight["mesh"])
        self.assertLessEqual(chosen["peak_bytes"], 0.8 * least)

    def test_recomputation_by_rule_has_no_choice(self):
        outcome = run_llmpar("train", *self.flags("gpt2", "one.bin"), "--recompute", "auto", "--mesh", "dp=2", "--layout", "data")
        self.assertEqual(outcome.kind, Kind.USAGE)
        self.assertIn("--recompute=auto is a choice of the search", outcome.error)

    def test_zero_is_no_method_of_inference(self):
        outcome = run_llmpar("plan", self.root / "gpt2/model.onnx", "--dim", "batch=1", "--dim", "seq=8", "--cluster", "cpu-2", "--method", "zero")
        self.assertIn("method 'zero' splits gradients and states, which only training has", outcome.error)


if __name__ == "__main__":
    unittest.main()
