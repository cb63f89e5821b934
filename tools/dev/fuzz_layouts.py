#!/usr/bin/env python3
"""Random graphs x meshes x layouts x pins: the sharded run must equal the single-device run and ONNX Runtime.

Two kinds of cases. Exact: every value is a small integer in a float, so that no order of summation
rounds, and the results must be equal bit for bit. Real: also softmax, norms and division, compared
with a tolerance. Case K of seed S is a function of S and K alone.
"""

from __future__ import annotations

import argparse
import random
import shlex
import shutil
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "python"))
import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from llmpar.cli import ROOT, Outcome, find_llmpar, run_llmpar

EXTENTS = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 13]
MESHES = [[2], [3], [4], [5], [6], [7], [8], [2, 2], [2, 3], [3, 2], [2, 4], [4, 2], [1, 3], [2, 2, 2]]
MAX_ELEMENTS = 4096  # of any value: the reference device is slow
MAX_EXACT = 2**22  # below 2^24, where floats stop holding every integer


@dataclass
class Value:
    name: str
    shape: tuple[int, ...]
    bound: float  # of the absolute values


@dataclass
class Case:
    """A model, its inputs and how to shard it."""

    model: onnx.ModelProto
    inputs: dict[str, np.ndarray]
    exact: bool
    flags: list[str] = field(default_factory=list)


