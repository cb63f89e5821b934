//===- Logits.h - Where the loss of a step comes from -----------*- C++ -*-===//
#ifndef LLMPAR_LIB_TRAINING_LOGITS_H
#define LLMPAR_LIB_TRAINING_LOGITS_H

#include "llmpar/Dialect/Llmpar.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace llmpar {

/// The operand of @main's return that is the result `name`, or the first float one if that is empty. Emits an error if
/// there is none, or if it has no dimension of classes.
mlir::FailureOr<mlir::Value> findLogits(mlir::func::FuncOp function, llvm::StringRef name);

/// Logits in bf16 or f16 where `logits` are a cast of them to f32; else `logits`. cross_entropy computes in f32 anyhow.
mlir::Value withoutWidening(mlir::Value logits);

/// Adds an argument `labels`: one i64 for each row of logits of type `logits`.
mlir::BlockArgument addLabels(mlir::func::FuncOp function, mlir::RankedTensorType logits);

} // namespace llmpar

#endif // LLMPAR_LIB_TRAINING_LOGITS_H
