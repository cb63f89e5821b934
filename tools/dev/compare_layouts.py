#!/usr/bin/env python3
"""Run a language model on a mesh, on one device and in ONNX Runtime, and compare every output.

The model takes token ids [batch, seq]; they are random and seeded. The programs, inputs and outputs
stay beside the model: it is a way to see what each command does.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "python"))
import numpy as np
import onnxruntime

from llmpar.cli import Layout, bytes_text, run_checked, table


def run_onnxruntime(model: Path, ids: np.ndarray) -> tuple[dict[str, np.ndarray], float]:
    """Outputs by name and the seconds of one warm step on one core."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    feed = {session.get_inputs()[0].name: ids}
    session.run(names, feed)
    start = time.perf_counter()
    values = session.run(names, feed)
    return dict(zip(names, values)), time.perf_counter() - start


def run_layout(model: Path, layout: Layout, ids_file: Path, device: str, repeat: int) -> tuple[dict[str, np.ndarray], dict]:
    """Compiles, runs, measures; outputs by name and a report."""
    stem = model.with_name(f"{layout.method}.{layout.ranks}")
    program, outputs = f"{stem}.llmpar", f"{stem}.outputs.npz"
    start = time.perf_counter()
    run_checked("compile", model, "-o", program, *layout.flags(), f"--input=input_ids=@{ids_file}")
    compile_seconds = time.perf_counter() - start
    feed = [f"--input=input_ids=@{ids_file}", "--device", device, "--json"]
    report = run_checked("run", program, *feed, f"--output=@{outputs}")
    measured = run_checked("bench", program, *feed, f"--repeat={repeat}")
    report |= {"seconds": measured["median_s"], "compile_seconds": compile_seconds}
    with np.load(outputs) as values:
        return {name: values[name] for name in values.files}, report


def difference(a: dict[str, np.ndarray], b: dict[str, np.ndarray], options: argparse.Namespace) -> tuple[float, bool]:
    """The largest difference over all outputs, and whether every one is within tolerance."""
    if set(a) != set(b):
        sys.exit(f"error: the outputs differ in name: {sorted(a)} and {sorted(b)}")
    largest, close = 0.0, True
    for name in a:
        if a[name].shape != b[name].shape:
            sys.exit(f"error: output '{name}' has shapes {a[name].shape} and {b[name].shape}")
        largest = max(largest, float(np.max(np.abs(a[name] - b[name]), initial=0)))
        close &= bool(np.allclose(a[name], b[name], atol=options.atol, rtol=options.rtol))
    return largest, close


def main() -> int:
    options = parse()
    sharded = Layout(f"{options.layout} {options.mesh}", options.layout, options.mesh)
    ids = np.random.default_rng(0).integers(0, options.vocab, (options.batch, options.seq), dtype=np.int64)
    ids_file = options.model.with_name("input_ids.npy")
    np.save(ids_file, ids)

    expected, ort_seconds = run_onnxruntime(options.model, ids)
    single, single_report = run_layout(options.model, Layout.parse("single"), ids_file, options.device, options.repeat)
    values, report = run_layout(options.model, sharded, ids_file, options.device, options.repeat)

    rows = [["layout", "devices", "time", "communication", "peak memory", "largest difference"]]
    ok = True

    def add(name: str, devices: int, seconds: float, stats: dict, compared: dict, against: str) -> None:
        nonlocal ok
        largest, close = difference(compared, expected if against == "ONNX Runtime" else single, options)
        ok &= close
        rows.append([name, str(devices), f"{seconds * 1e3:.0f} ms", bytes_text(stats["communication_bytes"]),
                     bytes_text(stats["peak_bytes"]), f"{largest:.1e} to {against}{'' if close else '  MISMATCH'}"])

    rows.append(["ONNX Runtime", "1", f"{ort_seconds * 1e3:.0f} ms", "", "", ""])
    add("single", 1, single_report["seconds"], single_report, single, "ONNX Runtime")
    add(sharded.text, sharded.ranks, report["seconds"], report, values, "ONNX Runtime")
    add(sharded.text, sharded.ranks, report["seconds"], report, values, "single")
    rows[-1][:5] = [""] * 5
    print(f"\n{options.model}, batch {options.batch}, sequence {options.seq}, "
          f"{len(expected)} output{'s' if len(expected) > 1 else ''}, device {options.device}\n")
    print(table(rows, right={1, 2, 3, 4}))
    print(f"\n{'All outputs agree' if ok else 'The outputs do NOT agree'} (atol {options.atol:g}, rtol {options.rtol:g}).")
    return 0 if ok else 3


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="""example:
  python -m llmpar.zoo llama --size tiny --out out/llama
  tools/dev/compare_layouts.py out/llama/model.onnx --vocab 101 --mesh tp=3 --layout tensor""")
    parser.add_argument("model", type=Path, help="an .onnx file with one input, input_ids[batch, seq]")
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--seq", type=int, default=64)
    parser.add_argument("--vocab", type=int, default=50257, help="token ids are below it (default: %(default)s)")
    parser.add_argument("--mesh", default="dp=2,tp=2")
    parser.add_argument("--layout", default="hybrid", choices=["data", "tensor", "hybrid"])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--repeat", type=int, default=5, help="measured steps (default: %(default)s)")
    parser.add_argument("--atol", type=float, default=1e-4)
    parser.add_argument("--rtol", type=float, default=1e-3)
    options = parser.parse_args()
    if not options.model.exists():
        parser.error(f"{options.model}: no such file")
    return options


if __name__ == "__main__":
    sys.exit(main())
