//===- BranchAndBound.h - Exact search by splitting nodes -------*- C++ -*-===//
#ifndef LLMPAR_LIB_PLANNER_BRANCHANDBOUND_H
#define LLMPAR_LIB_PLANNER_BRANCHANDBOUND_H

#include "BoundSubproblem.h"
#include <memory>

namespace llmpar {

/// Takes the open subproblem of the lowest bound, and follows one branch of it down to the end.
class BranchAndBound {
public:
  enum class Part { Whole, Neighborhood }; ///< whether this search's bound holds for the problem that `solve` was given
  /// No node of `base` is gone. `root`: what is known of it.
  BranchAndBound(const ReducedProblem &base, SubproblemBounder &bounder, Incumbent &incumbent, SubproblemBounder::Result root, Part part);

  /// Bounds up to so many subproblems. True if none is left open.
  bool run(int64_t subproblems, SubproblemBounder::Effort effort);
  /// No plan that is better than the incumbent costs less; kInfinity if none is left open.
  double bound() const;

private:
  struct Open {
    double bound;
    int64_t number; ///< of creation: ties are deterministic
    std::vector<Decision> decisions;
    std::shared_ptr<const DualSolution> dual;
    bool operator<(const Open &other) const { return std::pair(other.bound, other.number) < std::pair(bound, number); }
  };

  const ReducedProblem &base;
  SubproblemBounder &bounder;
  Incumbent &incumbent;
  Part part;
  std::vector<Open> open; // a heap
  int64_t created = 0, left = 0;

  void add(Open subproblem);
  void plunge(Open start, SubproblemBounder::Effort effort);
};

} // namespace llmpar

#endif // LLMPAR_LIB_PLANNER_BRANCHANDBOUND_H
