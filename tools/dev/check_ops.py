#!/usr/bin/env python3
"""Name what each operator of the dialect lacks.

For every FactorOp of include/llmpar/Dialect/*Ops.td:
  kernel     a line in include/llmpar/Abi/Kernels.def                      required
  reference  a function in runtime/src/reference                           required
  soundness  a case in test/unit/soundness.mlir                            required
  cpu        a fast kernel; without one the reference kernel runs          optional
  lowering   an entry in lib/Lowering, if the kernel has numbers           required
  frontend   an importer that creates it                                   optional
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "python"))
from llmpar.cli import ROOT, table

COLUMNS = ["kernel", "reference", "soundness", "cpu", "lowering", "frontend"]
REQUIRED = {"kernel", "reference", "soundness", "lowering"}
NO_KERNEL = {"load_weight", "constant"}  # become steps of the load plan


def factor_ops(tablegen: str) -> list[tuple[str, str]]:
    """(mnemonic, class) of every FactorOp, e.g. ("layer_norm", "LayerNormOp")."""
    return [(m[2], m[1]) for m in re.finditer(r'^def\s+(\w+)\s*:\s*(?:Inferred)?FactorOp<"(\w+)"', tablegen, re.MULTILINE)]


def kernels(text: str) -> dict[str, bool]:
    """Kernel name -> whether its record holds numbers (ints or floats)."""
    found = {}
    for m in re.finditer(r'^LLMPAR_KERNEL\((\w+),\s*"[^"]*",\s*"[^"]*",\s*"([^"]*)",\s*"([^"]*)"\)', text, re.MULTILINE):
        found[m[1]] = bool(m[2] or m[3])
    return found


def read(*patterns: str) -> str:
    return "\n".join(path.read_text() for pattern in patterns for path in sorted(ROOT.glob(pattern)))


def inspect() -> dict[str, dict[str, str]]:
    """Op -> column -> "ok", "missing" or "-" (needs none)."""
    known = kernels(read("include/llmpar/Abi/Kernels.def"))
    reference = read("runtime/src/reference/*.cpp")
    cpu = read("runtime/src/cpu/CpuKernels.cpp")
    lowering, frontend = read("lib/Lowering/*.cpp"), read("lib/Frontend/*.cpp", "lib/Frontend/*.h")
    soundness = read("test/unit/soundness.mlir")
    result = {}
    for name, cls in factor_ops(read("include/llmpar/Dialect/*Ops.td")):
        def has(pattern: str, text: str) -> str:
            return "ok" if re.search(pattern, text) else "missing"

        row = {
            "kernel": "ok" if name in known else "missing",
            "reference": has(rf"(?m)^Status {name}\(", reference),
            "soundness": has(rf"\bllmpar\.{name}\b", soundness),
            "cpu": has(rf"LLMPAR_FAST\({name}\)", cpu),
            "lowering": has(rf"\b{cls}\b", lowering) if known.get(name) else "-",
            "frontend": has(rf"\b{cls}\b", frontend),
        }
        if name in NO_KERNEL:
            row |= dict.fromkeys(["kernel", "reference", "cpu", "lowering", "soundness"], "-")
        result[name] = row
    return result


def main() -> int:
    options = parse()
    ops = inspect()
    lacking = {name: [c for c in COLUMNS if row[c] == "missing"] for name, row in ops.items()}
    lacking = {name: columns for name, columns in lacking.items() if columns}
    bad = {name: columns for name, columns in lacking.items() if REQUIRED & set(columns)}
    if options.json:
        print(json.dumps({"ops": ops, "incomplete": sorted(bad)}, indent=2))
        return int(bool(bad))
    shown = ops if options.all else lacking
    if shown:
        print(table([["op", *COLUMNS], *([name, *(ops[name][c] for c in COLUMNS)] for name in shown)]))
    print(f"\n{len(ops)} ops, {len(bad)} lack something required{': ' + ', '.join(sorted(bad)) if bad else ''}")
    return int(bool(bad))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="docs/adding-an-op.md says how to add each part.\n\n"
               "examples:\n  tools/dev/check_ops.py          the ops that lack something\n  tools/dev/check_ops.py --all")
    parser.add_argument("--all", action="store_true", help="complete ops too")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
