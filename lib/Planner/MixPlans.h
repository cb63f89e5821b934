//===- MixPlans.h - One plan in front, another behind -----------*- C++ -*-===//
#ifndef LLMPAR_LIB_PLANNER_MIXPLANS_H
#define LLMPAR_LIB_PLANNER_MIXPLANS_H

#include "Incumbent.h"

namespace llmpar {

/// Offers plans that take `over`, a cheap choice that uses too much memory, for the nodes on one side of a cut through
/// the order of nodes, and `under` for the others. For equal blocks, of which some must be small and any may be.
void mixPlans(llvm::ArrayRef<int> over, llvm::ArrayRef<int> under, Incumbent &incumbent);

} // namespace llmpar

#endif // LLMPAR_LIB_PLANNER_MIXPLANS_H
