#!/usr/bin/env python3
"""Time to find a layout: by number of layers, by number of devices, and for given models. Import is not counted.

The times are those of `llmpar plan --json`: building the problem and solving it, for every mesh that the devices can form.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "python"))
from llmpar.cli import run_llmpar, table
from llmpar.zoo.llama import SIZES, LlamaConfig, build_llama

DEVICES = [("dgx-h100", 8), ("8x dgx-h100", 64)]
LAYERS = [8, 16, 32, 64, 128, 256, 512]
NODES = [1, 2, 8, 32, 128, 512, 2048]
DIMS = ["--dim", "batch=8", "--dim", "seq=1024"]
MODELS = ["llama3_8b", "llama3.1_70b", "mixtral_8x7b"]
TRAINING = ["--train", "--dim", "batch=8", "--dim", "seq=2048"]
RECOMPUTE = ["none", "selective", "full", "auto"]
MODEL_DIMS = ["batch=8", "sequence_len=1024", "seq_len=1024", "past_sequence_len=0", "past_seq_len=0"]


def plan(model: Path, cluster: str, flags: list[str]) -> dict:
    """The report of one plan, with its sums."""
    outcome = run_llmpar("plan", model, "--cluster", cluster, "--json", *flags)
    if not outcome.ok:
        sys.exit(f"error: {model.name} on {cluster}: {outcome.error}")
    report = outcome.report
    report["build"] = sum(mesh["build_s"] for mesh in report["meshes"])
    report["solve"] = sum(mesh["solve_s"] for mesh in report["meshes"])
    report["nodes"] = max(mesh["nodes"] for mesh in report["meshes"])
    return report


def row(label: str, report: dict) -> list[str]:
    gap = 1 - report["bound_s"] / report["time_s"] if report["time_s"] else 0
    return [label, str(report["nodes"]), str(len(report["meshes"])), f"{report['build'] * 1e3:.0f}", f"{report['solve'] * 1e3:.0f}",
            f"{(report['build'] + report['solve']) * 1e3:.0f}", report["mesh"], f"{report['time_s'] * 1e3:.3f}", f"{100 * gap:.3f}"]


def show(title: str, first: str, rows: list[list[str]]) -> None:
    print(f"\n{title}\n")
    print(table([[first, "nodes", "meshes", "build ms", "solve ms", "sum ms", "chosen", "step ms", "gap %"], *rows], right={1, 2, 3, 4, 5, 7, 8}))


def llama(folder: Path, layers: int) -> Path:
    """A graph of the full size of a Llama 8B with so many layers, without weights."""
    target = folder / f"llama-{layers}"
    build_llama(target, LlamaConfig(**{**SIZES["8b"].__dict__, "layers": layers}), weights=False)
    return target / "model.onnx"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    data = os.environ.get("LLMPAR_TEST_DATA")
    default = [Path(data) / "weightless" / f"{name}.onnx.gz" for name in MODELS] if data else []
    parser.add_argument("models", nargs="*", type=Path, default=default,
                        help=".onnx or .onnx.gz files to plan on 8 and on 64 devices; default: graphs without weights of $LLMPAR_TEST_DATA")
    parser.add_argument("--dim", action="append", default=[], metavar="NAME=SIZE",
                        help=f"binds a dimension of the models; default: {' '.join(MODEL_DIMS)}")
    parser.add_argument("--layers", type=int, nargs="*", default=LAYERS)
    parser.add_argument("--nodes", type=int, nargs="*", default=NODES, help="numbers of dgx-h100 nodes, of 8 devices each")
    parser.add_argument("--recompute", choices=RECOMPUTE, nargs="*", default=RECOMPUTE, help="training steps of a Llama 8B, by what they recompute")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if options.layers:
            show("a Llama block of 8B size, 8 devices of dgx-h100, by layers", "layers",
                 [row(str(n), plan(llama(Path(folder), n), "dgx-h100", DIMS)) for n in options.layers])
        if options.nodes:
            model = llama(Path(folder), 32)
            show("32 layers, by devices", "devices", [row(str(8 * n), plan(model, f"{n}x dgx-h100", DIMS)) for n in options.nodes])
        if options.recompute:
            model = llama(Path(folder), 32)
            show("training step of a Llama of 8B size, f32, batch 8, sequence 2048, on 8 and on 64 devices", "recompute",
                 [row(f"{r} / {d}", plan(model, c, [*TRAINING, "--recompute", r])) for r in options.recompute for c, d in DEVICES])
    dims = [flag for dim in options.dim or MODEL_DIMS for flag in ("--dim", dim)]
    if options.models:
        show("models, on 8 and on 64 devices", "model",
             [row(f"{m.name} / {d}", plan(m, c, dims)) for m in options.models for c, d in DEVICES])
    return 0


if __name__ == "__main__":
    sys.exit(main())
