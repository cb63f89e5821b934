"""The data of training: token files, splits, the order of samples; evaluation on them; event files and weights written."""

from __future__ import annotations

import importlib.util
import json
import os
import pty
import struct
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import support  # noqa: F401  (finds the package)
from llmpar.cli import Kind, find_llmpar, run_checked, run_llmpar
from llmpar.zoo import build_gpt2
from llmpar.zoo.gpt2 import SIZES
from training_data import write_tokens

BATCH, LENGTH, CLASSES = 4, 16, 101
DP2, HYBRID = ["--mesh", "dp=2", "--layout", "data"], ["--mesh", "dp=2,tp=2", "--layout", "hybrid"]

# Two machines of two cores each.
TWO_NODES = """
name: two-nodes
devices:
  - {count: 4, name: core, peak: {f32: 96 GFLOP/s}, vector_peak: 48 GFLOP/s, memory: 4 GB, memory_bandwidth: 20 GB/s}
network:
  - {name: memory, topology: shared_memory, size: 2, bandwidth: 20 GB/s, latency: 1 us}
  - {name: ethernet, topology: switch, size: 2, bandwidth: 1 GB/s, latency: 20 us}
"""


def expected_evaluation(model: Path, tokens: np.ndarray) -> dict[str, float]:
    """What ONNX Runtime and NumPy make of the samples of a file."""
    count = (len(tokens) - 1) // LENGTH
    ids, labels = tokens[: count * LENGTH].reshape(count, LENGTH), tokens[1 : count * LENGTH + 1].reshape(count, LENGTH)
    logits = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"]).run(None, {"input_ids": ids})[0].astype(np.float64)
    log_sum = np.log(np.exp(logits - logits.max(-1, keepdims=True)).sum(-1)) + logits.max(-1)
    loss = log_sum - np.take_along_axis(logits, labels[..., None], -1)[..., 0]
    return {"samples": count, "tokens": count * LENGTH, "loss": loss.mean(), "perplexity": np.exp(loss.mean()),
            "accuracy": (logits.argmax(-1) == labels).mean()}


class TrainDataTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        cls.root = Path(cls.folder.name)
        build_gpt2(cls.root / "gpt2", SIZES["tiny"])
        cls.model = cls.root / "gpt2" / "model.onnx"
        cls.tokens = np.random.default_rng(3).integers(0, CLASSES, 30 * LENGTH + 1)
        write_tokens(cls.root / "data.bin", cls.tokens, CLASSES)

    def setUp(self):
        self.dir = Path(tempfile.mkdtemp(dir=self.root))

    def flags(self, *more, model=None, data="data.bin"):
        return [model or self.model, "--dim", f"batch={BATCH}", "--dim", f"seq={LENGTH}", "--data", self.root / data, *more]

    def log(self, *more) -> list[dict]:
        log = self.dir / "log.jsonl"
        run_checked("train", *self.flags("--log", log, "--json", *more))
        return [json.loads(line) for line in log.read_text().splitlines()]

    def assert_evaluation(self, actual: dict, expected: dict):
        self.assertEqual((actual["samples"], actual["tokens"]), (expected["samples"], expected["tokens"]))
        for name in ("loss", "perplexity", "accuracy"):
            np.testing.assert_allclose(actual[name], expected[name], rtol=1e-5, err_msg=name)

    def test_evaluation_equals_onnx_runtime_on_any_layout(self):
        expected = expected_evaluation(self.model, self.tokens)
        for flags in ([], DP2, ["--mesh", "tp=2", "--layout", "tensor"], HYBRID, ["--mesh", "sp=2", "--layout", "sequence"]):
            with self.subTest(flags=flags):  # 30 samples in batches of 4: the last one has rows that do not count
                self.assert_evaluation(run_checked("eval", *self.flags("--json", *flags))["all"], expected)

    def test_a_split_evaluates_its_validation_and_test_samples(self):
        report = run_checked("eval", *self.flags("--json", "--split", "8,1,1"))
        self.assert_evaluation(report["validation"], expected_evaluation(self.model, self.tokens[24 * LENGTH : 27 * LENGTH + 1]))
        self.assert_evaluation(report["test"], expected_evaluation(self.model, self.tokens[27 * LENGTH :]))
        first = run_checked("eval", *self.flags("--json", "--eval-iters", "2"))["all"]
        self.assert_evaluation(first, expected_evaluation(self.model, self.tokens[: 8 * LENGTH + 1]))

    def test_trained_weights_are_a_model_of_the_same_loss(self):
        for external in (True, False):
            with self.subTest(external=external):
                model, out = self.dir / f"model{external}.onnx", self.dir / f"trained{external}.onnx"
                onnx.save(onnx.load(self.model), model, save_as_external_data=external, location=f"{model.name}.weights", size_threshold=128)
                report = self.dir / "log.jsonl"
                run_checked("train", *self.flags("--train-iters", "5", "--json", "--eval-interval", "5", "--split", "8,1,1", "--log", report,
                                                 "--save", self.dir / f"save{external}", "-o", out, *HYBRID, model=model))
                inside = json.loads(report.read_text().splitlines()[-1])["validation"]
                expected = expected_evaluation(out, self.tokens[24 * LENGTH : 27 * LENGTH + 1])
                self.assert_evaluation(inside, expected)
                self.assertEqual((self.dir / f"{out.name}.data").exists(), external)
                self.assertNotEqual(expected["loss"], expected_evaluation(self.model, self.tokens[24 * LENGTH : 27 * LENGTH + 1])["loss"])
                # And so have the checkpoint and the model, on any layout.
                for more, of in ((["--load", self.dir / f"save{external}", *DP2], model), ([], out)):
                    self.assert_evaluation(run_checked("eval", *self.flags("--json", "--split", "8,1,1", *more, model=of))["validation"], expected)

    def test_evaluation_while_training_leaves_the_training_alone(self):
        plain = [line["loss"] for line in self.log("--train-iters", "6", "--split", "8,2")]
        lines = self.log("--train-iters", "6", "--split", "8,2", "--eval-interval", "4")
        self.assertEqual([line["loss"] for line in lines], plain)
        self.assertEqual(["validation" in line for line in lines], [False, False, False, True, False, True])

    def test_tokens_may_be_i32(self):
        proto = onnx.load(self.model)
        (ids,) = proto.graph.input
        for node in proto.graph.node:
            for index, name in enumerate(node.input):
                if name == ids.name:
                    node.input[index] = "wide"
        ids.type.tensor_type.elem_type = onnx.TensorProto.INT32
        proto.graph.node.insert(0, onnx.helper.make_node("Cast", [ids.name], ["wide"], to=onnx.TensorProto.INT64))
        model = self.model.with_name("narrow.onnx")  # beside its weights
        onnx.save(proto, model)
        log = self.dir / "narrow.jsonl"
        run_checked("train", *self.flags("--train-iters", "3", "--log", log, "--json", model=model))
        self.assertEqual([json.loads(line)["loss"] for line in log.read_text().splitlines()], [line["loss"] for line in self.log("--train-iters", "3")])

    def test_training_samples_are_those_of_the_split(self):
        lines = self.log("--train-iters", "6", "--split", "4,26")
        self.assertEqual(len(lines), 6)
        # One batch in each epoch: every step sees the same samples, so the loss of the first does not depend on the seed.
        write_tokens(self.root / "first.bin", self.tokens[: 4 * LENGTH + 1], CLASSES)
        alone = self.dir / "alone.jsonl"
        run_checked("train", *self.flags("--train-iters", "6", "--log", alone, "--json", data="first.bin"))
        np.testing.assert_allclose([line["loss"] for line in lines], [json.loads(line)["loss"] for line in alone.read_text().splitlines()], rtol=1e-5)

    def test_a_replica_may_have_samples_of_its_own(self):
        # Twice the same half: with a part each, both replicas see the same samples in an order of their own.
        half = self.tokens[: 8 * LENGTH]
        write_tokens(self.root / "twice.bin", np.concatenate([half, half, half[:1]]), CLASSES)
        losses = {}
        for mode in ("random", "uniform", "hierarchical"):
            log = self.dir / f"{mode}.jsonl"
            run_checked("train", *self.flags("--train-iters", "4", "--log", log, "--json", "--data-sharding", mode, *DP2, data="twice.bin"))
            losses[mode] = [json.loads(line)["loss"] for line in log.read_text().splitlines()]
        self.assertNotEqual(losses["uniform"], losses["random"])
        self.assertEqual(losses["hierarchical"], losses["random"])  # one node

    def test_replicas_of_a_node_share_its_part(self):
        cluster = self.dir / "nodes.yaml"
        cluster.write_text(TWO_NODES)
        train = ["--train-iters", "2", "--mesh", "dp=4", "--layout", "gathered", "--cluster", cluster, "--shard", "input_ids=[dp,-]"]
        groups = {}
        for mode in ("random", "uniform", "hierarchical"):
            run_checked("train", *self.flags(*train, "--json", "--data-sharding", mode, "--save", self.dir / mode))
            groups[mode] = json.loads((self.dir / mode / "iter_0000002" / "manifest.json").read_text())["data"].get("rows of groups")
        self.assertEqual(groups, {"random": None, "uniform": [1, 1, 1, 1], "hierarchical": [2, 2]})

    def test_a_terminal_shows_step_speed_and_the_time_that_is_left(self):
        main, terminal = pty.openpty()
        self.addCleanup(os.close, main)
        command = [find_llmpar(), "train", *self.flags("--train-iters", "5", "--log-interval", "2", *DP2)]
        done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, stderr=terminal, text=True, check=False)
        os.close(terminal)
        self.assertEqual(done.returncode, 0)
        shown = os.read(main, 1 << 16).decode()
        self.assertRegex(shown, r"\rstep 1/5   loss \d\.\d{4}   \d+ tokens/s   [\d.]+ GFLOP/s   0:00:0\d left\x1b\[K")
        self.assertTrue(shown.endswith("\r\x1b[K"), shown)  # nothing stays behind
        self.assertEqual([line.split()[1] for line in done.stdout.splitlines() if line.startswith("step")], ["2", "4", "5"])

    def test_a_resumed_run_keeps_its_samples_to_its_replicas(self):
        save = self.dir / "save"
        whole = [line["loss"] for line in self.log("--train-iters", "8", "--data-sharding", "uniform", *DP2)]
        self.log("--train-iters", "3", "--data-sharding", "uniform", "--save", save, *DP2)
        rest = [line["loss"] for line in self.log("--train-iters", "8", "--data-sharding", "uniform", "--load", save, *DP2)]
        self.assertEqual(rest, whole)  # the log keeps the lines before
        outcome = run_llmpar("train", *self.flags("--train-iters", "8", "--data-sharding", "uniform", "--load", save, "--mesh", "dp=4", "--layout", "data"))
        self.assertIn("rows of groups was [2,2], and is [1,1,1,1] here", outcome.error)

    def test_event_files_hold_the_curves(self):
        folder = self.dir / "runs"
        lines = self.log("--train-iters", "3", "--eval-interval", "3", "--split", "8,2", "--clip-grad", "1", "--tensorboard", folder)
        (path,) = folder.iterdir()
        events = list(read_events(path.read_bytes()))
        self.assertEqual(events[0]["version"], "brain.Event:2")
        self.assertEqual([e["step"] for e in events[1:]], [1, 2, 3])
        for event, line in zip(events[1:], lines, strict=True):
            np.testing.assert_allclose(event["values"]["loss/training"], line["loss"], rtol=1e-6)
            np.testing.assert_allclose(event["values"]["grad_norm"], line["grad_norm"], rtol=1e-6)
        np.testing.assert_allclose(events[3]["values"]["loss/validation"], lines[2]["validation"]["loss"], rtol=1e-6)
        if importlib.util.find_spec("tensorboard"):
            from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

            self.assertEqual([e.step for e in EventFileLoader(str(path)).Load()][1:], [1, 2, 3])

    def test_the_log_says_how_much_of_the_machine_is_used(self):
        line = self.log("--train-iters", "2", "--mesh", "dp=2", "--layout", "auto", "--cluster", "cpu-2")[-1]
        # 6 FLOPs for each token and matrix parameter, plus attention's products with activations.
        weights = 2 * 48 * 48 * 12 + 48 * CLASSES
        flops = line["flops_per_second"] / line["tokens_per_second"]
        self.assertGreater(flops, 6 * weights)
        self.assertLess(flops, 6 * weights + 2 * 12 * 2 * LENGTH * 48)
        self.assertGreater(line["utilization"], 0)

    def test_what_is_wrong_with_the_data_is_said_before_the_first_step(self):
        wrong = self.tokens.copy()
        wrong[37] = 120
        write_tokens(self.root / "beyond.bin", wrong, 128)
        (self.root / "tokenizer.json").write_text("{}")
        bare = dict(os.environ, LLMPAR_PYTHON=sys.executable, PYTHONPATH=str(self.dir))
        (self.dir / "tokenizers.py").write_text("raise ImportError")
        for command, more, code, part in [
            ("train", self.flags(data="beyond.bin"), 2, "token 120 at position 37 of 481 is beyond the model's 101 classes"),
            ("eval", self.flags(data="beyond.bin"), 2, "token 120 at position 37 of 481 is beyond the model's 101 classes"),
            ("train", self.flags("--split", "a"), 2, "--split 'a' is no split: write weights"),
            ("train", self.flags("--eval-interval", "2", "--split", "1"), 2, "--split 1 leaves no sample of 30 for validation"),
            ("train", self.flags("--eval-iters", "2"), 2, "add --eval-interval"),
            ("train", self.flags("--split", "1,9"), 2, "and 3 samples of 16 for training: a step takes 4"),
            ("train", self.flags("--data-sharding", "striped"), 2, "choose random, uniform or hierarchical"),
            ("train", self.flags("-o", self.model), 2, "belongs to the model itself: choose another name"),
            ("train", self.flags("-o", self.dir / "w.bin"), 2, "w.bin"),
            ("eval", self.flags("--split", "1"), 2, "none of them to evaluate"),
            ("eval", [self.model], 2, "what should it predict?"),
            ("eval", self.flags("--load", self.dir / "none"), 1, "no checkpoint there"),
            ("data", [self.root / "data.bin", "-o", self.dir / "t.bin", "--tokenizer", "none.json"], 2, "none.json: no such file"),
            ("data", [self.root / "data.bin", "-o", self.dir / "t.bin", "--tokenizer", self.root / "tokenizer.json"], 2, "'tokenizers' is not installed for"),
            ("data", [self.root / "data.bin"], 2, "where should the tokens go?"),
        ]:
            with self.subTest(part):
                done = subprocess.run([find_llmpar(), command, *map(str, more)], capture_output=True, text=True, check=False, env=bare)
                self.assertEqual(done.returncode, code, done.stderr)
                self.assertIn(part, done.stderr)

    def tokenized(self, text: str, tokenizer: Path, path: str = "") -> tuple[int, int, list[int]]:
        """Width, classes and tokens of what `llmpar data --tokenizer` makes of a text."""
        (self.dir / "text.txt").write_text(text)
        environment = dict(os.environ, LLMPAR_PYTHON=sys.executable, PYTHONPATH=path)
        done = subprocess.run([find_llmpar(), "data", self.dir / "text.txt", "-o", self.dir / "t.bin", "--tokenizer", tokenizer], env=environment,
                              capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        raw = (self.dir / "t.bin").read_bytes()
        width, classes = struct.unpack("<II", raw[8:16])
        return width, classes, np.frombuffer(raw[16:], f"<u{width}").tolist()

    def test_text_becomes_the_tokens_of_a_tokenizer(self):
        # A stand-in with the package's interface: the number of letters of each word, and a class that is not counted.
        (self.dir / "tokenizers.py").write_text(
            "import json, types\n"
            "class Tokenizer:\n"
            "    from_file = classmethod(lambda cls, path: (json.load(open(path)), cls())[1])\n"
            "    get_vocab_size = lambda self: 200\n"
            "    encode = lambda self, text: types.SimpleNamespace(ids=[300 if word == 'word' else len(word) for word in text.split()])\n")
        (self.dir / "tokenizer.json").write_text("{}")
        self.assertEqual(self.tokenized("in the beginning was the word", self.dir / "tokenizer.json", str(self.dir)), (2, 301, [2, 3, 9, 3, 3, 300]))
        self.assertEqual(self.tokenized("in the beginning", self.dir / "tokenizer.json", str(self.dir)), (1, 200, [2, 3, 9]))

    def test_a_tokenizer_of_hugging_face(self):
        try:
            from tokenizers import Tokenizer, models, pre_tokenizers
        except ImportError as missing:
            self.skipTest(f"{missing}")
        tokenizer = Tokenizer(models.WordLevel({"in": 0, "the": 1, "beginning": 2, "?": 3}, unk_token="?"))
        tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
        tokenizer.save(str(self.dir / "tokenizer.json"))
        path = os.pathsep.join(sys.path)
        self.assertEqual(self.tokenized("in the beginning was the word", self.dir / "tokenizer.json", path), (1, 4, [0, 1, 2, 3, 1, 3]))


def crc32c(data: bytes) -> int:
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def masked(crc: int) -> int:
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def fields(message: bytes):
    """(number, value) of the fields of a protobuf message: ints, 8- and 4-byte floats, bytes."""
    at = 0

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = message[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    while at < len(message):
        key = varint()
        if key & 7 == 0:
            yield key >> 3, varint()
        elif key & 7 == 2:
            size = varint()
            yield key >> 3, message[at : at + size]
            at += size
        else:
            code, size = ("<d", 8) if key & 7 == 1 else ("<f", 4)
            yield key >> 3, struct.unpack(code, message[at : at + size])[0]
            at += size


def read_events(data: bytes):
    """Events of a TFRecord file: step, version, values by tag."""
    while data:
        size, size_crc = struct.unpack("<QI", data[:12])
        record, (record_crc,) = data[12 : 12 + size], struct.unpack("<I", data[12 + size : 16 + size])
        assert size_crc == masked(crc32c(data[:8])) and record_crc == masked(crc32c(record))
        event = {"step": 0, "values": {}}
        for number, value in fields(record):
            if number == 2:
                event["step"] = value
            elif number == 3:
                event["version"] = value.decode()
            elif number == 5:
                for _, summary in fields(value):
                    parts = dict(fields(summary))
                    event["values"][parts[1].decode()] = parts[2]
        yield event
        data = data[16 + size :]


if __name__ == "__main__":
    unittest.main()
