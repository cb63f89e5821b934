"""`llmpar compare`: every method in one table, predicted and measured."""

from __future__ import annotations

import json
import re

from llmpar.zoo.llama import SIZES, build_llama
from test_plans import DIMS, USAGE, PlansTest

METHODS = ["single", "data", "tensor", "sequence", "gathered", "hybrid", "auto"]


class CompareTest(PlansTest):
    def compare(self, cluster: str, *flags: str) -> dict:
        return json.loads(self.llmpar("compare", "mlp.onnx", *DIMS, "--cluster", cluster, "--json", *flags).stdout)

    def test_every_method_is_a_row_and_auto_is_the_best(self):
        rows = self.compare("dgx-h100")["methods"]
        self.assertEqual([row["method"] for row in rows], METHODS)
        auto = rows[-1]
        for row in rows:
            self.assertTrue(row["ok"], row)
            self.assertAlmostEqual(row["step_s"], row["compute_s"] + row["exposed_communication_s"] + row["idle_s"], delta=1e-12)
            self.assertGreaterEqual(row["utilisation"], 0)
            self.assertLessEqual(row["utilisation"], 1)
            # A plan's cost has no overlap and no idle time: the compiled program's may differ a little.
            self.assertLessEqual(auto["step_s"], row["step_s"] * 1.05, row["method"])

    def test_a_method_that_moves_bytes_says_which(self):
        build_llama(self.at / "llama", SIZES["small"], weights=False)
        report = self.llmpar("compare", "llama/model.onnx", "--dim", "batch=8", "--dim", "seq=512", "--cluster", "dgx-h100", "--json")
        rows = {row["method"]: row for row in json.loads(report.stdout)["methods"]}
        self.assertEqual(rows["single"]["traffic"], [])
        self.assertTrue(any(entry["axis"] == "tp" and entry["bytes"] > 0 for entry in rows["tensor"]["traffic"]))
        self.assertEqual(sum(entry["bytes"] for entry in rows["data"]["traffic"]), 0)

    def test_a_method_without_a_mesh_is_a_row_that_says_why(self):
        rows = {row["method"]: row for row in self.compare("cpu-2")["methods"]}
        self.assertFalse(rows["hybrid"]["ok"])
        self.assertIn("splits the devices in two axes", rows["hybrid"]["why"])

    def test_measured_beside_predicted(self):
        rows = self.compare("cpu-2", "--measure", "--repeat", "3")["methods"]
        for row in rows:
            if row["ok"]:
                self.assertGreater(row["measured_s"], 0, row["method"])
                self.assertGreater(row["measured_bytes"], 0, row["method"])
                sent = sum(entry["bytes"] for entry in row["traffic"])
                self.assertEqual(sent > 0, row["measured_bytes_sent"] > 0, row["method"])

    def test_kernels_are_profiled_beside_their_prediction(self):
        rows = self.compare("cpu-2", "--measure", "--profile", "--repeat", "3")["methods"]
        for row in rows:
            if row["ok"]:
                self.assertIn("matmul few_rows" if row["method"] == "data" else "gather", [k["kernel"] for k in row["kernels"]], row["method"])
                for kernel in row["kernels"]:
                    self.assertGreater(kernel["calls"], 0)
                    self.assertGreater(kernel["predicted_s"], 0, kernel)
                    self.assertGreater(kernel["measured_s"], 0, kernel)
        table = self.llmpar("compare", "mlp.onnx", *DIMS, "--cluster", "cpu-2", "--measure", "--profile", "--repeat", "3").stdout
        self.assertRegex(table, r"single +gather +1 ")

    def test_memory_limits_every_search(self):
        free = self.compare("cpu-4")
        need = {row["method"]: row["weight_bytes"] + row["activation_bytes"] + row["workspace_bytes"] for row in free["methods"]}
        limit = max(need.values()) - 1
        tight = self.compare("cpu-4", f"--memory={limit}B")
        self.assertEqual(tight["device_memory_bytes"], limit)
        for row in tight["methods"]:
            if row["ok"] and need[row["method"]] <= limit:
                self.assertTrue(row["fits"], row["method"])
        none = self.llmpar("plan", "mlp.onnx", *DIMS, "--cluster", "cpu-4", "--memory=1B", code=4).stderr
        self.assertIn("1 B", none)

    def test_the_page_needs_nothing_beside_it(self):
        self.llmpar("compare", "mlp.onnx", *DIMS, "--cluster", "dgx-h100", "--html", "page.html")
        page = (self.at / "page.html").read_text()
        self.assertNotRegex(page, r"""(src|href)\s*=|@import|url\(""")
        self.assertEqual(page.count("<svg"), 3)
        self.assertEqual(page.count("<svg"), page.count("</svg>"))
        for method in METHODS:
            self.assertIn(f">{method}</text>", page)
        self.assertFalse(re.search(r"nan|inf\b", page))

    def test_other_machines_are_not_measured(self):
        message = self.fails("compare", "mlp.onnx", *DIMS, "--cluster", "dgx-h100", "--measure", code=USAGE)
        self.assertIn("which cluster 'dgx-h100' does not describe: choose cpu-N", message)

    def test_wrong_options_are_usage_errors(self):
        for flags, words in ([["--cluster", "dgx-h101"], "no cluster 'dgx-h101'"],
                             [["--cluster", "cpu-2", "--time-limit", "-3"], "--time-limit is a number of seconds above 0"]):
            self.assertIn(words, self.fails("plan", "mlp.onnx", *DIMS, *flags, code=USAGE))
        self.assertIn("has 3 ranks", self.fails("plan", "mlp.onnx", *DIMS, "--cluster", "cpu-2", "--mesh", "a=3", code=USAGE))

    def test_the_cluster_must_be_named(self):
        self.assertIn("which machines? Give --cluster", self.fails("compare", "mlp.onnx", *DIMS, code=USAGE))


if __name__ == "__main__":
    import unittest

    unittest.main()
