//===- Placement.h - Boxes of tensors on a mesh, for tests ------*- C++ -*-===//
#ifndef LLMPAR_TEST_UNIT_PLACEMENT_H
#define LLMPAR_TEST_UNIT_PLACEMENT_H

#include "llmpar/Core/Sharding.h"
#include "llvm/ADT/STLExtras.h"
#include <vector>

namespace llmpar {

/// What one rank holds of a tensor: a range per dimension.
using Box = llvm::SmallVector<ShardRange, 4>;

inline Box boxOf(const Sharding &sharding, llvm::ArrayRef<int64_t> shape, const Mesh &mesh, int64_t rank) {
  Box box;
  for (auto [dim, size] : llvm::zip(sharding.dims, shape))
    box.push_back(shardOf(dim, size, mesh, rank));
  return box;
}
inline Box wholeBox(llvm::ArrayRef<int64_t> shape) {
  return llvm::to_vector<4>(llvm::map_range(shape, [](int64_t size) { return ShardRange{0, size}; }));
}

/// Row-major indices within `shape` of the box's elements, in the box's row-major order.
inline std::vector<int64_t> elementsOf(const Box &box, llvm::ArrayRef<int64_t> shape) {
  std::vector<int64_t> elements{0};
  for (auto [range, size] : llvm::zip(box, shape)) {
    std::vector<int64_t> longer;
    for (int64_t prefix : elements)
      for (int64_t i = range.begin; i < range.end; ++i)
        longer.push_back(prefix * size + i);
    elements = std::move(longer);
  }
  return elements;
}

inline Mesh meshOfSizes(llvm::ArrayRef<int64_t> sizes) {
  Mesh mesh;
  for (auto [index, size] : llvm::enumerate(sizes))
    mesh.axes.push_back({std::string(1, static_cast<char>('a' + index)), size});
  return mesh;
}

} // namespace llmpar

#endif // LLMPAR_TEST_UNIT_PLACEMENT_H