class GraphMaker:
    """Grows a graph node by node. Each `add_*` method returns a Value, or None if it does not apply."""

    def __init__(self, rng: random.Random):
        self.rng = rng
        self.numbers = np.random.default_rng(rng.getrandbits(32))
        self.exact = rng.random() < 0.7
        self.nodes, self.used = [], set()
        self.inputs: dict[str, np.ndarray] = {}
        self.weights: dict[str, np.ndarray] = {}
        self.constants: dict[str, np.ndarray] = {}
        self.live: list[Value] = []

    # Sources

    def shape(self, rank: int) -> tuple[int, ...]:
        while True:
            shape = tuple(self.rng.choice(EXTENTS) for _ in range(rank))
            if np.prod(shape) <= MAX_ELEMENTS:
                return shape

    def source(self, shape: tuple[int, ...], *, low: int = -3, high: int = 3) -> Value:
        """A new graph input or weight."""
        store, stem = (self.inputs, "x") if self.rng.random() < 0.3 else (self.weights, "w")
        name = f"{stem}{len(store)}"
        integers = self.numbers.integers(low, high + 1, shape)
        store[name] = integers.astype(np.float32) if self.exact else self.numbers.uniform(low, high, shape).astype(np.float32)
        return Value(name, shape, float(max(-low, high)))

    def constant(self, values, dtype="int64") -> str:
        name = f"c{len(self.constants)}"
        self.constants[name] = np.asarray(values, dtype)
        return name

    def pick(self, minimum_rank: int = 1) -> Value | None:
        candidates = [value for value in self.live if len(value.shape) >= minimum_rank]
        # Recent values more often: deep graphs find more.
        return self.rng.choice(candidates[-4:] if self.rng.random() < 0.7 else candidates) if candidates else None

    def node(self, op: str, inputs: list[str], shape, bound: float, **attributes) -> Value | None:
        if np.prod(shape) > MAX_ELEMENTS or (self.exact and bound > MAX_EXACT) or bound > 1e6:
            return None
        name = f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, inputs, [name], name=f"{op}_{len(self.nodes)}", **attributes))
        self.used.update(inputs)
        return Value(name, tuple(int(n) for n in shape), bound)

    # Operators

    def add_matmul(self) -> Value | None:
        a = self.pick(2)
        if not a:
            return None
        k = a.shape[-1]
        batch = a.shape[:-2] if self.rng.random() < 0.3 else ()
        b = self.source((*batch, k, self.rng.choice(EXTENTS)))
        return self.node("MatMul", [a.name, b.name], (*a.shape[:-1], b.shape[-1]), a.bound * b.bound * k)

    def add_gram(self) -> Value | None:
        """a @ a^T: a batched product of activations, as in attention."""
        a = self.pick(2)
        if not a:
            return None
        rank = len(a.shape)
        permutation = [*range(rank - 2), rank - 1, rank - 2]
        turned = self.node("Transpose", [a.name], [a.shape[i] for i in permutation], a.bound, perm=permutation)
        return self.node("MatMul", [a.name, turned.name], (*a.shape[:-1], a.shape[-2]), a.bound**2 * a.shape[-1])

    def add_binary(self) -> Value | None:
        a = self.pick()
        if not a:
            return None
        partners = [b for b in self.live if broadcast(a.shape, b.shape)]
        if self.rng.random() < 0.5 and partners:
            b = self.rng.choice(partners)
        else:
            shape = [n if self.rng.random() < 0.7 else 1 for n in a.shape]
            b = self.source(tuple(shape[self.rng.randrange(len(shape)):]))
        op = self.rng.choice(["Add", "Sub", "Mul", "Max", "Min"])
        bound = a.bound * b.bound if op == "Mul" else a.bound + b.bound
        first, second = (a, b) if self.rng.random() < 0.7 else (b, a)
        return self.node(op, [first.name, second.name], broadcast(a.shape, b.shape), bound)

    def add_unary(self) -> Value | None:
        a = self.pick()
        kinds = ["Neg", "Abs", "Relu"] if self.exact else ["Neg", "Relu", "Tanh", "Sigmoid", "Gelu", "Softplus"]
        return a and self.node(self.rng.choice(kinds), [a.name], a.shape, a.bound + 1)

    def add_reduce(self) -> Value | None:
        a = self.pick(2)
        if not a:
            return None
        rank = len(a.shape)
        axes = sorted(self.rng.sample(range(rank), self.rng.randint(1, rank - 1)))
        keep = self.rng.random() < 0.5
        op = self.rng.choice(["ReduceSum", "ReduceMax", "ReduceMin"] + ([] if self.exact else ["ReduceMean"]))
        shape = [1 if i in axes else n for i, n in enumerate(a.shape) if keep or i not in axes]
        bound = a.bound * (np.prod([a.shape[i] for i in axes]) if op == "ReduceSum" else 1)
        return self.node(op, [a.name, self.constant(axes)], shape, bound, keepdims=int(keep))

    def add_softmax(self) -> Value | None:
        a = None if self.exact else self.pick()
        return a and self.node("Softmax", [a.name], a.shape, 1.0, axis=self.rng.randrange(len(a.shape)))

    def add_attention(self) -> Value | None:
        """softmax(a @ a^T) @ v, log-softmax in place of it at times: keys are split where a pin splits the rows of a or v."""
        scores = None if self.exact else self.add_gram()
        if not scores or not (values := self.source((scores.shape[-1], self.rng.choice(EXTENTS)))):
            return None
        op = self.rng.choice(["Softmax", "Softmax", "LogSoftmax"])
        rows = self.node(op, [scores.name], scores.shape, 2 * scores.bound + 3, axis=-1)
        return rows and self.node("MatMul", [rows.name, values.name], (*scores.shape[:-1], values.shape[-1]),
                                  rows.bound * values.bound * scores.shape[-1])

    def add_argmax(self) -> Value | None:
        a = self.pick(2)
        if not a:
            return None
        axis, last = self.rng.randrange(len(a.shape)), self.rng.randint(0, 1)
        if not self.exact:
            return None  # of nearly equal elements the largest depends on rounding
        shape = [1 if i == axis else n for i, n in enumerate(a.shape)]
        index = self.node(self.rng.choice(["ArgMax", "ArgMin"]), [a.name], shape, a.shape[axis], axis=axis, select_last_index=last)
        return index and self.node("Cast", [index.name], shape, a.shape[axis], to=TensorProto.FLOAT)

    def add_norm(self) -> Value | None:
        a = None if self.exact else self.pick()
        if not a or np.prod(a.shape[-1:]) < 2:
            return None
        axis = self.rng.randrange(len(a.shape))
        # A large epsilon: a row that is nearly constant would turn rounding into differences.
        scale, bias = self.source(a.shape[axis:]), self.source(a.shape[axis:])
        return self.node("LayerNormalization", [a.name, scale.name, bias.name], a.shape, 3.0 * np.sqrt(np.prod(a.shape)) + 3,
                         axis=axis, epsilon=1e-1)

    def add_gather(self) -> Value | None:
        if self.rng.random() < 0.5:
            data = self.source(self.shape(self.rng.randint(1, 2)))
        else:
            data = self.pick()
        if not data:
            return None
        axis = self.rng.randrange(len(data.shape))
        extent = data.shape[axis]
        indices = self.numbers.integers(-extent, extent, self.shape(self.rng.randint(0, 2)))
        if self.rng.random() < 0.5:
            name = f"ids{len(self.inputs)}"  # i1 would be a type to --input
            self.inputs[name] = np.asarray(indices, np.int64)
        else:
            name = self.constant(indices)
        shape = (*data.shape[:axis], *np.shape(indices), *data.shape[axis + 1:])
        return self.node("Gather", [data.name, name], shape, data.bound, axis=axis)

    def add_reshape(self) -> Value | None:
        a = self.pick()
        if not a:
            return None
        shape = list(a.shape)
        for _ in range(self.rng.randint(1, 2)):
            i = self.rng.randrange(len(shape))
            factors = [f for f in range(2, shape[i]) if shape[i] % f == 0]
            if factors and len(shape) < 5 and self.rng.random() < 0.6:
                factor = self.rng.choice(factors)
                shape[i:i + 1] = [factor, shape[i] // factor]
            elif i + 1 < len(shape):
                shape[i:i + 2] = [shape[i] * shape[i + 1]]
        return self.node("Reshape", [a.name, self.constant(shape)], shape, a.bound)

    def add_transpose(self) -> Value | None:
        a = self.pick(2)
        if not a:
            return None
        permutation = self.rng.sample(range(len(a.shape)), len(a.shape))
        return self.node("Transpose", [a.name], [a.shape[i] for i in permutation], a.bound, perm=permutation)

    def add_concat(self) -> Value | None:
        a = self.pick()
        if not a:
            return None
        axis = self.rng.randrange(len(a.shape))
        parts = [a, self.source((*a.shape[:axis], self.rng.choice(EXTENTS), *a.shape[axis + 1:]))]
        parts += [b for b in self.live if b.shape == a.shape][:1]
        self.rng.shuffle(parts)
        extent = sum(part.shape[axis] for part in parts)
        return self.node("Concat", [part.name for part in parts], (*a.shape[:axis], extent, *a.shape[axis + 1:]),
                         max(part.bound for part in parts), axis=axis)

    def add_slice(self) -> Value | None:
        a = self.pick()
        if not a:
            return None
        axis = self.rng.randrange(len(a.shape))
        extent = a.shape[axis]
        start = self.rng.randrange(extent)
        end = self.rng.randint(start + 1, extent)
        step = self.rng.choice([1, 1, 1, 2, 3])
        kept = len(range(start, end, step))
        if self.rng.random() < 0.15:  # backwards
            start, end, step = end - 1, start - 1 if start else -extent - 1, -step
        arguments = [self.constant([n]) for n in (start, end, axis, step)]
        return self.node("Slice", [a.name, *arguments], (*a.shape[:axis], kept, *a.shape[axis + 1:]), a.bound)

    # All together

    def grow(self) -> onnx.ModelProto:
        adders = [getattr(self, name) for name in sorted(dir(self)) if name.startswith("add_")]
        for _ in range(self.rng.randint(1, 2)):
            self.live.append(self.source(self.shape(self.rng.randint(1, 4))))
        wanted = self.rng.randint(2, 12)
        for _ in range(wanted * 4):
            if len(self.nodes) >= wanted:
                break
            value = self.rng.choice(adders)()
            if value and value.shape:
                self.live.append(value)
        if not self.nodes:
            a = self.live[0]
            self.live.append(self.node("Neg", [a.name], a.shape, a.bound))
        return self.model()

    def model(self) -> onnx.ModelProto:
        shapes = {value.name: value.shape for value in self.live}
        results = [n.output[0] for n in self.nodes if n.output[0] not in self.used and n.output[0] in shapes]
        self.drop_dead(results)
        inputs = [helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(v.dtype), v.shape)
                  for n, v in self.inputs.items()]
        outputs = [helper.make_tensor_value_info(n, TensorProto.FLOAT, shapes[n]) for n in results]
        initializers = [numpy_helper.from_array(v, n) for n, v in {**self.weights, **self.constants}.items()]
        graph = helper.make_graph(self.nodes, "fuzz", inputs, outputs, initializers)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)

    def drop_dead(self, results: list[str]) -> None:
        """Keeps what the results need, so that every input and weight can be pinned."""
        needed, kept = set(results), []
        for node in reversed(self.nodes):
            if node.output[0] in needed:
                needed.update(node.input)
                kept.append(node)
        self.nodes = kept[::-1]
        for store in (self.inputs, self.weights, self.constants):
            for name in [name for name in store if name not in needed]:
                del store[name]


