#!/usr/bin/env python3
"""Run the ONNX backend node tests of the pinned `onnx` package through `llmpar verify`.

  passed       the outputs equal the expected ones
  unsupported  refused with a message that says what is not supported; the reasons are listed
  failed       a different value, a crash, a time-out, or a refusal without a reason

llmpar's programs are static, so inputs that set a shape (of Reshape, the axes of a reduction, ...; the
table PARAMETERS) become initialisers of the same values first. Their number is printed.
The tests are written once to build/onnx_node_tests.
"""

from __future__ import annotations

import argparse
import fnmatch
import json
import re
import shutil
import sys
import warnings
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "python"))
import numpy as np
import onnx
from onnx import TensorProto, numpy_helper

from llmpar.cli import ROOT, Kind, Outcome, find_llmpar, run_llmpar, table

# Operator -> input positions that decide shapes or which elements are meant.
PARAMETERS = {
    "Reshape": [1], "Expand": [1], "Tile": [1], "Squeeze": [1], "Unsqueeze": [1], "Slice": [1, 2, 3, 4],
    "Pad": [1, 3], "CenterCropPad": [1], "ConstantOfShape": [0], "Range": [0, 1, 2], "OneHot": [1], "TopK": [1],
    "Split": [1], "SplitToSequence": [1], "Resize": [1, 2, 3], "Upsample": [1], "CumSum": [1], "CumProd": [1],
    "Trilu": [1], "Dropout": [1, 2], "AffineGrid": [1], "Compress": [1], "BlackmanWindow": [0], "HannWindow": [0],
    "HammingWindow": [0], "DFT": [1, 2], "STFT": [1, 3], "MaxUnpool": [2],
    **{f"Reduce{kind}": [1] for kind in ("Sum", "Mean", "Max", "Min", "Prod", "L1", "L2", "LogSum", "LogSumExp", "SumSquare")},
}
# rtol of the comparison where the element type is coarser than the tests' own 1e-3.
COARSE = {TensorProto.BFLOAT16: 1.6e-2, TensorProto.FLOAT16: 2e-3}


@dataclass
class Case:
    name: str
    op: str
    ops: list[str]  # of all nodes: a refusal names one of them
    rtol: float
    bound: int  # inputs that became initialisers
    data: bool  # False: inputs or outputs are no tensors, so it can only be refused


@dataclass
class Result:
    case: Case
    verdict: str
    reason: str
    command: list[str]


# Writing the tests -----------------------------------------------------------------------------


def write_cases(cache: Path) -> list[Case]:
    """Every node test as folder/model.onnx + test_data_set_0, once per onnx version and version of this script."""
    index = cache / "index.json"
    stamp = {"onnx": onnx.__version__, "script": Path(__file__).stat().st_mtime_ns}
    if index.exists():
        stored = json.loads(index.read_text())
        if stored["stamp"] == stamp:
            return [Case(**case) for case in stored["cases"]]
    shutil.rmtree(cache, ignore_errors=True)
    cache.mkdir(parents=True)
    from onnx.backend.test.case.node import collect_testcases

    print("Writing the node tests of the onnx package ...", file=sys.stderr)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        tests = collect_testcases(None)
    nodes = {test.name: test.model.graph.node[0] for test in tests if "_expanded" not in test.name}
    cases = [write_case(cache / test.name, test, nodes.get(re.sub(r"_expanded.*", "", test.name))) for test in tests]
    index.write_text(json.dumps({"stamp": stamp, "cases": [vars(case) for case in cases]}))
    return cases


def write_case(folder: Path, test, original) -> Case:
    """`original`: the node that a test of an expanded function stands for."""
    model = onnx.ModelProto()
    model.CopyFrom(test.model)
    node = original if original is not None else model.graph.node[0]
    inputs, outputs = test.data_sets[0]
    tensors = all(value.type.HasField("tensor_type") and value.type.tensor_type.elem_type != TensorProto.STRING
                  for value in [*model.graph.input, *model.graph.output])
    parameters = {node.input[i] for i in PARAMETERS.get(node.op_type, []) if i < len(node.input)} if tensors else set()
    data = folder / "test_data_set_0"
    data.mkdir(parents=True)
    kept = []
    for info, value in zip(list(model.graph.input), inputs):
        if info.name in parameters:
            model.graph.initializer.append(to_proto(value, info))
            model.graph.input.remove(info)
        else:
            kept.append((info, value))
    if tensors:
        for i, (info, value) in enumerate(kept):
            (data / f"input_{i}.pb").write_bytes(to_proto(value, info).SerializeToString())
        for i, (info, value) in enumerate(zip(model.graph.output, outputs)):
            (data / f"output_{i}.pb").write_bytes(to_proto(value, info).SerializeToString())
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    types = {value.type.tensor_type.elem_type for value in [*model.graph.input, *model.graph.output]}
    return Case(name=test.name, op=node.op_type, ops=sorted({n.op_type for n in model.graph.node} | {node.op_type}),
                rtol=max([test.rtol, *(COARSE.get(t, 0) for t in types)]), bound=len(parameters), data=tensors)


def to_proto(value, info: onnx.ValueInfoProto) -> TensorProto:
    if isinstance(value, TensorProto):
        tensor = TensorProto()
        tensor.CopyFrom(value)
        tensor.name = info.name
        return tensor
    return numpy_helper.from_array(np.asarray(value), info.name)


# Running them ------------------------------------------------------------------------------------


