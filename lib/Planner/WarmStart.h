//===- WarmStart.h - A dual solution to start from --------------*- C++ -*-===//
#ifndef LLMPAR_LIB_PLANNER_WARMSTART_H
#define LLMPAR_LIB_PLANNER_WARMSTART_H

#include "DualBound.h"
#include "llvm/ADT/DenseMap.h"
#include <memory>

namespace llmpar {

/// Prices by point and messages by edge and label of a base problem: what a subproblem hands to its own subproblems.
struct DualSolution {
  std::vector<double> prices;
  std::vector<float> messages;
};

/// Translates between the dual solutions of a base problem and those of its subproblems' cores. Messages of edges
/// that only a subproblem has are lost, which costs some sweeps but no bound.
class WarmStart {
public:
  explicit WarmStart(const ReducedProblem &base);

  DualSolution none() const;
  std::vector<double> pricesFor(const ReducedProblem &sub, const DualSolution &solution) const;
  void loadMessages(const ReducedProblem &sub, const Core &core, const DualSolution &solution, DualBound &dual) const;
  DualSolution save(const ReducedProblem &sub, const Core &core, const DualBound &dual) const;

private:
  llvm::DenseMap<std::pair<int, int>, std::pair<size_t, size_t>> place; ///< of the messages to both nodes, lower one first
  size_t messageCount = 0, pointCount = 0;

  /// Calls `visit` with each edge and end of the core that the base has too, its place, and the labels there.
  template <typename Visit> void forEachEnd(const ReducedProblem &sub, const Core &core, Visit visit) const;
};

} // namespace llmpar

#endif // LLMPAR_LIB_PLANNER_WARMSTART_H
