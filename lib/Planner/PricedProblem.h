//===- PricedProblem.h - Memory bought at a price ---------------*- C++ -*-===//
//
// For prices per byte and point, none negative, min(cost + prices * usage) - prices * capacity is a lower bound of
// the cost (Lagrangian relaxation). At fixed prices memory is a cost of nodes, so that presolve may eliminate them,
// and equal blocks are equal problems. What keeps it from eliminating them all are the few nodes that every block
// reads, as a mask: such a hub is split into one copy for each neighbor, which is a relaxation too.
//
//===----------------------------------------------------------------------===//
#ifndef LLMPAR_LIB_PLANNER_PRICEDPROBLEM_H
#define LLMPAR_LIB_PLANNER_PRICEDPROBLEM_H

#include "Presolve.h"

namespace llmpar {

class PricedProblem {
public:
  /// No node of `problem` is gone; it outlives this.
  explicit PricedProblem(const ReducedProblem &problem);

  /// Costs are small enough to be scaled: else there are no bounds.
  bool scales() const { return scale >= 1; }

  struct Answer {
    double bound = 0;        ///< no plan costs less
    std::vector<int> choice; ///< the strategies behind it by node, each hub its own; empty: there is no plan at all
    std::vector<int> labels; ///< the same with each copy of a hub its own
  };
  Answer relax(llvm::ArrayRef<double> prices) const;
  /// A good choice at these prices, in which the copies of a hub agree: hub by hub, the best of the strategies that
  /// many copies take in `labels`; beyond a few trials, the one that most take. Empty if none was found.
  std::vector<int> decide(llvm::ArrayRef<double> prices, std::vector<int> labels) const;

  /// The labels with the hubs of a choice.
  std::vector<int> withHubs(std::vector<int> labels, llvm::ArrayRef<int> choice) const;

  /// Bytes by point, beyond the capacity.
  std::vector<double> excess(llvm::ArrayRef<int> choice) const;

private:
  struct Hub {
    int node;
    std::vector<int> parts; ///< itself and its copies
  };
  struct Solved {
    double cost;
    std::vector<int> labels;
  };
  const ReducedProblem &problem;
  double scale;             ///< of costs, so that prices round little
  ReducedProblem scaled;    ///< without memory
  Blocks blocks;
  std::vector<Hub> hubs;    ///< none if blocks differ

  Solved solve(ReducedProblem rest) const;
  ReducedProblem priced(llvm::ArrayRef<double> prices) const;
  std::vector<int> agreed(const ReducedProblem &whole, std::vector<int> labels) const;
};

} // namespace llmpar

#endif // LLMPAR_LIB_PLANNER_PRICEDPROBLEM_H
