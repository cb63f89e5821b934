"""Mixtures of experts, in the two forms that exporters write: raised, split, and equal to the graph as it stands."""

from __future__ import annotations

import json
import os
import unittest
from pathlib import Path

import numpy
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from llmpar.cli import parse_layouts, run_llmpar
from test_plans import COMPILE, PlansTest

BATCH, LENGTH, WIDTH, INNER, EXPERTS, CHOSEN = 4, 3, 12, 10, 6, 2
LAYOUTS = "single expert:ep=2 expert:ep=4 tensor=2 data=2 auto:x=2,y=2"  # 6 experts over 4 ranks: uneven


def weights() -> dict[str, numpy.ndarray]:
    draw = numpy.random.default_rng(5)
    shapes = {"router": (WIDTH, EXPERTS), "gate": (EXPERTS, INNER, WIDTH), "up": (EXPERTS, INNER, WIDTH), "down": (EXPERTS, WIDTH, INNER)}
    return {name: draw.normal(size=shape).astype(numpy.float32) / 2 for name, shape in shapes.items()}


class Graph:
    def __init__(self):
        self.nodes, self.weights = [], {}

    def __call__(self, op: str, *inputs: str, to: str, **attributes) -> str:
        outputs = to.split()
        self.nodes.append(helper.make_node(op, inputs, outputs, name=f"{op}.{outputs[0]}", **attributes))
        return outputs[0]

    def weight(self, name: str, value) -> str:
        self.weights[name] = numpy.asarray(value)
        return name

    def save(self, path: Path) -> None:
        graph = helper.make_graph(
            self.nodes, "mixture", [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", LENGTH, WIDTH])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", LENGTH, WIDTH])],
            [numpy_helper.from_array(value, name) for name, value in self.weights.items()])
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), path)


def router(g: Graph, x: str) -> None:
    """`scores`: the normalized weights of the chosen experts; `chosen`: their numbers."""
    probabilities = g("Softmax", g("MatMul", x, g.weight("router", weights()["router"]), to="logits"), to="probabilities", axis=-1)
    g("TopK", probabilities, g.weight("k", numpy.array([CHOSEN])), to="top chosen", axis=-1)
    g("Div", "top", g("ReduceSum", "top", g.weight("last", numpy.array([-1])), to="total", keepdims=1), to="scores")


def silu(g: Graph, x: str, to: str) -> str:
    return g("Mul", x, g("Sigmoid", x, to=f"{to}.sigmoid"), to=to)


def unrolled(values: dict[str, numpy.ndarray]) -> Graph:
    """A subgraph for each expert, which computes every token; columns of weights from comparing indices."""
    g = Graph()
    router(g, "x")
    total = ""
    for e in range(EXPERTS):
        name = f"experts.{e}."
        part = {p: g.weight(f"{name}{p}.weight", values[p][e].T.copy()) for p in ("gate", "up", "down")}
        inner = g("Mul", silu(g, g("MatMul", "x", part["gate"], to=name + "g"), name + "a"), g("MatMul", "x", part["up"], to=name + "u"), to=name + "i")
        is_chosen = cast(g, g("Equal", "chosen", g.weight(name + "number", numpy.array(e)), to=name + "equal"), name + "mask")
        column = g("ReduceSum", g("Mul", "scores", is_chosen, to=name + "masked"), "last", to=name + "column", keepdims=1)
        term = g("Mul", g("MatMul", inner, part["down"], to=name + "d"), column, to=name + "y")
        total = g("Add", total, term, to=name + "sum") if total else term
    g("Add", "x", total, to="y")
    return g


def cast(g: Graph, x: str, to: str) -> str:
    g.nodes.append(helper.make_node("Cast", [x], [to], name=f"Cast.{to}", to=TensorProto.FLOAT))
    return to


