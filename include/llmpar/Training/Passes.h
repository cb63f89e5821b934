//===- Passes.h - From an inference graph to a training step ----*- C++ -*-===//
#ifndef LLMPAR_TRAINING_PASSES_H
#define LLMPAR_TRAINING_PASSES_H

#include "llmpar/Dialect/Llmpar.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Pass/Pass.h"

namespace llmpar {

#define GEN_PASS_DECL
#include "llmpar/Training/Passes.h.inc"
#define GEN_PASS_REGISTRATION
#include "llmpar/Training/Passes.h.inc"

/// On an op of llmpar-recompute: it computes what another op has computed before.
inline constexpr llvm::StringLiteral recomputeAttribute = "llmpar.recompute";

/// On the op that ends a forward: its first result are the losses, one for each label.
inline constexpr llvm::StringLiteral lossAttribute = "llmpar.loss";
bool isLoss(mlir::Operation *op);

} // namespace llmpar

#endif // LLMPAR_TRAINING_PASSES_H
