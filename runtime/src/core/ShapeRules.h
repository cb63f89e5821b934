//===- ShapeRules.h - Building blocks of CheckRecord ------------*- C++ -*-===//
//
// Each `expect...` returns an empty string, or what is wrong:
//
//   expect(y, DType::F32, {2, 3})   "the result is 2x4xf32, expected 2x3xf32"
//   expectAxis(3, x)                "axis 3 of 2x3xf32"
//
//===----------------------------------------------------------------------===//
#ifndef LLMPAR_RUNTIME_CORE_SHAPERULES_H
#define LLMPAR_RUNTIME_CORE_SHAPERULES_H

#include "core/Program.h"

#include <algorithm>

namespace llmpar::rt {

using Extents = std::vector<int64_t>;

inline std::string describe(const TensorView &tensor) { return describeShape(tensor.dtype, tensor.shape()); }

inline std::string expect(const TensorView &y, DType dtype, std::span<const int64_t> shape) {
  if (y.dtype == dtype && std::equal(shape.begin(), shape.end(), y.shape().begin(), y.shape().end()))
    return {};
  return "the result is " + describe(y) + ", expected " + describeShape(dtype, shape);
}

inline std::string expectAxis(int64_t axis, const TensorView &x) {
  if (axis >= 0 && axis < x.rank)
    return {};
  return "axis " + std::to_string(axis) + " of " + describe(x);
}

/// NumPy broadcasting: 4x1, 3 -> 4x3. False if two extents differ and none is 1.
inline bool broadcastShapes(std::span<const int64_t> a, std::span<const int64_t> b, Extents &result) {
  size_t rank = std::max(a.size(), b.size());
  result.assign(rank, 1);
  for (size_t i = 0; i < rank; ++i) { // from the right
    int64_t x = i < a.size() ? a[a.size() - 1 - i] : 1, y = i < b.size() ? b[b.size() - 1 - i] : 1;
    if (x != y && x != 1 && y != 1)
      return false;
    result[rank - 1 - i] = x == 1 ? y : x;
  }
  return true;
}

inline std::string expectBroadcast(std::span<const TensorView> inputs, const TensorView &y, DType dtype) {
  Extents shape;
  for (const TensorView &input : inputs) {
    Extents merged;
    if (!broadcastShapes(shape, input.shape(), merged))
      return describe(input) + " does not broadcast with the operands before it";
    shape = std::move(merged);
  }
  return expect(y, dtype, shape);
}

} // namespace llmpar::rt

#endif // LLMPAR_RUNTIME_CORE_SHAPERULES_H
