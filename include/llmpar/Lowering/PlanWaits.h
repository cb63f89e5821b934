//===- PlanWaits.h - What a record waits for on other lanes -----*- C++ -*-===//
//
// A record may begin when all earlier records that touch the same bytes, one of the two writing,
// have ended: read after write, write after read, write after write. Bytes, not values: memory
// that is used again orders its users too. On its own lane that is so without a wait.
//
//   #0 compute        writes [0,64)
//   #1 compute        writes [64,128)
//   #2 communication  reads [0,64) writes [128,192)     waits [0]; #1 is none of its business
//   #3 communication  reads [128,192) writes [0,64)     nothing: #2 waited already
//   #4 compute        reads [128,192)                   waits [2]
//
//===----------------------------------------------------------------------===//
#ifndef LLMPAR_LOWERING_PLANWAITS_H
#define LLMPAR_LOWERING_PLANWAITS_H

#include "llmpar/Abi/Lanes.h"

namespace llmpar {

/// Sets the waits of all records, which are in file order: enough for `findLaneRace` to find none, and
/// none that others imply (without any one of them there would be a race).
void planWaits(std::vector<LaneRecord> &records);

} // namespace llmpar

#endif // LLMPAR_LOWERING_PLANWAITS_H
