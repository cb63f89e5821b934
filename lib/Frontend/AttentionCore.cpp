//===- AttentionCore.cpp - Scaled dot-product attention in primitive ops --===//
#include "AttentionCore.h"
#include <cmath>

using namespace mlir;

namespace llmpar {
namespace {

/// Head groups of one attention, and how masks meet them.
struct Groups {
  NodeImporter &n;
  int64_t batch, heads, keyHeads, group;

  Value queries(Value q) const {
    return group == 1 ? q : n.reshape(q, {batch, keyHeads, group, n.dim(q, 2), n.dim(q, 3)});
  }
  Value keys(Value k) const { return group == 1 ? k : n.unsqueeze(k, {2}); }
  /// [.., h, S, T] with h 1 or H, against scores [B, K, G, S, T].
  Value mask(Value m) const {
    if (!m || group == 1 || n.rank(m) <= 2)
      return m;
    int64_t b = n.rank(m) > 3 ? n.dim(m, 0) : 1, s = n.dim(m, -2), t = n.dim(m, -1);
    return n.dim(m, -3) == 1 ? n.reshape(m, {b, 1, 1, s, t}) : n.reshape(m, {b, keyHeads, group, s, t});
  }
  Value ungroup(Value x) const { return group == 1 ? x : n.reshape(x, {batch, heads, n.dim(x, -2), n.dim(x, -1)}); }
};

/// Softmax over the last dimension with one more logit, whose probability is dropped.
Value softmaxWithSink(NodeImporter &n, Value scores, Value sink, const Groups &groups) {
  Ints shape(n.shape(scores));
  int64_t last = n.rank(scores) - 1, keys = n.dim(scores, -1);
  if (!sink)
    return n.softmax(scores, last);
  if (shape.empty())
    return scores;
  shape.back() = 1;
  Value logits = groups.group == 1 ? n.reshape(sink, {groups.heads, 1, 1})
                                   : n.reshape(sink, {groups.keyHeads, groups.group, 1, 1});
  Value column = n.broadcast(n.cast(logits, n.elementType(scores)), shape);
  return n.sliceAxis(n.softmax(n.concat({scores, column}, last), last), last, 0, keys);
}

/// [.., S, 1]: whether a row allows any key.
Value rowHasKeys(NodeImporter &n, Value bias, Value allowed) {
  double lowest = -std::numeric_limits<double>::infinity();
  if (!bias && !allowed)
    return nullptr;
  if (!bias)
    bias = n.select(allowed, n.scalar(0, n.f32()), n.scalar(lowest, n.f32()));
  else if (allowed)
    bias = n.select(allowed, bias, n.scalarLike(lowest, bias));
  Value best = n.reduce("max", bias, {std::max<int64_t>(n.rank(bias) - 1, 0)});
  return n.binary("greater", best, n.scalarLike(lowest, best));
}

} // namespace

AttentionOutputs attend(NodeImporter &n, AttentionInputs in) {
  Groups groups{n, n.dim(in.q, 0), n.dim(in.q, 1), n.dim(in.k, 1), 1};
  if (groups.keyHeads == 0 || groups.heads % groups.keyHeads != 0) {
    n.error(Twine(groups.keyHeads) + " key/value heads do not divide " + Twine(groups.heads) + " query heads");
    return {};
  }
  groups.group = groups.heads / groups.keyHeads;
  Value bias = groups.mask(in.bias), allowed = groups.mask(in.allowed);

  AttentionOutputs out;
  Value scores = n.matmul(groups.queries(n.scale(in.q, in.scale)), groups.keys(in.k), false, true);
  out.raw = groups.ungroup(scores);
  if (in.softcap > 0)
    scores = n.scale(n.unary("tanh", n.scale(scores, 1 / in.softcap)), in.softcap);
  out.capped = groups.ungroup(scores);
  if (bias)
    scores = n.add(scores, bias);
  if (allowed)
    scores = n.select(allowed, scores, n.scalarLike(-std::numeric_limits<double>::infinity(), scores));
  out.biased = groups.ungroup(scores);

  Type type = n.elementType(in.q);
  if (in.softmaxType)
    scores = n.cast(scores, in.softmaxType);
  Value probabilities = n.cast(softmaxWithSink(n, scores, in.sink, groups), type);
  Value y = n.matmul(probabilities, groups.keys(in.v));
  if (Value nonEmpty = in.rowsMayBeEmpty ? rowHasKeys(n, bias, allowed) : Value()) {
    // Selecting also drops the NaN of a row of -inf.
    probabilities = n.wants(3) ? n.select(nonEmpty, probabilities, n.scalarLike(0, probabilities)) : probabilities;
    y = n.select(nonEmpty, y, n.scalarLike(0, y));
  }
  out.probabilities = groups.ungroup(probabilities);
  out.y = groups.ungroup(y);
  return out;
}

Value splitHeads(NodeImporter &n, Value x, int64_t heads) {
  if (heads < 1 || n.dim(x, -1) % heads != 0)
    return n.error(Twine(heads) + " heads do not divide " + Twine(n.dim(x, -1)));
  return n.transpose(n.reshape(x, {n.dim(x, 0), n.dim(x, 1), heads, n.dim(x, 2) / heads}), {0, 2, 1, 3});
}

Value mergeHeads(NodeImporter &n, Value x) {
  return n.reshape(n.transpose(x, {0, 2, 1, 3}), {n.dim(x, 0), n.dim(x, 2), n.dim(x, 1) * n.dim(x, 3)});
}

static Value compareWindow(NodeImporter &n, AttentionWindow window, Value position, Value key) {
  Value mask;
  auto shifted = [&](int64_t by) {
    return by == 0 ? position : n.add(position, n.scalar(static_cast<double>(by), n.i64()));
  };
  if (window.right >= 0)
    mask = n.binary("less_equal", key, shifted(window.right));
  if (window.left >= 0)
    mask = bothMasks(n, mask, n.binary("greater_equal", key, shifted(-window.left)));
  return mask;
}

Value windowMask(NodeImporter &n, AttentionWindow window, int64_t queries, int64_t keys, int64_t offset) {
  if (offset + window.right >= keys - 1)
    window.right = -1;
  if (window.left >= offset + queries - 1)
    window.left = -1;
  if (window.left < 0 && window.right < 0)
    return nullptr;
  Value position = n.iota(n.i64(), {queries, 1}, 0, static_cast<double>(offset));
  return compareWindow(n, window, position, n.iota(n.i64(), {1, keys}, 1));
}

Value windowMask(NodeImporter &n, AttentionWindow window, int64_t queries, int64_t keys, Value offsets) {
  if (window.left < 0 && window.right < 0)
    return nullptr;
  Value start = n.reshape(n.cast(offsets, n.i64()), {n.numElements(offsets), 1, 1, 1});
  Value position = n.add(start, n.iota(n.i64(), {queries, 1}, 0));
  return compareWindow(n, window, position, n.iota(n.i64(), {1, keys}, 1));
}

Value bothMasks(NodeImporter &n, Value a, Value b) {
  if (!a || !b)
    return a ? a : b;
  return n.binary("bit_and", a, b);
}

Value placeInCache(NodeImporter &n, Value old, Value update, Value start, int64_t length) {
  int64_t count = n.dim(update, 2);
  Value cache = n.pad(old, {0, 0, 0, 0}, {0, 0, length - n.dim(old, 2), 0}, 0);
  Value position = n.iota(n.i64(), {length, 1}, 0);
  Value relative = n.sub(position, n.reshape(n.cast(start, n.i64()), {n.numElements(start), 1, 1, 1}));
  auto integer = [&](int64_t value) { return n.scalar(static_cast<double>(value), n.i64()); };
  if (count == 1) // one position changes: no gather
    return n.select(n.binary("equal", relative, integer(0)), update, cache);
  Value isNew =
      bothMasks(n, n.binary("greater_equal", relative, integer(0)), n.binary("less", relative, integer(count)));
  Value source = n.binary("min", n.binary("max", relative, integer(0)), integer(std::max<int64_t>(count - 1, 0)));
  return n.select(isNew, n.gatherElements(update, n.broadcast(source, n.shape(cache)), 2), cache);
}

} // namespace llmpar
