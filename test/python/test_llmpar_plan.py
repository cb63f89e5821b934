"""`llmpar-plan`: its answers, its errors (one clear line and the right exit code), and Ctrl-C."""

from __future__ import annotations

import gzip
import json
import os
import pty
import random
import re
import signal
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import support  # noqa: F401  (finds the package)
from llmpar.cli import ROOT

LLMPAR_PLAN = Path(os.environ.get("LLMPAR_BUILD", ROOT / "build")) / "bin" / "llmpar-plan"
OK, USAGE, MISMATCH, DOES_NOT_FIT, INTERRUPTED = 0, 2, 3, 4, 130

SMALL = {"problem": {
    "name": "small",
    "nodes": {"names": ["matmul", "add"], "costs": [[5, 5], [2, 1]],
              "memory": [[{"lifetime": [0, 2], "bytes": [8, 4]}], [{"lifetime": [1, 3], "bytes": [8, 4]}]]},
    "edges": {"nodes": [[0, 1]], "costs": [[0, 3, 9, 4]]},
    "usage_limit": 12}}
PLAN = {"plan": {"cost": 9, "lower_bound": 9, "peak_bytes": 12, "choice": [0, 1]}}


def changed(document: dict, **fields) -> dict:
    (key, body), = document.items()
    return {key: body | fields}


def hard_problem() -> dict:
    """A dense graph that no exact search ends soon."""
    draw, count, strategies = random.Random(1), 400, 12
    nodes = [[draw.randrange(1000) for _ in range(strategies)] for _ in range(count)]
    pairs = [draw.sample(range(count), 2) for _ in range(4000)]
    return {"problem": {"name": "hard", "nodes": {"costs": nodes}, "edges": {
        "nodes": pairs, "costs": [[draw.randrange(1000) for _ in range(strategies**2)] for _ in pairs]}}}


FILES = {
    "small.json": SMALL, "plan.json": PLAN, "hard.json": hard_problem(),
    "tight.json": changed(SMALL, usage_limit=7),
    "forbidden.json": {"problem": {"nodes": {"costs": [[None], [1]]}}},
    "torn.json": changed(SMALL, edges={"nodes": [[0, 1]], "costs": [[0, None, None, None]]}, usage_limit=8),
    "typo.json": changed(SMALL, usage_limits=3),
    "liar.json": changed(PLAN, cost=8),
    "fat.json": {"plan": {"cost": 7, "lower_bound": 7, "peak_bytes": 16, "choice": [0, 0]}},
    "none.json": {"plan": {"cost": None, "lower_bound": None, "peak_bytes": 0, "choice": []}},
}

ERRORS = [  # arguments, exit code, a part of the message
    ("", USAGE, "which command? solve, verify, show or enumerate"),
    ("frobnicate", USAGE, "Unknown subcommand 'frobnicate'"),
    ("solve", USAGE, "which files? Usage: llmpar-plan solve problem.json..."),
    ("verify small.json", USAGE, "which files? Usage: llmpar-plan verify problem.json plan.json"),
    ("show small.json tight.json", USAGE, "which files? Usage: llmpar-plan show problem.json"),
    ("solve small.json --gap 50", USAGE, "--gap is a fraction of at least 0 and below 1: 0.005 is half a percent"),
    ("solve small.json --time-limit 0", USAGE, "--time-limit is a number of seconds above 0"),
    ("solve small.json --time-limit nan", USAGE, "--time-limit is a number of seconds above 0"),
    ("solve small.json --time-limit soon", USAGE, "'soon' value invalid"),
    ("solve small.json --frobnicate", USAGE, "--frobnicate"),
    ("verify small.json plan.json --gap 0.1", USAGE, "--gap"),
    ("solve small.json -o - --json", USAGE, "--json and -o - both write to standard output"),
    ("solve small.json small.json -o plans.json", USAGE, "-o plans.json is no folder: several problems need one"),
    ("solve small.json -o absent/plan.json", USAGE, "absent/plan.json"),
    ("solve absent.json", USAGE, "absent.json: No such file or directory"),
    ("solve garbage.json", USAGE, "garbage.json: not JSON"),
    ("solve cut.json.gz", USAGE, "cut.json.gz: not a complete gzip file"),
    ("show typo.json", USAGE, "typo.json: problem has an unknown key 'usage_limits'"),
    ("verify small.json small.json", USAGE, "small.json: the file has an unknown key 'problem': known are plan"),
    ("verify small.json liar.json", MISMATCH, "liar.json: the plan costs 9, not 8"),
    ("verify small.json fat.json", MISMATCH, "fat.json: 16 bytes live at one step: the limit is 12"),
    ("verify small.json none.json", MISMATCH, "none.json: the plan has 0 choices for 2 nodes"),
    ("enumerate hard.json", USAGE, "2^60 or more combinations are too many to try (at most 10000000): use llmpar-plan solve"),
]
UNSOLVABLE = [  # file, a part of the message of solve and of enumerate
    ("tight.json", "does not fit: step 1 needs at least 8 bytes, usage_limit is 7: raise it by 1; the largest there: "
                   "node 0 'matmul' (4), node 1 'add' (4)"),
    ("forbidden.json", "every plan has a forbidden cost (null, or 10^18 and more)"),
    ("torn.json", "no plan without forbidden costs stays within usage_limit, 8 bytes: raise it"),
]


