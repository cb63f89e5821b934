"""Reading what `llmpar` answers, layouts by short name, tables."""

import unittest

import support  # noqa: F401  (finds the package)
from llmpar.cli import Kind, Layout, bytes_text, interpret, parse_layouts, table


class LayoutTest(unittest.TestCase):
    def test_short_forms(self):
        cases = {"single": ("single", "", 1), "data=2": ("data", "dp=2", 2), "tensor=4": ("tensor", "tp=4", 4),
                 "dp=2,tp=3": ("hybrid", "dp=2,tp=3", 6), "dp=2": ("data", "dp=2", 2), "tp=2": ("tensor", "tp=2", 2),
                 "tensor:x=2,y=2": ("tensor", "x=2,y=2", 4)}
        for text, (method, mesh, ranks) in cases.items():
            layout = Layout.parse(text)
            self.assertEqual((layout.method, layout.mesh, layout.ranks), (method, mesh, ranks), text)

    def test_single_has_no_mesh_flag(self):
        self.assertEqual(Layout.parse("single").flags(), ["--layout", "single"])
        self.assertEqual(Layout.parse("tensor=2").flags(), ["--layout", "tensor", "--mesh", "tp=2"])

    def test_nonsense_is_refused_with_the_forms(self):
        for text in ("tensor", "dp=", "dp=0", "dp=2,,tp=2"):
            with self.assertRaisesRegex(ValueError, "write single, data=2"):
                Layout.parse(text)

    def test_lists_split_at_spaces_and_semicolons_not_commas(self):
        self.assertEqual([x.text for x in parse_layouts("single; data=2 dp=2,tp=2")], ["single", "data=2", "dp=2,tp=2"])


class OutcomeTest(unittest.TestCase):
    def outcome(self, code, stdout="", stderr=""):
        return interpret(code, stdout, stderr, ["llmpar"])

    def test_every_exit_code_has_its_kind(self):
        kinds = {0: Kind.OK, 1: Kind.COMPILE_ERROR, 2: Kind.USAGE, 3: Kind.MISMATCH, 4: Kind.NO_MEMORY,
                 5: Kind.DEVICE_FAILURE, 70: Kind.CRASH, -11: Kind.CRASH, 99: Kind.CRASH}
        for code, kind in kinds.items():
            self.assertEqual(self.outcome(code).kind, kind, code)

    def test_exit_0_with_ok_false_is_a_mismatch(self):
        self.assertEqual(self.outcome(0, '{"ok": false}').kind, Kind.MISMATCH)

    def test_the_error_comes_from_the_report_else_from_stderr(self):
        self.assertEqual(self.outcome(1, '{"ok": false, "error": "no rule"}', "error: other").error, "no rule")
        self.assertEqual(self.outcome(1, "", "note\nerror: no rule\n").error, "no rule")

    def test_a_signal_is_named(self):
        self.assertEqual(self.outcome(-6, "", "Assertion `x' failed").error, "signal 6: Assertion `x' failed")

    def test_text_around_the_json_is_skipped(self):
        self.assertEqual(self.outcome(0, 'warm\n{"ok": true, "ranks": 4}\nbye').report["ranks"], 4)

    def test_the_largest_difference_is_over_all_outputs(self):
        report = '{"ok": true, "outputs": [{"max_abs": 1e-6}, {"max_abs": 2e-5}, {}]}'
        self.assertEqual(self.outcome(0, report).largest_difference, 2e-5)


class TextTest(unittest.TestCase):
    def test_columns_align(self):
        self.assertEqual(table([["op", "n"], ["matmul", "12"]], right={1}), "op       n\n------  --\nmatmul  12")

    def test_bytes(self):
        self.assertEqual([bytes_text(n) for n in (0, 1536, 3 << 20, 5 << 30)], ["0 B", "1.5 KiB", "3.0 MiB", "5.00 GiB"])


if __name__ == "__main__":
    unittest.main()
