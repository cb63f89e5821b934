//===- Dive.h - A first plan, by rounding the relaxation --------*- C++ -*-===//
#ifndef LLMPAR_LIB_PLANNER_DIVE_H
#define LLMPAR_LIB_PLANNER_DIVE_H

#include "BoundSubproblem.h"

namespace llmpar {

/// Fixes the nodes whose strategy the relaxation is surest of, a part of them at a time, bounds what is left, and
/// goes on until a plan is found. A step too far is taken back and tried with fewer nodes.
void dive(const ReducedProblem &base, SubproblemBounder &bounder, const DualSolution &dual, Incumbent &incumbent);

} // namespace llmpar

#endif // LLMPAR_LIB_PLANNER_DIVE_H
