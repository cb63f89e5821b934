//===- Collapse.h - Fewest loops over broadcast operands --------*- C++ -*-===//
//
// Drops dimensions of extent 1 and merges neighbours that every operand walks
// in one go, so that the last loop is as long as it can be. Operands that are
// dense over the whole shape then have strides in the last loop of 1, or 0
// where broadcast.
//
//   2x3x4 (+) 4       -> 6x4   strides 4 1 and 0 1
//   2x3x4 (+) 2x3x4   -> 24    strides 1 and 1
//
//===----------------------------------------------------------------------===//
#ifndef LLMPAR_RUNTIME_CPU_COLLAPSE_H
#define LLMPAR_RUNTIME_CPU_COLLAPSE_H

#include "reference/Loops.h"

namespace llmpar::rt {

template <size_t N> struct LoopNest {
  int rank = 0; ///< at least 1 after `collapse`
  Dims extents{};
  std::array<Dims, N> strides{};

  int64_t rowLength() const { return extents[rank - 1]; }
  int64_t rowStep(size_t operand) const { return strides[operand][rank - 1]; }
};

template <size_t N> LoopNest<N> collapse(std::span<const int64_t> shape, const std::array<Dims, N> &strides) {
  LoopNest<N> nest;
  for (size_t dim = 0; dim < shape.size(); ++dim) {
    if (shape[dim] == 1)
      continue;
    bool merges = nest.rank > 0;
    for (size_t k = 0; k < N && merges; ++k)
      merges = nest.strides[k][nest.rank - 1] == strides[k][dim] * shape[dim];
    if (!merges)
      nest.extents[nest.rank++] = 1;
    nest.extents[nest.rank - 1] *= shape[dim];
    for (size_t k = 0; k < N; ++k)
      nest.strides[k][nest.rank - 1] = strides[k][dim];
  }
  if (nest.rank == 0)
    nest.extents[nest.rank++] = 1;
  return nest;
}

/// Calls `body(offsets)` with the element offset of every operand at the start of each last-dimension row.
template <size_t N, typename Body> void forEachRow(const LoopNest<N> &nest, Body &&body) {
  int outer = nest.rank - 1;
  for (int dim = 0; dim <= outer; ++dim)
    if (nest.extents[dim] <= 0)
      return;
  std::array<int64_t, N> offsets{};
  Dims index{};
  while (true) {
    body(static_cast<const std::array<int64_t, N> &>(offsets));
    int dim = outer - 1;
    for (; dim >= 0; --dim) {
      for (size_t k = 0; k < N; ++k)
        offsets[k] += nest.strides[k][dim];
      if (++index[dim] < nest.extents[dim])
        break;
      for (size_t k = 0; k < N; ++k)
        offsets[k] -= nest.strides[k][dim] * nest.extents[dim];
      index[dim] = 0;
    }
    if (dim < 0)
      return;
  }
}

} // namespace llmpar::rt

#endif // LLMPAR_RUNTIME_CPU_COLLAPSE_H