def broadcast(a: tuple[int, ...], b: tuple[int, ...]) -> tuple[int, ...] | None:
    try:
        return np.broadcast_shapes(a, b)
    except ValueError:
        return None


def random_pin(rng: random.Random, name: str, rank: int, axes: list[str]) -> str:
    """w3=[-,tp]: each axis goes to a random dimension or nowhere; two on one dimension are dp+tp."""
    dims: list[list[str]] = [[] for _ in range(rank)]
    for axis in rng.sample(axes, len(axes)):
        if rng.random() < 0.6:
            rng.choice(dims).append(axis)
    return f"{name}=[{','.join('+'.join(dim) or '-' for dim in dims)}]"


def takes_hybrid(axes: list[str]) -> bool:
    """Whether there is an axis for data beside the one for tensor."""
    return len(axes) > 1


def make_case(seed: int, index: int) -> Case:
    rng = random.Random(f"{seed}:{index}")
    while True:
        maker = GraphMaker(rng)
        model = maker.grow()
        if model.graph.node:  # every step may have been refused: then there is nothing to compare
            break
    sizes = rng.choice(MESHES)
    axes = rng.sample(["dp", "tp", "pp"], len(sizes))
    # A float weight of at most 16 elements is a constant to the compiler, which no pin can name.
    weights = {n: v for n, v in maker.weights.items() if v.size > 16}
    pinnable = [(n, v.ndim) for n, v in {**maker.inputs, **weights}.items() if v.ndim > 0]
    pins = [random_pin(rng, name, rank, axes) for name, rank in rng.sample(pinnable, min(len(pinnable), rng.randint(0, 3)))]
    layout = rng.choice([*(["single"] if pins else []), "data", "tensor", *(["hybrid"] if takes_hybrid(axes) else [])])
    flags = ["--mesh", ",".join(f"{a}={n}" for a, n in zip(axes, sizes)), "--layout", layout]
    for pin in pins:
        flags += ["--shard", pin]
    return Case(model, maker.inputs, maker.exact, flags)


