//===- SimulateStep.h - Time of one step of all ranks -----------*- C++ -*-===//
//
// Every rank has lanes that run their records in order; a record starts when its lane is free, its waits have
// ended and, for a collective, every member has come to it.
//
//   rank 0: compute 3 s, all_reduce 1 s      step 6 s: both wait for rank 1
//   rank 1: compute 5 s, all_reduce 1 s      rank 0: 3 s computing, 1 s communicating, 2 s idle
//
//===----------------------------------------------------------------------===//
#ifndef LLMPAR_PLANNER_SIMULATESTEP_H
#define LLMPAR_PLANNER_SIMULATESTEP_H

#include "llmpar/Cost/Cluster.h"
#include <vector>

namespace llmpar {

struct StepRecord {
  int lane = 0;                 ///< 0 computes; the others may run beside it
  Seconds seconds = 0;          ///< once it runs
  std::vector<int> waits;       ///< earlier records of this rank
  std::vector<int64_t> members; ///< of a collective, in order; empty for others
};

struct StepModel {
  std::vector<std::vector<StepRecord>> ranks;
};

struct RankTime {
  Seconds compute = 0;              ///< the compute lane is busy
  Seconds exposedCommunication = 0; ///< a collective moves bytes and the compute lane is free
  Seconds idle = 0;                 ///< neither: the three sum to the step
};

struct StepTime {
  Seconds seconds = 0;
  std::vector<RankTime> ranks;
  RankTime mean() const;
};

/// Fails if ranks wait for each other in a circle: the message names a rank, its record and who is missing.
llvm::Expected<StepTime> simulateStep(const StepModel &model);

} // namespace llmpar

#endif // LLMPAR_PLANNER_SIMULATESTEP_H
