"""What the ONNX importer refuses, and what operators mean in the opsets before they changed."""

from __future__ import annotations

import os
import subprocess
import tempfile
import unittest
from pathlib import Path

import numpy as np
import onnx
import onnx.parser
import onnxruntime
from onnx import numpy_helper

import support

LLMPAR = Path(os.environ.get("LLMPAR_BUILD", support.ROOT / "build")) / "bin" / "llmpar"


def model(opset: int, body: str, inputs: str = "float[2,3,4] x", outputs: str = "y", contrib: bool = False) -> str:
    """A model of one graph; outputs have no declared shape."""
    domains = f'"" : {opset}' + (', "com.microsoft" : 1' if contrib else "")
    results = ", ".join(f"float {name}" if " " not in name else name for name in outputs.split(", "))
    return f"<ir_version: 8, opset_import: [{domains}]>\nmodel ({inputs}) => ({results}) {{ {body} }}"


# (opset, body, what the message says); the node is called "n".
REFUSED = [
    (18, "[n] y = Relu<alpha = 1.0>(x)", "node 'n' (Relu): attribute 'alpha' is not known; in opset 18 the operator has none"),
    (18, "[n] y = Elu<alfa = 1.0>(x)", "attribute 'alfa' is not known; in opset 18 the operator has alpha"),
    (18, "[n] y = Elu<alpha = 1.0, alpha = 2.0>(x)", "attribute 'alpha' is given twice"),
    (18, "[n] y = Elu<alpha = 1>(x)", "attribute 'alpha' is of type INT, not FLOAT"),
    (18, "[n] y = Squeeze<axes = [0]>(x)", "attribute 'axes' is not known; in opset 18 the operator has none"),
    (12, "[n] y = ReduceSum<noop_with_empty_axes = 1>(x)", "in opset 12 the operator has axes, keepdims"),
    (18, "[n] y = Cast(x)", "attribute 'to' is missing"),
    (18, "[n] y = Concat(x, x)", "attribute 'axis' is missing"),
    (18, "[n] y = Add(x, x, x)", "node 'n' (Add): has 3 inputs; supported are 2 in opset 18"),
    (18, "[n] y = Add(x)", "has 1 inputs; supported are 2 in opset 18"),
    (9, "a = Constant<value = int64[1] {0}>() [n] y = Squeeze(x, a)", "has 2 inputs; supported are 1 in opset 9"),
    (18, "[n] y, z = Relu(x)", "has 2 outputs; supported are 1 in opset 18"),
    (29, "[n] y = Relu(x)", "node 'n' (Relu): opset 29 is not supported, only 6 to 28"),
    (5, "[n] y = Relu(x)", "opset 5 is not supported, only 6 to 28"),
    (10, "[n] y = Round(x)", "opset 10 is not supported, only 11 to 28"),
    (18, "a = Constant<value = int64[2] {0, 0}>() [n] y = Unsqueeze(x, a)", "axis 0 occurs twice"),
    (18, "a = Constant<value = int64[2] {0, 0}>() [n] y = ReduceMax(x, a)", "axis 0 occurs twice"),
    (13, "[n] y = ReduceMax<axes = [1, -2]>(x)", "axis -2 occurs twice"),
    (18, "a = Constant<value = int64[2] {1, 1}>() b = Unsqueeze(x, c) c = Constant<value = int64[1] {1}>()"
         " [n] y = Squeeze(b, a)", "axis 1 occurs twice"),
    (18, "[n] y = Transpose<perm = [0, 1, 1]>(x)", "axis 1 occurs twice"),
    (18, "[n] y = Transpose<perm = [0, 1]>(x)", "perm has 2 entries for 3 dimensions"),
    (18, "a = Constant<value = int64[2] {0, 0}>() b = Constant<value = int64[2] {1, 1}>() [n] y = Slice(x, a, b, a)",
     "axis 0 occurs twice"),
    (18, "a = Constant<value = int64[2] {0, 0}>() b = Constant<value = int64[4] {1, 1, 1, 1}>() [n] y = Pad(x, b, , a)",
     "axis 0 occurs twice"),
    (18, "[n] y = MeanVarianceNormalization<axes = [0, 0]>(x)", "axis 0 occurs twice"),
    (18, "b = Constant<value = int64[6] {1, 1, 1, 1, 1, 1}>() [n] y = Pad<mode = \"wrap\">(x, b)", "mode 'wrap' came with opset 19"),
    (19, "b = Constant<value = int64[6] {1, 1, 1, 1, 1, 1}>() [n] y = Pad<mode = \"fold\">(x, b)",
     "mode 'fold' is not supported; choose one of constant, reflect, edge, wrap"),
    (20, "[n] y = Gelu<approximate = \"sine\">(x)", "approximate 'sine' is not supported; choose one of none, tanh"),
    (13, "[n] y, z = Split<axis = 1>(x)", "2 equal parts do not divide 3: give their sizes"),
    (18, "a = Constant<value = int64[2] {1, 1}>() [n] y, z = Split<axis = 1>(x, a)", "its parts do not add up to 3"),
    (18, "[n] y, z = Split<axis = 1, num_outputs = 3>(x)", "makes 3 parts for 2 outputs"),
    (18, "a = Constant<value = int64[2] {-1, -1}>() [n] y = Reshape(x, a)", "shape has -1 twice"),
    (18, "a = Constant<value = int64[4] {2, 3, 4, 0}>() [n] y = Reshape(x, a)", "shape copies dimension 3 of an input of 3 dimensions"),
    (18, "a = Constant<value = int64[2] {0, -1}>() [n] y = Reshape<allowzero = 1>(x, a)", "shape has both 0 and -1 with allowzero"),
    (18, "[n] y = Flatten<axis = 4>(x)", "axis 4 is outside rank 3"),
    (18, "[n] y = LpNormalization<p = 3>(x)", "p = 3 is not supported, only 1 and 2"),
    (18, "w = Constant<value = float[5, 3, 1] {0,1,2,3,4,5,6,7,8,9,10,11,12,13,14}>() [n] y = Conv<kernel_shape = [2]>(x, w)",
     "kernel_shape is not that of its weight"),
    (18, "s = Constant<value = float[3] {1, 2, 3}>() [n] y = BatchNormalization<training_mode = 1>(x, s, s, s, s)",
     "training_mode = 1 is not supported, only 0"),
]
CONTRIB_REFUSED = [
    ("[n] y = com.microsoft.FusedMatMul<transBatchA = 1>(x, x)", "node 'n' (FusedMatMul, com.microsoft): transBatchA = 1 is not supported, only 0"),
    ("[n] y = com.microsoft.BiasGelu<alpha = 1.0>(x, x)", "attribute 'alpha' is not known; in opset 1 the operator has none"),
]

