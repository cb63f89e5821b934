"""`llmpar train --save --load`: a run that was stopped goes on with the same bits, on any layout."""

from __future__ import annotations

import json
import shutil
import tempfile
import unittest
from pathlib import Path

import numpy as np
import support  # noqa: F401  (finds the package and the scripts)
import kill_training
from llmpar.cli import Kind, run_llmpar
from llmpar.zoo import build_gpt2
from llmpar.zoo.gpt2 import SIZES
from training_data import write_tokens

BATCH, LENGTH = 4, 16
DP2, DP4 = ["--mesh", "dp=2", "--layout", "data"], ["--mesh", "dp=4", "--layout", "data"]
TP2, HYBRID = ["--mesh", "tp=2", "--layout", "tensor"], ["--mesh", "dp=2,tp=2", "--layout", "hybrid"]


class CheckpointTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        cls.root = Path(cls.folder.name)
        build_gpt2(cls.root / "gpt2", SIZES["tiny"])
        # 10 samples: batches of 4 cross the ends of epochs.
        write_tokens(cls.root / "data.bin", np.random.default_rng(3).integers(0, 101, 10 * LENGTH + 1), 101)

    def setUp(self):
        self.dir = Path(tempfile.mkdtemp(dir=self.root))

    def outcome(self, iters: int, *more):
        return run_llmpar("train", self.root / "gpt2" / "model.onnx", "--dim", f"batch={BATCH}", "--dim", f"seq={LENGTH}", "--data",
                          self.root / "data.bin", "--clip-grad", "1", "--lr-warmup-iters", "3", "--train-iters", str(iters), "--json", *more)

    def train(self, iters: int, *more):
        outcome = self.outcome(iters, *more)
        self.assertEqual(outcome.kind, Kind.OK, outcome.error)

    def weights(self, iters: int, *more) -> dict[str, np.ndarray]:
        out = self.dir / "w.npz"
        self.train(iters, "-o", out, *more)
        return dict(np.load(out))

    def assert_same_bits(self, a: dict[str, np.ndarray], b: dict[str, np.ndarray]):
        self.assertEqual(a.keys(), b.keys())
        for name in a:
            np.testing.assert_array_equal(a[name].view(np.uint32), b[name].view(np.uint32), err_msg=name)

    def test_a_resumed_run_has_the_bits_of_an_uninterrupted_one(self):
        for name, flags in {"single": [], "dp=2 ZeRO": [*DP2, "--zero", "1"], "hybrid": HYBRID, "sgd": ["--optimizer", "sgd", "--sgd-momentum", "0.9"]}.items():
            with self.subTest(name):
                whole = self.weights(9, *flags)
                save = self.dir / name
                self.train(4, *flags, "--save", save)
                self.assert_same_bits(whole, self.weights(9, *flags, "--load", save))

    def test_one_command_line_starts_and_resumes_and_keeps_its_log(self):
        save, log = self.dir / "save", self.dir / "log.jsonl"
        flags = ["--save", save, "--load", save, "--save-interval", "2", "--log", log]
        self.train(5, *flags)
        self.train(8, *flags)
        steps = [json.loads(line)["step"] for line in log.read_text().splitlines()]
        self.assertEqual(steps, list(range(1, 9)))
        self.assertEqual(sorted(p.name for p in save.iterdir()), [*(f"iter_000000{i}" for i in (2, 4, 5, 6, 8)), "latest"])
        # From an older one: lines behind it are written anew.
        self.train(8, "--load", save / "iter_0000004", "--log", log)
        self.assertEqual([json.loads(line)["step"] for line in log.read_text().splitlines()], steps)

    def test_any_layout_loads_what_any_other_saved(self):
        first = self.dir / "first"
        self.train(3, "--save", first)
        for name, flags in {"dp=2": DP2, "dp=4": DP4, "dp=4 ZeRO": [*DP4, "--zero", "2"], "tp=2": TP2, "hybrid ZeRO": [*HYBRID, "--zero", "1"]}.items():
            with self.subTest(name):
                there, back = self.dir / f"{name} there", self.dir / f"{name} back"
                self.train(3, *flags, "--load", first, "--save", there)  # no step is left: a conversion
                self.train(3, "--load", there, "--save", back)
                self.assertEqual((back / "iter_0000003/rank_000.safetensors").read_bytes(), (first / "iter_0000003/rank_000.safetensors").read_bytes())

    def test_a_run_that_moves_to_other_devices_and_back_has_the_same_bits(self):
        meshes = {1: [], 2: [*DP2, "--zero", "1"], 4: [*DP4, "--zero", "3"]}
        for here, flags in meshes.items():
            whole, begun = self.weights(4, *flags), self.dir / f"{here}"
            self.train(2, *flags, "--save", begun)
            for there, others in meshes.items():
                with self.subTest(f"{here} -> {there} -> {here}"):
                    moved = self.dir / f"{here} {there}"
                    self.train(2, *others, "--load", begun, "--save", moved)
                    self.assert_same_bits(whole, self.weights(4, *flags, "--load", moved))

    def test_each_rank_writes_what_no_other_has(self):
        save = self.dir / "save"
        self.train(1, *DP4, "--save", save)
        self.assertEqual([p.name for p in sorted((save / "iter_0000001").iterdir())], ["manifest.json", "rank_000.safetensors"])
        single = (save / "iter_0000001/rank_000.safetensors").stat().st_size
        self.train(1, *DP4, "--zero", "1", "--save", self.dir / "zero")
        sizes = [p.stat().st_size for p in sorted((self.dir / "zero/iter_0000001").glob("rank_*"))]
        self.assertEqual(len(sizes), 4)
        self.assertLess(max(sizes[1:]), single / 4)
        self.assertLess(sum(sizes), single * 1.1)

    def test_the_limit_keeps_the_newest(self):
        save = self.dir / "save"
        self.train(7, "--save", save, "--save-interval", "2", "--save-total-limit", "2")
        self.assertEqual(sorted(p.name for p in save.iterdir()), ["iter_0000006", "iter_0000007", "latest"])

    def test_files_are_safetensors_with_the_weights_names(self):
        save = self.dir / "save"
        weights = self.weights(2, "--save", save)
        raw = (save / "iter_0000002/rank_000.safetensors").read_bytes()
        size = int.from_bytes(raw[:8], "little")
        header = json.loads(raw[8 : 8 + size])
        self.assertEqual(header.keys(), weights.keys())
        begin, end = header["wte.weight.m"]["data_offsets"]
        np.testing.assert_array_equal(np.frombuffer(raw[8 + size + begin : 8 + size + end], "<f4").reshape(header["wte.weight.m"]["shape"]), weights["wte.weight.m"])

    def test_what_cannot_go_on_says_why(self):
        save = self.dir / "save"
        self.train(4, "--save", save, "--save-interval", "2")
        damaged = self.dir / "damaged"
        shutil.copytree(save, damaged)
        with (damaged / "iter_0000004/rank_000.safetensors").open("r+b") as file:
            file.seek(5000)
            file.write(b"?")
        for more, kind, parts in [
            (["--save", save], Kind.USAGE, ["has checkpoints of another run", f"--load {save}"]),
            (["--load", self.dir / "nothing"], Kind.COMPILE_ERROR, ["no checkpoint there"]),
            (["--load", damaged], Kind.COMPILE_ERROR, ["rank_000.safetensors: damaged", f"is of step 2: --load {damaged}/iter_0000002"]),
            (["--load", save, "--seed", "1"], Kind.USAGE, ["seed was 0, and is 1 here"]),
            (["--load", save, "--optimizer", "sgd"], Kind.USAGE, ["has no state 'wte.weight.velocity'", "--optimizer"]),
            (["--load", save, "--freeze", "wte*"], Kind.USAGE, ["has a state 'wte.weight'"]),
            (["--load", save, "--train-iters", "3"], Kind.USAGE, ["behind --train-iters 3: raise it"]),
            (["--save-interval", "2"], Kind.USAGE, ["add --save DIR"]),
            (["--save", self.root / "data.bin"], Kind.DEVICE_FAILURE, ["the checkpoint of step 6 cannot be written"]),
        ]:
            with self.subTest(more=more):
                iters = [] if "--train-iters" in more else ["--train-iters", "6"]
                outcome = run_llmpar("train", self.root / "gpt2" / "model.onnx", "--dim", f"batch={BATCH}", "--dim", f"seq={LENGTH}",
                                     "--data", self.root / "data.bin", *iters, *more)
                self.assertEqual(outcome.kind, kind, outcome.error)
                for part in parts:
                    self.assertIn(part, outcome.error)

    def test_a_diverged_run_leaves_its_checkpoint_and_its_weights(self):
        save, out = self.dir / "save", self.dir / "w.npz"
        outcome = self.outcome(60, "--optimizer", "sgd", "--lr", "1e9", "--clip-grad", "0", "--save", save, "--save-interval", "1", "--lr-warmup-iters", "0", "-o", out)
        self.assertEqual(outcome.kind, Kind.COMPILE_ERROR)
        self.assertRegex(outcome.error, r"step \d+: the loss is -?(nan|inf): lower --lr.*; to go on: --load .*/iter_\d+; .*w.npz has the states as they are")
        self.assertIn("wte.weight", np.load(out))
        self.assertTrue((save / "latest").exists())

    def test_killed_runs_go_on_with_the_same_bits(self):
        report = kill_training.try_kills(self.dir, kills=6, seed=1)
        self.assertEqual(report.kills, 6)
        self.assertEqual(report.problems, [])


if __name__ == "__main__":
    unittest.main()
