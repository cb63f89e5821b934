//===- Sharding.h - How a tensor lies on a mesh -----------------*- C++ -*-===//
//
//   Mesh{{"dp",2},{"tp",4}}: rank 6 is dp=1, tp=2 (row-major).
//   Sharding{dims = [{dp},{},{tp}:64]}: dimension 0 split over dp, dimension 2 over tp in
//   multiples of 64 elements. Later shards may be short or empty, see Abi/Shard.h.
//
// A unit matters only where the split is uneven: `normalize` reduces it to the smallest one that
// gives the same shards, so that shardings compare equal exactly when all ranks hold the same elements.
//
//===----------------------------------------------------------------------===//
#ifndef LLMPAR_CORE_SHARDING_H
#define LLMPAR_CORE_SHARDING_H

#include "llmpar/Abi/Shard.h"
#include "llmpar/Core/FactorRule.h"
#include "llvm/Support/Error.h"

namespace llmpar {

using AxisId = int; ///< index into Mesh::axes

struct MeshAxis {
  std::string name;
  int64_t size = 1;
};

struct Mesh {
  llvm::SmallVector<MeshAxis, 3> axes;

  int64_t ranks() const;
  AxisId find(llvm::StringRef name) const; ///< -1 if there is none
  int64_t coordinate(int64_t rank, AxisId axis) const;
  /// Between the ranks of a group along `axis`: 1 for the last axis.
  int64_t stride(AxisId axis) const;
  /// The ranks that differ from `rank` in `axis` only, in order of their coordinate.
  llvm::SmallVector<int64_t> group(int64_t rank, AxisId axis) const;
  /// "dp=2,tp=4". Errors: no '=', size < 1, a name twice, more than 65536 ranks.
  static llvm::Expected<Mesh> parse(llvm::StringRef text);
  std::string str() const;
};

struct DimSharding {
  llvm::SmallVector<AxisId, 2> axes; ///< major first
  int64_t unit = 1;
  bool operator==(const DimSharding &other) const { return axes == other.axes && unit == other.unit; }
};

struct PartialAxis {
  AxisId axis;
  FactorKind reduction; ///< Sum, Max, Min or Prod
  bool operator==(const PartialAxis &other) const { return axis == other.axis && reduction == other.reduction; }
};

struct Sharding {
  llvm::SmallVector<DimSharding, 4> dims;
  llvm::SmallVector<PartialAxis, 1> partial; ///< sorted by axis

  static Sharding replicated(size_t rank);
  bool isReplicated() const;
  bool usesAxis(AxisId axis) const; ///< in a dimension or as partial
  int dimOfAxis(AxisId axis) const; ///< -1 if no dimension has it
  bool operator==(const Sharding &other) const { return dims == other.dims && partial == other.partial; }
  bool operator!=(const Sharding &other) const { return !(*this == other); }
};

/// Reduces units to the smallest that mean the same for a tensor of this shape; drops axes of size 1.
void normalize(Sharding &sharding, llvm::ArrayRef<int64_t> shape, const Mesh &mesh);

/// The number of shards of a dimension.
int64_t partsOf(const DimSharding &dim, const Mesh &mesh);

/// The elements of a dimension of `size` that `rank` holds.
ShardRange shardOf(const DimSharding &dim, int64_t size, const Mesh &mesh, int64_t rank);

/// The largest shard's shape: what a local type says.
Shape localShape(const Sharding &sharding, llvm::ArrayRef<int64_t> shape, const Mesh &mesh);
/// What `rank` really holds.
Shape validShape(const Sharding &sharding, llvm::ArrayRef<int64_t> shape, const Mesh &mesh, int64_t rank);

} // namespace llmpar

#endif // LLMPAR_CORE_SHARDING_H
