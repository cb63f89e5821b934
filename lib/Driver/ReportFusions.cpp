//===- ReportFusions.cpp - What of a model becomes one op -------------------===//
#include "llmpar/Driver/ReportFusions.h"

#include "llmpar/Driver/Pipelines.h"
#include "llmpar/Fusion/Passes.h"

namespace llmpar {

std::optional<FusionReport> reportFusions(mlir::ModuleOp module) {
  FusionReport report;
  for (auto function : module.getOps<mlir::func::FuncOp>()) {
    raiseActivations(function, &report);
    raiseNorms(function, &report);
    raiseRotary(function, &report);
    splitBatches(function);
  }
  mlir::PassManager pm(module.getContext());
  pm.addPass(createRaiseExperts());
  buildSimplify(pm);
  if (mlir::failed(pm.run(module)))
    return std::nullopt;
  module.walk([&](ExpertsOp experts) {
    auto name = experts.getLoc()->findInstanceOf<mlir::NameLoc>();
    report.push_back({"experts", {name ? name.getName().str() : "experts"}, ""});
  });
  for (auto function : module.getOps<mlir::func::FuncOp>())
    fuseAttention(function, /*forTraining=*/false, &report);
  return report;
}

} // namespace llmpar
