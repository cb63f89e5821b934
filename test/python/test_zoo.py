"""The generators: real architecture, same seed same bytes, and ONNX Runtime accepts them."""

import contextlib
import io
import tempfile
import unittest
from pathlib import Path

import numpy as np
import onnx

import support  # noqa: F401  (finds the package)
from llmpar.zoo import Gpt2Config, LlamaConfig, build_gpt2, build_llama
from llmpar.zoo.__main__ import main

GPT2 = Gpt2Config(layers=2, hidden=12, heads=3, vocab=31, positions=16)
LLAMA = LlamaConfig(layers=2, hidden=24, heads=6, kv_heads=2, intermediate=20, vocab=31)


class ZooTest(unittest.TestCase):
    def setUp(self):
        self.temporary = tempfile.TemporaryDirectory()
        self.folder = Path(self.temporary.name)

    def tearDown(self):
        self.temporary.cleanup()

    def files(self, name):
        return [(self.folder / name / file).read_bytes() for file in ("model.onnx", "model.onnx.data")]

    def run_model(self, name, ids):
        import onnxruntime

        session = onnxruntime.InferenceSession(str(self.folder / name / "model.onnx"), providers=["CPUExecutionProvider"])
        return session.run(None, {"input_ids": ids})[0]

    def test_the_same_seed_gives_the_same_bytes(self):
        for build, config in ((build_gpt2, GPT2), (build_llama, LLAMA)):
            build(self.folder / "a", config, seed=3)
            build(self.folder / "b", config, seed=3)
            self.assertEqual(self.files("a"), self.files("b"))

    def test_another_seed_gives_other_weights(self):
        build_gpt2(self.folder / "a", GPT2, seed=3)
        build_gpt2(self.folder / "b", GPT2, seed=4)
        self.assertNotEqual(self.files("a")[1], self.files("b")[1])

    def test_gpt2_small_has_the_real_parameter_count(self):
        self.assertEqual(build_gpt2(self.folder, weights=False), 124_439_808)
        self.assertFalse((self.folder / "model.onnx.data").exists())

    def test_llama_1b_has_the_real_parameter_count_and_its_own_head(self):
        self.assertEqual(build_llama(self.folder, LlamaConfig(), weights=False), 1_235_814_400 + 128256 * 2048)

    def test_batch_and_sequence_are_symbolic(self):
        build_gpt2(self.folder, GPT2)
        model = onnx.load(self.folder / "model.onnx", load_external_data=False)
        dims = [d.dim_param for d in model.graph.input[0].type.tensor_type.shape.dim]
        self.assertEqual(dims, ["batch", "seq"])

    def test_a_token_does_not_see_later_ones(self):
        for name, build, config in (("gpt2", build_gpt2, GPT2), ("llama", build_llama, LLAMA)):
            build(self.folder / name, config)
            ids = np.arange(14, dtype=np.int64).reshape(2, 7)
            changed = ids.copy()
            changed[:, 5:] += 11
            a, b = self.run_model(name, ids), self.run_model(name, changed)
            self.assertEqual(a.shape, (2, 7, 31))
            np.testing.assert_allclose(a[:, :5], b[:, :5], atol=1e-6)
            self.assertGreater(np.abs(a[:, 5:] - b[:, 5:]).max(), 1e-4)

    def test_the_command_line_writes_once_and_makes_test_data(self):
        arguments = ["llama", "--size", "tiny", "--layers", "1", "--out", str(self.folder), "--test-data", "1", "5"]
        output = io.StringIO()
        with contextlib.redirect_stdout(output):
            self.assertEqual(main(arguments), 0)
            self.assertEqual(main(arguments), 0)
        self.assertIn("up to date", output.getvalue())
        self.assertTrue((self.folder / "test_data_set_0" / "output_0.pb").exists())

    def test_heads_that_do_not_divide_are_a_usage_error(self):
        errors = io.StringIO()
        with contextlib.redirect_stderr(errors):
            self.assertEqual(main(["gpt2", "--size", "tiny", "--heads", "7", "--out", str(self.folder)]), 2)
        self.assertIn("--heads 7 does not divide --hidden 48", errors.getvalue())


if __name__ == "__main__":
    unittest.main()
