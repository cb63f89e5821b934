//===- Decompositions.h - Ops as primitive ones -----------------*- C++ -*-===//
//
// A rank that holds a part of a `combine` factor cannot compute its part of the result alone. The op's decomposition
// computes the same with ops whose own rules say what a shard of them is:
//
//   softmax      m = max x; e = exp(x - m); l = sum e; y = e / l
//   log-softmax  the same, with y = (x - m) - log l
//   layer_norm   mean = sum x / n; c = x - mean; v = sum c^2 / n; y = c * rsqrt(v + epsilon) * scale + bias
//   rms_norm     the same, with c = x
//   arg_reduce   m = max x; y = the least index where x = m
//   cross_entropy  m = max x; lse = m + log sum exp(x - m); loss = lse - sum (x where the class is the label)
//
// Each max and sum is then partial, and reduced where the next op needs it. As in the kernels, f16 and bf16 are
// computed in f32, variances in a second pass, and a row of -inf becomes NaN; a shard that is masked or empty adds 0.
//
//===----------------------------------------------------------------------===//
#ifndef LLMPAR_DIALECT_DECOMPOSITIONS_H
#define LLMPAR_DIALECT_DECOMPOSITIONS_H

#include "llmpar/Dialect/Llmpar.h"

namespace llmpar {

/// True if one of the rule's `combine` factors is split by an operand's sharding. `operands` are in order.
bool splitsCombineFactor(const FactorRule &rule, llvm::ArrayRef<Sharding> operands);
/// The same of an op; false if it has no rule.
bool splitsCombineFactor(mlir::Operation *op, llvm::ArrayRef<Sharding> operands);

/// Builds the decomposition of an op with a `combine` factor. Returns the values of its results.
llvm::SmallVector<mlir::Value, 2> decompose(mlir::OpBuilder &builder, mlir::Operation *op);

/// e of a softmax (not log) in its type, and l in the type that it is computed in.
struct UndividedSoftmax {
  mlir::Value exponentials, sum;
};
UndividedSoftmax exponentiate(mlir::OpBuilder &builder, SoftmaxOp op);

/// The product whose left operand is this softmax, maybe behind casts, and which sums over its axis, if that is the
/// only use. Then (e / l) v = (e v) / l, and a rank divides its [.., s, d] instead of [.., s, t], while l is still
/// reduced beside the product (online softmax, Milakov and Gimelshein 2018; Dao et al. 2023). None of an f16 product:
/// e v grows with the number of keys and leaves its range.
MatmulOp productOver(SoftmaxOp op);

/// product / sum, computed in the type of `sum`.
mlir::Value divide(mlir::OpBuilder &builder, mlir::Value product, mlir::Value sum);

/// The axes that the operands' shardings give to the factors of an op's rule; the first operand wins, partial
/// results are ignored.
FactorShardings followOperands(mlir::Operation *op, const FactorRule &rule, llvm::ArrayRef<Sharding> operands,
                               const Mesh &mesh);

} // namespace llmpar

#endif // LLMPAR_DIALECT_DECOMPOSITIONS_H
