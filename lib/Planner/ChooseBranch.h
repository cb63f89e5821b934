//===- ChooseBranch.h - Where to split a subproblem -------------*- C++ -*-===//
#ifndef LLMPAR_LIB_PLANNER_CHOOSEBRANCH_H
#define LLMPAR_LIB_PLANNER_CHOOSEBRANCH_H

#include "BoundSubproblem.h"

namespace llmpar {

/// Splits a node whose recent suggestions differ in what their memory is worth, small strategies first: the one of
/// several whose halves have the highest bounds after a few more steps (strong branching). Without such a node:
/// takes the best strategy alone of the node whose second best costs most. Bounds beyond `limit` count no more.
Decision chooseBranch(const ReducedProblem &sub, const Core &core, const DualBound &dual, const PriceAscent &ascent, double limit);

} // namespace llmpar

#endif // LLMPAR_LIB_PLANNER_CHOOSEBRANCH_H
