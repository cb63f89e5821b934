#!/usr/bin/env python3
"""GPT-2 small, f32, against ONNX Runtime: rounds of all contestants in turn, so that noise hits all alike.

  one core:   ONNX Runtime (one thread, pinned)  against  llmpar on one device
  two cores:  llmpar tp=2                        against  llmpar on one device

Prints medians over all rounds, and the two ratios (above 1 is better). Skips, loudly, what cannot run here.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "python"))
import numpy as np

from llmpar.cli import ROOT, Layout, run_checked, table

ORT_FLOOR, TENSOR_FLOOR = 0.75, 1.6  # what --check demands


class OrtContestant:
    """A session in this process; pinned to the first core while it runs, since affinity is inherited."""

    def __init__(self, model: Path, ids: np.ndarray):
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
        self.feed = {"input_ids": ids}

    def round(self, repeat: int) -> list[float]:
        cores = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {min(cores)})
        try:
            self.session.run(None, self.feed)  # warm
            return [self.step() for _ in range(repeat)]
        finally:
            os.sched_setaffinity(0, cores)

    def step(self) -> float:
        start = time.perf_counter()
        self.session.run(None, self.feed)
        return time.perf_counter() - start


class LlmparContestant:
    """A compiled program; every round is one `llmpar bench` process, which warms up first."""

    def __init__(self, model: Path, layout: Layout, ids_file: Path):
        self.program = model.with_name(f"bench.{layout.method}.{layout.ranks}.llmpar")
        self.feed = f"--input=input_ids=@{ids_file}"
        run_checked("compile", model, "-o", self.program, *layout.flags(), self.feed)

    def round(self, repeat: int) -> list[float]:
        report = run_checked("bench", self.program, self.feed, f"--repeat={repeat}", "--json")
        return [report["median_s"]]


def generate(folder: Path, size: str) -> Path:
    subprocess.run([sys.executable, "-m", "llmpar.zoo", "gpt2", "--size", size, "--out", folder], check=True,
                   env=os.environ | {"PYTHONPATH": str(ROOT / "python")}, stdout=sys.stderr)
    return folder / "model.onnx"


def contestants(model: Path, ids: np.ndarray) -> dict[str, OrtContestant | LlmparContestant]:
    ids_file = model.with_name("bench_ids.npy")
    np.save(ids_file, ids)
    found: dict[str, OrtContestant | LlmparContestant] = {}
    try:
        found["ONNX Runtime, 1 core"] = OrtContestant(model, ids)
    except ImportError:
        print("SKIPPED: ONNX Runtime is not installed in this Python: tools/dev/setup.sh installs it", file=sys.stderr)
    found["llmpar, 1 core"] = LlmparContestant(model, Layout.parse("single"), ids_file)
    if len(os.sched_getaffinity(0)) >= 2:
        found["llmpar tp=2, 2 cores"] = LlmparContestant(model, Layout.parse("tensor=2"), ids_file)
    else:
        print("SKIPPED: tp=2 needs two cores, this machine has one", file=sys.stderr)
    return found


def ratios(medians: dict[str, float]) -> dict[str, tuple[float, float]]:
    """Name -> (ratio of speeds, floor)."""
    one = medians["llmpar, 1 core"]
    result = {}
    if "ONNX Runtime, 1 core" in medians:
        result["llmpar / ONNX Runtime, 1 core"] = (medians["ONNX Runtime, 1 core"] / one, ORT_FLOOR)
    if "llmpar tp=2, 2 cores" in medians:
        result["llmpar tp=2 / 1 device"] = (one / medians["llmpar tp=2, 2 cores"], TENSOR_FLOOR)
    return result


def main() -> int:
    options = parse()
    model = generate(options.out, options.size)
    ids = np.random.default_rng(0).integers(0, 100, (options.batch, options.seq), dtype=np.int64)
    runners = contestants(model, ids)
    seconds: dict[str, list[float]] = {name: [] for name in runners}
    for number in range(options.rounds):
        for name, runner in runners.items():
            seconds[name] += runner.round(options.repeat)
            print(f"round {number + 1}/{options.rounds}: {name}: {seconds[name][-1] * 1e3:.0f} ms", file=sys.stderr)
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    found = ratios(medians)
    if options.json:
        print(json.dumps({"median_s": medians, "seconds": seconds, "ratios": {n: r for n, (r, _) in found.items()}}, indent=2))
    else:
        tokens = options.batch * options.seq
        rows = [["GPT-2 " + options.size, "median", "best", "tokens/s"]]
        rows += [[n, f"{m * 1e3:.1f} ms", f"{min(seconds[n]) * 1e3:.1f} ms", f"{tokens / m:.0f}"] for n, m in medians.items()]
        print(f"\nf32, batch {options.batch}, sequence {options.seq}, {options.rounds} interleaved rounds\n\n{table(rows, right={1, 2, 3})}\n")
        print(table([["speed", "ratio", "wanted"], *([n, f"{r:.2f}", f">= {f}"] for n, (r, f) in found.items())], right={1, 2}))
    return int(options.check and any(ratio < floor for ratio, floor in found.values()))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="""examples:
  test/benchmark/bench_gpt2.py
  test/benchmark/bench_gpt2.py --size tiny --seq 32 --rounds 2      a quick try
  test/benchmark/bench_gpt2.py --check                              exit 1 below the floors""")
    parser.add_argument("--size", default="small", help="of the zoo's GPT-2 (default: %(default)s)")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--seq", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--repeat", type=int, default=3, help="steps per round (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=None, metavar="DIR", help="default: out/benchmark/gpt2-SIZE")
    parser.add_argument("--check", action="store_true", help="exit 1 if a ratio is below its floor")
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    options = parser.parse_args()
    options.out = options.out or ROOT / "out" / "benchmark" / f"gpt2-{options.size}"
    return options


if __name__ == "__main__":
    sys.exit(main())
