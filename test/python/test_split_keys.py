"""Keys split through attention: chosen where it is cheaper, and right with uneven, empty and masked shards."""

from __future__ import annotations

import json
import math
import os
import subprocess
import tempfile
import unittest
from pathlib import Path

import numpy
import onnx
from onnx import TensorProto, helper, numpy_helper

import support  # noqa: F401  (finds the package)
from llmpar.cli import ROOT

LLMPAR = Path(os.environ.get("LLMPAR_BUILD", ROOT / "build")) / "bin" / "llmpar"
FLOAT = TensorProto.FLOAT


def value(name: str, shape: list, kind: int = FLOAT) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, shape)


def decoder(cache: int, heads: int, head_size: int) -> onnx.ModelProto:
    """One token of one sequence: projections, attention over one key head's cache that is written in place, output."""
    draw, width = numpy.random.default_rng(1), heads * head_size
    weights = {name: (draw.normal(size=(width, columns)) / math.sqrt(width)).astype(numpy.float32)
               for name, columns in (("wq", width), ("wk", head_size), ("wv", head_size), ("wo", width))}
    constants = {"total": numpy.array([cache], numpy.int32)}
    nodes = [helper.make_node("MatMul", ["x", f"w{name}"], [name], name=f"{name}_product") for name in "qkv"]
    nodes += [helper.make_node("GroupQueryAttention", ["q", "k", "v", "past_key", "past_value", "last", "total"],
                               ["y", "key", "value"], name="attention", domain="com.microsoft", num_heads=heads, kv_num_heads=1),
              helper.make_node("MatMul", ["y", "wo"], ["out"], name="o_product")]
    caches = [1, 1, cache, head_size]
    graph = helper.make_graph(
        nodes, "decoder",
        [value("x", [1, 1, width]), value("past_key", caches), value("past_value", caches), value("last", [1], TensorProto.INT32)],
        [value("out", [1, 1, width]), value("key", caches), value("value", caches)],
        [numpy_helper.from_array(array, name) for name, array in {**weights, **constants}.items()])
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=9)


def attention(queries: int, keys: int, op: str = "Softmax") -> onnx.ModelProto:
    """softmax(scores + mask) @ v."""
    nodes = [helper.make_node("Add", ["scores", "mask"], ["masked"], name="add"),
             helper.make_node(op, ["masked"], ["p"], axis=-1, name="softmax"),
             helper.make_node("MatMul", ["p", "v"], ["y"], name="product")]
    graph = helper.make_graph(nodes, "attention", [value("scores", [2, queries, keys]), value("mask", [queries, keys]), value("v", [2, keys, 6])],
                              [value("y", [2, queries, 6])])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)


class SplitKeysTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.at = Path(folder.name)

    def llmpar(self, *arguments: str) -> str:
        done = subprocess.run([LLMPAR, *arguments], cwd=self.at, capture_output=True, text=True, timeout=120)
        self.assertEqual(done.returncode, 0, f"{arguments}\n{done.stdout}{done.stderr}")
        return done.stdout

    def inputs(self, **arrays) -> list[str]:
        for name, array in arrays.items():
            numpy.save(self.at / f"{name}.npy", array)
        return [f"--input={name}=@{name}.npy" for name in arrays]

    def softmax_of(self, plan: dict) -> dict:
        return next(op for op in plan["ops"] if op["op"] == "softmax")

    def plan(self, *arguments: str) -> dict:
        self.llmpar("plan", "decoder.onnx", "--cluster", "cpu-8", *arguments, "-o", "plan.json")
        return json.loads((self.at / "plan.json").read_text())["plan"]

    def test_a_long_cache_of_one_key_head_is_split_by_keys(self):
        """Every device would read the whole cache to serve its query heads."""
        onnx.save(decoder(cache=16384, heads=4, head_size=128), self.at / "decoder.onnx")
        plan = self.plan()
        caches = {entry["name"]: entry["shard"] for entry in plan["inputs"]}
        self.assertIn("d4", self.softmax_of(plan)["shard"], plan["mesh"])
        self.assertNotEqual(caches["past_key"][2], "-", caches)
        self.assertLess(plan["predicted"]["seconds"], 0.7 * self.plan("--method", "data")["predicted"]["seconds"])
        self.assertIn("d4:", self.llmpar("plan", "decoder.onnx", "--cluster", "cpu-8", "--explain", "attention"))

    def test_a_short_cache_is_not(self):
        onnx.save(decoder(cache=64, heads=4, head_size=128), self.at / "decoder.onnx")
        self.assertNotIn("d4", self.softmax_of(self.plan())["shard"])

    def test_a_split_cache_decodes_as_one_device(self):
        for cache, ranks in ((13, 4), (3, 4), (5, 2)):
            with self.subTest(cache=cache, ranks=ranks):
                onnx.save(decoder(cache, heads=4, head_size=8), self.at / "decoder.onnx")
                draw = numpy.random.default_rng(2)
                arrays = {name: draw.normal(size=shape).astype(numpy.float32)
                          for name, shape in (("x", (1, 1, 32)), ("past_key", (1, 1, cache, 8)), ("past_value", (1, 1, cache, 8)))}
                arguments = ["decoder.onnx", "--mesh", f"tp={ranks}", "--shard", "past_*=[-,-,tp,-]",
                             *self.inputs(**arrays, last=numpy.array([cache // 2], numpy.int32))]
                self.llmpar("verify", *arguments)
                ir = self.llmpar("compile", *arguments, "--compile-to", "partition")
                self.assertNotIn("llmpar.softmax", ir)
                self.assertNotIn("llmpar.all_gather", ir)

    def test_attention_is_that_of_one_device(self):
        for op in ("Softmax", "LogSoftmax"):
            for keys, ranks in ((5, 4), (3, 4), (10, 4), (6, 8)):
                with self.subTest(op=op, keys=keys, ranks=ranks):
                    onnx.save(attention(7, keys, op), self.at / "attention.onnx")
                    draw = numpy.random.default_rng(3)
                    mask = numpy.zeros((7, keys), numpy.float32)
                    if op == "Softmax":
                        mask[0, 1:] = -numpy.inf  # all shards but the first are masked
                        mask[1, :-1] = -numpy.inf
                    scores, v = draw.normal(size=(2, 7, keys)).astype(numpy.float32) * 4, draw.normal(size=(2, keys, 6)).astype(numpy.float32)
                    for device in ("cpu", "reference"):
                        self.llmpar("verify", "attention.onnx", "--mesh", f"tp={ranks}", "--device", device,
                                    "--shard", "scores=[-,-,tp]", "--shard", "v=[-,tp,-]", *self.inputs(scores=scores, mask=mask, v=v))

    def test_a_row_without_keys_is_what_it_is_on_one_device(self):
        onnx.save(attention(2, 6), self.at / "attention.onnx")
        mask = numpy.zeros((2, 6), numpy.float32)
        mask[1] = -numpy.inf
        arrays = self.inputs(scores=numpy.ones((2, 2, 6), numpy.float32), mask=mask, v=numpy.ones((2, 6, 6), numpy.float32))
        results = []
        for flags in (["--mesh", "tp=4", "--shard", "scores=[-,-,tp]", "--shard", "v=[-,tp,-]"], []):
            self.llmpar("compile", "attention.onnx", *flags, "-o", "a.llmpar")
            self.llmpar("run", "a.llmpar", *arrays, "--output=y=@y.npy")
            results.append(numpy.load(self.at / "y.npy"))
        self.assertTrue(numpy.isnan(results[0][:, 1]).all() and numpy.isfinite(results[0][:, 0]).all())
        numpy.testing.assert_allclose(results[0], results[1], rtol=1e-6)


if __name__ == "__main__":
    unittest.main()
