"""A small builder of ONNX graphs whose weights stream into one external file.

    with GraphBuilder("out", opset=20, seed=0) as g:
        x = g.input("x", "float32", ["batch", 8])
        w = g.weight("proj.weight", [8, 16])          # normal(0, 0.02), a function of seed and name
        g.output(g.op("MatMul", x, w, name="proj"), "y", "float32", ["batch", 16])
    # out/model.onnx, out/model.onnx.data

A weight's values depend on the seed and its name only, not on the order of the calls, so that models
that share a part share its weights. One weight at a time is in memory.
"""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

ALIGNMENT = 64  # bytes, of each weight in the data file
INLINE_BYTES = 1024  # smaller tensors stay in the .onnx file


class GraphBuilder:
    def __init__(self, folder: str | Path, *, name: str = "model", opset: int = 20, seed: int = 0, weights: bool = True):
        """`weights=False` writes the graph only: its data file does not exist."""
        self.folder = Path(folder)
        self.name, self.opset, self.seed, self.has_weights = name, opset, seed, weights
        self.nodes, self.initializers, self.inputs, self.outputs = [], [], [], []
        self.scopes: list[str] = []
        self.counts: dict[str, int] = {}
        self.constants: dict[tuple, str] = {}
        self.parameter_count = 0
        self.offset = 0
        self.data = None

    def __enter__(self) -> GraphBuilder:
        self.folder.mkdir(parents=True, exist_ok=True)
        if self.has_weights:
            self.data = open(self.folder / f"{self.name}.onnx.data", "wb")
        return self

    def __exit__(self, kind, error, trace) -> None:
        if self.data:
            self.data.close()
        if kind is None:
            self._save()

    # Names ---------------------------------------------------------------------------------

    def scope(self, name: str) -> _Scope:
        """`with g.scope("h.0"):` prefixes the names of nodes and weights."""
        return _Scope(self, name)

    def _qualified(self, name: str) -> str:
        return ".".join([*self.scopes, name])

    def _fresh(self, stem: str) -> str:
        stem = self._qualified(stem)
        count = self.counts.get(stem, 0)
        self.counts[stem] = count + 1
        return f"{stem}_{count}" if count else stem

    # Values --------------------------------------------------------------------------------

    def input(self, name: str, dtype: str, shape: list[int | str]) -> str:
        self.inputs.append(helper.make_tensor_value_info(name, _onnx_type(dtype), shape))
        return name

    def output(self, value: str, name: str, dtype: str, shape: list[int | str]) -> None:
        self.nodes.append(helper.make_node("Identity", [value], [name], name=f"{name}_identity"))
        self.outputs.append(helper.make_tensor_value_info(name, _onnx_type(dtype), shape))

    def weight(self, name: str, shape: list[int], *, std: float = 0.02, mean: float = 0.0) -> str:
        """A float32 parameter, normal(mean, std)."""
        name = self._qualified(name)
        size = int(np.prod(shape))
        self.parameter_count += size
        if not self.has_weights:
            self._external(name, shape, size * 4)
            return name
        generator = np.random.default_rng([self.seed, zlib.crc32(name.encode())])
        values = generator.standard_normal(size, dtype=np.float32)
        values *= np.float32(std)
        values += np.float32(mean)
        if values.nbytes < INLINE_BYTES:
            self.initializers.append(numpy_helper.from_array(values.reshape(shape), name))
            return name
        self._external(name, shape, values.nbytes)
        self.data.write(values.tobytes())
        return name

    def _external(self, name: str, shape: list[int], nbytes: int) -> None:
        padding = -self.offset % ALIGNMENT
        if self.data:
            self.data.write(bytes(padding))
        self.offset += padding
        tensor = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=shape, data_location=TensorProto.EXTERNAL)
        for key, value in {"location": f"{self.name}.onnx.data", "offset": self.offset, "length": nbytes}.items():
            tensor.external_data.add(key=key, value=str(value))
        self.initializers.append(tensor)
        self.offset += nbytes

    def constant(self, value, dtype: str = "float32") -> str:
        """A small constant; equal ones are one initialiser."""
        array = np.asarray(value, dtype)
        key = (array.tobytes(), dtype, array.shape)
        if key not in self.constants:
            name = f"const_{len(self.constants)}"
            self.initializers.append(numpy_helper.from_array(array, name))
            self.constants[key] = name
        return self.constants[key]

    def op(self, op_type: str, *inputs: str, name: str = "", outputs: int = 1, **attributes) -> str | list[str]:
        """Adds a node; returns its output's name (or a list, for several)."""
        node_name = self._fresh(name or op_type.lower())
        names = [node_name if i == 0 else f"{node_name}:{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(op_type, list(inputs), names, name=node_name, **attributes))
        return names[0] if outputs == 1 else names

    # Shared pieces ---------------------------------------------------------------------------

    def linear(self, x: str, name: str, size_in: int, size_out: int, *, bias: bool = True, std: float = 0.02) -> str:
        """x @ weight + bias, weight of shape [in, out]."""
        y = self.op("MatMul", x, self.weight(f"{name}.weight", [size_in, size_out], std=std), name=f"{name}.matmul")
        return self.op("Add", y, self.weight(f"{name}.bias", [size_out]), name=f"{name}.add") if bias else y

    def split_heads(self, x: str, heads: int, size: int) -> str:
        """[batch, seq, heads * size] -> [batch, heads, seq, size]"""
        x = self.op("Reshape", x, self.constant([0, 0, heads, size], "int64"))
        return self.op("Transpose", x, perm=[0, 2, 1, 3])

    def merge_heads(self, x: str, width: int) -> str:
        """[batch, heads, seq, size] -> [batch, seq, heads * size]"""
        x = self.op("Transpose", x, perm=[0, 2, 1, 3])
        return self.op("Reshape", x, self.constant([0, 0, width], "int64"))

    def causal_attention(self, q: str, k: str, v: str, mask: str, head_size: int) -> str:
        """softmax(q k^T / sqrt(head_size) + mask) v; all of shape [batch, heads, seq, head_size]."""
        scores = self.op("MatMul", q, self.op("Transpose", k, perm=[0, 1, 3, 2]), name="scores")
        scores = self.op("Mul", scores, self.constant(1 / np.sqrt(head_size)), name="scaled")
        scores = self.op("Add", scores, mask, name="masked")
        return self.op("MatMul", self.op("Softmax", scores, axis=-1), v, name="context")

    def sequence_length(self, ids: str) -> str:
        """The second extent of [batch, seq], as int64[1]."""
        return self.op("Shape", ids, start=1, end=2, name="seq")

    def causal_mask(self, ids: str) -> str:
        """[seq, seq]: 0 on and below the diagonal, -1e9 above it."""
        length = self.sequence_length(ids)
        shape = self.op("Concat", length, length, axis=0)
        blocked = helper.make_tensor("value", TensorProto.FLOAT, [1], [-1e9])
        full = self.op("ConstantOfShape", shape, value=blocked)
        return self.op("Trilu", full, self.constant(1, "int64"), upper=1, name="causal_mask")

    def position_ids(self, ids: str) -> str:
        """0 .. seq - 1, as int64[seq]."""
        length = self.op("Squeeze", self.sequence_length(ids), self.constant([0], "int64"))
        return self.op("Range", self.constant(0, "int64"), length, self.constant(1, "int64"), name="position_ids")

    # File ------------------------------------------------------------------------------------

    def _save(self) -> None:
        graph = helper.make_graph(self.nodes, self.name, self.inputs, self.outputs, self.initializers)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)], producer_name="llmpar.zoo")
        model.ir_version = 10
        path = self.folder / f"{self.name}.onnx"
        path.write_bytes(model.SerializeToString())
        if self.has_weights:
            onnx.checker.check_model(str(path))


class _Scope:
    def __init__(self, builder: GraphBuilder, name: str):
        self.builder, self.name = builder, name

    def __enter__(self) -> None:
        self.builder.scopes.append(self.name)

    def __exit__(self, *_) -> None:
        self.builder.scopes.pop()


def _onnx_type(dtype: str) -> int:
    return helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
