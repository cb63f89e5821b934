"""Why: `llmpar plan --explain` and `--remarks`, and what is said when no plan fits."""

from __future__ import annotations

import json
import re
import subprocess

from test_plans import COMPILE, DIMS, LLMPAR, OK, USAGE, PlansTest

DOES_NOT_FIT = 4
PLAN = ["plan", "mlp.onnx", *DIMS, "--cluster", "dgx-h100"]
TENSOR = [*PLAN, "--method", "tensor"]


class ExplainTest(PlansTest):
    def explain(self, *arguments: str) -> list[dict]:
        return json.loads(self.llmpar(*arguments, "--json").stdout)["explanations"]

    def test_a_weight_is_explained_by_the_op_that_uses_it(self):
        (answer,) = self.explain(*TENSOR, "--explain", "h.0.up")
        (decision,) = answer["decisions"]
        self.assertEqual(answer["about"], "h.0.up")
        self.assertEqual(decision["what"], "matmul 'h.0.up_product'")
        self.assertEqual(decision["type"], "tensor<8x20xf32>")
        runner_up = decision["runner_up"]
        self.assertNotEqual(runner_up["strategy"], decision["chosen"])
        self.assertGreaterEqual(runner_up["rise_s"], 0)
        parts = runner_up["own_rise_s"] + runner_up["resharding_rise_s"] + runner_up["neighbours_rise_s"]
        self.assertAlmostEqual(runner_up["rise_s"], parts, delta=1e-12)
        self.assertTrue(decision["all_free"]["is_best"])
        self.assertLessEqual(decision["all_free"]["rise_s"], runner_up["rise_s"] + 1e-12)
        self.assertGreaterEqual(decision["all_free"]["rise_s"], 0)

    def test_what_flips_a_decision_is_the_difference(self):
        (answer,) = self.explain(*TENSOR, "--explain", "h.0.up")
        runner_up = answer["decisions"][0]["runner_up"]
        found = re.search(r"took ([0-9.]+) (ns|us|ms) (less than its|more)", runner_up["flips"])
        self.assertTrue(found, runner_up["flips"])
        seconds = float(found[1]) * {"ns": 1e-9, "us": 1e-6, "ms": 1e-3}[found[2]]
        self.assertAlmostEqual(seconds, runner_up["rise_s"], delta=0.006 * {"ns": 1e-9, "us": 1e-6, "ms": 1e-3}[found[2]])

    def test_inputs_nodes_and_outputs(self):
        ids, node, output = self.explain(*TENSOR, "--explain", "ids", "--explain", "h.1.down_product", "--explain", "h2")
        self.assertEqual([d["what"] for d in ids["decisions"]], ["input 'ids'"])
        self.assertEqual([d["what"] for d in node["decisions"]], ["matmul 'h.1.down_product'", "result of matmul 'h.1.down_product'"])
        self.assertEqual(output["decisions"], node["decisions"])

    def test_a_method_stands_beside_the_plan(self):
        (answer,) = self.explain(*PLAN, "--explain", "tensor")
        self.assertEqual(answer["decisions"], [])
        chosen, other = answer["method"]["chosen"], answer["method"]["other"]
        self.assertEqual((chosen["method"], other["method"], other["mesh"]), ("auto", "tensor", "tp=8"))
        self.assertGreaterEqual(other["time_s"], chosen["time_s"] - 1e-12)
        for cost in (chosen, other):
            self.assertAlmostEqual(cost["time_s"], cost["compute_s"] + cost["communication_s"], delta=1e-11)
            self.assertLessEqual(cost["weight_bytes"], cost["peak_bytes"])
        rise = sum(part["compute_rise_s"] + part["communication_rise_s"] for part in answer["method"]["differences"])
        self.assertAlmostEqual(rise, other["time_s"] - chosen["time_s"], delta=1e-11)

    def test_tables(self):
        text = self.llmpar(*TENSOR, "--explain", "h.0.up", "--explain", "data").stdout
        for expected in ("matmul 'h.0.up_product' : tensor<8x20xf32>", "  chosen ", "  runner-up ", "would be chosen ", "  all free "):
            self.assertIn(expected, text)
        self.assertRegex(text, r"\ndata +dp=8 ")

    def test_an_unknown_name_is_refused_with_the_nearest(self):
        error = self.fails(*PLAN, "--explain", "h.0.upp", code=USAGE)
        self.assertIn("--explain=h.0.upp: 'h.0.upp' is no input, weight, output or node of the model: did you mean 'h.0.up'", error)

    def test_remarks_name_every_op(self):
        error = self.llmpar(*TENSOR, "--remarks").stderr
        remarks = [line for line in error.splitlines() if line.startswith("remark: ")]
        self.assertEqual(len(remarks), 7, error)
        self.assertRegex(remarks[1], r"node 'h\.0\.up_product': \[Passed\] decision .*Chosen=.*Difference=.*Flips=.*RunnerUp=")
        self.assertNotIn("remark", self.llmpar(*TENSOR).stderr)


class DoesNotFitTest(PlansTest):
    """The embedding takes 1440 bytes, a layer 1920."""

    def cluster(self, memory: str) -> list[str]:
        text = subprocess.run([LLMPAR, "cluster", "show", "cpu-2"], capture_output=True, text=True, check=True).stdout
        (self.at / "small.yaml").write_text(re.sub(r"(\n    memory:) [^\n]*", rf"\1 {memory}", text))
        return ["--cluster", "small.yaml"]

    def test_every_command_ends_with_4(self):
        small = ["mlp.onnx", *DIMS, *self.cluster("1 KiB")]
        for command in (["plan"], ["compile", "--layout", "auto"], ["run", "--layout", "auto", "--input=ids=@ids.npy"]):
            self.assertIn("no plan of method 'auto' fits into a device of", self.fails(command[0], *small, *command[1:], code=DOES_NOT_FIT))

    def test_a_method_in_conflict_with_the_memory_and_the_ways_out(self):
        error = self.fails("plan", "mlp.onnx", *DIMS, *self.cluster("4 KiB"), "--method", "data", code=DOES_NOT_FIT)
        self.assertIn("no plan of method 'data' fits into a device of", error)
        self.assertIn("in conflict: method 'data', 4.0 KiB of memory; ways out: method 'auto' on x=2 (", error)
        self.assertRegex(error, r"bf16 in place of f32 \([0-9.]+ KiB, estimated\)")

    def test_with_enough_memory_there_is_a_plan(self):
        self.llmpar("plan", "mlp.onnx", *DIMS, *self.cluster("8 KiB"), "--method", "data", code=OK)

    def test_an_error_of_the_model_is_still_1(self):
        (self.at / "broken.onnx").write_bytes(b"\xff\xff")
        self.fails("plan", "broken.onnx", "--cluster", "cpu-2", code=COMPILE)
