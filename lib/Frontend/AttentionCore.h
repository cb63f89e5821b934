//===- AttentionCore.h - Scaled dot-product attention in primitive ops -*- C++ -*-===//
//
//   scores = softcap(scale q k^T) + bias, -inf where not allowed;  y = softmax(scores) v
//
// With K < H key/value heads, head h of q reads key/value head h / (H / K): q becomes
// [B, K, H/K, S, D] and k, v [B, K, 1, T, D], so that K stays the major factor of every head
// dimension and heads shard. No key or value is repeated.
//
//===----------------------------------------------------------------------===//
#ifndef LLMPAR_LIB_FRONTEND_ATTENTIONCORE_H
#define LLMPAR_LIB_FRONTEND_ATTENTIONCORE_H

#include "NodeImporter.h"

namespace llmpar {

struct AttentionInputs {
  mlir::Value q = {}, k = {}, v = {}; ///< [B, H, S, D], [B, K, T, D], [B, K, T, E]; K divides H
  double scale = 1;
  double softcap = 0;          ///< 0: none
  mlir::Value bias = {};       ///< added; broadcasts to [B, H, S, T]; may be null
  mlir::Value allowed = {};    ///< bool, broadcasts to [B, H, S, T]; null: all
  bool rowsMayBeEmpty = false; ///< a row that allows nothing gives 0, not NaN
  mlir::Value sink = {};       ///< [H], one more logit per row, whose probability is dropped; may be null
  mlir::Type softmaxType = {}; ///< null: that of q
};

struct AttentionOutputs {
  mlir::Value y;                                  ///< [B, H, S, E]
  mlir::Value raw, capped, biased, probabilities; ///< [B, H, S, T], before and after each step
};

AttentionOutputs attend(NodeImporter &n, AttentionInputs in);

/// [B, S, H D] -> [B, H, S, D], and back.
mlir::Value splitHeads(NodeImporter &n, mlir::Value x, int64_t heads);
mlir::Value mergeHeads(NodeImporter &n, mlir::Value x);

/// Which keys the query at position p = offset + i may read: p - left <= j, j <= p + right; -1 is no bound.
struct AttentionWindow {
  int64_t left = -1, right = -1;
};
/// The mask [S, T], or [B, 1, S, T] with an offset per batch element; null if every key is allowed.
mlir::Value windowMask(NodeImporter &n, AttentionWindow window, int64_t queries, int64_t keys, int64_t offset);
mlir::Value windowMask(NodeImporter &n, AttentionWindow window, int64_t queries, int64_t keys, mlir::Value offsets);

/// Both masks; either may be null.
mlir::Value bothMasks(NodeImporter &n, mlir::Value a, mlir::Value b);

/// cache[start + s] = update[s] in a cache [B, H, T, D] of `length` = T; start is [B], old a cache or shorter.
mlir::Value placeInCache(NodeImporter &n, mlir::Value old, mlir::Value update, mlir::Value start, int64_t length);

} // namespace llmpar

#endif // LLMPAR_LIB_FRONTEND_ATTENTIONCORE_H
