//===- Loss.h - What the loss of a step is, and where it comes from -*- C++ -*-===//
#ifndef LLMPAR_LIB_TRAINING_LOSS_H
#define LLMPAR_LIB_TRAINING_LOSS_H

#include "llmpar/Dialect/OpWriter.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace llmpar {

/// The operand of @main's return that is the result `name`, or the first float one if that is empty. Emits an error if
/// there is none, or if it has no dimension of classes.
mlir::FailureOr<mlir::Value> findLogits(mlir::func::FuncOp function, llvm::StringRef name);

/// How far the logits are from the labels, an argument that the step gets.
///
///   cross-entropy  labels are classes, one i64 for each row of the logits; those that are `ignoreIndex` do not count
///   mse            labels are f32, one for each logit: (logit - label)^2; those that are NaN do not count
struct Loss {
  llvm::StringRef kind;
  int64_t ignoreIndex;
  double labelSmoothing = 0; ///< of cross-entropy

  bool ofClasses() const { return kind == "cross-entropy"; }
  /// Emits an error if there is no loss of that kind.
  mlir::LogicalResult check(mlir::ModuleOp module) const;

  /// Adds an argument `labels` for logits of this type.
  mlir::BlockArgument addLabels(mlir::func::FuncOp function, mlir::RankedTensorType logits) const;
  /// How many labels count, an f32.
  mlir::Value count(OpWriter &write, mlir::Value labels) const;
  /// The loss of each label in f32, 0 for those that do not count. Its op is the loss of isLoss.
  mlir::Value of(OpWriter &write, mlir::Value logits, mlir::Value labels) const;

private:
  mlir::Value isIgnored(OpWriter &write, mlir::Value labels) const;
};

/// The sum over all dimensions.
mlir::Value sumOf(OpWriter &write, mlir::Value x);

} // namespace llmpar

#endif // LLMPAR_LIB_TRAINING_LOSS_H