# (opsets, body): equal to ONNX Runtime in each. `{axes}` is an attribute before an opset and an input from it on.
CHANGED = [
    ([9, 11, 12, 13, 18], "y = Softmax(x)"),
    ([9, 12, 13], "y = Softmax<axis = 1>(x)"),
    ([9, 12, 13], "y = LogSoftmax<axis = 1>(x)"),
    ([9, 12, 13], "y = Hardmax(x)"),
    ([9, 10, 12, 13, 22], "y = Dropout(x)"),
    ([7, 10, 12], "y = ReduceSum<axes = [0, 2]>(x)"),
    ([13, 18, 24], "a = Constant<value = int64[2] {0, 2}>() y = ReduceSum(x, a)"),
    ([13, 18], "a = Constant<value = int64[0] {}>() y = ReduceSum<noop_with_empty_axes = 1>(x, a)"),
    ([9, 13, 17], "y = ReduceMean<axes = [1], keepdims = 0>(x)"),
    ([18, 24], "a = Constant<value = int64[1] {-2}>() y = ReduceMean<keepdims = 0>(x, a)"),
    ([9, 10], "y = Clip<min = -0.5, max = 0.5>(x)"),
    ([11, 12, 13], "a = Constant<value = float {0.5}>() b = Constant<value = float {-0.25}>() y = Clip(x, a, b)"),
    ([9, 12], "y = Unsqueeze<axes = [0, 2]>(x)"),
    ([13, 23], "a = Constant<value = int64[2] {2, 0}>() y = Unsqueeze(x, a)"),
    ([9], "y = Slice<starts = [0, 1], ends = [1, 99], axes = [1, 2]>(x)"),
    ([10, 11, 13], "a = Constant<value = int64[2] {2, 0}>() b = Constant<value = int64[2] {1, 2}>()"
                   " s = Constant<value = int64[2] {3, -4}>() t = Constant<value = int64[2] {-1, 2}>()"
                   " e = Constant<value = int64[2] {-9, 99}>() y = Slice(x, s, e, b, t)"),
    ([9, 11], "y, z = Split<axis = 2, split = [1, 3]>(x)"),
    ([9, 13], "y, z = Split<axis = 2>(x)"),
    ([18, 24], "y, z = Split<axis = 1, num_outputs = 2>(x)"),
    ([13, 18], "a = Constant<value = int64[2] {1, 3}>() y, z = Split<axis = 2>(x, a)"),
    ([9, 10], "y = Pad<pads = [0, 1, 0, 0, 0, 2], value = 2.5>(x)"),
    ([11, 13, 18], "a = Constant<value = int64[6] {0, 1, 0, 0, 0, 2}>() y = Pad<mode = \"reflect\">(x, a)"),
    ([18, 21], "a = Constant<value = int64[2] {1, 2}>() b = Constant<value = int64[1] {-1}>() y = Pad<mode = \"edge\">(x, a, , b)"),
    ([9], "y, z = TopK<k = 2, axis = 1>(x)"),
    ([10, 11], "k = Constant<value = int64[1] {2}>() y, z = TopK(x, k)"),
    ([11], "k = Constant<value = int64[1] {3}>() y, z = TopK<largest = 0, axis = 1>(x, k)"),
    ([9, 13, 14, 15], "s = Constant<value = float[3] {1, 2, 3}>() y = BatchNormalization(x, s, s, s, s)"),
    ([9, 11, 13], "y = ArgMax<axis = 1>(x)"),
    ([12, 13], "y = ArgMin<axis = -1, select_last_index = 1, keepdims = 0>(x)"),
    ([9, 13], "y = Flatten<axis = 2>(x)"),
    ([11, 13], "y = Flatten<axis = -1>(x)"),
    ([9, 13, 14], "a = Constant<value = int64[2] {0, -1}>() y = Reshape(x, a)"),
    ([15, 19], "y = Shape<start = 1, end = -1>(x)"),
    ([9, 13], "y = Shape(x)"),
    ([17], "s = Constant<value = float[4] {1, 2, 3, 4}>() y, m, v = LayerNormalization(x, s)"),
    ([9, 11], "y = LayerNormalization(x, s) s = Constant<value = float[4] {1, 2, 3, 4}>()"),
    ([21], "s = Constant<value = float[3] {1, 2, 3}>() y = GroupNormalization<num_groups = 3>(x, s, s)"),
    ([9, 12], "s = Constant<value = float[3, 1] {1, 2, 3}>() y = PRelu(x, s)"),
    ([9, 12, 13, 15], "two = Constant<value = float {2.5}>() a = Abs(x) y = Pow(a, two)"),
    ([9, 13], "y = Max(x, x)"),
    ([9, 11, 13], "y = Gather<axis = 1>(x, i) i = Constant<value = int64[2] {2, 0}>()"),
]
# What ONNX Runtime calls an output's type; the parser wants one declared.
INTEGER_OUTPUTS = {"z": ("TopK",), "y": ("ArgMax", "ArgMin", "Shape")}


