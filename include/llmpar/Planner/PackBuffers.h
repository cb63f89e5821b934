//===- PackBuffers.h - Offsets for buffers with lifetimes -------*- C++ -*-===//
//
// Dynamic storage allocation (2-D strip packing): buffers that live at the same time must not
// overlap in space, and the total size is to be small. NP-hard; greedy orders with best-fit gaps
// reach the lower bound (the most bytes that live at one time) on transformer graphs.
//
//   packBuffers({{.lifetime = {0, 2}, .size = 64}, {.lifetime = {1, 3}, .size = 64}, {.lifetime = {2, 4}, .size = 64}})
//     offsets 0, 64, 0; size 128 = lowerBound
//
//===----------------------------------------------------------------------===//
#ifndef LLMPAR_PLANNER_PACKBUFFERS_H
#define LLMPAR_PLANNER_PACKBUFFERS_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/Support/Error.h"
#include <cstdint>
#include <vector>

namespace llmpar {

/// Steps [begin, end).
struct Lifetime {
  int64_t begin = 0, end = 0;
};

struct Buffer {
  Lifetime lifetime;
  int64_t size = 0; ///< bytes; an empty buffer takes no space
};

struct Packing {
  std::vector<int64_t> offsets; ///< bytes, one for each buffer
  int64_t size = 0;             ///< bytes of the arena
  int64_t lowerBound = 0;       ///< most aligned bytes that live at one step: no packing is smaller
  llvm::StringRef order;        ///< the greedy order that won: size, area, duration or start
};

/// Offsets are multiples of `alignment`. Tries every greedy order and keeps the best; stops at the lower bound.
Packing packBuffers(llvm::ArrayRef<Buffer> buffers, int64_t alignment = 64);

/// Success if offsets are aligned, inside of `size`, and no two buffers overlap in time and space.
/// Shares no code with `packBuffers`; O(n log n).
llvm::Error verifyPacking(llvm::ArrayRef<Buffer> buffers, const Packing &packing, int64_t alignment = 64);

} // namespace llmpar

#endif // LLMPAR_PLANNER_PACKBUFFERS_H
