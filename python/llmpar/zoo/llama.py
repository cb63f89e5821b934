"""Llama and Mixtral: RMS norms, rotary positions, grouped-query attention, SwiGLU or a mixture of such, a head of its own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from llmpar.zoo.graph import GraphBuilder


@dataclass(frozen=True)
class LlamaConfig:
    layers: int = 16
    hidden: int = 2048
    heads: int = 32
    kv_heads: int = 8
    intermediate: int = 8192
    vocab: int = 128256
    theta: float = 500000.0
    experts: int = 0  # 0: no mixture
    active: int = 2  # experts of a token

    @property
    def head_size(self) -> int:
        return self.hidden // self.heads


SIZES = {
    "tiny": LlamaConfig(layers=2, hidden=48, heads=6, kv_heads=2, intermediate=80, vocab=101),
    "small": LlamaConfig(layers=8, hidden=512, heads=8, kv_heads=4, intermediate=1408, vocab=32000),
    "1b": LlamaConfig(),
    "tiny-mixtral": LlamaConfig(layers=2, hidden=48, heads=6, kv_heads=2, intermediate=40, vocab=101, experts=4),
    "8b": LlamaConfig(layers=32, hidden=4096, heads=32, kv_heads=8, intermediate=14336),
}


def build_llama(folder: str | Path, config: LlamaConfig = SIZES["small"], *, seed: int = 0, weights: bool = True) -> int:
    """Writes model.onnx (input_ids[batch, seq] -> logits[batch, seq, vocab]); returns the number of parameters."""
    c = config
    with GraphBuilder(folder, opset=20, seed=seed, weights=weights) as g:
        ids = g.input("input_ids", "int64", ["batch", "seq"])
        x = g.op("Gather", g.weight("embed_tokens.weight", [c.vocab, c.hidden]), ids, name="embed_tokens")
        mask = g.causal_mask(ids)
        rotary = _rotary_tables(g, ids, c)
        for layer in range(c.layers):
            with g.scope(f"layers.{layer}"):
                x = g.op("Add", x, _attention(g, _norm(g, x, "input_norm", c), mask, rotary, c), name="residual_1")
                x = g.op("Add", x, _feed_forward(g, _norm(g, x, "post_attention_norm", c), c), name="residual_2")
        logits = g.linear(_norm(g, x, "norm", c), "lm_head", c.hidden, c.vocab, bias=False)
        g.output(logits, "logits", "float32", ["batch", "seq", c.vocab])
    return g.parameter_count


def _norm(g: GraphBuilder, x: str, name: str, c: LlamaConfig) -> str:
    """x / sqrt(mean(x^2) + 1e-5) * weight, decomposed as exporters write it."""
    square = g.op("Pow", x, g.constant(2.0), name=f"{name}.square")
    mean = g.op("ReduceMean", square, g.constant([-1], "int64"), keepdims=1, name=f"{name}.mean")
    root = g.op("Sqrt", g.op("Add", mean, g.constant(1e-5), name=f"{name}.add"), name=f"{name}.sqrt")
    scaled = g.op("Div", x, root, name=f"{name}.div")
    return g.op("Mul", scaled, g.weight(f"{name}.weight", [c.hidden], mean=1.0), name=name)


def _rotary_tables(g: GraphBuilder, ids: str, c: LlamaConfig) -> tuple[str, str]:
    """cos and sin of position * theta^(-2i/size), both [seq, head_size]."""
    half = np.arange(0, c.head_size, 2) / c.head_size
    frequencies = (c.theta**-half).astype(np.float32)
    position = g.op("Cast", g.position_ids(ids), to=1)
    column = g.op("Unsqueeze", position, g.constant([1], "int64"))
    angle = g.op("Mul", column, g.constant(frequencies[None, :]), name="angle")
    angles = g.op("Concat", angle, angle, axis=-1)
    return g.op("Cos", angles), g.op("Sin", angles)


def _rotate(g: GraphBuilder, x: str, rotary: tuple[str, str]) -> str:
    """x * cos + rotate_half(x) * sin; x is [batch, heads, seq, head_size]."""
    low, high = g.op("Split", x, num_outputs=2, axis=-1, outputs=2, name="halves")
    turned = g.op("Concat", g.op("Neg", high), low, axis=-1)
    return g.op("Add", g.op("Mul", x, rotary[0]), g.op("Mul", turned, rotary[1]), name="rotated")


def _repeat_heads(g: GraphBuilder, x: str, c: LlamaConfig) -> str:
    """[batch, kv_heads, seq, size] -> [batch, heads, seq, size]: each head serves heads / kv_heads queries."""
    groups = c.heads // c.kv_heads
    x = g.op("Unsqueeze", x, g.constant([2], "int64"))
    x = g.op("Expand", x, g.constant([1, 1, groups, 1, 1], "int64"))
    return g.op("Reshape", x, g.constant([0, c.heads, -1, c.head_size], "int64"))


def _attention(g: GraphBuilder, x: str, mask: str, rotary: tuple[str, str], c: LlamaConfig) -> str:
    def project(name: str, heads: int) -> str:
        y = g.linear(x, f"self_attn.{name}", c.hidden, heads * c.head_size, bias=False)
        return g.split_heads(y, heads, c.head_size)

    q = _rotate(g, project("q_proj", c.heads), rotary)
    k = _repeat_heads(g, _rotate(g, project("k_proj", c.kv_heads), rotary), c)
    v = _repeat_heads(g, project("v_proj", c.kv_heads), c)
    context = g.merge_heads(g.causal_attention(q, k, v, mask, c.head_size), c.hidden)
    return g.linear(context, "self_attn.o_proj", c.hidden, c.hidden, bias=False)


def _feed_forward(g: GraphBuilder, x: str, c: LlamaConfig) -> str:
    if c.experts == 0:
        return _mlp(g, x, "mlp", c)
    routing = _routing(g, x, c)
    parts = g.op("Split", routing, num_outputs=c.experts, axis=-1, outputs=c.experts, name="moe.weight")
    total = ""
    for expert, weight in enumerate(parts):
        part = g.op("Mul", _mlp(g, x, f"moe.experts.{expert}", c), weight, name=f"moe.experts.{expert}.weighted")
        total = g.op("Add", total, part, name="moe.sum") if total else part
    return total


def _routing(g: GraphBuilder, x: str, c: LlamaConfig) -> str:
    """[batch, seq, experts]: the softmax of the router's best `active` experts, which sum to 1; 0 elsewhere."""
    router = g.op("Softmax", g.linear(x, "moe.gate", c.hidden, c.experts, bias=False, std=0.5), axis=-1, name="moe.router")
    best, indices = g.op("TopK", router, g.constant([c.active], "int64"), axis=-1, outputs=2, name="moe.best")
    best = g.op("Div", best, g.op("ReduceSum", best, g.constant([-1], "int64"), keepdims=1), name="moe.share")
    nothing = g.op("Mul", router, g.constant(0.0), name="moe.nothing")
    return g.op("ScatterElements", nothing, indices, best, axis=-1, name="moe.routing")


def _mlp(g: GraphBuilder, x: str, name: str, c: LlamaConfig) -> str:
    gate = g.linear(x, f"{name}.gate_proj", c.hidden, c.intermediate, bias=False)
    up = g.linear(x, f"{name}.up_proj", c.hidden, c.intermediate, bias=False)
    silu = g.op("Mul", gate, g.op("Sigmoid", gate), name=f"{name}.silu")
    return g.linear(g.op("Mul", silu, up), f"{name}.down_proj", c.intermediate, c.hidden, bias=False)
