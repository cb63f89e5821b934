//===- ValueLayouts.h - What each rank holds of each value ------*- C++ -*-===//
//
// In localized form a value's type is its largest shard. With its sharding and its global
// shape follows what a rank really holds:
//
//   10 rows over 4 ranks: type tensor<3x..>, valid extents 3 3 3 1
//
//===----------------------------------------------------------------------===//
#ifndef LLMPAR_LOWERING_VALUELAYOUTS_H
#define LLMPAR_LOWERING_VALUELAYOUTS_H

#include "llmpar/Dialect/Llmpar.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/DenseMap.h"

namespace llmpar {

struct ValueLayout {
  Sharding sharding;
  Shape global;
  mlir::Type elementType;
  int64_t elementBytes = 0;

  bool sameShards(const ValueLayout &other) const {
    return global == other.global && sharding.dims == other.sharding.dims;
  }
};

/// The layouts of all values of a function.
class ValueLayouts {
public:
  /// Fails on a type that a program file cannot hold or an attribute that does not fit its value.
  static mlir::FailureOr<ValueLayouts> build(mlir::func::FuncOp func, Mesh mesh);

  const Mesh &mesh() const { return theMesh; }
  const ValueLayout &of(mlir::Value value) const { return layouts.find(value)->second; }
  Shape valid(mlir::Value value, int64_t rank) const {
    const ValueLayout &layout = of(value);
    return validShape(layout.sharding, layout.global, theMesh, rank);
  }
  ShardRange range(mlir::Value value, int64_t dim, int64_t rank) const {
    const ValueLayout &layout = of(value);
    return shardOf(layout.sharding.dims[dim], layout.global[dim], theMesh, rank);
  }
  llvm::SmallVector<int64_t> starts(mlir::Value value, int64_t rank) const;
  int64_t bytes(mlir::Value value, int64_t rank) const;

private:
  mlir::LogicalResult add(mlir::Value value, mlir::Type globalType);

  Mesh theMesh;
  llvm::DenseMap<mlir::Value, ValueLayout> layouts;
};

} // namespace llmpar

#endif // LLMPAR_LOWERING_VALUELAYOUTS_H
