//===- PeakRange.h - What memory any plan needs, unsolved -------*- C++ -*-===//
#ifndef LLMPAR_PLANNER_PEAKRANGE_H
#define LLMPAR_PLANNER_PEAKRANGE_H

#include "llmpar/Planner/PlanProblem.h"

namespace llmpar {

/// Bytes that live at the fullest step if every node took its smallest (largest) strategy: no plan's peak is lower
/// (higher).
struct PeakRange {
  int64_t least = 0, most = 0;
  int64_t step = 0; ///< where `least` is reached
};
PeakRange peakRange(const PlanProblem &problem);

/// The nodes that need most at `step`, largest first.
std::vector<std::pair<size_t, int64_t>> largestAt(const PlanProblem &problem, int64_t step, size_t count);

} // namespace llmpar

#endif // LLMPAR_PLANNER_PEAKRANGE_H
