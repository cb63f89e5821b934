//===- Shard.h - Which part of a dimension a rank holds ---------*- C++ -*-===//
//
// The valid extent of every shard is a pure function of (size, unit, parts,
// index); compiler, communicators and tests all call this one.
//
//   shardRange(10, 1, 4, i) = [0,3) [3,6) [6,9) [9,10)
//   shardRange(8, 4, 4, i)  = [0,4) [4,8) [8,8) [8,8)     two heads of four on four ranks
//
//===----------------------------------------------------------------------===//
#ifndef LLMPAR_ABI_SHARD_H
#define LLMPAR_ABI_SHARD_H

#include <algorithm>
#include <cstdint>

namespace llmpar {

struct ShardRange {
  int64_t begin = 0, end = 0;
  int64_t size() const { return end - begin; }
};

/// Extent of the largest shard (the first one) when `size` elements, kept
/// together in blocks of `unit`, are split over `parts` ranks.
inline int64_t shardCeil(int64_t size, int64_t unit, int64_t parts) {
  int64_t blocks = (size + unit - 1) / unit;
  return std::min(size, (blocks + parts - 1) / parts * unit);
}

/// The elements that part `index` of `parts` holds; later parts may be short or empty.
inline ShardRange shardRange(int64_t size, int64_t unit, int64_t parts, int64_t index) {
  int64_t step = shardCeil(size, unit, parts);
  return {std::min(size, index * step), std::min(size, (index + 1) * step)};
}

} // namespace llmpar

#endif // LLMPAR_ABI_SHARD_H
