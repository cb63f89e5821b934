"""The parsing and judging code of tools/dev."""

import contextlib
import io
import tempfile
import unittest
import unittest.mock
from pathlib import Path

import numpy as np
import onnx

import support  # noqa: F401  (finds the scripts)
import check_includes
import check_onnx_ops
import check_ops
import fuzz_layouts
import onnx_node_tests
import verify_models
from llmpar.cli import interpret


class CheckIncludesTest(unittest.TestCase):
    def test_rules(self):
        allowed = [("Core", "llmpar/Abi/DType.h"), ("Lowering", "llmpar/Planner/PackBuffers.h"), ("Driver", "llmpar/Exec/Exec.h"),
                   ("Core", "llvm/ADT/ArrayRef.h"), ("runtime", "llmpar/Abi/Kernels.def"), ("Frontend", "OnnxFile.h"),
                   ("Dialect", "mlir/IR/Builders.h"), ("runtime", "core/Status.h")]
        refused = [("Core", "mlir/IR/Builders.h"), ("Abi", "llvm/ADT/ArrayRef.h"), ("Partition", "llmpar/Cost/OpCost.h"),
                   ("Lowering", "llmpar/Planner/Plan.h"), ("Frontend", "llmpar/Partition/Passes.h"),
                   ("runtime", "llmpar/Core/Mesh.h"), ("runtime", "llvm/ADT/ArrayRef.h"), ("Exec", "core/Status.h"),
                   ("Core", "llmpar/Utils/Misc.h")]
        for folder, path in allowed:
            self.assertEqual(check_includes.complaint(folder, path), "", (folder, path))
        for folder, path in refused:
            self.assertNotEqual(check_includes.complaint(folder, path), "", (folder, path))

    def test_includes_are_found_with_their_lines(self):
        text = '#include "a/b.h"\n// #include "no.h"\n  #  include <c>\ninclude "d.td"\n'
        self.assertEqual(check_includes.includes(text), [(1, "a/b.h"), (3, "c"), (4, "d.td")])


class CheckOpsTest(unittest.TestCase):
    def test_ops_are_read_from_tablegen(self):
        text = 'def FooOp : FactorOp<"foo", "">;\ndef BarOp : InferredFactorOp<"bar_baz", "a -> a", "a"> {\ndef MeshOp : Llmpar_Op<"mesh">'
        self.assertEqual(check_ops.factor_ops(text), [("foo", "FooOp"), ("bar_baz", "BarOp")])

    def test_kernels_know_whether_they_hold_numbers(self):
        text = 'LLMPAR_KERNEL(select, "c a b", "y", "", "")   // comment\nLLMPAR_KERNEL(pad, "x", "y", "mode low...", "value")\n'
        self.assertEqual(check_ops.kernels(text), {"select": False, "pad": True})


class CheckOnnxOpsTest(unittest.TestCase):
    def test_the_table_agrees_with_the_packages(self):
        self.assertEqual(check_onnx_ops.check(check_onnx_ops.TABLE.read_text()), [])

    def test_words_hold_in_their_opsets(self):
        column = "keepdims axes!<13 noop>=18"
        self.assertEqual(check_onnx_ops.words(column, 12), ["keepdims", "axes!"])
        self.assertEqual(check_onnx_ops.words(column, 13), ["keepdims"])
        self.assertEqual(check_onnx_ops.words(column, 18), ["keepdims", "noop"])
        self.assertEqual(check_onnx_ops.count_range("1<13 1-2", 13), (1, 2))

    def test_each_kind_of_drift_is_found(self):
        text = check_onnx_ops.TABLE.read_text()
        for old, new, expected in (
                ('"Relu", "6 13 14"', '"Relu", "6 13"', "Relu (6 to 28): lists versions [6, 13], the schema has [6, 13, 14]"),
                ('"Scatter", "9", 10', '"Scatter", "9", 9', "ends at 9, but does not change in opset 10"),
                ('axes<18 keepdims', 'axis<18 keepdims', "has no attribute 'axis'"),
                ('"axis!", ""', '"axis", ""', "requires attributes ['axis'], the table []"),
                ('importWhere, "", "3"', 'importWhere, "", "3-4"', "takes 3 to 3 inputs, the table 3 to 4"),
                ('"Relu"', '"Reluu"', "Reluu (6 to 28): neither onnx nor onnxruntime has it"),
                ("#define ONNX_LATEST 28", "#define ONNX_LATEST 27", "ONNX_LATEST is 27")):
            self.assertIn(old, text)
            self.assertIn(expected, "\n".join(check_onnx_ops.check(text.replace(old, new))))