def outputs_of(body: str) -> str:
    names = "y, z" if "y, z =" in body else "y, m, v" if "y, m, v =" in body else "y"
    return ", ".join(f"int64 {n}" if any(op + "(" in body or op + "<" in body for op in INTEGER_OUTPUTS.get(n, ())) else n
                     for n in names.split(", "))


class Import(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        if not LLMPAR.exists():
            raise FileNotFoundError(f"{LLMPAR} is not built: run tools/dev/setup.sh, or set LLMPAR_BUILD")

    def setUp(self) -> None:
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.folder = Path(holder.name)

    def write(self, text: str) -> Path:
        path = self.folder / "model.onnx"
        path.write_bytes(onnx.parser.parse_model(text).SerializeToString())
        return path

    def run_llmpar(self, *arguments: object) -> subprocess.CompletedProcess:
        return subprocess.run([LLMPAR, *map(str, arguments)], capture_output=True, text=True, timeout=60)

    def assert_refused(self, text: str, message: str) -> None:
        result = self.run_llmpar("compile", self.write(text), "--compile-to=import", "-o", "-")
        self.assertEqual(result.returncode, 1, result.stdout + result.stderr)
        self.assertIn("model.onnx", result.stderr)
        self.assertIn(message, result.stderr)
        self.assertEqual(result.stderr.count("error"), 1, result.stderr)

    def test_what_the_table_does_not_allow_is_one_error(self) -> None:
        for opset, body, message in REFUSED:
            with self.subTest(f"{body} in opset {opset}"):
                self.assert_refused(model(opset, body), message)

    def test_contrib_operators_are_held_against_the_table_too(self) -> None:
        for body, message in CONTRIB_REFUSED:
            with self.subTest(body):
                self.assert_refused(model(18, body, "float[4, 4] x", contrib=True), message)

    def test_calls_of_functions_are_held_against_the_function(self) -> None:
        function = '<domain: "f", opset_import: ["" : 18]> twice <scale> (a) => (b) { b = Add(a, a) }'
        for body, message in (("[n] y = f.twice<factor = 1.0>(x)", "attribute 'factor' is not known; the function has scale"),
                              ("[n] y = f.twice(x, x)", "node 'n' (twice, f): has 2 inputs; the function takes 1"),
                              ("[n] y, z = f.twice(x)", "has 2 outputs; the function gives 1")):
            with self.subTest(body):
                self.assert_refused(model(18, body).replace('"" : 18', '"" : 18, "f" : 1') + "\n" + function, message)

    def test_an_unchanged_operator_imports_in_a_newer_opset(self) -> None:
        result = self.run_llmpar("compile", self.write(model(28, "y = Relu(x)")), "--compile-to=import", "-o", "-")
        self.assertEqual(result.returncode, 0, result.stderr)

    def test_operators_mean_what_they_did_in_each_opset(self) -> None:
        x = np.random.default_rng(3).standard_normal((2, 3, 4)).astype(np.float32)
        for opsets, body in CHANGED:
            for opset in opsets:
                with self.subTest(f"{body} in opset {opset}"):
                    self.compare_with_onnxruntime(model(opset, body, outputs=outputs_of(body)), x)

    def compare_with_onnxruntime(self, text: str, x: np.ndarray) -> None:
        path = self.write(text)
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        expected = onnxruntime.InferenceSession(path, options, ["CPUExecutionProvider"]).run(None, {"x": x})
        data = self.folder / "test_data_set_0"
        data.mkdir(exist_ok=True)
        for stale in data.iterdir():
            stale.unlink()
        (data / "input_0.pb").write_bytes(numpy_helper.from_array(x, "x").SerializeToString())
        names = [output.name for output in onnx.load(path).graph.output]
        for i, (name, value) in enumerate(zip(names, expected)):
            (data / f"output_{i}.pb").write_bytes(numpy_helper.from_array(value, name).SerializeToString())
        result = self.run_llmpar("verify", path, "--data", data, "--layout", "single", "--device", "reference")
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)


if __name__ == "__main__":
    unittest.main()