def expected_outputs(case: Case, folder: Path) -> list[str]:
    """What ONNX Runtime makes of the case, as flags of `llmpar verify`."""
    settings = onnxruntime.SessionOptions()
    settings.log_severity_level = 3
    settings.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(case.model.SerializeToString(), settings, providers=["CPUExecutionProvider"])
    flags = []
    for info, value in zip(session.get_outputs(), session.run(None, case.inputs)):
        np.save(folder / f"{info.name}.npy", value)
        flags.append(f"--expected-output={info.name}=@{folder / info.name}.npy")
    return flags


def run_case(index: int, options: argparse.Namespace) -> tuple[int, Outcome, Path, Case]:
    case = make_case(options.seed, index)
    folder = Path(tempfile.mkdtemp(prefix=f"fuzz-{options.seed}-{index}-"))
    onnx.save(case.model, folder / "model.onnx")
    arguments = ["verify", folder / "model.onnx", "--device", options.device, "--lanes", options.lanes, *case.flags]
    for name, value in case.inputs.items():
        np.save(folder / f"{name}.npy", value)
        arguments.append(f"--input={name}=@{folder / name}.npy")
    arguments += expected_outputs(case, folder)
    tolerance = ["--atol", "0", "--rtol", "0"] if case.exact else ["--atol", options.atol, "--rtol", options.rtol]
    outcome = run_llmpar(*arguments, *tolerance, "--json", timeout=options.timeout)
    if outcome.ok and options.case is None:
        shutil.rmtree(folder)
    return index, outcome, folder, case


