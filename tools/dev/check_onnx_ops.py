#!/usr/bin/env python3
"""Compare the table of ONNX operators with the schemas of the pinned onnx and onnxruntime packages.

For every row of include/llmpar/Frontend/OnnxOps.def, and every schema version that it lists:
  versions    all versions of the schema from the row's first to its `until` are listed, and no other
  until       ONNX_LATEST, or the operator changes in the opset after it
  attributes  each exists in the schema; what must be given there must be given here
  counts      inputs and outputs lie within what the schema allows
So a new onnx package, or an edit of the table, cannot change what the importer accepts unseen.
"""

from __future__ import annotations

import argparse
import re
import sys
from dataclasses import dataclass
from pathlib import Path

import onnx
import onnx.defs
from onnxruntime.capi import onnxruntime_pybind11_state as onnxruntime_state

ROOT = Path(__file__).resolve().parents[2]
TABLE = ROOT / "include" / "llmpar" / "Frontend" / "OnnxOps.def"
UNBOUNDED = 2**31 - 1
# Operators whose handler says which of several attributes must be there.
ONE_OF_SEVERAL = {"Constant"}


@dataclass
class Row:
    """One ONNX_OP line; its columns as they are written."""

    domain: str
    name: str
    versions: list[int]
    until: int
    inputs: str
    outputs: str
    attributes: str

    @property
    def title(self) -> str:
        return f"{self.domain + '.' if self.domain else ''}{self.name} ({self.versions[0]} to {self.until})"


def read_table(text: str) -> tuple[int, list[Row]]:
    """(ONNX_LATEST, rows)."""
    latest = int(re.search(r"#define ONNX_LATEST (\d+)", text)[1])
    rows = []
    for line in re.findall(r"^ONNX_OP\((.*)\)$", text, re.MULTILINE):
        domain, name, versions, until, _handler, _kind, inputs, outputs, attributes, _notes = split_columns(line)
        rows.append(Row(domain, name, [int(v) for v in versions.split()], latest if until == "ONNX_LATEST" else int(until),
                        inputs, outputs, attributes))
    return latest, rows


def split_columns(line: str) -> list[str]:
    return [a if a is not None else b for a, b in
            ((m[1], m[2]) for m in re.finditer(r'\s*(?:"([^"]*)"|([^,"]+?))\s*(?:,|$)', line))]


def words(column: str, opset: int) -> list[str]:
    """The words of a column that hold in an opset, without their bound: "axes!<13" -> "axes!" before 13."""
    found = []
    for word in column.split():
        text, _, first = word.partition(">=")
        if first:
            if opset >= int(first):
                found.append(text)
            continue
        text, _, end = word.partition("<")
        if not end or opset < int(end):
            found.append(text)
    return found


def count_range(column: str, opset: int) -> tuple[int, int]:
    least, _, most = words(column, opset)[0].partition("-")
    return int(least), UNBOUNDED if most == "*" else int(most or least)


def schemas() -> dict[tuple[str, str], list]:
    """(domain, operator) -> its schemas, oldest first; those of onnxruntime where the onnx package has none."""
    found: dict[tuple[str, str], list] = {}
    for schema in onnx.defs.get_all_schemas_with_history():
        found.setdefault((schema.domain, schema.name), []).append(schema)
    for schema in onnxruntime_state.get_all_operator_schema():
        if schema.domain == "com.microsoft" or (schema.domain, schema.name) not in found:
            found.setdefault((schema.domain, schema.name), []).append(schema)
    # Before opset 17 LayerNormalization is onnxruntime's; the package lists what the standard has since.
    own = next(s for s in onnxruntime_state.get_all_operator_schema() if s.name == "LayerNormalization" and s.since_version == 1)
    found["", "LayerNormalization"].append(own)
    # Internal to onnxruntime's training build, or of no published schema.
    for name in ("ConcatTraining", "SimplifiedLayerNormalization"):
        found.setdefault(("com.microsoft", name), [])
    return {key: sorted(value, key=lambda s: s.since_version) for key, value in found.items()}


def check_row(row: Row, known: list, latest: int) -> list[str]:
    """What is wrong with a row, one line each."""
    if not known:
        return []
    problems = []
    versions = [s.since_version for s in known if row.versions[0] <= s.since_version <= row.until]
    if row.versions != versions:
        problems.append(f"lists versions {row.versions}, the schema has {versions}")
    after = [s.since_version for s in known if s.since_version > row.until]
    if not row.domain and row.until != latest and (not after or after[0] != row.until + 1):
        problems.append(f"ends at {row.until}, but does not change in opset {row.until + 1}")
    for schema in known:
        if schema.since_version not in row.versions:
            continue
        opset = schema.since_version
        for word in words(row.attributes, opset):
            name = word.partition("=")[0].rstrip("!")
            if name not in schema.attributes and not schema.deprecated:
                problems.append(f"opset {opset} has no attribute '{name}'")
        required = {a for a, value in schema.attributes.items() if value.required}
        given = {w.partition("=")[0].rstrip("!") for w in words(row.attributes, opset) if "!" in w}
        if required != given and not schema.deprecated and row.name not in ONE_OF_SEVERAL:
            problems.append(f"opset {opset} requires attributes {sorted(required)}, the table {sorted(given)}")
        for what, column, least, most in (("inputs", row.inputs, schema.min_input, schema.max_input),
                                          ("outputs", row.outputs, schema.min_output, schema.max_output)):
            low, high = count_range(column, opset)
            if low < least or high > most:
                problems.append(f"opset {opset} takes {least} to {most} {what}, the table {low} to {high}")
    return problems


def check(text: str) -> list[str]:
    """What is wrong with a table."""
    latest, rows = read_table(text)
    newest = onnx.defs.onnx_opset_version()
    problems = []
    if latest != newest:
        problems.append(f"ONNX_LATEST is {latest}, onnx {onnx.__version__} has opset {newest}")
    known = schemas()
    for row in rows:
        if (row.domain, row.name) not in known:
            problems.append(f"{row.title}: neither onnx nor onnxruntime has it")
            continue
        problems += [f"{row.title}: {problem}" for problem in check_row(row, known[row.domain, row.name], latest)]
    return problems


def main() -> int:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    problems = check(TABLE.read_text())
    print("\n".join(problems) or f"{len(read_table(TABLE.read_text())[1])} rows agree with onnx {onnx.__version__}")
    return int(bool(problems))


if __name__ == "__main__":
    sys.exit(main())
