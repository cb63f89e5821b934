"""`llmpar cluster`: the shipped clusters, and a probe of this machine."""

import os
import subprocess
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LLMPAR = Path(os.environ.get("LLMPAR_BUILD", ROOT / "build")) / "bin" / "llmpar"
USAGE = 2


def run(*arguments, timeout=60):
    return subprocess.run([LLMPAR, "cluster", *arguments], capture_output=True, text=True, timeout=timeout, check=False)


class ShippedTest(unittest.TestCase):
    def test_list_has_every_file(self):
        done = run("list")
        self.assertEqual(done.returncode, 0, done.stderr)
        for file in (ROOT / "lib/Cost/clusters").glob("*.yaml"):
            self.assertRegex(done.stdout, rf"(?m)^{file.stem} ")
        self.assertRegex(done.stdout, r"dgx-h100 .*989 TFLOP/s .*80 GB .*8 over nvlink at 450 GB/s")

    def test_show_prints_the_file_with_its_sources(self):
        self.assertEqual(run("show", "dgx-a100").stdout, (ROOT / "lib/Cost/clusters/dgx-a100.yaml").read_text())

    def test_show_of_several_nodes_has_the_outer_network(self):
        done = run("show", "4x dgx-h100")
        self.assertIn("name: 4x dgx-h100", done.stdout)
        self.assertIn("count: 32", done.stdout)
        self.assertIn("name: infiniband", done.stdout)

    def test_cpu_takes_any_number(self):
        self.assertIn("count: 3", run("show", "cpu-3").stdout)


class ErrorTest(unittest.TestCase):
    def check(self, arguments, message, code=USAGE):
        done = run(*arguments)
        self.assertEqual(done.returncode, code, done)
        self.assertIn(message, done.stderr)
        self.assertEqual(len(done.stderr.strip().splitlines()), 1, done.stderr)

    def test_unknown_names_and_actions(self):
        self.check([], "which action: llmpar cluster list")
        self.check(["frobnicate"], "no action 'frobnicate'")
        self.check(["show"], "which cluster?")
        self.check(["show", "dgx-v100"], "no cluster 'dgx-v100'; shipped are cpu-N, dgx-a100")
        self.check(["list", "dgx-h100"], "takes no 'dgx-h100'")

    def test_a_bad_file_is_named_with_line_and_column(self):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "c.yaml"
            path.write_text(run("show", "dgx-h100").stdout.replace("450 GB/s ", "0 GB/s "))
            self.check(["show", str(path)], f"{path}:21:16: 'bandwidth': 0 GB/s is too small: it must be above 0 B/s")

    def test_device_counts_that_cannot_be_probed(self):
        self.check(["probe", "--devices", "65"], "--devices=65: 1 to 64 devices can be probed")
        self.check(["probe", "--devices", "-1"], "--devices=-1: 1 to 64")


class ProbeTest(unittest.TestCase):
    def test_two_devices_give_a_file_that_reads_back(self):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "machine.yaml"
            done = run("probe", "--devices", "2", "-o", str(path), timeout=600)
            self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))
            text = path.read_text()
            for key in ("f32: ", "matmul weight:", "matmul few_rows:", "softmax:", "all_reduce:", "cores: ", "step: "):
                self.assertIn(key, text)
            self.assertEqual(run("show", str(path)).stdout, text)


if __name__ == "__main__":
    unittest.main()
