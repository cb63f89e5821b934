"""What the tools read and write: JSON tables, weight files of a wrong size, memory that is not there, progress."""

from __future__ import annotations

import json
import os
import pty
import resource
import select
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

import numpy as np
import onnx
import onnx.parser
from onnx import numpy_helper

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(os.environ.get("LLMPAR_BUILD", ROOT / "build")) / "bin"
LLMPAR, LLMPAR_RUN = BIN / "llmpar", BIN / "llmpar-run"

MODEL = """
<ir_version: 10, opset_import: ["" : 20]>
small (float[batch, 6] x) => (float[batch, 5] y) <float[6, 5] w> { y = MatMul(x, w) }
"""
X = "--input=x=2x6xf32=1"
WEIGHT_BYTES = 6 * 5 * 4


def refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


@unittest.skipUnless(LLMPAR.exists() and LLMPAR_RUN.exists(), f"{LLMPAR} is not built")
class ToolCase(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        model = onnx.parser.parse_model(MODEL)
        weight = numpy_helper.from_array(np.arange(30, dtype=np.float32).reshape(6, 5), "w")
        onnx.external_data_helper.set_external_data(weight, "small.data", offset=0, length=WEIGHT_BYTES)
        weight.ClearField("raw_data")
        model.graph.initializer.append(weight)
        (self.folder / "small.onnx").write_bytes(model.SerializeToString())
        self.write_weights(WEIGHT_BYTES)

    def write_weights(self, count: int) -> None:
        (self.folder / "small.data").write_bytes(np.arange(64, dtype=np.float32).tobytes()[:count])

    def run_tool(self, tool: Path, *arguments: str, code: int = 0, **options) -> subprocess.CompletedProcess:
        result = subprocess.run([tool, *arguments], cwd=self.folder, capture_output=True, text=True, timeout=60, **options)
        self.assertEqual(result.returncode, code, f"{arguments}\n{result.stdout}\n{result.stderr}")
        return result

    def compile(self) -> None:
        self.run_tool(LLMPAR, "compile", "small.onnx", "--dim", "batch=2", "-o", "small.llmpar")


class JsonTest(ToolCase):
    def table(self, tool: Path, *arguments: str, code: int = 0) -> dict:
        return json.loads(self.run_tool(tool, *arguments, "--json", code=code).stdout, parse_constant=refuse)

    def test_every_table_is_json(self) -> None:
        mesh = ["--mesh", "tp=2", "--layout", "tensor"]
        self.assertTrue(self.table(LLMPAR, "compile", "small.onnx", "--dim", "batch=2", "-o", "small.llmpar")["ok"])
        self.assertEqual(self.table(LLMPAR, "run", "small.onnx", X, *mesh)["ranks"], 2)
        self.assertTrue(self.table(LLMPAR, "verify", "small.onnx", X, *mesh)["ok"])
        bench = self.table(LLMPAR, "bench", "small.onnx", "--dim", "batch=2", "--repeat", "2", "--profile")
        self.assertGreater(bench["flops_per_s"], 0)
        self.assertIn("matmul", bench["seconds_by_kernel"])
        self.assertEqual(self.table(LLMPAR, "inspect", "small.onnx")["operators"]["MatMul"], {"count": 1, "supported": True})
        self.assertEqual([t["type"] for t in self.table(LLMPAR, "inspect", "small.llmpar")["tensors"]], ["2x6xf32", "2x5xf32"])
        self.assertIn("MatMul", [op["name"] for op in self.table(LLMPAR, "inspect", "--ops")["operators"]])
        run = self.table(LLMPAR_RUN, "small.llmpar", X, "--profile", "--repeat=2")
        self.assertEqual((len(run["step_seconds"]), run["kernels"][0]["kernel"]), (2, "matmul"))

    def test_an_error_is_json_too(self) -> None:
        self.compile()
        for tool, arguments in ((LLMPAR, ["run", "small.llmpar"]), (LLMPAR_RUN, ["small.llmpar"])):
            report = self.table(tool, *arguments, code=2)
            self.assertEqual((report["ok"], report["code"]), (False, 2))
            self.assertIn("input 'x' is missing: add --input=x=2x6xf32=@file.npy", report["error"])

    def test_infinities_are_null(self) -> None:
        self.compile()
        expected = "--expected-output=y=2x5xf32=0"  # a relative difference to 0
        for tool, arguments in ((LLMPAR, ["run", "small.llmpar"]), (LLMPAR_RUN, ["small.llmpar"])):
            output = self.table(tool, *arguments, X, expected, code=3)["outputs"][0]
            self.assertEqual((output["name"], output["match"], output["max_rel"]), ("y", False, None))

    def test_two_things_on_standard_output_are_refused(self) -> None:
        self.compile()
        for tool, arguments in ((LLMPAR, ["run", "small.llmpar", X, "--output=-"]), (LLMPAR_RUN, ["small.llmpar", X, "--output=-"]),
                                (LLMPAR, ["compile", "small.onnx", "--dim=batch=2", "--compile-to=import"])):
            self.assertIn("standard output", self.run_tool(tool, *arguments, "--json", code=2).stderr)


class TensorTest(ToolCase):
    def test_both_tools_read_and_write_alike(self) -> None:
        self.compile()
        for tool, arguments in ((LLMPAR, ["run", "small.llmpar"]), (LLMPAR_RUN, ["small.llmpar"])):
            printed = self.run_tool(tool, *arguments, "--input=2x6xf32=1", "--output=@y.npy", "--output=-", "--output=y=@y.bin").stdout
            self.assertIn("y: 2x5xf32 = [75, 81, 87, 93, 99, 75, 81, 87, 93, 99]", printed)
            np.testing.assert_array_equal(np.load(self.folder / "y.npy"), [[75, 81, 87, 93, 99]] * 2)
            self.run_tool(tool, *arguments, X, "--expected-output=y=@y.npy")
            # 75 against 75.05: within atol 1e-4 and rtol 1e-3, the default of both.
            self.run_tool(tool, *arguments, X, "--expected-output=2x5xf32=75.05 81 87 93 99 75 81 87 93 99")
            self.run_tool(tool, *arguments, X, "--expected-output=2x5xf32=75.1 81 87 93 99 75 81 87 93 99", code=3)

    def test_wrong_outputs_are_noticed_before_the_run(self) -> None:
        self.compile()
        (self.folder / "small.data").unlink()  # loading would fail
        for tool, arguments in ((LLMPAR, ["run", "small.llmpar"]), (LLMPAR_RUN, ["small.llmpar"])):
            for output, part in (("z=@z.npy", "the model has no such output; its outputs: y"), ("@y.txt", "unknown kind of file")):
                self.assertIn(part, self.run_tool(tool, *arguments, X, "--output=" + output, code=2).stderr)


class WeightFileTest(ToolCase):
    def load_error(self) -> str:
        """Both tools say the same, in one line."""
        messages = {self.run_tool(tool, *arguments, X, code=1).stderr.split("error: ", 1)[1]
                    for tool, arguments in ((LLMPAR, ["run", "small.llmpar"]), (LLMPAR_RUN, ["small.llmpar"]))}
        self.assertEqual(len(messages), 1, messages)
        return messages.pop()

    def test_a_file_that_was_there_must_keep_its_size(self) -> None:
        self.compile()
        self.write_weights(116)
        self.assertIn("rank 0: weights file 'small.data' has 116 bytes, the program needs 120: it is truncated", self.load_error())
        self.write_weights(124)
        self.assertIn("rank 0: weights file 'small.data' has 124 bytes, the program needs 120: it is not the file that was compiled", self.load_error())
        (self.folder / "small.data").unlink()
        self.assertIn("rank 0: weights file 'small.data': No such file or directory (120 bytes needed); name the model's folder", self.load_error())

    def test_a_file_that_was_not_there_must_hold_the_weights(self) -> None:
        (self.folder / "small.data").unlink()
        self.compile()
        self.write_weights(100)
        self.assertIn("rank 0: weights file 'small.data' has 100 bytes, 'w' needs 120: it is truncated", self.load_error())
        self.write_weights(124)
        self.run_tool(LLMPAR_RUN, "small.llmpar", X)

    def test_a_file_that_is_too_short_when_compiling_is_named_when_loading(self) -> None:
        self.write_weights(100)
        self.compile()
        self.assertIn("rank 0: weights file 'small.data' has 100 bytes, 'w' needs 120: it is truncated", self.load_error())


class MemoryTest(ToolCase):
    HUGE = str(1 << 38)  # rows: 6 TiB of inputs

    def test_a_trace_allocates_no_tensors(self) -> None:
        self.run_tool(LLMPAR, "compile", "small.onnx", "--dim", "batch=" + self.HUGE, "-o", "huge.llmpar")
        (self.folder / "small.data").unlink()
        limit = 2 << 30
        small = {"preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit))}
        commands = ((LLMPAR, ["run", "small.onnx", "--dim", "batch=" + self.HUGE, "--device=trace"]),
                    (LLMPAR, ["run", "huge.llmpar", "--device=trace"]), (LLMPAR_RUN, ["huge.llmpar", "--trace"]))
        for tool, arguments in commands:
            self.assertIn(f"rank 0 #0 matmul({self.HUGE}x6xf32@", self.run_tool(tool, *arguments, **small).stdout)

    def test_what_does_not_fit_is_one_line_with_the_bytes(self) -> None:
        self.run_tool(LLMPAR, "compile", "small.onnx", "--dim", "batch=" + self.HUGE, "-o", "huge.llmpar")
        given = f"--input=x={self.HUGE}x6xf32=1"
        commands = ((LLMPAR, ["bench", "small.onnx", "--dim", "batch=" + self.HUGE]), (LLMPAR, ["run", "huge.llmpar", given]),
                    (LLMPAR_RUN, ["huge.llmpar", given]))
        for tool, arguments in commands:
            stderr = self.run_tool(tool, *arguments, code=4).stderr
            self.assertRegex(stderr, r"error: .*: \d+ bytes \([\d.]+ TiB\) are needed, \d+ \([\d.]+ \w+\) are available: choose smaller")
            self.assertEqual(len(stderr.splitlines()), 1, stderr)

    def test_an_arena_that_does_not_fit_is_refused(self) -> None:
        rows = 8 << 20  # 200 MiB of input, as much of output, and the arenas once more
        limit = 700 << 20
        small = {"preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit))}
        self.run_tool(LLMPAR, "compile", "small.onnx", f"--dim=batch={rows}", "-o", "large.llmpar")
        stderr = self.run_tool(LLMPAR_RUN, "large.llmpar", f"--input=x={rows}x6xf32=1", code=4, **small).stderr
        self.assertRegex(stderr, r"the program's 1 rank: \d+ bytes .* are available: compile for smaller dimensions, or take a machine")


class ProgressTest(ToolCase):
    def test_a_terminal_is_told_what_takes_long(self) -> None:
        (self.folder / "small.data").unlink()
        self.compile()
        os.mkfifo(self.folder / "small.data")  # opening it takes as long as nobody writes
        ours, terminal = pty.openpty()
        process = subprocess.Popen([LLMPAR, "run", "small.llmpar", X], cwd=self.folder, stdout=subprocess.DEVNULL, stderr=terminal)
        os.close(terminal)
        text = self.read_until(ours, b"load weights: ")
        with open(self.folder / "small.data", "wb"):  # opens, and is empty
            process.wait(timeout=30)
        self.assertRegex(text, rb"^\rload weights: \d+ s")
        rest = self.read_until(ours, b"it is truncated")
        self.assertIn(b"\r\x1b[Kerror: ", rest, "the line is gone before the message")

    def test_quick_work_is_told_nothing(self) -> None:
        ours, terminal = pty.openpty()
        begin = time.monotonic()
        subprocess.run([LLMPAR, "run", "small.onnx", X], cwd=self.folder, stdout=subprocess.DEVNULL, stderr=terminal, timeout=60)
        if time.monotonic() - begin >= 1:
            self.skipTest("this machine is too busy for quick work")
        self.assertEqual(select.select([ours], [], [], 0)[0], [])
        os.close(terminal)
        os.close(ours)

    def read_until(self, terminal: int, part: bytes) -> bytes:
        text, deadline = b"", time.monotonic() + 30
        while part not in text and time.monotonic() < deadline:
            if select.select([terminal], [], [], 1)[0]:
                try:
                    text += os.read(terminal, 4096)
                except OSError:  # the other end is closed
                    break
        self.assertIn(part, text)
        return text


if __name__ == "__main__":
    unittest.main()
