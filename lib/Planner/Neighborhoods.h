//===- Neighborhoods.h - Better plans near a good one -----------*- C++ -*-===//
#ifndef LLMPAR_LIB_PLANNER_NEIGHBORHOODS_H
#define LLMPAR_LIB_PLANNER_NEIGHBORHOODS_H

#include "BoundSubproblem.h"

namespace llmpar {

/// Large neighborhood search: frees some nodes that lie together, keeps the incumbent's choice of the others, and
/// searches what that leaves for something better. Ends after so many attempts in a row that find nothing.
void searchNeighborhoods(const ReducedProblem &base, const Extend &extend, const Project &project, Incumbent &incumbent, int patience,
                         uint64_t seed);

/// The same once, around the cut of a plan by MixPlans.
void searchSeam(const ReducedProblem &base, const Extend &extend, const Project &project, Incumbent &incumbent);

} // namespace llmpar

#endif // LLMPAR_LIB_PLANNER_NEIGHBORHOODS_H
