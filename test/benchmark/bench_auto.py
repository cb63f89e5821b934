#!/usr/bin/env python3
"""`auto` against every named method, measured on this machine's CPU devices.

Builds GPT-2 small and a small Llama with random weights, probes the machine (or takes a cluster file), and runs
`llmpar compare --measure`, which measures the methods in turns, so that noise hits all alike; of a method's rounds the one
with the least median counts. Prints every method and how much slower `auto` is than the best named one (--check: at most 5 %).
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "python"))
from llmpar.cli import run_llmpar, table
from llmpar.zoo.gpt2 import SIZES as GPT2_SIZES, build_gpt2
from llmpar.zoo.llama import SIZES as LLAMA_SIZES, build_llama

ALLOWED = 1.05
SHAPES = [  # model, batch, sequence
    ("gpt2", 1, 64), ("gpt2", 2, 64), ("gpt2", 1, 512), ("llama", 1, 64), ("llama", 2, 128), ("llama", 3, 32)]


def best_rows(model: Path, batch: int, seq: int, options: argparse.Namespace) -> dict[str, dict]:
    """By method the row of the round with the least median step."""
    best: dict[str, dict] = {}
    for _ in range(options.rounds):
        outcome = run_llmpar("compare", model, "--dim", f"batch={batch}", "--dim", f"seq={seq}", "--cluster", options.cluster,
                             "--measure", "--json", "--repeat", str(options.repeat))
        if not outcome.ok:
            sys.exit(f"error: {model}: {outcome.error}")
        for row in outcome.report["methods"]:
            if row["ok"] and row["measured_s"] < best.get(row["method"], {"measured_s": float("inf")})["measured_s"]:
                best[row["method"]] = row
    return best


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cluster", metavar="FILE", help="a cluster of this machine's CPU devices; default: probe two")
    parser.add_argument("--rounds", type=int, default=2, help="default: %(default)s")
    parser.add_argument("--repeat", type=int, default=10, help="measured steps in a round (default: %(default)s)")
    parser.add_argument("--check", action="store_true", help=f"fail if auto takes more than {ALLOWED} times the best named method")
    options = parser.parse_args()
    cells, worst = [["model", "batch x seq", "method", "mesh", "predicted ms", "measured ms", "against auto"]], 0.0
    with tempfile.TemporaryDirectory() as folder:
        build_gpt2(f"{folder}/gpt2", GPT2_SIZES["small"])
        build_llama(f"{folder}/llama", LLAMA_SIZES["small"])
        if not options.cluster:
            options.cluster = f"{folder}/here.yaml"
            outcome = run_llmpar("cluster", "probe", "--devices", "2", "-o", options.cluster)
            if not outcome.ok:
                sys.exit(f"error: {outcome.error}")
        for name, batch, seq in SHAPES:
            rows = best_rows(Path(folder) / name / "model.onnx", batch, seq, options)
            auto = rows["auto"]["measured_s"]
            worst = max(worst, auto / min(row["measured_s"] for method, row in rows.items() if method != "auto"))
            cells += [[name, f"{batch} x {seq}", method, row["mesh"] or "-", f"{row['step_s'] * 1e3:.1f}", f"{row['measured_s'] * 1e3:.1f}",
                       f"{row['measured_s'] / auto:.3f}"] for method, row in rows.items()]
    print(table(cells, right={4, 5, 6}))
    print(f"\nauto takes at most {worst:.3f} times the best named method")
    return 1 if options.check and worst > ALLOWED else 0


if __name__ == "__main__":
    sys.exit(main())
