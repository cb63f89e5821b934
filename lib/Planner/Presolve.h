//===- Presolve.h - Shrink a plan problem -----------------------*- C++ -*-===//
#ifndef LLMPAR_LIB_PLANNER_PRESOLVE_H
#define LLMPAR_LIB_PLANNER_PRESOLVE_H

#include "ReducedProblem.h"

namespace llmpar {

/// Applies, until none applies, edits after which an optimal plan of what is left extends to an optimal plan:
///   - forbidden strategies, and strategies that alone overflow the memory, go
///   - edges that are a sum of costs of their ends become those costs
///   - a node with one strategy, or whose best strategy follows from one neighbor's, joins it
///   - a node without memory and with at most two edges goes
///   - strategies that another one of their node beats whatever the neighbors do go
void presolve(ReducedProblem &problem);

} // namespace llmpar

#endif // LLMPAR_LIB_PLANNER_PRESOLVE_H