@unittest.skipUnless(LLMPAR_PLAN.exists(), f"{LLMPAR_PLAN} is not built")
class LlmparPlan(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        cls.temporary = tempfile.TemporaryDirectory()
        cls.folder = Path(cls.temporary.name)
        for name, document in FILES.items():
            (cls.folder / name).write_text(json.dumps(document))
        (cls.folder / "garbage.json").write_text("garbage")
        packed = gzip.compress(json.dumps(SMALL).encode())
        (cls.folder / "packed.json.gz").write_bytes(packed)
        (cls.folder / "cut.json.gz").write_bytes(packed[:-20])

    @classmethod
    def tearDownClass(cls) -> None:
        cls.temporary.cleanup()

    def run_tool(self, arguments: str, stdin: str = "") -> subprocess.CompletedProcess:
        return subprocess.run([LLMPAR_PLAN, *arguments.split()], cwd=self.folder, input=stdin, capture_output=True, text=True,
                              timeout=60)

    def test_each_error_is_one_line_with_the_right_code(self) -> None:
        for arguments, code, part in ERRORS:
            with self.subTest(arguments):
                result = self.run_tool(arguments)
                self.assertEqual(result.returncode, code, result.stderr)
                self.assertIn(part, result.stderr)
                self.assertLessEqual(len(result.stderr.strip().splitlines()), 2, result.stderr)

    def test_without_a_plan_it_says_why(self) -> None:
        for file, part in UNSOLVABLE:
            for command in "solve", "enumerate":
                with self.subTest(f"{command} {file}"):
                    result = self.run_tool(f"{command} {file}")
                    self.assertEqual(result.returncode, DOES_NOT_FIT, result.stderr)
                    self.assertIn(f"error: {file}: {part}", result.stderr)

    def test_errors_are_json_too(self) -> None:
        report = json.loads(self.run_tool("solve tight.json --json").stdout)
        self.assertEqual((report["ok"], report["code"]), (False, DOES_NOT_FIT))
        self.assertIn("does not fit", report["error"])

    def test_a_plan_is_solved_written_and_verified(self) -> None:
        for command in "solve", "enumerate":
            with self.subTest(command):
                result = self.run_tool(f"{command} packed.json.gz -o {command}.json --json")
                self.assertEqual(result.returncode, OK, result.stderr)
                report = json.loads(result.stdout)
                self.assertEqual((report["cost"], report["lower_bound"], report["gap"], report["peak_bytes"]), (9, 9, 0, 12))
                self.assertEqual((report["ending"], report["name"], report["usage_limit"]), ("optimal", "small", 12))
                self.assertEqual(json.loads((self.folder / f"{command}.json").read_text()), PLAN)
                verified = self.run_tool(f"verify small.json {command}.json --json")
                self.assertEqual(json.loads(verified.stdout),
                                 {"ok": True, "cost": 9, "lower_bound": 9, "gap": 0, "peak_bytes": 12})

    def test_the_examples_of_the_documentation_are_right(self) -> None:
        problem, plan = re.findall(r"```json\n(.*?)```", (ROOT / "docs" / "planner.md").read_text(), re.DOTALL)
        result = self.run_tool("solve - -o -", problem)
        self.assertEqual(json.loads(result.stdout), json.loads(plan), result.stderr)

    def test_a_problem_may_come_from_standard_input_and_the_plan_go_to_standard_output(self) -> None:
        result = self.run_tool("solve - -o -", json.dumps(SMALL))
        self.assertEqual(json.loads(result.stdout), PLAN)
        self.assertIn("cost 9, bound 9, gap 0.000 % (optimal), peak 12 B of 12 B", result.stderr)

    def test_several_problems_go_into_a_folder(self) -> None:
        (self.folder / "plans").mkdir()
        result = self.run_tool("solve packed.json.gz tight.json small.json -o plans")
        self.assertEqual(result.returncode, DOES_NOT_FIT, "the first failure's code")
        self.assertEqual([line.split(":")[0] for line in result.stdout.splitlines()], ["packed.json.gz", "small.json"])
        self.assertEqual(sorted(file.name for file in (self.folder / "plans").iterdir()), ["packed.plan.json", "small.plan.json"])

    def test_show_prints_sizes_and_whether_the_limit_can_be_met(self) -> None:
        self.assertEqual(self.run_tool("show small.json").stdout, """\
name      small
nodes     2, with 2 to 2 strategies, 2.0 on average; 4 combinations
edges     1, 0 of them parallel to another; 1 different matrices; 0.0 % of the entries forbidden
graph     connected parts: 1, the largest of 2 nodes; elimination width at most 1
memory    2 uses over steps [0, 3); limit 12 B; peaks of plans lie in 8 B (step 1) to 16 B
""")
        self.assertIn("8 B (step 1) to 16 B: no plan fits", self.run_tool("show tight.json").stdout)
        report = json.loads(self.run_tool("show hard.json --json").stdout)
        self.assertEqual((report["nodes"], report["edges"], report["most_strategies"]), (400, 4000, 12))
        self.assertEqual((report["elimination_width"], report["usage_limit"]), (None, None))

    def test_the_benchmark_measures_every_file_and_judges_known_ones(self) -> None:
        known = changed(SMALL, name="asplos-2025-iopddl-B")
        (self.folder / "known.json").write_text(json.dumps(known))
        files = ["known.json", "small.json", "tight.json", "garbage.json"]
        result = subprocess.run([sys.executable, ROOT / "test" / "benchmark" / "bench_planner.py", *files, "--json"],
                                cwd=self.folder, capture_output=True, text=True, timeout=60)
        self.assertEqual(result.returncode, 1, "two files have no answer")
        known, small, tight, garbage = json.loads(result.stdout)
        self.assertEqual((known["cost"], known["published_cost"], known["goal_met"], known["time_limit"]), (9, 532_843, True, 20))
        self.assertAlmostEqual(known["ratio"], 9 / 532_843)
        self.assertEqual((small["cost"], small["lower_bound"], small["gap"], small["ending"]), (9, 9, 0, "optimal"))
        self.assertNotIn("ratio", small)
        self.assertIn("does not fit", tight["error"])
        self.assertIn("not JSON", garbage["error"])

    def test_the_time_limit_holds(self) -> None:
        report = json.loads(self.run_tool("solve hard.json --time-limit 1 --json").stdout)
        self.assertEqual(report["ending"], "time limit")
        self.assertGreater(report["gap"], 0)

    def interrupt(self, arguments: str) -> tuple[int, str, str]:
        """Runs on a terminal until a cost is shown, presses Ctrl-C; exit code, standard output, the terminal's text."""
        terminal, theirs = pty.openpty()
        process = subprocess.Popen([LLMPAR_PLAN, *arguments.split()], cwd=self.folder, stdout=subprocess.PIPE, stderr=theirs,
                                   text=True)
        os.close(theirs)
        shown = ""
        try:
            while "cost" not in shown:
                shown += os.read(terminal, 4096).decode()
            process.send_signal(signal.SIGINT)
            output, _ = process.communicate(timeout=20)
            while True:  # a terminal whose other side is closed is an error to read
                shown += os.read(terminal, 4096).decode()
        except OSError:
            pass
        finally:
            process.kill()
            os.close(terminal)
        return process.returncode, output, shown

    def test_ctrl_c_gives_the_best_plan_so_far_with_its_gap(self) -> None:
        code, output, shown = self.interrupt("solve hard.json --json -o stopped.json")
        self.assertEqual(code, OK, shown)
        report = json.loads(output)
        self.assertEqual(report["ending"], "interrupted")
        self.assertGreater(report["gap"], 0)
        self.assertRegex(shown, r"\d\.\d s   cost \d+   bound \d+   gap \d+\.\d\d %")
        self.assertEqual(self.run_tool("verify hard.json stopped.json").returncode, OK)

    def test_ctrl_c_leaves_the_files_behind_it_unsolved(self) -> None:
        code, output, shown = self.interrupt("solve small.json hard.json tight.json small.json")
        self.assertEqual(code, INTERRUPTED, shown)
        self.assertEqual([line.split(":")[0] for line in output.splitlines()], ["small.json", "hard.json"])
        self.assertIn("(interrupted)", output)
        self.assertIn("interrupted: tight.json is not solved", shown)
        self.assertIn("interrupted: small.json is not solved", shown)


if __name__ == "__main__":
    unittest.main()
