"""`llmpar-plan solve` against an exact mixed-integer program (HiGHS) on 200 random problems of medium size."""

from __future__ import annotations

import json
import os
import tempfile
import unittest
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import plan_problems
import support  # noqa: F401  (finds the package)
from llmpar.cli import ROOT, run_tool

COUNT = 200
LLMPAR_PLAN = Path(os.environ.get("LLMPAR_BUILD", ROOT / "build")) / "bin" / "llmpar-plan"


def compare(seed: int) -> tuple[str, bool]:
    """What is wrong with the solver's answer (empty: nothing), and whether the memory limit changed it."""
    problem = plan_problems.medium_problem(seed)
    exact = plan_problems.solve_exactly(problem)
    with tempfile.TemporaryDirectory() as folder:
        file, plan = Path(folder) / "problem.json", Path(folder) / "plan.json"
        file.write_text(json.dumps(problem))
        # A cheaper one without the limit: then the limit binds.
        free = Path(folder) / "free.json"
        free.write_text(json.dumps({"problem": {k: v for k, v in problem["problem"].items() if k != "usage_limit"}}))
        outcome = run_tool("llmpar-plan", "solve", file, "--json", "-o", plan)
        if exact is None or not outcome.ok:
            same = exact is None and outcome.code == 4
            return "" if same else f"seed {seed}: exact cost {exact}, llmpar-plan: {outcome.error or outcome.report}", True
        verified = run_tool("llmpar-plan", "verify", file, plan)
        unlimited = run_tool("llmpar-plan", "solve", free, "--json")
    cost, bound = outcome.report["cost"], outcome.report["lower_bound"]
    if not verified.ok:
        return f"seed {seed}: {verified.error}", True
    wrong = "" if cost == bound == exact else f"seed {seed}: exact cost {exact}, llmpar-plan: cost {cost}, bound {bound}"
    return wrong, unlimited.report.get("cost") != cost


@unittest.skipUnless(LLMPAR_PLAN.exists(), f"{LLMPAR_PLAN} is not built")
class AgainstExactSolver(unittest.TestCase):
    def test_medium_problems(self) -> None:
        with ProcessPoolExecutor(max_workers=os.cpu_count()) as pool:
            results = list(pool.map(compare, range(COUNT)))
        wrong = [text for text, _ in results if text]
        self.assertEqual(wrong, [], "\nto see one: plan_problems.medium_problem(seed)")
        self.assertGreater(sum(binding for _, binding in results), COUNT * 3 // 4, "the memory limit binds in most")


if __name__ == "__main__":
    unittest.main()
