//===- SharedMemoryCost.cpp - Collectives of threads of one process --------===//
//
// The pull model of the thread communicator: publish, barrier, read what is needed from the others, barrier.
// `bandwidthBytesPerSecond` is what one member copies while all do, `latencySeconds` two barriers of two members; the
// arrivals of more members serialise on one counter. Groups that `llmpar cluster probe` measured do not come here.
//
//===----------------------------------------------------------------------===//
#include "CollectiveEngines.h"

#include <algorithm>

namespace llmpar {

CollectiveTime sharedMemoryTime(const CollectiveJob &job) {
  double n = double(job.size);
  Seconds barrier = 0;
  double bandwidth = job.levels.front().bandwidthBytesPerSecond();
  for (const Level &level : job.levels) {
    barrier += double(level.members - 1) * level.latencySeconds() / 2;
    bandwidth = std::min(bandwidth, level.dimension->bandwidthBytesPerSecond * level.dimension->efficiency);
  }
  // All but all-reduce read every byte of their result or operand once, the own part included.
  Seconds seconds = 2 * barrier + job.bytes / bandwidth;
  if (job.kind == CollectiveKind::AllReduce) {
    Seconds everyoneReducesAll = 2 * barrier + n * job.bytes / bandwidth;
    // Reduce a chunk of all inputs, barrier, collect the chunks of the others.
    Seconds chunks = 3 * barrier + (1 + (n - 1) / n) * job.bytes / bandwidth;
    seconds = std::min(everyoneReducesAll, chunks);
  }
  return {.seconds = seconds, .algorithm = "shared-memory"};
}

} // namespace llmpar
