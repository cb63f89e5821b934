//===- PricedBound.h - Bounds by prices alone -------------------*- C++ -*-===//
#ifndef LLMPAR_LIB_PLANNER_PRICEDBOUND_H
#define LLMPAR_LIB_PLANNER_PRICEDBOUND_H

#include "ExtendChoice.h"
#include "Incumbent.h"

namespace llmpar {

/// Raises a lower bound of `problem`, of which no node is gone, by changes of prices. At fixed prices memory is a
/// cost of the nodes, and presolve goes much further: it solves near-chains exactly, where messages leave a gap
/// around every cycle. Offers what it finds. Gives up after
/// the first step if that is no better than `known`, a bound from the same prices. Returns the best bound, or -infinity if costs are too large to scale.
double raisePricedBound(const ReducedProblem &problem, std::vector<double> prices, const Extend &extend, Incumbent &incumbent, int steps,
                        double known);

} // namespace llmpar

#endif // LLMPAR_LIB_PLANNER_PRICEDBOUND_H