def gathered(values: dict[str, numpy.ndarray]) -> Graph:
    """The matrices of every token's experts, gate and up packed."""
    g = Graph()
    shape = lambda name, *dims: g.weight(name, numpy.array(dims))  # noqa: E731
    g("Reshape", "x", shape("flat", -1, WIDTH), to="tokens")
    router(g, "tokens")
    packed = g.weight("gate_up", numpy.concatenate([values["gate"], values["up"]], axis=1))
    at = g("Reshape", "chosen", shape("column", -1, 1), to="at")
    repeated = g("Expand", g("Unsqueeze", "tokens", g.weight("one", numpy.array([1])), to="tokens1"), shape("times", 1, CHOSEN, 1), to="repeated")
    rows = g("Reshape", repeated, shape("vectors", -1, WIDTH, 1), to="rows")
    hidden = g("Reshape", g("MatMul", g("GatherND", packed, at, to="w1"), rows, to="h1"), shape("wide", -1, 2 * INNER), to="h")
    g("Split", hidden, to="g u", axis=1, num_outputs=2)
    inner = g("Reshape", g("Mul", silu(g, "g", "a"), "u", to="i"), shape("inner", -1, INNER, 1), to="i1")
    result = g("MatMul", g("GatherND", g.weight("down", values["down"]), at, to="w2"), inner, to="d1")
    scaled = g("Mul", g("Reshape", result, shape("narrow", -1, WIDTH), to="d"), g("Reshape", "scores", "column", to="scale"), to="scaled")
    total = g("ReduceSum", g("Reshape", scaled, shape("by_token", -1, CHOSEN, WIDTH), to="parts"), "one", to="sum", keepdims=0)
    g("Add", "x", g("Reshape", total, shape("back", -1, LENGTH, WIDTH), to="mixed"), to="y")
    return g


