//===- ContribAttention.cpp - Attention operators of ONNX Runtime ---------===//
#include "AttentionCore.h"
#include "Handlers.h"
#include <cmath>

using namespace mlir;

namespace llmpar {
namespace {

double defaultScale(NodeImporter &n, Value q) {
  double scale = n.real("scale", 0);
  return scale != 0 ? scale : 1 / std::sqrt(static_cast<double>(n.dim(q, -1)));
}

/// A padding mask as numbers to add (0 or the filter value), [B, 1, S or 1, T].
///   [B] lengths; [2 B] ends, then starts; [3 B + 2] starts with lengths; [B, T]; [B, S, T]; [B, 1, M, M]
Value paddingBias(NodeImporter &n, Value mask, Value q, int64_t keys, double filter) {
  int64_t batch = n.dim(q, 0), queries = n.dim(q, 2), past = keys - queries;
  Value allowed;
  if (n.rank(mask) == 1) {
    Value position = n.iota(n.i64(), {1, keys}, 1);
    auto part = [&](int64_t i) {
      return n.reshape(n.cast(n.sliceAxis(mask, 0, i * batch, batch), n.i64()), {batch, 1, 1, 1});
    };
    allowed = n.binary("less", position, part(0));
    if (n.dim(mask, 0) == 2 * batch)
      allowed = bothMasks(n, allowed, n.binary("greater_equal", position, part(1)));
  } else {
    Value keep = n.cast(mask, n.i1());
    if (n.rank(mask) == 2)
      allowed = n.reshape(keep, {n.dim(mask, 0), 1, 1, n.dim(mask, 1)});
    else if (n.rank(mask) == 3)
      allowed = n.unsqueeze(keep, {1});
    else // [B, 1, M, M]: a causal mask of the longest sequence
      allowed = n.sliceAxis(n.sliceAxis(keep, 2, past, queries), 3, 0, keys);
  }
  return n.select(allowed, n.scalarLike(0, q), n.scalarLike(filter, q));
}

Value addBias(NodeImporter &n, Value a, Value b) {
  if (!a || !b)
    return a ? a : b;
  return n.add(a, b);
}

/// Columns [begin, begin + size) of x's last dimension.
Value columns(NodeImporter &n, Value x, int64_t begin, int64_t size) { return n.sliceAxis(x, -1, begin, size); }

} // namespace

// Inputs: input weights bias mask_index past attention_bias past_sequence_length.
// The joint weight is cut into three, so that each product shards by heads.
void importContribAttention(NodeImporter &n) {
  Value x = n.input(0), weights = n.input(1);
  int64_t heads = n.integer("num_heads", 0), total = n.dim(weights, 1);
  Ints sizes = n.integers("qkv_hidden_sizes").value_or(Ints(3, total / 3));
  if (!n.failed() && (sizes.size() != 3 || sizes[0] + sizes[1] + sizes[2] != total))
    n.error("qkv_hidden_sizes do not add up to " + Twine(total));
  if (n.failed())
    return;
  Value projected[3];
  for (int64_t i = 0, begin = 0; i < 3; begin += sizes[i++]) {
    projected[i] = n.matmul(x, columns(n, weights, begin, sizes[i]));
    if (n.has(2))
      projected[i] = n.add(projected[i], columns(n, n.input(2), begin, sizes[i]));
    projected[i] = splitHeads(n, projected[i], heads);
  }
  auto [q, k, v] = projected;
  int64_t past = 0;
  if (n.has(4)) { // [2, B, H, P, D]
    Value cache = n.input(4);
    past = n.dim(cache, 3);
    auto half = [&](int64_t i) { return n.reshape(n.sliceAxis(cache, 0, i, 1), n.shape(cache).drop_front()); };
    k = n.concat({half(0), k}, 2), v = n.concat({half(1), v}, 2);
  }
  int64_t queries = n.dim(q, 2), keys = n.dim(k, 2);
  AttentionInputs in{.q = q, .k = k, .v = v, .scale = defaultScale(n, q)};
  if (n.has(3))
    in.bias = paddingBias(n, n.input(3), q, keys, n.real("mask_filter_value", -10000));
  in.bias = addBias(n, in.bias, n.optional(5));
  if (n.integer("unidirectional", 0) != 0)
    in.allowed = windowMask(n, {-1, 0}, queries, keys, past);
  n.result(0, mergeHeads(n, attend(n, in).y));
  if (n.wants(1))
    n.result(1, n.concat({n.unsqueeze(k, {0}), n.unsqueeze(v, {0})}, 0));
}

// Inputs: query key value bias key_padding_mask attention_bias past_key past_value.
void importMultiHeadAttention(NodeImporter &n) {
  Value query = n.input(0), key = n.optional(1), value = n.optional(2), bias = n.optional(3);
  int64_t heads = n.integer("num_heads", 0);
  auto unpack = [&](Value packed, int64_t i) { // [B, S, H, parts, D]
    Value part = n.sliceAxis(packed, 3, i, 1);
    return n.reshape(part, {n.dim(part, 0), n.dim(part, 1), n.dim(part, 2) * n.dim(part, 4)});
  };
  if (n.rank(query) == 5) {
    key = unpack(query, 1), value = unpack(query, 2), query = unpack(query, 0);
  } else if (key && n.rank(key) == 5) {
    value = unpack(key, 1), key = unpack(key, 0);
  }
  if (!key || !value)
    return void(n.error("needs query, key and value"));
  int64_t hidden = n.dim(query, -1), begin = 0;
  auto withBias = [&](Value x, int64_t size) {
    if (bias && n.rank(x) == 3)
      x = n.add(x, columns(n, bias, begin, size));
    begin += size;
    return x;
  };
  auto toHeads = [&](Value x) { return n.rank(x) == 4 ? x : splitHeads(n, x, heads); };
  Value q = splitHeads(n, withBias(query, hidden), heads);
  Value k = toHeads(withBias(key, hidden));
  int64_t valueSize = bias ? n.dim(bias, 0) - 2 * hidden : n.dim(value, -1);
  Value v = toHeads(withBias(value, valueSize));
  int64_t past = 0;
  if (n.has(6) && n.has(7)) {
    past = n.dim(n.input(6), 2);
    k = n.concat({n.input(6), k}, 2), v = n.concat({n.input(7), v}, 2);
  }
  int64_t queries = n.dim(q, 2), keys = n.dim(k, 2);
  AttentionInputs in{.q = q, .k = k, .v = v, .scale = defaultScale(n, q)};
  if (n.has(4))
    in.bias = paddingBias(n, n.input(4), q, keys, n.real("mask_filter_value", -10000));
  in.bias = addBias(n, in.bias, n.optional(5));
  if (n.integer("unidirectional", 0) != 0)
    in.allowed = windowMask(n, {-1, 0}, queries, keys, past);
  AttentionOutputs out = attend(n, in);
  n.result(0, mergeHeads(n, out.y));
  n.result(1, k);
  n.result(2, v);
  n.result(3, out.raw);
}

// Inputs: query key value past_key past_value seqlens_k total_sequence_length cos_cache sin_cache position_ids
//         attention_bias head_sink. seqlens_k[b] + 1 keys are valid, the last S of them new. The present is the past
// with the new keys behind it, or a longer cache that is filled in place.
void importGroupQueryAttention(NodeImporter &n) {
  Value query = n.input(0), key = n.optional(1), value = n.optional(2), lengths = n.input(5);
  int64_t heads = n.integer("num_heads", 0), keyHeads = n.integer("kv_num_heads", 0), batch = n.dim(query, 0);
  if (heads < 1 || keyHeads < 1)
    n.error("needs num_heads and kv_num_heads");
  if (n.failed())
    return;
  if (!key) { // one tensor [B, S, (H + 2 K) D]
    int64_t size = n.dim(query, -1) / (heads + 2 * keyHeads), joint = keyHeads * size;
    key = columns(n, query, heads * size, joint), value = columns(n, query, heads * size + joint, joint);
    query = columns(n, query, 0, heads * size);
  }
  Value q = splitHeads(n, query, heads), k = splitHeads(n, key, keyHeads), v = splitHeads(n, value, keyHeads);
  int64_t queries = n.dim(q, 2), past = n.has(3) ? n.dim(n.input(3), 2) : 0, length = past + queries;
  if (auto total = n.constantIntegers(n.optional(6)); total && total->size() == 1)
    length = std::max(past, total->front());
  // A mask shorter than past and new tokens (ONNX Attention allows it): the keys that it does not reach are masked.
  bool shortMask = length > past && length < past + queries;
  if (shortMask)
    length = past + queries;
  if (length != past && length != past + queries)
    return void(n.error("total_sequence_length is " + Twine(length) + "; it must be at most " + Twine(past + queries) +
                        " (past and new tokens)"));

  // How many keys precede the queries. Without a padded batch that is the whole past.
  Value start = n.reshape(n.cast(lengths, n.i64()), {n.numElements(lengths)});
  start = n.binary("max", n.sub(start, n.scalar(static_cast<double>(queries - 1), n.i64())), n.scalar(0, n.i64()));
  if (shortMask)
    start = n.filled(static_cast<double>(past), n.i64(), {batch});
  bool appends = length == past + queries && (batch == 1 || past == 0 || queries > 1);

  if (n.integer("do_rotary", 0) != 0) {
    Value positions = n.optional(9);
    if (!positions)
      positions = n.add(n.reshape(start, {batch, 1}), n.iota(n.i64(), {1, queries}, 1));
    Value cos = n.unsqueeze(n.gather(n.input(7), positions, 0), {1});
    Value sin = n.unsqueeze(n.gather(n.input(8), positions, 0), {1});
    bool interleaved = n.integer("rotary_interleaved", 0) != 0;
    q = n.rotary(q, cos, sin, interleaved), k = n.rotary(k, cos, sin, interleaved);
  }
  auto update = [&](size_t i, Value fresh) {
    if (past == 0 && length == queries)
      return fresh;
    Value old = n.has(i) ? n.input(i) : n.filled(0, n.elementType(fresh), {batch, keyHeads, 0, n.dim(fresh, 3)});
    return appends ? n.concat({old, fresh}, 2) : placeInCache(n, old, fresh, start, length);
  };
  k = update(3, k), v = update(4, v);

  AttentionInputs in{.q = q, .k = k, .v = v, .scale = defaultScale(n, q), .softcap = n.real("softcap", 0)};
  int64_t window = n.integer("local_window_size", -1);
  in.allowed = windowMask(n, {window > 0 ? window - 1 : -1, 0}, queries, length, start);
  if (shortMask) {
    Value last = n.reshape(n.cast(lengths, n.i64()), {batch, 1, 1, 1});
    Value reached = n.binary("less_equal", n.iota(n.i64(), {1, 1, 1, length}, 3), last);
    in.allowed = in.allowed ? n.binary("bit_and", in.allowed, reached) : reached;
  }
  in.bias = n.optional(10);
  in.sink = n.optional(11);
  if (!in.sink && n.integer("smooth_softmax", 0) == 1)
    in.sink = n.filled(0, n.elementType(q), {heads});
  n.result(0, mergeHeads(n, attend(n, in).y));
  n.result(1, k);
  n.result(2, v);
}

// Inputs: input position_ids cos_cache sin_cache; position_ids are [B, S], or one first position.
void importContribRotaryEmbedding(NodeImporter &n) {
  Value x = n.input(0), positions = n.input(1), cos = n.input(2), sin = n.input(3);
  bool packed = n.rank(x) == 3;
  int64_t heads = n.integer("num_heads", 0);
  if (packed && heads == 0)
    heads = n.dim(x, 2) / std::max<int64_t>(2 * n.dim(cos, 1), 1);
  Value split = packed ? splitHeads(n, x, heads) : x;
  if (n.rank(positions) == 1) {
    Value first = n.reshape(n.cast(positions, n.i64()), {1, 1});
    positions = n.add(first, n.iota(n.i64(), {1, n.dim(split, 2)}, 1));
  }
  cos = n.unsqueeze(n.gather(cos, positions, 0), {1}), sin = n.unsqueeze(n.gather(sin, positions, 0), {1});
  double scale = n.real("scale", 1);
  Value y = n.scale(n.rotary(split, cos, sin, n.integer("interleaved", 0) != 0), scale);
  n.result(0, packed ? mergeHeads(n, y) : y);
}

} // namespace llmpar
