#!/usr/bin/env python3
"""Gradients of real models against difference quotients of their loss, along random directions.

For every model*.onnx below the folders that `llmpar train` accepts: a direction moves each parameter along or against its
gradient, as a coin says, and along noise of the same size. The loss at both ends is that of the model with moved weights,
so that a gradient which is no steepest ascent shows. The loss is the cross-entropy of next tokens, or, of a model without
logits of tokens, the squared distance of its first float output from random numbers. Exit code 1 if a direction differs by more than 2 percent.
"""

from __future__ import annotations

import argparse
import json
import struct
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "python"))
import numpy as np
import onnx
from onnx import numpy_helper

from llmpar.cli import Kind, find_llmpar, run_llmpar, table

LIMIT = 0.02
STEPS = (1e-3, 2.5e-4, 6e-5, 1.5e-5)  # parts of the loss that a step should change: smaller ones if the loss is too curved, or a route flips


class Model:
    def __init__(self, path: Path, work: Path, options: argparse.Namespace):
        self.proto, self.work, self.options = onnx.load(path), work, options
        self.parameters = {tensor.name: tensor for tensor in self.proto.graph.initializer}
        self.path = work / "model.onnx"

    def sizes(self) -> dict[str, int]:
        """Of the symbolic dimensions: a first one is the batch, others are the sequence, but nothing is in a cache."""
        sizes = {}
        for info in self.proto.graph.input:
            for index, dim in enumerate(info.type.tensor_type.shape.dim):
                if name := dim.dim_param:
                    size = 0 if "past" in name and "+" not in name else self.options.length if index else self.options.batch
                    sizes.setdefault(name, size)
        return sizes

    def write_tokens(self) -> list:
        tokens = np.random.default_rng(1).integers(0, self.options.tokens, self.options.batch * self.options.length + 1)
        header = b"LLMPTOK1" + struct.pack("<II", 1, self.options.tokens)
        (self.work / "tokens.bin").write_bytes(header + tokens.astype(np.uint8).tobytes())
        return ["--data", self.work / "tokens.bin"]

    def write_arrays(self) -> list | None:
        """Random samples of what the model takes, and of its first float output; none if that has a shape of its own."""
        random, sizes, arrays = np.random.default_rng(1), self.sizes(), {}
        tables = [self.parameters[node.input[0]].dims[0] for node in self.proto.graph.node if node.op_type == "Gather" and node.input[0] in self.parameters]
        tokens = min([self.options.tokens, *(rows for rows in tables if rows > 4)])

        def shape(info):
            return [dim.dim_value if dim.HasField("dim_value") else sizes.get(dim.dim_param, self.options.length if index else self.options.batch)
                    for index, dim in enumerate(info.type.tensor_type.shape.dim)]

        for info in self.proto.graph.input:
            kind = onnx.helper.tensor_dtype_to_np_dtype(info.type.tensor_type.elem_type)
            is_filled = any(word in info.name for word in ("mask", "position", "token_type")) or 0 in shape(info)
            if info.name not in self.parameters and not is_filled:
                arrays[info.name] = (random.standard_normal(shape(info)) if kind.kind == "f" else random.integers(0, tokens, shape(info))).astype(kind)
        floats = [info for info in self.proto.graph.output if info.type.tensor_type.elem_type == onnx.TensorProto.FLOAT]
        if not floats or min(shape(floats[0])) <= 0:
            return None
        np.savez(self.work / "samples.npz", labels=random.standard_normal(shape(floats[0])).astype(np.float32), **arrays)
        return ["--data", self.work / "samples.npz", "--loss", "mse", "--logits", floats[0].name]

    def train(self, values: dict[str, np.ndarray], *more: str):
        """One step with these values: the loss, or the error of a model that is not trained."""
        for name, value in values.items():
            self.parameters[name].CopyFrom(numpy_helper.from_array(value, name))
        onnx.save(self.proto, self.path)
        log = self.work / "log.jsonl"
        dims = [word for name, size in self.sizes().items() for word in ("--dim", f"{name}={size}")]
        outcome = run_llmpar("train", self.path, *dims, *self.data, "--train-iters", "1", "--optimizer", "sgd", "--lr", "0", "--log", log, "--json", *more)
        if outcome.kind != Kind.OK:
            return None, outcome.error
        return json.loads(log.read_text().splitlines()[0])["loss"], ""

    def check(self) -> tuple[str, str]:
        states = ["-o", self.work / "states.npz"]
        self.data = self.write_tokens()
        loss, error = self.train({}, *states)
        if loss is None and (arrays := self.write_arrays()):
            self.data = arrays
            loss, error = self.train({}, *states)
        if loss is None:
            return "refused", error.splitlines()[0][:90] if error else ""
        states = np.load(self.work / "states.npz")
        gradients = {n: states[n + ".velocity"].astype(float) for n in self.parameters if n + ".velocity" in states}
        original = {name: numpy_helper.to_array(self.parameters[name]) for name in gradients}
        numbers, worst = np.random.default_rng(2), 0.0
        for _ in range(self.options.directions):
            direction, slope = {}, 0.0
            for name, gradient in gradients.items():
                noise = numbers.standard_normal(gradient.shape)
                size = np.linalg.norm(gradient)
                if size == 0:
                    continue
                sign = numbers.choice([-1.0, 1.0])
                direction[name] = sign * gradient / size + noise / max(np.linalg.norm(noise), 1e-30)
                slope += float(np.sum(gradient * direction[name]))
            # Signs may cancel: then what is left is small against the parts.
            scale = max(abs(slope), 0.05 * sum(float(np.linalg.norm(g)) for g in gradients.values()))
            differences = []
            for part in STEPS:
                step = part * loss / scale
                ends = [self.train({n: (original[n] + s * step * d).astype(np.float32) for n, d in direction.items()})[0] for s in (1, -1)]
                differences.append(abs((ends[0] - ends[1]) / (2 * step) - slope) / scale)
                if differences[-1] < LIMIT:
                    break
            worst = max(worst, min(differences))
        self.train(original)
        return ("ok" if worst < LIMIT else "FAIL"), f"{len(gradients)} parameters{' by mse' if 'mse' in self.data else ''}, largest difference {worst:.1e}"


def main() -> int:
    options = parse()
    find_llmpar()
    models = sorted(path for folder in options.folders for path in folder.rglob("model*.onnx"))
    if not models:
        print(f"error: no model*.onnx below {', '.join(map(str, options.folders))}", file=sys.stderr)
        return 2
    rows = []
    for path in models:
        with tempfile.TemporaryDirectory() as folder:
            rows.append([path.parent.name + "/" + path.name, *Model(path, Path(folder), options).check()])
    print(table([["model", "outcome", ""], *rows]))
    return int(any(row[1] == "FAIL" for row in rows))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
                                     epilog='example:\n  tools/dev/check_gradients.py "$LLMPAR_TEST_DATA/torch"')
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--directions", type=int, default=20)
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--length", type=int, default=8)
    parser.add_argument("--tokens", type=int, default=90, help="token ids are below this")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
