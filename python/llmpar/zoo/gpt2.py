"""GPT-2: learned positions, packed query-key-value projection, tanh GELU, tied language model head."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from llmpar.zoo.graph import GraphBuilder


@dataclass(frozen=True)
class Gpt2Config:
    layers: int = 12
    hidden: int = 768
    heads: int = 12
    vocab: int = 50257
    positions: int = 1024


SIZES = {
    "tiny": Gpt2Config(layers=2, hidden=48, heads=4, vocab=101, positions=64),
    "small": Gpt2Config(),
    "medium": Gpt2Config(layers=24, hidden=1024, heads=16),
    "large": Gpt2Config(layers=36, hidden=1280, heads=20),
    "xl": Gpt2Config(layers=48, hidden=1600, heads=25),
}


def build_gpt2(folder: str | Path, config: Gpt2Config = SIZES["small"], *, seed: int = 0, weights: bool = True) -> int:
    """Writes model.onnx (input_ids[batch, seq] -> logits[batch, seq, vocab]); returns the number of parameters."""
    c = config
    with GraphBuilder(folder, opset=20, seed=seed, weights=weights) as g:
        ids = g.input("input_ids", "int64", ["batch", "seq"])
        table = g.weight("wte.weight", [c.vocab, c.hidden])
        positions = g.weight("wpe.weight", [c.positions, c.hidden])
        x = g.op("Add", g.op("Gather", table, ids, name="wte"),
                 g.op("Gather", positions, g.position_ids(ids), name="wpe"), name="embedding")
        mask = g.causal_mask(ids)
        for layer in range(c.layers):
            with g.scope(f"h.{layer}"):
                x = g.op("Add", x, _attention(g, _norm(g, x, "ln_1", c.hidden), mask, c), name="residual_1")
                x = g.op("Add", x, _mlp(g, _norm(g, x, "ln_2", c.hidden), c), name="residual_2")
        x = _norm(g, x, "ln_f", c.hidden)
        logits = g.op("MatMul", x, g.op("Transpose", table, perm=[1, 0], name="lm_head.weight"), name="lm_head")
        g.output(logits, "logits", "float32", ["batch", "seq", c.vocab])
    return g.parameter_count


def _norm(g: GraphBuilder, x: str, name: str, hidden: int) -> str:
    scale, bias = g.weight(f"{name}.weight", [hidden], mean=1.0), g.weight(f"{name}.bias", [hidden])
    return g.op("LayerNormalization", x, scale, bias, axis=-1, epsilon=1e-5, name=name)


def _attention(g: GraphBuilder, x: str, mask: str, c: Gpt2Config) -> str:
    size = c.hidden // c.heads
    packed = g.linear(x, "attn.c_attn", c.hidden, 3 * c.hidden)
    parts = g.op("Split", packed, num_outputs=3, axis=-1, outputs=3, name="attn.split")
    q, k, v = (g.split_heads(part, c.heads, size) for part in parts)
    context = g.merge_heads(g.causal_attention(q, k, v, mask, size), c.hidden)
    return g.linear(context, "attn.c_proj", c.hidden, c.hidden, std=0.02 / (2 * c.layers) ** 0.5)


def _mlp(g: GraphBuilder, x: str, c: Gpt2Config) -> str:
    x = g.linear(x, "mlp.c_fc", c.hidden, 4 * c.hidden)
    x = g.op("Gelu", x, approximate="tanh", name="mlp.gelu")
    return g.linear(x, "mlp.c_proj", 4 * c.hidden, c.hidden, std=0.02 / (2 * c.layers) ** 0.5)
