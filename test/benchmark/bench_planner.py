#!/usr/bin/env python3
"""Planning problems: cost, bound, gap, time and the best published cost of each file; every answer is verified.

Takes any file that `llmpar-plan solve` reads. For the instances of the IOPDDL contest (ASPLOS/EuroSys 2025) it knows the
contest's time limit and the cost of the best team, which had 8 cores. `ratio` is our cost / the best published one.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "python"))
from llmpar.cli import run_tool, table


@dataclass(frozen=True)
class Published:
    """Time limit of the contest; least cost of all published ones, a team's or XLA's (iopddl_final_results.csv)."""

    seconds: int
    cost: int
    goal_gap: float | None = None  # what --check demands: this gap within 20 s
    goal_ratio: float | None = None  # or this ratio within the contest's time limit


PUBLISHED = {
    "asplos-2025-iopddl-A": Published(60, 6_548_641_531, goal_ratio=1.05),
    "asplos-2025-iopddl-B": Published(60, 532_843, goal_gap=0.005),
    "asplos-2025-iopddl-G": Published(120, 217_039, goal_gap=0.005),
    "asplos-2025-iopddl-K": Published(180, 2_274_276_676, goal_ratio=1.05),
    "asplos-2025-iopddl-P": Published(240, 651_833_115_436, goal_ratio=1.05),
    "asplos-2025-iopddl-V": Published(300, 1_632_051, goal_gap=0.005),
}
GAP_SECONDS = 20
DEFAULT_SECONDS = 60


def seconds_for(published: Published | None) -> float:
    if published is None:
        return DEFAULT_SECONDS
    return GAP_SECONDS if published.goal_gap is not None else published.seconds


def measure(file: Path, options: argparse.Namespace) -> dict:
    """One row; `error` says what went wrong."""
    shown = run_tool("llmpar-plan", "show", file, "--json")
    if not shown.ok:
        return {"file": str(file), "error": shown.error}
    published = PUBLISHED.get(shown.report["name"])
    limit = options.time_limit or seconds_for(published)
    row = {"file": str(file), "name": shown.report["name"], "nodes": shown.report["nodes"], "time_limit": limit}
    with tempfile.TemporaryDirectory() as folder:
        plan = Path(folder) / "plan.json"
        # A second for starting, verifying and writing: the limit holds for the whole process.
        flags = ["--json", "-o", plan, "--time-limit", limit - min(1.0, limit / 10), "--gap", options.gap]
        begin = time.monotonic()
        solved = run_tool("llmpar-plan", "solve", file, *flags, timeout=2 * limit + 60)
        row["seconds"] = round(time.monotonic() - begin, 2)
        if not solved.ok:
            return row | {"error": solved.error}
        verified = run_tool("llmpar-plan", "verify", file, plan)
    row |= {key: solved.report[key] for key in ("cost", "lower_bound", "gap", "ending", "peak_bytes", "usage_limit")}
    if not verified.ok:
        row["error"] = verified.error
    if published:
        row |= {"published_cost": published.cost, "ratio": row["cost"] / published.cost}
        row["goal_met"] = row["seconds"] <= limit and (
            row["gap"] <= published.goal_gap if published.goal_gap is not None else row["ratio"] <= published.goal_ratio)
    return row


def cells(row: dict) -> list[str]:
    if "cost" not in row:
        took = f"{row['seconds']:.1f} s" if "seconds" in row else ""
        return [Path(row["file"]).name, f"{row['nodes']:,}" if "nodes" in row else "", "", "", "", took, "", "",
                row["error"].removeprefix(row["file"] + ": ")]
    published = [f"{row['published_cost']:,}", f"{row['ratio']:.4f}"] if "ratio" in row else ["", ""]
    verdict = row.get("error") or row["ending"] + {True: "", False: ", GOAL MISSED"}[row.get("goal_met", True)]
    return [Path(row["file"]).name, f"{row['nodes']:,}", f"{row['cost']:,}", f"{row['lower_bound']:,}", f"{100 * row['gap']:.3f} %",
            f"{row['seconds']:.1f} s", *published, verdict]


def files_of(paths: list[Path]) -> list[Path]:
    found = []
    for path in paths:
        found += sorted(f for f in path.iterdir() if f.name.endswith((".json", ".json.gz"))) if path.is_dir() else [path]
    return found


def main() -> int:
    options = parse()
    files = files_of(options.paths)
    rows = []
    for file in files:
        print(f"{file.name} ({len(rows) + 1}/{len(files)}) ...", file=sys.stderr)
        rows.append(measure(file, options))
    if options.json:
        print(json.dumps(rows, indent=2))
    else:
        heading = ["problem", "nodes", "cost", "bound", "gap", "time", "best published", "ratio", "ended"]
        print(table([heading, *map(cells, rows)], right={1, 2, 3, 4, 5, 6, 7}))
    failed = any("error" in row or (options.check and not row.get("goal_met", True)) for row in rows)
    return int(failed or not rows)


def parse() -> argparse.Namespace:
    data = os.environ.get("LLMPAR_TEST_DATA")
    default = [Path(data).parent / "iopddl"] if data else []
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="""examples:
  test/benchmark/bench_planner.py iopddl/                        every .json and .json.gz of a folder
  test/benchmark/bench_planner.py B.json.gz --time-limit 5
  test/benchmark/bench_planner.py iopddl/ --check                exit 1 if a known instance misses its goal""")
    parser.add_argument("paths", type=Path, nargs="*", default=default, metavar="FILE|FOLDER",
                        help="default: the folder iopddl beside $LLMPAR_TEST_DATA")
    parser.add_argument("--time-limit", type=float, metavar="SECONDS",
                        help=f"for each file, the whole process; default: the goal's ({GAP_SECONDS} s for B, G and V, the contest's for "
                             f"others), {DEFAULT_SECONDS} s for unknown files")
    parser.add_argument("--gap", type=float, default=0, metavar="FRACTION", help="stop at this gap (default: %(default)s)")
    parser.add_argument("--check", action="store_true", help="exit 1 if a known instance misses its goal")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    options = parser.parse_args()
    if not options.paths:
        parser.error("which problems? Give files or a folder, or set LLMPAR_TEST_DATA to a folder with iopddl beside it")
    for path in options.paths:
        if not path.exists():
            parser.error(f"{path}: no such file or folder")
    if options.time_limit is not None and options.time_limit <= 0:
        parser.error("--time-limit is above 0")
    return options


if __name__ == "__main__":
    sys.exit(main())
