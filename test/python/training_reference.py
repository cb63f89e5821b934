"""GPT-2 and Llama training in JAX: an implementation of its own of what `llmpar train` does to the zoo's models.

    losses = train(load_weights("model.onnx"), "gpt2", GPT2_SIZES["tiny"], tokens[batch, length + 1], steps=50, clip=1.0)
"""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import onnx
from onnx import numpy_helper


def load_weights(path) -> dict[str, jax.Array]:
    """The float initialisers of the model that are no constants of the graph."""
    model = onnx.load(str(path))
    return {w.name: jnp.asarray(numpy_helper.to_array(w)) for w in model.graph.initializer
            if w.data_type == onnx.TensorProto.FLOAT and not w.name.startswith("const_")}


def attention(q, k, v):
    """Causal; [batch, heads, seq, size]."""
    scores = jnp.einsum("bhsd,bhtd->bhst", q, k) / np.sqrt(q.shape[-1])
    seq = q.shape[2]
    scores = jnp.where(jnp.tril(jnp.ones((seq, seq), bool)), scores, -jnp.inf)
    return jnp.einsum("bhst,bhtd->bhsd", jax.nn.softmax(scores), v)


def heads(x, count):
    return x.reshape(*x.shape[:2], count, -1).swapaxes(1, 2)


def merge(x):
    return x.swapaxes(1, 2).reshape(x.shape[0], x.shape[2], -1)


def gpt2(w, ids, c):
    def norm(x, name):
        mean = x.mean(-1, keepdims=True)
        return (x - mean) / jnp.sqrt(((x - mean) ** 2).mean(-1, keepdims=True) + 1e-5) * w[f"{name}.weight"] + w[f"{name}.bias"]

    def linear(x, name):
        return x @ w[f"{name}.weight"] + w[f"{name}.bias"]

    x = w["wte.weight"][ids] + w["wpe.weight"][: ids.shape[1]]
    for layer in range(c.layers):
        h = f"h.{layer}"
        q, k, v = (heads(part, c.heads) for part in jnp.split(linear(norm(x, f"{h}.ln_1"), f"{h}.attn.c_attn"), 3, axis=-1))
        x = x + linear(merge(attention(q, k, v)), f"{h}.attn.c_proj")
        x = x + linear(jax.nn.gelu(linear(norm(x, f"{h}.ln_2"), f"{h}.mlp.c_fc"), approximate=True), f"{h}.mlp.c_proj")
    return norm(x, "ln_f") @ w["wte.weight"].T


def llama(w, ids, c):
    def norm(x, name):
        return x / jnp.sqrt((x**2).mean(-1, keepdims=True) + 1e-5) * w[f"{name}.weight"]

    half = c.theta ** -(np.arange(0, c.head_size, 2) / c.head_size)
    angle = np.arange(ids.shape[1])[:, None] * np.concatenate([half, half])[None]
    cos, sin = jnp.asarray(np.cos(angle), jnp.float32), jnp.asarray(np.sin(angle), jnp.float32)

    def rotate(x):
        low, high = jnp.split(x, 2, axis=-1)
        return x * cos + jnp.concatenate([-high, low], -1) * sin

    def mlp(y, h):
        return (jax.nn.silu(y @ w[f"{h}.gate_proj.weight"]) * (y @ w[f"{h}.up_proj.weight"])) @ w[f"{h}.down_proj.weight"]

    def mixture(y, h):
        best, indices = jax.lax.top_k(jax.nn.softmax(y @ w[f"{h}.gate.weight"]), c.active)
        share = best / best.sum(-1, keepdims=True)
        weight = (jax.nn.one_hot(indices, c.experts) * share[..., None]).sum(-2)
        return sum(weight[..., e : e + 1] * mlp(y, f"{h}.experts.{e}") for e in range(c.experts))

    x = w["embed_tokens.weight"][ids]
    for layer in range(c.layers):
        h = f"layers.{layer}"
        y = norm(x, f"{h}.input_norm")
        q = rotate(heads(y @ w[f"{h}.self_attn.q_proj.weight"], c.heads))
        k = rotate(heads(y @ w[f"{h}.self_attn.k_proj.weight"], c.kv_heads))
        v = heads(y @ w[f"{h}.self_attn.v_proj.weight"], c.kv_heads)
        k, v = (jnp.repeat(t, c.heads // c.kv_heads, axis=1) for t in (k, v))
        x = x + merge(attention(q, k, v)) @ w[f"{h}.self_attn.o_proj.weight"]
        y = norm(x, f"{h}.post_attention_norm")
        x = x + (mixture(y, f"{h}.moe") if c.experts else mlp(y, f"{h}.mlp"))
    return norm(x, "norm") @ w["lm_head.weight"]


FORWARD = {"gpt2": gpt2, "llama": llama, "mixtral": llama}


def mean_loss(w, tokens, forward, config):
    logits = forward(w, tokens[:, :-1], config)
    return -jnp.take_along_axis(jax.nn.log_softmax(logits), tokens[:, 1:, None], axis=-1).mean()


@partial(jax.jit, static_argnames=("forward", "config", "clip", "decay"))
def adamw_step(w, m, v, step, tokens, rate, forward, config, clip, decay):
    loss, grads = jax.value_and_grad(mean_loss)(w, tokens, forward, config)
    norm = jnp.sqrt(sum((g**2).sum() for g in grads.values()))
    scale = jnp.minimum(1.0, clip / (norm + 1e-6)) if clip else 1.0
    for name in w:
        g = grads[name] * scale
        m[name] = 0.9 * m[name] + 0.1 * g
        v[name] = 0.999 * v[name] + 0.001 * g**2
        change = m[name] / (1 - 0.9**step) / (jnp.sqrt(v[name] / (1 - 0.999**step)) + 1e-8)
        w[name] = w[name] - rate * (change + (decay * w[name] if w[name].ndim >= 2 else 0))
    return loss, w, m, v


def train(weights, kind, config, tokens, steps, rate=1e-3, clip=0.0, decay=0.0) -> list[float]:
    """Losses of AdamW on one batch, int[batch, length + 1]."""
    w, tokens = dict(weights), jnp.asarray(tokens)
    m, v = ({name: jnp.zeros_like(x) for name, x in w.items()} for _ in range(2))
    losses = []
    for step in range(1, steps + 1):
        loss, w, m, v = adamw_step(w, m, v, float(step), tokens, rate, FORWARD[kind], config, clip, decay)
        losses.append(float(loss))
    return losses
