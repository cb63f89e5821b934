//===- Reshard.h - From one sharding to another -----------------*- C++ -*-===//
//
// The collectives that turn one sharding of a tensor into another, in order:
//   {[x], []} -> {[], [x]}             : all_to_all(x)
//   {[], []} + partial x -> {[x], []}  : reduce_scatter(x, dim 0)
//   {[x], []} -> {[], []}              : all_gather(x, dim 0)
//   {[], []} -> {[x], []}              : all_slice(x, dim 0), no communication
// Partial axes are reduced before any axis moves; axes leave a dimension minor first
// and enter it major first.
//
//===----------------------------------------------------------------------===//
#ifndef LLMPAR_CORE_RESHARD_H
#define LLMPAR_CORE_RESHARD_H

#include "llmpar/Core/Sharding.h"

namespace llmpar {

enum class ReshardKind : uint8_t { AllReduce, ReduceScatter, AllGather, AllToAll, AllSlice };

struct ReshardStep {
  ReshardKind kind;
  AxisId axis;
  int dim = -1;                            ///< scattered, gathered or sliced; all_to_all: the dimension that gains the axis
  int concatDim = -1;                      ///< all_to_all: the dimension that loses it
  FactorKind reduction = FactorKind::Sum;  ///< all_reduce, reduce_scatter
  Sharding after;                          ///< normalized
};

/// Both shardings are normalized and live on `mesh`. Fails if `to` is partial over an axis `from` is not.
llvm::Expected<llvm::SmallVector<ReshardStep>> planReshard(const Sharding &from, const Sharding &to,
                                                           llvm::ArrayRef<int64_t> shape, const Mesh &mesh);

/// Bytes that one rank sends for these steps: all-reduce 2(n-1)/n S, the others (n-1)/n S
/// of the gathered (or scattered) local tensor (nccl-tests PERFORMANCE.md).
double reshardBytes(llvm::ArrayRef<ReshardStep> steps, const Sharding &from, llvm::ArrayRef<int64_t> shape,
                    int64_t elementBytes, const Mesh &mesh);

} // namespace llmpar

#endif // LLMPAR_CORE_RESHARD_H
