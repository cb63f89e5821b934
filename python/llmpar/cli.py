"""Calling `llmpar` from the project's scripts: layouts by short name, outcomes, tables.

    outcome = run_llmpar("verify", "model.onnx", "--json", *Layout.parse("tensor=4").flags())
    outcome.kind        # Kind.OK, MISMATCH, COMPILE_ERROR, ...
    outcome.report      # the JSON object, {} if there is none
"""

from __future__ import annotations

import enum
import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


class Kind(enum.Enum):
    """What an exit code of `llmpar` means."""

    OK = "ok"
    COMPILE_ERROR = "error"
    USAGE = "usage"
    MISMATCH = "FAIL"
    NO_MEMORY = "memory"
    DEVICE_FAILURE = "device"
    CRASH = "CRASH"
    TIMEOUT = "TIMEOUT"


EXIT_CODES = {0: Kind.OK, 1: Kind.COMPILE_ERROR, 2: Kind.USAGE, 3: Kind.MISMATCH, 4: Kind.NO_MEMORY, 5: Kind.DEVICE_FAILURE}


@dataclass(frozen=True)
class Layout:
    """A named method on a mesh. Short forms: single, data=2, tensor=4, dp=2,tp=2, method:mesh."""

    text: str
    method: str
    mesh: str

    @staticmethod
    def parse(text: str) -> Layout:
        """
        single -> one device      data=2 -> data on dp=2      tensor=4 -> tensor on tp=4
        dp=2,tp=2 -> hybrid on that mesh                      tensor:x=2,y=2 -> as written
        """
        method, colon, mesh = text.partition(":")
        if colon:
            return Layout(text, method, _checked_mesh(mesh, text))
        if text == "single":
            return Layout(text, "single", "")
        short = re.fullmatch(r"(data|tensor)=(\d+)", text)
        if short:
            axis = {"data": "dp", "tensor": "tp"}[short[1]]
            return Layout(text, short[1], f"{axis}={short[2]}")
        mesh = _checked_mesh(text, text)
        return Layout(text, "hybrid" if "," in mesh else "data" if mesh.startswith("dp=") else "tensor", mesh)

    @property
    def ranks(self) -> int:
        count = 1
        for size in re.findall(r"=(\d+)", self.mesh):
            count *= int(size)
        return count

    def flags(self) -> list[str]:
        return ["--layout", self.method, *(["--mesh", self.mesh] if self.mesh else [])]


def _checked_mesh(mesh: str, text: str) -> str:
    if not re.fullmatch(r"[A-Za-z_]\w*=[1-9]\d*(,[A-Za-z_]\w*=[1-9]\d*)*", mesh):
        raise ValueError(f"'{text}' is no layout: write single, data=2, tensor=4, dp=2,tp=2 or tensor:x=2,y=2")
    return mesh


def parse_layouts(text: str) -> list[Layout]:
    """Layouts separated by spaces or semicolons: commas belong to meshes."""
    return [Layout.parse(part) for part in re.split(r"[;\s]+", text) if part]


@dataclass
class Outcome:
    kind: Kind
    code: int
    report: dict = field(default_factory=dict)
    error: str = ""
    command: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return self.kind is Kind.OK

    @property
    def largest_difference(self) -> float:
        return max((float(o.get("max_abs") or 0) for o in self.report.get("outputs", [])), default=0.0)


def find_tool(name: str) -> str:
    """A binary of the build folder ($LLMPAR_BUILD, else build/); exits with one line if there is none."""
    build = Path(os.environ.get("LLMPAR_BUILD", ROOT / "build"))
    path = build / "bin" / name
    if not path.exists():
        sys.exit(f"error: {path} is missing: run tools/dev/setup.sh, or set LLMPAR_BUILD to the build folder")
    return str(path)


def find_llmpar() -> str:
    return find_tool("llmpar")


def run_llmpar(*arguments: str, timeout: float = 300, cwd: str | Path | None = None) -> Outcome:
    return run_tool("llmpar", *arguments, timeout=timeout, cwd=cwd)


def run_tool(name: str, *arguments: str, timeout: float = 300, cwd: str | Path | None = None) -> Outcome:
    command = [find_tool(name), *map(str, arguments)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=timeout, cwd=cwd)
    except subprocess.TimeoutExpired:
        return Outcome(Kind.TIMEOUT, -1, error=f"no result in {timeout:.0f} s", command=command)
    return interpret(done.returncode, done.stdout, done.stderr, command)


def interpret(code: int, stdout: str, stderr: str, command: list[str]) -> Outcome:
    """The outcome of a finished process. A death by signal and every unlisted code count as a crash."""
    report = _json_object(stdout)
    kind = EXIT_CODES.get(code, Kind.CRASH)
    if kind is Kind.OK and report.get("ok") is False:
        kind = Kind.MISMATCH
    error = "" if kind is Kind.OK else str(report.get("error") or _first_error(stderr) or "")
    if kind is Kind.CRASH:
        what = f"signal {-code}" if code < 0 else f"exit code {code}"
        error = f"{what}: {error}" if error else what
    return Outcome(kind, code, report, error, command)


def _json_object(text: str) -> dict:
    start = text.find("{")
    if start < 0:
        return {}
    try:
        value, _ = json.JSONDecoder().raw_decode(text[start:])
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _first_error(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    for line in lines:
        if "error:" in line or "Assertion" in line or "LLVM ERROR" in line:
            return line.removeprefix("error: ")
    return lines[0] if lines else ""


def run_checked(*arguments: str, timeout: float = 600) -> dict:
    """The JSON report of a command that must succeed; otherwise exits with its error."""
    outcome = run_llmpar(*arguments, timeout=timeout)
    if not outcome.ok:
        sys.exit(f"error: {' '.join(outcome.command)}\n  {outcome.kind.value}: {outcome.error}")
    return outcome.report


def table(rows: list[list[str]], right: set[int] = frozenset()) -> str:
    """Aligned columns; the first row is the heading. Columns in `right` align right."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]

    def line(row: list[str]) -> str:
        cells = [cell.rjust(width) if i in right else cell.ljust(width) for i, (cell, width) in enumerate(zip(row, widths))]
        return "  ".join(cells).rstrip()

    rule = "  ".join("-" * width for width in widths)
    return "\n".join([line(rows[0]), rule, *map(line, rows[1:])])


def bytes_text(count: float) -> str:
    for unit in ("B", "KiB", "MiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.2f} GiB"
