#!/usr/bin/env python3
"""Check who includes whom, as docs/architecture.md says.

Looks at every #include "..." and <...> below include/llmpar, lib and runtime. Three rules:
  - a stage includes only the stages of its row in ALLOWED (and, of Planner, one header);
  - Abi and the runtime include neither LLVM nor MLIR; Core, Cost, Planner and Data include no MLIR;
  - the compiler's libraries include nothing of the runtime, and the runtime of the compiler only Abi.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# Folder -> what it may include beside itself. An entry with a slash is one header.
ALLOWED = {
    "Abi": [],
    "Core": ["Abi"],
    "Cost": ["Abi", "Core"],
    "Planner": ["Abi", "Core", "Cost"],
    "Data": ["Abi"],
    "Dialect": ["Abi", "Core"],
    "Exec": ["Abi", "Core", "Dialect"],
    "Frontend": ["Abi", "Core", "Dialect"],
    "Fusion": ["Abi", "Core", "Dialect"],
    "Training": ["Abi", "Core", "Dialect"],
    "Planning": ["Abi", "Core", "Cost", "Planner", "Dialect"],
    "Partition": ["Abi", "Core", "Dialect"],
    "Schedule": ["Abi", "Core", "Dialect", "Planner/Schedules.h"],
    "Lowering": ["Abi", "Core", "Dialect", "Exec", "Planner/PackBuffers.h"],
    "Driver": None,  # everything
}
PURE = {"Core", "Cost", "Planner", "Data"}
RUNTIME_FOLDERS = {"core", "reference", "cpu", "cuda", "trace", "comm"}
INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]|^\s*include\s*"([^"]+)"')


def includes(text: str) -> list[tuple[int, str]]:
    """(line number, path) of every C++ or TableGen include."""
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        match = INCLUDE.match(line)
        if match:
            found.append((number, match[1] or match[2]))
    return found


def complaint(folder: str, path: str) -> str:
    """Why `folder` ("Core", ..., or "runtime") may not include `path`; empty if it may."""
    stage, _, rest = path.removeprefix("llmpar/").partition("/") if path.startswith("llmpar/") else ("", "", "")
    if path.startswith(("llvm/", "llvm-c/", "mlir/", "mlir-c/")):
        if folder in ("runtime", "Abi"):
            return "knows no LLVM"
        if folder in PURE and path.startswith("mlir"):
            return "is pure: no MLIR"
        return ""
    if folder == "runtime":
        return "" if not stage or stage == "Abi" or path == "llmpar/runtime.h" else "may include only Abi of the compiler"
    if path == "llmpar/runtime.h" or path.partition("/")[0] in RUNTIME_FOLDERS:
        return "" if folder == "Driver" else "may not include the runtime"
    if not stage or not rest or stage == folder:
        return ""
    if stage not in ALLOWED:
        return f"includes an unknown stage: add {stage} to ALLOWED in tools/dev/check_includes.py"
    allowed = ALLOWED[folder]
    if allowed is None or stage in allowed or f"{stage}/{rest}" in allowed:
        return ""
    return f"may include only {', '.join(allowed) or 'itself'}"


def files() -> list[tuple[str, Path]]:
    found = []
    for base in ("include/llmpar", "lib"):
        for path in sorted((ROOT / base).rglob("*")):
            if path.suffix in (".h", ".cpp", ".td", ".def", ".inc") and len(path.relative_to(ROOT / base).parts) > 1:
                found.append((path.relative_to(ROOT / base).parts[0], path))
    for path in sorted((ROOT / "runtime").rglob("*")):
        if path.suffix in (".h", ".cpp", ".cu", ".def") and "test" not in path.relative_to(ROOT).parts:
            found.append(("runtime", path))
    return found


def main() -> int:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    checked, bad = 0, []
    for folder, path in files():
        if folder != "runtime" and folder not in ALLOWED:
            bad.append(f"{path.relative_to(ROOT)}: folder {folder} has no row in ALLOWED")
            continue
        for line, target in includes(path.read_text()):
            checked += 1
            why = complaint(folder, target)
            if why:
                bad.append(f"{path.relative_to(ROOT)}:{line}: {folder} {why}; it includes \"{target}\"")
    print("\n".join(bad + [f"{checked} includes checked, {len(bad)} against the rules"]))
    return int(bool(bad))


if __name__ == "__main__":
    sys.exit(main())
