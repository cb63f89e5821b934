//===- Presolve.h - Shrink a plan problem -----------------------*- C++ -*-===//
#ifndef LLMPAR_LIB_PLANNER_PRESOLVE_H
#define LLMPAR_LIB_PLANNER_PRESOLVE_H

#include "ReducedProblem.h"

namespace llmpar {

/// Whether equal blocks make much of the problem. Then two more edits pay, since they are made once for all blocks:
///   - what every strategy of a node costs moves to the constant, so that equal blocks stay equal
///   - two nodes become one, whose strategies are their pairs, where a third goes then
/// Nodes are added, then; and none may use memory.
enum class Blocks { Differ, Repeat };

/// Applies, until none applies, edits after which an optimal plan of what is left extends to an optimal plan:
///   - forbidden strategies, and strategies that alone overflow the memory, go
///   - edges that are a sum of costs of their ends become those costs
///   - a node with one strategy, or whose best strategy follows from one neighbor's, joins it
///   - a node without memory and with at most two edges goes
///   - strategies that another one of their node beats whatever the neighbors do go
void presolve(ReducedProblem &problem, Blocks blocks = Blocks::Differ);

} // namespace llmpar

#endif // LLMPAR_LIB_PLANNER_PRESOLVE_H
