//===- PricedProblem.h - Memory bought at a price ---------------*- C++ -*-===//
//
// For prices per byte and point, none negative, min(cost + prices * usage) - prices * capacity is a lower bound of
// the cost (Lagrangian relaxation). At fixed prices memory is a cost of nodes, so that presolve may eliminate them,
// and equal blocks are equal problems. What keeps it from eliminating them all are the few nodes that every block
// reads, as a mask: such a hub is split into one copy for each neighbor, which is a relaxation too.
//
// Where a value is read half the problem away, as in training, where the backward reads what the forward made, blocks
// are no chain, and nothing is eliminated. Then messages bound (DualBound.h), from those of the last prices on.
//
//===----------------------------------------------------------------------===//
#ifndef LLMPAR_LIB_PLANNER_PRICEDPROBLEM_H
#define LLMPAR_LIB_PLANNER_PRICEDPROBLEM_H

#include "DualBound.h"
#include "Presolve.h"

namespace llmpar {

/// Whether few edges run side by side: what presolve leaves of a problem without memory is a chain of blocks, but for
/// the hubs that all of them read.
bool isChain(const ReducedProblem &problem);

class PricedProblem {
public:
  /// How bounds are found.
  enum class By { Elimination, Messages };

  /// No node of `problem` is gone; it outlives this.
  PricedProblem(const ReducedProblem &problem, By by);

  /// Costs are small enough to be scaled: else there are no bounds.
  bool scales() const { return scale >= 1; }

  struct Answer {
    double bound = 0;        ///< no plan costs less
    std::vector<int> choice; ///< the strategies behind it by node, each hub its own; empty: there is no plan at all
    std::vector<int> labels; ///< the same with each copy of a hub its own
  };
  Answer relax(llvm::ArrayRef<double> prices);
  /// The nodes in an order in which neighbors are near.
  llvm::ArrayRef<int> order() const { return order_; }
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
  std::vector<Hub> hubs;    ///< none if messages bound
  std::vector<int> order_;
  std::unique_ptr<Core> core;      ///< of the problem, if messages bound
  std::unique_ptr<DualBound> dual;

  Solved solve(ReducedProblem rest) const;
  Answer relaxByMessages(llvm::ArrayRef<double> prices);
  ReducedProblem priced(llvm::ArrayRef<double> prices) const;
  std::vector<int> agreed(const ReducedProblem &whole, std::vector<int> labels) const;
};

} // namespace llmpar

#endif // LLMPAR_LIB_PLANNER_PRICEDPROBLEM_H
