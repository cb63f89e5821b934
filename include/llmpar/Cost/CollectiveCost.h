//===- CollectiveCost.h - Time of a collective ------------------*- C++ -*-===//
#ifndef LLMPAR_COST_COLLECTIVECOST_H
#define LLMPAR_COST_COLLECTIVECOST_H

#include "llmpar/Cost/Cluster.h"

namespace llmpar {

/// Ranks base, base + stride, ... : what a mesh axis (or several adjacent ones) gives.
struct GroupShape {
  int64_t size = 1, stride = 1;
};

struct CollectiveTime {
  Seconds seconds = 0;
  /// "ring/LL", "tree/LL128", "nvls/Simple", "nvls-tree/Simple", "pairwise/Simple", "shared-memory", "measured"; over
  /// several engines in order: "shared-memory, ring/Simple, shared-memory".
  std::string algorithm;
};

/// Time of one collective when every group of this shape runs it at once (they share the links).
/// `bytes` is the whole tensor: what all-reduce reduces, what all-gather gives, what reduce-scatter takes,
/// and for all-to-all what one rank holds. A group of one costs nothing.
///
/// Switch and Ring dimensions: NCCL's tuning model, the first dimension being the inside of a node. SharedMemory: the
/// thread communicator. Where groups lie differently over the nodes (6 ranks on nodes of 8) the slowest counts.
/// Never less for more bytes, except between measured points; never below 2(n-1)/n bytes/bandwidth for an all-reduce
/// ((n+1)/n with reduction in the network) and (n-1)/n for the others. docs/cost-model.md has the formulas.
CollectiveTime collectiveTime(const Cluster &cluster, CollectiveKind kind, Bytes bytes, GroupShape group);

} // namespace llmpar

#endif // LLMPAR_COST_COLLECTIVECOST_H
