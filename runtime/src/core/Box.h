//===- Box.h - Contiguous runs of a box inside a tensor ---------*- C++ -*-===//
//
// A shard of a global tensor is a box; in memory it is a number of contiguous runs,
// as long as trailing dimensions are taken whole:
//
//   box 2x3 at (1, 0) of 4x3   one run of 6 elements at 3
//   box 2x2 at (1, 1) of 4x3   two runs of 2 elements at 4 and 7
//
//===----------------------------------------------------------------------===//
#ifndef LLMPAR_RUNTIME_CORE_BOX_H
#define LLMPAR_RUNTIME_CORE_BOX_H

#include "core/Kernel.h"

namespace llmpar::rt {

/// Calls `body(size_t offset, size_t bytes)` for every run of the box [starts, starts + box) of the
/// row-major tensor `shape`, in order, with the run's byte offset in that tensor. In a dense
/// copy of the box the runs follow each other. Stops at the first failing Status and returns it.
template <typename Body>
Status forEachRun(std::span<const int64_t> shape, std::span<const int64_t> starts, std::span<const int64_t> box,
                  size_t elementBytes, Body &&body) {
  size_t rank = shape.size();
  for (int64_t extent : box)
    if (extent == 0)
      return Status::success();
  std::array<size_t, maxRank + 1> stride{}; // bytes
  stride[rank] = elementBytes;
  for (size_t d = rank; d > 0; --d)
    stride[d - 1] = stride[d] * static_cast<size_t>(shape[d - 1]);
  // stride[d + 1] is the step of dimension d. Dimensions `outer..` form one run.
  size_t outer = rank, bytes = elementBytes;
  while (outer > 0) {
    --outer;
    bytes *= static_cast<size_t>(box[outer]);
    if (box[outer] != shape[outer])
      break;
  }
  std::array<int64_t, maxRank> index{};
  for (;;) {
    size_t offset = 0;
    for (size_t d = 0; d < rank; ++d)
      offset += static_cast<size_t>(starts[d] + (d < outer ? index[d] : 0)) * stride[d + 1];
    if (Status status = body(offset, bytes); !status.ok())
      return status;
    size_t d = outer;
    while (d > 0 && ++index[d - 1] == box[d - 1])
      index[--d] = 0;
    if (d == 0)
      return Status::success();
  }
}

} // namespace llmpar::rt

#endif // LLMPAR_RUNTIME_CORE_BOX_H
