//===- Fusions.h - What becomes one op, and what nearly does ----*- C++ -*-===//
#ifndef LLMPAR_FUSION_FUSIONS_H
#define LLMPAR_FUSION_FUSIONS_H

#include "llmpar/Dialect/Llmpar.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace llmpar {

/// A group of ops that is one op, or would be but for one thing.
struct Fusion {
  std::string kind;                     ///< "gelu", "layer_norm", "rotary", "attention"
  llvm::SmallVector<std::string> nodes; ///< ONNX nodes that it is made of, in order
  std::string missing;                  ///< the one thing; empty: it is raised
};
using FusionReport = llvm::SmallVector<Fusion, 0>;

// Each raises what it recognises in a function, and adds it, and what it nearly recognises, to `report` if there is
// one.
void raiseActivations(mlir::func::FuncOp function, FusionReport *report = nullptr);
void raiseNorms(mlir::func::FuncOp function, FusionReport *report = nullptr);
void raiseRotary(mlir::func::FuncOp function, FusionReport *report = nullptr);
/// What attention's products have merged to one batch dimension is split again, so that fuseAttention sees it.
void splitBatches(mlir::func::FuncOp function);
/// `forTraining`: not where a mask is trained.
void fuseAttention(mlir::func::FuncOp function, bool forTraining = false, FusionReport *report = nullptr);

} // namespace llmpar

#endif // LLMPAR_FUSION_FUSIONS_H
