//===- Backward.h - Reverse-mode differentiation ----------------*- C++ -*-===//
//
//   %y = matmul %x, %w                    %y = matmul %x, %w
//   %l = reduce "sum" %y                  %l = reduce "sum" %y
//                              ->         %0 = broadcast %seed            d l / d y
//                                         %1 = weight_grad %x, %0         d l / d w
//
// A gradient is a value of the type of what it is the gradient of. Contractions are differentiated by re-indexing their
// factor rule; every other op has one entry in the table of GradientRules.h.
//
//===----------------------------------------------------------------------===//
#ifndef LLMPAR_TRAINING_BACKWARD_H
#define LLMPAR_TRAINING_BACKWARD_H

#include "llmpar/Dialect/Llmpar.h"

namespace llmpar {

/// Appends, at the builder's place, ops that compute the gradients of sum(loss * seed) with respect to each of
/// `values`, all of one block; `seed` has the type of `loss`, which is a float. A value that `loss` does not depend on
/// gets a null value. Fails with an error at the first op, from the end, that has no gradient: it is named with its
/// ONNX node.
mlir::FailureOr<llvm::SmallVector<mlir::Value>> gradientsOf(mlir::OpBuilder &builder, mlir::Value loss,
                                                            mlir::Value seed, mlir::ValueRange values);

} // namespace llmpar

#endif // LLMPAR_TRAINING_BACKWARD_H