class ExpertsTest(PlansTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.x = numpy.random.default_rng(3).normal(size=(BATCH, LENGTH, WIDTH)).astype(numpy.float32)
        for form in (unrolled, gathered):
            folder = cls.at / form.__name__
            (folder / "test_data_set_0").mkdir(parents=True)
            form(weights()).save(folder / "model.onnx")
            (expected,) = ReferenceEvaluator(str(folder / "model.onnx")).run(None, {"x": cls.x})
            for name, value in {"input_0": cls.x, "output_0": expected}.items():
                (folder / "test_data_set_0" / f"{name}.pb").write_bytes(numpy_helper.from_array(value, "x" if name.startswith("input") else "y").SerializeToString())

    def test_every_layout_gives_what_the_graph_gives(self):
        for form in ("unrolled", "gathered"):
            for layout in parse_layouts(LAYOUTS):
                with self.subTest(form=form, layout=layout.text):
                    outcome = run_llmpar("verify", self.at / form / "model.onnx", "--data", self.at / form / "test_data_set_0", *layout.flags(), "--json")
                    self.assertTrue(outcome.ok, outcome.error)

    def compile_to(self, phase: str, form: str, *flags: str, batch: int = BATCH) -> str:
        return self.llmpar("compile", f"{form}/model.onnx", "--dim", f"batch={batch}", f"--compile-to={phase}", *flags).stdout

    def test_both_forms_become_one_op(self):
        for form in ("unrolled", "gathered"):
            with self.subTest(form):
                self.assertEqual(self.compile_to("simplify", form).count("llmpar.experts "), 0)
                self.assertEqual(self.compile_to("fuse", form).count("llmpar.experts "), 1)

    def test_tokens_are_sent_to_their_experts_and_back(self):
        # Many tokens and more ranks than a token has experts: else gathering them all is as cheap.
        text = self.compile_to("partition", "unrolled", "--layout", "expert", "--mesh", "ep=6", batch=6000)
        self.assertEqual(text.count("llmpar.dispatch \"ep\""), 1)
        self.assertEqual(text.count("llmpar.combine \"ep\""), 1)

    def test_a_rank_reads_the_weights_of_its_experts_only(self):
        text = self.compile_to("lower", "unrolled", "--layout", "expert", "--mesh", "ep=3")
        ranks = text.split("llmpar_rt.rank ")[1:]
        self.assertEqual(len(ranks), 3)
        for rank in ranks:
            loads = [line for line in rank.splitlines() if "llmpar_rt.load \"experts.*.up.weight\"" in line]
            self.assertEqual(len(loads), EXPERTS // 3)

    def test_an_expert_that_is_not_chosen_may_hold_anything(self):
        values = weights()
        values["down"][4] = numpy.nan
        graph = unrolled(values)
        graph.weights["router"] *= 0  # equal scores: the top-k takes the first experts
        (self.at / "nan").mkdir(exist_ok=True)
        graph.save(self.at / "nan" / "model.onnx")
        numpy.save(self.at / "nan" / "x.npy", self.x)
        self.llmpar("run", "nan/model.onnx", "--input=x=@nan/x.npy", "--output=y=@nan/y.npy")
        self.assertTrue(numpy.isfinite(numpy.load(self.at / "nan" / "y.npy")).all())

    def test_compare_has_a_row_for_it_only_where_there_are_experts(self):
        methods = {}
        for model in ("unrolled/model.onnx", "mlp.onnx"):
            report = self.llmpar("compare", model, "--dim", f"batch={BATCH}", "--cluster", "dgx-h100", "--json")
            methods[model] = {row["method"]: row for row in json.loads(report.stdout)["methods"]}
        self.assertNotIn("expert", methods["mlp.onnx"])
        row = methods["unrolled/model.onnx"]["expert"]
        self.assertTrue(row["ok"], row)
        self.assertEqual(row["mesh"], "ep=8")

    def test_a_model_without_experts_is_refused(self):
        message = self.fails("plan", "mlp.onnx", "--dim", "batch=4", "--cluster", "cpu-2", "--method", "expert", code=COMPILE)
        self.assertIn("the model has no mixture of experts, which method 'expert' splits: choose another method, e.g. tensor or auto", message)

    def test_megatron_gets_the_degree_of_expert_parallelism(self):
        text = self.llmpar("export", "unrolled/model.onnx", "--dim", f"batch={BATCH}", "--layout", "expert", "--mesh", "ep=2", "--to", "megatron", "-o", "-").stdout
        self.assertIn("--expert-model-parallel-size 2", text)
        self.assertIn("--tensor-model-parallel-size 1", text)

    def test_a_stack_of_weights_is_exported_as_what_it_is(self):
        text = self.llmpar("export", "unrolled/model.onnx", "--dim", f"batch={BATCH}", "--layout", "expert", "--mesh", "ep=2", "--to", "jax", "-o", "-").stdout
        self.assertIn('"experts.*.up.weight": P("ep", None, None)', text)
        self.assertIn(f"lost: experts.*.up.weight is no tensor of the file: it stacks {EXPERTS} of them in dimension 0", text)


@unittest.skipUnless(os.environ.get("LLMPAR_TEST_DATA"), "LLMPAR_TEST_DATA names no folder of models")
class RealMixturesTest(unittest.TestCase):
    def test_outputs_are_the_expected_ones(self):
        # Not model.contrib.onnx: the outputs of its attention are not the expected ones, with or without experts.
        models = [file for file in sorted(Path(os.environ["LLMPAR_TEST_DATA"]).glob("*/mixtral*/model*.onnx")) if "contrib" not in file.name]
        self.assertTrue(models, "no mixtral below LLMPAR_TEST_DATA")
        for model in models:
            for layout in parse_layouts("single expert:ep=2 expert:ep=4 auto:x=2,y=2"):
                with self.subTest(model=model.name, layout=layout.text):
                    outcome = run_llmpar("verify", model, "--data", model.parent / "test_data_set_0", *layout.flags(), "--json")
                    self.assertTrue(outcome.ok, outcome.error)


if __name__ == "__main__":
    unittest.main()
