//===- CollectiveEngines.h - What carries out a collective ------*- C++ -*-===//
//
// A group is seen as levels, from the inside out: how many members meet in each network dimension.
//
//   2 nodes of 8, size 16 stride 1: nvlink {members 8, inside 1}, infiniband {members 2, inside 8}
//                 size 2 stride 8:  infiniband {members 2, inside 1}: each member has its own adapter
//
//===----------------------------------------------------------------------===//
#ifndef LLMPAR_LIB_COST_COLLECTIVEENGINES_H
#define LLMPAR_LIB_COST_COLLECTIVEENGINES_H

#include "llmpar/Cost/CollectiveCost.h"
#include "llvm/ADT/ArrayRef.h"

namespace llmpar {

/// Part of a group in one network dimension.
struct Level {
  const NetworkDimension *dimension;
  bool insideNode;     ///< the first dimension: direct loads and stores, no adapter
  int64_t members = 1; ///< blocks that meet here
  int64_t inside = 1;  ///< members of the group in a block
  int64_t fewest = 1;  ///< in the least filled block; each brings its own link
  int64_t spacing = 1; ///< coordinates between neighbours; on a Ring, groups in between share the links

  /// Of all links of the least filled block together, as large messages see it.
  double bandwidthBytesPerSecond() const { return rawBandwidthBytesPerSecond() * dimension->efficiency; }
  double rawBandwidthBytesPerSecond() const {
    double shared = dimension->topology == Topology::Ring ? double(spacing) : 1;
    return dimension->bandwidthBytesPerSecond * double(fewest) / shared;
  }
  Seconds latencySeconds() const {
    return dimension->latencySeconds * (dimension->topology == Topology::Ring ? double(spacing) : 1);
  }
};

/// One collective on levels that share an engine.
struct CollectiveJob {
  CollectiveKind kind;
  Bytes bytes;  ///< as in collectiveTime
  int64_t size; ///< members in all levels
  llvm::ArrayRef<Level> levels;
};

/// The best of ncclCandidates.
CollectiveTime ncclTime(const CollectiveJob &job);
/// Every algorithm and protocol that can carry it out, with its time.
llvm::SmallVector<CollectiveTime> ncclCandidates(const CollectiveJob &job);
CollectiveTime sharedMemoryTime(const CollectiveJob &job);

} // namespace llmpar

#endif // LLMPAR_LIB_COST_COLLECTIVEENGINES_H
