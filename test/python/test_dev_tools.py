"""The parsing and judging code of tools/dev."""

import tempfile
import unittest
from pathlib import Path

import numpy as np
import onnx

import support  # noqa: F401  (finds the scripts)
import check_includes
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


class FuzzTest(unittest.TestCase):
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
