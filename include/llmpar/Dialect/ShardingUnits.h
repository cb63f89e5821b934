//===- ShardingUnits.h - Elements that must stay together -------*- C++ -*-===//
#ifndef LLMPAR_DIALECT_SHARDINGUNITS_H
#define LLMPAR_DIALECT_SHARDINGUNITS_H

#include "llmpar/Dialect/RuleCache.h"

namespace llmpar {

/// How many elements of a dimension must stay together for the ops around it, so that no shard cuts what a
/// reshape joins: a head's width where the dimension is split into heads, a group of query heads where those
/// share a key.
///   [2,6,768] -> reshape [2,6,12,64]: the last dimension's unit is 64
class ShardingUnits {
public:
  explicit ShardingUnits(RuleCache &rules) : rules(rules) {}
  /// What the users of `value` need of dimension `dim`.
  int64_t below(mlir::Value value, int dim) { return std::max<int64_t>(1, below(value, dim, maxDepth)); } // 1 of an empty one
  /// What the ops that compute `value` leave in dimension `dim`.
  int64_t above(mlir::Value value, int dim) { return std::max<int64_t>(1, above(value, dim, maxDepth)); }

private:
  static constexpr int maxDepth = 24;
  RuleCache &rules;
  llvm::DenseMap<std::pair<mlir::Value, int>, int64_t> below_, above_;

  int64_t below(mlir::Value value, int dim, int depth);
  int64_t above(mlir::Value value, int dim, int depth);
};

} // namespace llmpar

#endif // LLMPAR_DIALECT_SHARDINGUNITS_H
