#!/usr/bin/env python3
"""Verify every model*.onnx that has a test_data_*/ folder beside it, under several layouts.

Each cell runs `llmpar verify`: the outputs must equal the expected ones and those of one device.
  ok     equal              FAIL    a value differs          error   does not compile
  memory does not fit       device  a device failed          usage   bad input or data
  CRASH  signal or internal error   TIMEOUT  no result in time
"""

from __future__ import annotations

import argparse
import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "python"))
from llmpar.cli import Layout, Outcome, find_llmpar, parse_layouts, run_llmpar, table

DEFAULT_LAYOUTS = "single data=2 tensor=2 tensor=4 dp=2,tp=2"


def find_models(folders: list[Path]) -> list[tuple[Path, list[Path]]]:
    """Models with their test data folders, sorted by path."""
    found = {}
    for folder in folders:
        for model in folder.rglob("model*.onnx"):
            data = sorted(d for d in model.parent.glob("test_data_*") if d.is_dir())
            if data:
                found[model] = data
    return sorted(found.items())


def verify(model: Path, data: list[Path], layout: Layout, options: argparse.Namespace) -> Outcome:
    """The first outcome that is not ok, else the last."""
    for folder in data:
        outcome = run_llmpar("verify", model, "--data", folder, *layout.flags(), "--device", options.device,
                             "--atol", options.atol, "--rtol", options.rtol, "--json", timeout=options.timeout)
        if not outcome.ok:
            break
    return outcome


def main() -> int:
    options = parse()
    find_llmpar()
    models = find_models(options.folders)
    if not models:
        print(f"error: no model*.onnx with a test_data_*/ folder below {', '.join(map(str, options.folders))}", file=sys.stderr)
        return 2
    layouts = options.layouts
    with ThreadPoolExecutor(options.jobs) as pool:
        cells = {(model, layout): pool.submit(verify, model, data, layout, options)
                 for model, data in models for layout in layouts}
        for done, future in enumerate(cells.values(), 1):
            future.result()
            if sys.stderr.isatty():
                print(f"\r{done}/{len(cells)}", end="\r", file=sys.stderr, flush=True)
    outcomes = {key: future.result() for key, future in cells.items()}
    passed = {layout: sum(outcomes[m, layout].ok for m, _ in models) for layout in layouts}
    failed = any(count < len(models) for count in passed.values())
    if options.json:
        print(json.dumps(as_json(models, layouts, outcomes, passed), indent=2))
        return int(failed)
    print_table(models, layouts, outcomes, passed, options.folders)
    return int(failed)


def short_name(model: Path, folders: list[Path]) -> str:
    roots = [folder for folder in folders if folder in model.parents]
    return str(model.relative_to(roots[0])) if len(folders) == 1 and roots else str(model)


def print_table(models, layouts, outcomes, passed, folders) -> None:
    rows = [["model", *(layout.text for layout in layouts)]]
    for model, _ in models:
        rows.append([short_name(model, folders), *(outcomes[model, layout].kind.value for layout in layouts)])
    rows.append([f"passed of {len(models)}", *(str(passed[layout]) for layout in layouts)])
    print(table(rows))
    reasons: dict[tuple[Path, str], list[str]] = {}
    for (model, layout), outcome in outcomes.items():
        if not outcome.ok:
            reasons.setdefault((model, f"{outcome.kind.value}: {outcome.error}"), []).append(layout.text)
    if reasons:
        print("\nNot ok:")
    for (model, reason), where in reasons.items():
        print(f"  {short_name(model, folders)} [{' '.join(where)}]\n    {reason}")
    for outcome in outcomes.values():
        if not outcome.ok:
            print(f"\nRepeat the first one:\n  {' '.join(outcome.command)}")
            break


def as_json(models, layouts, outcomes, passed) -> dict:
    def cell(outcome: Outcome) -> dict:
        return {"ok": outcome.ok, "result": outcome.kind.value, "max_abs": outcome.largest_difference,
                "error": outcome.error, "command": outcome.command}

    return {"total": len(models), "passed": {layout.text: passed[layout] for layout in layouts},
            "models": {str(m): {layout.text: cell(outcomes[m, layout]) for layout in layouts} for m, _ in models}}


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="""layouts, separated by spaces or semicolons:
  single                 one device
  data=2 tensor=4        that method on an axis dp or tp of that size
  dp=2,tp=2              hybrid on that mesh
  tensor:x=2,y=2         any method on any mesh
examples:
  tools/dev/verify_models.py models
  tools/dev/verify_models.py out/llama --layouts 'single tensor=3' --device reference
  tools/dev/verify_models.py models --json > verify.json""")
    parser.add_argument("folders", type=Path, nargs="+", metavar="DIR")
    parser.add_argument("--layouts", default=DEFAULT_LAYOUTS, help="default: '%(default)s'")
    parser.add_argument("--device", default="cpu", help="cpu or reference (default: %(default)s)")
    parser.add_argument("--atol", type=float, default=1e-4)
    parser.add_argument("--rtol", type=float, default=1e-3)
    parser.add_argument("--jobs", type=int, default=2, help="processes at a time (default: %(default)s)")
    parser.add_argument("--timeout", type=float, default=120, help="seconds for one run (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    options = parser.parse_args()
    for folder in options.folders:
        if not folder.is_dir():
            parser.error(f"{folder}: no such folder")
    try:
        options.layouts = parse_layouts(options.layouts)
    except ValueError as error:
        parser.error(str(error))
    if not options.layouts:
        parser.error("--layouts is empty")
    return options


if __name__ == "__main__":
    sys.exit(main())
