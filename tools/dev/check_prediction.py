#!/usr/bin/env python3
"""Predicted against measured step time and memory of CPU programs, over real models and methods.

Probes this machine (or takes a cluster file), runs `llmpar compare --measure` for every model with a test data folder
beside it, and prints the ratio predicted / measured of every row and the median of the errors.
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


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="+", metavar="DIR")
    parser.add_argument("--cluster", metavar="FILE", help="a cluster of this machine's CPU devices; default: probe it")
    parser.add_argument("--devices", type=int, default=2, help="to probe (default: %(default)s)")
    parser.add_argument("--repeat", type=int, default=50, help="measured steps (default: %(default)s)")
    parser.add_argument("--match", default="", help="only models whose path contains this")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        cluster = options.cluster or f"{folder}/here.yaml"
        if not options.cluster:
            outcome = run_llmpar("cluster", "probe", "--devices", str(options.devices), "-o", cluster)
            if not outcome.ok:
                sys.exit(f"error: {outcome.error}")
        rows, errors, memory = [["model", "method", "predicted ms", "measured ms", "ratio", "memory ratio"]], [], []
        for model, data in find_models(options.folders):
            if options.match not in str(model) or not data:
                continue
            outcome = run_llmpar("compare", model, "--data", data[0], "--cluster", cluster, "--measure", "--json",
                                 "--repeat", str(options.repeat))
            if not outcome.ok:
                print(f"left out: {model}: {outcome.error}", file=sys.stderr)
                continue
            for row in outcome.report["methods"]:
                if not row["ok"]:
                    continue
                ratio = row["step_s"] / row["measured_s"]
                held = row["program_bytes"] / row["measured_bytes"]
                errors.append(abs(ratio - 1))
                memory.append(abs(held - 1))
                rows.append([f"{model.parent.parent.name}/{model.parent.name}/{model.stem}", row["method"], f"{row['step_s'] * 1e3:.3f}",
                             f"{row['measured_s'] * 1e3:.3f}", f"{ratio:.2f}", f"{held:.3f}"])
    print(table(rows, right={2, 3, 4, 5}))
    if errors:
        print(f"\n{len(errors)} programs: median error of the step {statistics.median(errors):.1%}, of the memory {statistics.median(memory):.1%}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
