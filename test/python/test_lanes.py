"""Lanes from the command line: the compiler finds what may overlap, and every mode gives the same bits."""

from __future__ import annotations

import os
import subprocess
import tempfile
import unittest
from pathlib import Path

import numpy as np
import onnx
import onnx.parser
import support  # noqa: F401  (finds the package)
from llmpar.cli import run_checked
from onnx import numpy_helper

# Two branches with a row-parallel product each: the sum of the first may run beside the products of the second.
MODEL = """
<ir_version: 10, opset_import: ["" : 20]>
branches (float[4, 32] x) => (float[4, 32] y)
{ h = MatMul(x, w0)
  r = Relu(h)
  a = MatMul(r, w1)
  ax = Mul(a, x)
  g = MatMul(x, w2)
  s = Sigmoid(g)
  b = MatMul(s, w3)
  y = Add(ax, b) }
"""
LAYOUT = ["--mesh", "tp=2", "--layout", "tensor"]


def write_model(path: Path) -> None:
    numbers = np.random.default_rng(5)
    model = onnx.parser.parse_model(MODEL)
    for name, shape in {"w0": (32, 48), "w1": (48, 32), "w2": (32, 40), "w3": (40, 32)}.items():
        model.graph.initializer.append(numpy_helper.from_array(numbers.standard_normal(shape).astype(np.float32) / 6, name))
    onnx.save(model, path)


class LanesTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        cls.root = Path(cls.folder.name)
        write_model(cls.root / "model.onnx")
        np.save(cls.root / "x.npy", np.random.default_rng(6).standard_normal((4, 32)).astype(np.float32))

    def run_mode(self, mode: str) -> tuple[dict, np.ndarray]:
        output = self.root / f"{mode}.npy"
        report = run_checked("run", self.root / "model.onnx", *LAYOUT, f"--input=x=@{self.root}/x.npy", f"--output=y=@{output}",
                             "--lanes", mode, "--json")
        return report, np.load(output)

    def test_threads_and_file_order_give_the_same_bits(self):
        in_order, expected = self.run_mode("inline")
        threads, actual = self.run_mode("threads")
        self.assertEqual((in_order["threads"], threads["threads"]), (2, 4))
        self.assertEqual(expected.tobytes(), actual.tobytes())

    def test_auto_takes_threads_only_with_two_cores_for_each_rank(self):
        report, _ = self.run_mode("auto")
        self.assertEqual(report["threads"], 4 if len(os.sched_getaffinity(0)) >= 4 else 2)

    def test_a_trace_shows_lanes_and_waits(self):
        build = Path(os.environ.get("LLMPAR_BUILD", support.ROOT / "build"))
        text = subprocess.run([build / "bin" / "llmpar", "run", self.root / "model.onnx", *LAYOUT, "--device=trace"],
                              capture_output=True, text=True, check=True).stdout
        records = [line for line in text.splitlines() if line.startswith("rank 0 #")]
        first = next(i for i, line in enumerate(records) if "all_reduce" in line)
        self.assertIn(f" lane communication waits [{first - 1}]", records[first])
        join = next(i for i, line in enumerate(records) if f" waits [{first}]" in line)
        self.assertGreater(join, first + 1, "something runs beside the first sum:\n" + text)


if __name__ == "__main__":
    unittest.main()
