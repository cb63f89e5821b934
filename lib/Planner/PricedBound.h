//===- PricedBound.h - Bounds and plans by prices of memory -----*- C++ -*-===//
#ifndef LLMPAR_LIB_PLANNER_PRICEDBOUND_H
#define LLMPAR_LIB_PLANNER_PRICEDBOUND_H

#include "ExtendChoice.h"
#include "Incumbent.h"
#include "PricedProblem.h"

namespace llmpar {

/// What is known of a problem by prices.
struct PricedBound {
  double bound;               ///< infinity: nothing better than the incumbent is left; -infinity: costs are too large
  std::vector<double> prices; ///< of that bound
};

/// Raises a lower bound of `problem`, of which no node is gone, by line searches over prices (PricedProblem.h). Where
/// a price turns from too cheap to too dear, equal blocks all turn at once: plans between the two are mixed
/// (MixPlans.h). Tells the incumbent what it finds. Gives up after the first step if that is no better than `known`,
/// a bound from the same prices.
PricedBound raisePricedBound(const ReducedProblem &problem, std::vector<double> prices, const Extend &extend, Incumbent &incumbent,
                             PricedProblem::By by, int steps, double known);

} // namespace llmpar

#endif // LLMPAR_LIB_PLANNER_PRICEDBOUND_H
