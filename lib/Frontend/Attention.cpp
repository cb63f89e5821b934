//===- Attention.cpp - ONNX Attention and RotaryEmbedding -----------------===//
#include "AttentionCore.h"
#include "Handlers.h"
#include <cmath>

using namespace mlir;

namespace llmpar {

/// A mask shorter than the keys forbids the rest; masks are bool, or numbers to add.
static Value padMask(NodeImporter &n, Value mask, int64_t keys) {
  if (n.rank(mask) == 0 || n.dim(mask, -1) >= keys)
    return mask;
  Ints low(n.rank(mask), 0), high(n.rank(mask), 0);
  high.back() = keys - n.dim(mask, -1);
  return n.pad(mask, low, high, n.isBool(mask) ? 0 : -std::numeric_limits<double>::infinity());
}

// Inputs: Q K V mask? past_key? past_value? nonpad_kv_seqlen?
void importAttention(NodeImporter &n) {
  Value q = n.input(0), k = n.input(1), v = n.input(2), nonpad = n.optional(6);
  bool packed = n.rank(q) == 3;
  if (packed) {
    int64_t heads = n.integer("q_num_heads", 0), keyHeads = n.integer("kv_num_heads", heads);
    q = splitHeads(n, q, heads), k = splitHeads(n, k, keyHeads), v = splitHeads(n, v, keyHeads);
  }
  int64_t past = 0;
  if (n.has(4) && n.has(5)) {
    past = n.dim(n.input(4), 2);
    k = n.concat({n.input(4), k}, 2), v = n.concat({n.input(5), v}, 2);
  }
  int64_t queries = n.dim(q, 2), keys = n.dim(k, 2);
  if (n.failed() || (n.rank(q) != 4 || n.rank(k) != 4 || n.rank(v) != 4))
    return void(n.error("Q, K and V must all have rank 3, or all rank 4"));

  AttentionInputs in{.q = q, .k = k, .v = v};
  in.scale = n.real("scale", 1 / std::sqrt(static_cast<double>(n.dim(q, 3))));
  in.softcap = n.real("softcap", 0);
  if (n.hasAttribute("softmax_precision"))
    in.softmaxType = n.onnxType(n.integer("softmax_precision", 1));
  if (Value mask = n.optional(3)) {
    mask = padMask(n, n.isBool(mask) ? mask : n.cast(mask, n.elementType(q)), keys);
    (n.isBool(mask) ? in.allowed : in.bias) = mask;
    in.rowsMayBeEmpty = true;
  }
  AttentionWindow window{n.integer("left_window_size", -1), n.integer("right_window_size", -1)};
  if (n.integer("is_causal", 0) != 0)
    window.right = 0;
  if (nonpad) {
    Value lengths = n.cast(nonpad, n.i64());
    Value offsets = n.sub(lengths, n.scalar(static_cast<double>(queries), n.i64()));
    in.allowed = bothMasks(n, in.allowed, windowMask(n, window, queries, keys, offsets));
    Value valid = n.binary("less", n.iota(n.i64(), {1, keys}, 1), n.reshape(lengths, {n.dim(q, 0), 1, 1, 1}));
    in.allowed = bothMasks(n, in.allowed, valid);
    in.rowsMayBeEmpty = true;
  } else {
    in.allowed = bothMasks(n, in.allowed, windowMask(n, window, queries, keys, past));
    in.rowsMayBeEmpty |= window.left >= 0;
  }

  AttentionOutputs out = attend(n, in);
  n.result(0, packed ? mergeHeads(n, out.y) : out.y);
  n.result(1, k);
  n.result(2, v);
  const Value byMode[] = {out.raw, out.capped, out.biased, out.probabilities};
  int64_t mode = n.integer("qk_matmul_output_mode", 0);
  if (mode < 0 || mode > 3)
    return void(n.error("qk_matmul_output_mode " + Twine(mode) + " is not supported, only 0 to 3"));
  n.result(3, byMode[mode]);
}

// Inputs: X cos_cache sin_cache position_ids?; caches are [B, S, r], or [positions, r] to be looked up.
void importRotaryEmbedding(NodeImporter &n) {
  Value x = n.input(0), cos = n.input(1), sin = n.input(2);
  bool packed = n.rank(x) == 3;
  Value heads = packed ? splitHeads(n, x, n.integer("num_heads", 0)) : x;
  if (n.has(3))
    cos = n.gather(cos, n.input(3), 0), sin = n.gather(sin, n.input(3), 0);
  if (!n.failed() && (n.rank(cos) != 3 || n.rank(sin) != 3))
    n.error("its caches must give [batch, sequence, rotary/2]");
  int64_t rotary = n.integer("rotary_embedding_dim", 0);
  if (!n.failed() && rotary != 0 && rotary != 2 * n.dim(cos, -1))
    n.error("rotary_embedding_dim " + Twine(rotary) + " is not twice the caches' last dimension, " +
            Twine(n.dim(cos, -1)));
  Value rotated = n.rotary(heads, n.unsqueeze(cos, {1}), n.unsqueeze(sin, {1}), n.integer("interleaved", 0) != 0);
  n.result(0, packed ? mergeHeads(n, rotated) : rotated);
}

} // namespace llmpar