def print_failure(index: int, outcome: Outcome, folder: Path, case: Case, options: argparse.Namespace) -> None:
    kept = ROOT / "out" / "fuzz" / f"{options.seed}-{index}"
    shutil.rmtree(kept, ignore_errors=True)
    shutil.copytree(folder, kept)
    shutil.rmtree(folder)
    command = " ".join(shlex.quote(part.replace(str(folder), str(kept))) for part in outcome.command)
    (kept / "command.txt").write_text(command + "\n")
    print(f"\ncase {index} ({'exact' if case.exact else 'real'}, {len(case.model.graph.node)} nodes, {' '.join(case.flags)})\n"
          f"  {outcome.kind.value}: {outcome.error}\n"
          f"  repeat: tools/dev/fuzz_layouts.py --seed {options.seed} --case {index} --device {options.device} --lanes {options.lanes}\n"
          f"  or:     {command}", flush=True)


def main() -> int:
    options = parse()
    find_llmpar()
    indices = range(options.count) if options.case is None else [options.case]
    start = time.perf_counter()
    failures, shown, kinds, talking = Counter(), 0, Counter(), 0
    with ThreadPoolExecutor(options.jobs) as pool:
        for index, outcome, folder, case in pool.map(lambda i: run_case(i, options), indices):
            kinds["exact" if case.exact else "real"] += 1
            talking += outcome.report.get("communication_bytes", 0) > 0
            if not outcome.ok:
                failures[outcome.kind.value] += 1
                shown += 1
                if shown <= options.show:
                    print_failure(index, outcome, folder, case, options)
                else:
                    shutil.rmtree(folder)
            elif options.case is not None:
                print(f"ok: {' '.join(map(shlex.quote, outcome.command))}")
            if sys.stderr.isatty():
                print(f"\r{sum(kinds.values())}/{len(indices)}", end="\r", file=sys.stderr, flush=True)
    bad = sum(failures.values())
    print(f"\n{sum(kinds.values())} cases of seed {options.seed} ({kinds['exact']} exact, {kinds['real']} real; {talking} communicated) in "
          f"{time.perf_counter() - start:.0f} s: {bad} failed" + (f" {dict(failures)}" if bad else ""))
    return int(bad > 0)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="""A failing case leaves its model, inputs and command in out/fuzz/SEED-CASE.
examples:
  tools/dev/fuzz_layouts.py --count 1000 --seed 7
  tools/dev/fuzz_layouts.py --seed 7 --case 42          one case again; its files are kept""")
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--case", type=int, metavar="K", help="only this case")
    parser.add_argument("--device", default="reference", help="reference or cpu (default: %(default)s)")
    parser.add_argument("--lanes", default="auto", help="auto, inline or threads (default: %(default)s)")
    parser.add_argument("--atol", type=float, default=1e-4, help="of real cases (default: %(default)s)")
    parser.add_argument("--rtol", type=float, default=1e-4, help="of real cases (default: %(default)s)")
    parser.add_argument("--jobs", type=int, default=2, help="processes at a time (default: %(default)s)")
    parser.add_argument("--show", type=int, default=20, help="failures that are printed and kept (default: %(default)s)")
    parser.add_argument("--timeout", type=float, default=60, help="seconds for one case (default: %(default)s)")
    options = parser.parse_args()
    if options.count < 1:
        parser.error(f"--count {options.count}: at least 1 case")
    return options


if __name__ == "__main__":
    sys.exit(main())
