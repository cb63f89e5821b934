"""Plans of training steps of full size: how states rest in much and in little memory, and their published bytes."""

from __future__ import annotations

import json
import math
import re
import tempfile
import unittest
from pathlib import Path

import support  # noqa: F401  (finds the package)
from llmpar.cli import run_checked
from llmpar.zoo import build_llama
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
        self.assertLess(whole(loads), 0.1)
        self.assertGreater(tight["time_s"], ample["time_s"])

    def test_states_take_the_bytes_that_are_published(self):
        """Rajbhandari et al., ZeRO (SC 2020), section 5, in f32: parameters and two moments, 4 bytes each."""
        for method, published in (("data", 12), ("zero", 4 + 8 / 8), ("gathered", 12 / 8)):
            with self.subTest(method):
                _, loads = self.plan(8, "--memory", "1 TB", "--method", method)
                count = sum(elements for kind, elements, _ in loads if kind == "parameter")
                held = sum(4 * elements / parts for _, elements, parts in loads) / count
                self.assertLess(abs(held / published - 1), 0.03, f"{held} bytes a parameter")


if __name__ == "__main__":
    unittest.main()
