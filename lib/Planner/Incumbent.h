//===- Incumbent.h - The best plan so far -----------------------*- C++ -*-===//
#ifndef LLMPAR_LIB_PLANNER_INCUMBENT_H
#define LLMPAR_LIB_PLANNER_INCUMBENT_H

#include "llmpar/Planner/Algorithms.h"
#include <chrono>

namespace llmpar {

/// Collects plans and bounds of one solve, reports them, and says when to stop.
class Incumbent {
public:
  Incumbent(const PlanProblem &problem, const SolveOptions &options);

  /// Takes a choice if it is a plan within the memory limit that costs less. Returns whether it is.
  bool offer(std::vector<int> choice);
  /// Whether a choice is within the memory limit.
  bool fits(llvm::ArrayRef<int> choice) const { return peakOf(choice) <= whole.memoryLimit.value_or(kForbidden); }
  int64_t peakOf(llvm::ArrayRef<int> choice) const;
  const PlanProblem &problem() const { return whole; }
  /// No plan costs less than this.
  void raiseLowerBound(int64_t bound);

  bool found() const { return plan.feasible(); }
  const std::vector<int> &choice() const { return plan.choice; }
  /// Only plans that cost less are of interest.
  int64_t cost() const { return plan.feasible() ? plan.cost : options.costLimit; }
  SolveOptions::Effort effort() const { return options.effort; }
  /// Whether nothing better than `cost` can follow from this lower bound, up to rounding.
  bool rulesOut(double bound, double tolerance) const { return bound - tolerance > double(cost()) - 1; }

  /// Whether time is up, the caller has had enough, or the gap is small enough. Reports progress now and then.
  bool shouldStop();
  Plan take();

private:
  struct UseChange {
    int64_t step;
    int node, use;
    bool begins;
  };
  const PlanProblem &whole;
  const SolveOptions &options;
  std::chrono::steady_clock::time_point start, lastReport;
  Plan plan;
  int64_t lowerBound = 0;
  bool stopped = false;

  std::vector<UseChange> changes; ///< of live bytes, in order of time

  int64_t costOf(llvm::ArrayRef<int> choice) const;
};

} // namespace llmpar

#endif // LLMPAR_LIB_PLANNER_INCUMBENT_H
