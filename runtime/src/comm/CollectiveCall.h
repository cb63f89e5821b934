//===- CollectiveCall.h - One member's side of a collective -----*- C++ -*-===//
//
// `Kernels.def` has the meaning of the collectives. With `group` = {0, 2, 5},
// rank 2 is member 1 and owns entry 1 of every extent list.
//
//   all_gather dim 0, extents {2, 1, 0}, x 1x8xf32 on rank 2 -> y 3x8xf32
//
//===----------------------------------------------------------------------===//
#ifndef LLMPAR_RUNTIME_COMM_COLLECTIVECALL_H
#define LLMPAR_RUNTIME_COMM_COLLECTIVECALL_H

#include "core/Kernel.h"

#include <string>

namespace llmpar::rt {

struct CollectiveCall {
  KernelId kernel = KernelId::all_reduce;
  std::span<const uint32_t> group; ///< member ranks, in reduction order
  TensorView x, y;
  TensorView routing = {}; ///< of dispatch and combine: a weight for every token and expert of this member
  std::span<const int64_t> ints;
};

/// Is this a legal call by `rank`: shapes, types, attributes, group? Null data is fine.
/// If both data pointers are set, x and y must be disjoint; all_reduce may also work in place.
Status checkCollective(const CollectiveCall &call, uint32_t rank);

/// Equal for all members of a correct collective, different otherwise (64-bit hash of
/// kernel, type, attributes and the extents that all members share).
uint64_t collectiveSignature(const CollectiveCall &call);

/// "all_gather(2x8xf32 -> 4x8xf32 {0, 2, 2})".
std::string describeCollective(const CollectiveCall &call);

/// Bytes one member sends in a bandwidth-optimal algorithm, the quantity of nccl-tests' bus bandwidth:
/// all_reduce 2 (n-1)/n size; reduce_scatter and all_to_all what belongs to the others; all_gather (n-1) x. dispatch and combine: the same as
/// all_gather and reduce_scatter, the most that they can send.
uint64_t collectiveBytesSent(const CollectiveCall &call, uint32_t rank);

} // namespace llmpar::rt

#endif // LLMPAR_RUNTIME_COMM_COLLECTIVECALL_H
