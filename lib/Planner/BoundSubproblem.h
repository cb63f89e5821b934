//===- BoundSubproblem.h - Presolve, bound, fix, suggest --------*- C++ -*-===//
#ifndef LLMPAR_LIB_PLANNER_BOUNDSUBPROBLEM_H
#define LLMPAR_LIB_PLANNER_BOUNDSUBPROBLEM_H

#include "ExtendChoice.h"
#include "Incumbent.h"
#include "PriceAscent.h"
#include "WarmStart.h"

namespace llmpar {

/// Strategies, by label, that a subproblem keeps of one node.
struct Decision {
  int node = -1;
  std::vector<int> labels;
};

/// A strategy that the relaxation suggests for a node. `margin`: what the next best one costs more at least, or minus
/// the number of recent suggestions that differ.
struct Preference {
  double margin;
  int node, label;
};

/// Removes all other strategies of the decision's node, if that is still there.
void restrictTo(ReducedProblem &problem, const Decision &decision);

class SubproblemBounder {
public:
  /// Subproblems are copies of `base`, of which no node is gone, with fewer strategies.
  SubproblemBounder(const ReducedProblem &base, Incumbent &incumbent, Extend extend)
      : incumbent(incumbent), extend(std::move(extend)), warmStart(base) {}

  struct Effort {
    int steps = 0;            ///< price changes at most
    double leastProgress = 0; ///< of the distance to the incumbent in 16 steps, to go on
  };
  enum class Purpose { Split, Dive }; ///< what to do next: `branch` or `preferences` are found

  struct Result {
    double bound = kInfinity; ///< no plan of the subproblem costs less; kInfinity: none is better than the incumbent
    Decision branch;          ///< how to split what is left
    std::vector<Preference> preferences;
    DualSolution dual;        ///< in terms of the base
    bool open() const { return bound < kInfinity; }
  };
  /// Presolves `sub`, raises its bound with price changes, offers what they suggest, and removes the
  /// strategies that the bound rules out, over and over while that removes many.
  Result bound(ReducedProblem &sub, const DualSolution &start, Effort effort, Purpose purpose = Purpose::Split);
  DualSolution noDual() const { return warmStart.none(); }

private:
  Incumbent &incumbent;
  Extend extend;
  WarmStart warmStart;

  bool raise(const ReducedProblem &sub, const Core &core, DualBound &dual, PriceAscent &ascent, Effort effort);
  void suggest(const ReducedProblem &sub, const Core &core, llvm::ArrayRef<int> choice);
  size_t removeRuledOut(ReducedProblem &sub, const Core &core, const DualBound &dual);
};

} // namespace llmpar

#endif // LLMPAR_LIB_PLANNER_BOUNDSUBPROBLEM_H
