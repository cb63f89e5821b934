"""Training on arrays of samples (.npz): squared distances from numbers, and classes of whole samples."""

from __future__ import annotations

import json
import tempfile
import unittest
from pathlib import Path

import numpy as np
import onnx
import support  # noqa: F401  (finds the package)
from llmpar.cli import run_checked, run_llmpar
from onnx import TensorProto, helper, numpy_helper

ROWS, FEATURES, HIDDEN, OUT, SAMPLES = 6, 8, 12, 5, 30
RATE = 0.05


def write_model(path: Path, weights: list[np.ndarray], mask: int | None = None) -> None:
    """y[batch, 5] = tanh(x[batch, 8] a) b + c; with an input x_mask of that type in front, x x_mask."""
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", FEATURES])
    masked = [] if mask is None else [helper.make_node("Cast", ["x_mask"], ["m"], to=TensorProto.FLOAT), helper.make_node("Mul", ["x", "m"], ["xm"])]
    graph = helper.make_graph(
        [*masked, helper.make_node("MatMul", ["xm" if masked else "x", "a"], ["0"]), helper.make_node("Tanh", ["0"], ["1"]), helper.make_node("MatMul", ["1", "b"], ["2"]),
         helper.make_node("Add", ["2", "c"], ["y"])],
        "regression", [x] if mask is None else [x, helper.make_tensor_value_info("x_mask", mask, ["batch", FEATURES])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", OUT])],
        [numpy_helper.from_array(w, name) for w, name in zip(weights, "abc", strict=True)])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), path)


def forward(weights, x):
    a, b, c = weights
    h = np.tanh(x @ a)
    return h, h @ b + c


def mean_square(weights, x, labels) -> float:
    return np.nanmean((forward(weights, x)[1] - labels) ** 2)


def step(weights, x, labels) -> None:
    """One step of SGD in double precision; NaN labels do not count."""
    a, b, c = weights
    h, y = forward(weights, x)
    dy = np.where(np.isnan(labels), 0, 2 * (y - labels)) / np.sum(~np.isnan(labels))
    dh = dy @ b.T * (1 - h**2)
    for weight, gradient in ((a, x.T @ dh), (b, h.T @ dy), (c, dy.sum(0))):
        weight -= RATE * gradient


class TrainArraysTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        cls.root = Path(cls.folder.name)
        random = np.random.default_rng(7)
        cls.weights = [random.normal(0, 0.3, shape).astype(np.float32) for shape in ((FEATURES, HIDDEN), (HIDDEN, OUT), (OUT,))]
        cls.model = cls.root / "model.onnx"
        write_model(cls.model, cls.weights)
        cls.x = random.normal(size=(SAMPLES, FEATURES)).astype(np.float32)
        cls.labels = random.normal(size=(SAMPLES, OUT)).astype(np.float32)
        cls.labels[random.random(cls.labels.shape) < 0.2] = np.nan
        cls.classes = random.integers(0, OUT, SAMPLES)
        cls.write("numbers.npz", x=cls.x, labels=cls.labels)
        cls.write("classes.npz", x=cls.x, labels=cls.classes)
        # One batch: its order within the batch changes no sum.
        cls.write("batch.npz", x=cls.x[:ROWS], labels=cls.labels[:ROWS])

    @classmethod
    def write(cls, name: str, **arrays):
        np.savez(cls.root / name, **arrays)

    def flags(self, data: str, *more, rows: int = ROWS):
        return [self.model, "--dim", f"batch={rows}", "--data", self.root / data, "--optimizer", "sgd", "--lr", str(RATE), "--json", *more]

    def losses(self, *more, rows: int = ROWS) -> list[float]:
        log = self.root / "log.jsonl"
        run_checked("train", *self.flags("batch.npz", "--loss", "mse", "--train-iters", "12", "--log", log, *more, rows=rows))
        return [json.loads(line)["loss"] for line in log.read_text().splitlines()]

    def expected(self, steps: int = 12) -> list[float]:
        weights, losses = [w.astype(np.float64) for w in self.weights], []
        for _ in range(steps):
            losses.append(mean_square(weights, self.x[:ROWS], self.labels[:ROWS]))
            step(weights, self.x[:ROWS], self.labels[:ROWS])
        return losses

    def test_squared_distances_fall_as_in_numpy_under_every_layout(self):
        expected = self.expected()
        for more in ([], ["--mesh", "dp=2", "--layout", "data"], ["--mesh", "dp=4", "--layout", "data"], ["--mesh", "tp=2", "--layout", "tensor"],
                     ["--mesh", "dp=2,tp=2", "--layout", "hybrid"], ["--mesh", "dp=2", "--layout", "data", "--zero", "3"], ["--recompute", "selective"],
                     ["--recompute", "full"], ["--mesh", "x=2", "--layout", "auto"]):
            with self.subTest(more=more):
                np.testing.assert_allclose(self.losses(*more), expected, rtol=1e-5)

    def test_micro_batches_are_one_batch(self):
        np.testing.assert_allclose(self.losses("--gradient-accumulation-steps", "3", rows=ROWS // 3), self.expected(), rtol=1e-5)

    def test_in_bf16(self):
        np.testing.assert_allclose(self.losses("--bf16"), self.expected(), rtol=2e-2)

    def test_replicas_that_step_apart_take_the_mean_of_their_own_labels(self):
        labels = np.nan_to_num(self.labels[:ROWS])  # as many count for each of them
        self.write("full.npz", x=self.x[:ROWS], labels=labels)
        halves = [slice(0, ROWS // 2), slice(ROWS // 2, ROWS)]
        replicas = [[w.astype(np.float64) for w in self.weights] for _ in halves]
        for _ in range(2):
            for weights, rows in zip(replicas, halves, strict=True):
                step(weights, self.x[rows], labels[rows])
        out = self.root / "apart.npz"
        # As many samples as rows: each replica has its part of the file in every step.
        run_checked("train", *self.flags("full.npz", "--loss", "mse", "--train-iters", "2", "--sync-interval", "2", "--mesh", "dp=2", "--layout", "data",
                                         "--data-sharding", "uniform", "-o", out))
        trained = np.load(out)
        for index, name in enumerate("abc"):
            np.testing.assert_allclose(trained[name], (replicas[0][index] + replicas[1][index]) / 2, rtol=1e-5, atol=1e-6)

    def test_evaluation_of_numbers(self):
        for more in ([], ["--mesh", "dp=4", "--layout", "data"], ["--mesh", "tp=2", "--layout", "tensor"]):
            with self.subTest(more=more):
                report = run_checked("eval", self.model, "--dim", "batch=7", "--data", self.root / "numbers.npz", "--loss", "mse", "--json", *more)["all"]
                self.assertEqual(set(report), {"samples", "labels", "loss"})
                self.assertEqual((report["samples"], report["labels"]), (SAMPLES, int(np.sum(~np.isnan(self.labels)))))
                np.testing.assert_allclose(report["loss"], mean_square(self.weights, self.x, self.labels), rtol=1e-5)

    def test_masks_are_ones(self):
        for mask in (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.INT64, TensorProto.BOOL):
            with self.subTest(mask=TensorProto.DataType.Name(mask)):
                model = self.root / "masked.onnx"
                write_model(model, self.weights, mask)
                report = run_checked("eval", model, "--dim", "batch=6", "--data", self.root / "numbers.npz", "--loss", "mse", "--json")["all"]
                np.testing.assert_allclose(report["loss"], mean_square(self.weights, self.x, self.labels), rtol=1e-5)

    def test_classes_of_whole_samples(self):
        out = self.root / "trained.onnx"
        log = self.root / "classes.jsonl"
        run_checked("train", *self.flags("classes.npz", "--train-iters", "20", "--eval-interval", "20", "--split", "5,1", "--log", log, "-o", out))
        inside = json.loads(log.read_text().splitlines()[-1])
        self.assertIn("samples_per_second", inside)
        weights = [numpy_helper.to_array(tensor).astype(np.float64) for tensor in onnx.load(out).graph.initializer]
        logits = forward(weights, self.x[25:])[1]
        expected = np.mean(np.log(np.exp(logits).sum(-1)) - logits[np.arange(5), self.classes[25:]])
        self.assertEqual(inside["validation"]["labels"], 5)
        np.testing.assert_allclose(inside["validation"]["loss"], expected, rtol=1e-5)
        np.testing.assert_allclose(inside["validation"]["accuracy"], np.mean(logits.argmax(-1) == self.classes[25:]))

    def test_a_run_that_goes_on_has_the_same_bits(self):
        save = self.root / "save"
        whole = self.losses()
        self.losses("--save", save, "--save-interval", "5", "--save-total-limit", "3")
        self.assertEqual(self.losses("--load", save / "iter_0000005"), whole)  # the log keeps the lines before
        self.write("changed.npz", x=self.x[:ROWS], labels=2 * self.labels[:ROWS])
        outcome = run_llmpar("train", *self.flags("changed.npz", "--loss", "mse", "--load", save / "iter_0000005"))
        self.assertRegex(outcome.error, "checksum was .* the samples would be others")

    def test_what_is_wrong_with_the_arrays_is_said_before_the_first_step(self):
        self.write("short.npz", x=self.x[:4], labels=self.labels)
        self.write("other.npz", x=self.x, z=self.x, labels=self.labels)
        self.write("none.npz", labels=self.labels)
        self.write("wide.npz", x=self.x, labels=self.labels.astype(np.float64))
        self.write("unlabelled.npz", x=self.x)
        self.write("empty.npz", x=self.x[:0], labels=self.labels[:0])
        self.write("nan.npz", x=self.x, labels=np.full_like(self.labels, np.nan))
        self.write("ignored.npz", x=self.x, labels=np.full(SAMPLES, -100))
        self.write("beyond.npz", x=self.x, labels=np.where(np.arange(SAMPLES) == 17, 9, self.classes))
        for data, more, part in (
            ("short.npz", ["--loss", "mse"], "array 'x' of type 4x8xf32 does not have the samples of 'labels' of type 30x5xf32"),
            ("other.npz", ["--loss", "mse"], "array 'z' is none of the model's inputs x"),
            ("numbers.npz", ["--loss", "mse", "--input", "x=6x8xf32=1"], "input 'x' is given twice: by --input, and by "),
            ("nan.npz", ["--loss", "mse"], "no label of 150 counts"),
            ("ignored.npz", [], "no label of 30 counts"),
            ("empty.npz", ["--loss", "mse"], "empty.npz"),
            ("none.npz", ["--loss", "mse"], "input 'x' of type 6x8xf32 is not given: add --input=x=..., or an array of that name to"),
            ("wide.npz", ["--loss", "mse"], "array 'labels' of type 30x5xf64 is not of samples for an input of type 6x5xf32"),
            ("unlabelled.npz", [], "no array 'labels'"),
            ("beyond.npz", [], "label 9 at 17 of 30 is none of the model's 5 classes, nor -100, which does not count"),
            ("numbers.npz", [], "array 'labels' of type 30x5xf32 is not of samples for an input of type 6xi64"),
            ("numbers.npz", ["--loss", "huber"], "--loss 'huber' is unknown: choose cross-entropy or mse"),
            ("numbers.npz", ["--loss", "mse", "--label-smoothing", "0.1"], "--label-smoothing is of cross-entropy, not of --loss mse"),
            ("numbers.npz", ["--loss", "mse", "--split", "1,9"], "has 3 samples for training: a step takes 6"),
        ):
            with self.subTest(part):
                outcome = run_llmpar("train", *self.flags(data, *more))
                self.assertEqual(outcome.code, 2, outcome.error)
                self.assertIn(part, outcome.error)
                if "--split" in more or "--label-smoothing" in more:  # of train
                    continue
                outcome = run_llmpar("eval", self.model, "--dim", f"batch={ROWS}", "--data", self.root / data, *more)
                self.assertEqual(outcome.code, 2, outcome.error)
                self.assertIn(part, outcome.error)

    def test_a_batch_needs_rows_and_classes_a_dimension(self):
        for command, more, part in (("train", ["--dim", "batch=0", "--loss", "mse"], "a batch of 0 rows learns nothing: bind a larger one with --dim"),
                                    ("eval", ["--dim", "batch=0", "--loss", "mse"], "a batch of 0 rows learns nothing")):
            with self.subTest(command):
                outcome = run_llmpar(command, self.model, "--data", self.root / "numbers.npz", *more)
                self.assertEqual(outcome.code, 2, outcome.error)
                self.assertIn(part, outcome.error)
        model = onnx.load(self.model)
        model.graph.node.append(helper.make_node("ReduceSum", ["y"], ["sums"], keepdims=0))
        model.graph.node[-1].input.append("last")
        model.graph.initializer.append(numpy_helper.from_array(np.array([1]), "last"))
        model.graph.output[0].CopyFrom(helper.make_tensor_value_info("sums", TensorProto.FLOAT, ["batch"]))
        onnx.save(model, self.root / "sums.onnx")
        self.write("scalars.npz", x=self.x, labels=self.x[:, 0])
        train = ["train", self.root / "sums.onnx", "--dim", "batch=6", "--data", self.root / "scalars.npz", "--train-iters", "2"]
        outcome = run_llmpar(*train)
        self.assertEqual(outcome.code, 2, outcome.error)
        self.assertIn("no dimension of classes beside that of the batch: --loss mse compares numbers", outcome.error)
        run_checked(*train, "--loss", "mse", "--json")


if __name__ == "__main__":
    unittest.main()
