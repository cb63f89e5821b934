//===- Pipelines.h - The pass order -----------------------------*- C++ -*-===//
#ifndef LLMPAR_DRIVER_PIPELINES_H
#define LLMPAR_DRIVER_PIPELINES_H

#include "llmpar/Core/Sharding.h"
#include "llmpar/Training/Passes.h"
#include "mlir/Pass/PassManager.h"

namespace llmpar {

struct TrainingOptions;

/// Which axes a named method uses.
///   single: no axis (and no mesh)   data: the batch over the axis   tensor: weights over the axis
///   hybrid: tensor over "tp" (or the last axis), data over "dp" (or the first other one)
struct LayoutAxes {
  std::string data, tensor;
};

/// Errors: an unknown method; a mesh whose axes do not fit it.
llvm::Expected<LayoutAxes> layoutAxes(llvm::StringRef layout, const Mesh &mesh);

/// One function per phase of Phases.h that is made of passes. `splitsWeights`: the layout may split weights, so that
/// the parts of a packed projection are states of their own.
void buildSimplify(mlir::OpPassManager &pm);
void buildFuse(mlir::OpPassManager &pm, bool forTraining = false);
void buildTrain(mlir::OpPassManager &pm, const TrainingOptions &options, llvm::StringRef precision = "",
                bool splitsWeights = false);
/// In the place of buildTrain.
void buildEvaluate(mlir::OpPassManager &pm, const BuildEvaluationStepOptions &options, llvm::StringRef precision = "",
                   bool splitsWeights = false);
void buildLayout(mlir::OpPassManager &pm, const LayoutAxes &axes, llvm::ArrayRef<std::string> pins,
                 int zeroStage = 0);
/// The layout phase of a search: what comes before planShardings, and behind it.
void buildBeforePlan(mlir::OpPassManager &pm, llvm::ArrayRef<std::string> pins);
void buildAfterPlan(mlir::OpPassManager &pm);
/// `replicas`: the axis of those that synchronize only every `synchronizeEvery` steps, or by earlier gradients; "": none.
void buildPartition(mlir::OpPassManager &pm, llvm::StringRef replicas = "", int64_t synchronizeEvery = 0);
void buildLocalize(mlir::OpPassManager &pm);
void buildLower(mlir::OpPassManager &pm, llvm::StringRef layout);

} // namespace llmpar

#endif // LLMPAR_DRIVER_PIPELINES_H
