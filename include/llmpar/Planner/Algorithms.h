//===- Algorithms.h - Solvers of a PlanProblem ------------------*- C++ -*-===//
#ifndef LLMPAR_PLANNER_ALGORITHMS_H
#define LLMPAR_PLANNER_ALGORITHMS_H

#include "llmpar/Planner/PlanProblem.h"
#include "llvm/ADT/STLFunctionalExtras.h"

namespace llmpar {

/// What a solver knows at some moment.
struct SolveProgress {
  double seconds = 0;
  std::optional<int64_t> cost; ///< of the best plan so far
  int64_t lowerBound = 0;
};

struct SolveOptions {
  double timeLimitSeconds = 60; ///< the best plan so far is returned then
  double gapLimit = 0;          ///< stop when the gap is at most this
  int64_t costLimit = kForbidden; ///< only plans that cost less are of interest; a bound this high ends the search
  /// Prices: where equal blocks repeat, stop with the plan and the bound that prices of memory give.
  enum class Effort { Prices, Exact } effort = Effort::Exact;
  /// Called now and then; returning false stops the search as a time limit does.
  llvm::function_ref<bool(const SolveProgress &)> progress = nullptr;
};

/// Solves a problem: presolve, lower bound, primal search, and an exact search where the rest is small.
/// Deterministic: the same problem gives the same plan as long as the time limit is not met.
/// A plan without choices means: none exists below the cost limit (lowerBound == costLimit), or none was found in time
/// or with that effort.
Plan solve(const PlanProblem &problem, const SolveOptions &options = {});

/// Tries all combinations. For tests: at most a few million of them.
Plan solveByEnumeration(const PlanProblem &problem);

/// Success if the plan chooses a strategy of every node, its cost and peak are what it says, its lower bound is
/// not above its cost, and the peak is within the limit. Shares no code with the solvers.
llvm::Error verifyPlan(const PlanProblem &problem, const Plan &plan);

/// Checks the problem itself: indices, matrix sizes, costs and bytes that are not negative, lifetimes.
llvm::Error verifyProblem(const PlanProblem &problem);

} // namespace llmpar

#endif // LLMPAR_PLANNER_ALGORITHMS_H
