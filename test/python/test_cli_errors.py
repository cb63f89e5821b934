"""Wrong input to `llmpar` gives one clear line and the right exit code, and never a crash."""

from __future__ import annotations

import os
import subprocess
import tempfile
import unittest
from pathlib import Path

import onnx
import onnx.parser

ROOT = Path(__file__).resolve().parents[2]
LLMPAR = Path(os.environ.get("LLMPAR_BUILD", ROOT / "build")) / "bin" / "llmpar"

MODEL = """
<ir_version: 10, opset_import: ["" : 20]>
small (float[batch, 6] x) => (float[batch, 4] y)
<float[6, 4] w = {0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23}>
{ y = MatMul(x, w) }
"""
UNKNOWN = MODEL.replace("MatMul", "Frobnicate")
CYCLE = """
<ir_version: 10, opset_import: ["" : 20]>
cyclic (float[2] x) => (float[2] y)
{ a = Add(x, b)
  b = Add(a, x)
  y = Add(a, b) }
"""

USAGE, COMPILE = 2, 1
CASES = [  # arguments, exit code, a part of the message
    (["frobnicate"], USAGE, "Unknown subcommand 'frobnicate'"),
    (["compile"], USAGE, "which model?"),
    (["compile", "absent.onnx"], USAGE, "absent.onnx: no such file"),
    (["compile", "small.onnx", "--frobnicate"], USAGE, "--frobnicate"),
    (["compile", "small.onnx"], COMPILE, "unbound dimension 'batch' (of x)"),
    (["compile", "small.onnx", "--dim", "batch"], USAGE, "--dim batch: write name=size"),
    (["compile", "small.onnx", "--dim", "batch=2", "--mesh", "tp=0", "--layout", "tensor"], USAGE, "not a positive number"),
    (["compile", "small.onnx", "--dim", "batch=2", "--mesh", "tp"], USAGE, "write axes as name=size"),
    (["compile", "small.onnx", "--dim", "batch=2", "--mesh", "tp=2,tp=2", "--layout", "tensor"], USAGE, "occurs twice"),
    (["compile", "small.onnx", "--dim", "batch=2", "--mesh", "tp=2"], USAGE, "layout 'single' uses one device"),
    (["compile", "small.onnx", "--dim", "batch=2", "--layout", "tensor"], USAGE, "needs a mesh"),
    (["compile", "small.onnx", "--dim", "batch=2", "--layout", "magic"], USAGE, "layout 'magic' is unknown"),
    (["compile", "small.onnx", "--dim", "batch=2", "--mesh", "tp=2", "--layout", "hybrid"], USAGE, "needs two axes"),
    (["compile", "small.onnx", "--dim", "batch=2", "--compile-to", "magic"], USAGE, "is not a phase"),
    (["compile", "small.onnx", "--dim", "batch=2", "--mesh", "tp=2", "--layout", "tensor", "--shard", "q=[tp]"], COMPILE,
     "matches no input or weight"),
    (["compile", "small.onnx", "--dim", "batch=2", "--mesh", "tp=2", "--layout", "tensor", "--shard", "x=[pp,-]"], COMPILE,
     "has no axis 'pp'"),
    (["compile", "small.onnx", "--dim", "batch=2", "-o", "absent/p.llmpar"], USAGE, "No such file"),
    (["compile", "small.onnx", "--dim", "batch=2", "--mesh", "tp=2", "--layout", "tensor", "--memory", "1GB"], USAGE, "--memory limits a search: choose --layout=auto"),
    (["plan", "small.onnx", "--dim", "batch=2", "--cluster", "cpu-2", "--memory", "80"], USAGE, "--memory: '80' has no unit: write it like '80 GiB'"),
    (["plan", "small.onnx", "--dim", "batch=2", "--cluster", "cpu-2", "--memory", "much"], USAGE, "--memory: 'much' is not a number"),
    (["plan", "small.onnx", "--dim", "batch=2", "--cluster", "cpu-2", "--memory", "80 GB/s"], USAGE, "--memory: '80 GB/s' has the wrong unit 'GB/s'"),
    (["plan", "small.onnx", "--dim", "batch=2", "--cluster", "cpu-2", "--memory", "0GB"], USAGE, "--memory=0GB: a device has at least 1 B"),
    (["compare", "small.onnx", "--dim", "batch=2", "--cluster", "cpu-2", "--memory=-1GB"], USAGE, "--memory=-1GB: a device has at least 1 B"),
    (["compare", "small.onnx", "--dim", "batch=2", "--cluster", "cpu-2", "--profile"], USAGE, "--profile times the kernels of a measured run: add --measure"),
    (["run", "small.onnx", "--dim", "batch=2"], USAGE, "input 'x' is missing: add --input=x=2x6xf32=@file.npy"),
    (["run", "small.onnx", "--input=x=2x5xf32=1"], COMPILE, "input 'x' has extent 5 in dimension 1, the model wants 6"),
    (["run", "small.onnx", "--input=typo=2x6xf32=1", "--dim", "batch=2"], USAGE, "no input for 'typo'"),
    (["verify", "small.onnx", "--input=x=2x6xf32=1", "--mesh", "tp=2", "--rtol", "nan"], USAGE, "--rtol"),
    (["bench", "small.onnx", "--dim", "batch=2", "--lanes", "fast"], USAGE, "no lane mode 'fast': auto, inline or threads"),
    (["bench", "small.onnx", "--dim", "batch=2", "--repeat", "0"], USAGE, "--repeat is at least 1"),
    (["compile", "small.onnx", "--dim", "batch=2", "--dim", "batch=3"], USAGE, "given twice"),
    (["compile", "small.onnx", "--dim", "batch=9223372036854775807"], COMPILE, "2^46 elements"),
    (["run", "small.onnx", "--dim", "batch=2", "--device=trace", "--json"], USAGE, "computes nothing"),
    (["run", "small.onnx", "--input=z=2x6xf32=1", "--input=x=2x6xf32=1"], USAGE, "no input for 'z'"),
    (["run", "small.onnx", "--input=x=2x6xf32=@absent.npy"], USAGE, "absent.npy"),
    (["run", "small.onnx", "--input=x=2x6xf32=1", "--device=abacus"], COMPILE, "abacus"),
    (["verify", "small.onnx", "--data", "absent", "--mesh", "tp=2"], USAGE, "absent"),
    (["compile", "unknown.onnx", "--dim", "batch=2"], COMPILE, "Frobnicate"),
    (["compile", "cyclic.onnx"], COMPILE, "cycl"),
    (["compile", "truncated.onnx", "--dim", "batch=2"], COMPILE, "truncated.onnx"),
    (["run", "garbage.llmpar"], COMPILE, "not a program file"),
]


