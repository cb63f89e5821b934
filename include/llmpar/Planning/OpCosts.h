//===- OpCosts.h - Time and memory of an op on its shards -------*- C++ -*-===//
#ifndef LLMPAR_PLANNING_OPCOSTS_H
#define LLMPAR_PLANNING_OPCOSTS_H

#include "llmpar/Dialect/FlopCount.h"
#include "llmpar/Planning/ReshardCosts.h"
#include "mlir/IR/Block.h"

namespace llmpar {

/// One op, with the shardings of its operands and results.
struct ShardedOp {
  mlir::Operation *op;
  const FlopCount &flops;
  llvm::ArrayRef<Sharding> operands, results;
  bool rightIsWeight = false; ///< of a product: laid out once, before the first step
};
/// Picoseconds of its kernel on the slowest device; 0 for a reshape, which has none.
int64_t kernelCost(const ShardedOp &op, const ReshardCosts &costs);

/// What an op takes that llmpar-decompose-split-reductions will replace.
///
///   softmax [8,32768] with dimension 1 on x=8: the kernels of max, sub, exp, sum, div on [8,4096] and all-reduces of
///   two [8,1]. If it only feeds a product over that dimension, the division is of the product's [8,d].
class DecomposedOp {
public:
  /// Builds the decomposition in a block of its own; `op` stays as it is.
  explicit DecomposedOp(mlir::Operation *op);

  struct Cost {
    int64_t picoseconds = 0;  ///< of all kernels on the slowest device, one after the other, and of the collectives
    int64_t scratchBytes = 0; ///< that live inside beside the result
  };
  Cost of(llvm::ArrayRef<Sharding> operands, ReshardCosts &costs);

private:
  struct Part {
    mlir::Operation *op;
    FactorRule rule;
    FlopCount flops;
  };
  mlir::Block body;
  mlir::Value product; ///< stands for what is divided, if the division follows a product
  std::vector<Part> parts;

  Sharding productSharding(const Sharding &x, const Mesh &mesh) const;
};

} // namespace llmpar

#endif // LLMPAR_PLANNING_OPCOSTS_H
