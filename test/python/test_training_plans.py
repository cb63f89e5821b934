"""Plans of training steps: how states rest in much and in little memory; states and activations against published bytes."""

from __future__ import annotations

import json
import math
import re
import tempfile
import unittest
from pathlib import Path

import support  # noqa: F401  (finds the package)
from llmpar.cli import run_checked
from llmpar.zoo import build_gpt2, build_llama
from llmpar.zoo.gpt2 import Gpt2Config
from llmpar.zoo.llama import SIZES


class PlannedMemoryTest(unittest.TestCase):
    """Plans of the training step of a Llama of 8B size, f32, on 8 H100."""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        cls.root = Path(cls.folder.name)
        build_llama(cls.root, SIZES["8b"], weights=False)

    def plan(self, batch: int, *more: str) -> tuple[dict, list[tuple[str, int, int]]]:
        """The report; of each parameter ("parameter") and moment ("state") its elements, and in how many parts it rests."""
        report = run_checked("plan", self.root / "model.onnx", "--train", "--dim", f"batch={batch}", "--dim", "seq=2048",
                             "--cluster", "dgx-h100", "-o", self.root / "plan.json", "--json", *more)
        sizes = {name: int(size) for name, size in (axis.split("=") for axis in report["mesh"].split(","))}
        loads = []
        for op in json.loads((self.root / "plan.json").read_text())["plan"]["ops"]:
            if op["op"] == "load_weight":
                elements = math.prod(int(extent) for extent in re.findall(r"(\d+)x", op["type"]))
                axes = re.findall(r"[a-z]+", json.dumps(op["keep"]))
                loads.append(("parameter" if op["node"] else "state", elements, math.prod(sizes[axis] for axis in axes)))
        return report, loads

    def test_states_are_split_where_memory_asks_for_it(self):
        def whole(loads: list) -> float:
            parameters = [(elements, parts) for kind, elements, parts in loads if kind == "parameter"]
            return sum(elements for elements, parts in parameters if parts == 1) / sum(elements for elements, _ in parameters)
        ample, loads = self.plan(32, "--memory", "1 TB")
        self.assertEqual((ample["mesh"], ample["recompute"]), ("x=8", "none"))
        self.assertGreater(whole(loads), 0.9)
        tight, loads = self.plan(32, "--memory", "80 GB")
        self.assertEqual(tight["recompute"], "selective")
        self.assertLess(whole(loads), 0.25)
        self.assertGreater(tight["time_s"], ample["time_s"])

    def test_states_take_the_bytes_that_are_published(self):
        """Rajbhandari et al., ZeRO (SC 2020), section 5, in f32: parameters and two moments, 4 bytes each."""
        for method, published in (("data", 12), ("zero", 4 + 8 / 8), ("gathered", 12 / 8)):
            with self.subTest(method):
                _, loads = self.plan(8, "--memory", "1 TB", "--method", method)
                count = sum(elements for kind, elements, _ in loads if kind == "parameter")
                held = sum(4 * elements / parts for _, elements, parts in loads) / count
                self.assertLess(abs(held / published - 1), 0.03, f"{held} bytes a parameter")

class PublishedMemoryTest(unittest.TestCase):
    """Bytes that a layer of a GPT adds to plans in bf16, by the published formulas; 8 devices."""

    HIDDEN, SEQUENCE, RANKS, LAYERS = 1024, 2048, 8, (16, 24)
    PARAMETERS = 12 * HIDDEN**2 + 13 * HIDDEN

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        for layers in cls.LAYERS:
            build_gpt2(Path(cls.folder.name) / str(layers), Gpt2Config(layers, cls.HIDDEN, 16, 512, cls.SEQUENCE), weights=False)

    def bytes_of_a_layer(self, method: str, batch: int, *more: str) -> float:
        few, many = (run_checked("plan", Path(self.folder.name) / str(layers) / "model.onnx", "--train", "--bf16", "--dim", f"batch={batch}", "--dim",
                                 f"seq={self.SEQUENCE}", "--cluster", "dgx-h100", "--memory", "1 TB", "--method", method, "--json", *more)
                     ["meshes"][0]["peak_bytes"] for layers in self.LAYERS)
        return (many - few) / (self.LAYERS[1] - self.LAYERS[0])

    def assert_published(self, held: float, published: float):
        self.assertLess(abs(held / published - 1), 0.03, f"{held} of {published}")

    def test_states_and_gradients(self):
        """Megatron-LM, f32 gradients: 18 bytes a parameter, with a distributed optimizer 6 + 12/dp. They are there together in
        the last of several micro-batches; in a single one copies end before gradients begin."""
        for method, published in (("data", 18), ("zero", 6 + 12 / self.RANKS)):
            with self.subTest(method):
                small, large = (self.bytes_of_a_layer(method, batch, "--recompute", "none", "--gradient-accumulation-steps", "2") for batch in (16, 32))
                self.assert_published((2 * small - large) / self.PARAMETERS, published)  # what does not grow with the batch

    def test_activations(self):
        """Korthikanti et al. (MLSys 2023), Table 2, in units of s b h bytes: without dropout, whose masks take 2, and
        with fused attention, which keeps no scores."""
        ranks = self.RANKS
        for method, recompute, published in (("single", "none", 32), ("data", "none", 32 / ranks), ("tensor", "none", 8 + 24 / ranks),
                                             ("sequence", "none", 32 / ranks), ("single", "full", 2), ("tensor", "full", 2)):
            with self.subTest(method=method, recompute=recompute):
                small, large = (self.bytes_of_a_layer(method, batch, "--recompute", recompute) for batch in (64, 128))
                self.assert_published((large - small) / (64 * self.SEQUENCE * self.HIDDEN), published)


if __name__ == "__main__":
    unittest.main()
