//===- MixPlans.h - One plan in front, another behind -----------*- C++ -*-===//
#ifndef LLMPAR_LIB_PLANNER_MIXPLANS_H
#define LLMPAR_LIB_PLANNER_MIXPLANS_H

#include "ExtendChoice.h"
#include "Incumbent.h"

namespace llmpar {

/// Offers mixes of two choices of `problem`, of which no node is gone: one for the nodes in front of a cut of `order`,
/// the other behind. `over` uses more memory than there is, `under` less: the mix should have as much of `over` as
/// fits, and a cut where few edges with different choices cross it.
void mixPlans(const ReducedProblem &problem, llvm::ArrayRef<int> order, llvm::ArrayRef<int> over,
              llvm::ArrayRef<int> under, const Extend &extend, Incumbent &incumbent);

} // namespace llmpar

#endif // LLMPAR_LIB_PLANNER_MIXPLANS_H
