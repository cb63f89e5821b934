//===- Pipelines.cpp - The pass order; nothing else knows it ----------------===//
#include "llmpar/Driver/Pipelines.h"

#include "llmpar/Driver/Compile.h"
#include "llmpar/Exec/Exec.h"
#include "llmpar/Fusion/Passes.h"
#include "llmpar/Lowering/Passes.h"
#include "llmpar/Partition/Passes.h"
#include "llmpar/Planning/PlanShardings.h"
#include "llmpar/Training/Passes.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FormatVariadic.h"
#include "mlir/Pass/PassRegistry.h"
#include "mlir/Transforms/Passes.h"

namespace llmpar {

llvm::Expected<LayoutAxes> layoutAxes(llvm::StringRef layout, const Mesh &mesh) {
  auto axisOr = [&](llvm::StringRef name, const MeshAxis &fallback) {
    return mesh.find(name) >= 0 ? name.str() : fallback.name;
  };
  if (layout == "single")
    return LayoutAxes{};
  if (layout != "data" && layout != "tensor" && layout != "hybrid")
    return llvm::createStringError(
        llvm::formatv("layout '{0}' is unknown: choose {1}", layout,
                      llvm::join(llvm::map_range(methodNames, [](const MethodName &m) { return m.name; }), ", ")).str());
  if (mesh.axes.empty())
    return llvm::createStringError(
        llvm::formatv("layout '{0}' needs a mesh, e.g. --mesh {1}", layout, layout == "data" ? "dp=2" : "tp=2").str());
  if (layout == "data")
    return LayoutAxes{axisOr("dp", mesh.axes.front()), ""};
  if (layout == "tensor")
    return LayoutAxes{"", axisOr("tp", mesh.axes.back())};
  LayoutAxes axes{"", axisOr("tp", mesh.axes.back())};
  for (const MeshAxis &axis : mesh.axes) // the first other axis, or the one of that name
    if (axis.name != axes.tensor && (axes.data.empty() || axis.name == "dp"))
      axes.data = axis.name;
  if (axes.data.empty())
    return llvm::createStringError(
        llvm::formatv("layout 'hybrid' needs two axes, but the mesh is '{0}': e.g. --mesh dp=2,tp=2", mesh.str()).str());
  return axes;
}

void buildSimplify(mlir::OpPassManager &pm) {
  pm.addPass(mlir::createCanonicalizerPass());
  pm.addPass(mlir::createCSEPass());
  pm.addPass(mlir::createSymbolDCEPass());
}

void buildFuse(mlir::OpPassManager &pm, bool forTraining) {
  pm.addPass(createRaiseActivations());
  pm.addPass(createRaiseNorms());
  pm.addPass(createRaiseRotary());
  pm.addPass(createSplitBatches());
  if (forTraining)
    pm.addPass(createFuseAttention({/*forTraining=*/true})); // its gradient keeps no scores
  else
    pm.addPass(createRaiseExperts()); // has no gradient
  pm.addPass(mlir::createCanonicalizerPass()); // reshapes around it
  pm.addPass(mlir::createCSEPass());
}

static void splitProjections(mlir::OpPassManager &pm) {
  // Before pins and propagation: they see the projections one by one.
  pm.addPass(createSplitPackedProjections());
  pm.addPass(mlir::createCSEPass());
}

/// What comes before a step is made of a graph.
static void prepareStep(mlir::OpPassManager &pm, llvm::StringRef precision, bool splitsWeights) {
  if (splitsWeights) { // first: of parts there are gradients and states
    splitProjections(pm);
    pm.addPass(createSplitPackedWeights());
  }
  if (!precision.empty()) // behind the fuse phase: what is raised there needs no f32 in between
    pm.addPass(createLowerPrecision({precision.str()}));
}

void buildTrain(mlir::OpPassManager &pm, const TrainingOptions &options, llvm::StringRef precision,
                bool splitsWeights) {
  prepareStep(pm, precision, splitsWeights);
  pm.addPass(createBuildTrainingStep(options.step));
  buildSimplify(pm); // gradients of reshapes, casts and broadcasts meet
  if (options.recompute != "auto") // last: it counts on what is left
    pm.addPass(createRecompute({options.recompute}));
}

void buildEvaluate(mlir::OpPassManager &pm, const BuildEvaluationStepOptions &options, llvm::StringRef precision,
                   bool splitsWeights) {
  prepareStep(pm, precision, splitsWeights);
  pm.addPass(createBuildEvaluationStep(options));
  buildSimplify(pm);
}

static void applyPins(mlir::OpPassManager &pm, llvm::ArrayRef<std::string> pins) {
  if (pins.empty())
    return;
  ApplyPinsOptions options;
  options.pins.assign(pins.begin(), pins.end());
  pm.addPass(createApplyPins(options));
}

void buildLayout(mlir::OpPassManager &pm, const LayoutAxes &axes, llvm::ArrayRef<std::string> pins, int zeroStage) {
  if (!axes.tensor.empty())
    splitProjections(pm);
  applyPins(pm, pins);
  if (!axes.data.empty()) // after the pins, which it leaves alone
    pm.addPass(createShardInputs({axes.data}));
  pm.addPass(createPropagateShardings({axes.tensor}));
  if (zeroStage > 0)
    pm.addPass(createShardOptimizer({axes.data, /*parameters=*/zeroStage == 3}));
}

void buildBeforePlan(mlir::OpPassManager &pm, llvm::ArrayRef<std::string> pins) {
  splitProjections(pm);
  applyPins(pm, pins);
}

void buildAfterPlan(mlir::OpPassManager &pm) { pm.addPass(createPropagateShardings()); }

void buildPartition(mlir::OpPassManager &pm, llvm::StringRef replicas, int64_t synchronizeEvery) {
  pm.addPass(createPlaceState());
  pm.addPass(createDecomposeSplitReductions()); // before InsertReshards: its maxima and sums are partial
  pm.addPass(createDelayReductions());
  pm.addPass(createInsertReshards());
  pm.addPass(createLowerReshards());
  pm.addPass(createCombineCollectives());
  if (!replicas.empty())
    pm.addPass(createSynchronizeReplicas({replicas.str(), synchronizeEvery}));
  pm.addPass(createBucketReductions());
  pm.addPass(createRouteTokens()); // after CombineCollectives: of what it makes a reduce_scatter
  pm.addPass(mlir::createCSEPass());
}

void buildLocalize(mlir::OpPassManager &pm) { pm.addPass(createLocalizeShapes()); }

void buildLower(mlir::OpPassManager &pm, llvm::StringRef layout) {
  pm.addPass(createFuseAttention()); // heads and queries are split by now, and a softmax over split keys is decomposed
  pm.addPass(createLowerToRuntime({layout.str()}));
}

void registerAllLlmparPasses() {
  registerPlanShardings();
  registerLlmparFusionPasses();
  registerLlmparTrainingPasses();
  registerLlmparPartitionPasses();
  registerLlmparLoweringPasses();
  mlir::PassPipelineRegistration<>("llmpar-simplify", "canonical form of an imported graph",
                                   [](mlir::OpPassManager &pm) { buildSimplify(pm); });
  mlir::PassPipelineRegistration<>("llmpar-partition", "from shardings to collectives on local tensors",
                                   [](mlir::OpPassManager &pm) {
                                     buildPartition(pm);
                                     buildLocalize(pm);
                                   });
}

void registerAllLlmparDialects(mlir::DialectRegistry &registry) {
  registry.insert<LlmparDialect, exec::ExecDialect, mlir::func::FuncDialect>();
}

} // namespace llmpar
