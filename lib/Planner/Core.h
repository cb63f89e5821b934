//===- Core.h - What is left to decide, laid out for speed ------*- C++ -*-===//
//
// The nodes and edges that presolve leaves, in a breadth-first order from an end of the graph, so that
// neighbors are near. Costs are doubles: sums of whole numbers below 2^53 are exact, and infinity is forbidden.
//
//===----------------------------------------------------------------------===//
#ifndef LLMPAR_LIB_PLANNER_CORE_H
#define LLMPAR_LIB_PLANNER_CORE_H

#include "PairCosts.h"
#include "ReducedProblem.h"
#include <limits>
#include <memory>

namespace llmpar {

inline constexpr double kInfinity = std::numeric_limits<double>::infinity();

struct CoreNode {
  int reduced = 0; ///< its index in the reduced problem
  std::vector<double> costs;
  Uses uses; ///< do not overlap, sorted
  std::vector<int> edges;     ///< sorted by the other end
  size_t size() const { return costs.size(); }
};

/// Costs of an edge, shared by the edges of equal blocks: in turn they stay in the cache.
using SharedPairs = std::shared_ptr<const PairCosts>;

struct CoreEdge {
  int from = 0, to = 0;   ///< from < to
  SharedPairs costs;      ///< [strategy of from][strategy of to]
  SharedPairs transposed; ///< [strategy of to][strategy of from]
  int other(int node) const { return node == from ? to : from; }
  /// Rows by the strategy of the other end, columns by that of `node`.
  const PairCosts &towards(int node) const { return node == to ? *costs : *transposed; }
};

struct Core {
  std::vector<CoreNode> nodes;
  std::vector<CoreEdge> edges;
  std::vector<int64_t> capacity; ///< bytes by point
  int64_t constant = 0;          ///< cost of the rest of the problem

  explicit Core(const ReducedProblem &problem);

  /// Cost of a choice by node, with `constant`; at least kForbidden if it has a forbidden pair.
  int64_t cost(llvm::ArrayRef<int> choice) const;
  /// Bytes by point.
  std::vector<int64_t> usage(llvm::ArrayRef<int> choice) const;
};

} // namespace llmpar

#endif // LLMPAR_LIB_PLANNER_CORE_H