def run_case(case: Case, cache: Path, options: argparse.Namespace) -> Result:
    folder = cache / case.name
    if not case.data:
        outcome = run_llmpar("compile", folder / "model.onnx", "-o", "/dev/null", "--json", timeout=options.timeout)
        if outcome.ok:
            return Result(case, "failed", "accepted, but has inputs or outputs that are no numeric tensors", outcome.command)
        return judge(case, outcome)
    return judge(case, run_llmpar("verify", folder / "model.onnx", "--data", folder / "test_data_set_0", "--device", options.device,
                                  "--layout", "single", "--rtol", case.rtol, "--atol", options.atol, "--json",
                                  timeout=options.timeout))


def judge(case: Case, outcome: Outcome) -> Result:
    if outcome.ok:
        return Result(case, "passed", "", outcome.command)
    refused = outcome.kind in (Kind.COMPILE_ERROR, Kind.USAGE) and says_what(case, outcome.error)
    reason = outcome.error if refused else f"{outcome.kind.value}: {outcome.error or 'no message'}"
    return Result(case, "unsupported" if refused else "failed", reason, outcome.command)


def says_what(case: Case, message: str) -> bool:
    """A refusal names an operator or the kind of thing that is not supported."""
    text = re.sub(r"\S*/\S*", "", message)  # a test's folder may be named after what it tests
    words = r"support|element type|data type|dtype|sequence|optional|string|symbolic|dynamic|constant|known at compile|IR version|opset"
    return any(op in text for op in case.ops) or bool(re.search(words, text, re.IGNORECASE))


def general(reason: str) -> str:
    """The reason without file and node names, so that equal ones are counted together."""
    reason = re.sub(r"^--data \S+ \S+ *", "", reason)
    reason = re.sub(r"^(\S*\.onnx[:\d]*: *|node '[^']*': *)+", "", reason)
    reason = re.sub(r"^node '[^']*' \(([^)]*)\)", r"\1", reason)
    return re.sub(r"^(input|output|tensor) '[^']*'", r"\1", reason)


def print_results(results: list[Result], options: argparse.Namespace) -> None:
    counts: dict[str, Counter] = {}
    for result in results:
        counts.setdefault(result.case.op, Counter())[result.verdict] += 1
    total = Counter(result.verdict for result in results)
    columns = ["passed", "failed", "unsupported"]
    rows = [["operator", *columns]]
    rows += [[op, *(str(counts[op][c] or ".") for c in columns)] for op in sorted(counts)]
    rows.append([f"total of {len(results)}", *(str(total[c]) for c in columns)])
    print(table(rows, right={1, 2, 3}))
    print(f"\n{sum(bool(r.case.bound) for r in results)} tests ran with shape-deciding inputs as initialisers.")
    reasons = Counter(general(result.reason) for result in results if result.verdict == "unsupported")
    if reasons:
        print("\nUnsupported, by reason:")
        for reason, count in reasons.most_common(None if options.verbose else 40):
            print(f"  {count:4} {reason[:160]}")
        if len(reasons) > 40 and not options.verbose:
            print(f"       and {len(reasons) - 40} more reasons: --verbose lists all")
    failed = [result for result in results if result.verdict == "failed"]
    if failed:
        print("\nFailed:")
        for result in failed if options.verbose else failed[:40]:
            print(f"  {result.case.name}: {result.reason[:200]}")
        if len(failed) > 40 and not options.verbose:
            print(f"  and {len(failed) - 40} more: --verbose lists all")
        print(f"\nRepeat the first one:\n  {' '.join(failed[0].command)}")


def main() -> int:
    options = parse()
    find_llmpar()
    cache = options.cache
    cases = [case for case in write_cases(cache) if matches(case, options.only)]
    if not cases:
        print(f"error: no test matches --only {options.only}", file=sys.stderr)
        return 2
    with ThreadPoolExecutor(options.jobs) as pool:
        results = list(pool.map(lambda case: run_case(case, cache, options), cases))
    passed = sum(result.verdict == "passed" for result in results)
    failed = sum(result.verdict == "failed" for result in results)
    if options.json:
        print(json.dumps({"passed": passed, "failed": failed, "unsupported": len(results) - passed - failed, "tests": {
            r.case.name: {"op": r.case.op, "verdict": r.verdict, "reason": r.reason} for r in results}}, indent=2))
    else:
        print_results(results, options)
    if passed < options.min_passed:
        print(f"\nerror: {passed} passed, at least {options.min_passed} must", file=sys.stderr)
    return int(failed > 0 or passed < options.min_passed)


def matches(case: Case, pattern: str) -> bool:
    return not pattern or case.op == pattern or fnmatch.fnmatch(case.name, pattern if "*" in pattern else f"*{pattern}*")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="""exit code: 0 if none failed and at least --min-passed passed
examples:
  tools/dev/onnx_node_tests.py --min-passed 450
  tools/dev/onnx_node_tests.py --only LayerNormalization       one operator
  tools/dev/onnx_node_tests.py --only 'test_gather_*' --device reference""")
    parser.add_argument("--min-passed", type=int, default=0, metavar="N")
    parser.add_argument("--only", default="", metavar="PATTERN", help="an operator, a glob, or a part of a test's name")
    parser.add_argument("--device", default="cpu", help="cpu or reference (default: %(default)s)")
    parser.add_argument("--atol", type=float, default=1e-6, help="default: %(default)s")
    parser.add_argument("--jobs", type=int, default=2, help="processes at a time (default: %(default)s)")
    parser.add_argument("--timeout", type=float, default=60, help="seconds for one test (default: %(default)s)")
    parser.add_argument("--cache", type=Path, default=ROOT / "build" / "onnx_node_tests", metavar="DIR",
                        help="where the tests are written (default: build/onnx_node_tests)")
    parser.add_argument("--verbose", action="store_true", help="list every reason and failure")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
