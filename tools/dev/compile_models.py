#!/usr/bin/env python3
"""Compile every .onnx.gz graph below a folder, without its weight files, within limits of time and memory.

For full-size models: importing, sharding and compiling need no weights.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "python"))
from llmpar.cli import Layout, Outcome, find_llmpar, interpret, table

# Of the exports in models/weightless; names that a model lacks are left out.
DIMS = {"batch": 1, "sequence_len": 128, "past_sequence_len": 128, "past_seq_len + seq_len": 256}


def symbolic_dims(model: Path) -> set[str]:
    """The names of the symbolic extents of a model's inputs."""
    import gzip

    import onnx

    with gzip.open(model) as file:
        inputs = onnx.load_model_from_string(file.read()).graph.input
    return {d.dim_param for i in inputs for d in i.type.tensor_type.shape.dim if d.dim_param}


def compile_model(model: Path, layout: Layout, dims: dict[str, int], limit: float) -> tuple[Outcome, float, float]:
    """The outcome, the seconds and the peak of resident memory in MiB."""
    known = symbolic_dims(model)
    flags = [f"--dim={name}={size}" for name, size in dims.items() if name in known]
    with tempfile.TemporaryDirectory() as folder:
        command = [find_llmpar(), "compile", str(model), "-o", f"{folder}/program.llmpar", *layout.flags(), *flags]
        with open(f"{folder}/errors.txt", "w+") as errors:
            start = time.perf_counter()
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=errors)
            killer = threading.Timer(4 * limit, process.kill)
            killer.start()
            _, status, usage = os.wait4(process.pid, 0)
            killer.cancel()
            seconds = time.perf_counter() - start
            process.returncode = os.waitstatus_to_exitcode(status)
            errors.seek(0)
            return interpret(process.returncode, "", errors.read(), command), seconds, usage.ru_maxrss / 1024


def main() -> int:
    options = parse()
    models = sorted(path for folder in options.folders for path in folder.rglob("*.onnx.gz"))
    if not models:
        print("error: no .onnx.gz file there", file=sys.stderr)
        return 2
    rows, problems = [["model", "layout", "time", "memory", "result"]], []
    for model in models:
        outcome, seconds, mebibytes = compile_model(model, options.layout, DIMS | options.dims, options.max_seconds)
        slow, large = seconds > options.max_seconds, mebibytes > options.max_mib
        result = outcome.kind.value if not outcome.ok else "too slow" if slow else "too large" if large else "ok"
        rows.append([model.name, options.layout.text, f"{seconds:.1f} s", f"{mebibytes:.0f} MiB", result])
        if result != "ok":
            problems.append(f"  {model.name}: {outcome.error or result}\n    {' '.join(outcome.command)}")
    print(table(rows, right={2, 3}))
    if problems:
        print("\nNot ok:\n" + "\n".join(problems))
    return int(bool(problems))


def parse() -> argparse.Namespace:
    def pair(text: str) -> tuple[str, int]:
        name, _, size = text.rpartition("=")
        return name, int(size)

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="example:\n  tools/dev/compile_models.py models/weightless --layout tensor=8 --dim batch=4")
    parser.add_argument("folders", type=Path, nargs="+", metavar="DIR")
    parser.add_argument("--layout", type=Layout.parse, default=Layout.parse("tensor=8"), help="as in verify_models.py")
    parser.add_argument("--dim", type=pair, action="append", default=[], dest="dims", metavar="NAME=SIZE")
    parser.add_argument("--max-seconds", type=float, default=30)
    parser.add_argument("--max-mib", type=float, default=2048)
    options = parser.parse_args()
    options.dims = dict(options.dims)
    return options


if __name__ == "__main__":
    sys.exit(main())
