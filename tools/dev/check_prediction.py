#!/usr/bin/env python3
"""Predicted against measured step time and memory of CPU programs, over real models and methods.

Probes this machine (or takes a cluster file), runs `llmpar compare --measure` for every model with a test data folder
beside it, and prints the ratio predicted / measured of every row and the median of the errors. What else runs on the
machine, and on the other threads of its cores, slows it for seconds or minutes at a time: all models are measured in
several rounds, and of a program's rounds the one with the least median counts, as the probe takes the least of its own.
The second ratio is that to the time at the cores' speed while they were probed: measured over `core_slowdown`, by which
a product slows down that is timed between the turns; median of the rounds.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "python"))
from llmpar.cli import run_llmpar, table

from verify_models import find_models


def measure(options: argparse.Namespace, cluster: str) -> dict[tuple[str, str], dict]:
    """One round over all models: the rows of `llmpar compare` by model and method."""
    rows = {}
    for model, data in find_models(options.folders):
        if options.match not in str(model) or not data:
            continue
        outcome = run_llmpar("compare", model, "--data", data[0], "--cluster", cluster, "--measure", "--json",
                             "--repeat", str(options.repeat))
        if not outcome.ok:
            print(f"left out: {model}: {outcome.error}", file=sys.stderr)
            continue
        name = f"{model.parent.parent.name}/{model.parent.name}/{model.stem}"
        rows |= {(name, row["method"]): row for row in outcome.report["methods"] if row["ok"]}
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="+", metavar="DIR")
    parser.add_argument("--cluster", metavar="FILE", help="a cluster of this machine's CPU devices; default: probe it")
    parser.add_argument("--devices", type=int, default=2, help="to probe (default: %(default)s)")
    parser.add_argument("--repeat", type=int, default=50, help="measured steps in a round (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help="over all models (default: %(default)s)")
    parser.add_argument("--match", default="", help="only models whose path contains this")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        cluster = options.cluster or f"{folder}/here.yaml"
        if not options.cluster:
            outcome = run_llmpar("cluster", "probe", "--devices", str(options.devices), "-o", cluster)
            if not outcome.ok:
                sys.exit(f"error: {outcome.error}")
        rounds = [measure(options, cluster) for _ in range(options.rounds)]
    cells = [["model", "method", "predicted ms", "measured ms", "ratio", "slowdown", "ratio at speed", "memory ratio"]]
    errors, memory, spread, scaled = [], [], [], []
    for (name, method), row in rounds[0].items():
        medians = [one[name, method]["measured_s"] for one in rounds if (name, method) in one]
        ratio, held = row["step_s"] / min(medians), row["program_bytes"] / row["measured_bytes"]
        slowdowns = [one[name, method]["core_slowdown"] for one in rounds if (name, method) in one]
        at_speed = statistics.median(row["step_s"] * slow / median for slow, median in zip(slowdowns, medians, strict=True))
        errors.append(abs(ratio - 1))
        scaled.append(abs(at_speed - 1))
        memory.append(abs(held - 1))
        spread.append(statistics.median(medians) / min(medians) - 1)
        cells.append([name, method, f"{row['step_s'] * 1e3:.3f}", f"{min(medians) * 1e3:.3f}", f"{ratio:.2f}",
                      f"{statistics.median(slowdowns):.2f}", f"{at_speed:.2f}", f"{held:.3f}"])
    print(table(cells, right={2, 3, 4, 5, 6, 7}))
    if errors:
        print(f"\n{len(errors)} programs: median error of the step {statistics.median(errors):.1%}, at the probed "
              f"speed of the cores {statistics.median(scaled):.1%}, of the memory {statistics.median(memory):.1%}; the median round is {statistics.median(spread):.1%} above the fastest")
    return 0 if errors else 1


if __name__ == "__main__":
    sys.exit(main())