class CommandLineErrors(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        if not LLMPAR.exists():  # a failure, not a skip: the tests of check.sh come after its build
            raise FileNotFoundError(f"{LLMPAR} is not built: run tools/dev/setup.sh, or set LLMPAR_BUILD")
        cls.folder = tempfile.TemporaryDirectory()
        path = Path(cls.folder.name)
        for name, text in (("small", MODEL), ("unknown", UNKNOWN), ("cyclic", CYCLE)):
            (path / f"{name}.onnx").write_bytes(onnx.parser.parse_model(text).SerializeToString())
        whole = (path / "small.onnx").read_bytes()
        (path / "truncated.onnx").write_bytes(whole[: len(whole) // 2])
        (path / "garbage.llmpar").write_bytes(b"garbage" * 100)

    @classmethod
    def tearDownClass(cls) -> None:
        cls.folder.cleanup()

    def run_llmpar(self, *arguments: str) -> subprocess.CompletedProcess:
        return subprocess.run([LLMPAR, *arguments], cwd=self.folder.name, capture_output=True, text=True, timeout=60)

    def test_each_error_is_one_line_with_the_right_code(self) -> None:
        for arguments, code, part in CASES:
            with self.subTest(" ".join(arguments)):
                result = self.run_llmpar(*arguments)
                self.assertEqual(result.returncode, code, result.stderr)
                self.assertIn(part, result.stderr)
                self.assertLessEqual(len(result.stderr.strip().splitlines()), 2, result.stderr)

    def test_dump_dir_has_one_file_per_phase(self) -> None:
        result = self.run_llmpar("compile", "small.onnx", "--dim", "batch=3", "--mesh", "tp=2", "--layout", "tensor",
                                 "--dump-dir", "phases", "-o", "small.llmpar")
        self.assertEqual(result.returncode, 0, result.stderr)
        names = sorted(file.name for file in (Path(self.folder.name) / "phases").iterdir())
        phases = ["import", "simplify", "fuse", "layout", "partition", "localize", "lower"]
        self.assertEqual(names, [f"{i:02}-{phase}.mlir" for i, phase in enumerate(phases, 1)])

    def test_a_mismatch_exits_with_3(self) -> None:
        result = self.run_llmpar("run", "small.onnx", "--input=x=1x6xf32=1", "--expected-output=y=1x4xf32=7")
        self.assertEqual(result.returncode, 3, result.stderr)


if __name__ == "__main__":
    unittest.main()