class FuzzTest(unittest.TestCase):
    def test_no_cases_is_a_usage_error(self):
        with unittest.mock.patch("sys.argv", ["fuzz_layouts.py", "--count", "0"]), contextlib.redirect_stderr(io.StringIO()) as errors, \
                self.assertRaises(SystemExit) as exit_code:
            fuzz_layouts.parse()
        self.assertEqual(exit_code.exception.code, 2)
        self.assertIn("--count 0: at least 1 case", errors.getvalue())

    def test_a_case_is_a_function_of_seed_and_index(self):
        a, b, c = fuzz_layouts.make_case(5, 17), fuzz_layouts.make_case(5, 17), fuzz_layouts.make_case(6, 17)
        self.assertEqual(a.model.SerializeToString(), b.model.SerializeToString())
        self.assertEqual(a.flags, b.flags)
        self.assertNotEqual(a.model.SerializeToString(), c.model.SerializeToString())

    def test_models_are_valid_and_exact_ones_stay_integers(self):
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        for index in range(40):
            case = fuzz_layouts.make_case(2, index)
            onnx.checker.check_model(case.model, full_check=True)
            session = onnxruntime.InferenceSession(case.model.SerializeToString(), options, providers=["CPUExecutionProvider"])
            for value in session.run(None, case.inputs):
                self.assertTrue(np.isfinite(value).all(), index)
                if case.exact:
                    np.testing.assert_array_equal(value, np.round(value))


class NodeTestsTest(unittest.TestCase):
    case = onnx_node_tests.Case(name="test_foo", op="Foo", ops=["Foo"], rtol=1e-3, bound=0, data=True)

    def verdict(self, code, error):
        return onnx_node_tests.judge(self.case, interpret(code, "", f"error: {error}" if error else "", [])).verdict

    def test_verdicts(self):
        self.assertEqual(self.verdict(0, ""), "passed")
        self.assertEqual(self.verdict(1, "m.onnx: operator Foo is unknown"), "unsupported")
        self.assertEqual(self.verdict(1, "tensor 'x' has element type FLOAT8, which is not supported"), "unsupported")
        self.assertEqual(self.verdict(1, ""), "failed")
        self.assertEqual(self.verdict(1, "bad"), "failed")
        self.assertEqual(self.verdict(3, "Foo differs"), "failed")
        self.assertEqual(self.verdict(70, "Foo"), "failed")
        self.assertEqual(self.verdict(-11, "Foo"), "failed")

    def test_reasons_are_counted_without_file_and_node(self):
        self.assertEqual(onnx_node_tests.general("/x/test_a/model.onnx: node 'n': no rule"), "no rule")
        self.assertEqual(onnx_node_tests.general("/a/m.onnx: node 'n': m.onnx: node 'n' (Foo): no rule"), "Foo: no rule")
        self.assertEqual(onnx_node_tests.general("input 'x' has element type STRING"), "input has element type STRING")


class VerifyModelsTest(unittest.TestCase):
    def test_only_models_with_test_data_are_found(self):
        with tempfile.TemporaryDirectory() as name:
            root = Path(name)
            for model, data in (("a", "test_data_set_0"), ("b", None), ("c/d", "test_data_ref_0")):
                (root / model).mkdir(parents=True)
                (root / model / "model.onnx").touch()
                (root / model / "other.onnx").touch()
                if data:
                    (root / model / data).mkdir()
            (root / "a" / "model.contrib.onnx").touch()
            found = [(str(m.relative_to(root)), len(d)) for m, d in verify_models.find_models([root])]
            self.assertEqual(found, [("a/model.contrib.onnx", 1), ("a/model.onnx", 1), ("c/d/model.onnx", 1)])


if __name__ == "__main__":
    unittest.main()
