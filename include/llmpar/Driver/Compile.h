//===- Compile.h - From a model file to a program ---------------*- C++ -*-===//
//
//   CompileOptions options{.mesh = "dp=2,tp=2", .layout = "hybrid", .dims = {"batch=2", "seq=64"}};
//   CompileResult result = compileModel(context, "model.onnx", options);
//   if (!result.ok) // diagnostics went to the context's handler
//   write(result.program);
//
//===----------------------------------------------------------------------===//
#ifndef LLMPAR_DRIVER_COMPILE_H
#define LLMPAR_DRIVER_COMPILE_H

#include "llmpar/Planning/PlanDocument.h"
#include "llmpar/Training/Passes.h"
#include "llmpar/Training/StepSummary.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/Error.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"
#include <functional>
#include <string>
#include <vector>

namespace llmpar {

/// Limits of the search for a layout.
struct PlanLimits {
  std::optional<int64_t> memory; ///< bytes of a device; none: the cluster's
  double timeSeconds = 60;
  std::function<bool(const Mesh &mesh, const SolveProgress &)> progress; ///< false stops the search; may be unset
  /// Called with the plan before it is written into the module; may be unset.
  std::function<void(mlir::ModuleOp, const PlanRequest &, FoundPlan &)> inspect;
};

/// How a graph becomes a training step.
struct TrainingOptions {
  BuildTrainingStepOptions step;
  std::string recompute = "none"; ///< RecomputeOptions::granularity, or "auto": what the search for a layout finds cheapest
  int zeroStage = 0;     ///< 1 and 2: optimizer states are split over the data axis; 3: parameters too
  std::optional<int64_t> synchronizeEvery = std::nullopt; ///< replicas step apart (SynchronizeReplicasOptions::every); none: they do not
};

struct CompileOptions {
  std::string mesh;                ///< "dp=2,tp=2"; empty: one device
  std::string layout = "single";   ///< single, data, tensor, hybrid by rule; auto, sequence, expert, gathered by search
  std::string cluster;             ///< name or file, for a layout by search; empty: as many CPU devices as the mesh has ranks
  bool search = false;             ///< find a layout by search that has a rule too
  PlanLimits plan;
  std::optional<TrainingOptions> training;              ///< make the graph a training step
  std::optional<BuildEvaluationStepOptions> evaluation; ///< make the graph a step of evaluation
  std::string precision;           ///< of a step: bf16 or f16, with master weights in f32; empty: the model's
  std::string planFile;            ///< replay this plan (Planning/PlanDocument.h) instead of choosing a layout
  std::string deviceConfiguration; ///< pin tensors as the model's multi-device annotations of this name say
  std::vector<std::string> pins;   ///< "name-pattern=[axis,-,...]"
  std::vector<std::string> dims;   ///< "batch=2"
  llvm::StringMap<llvm::SmallVector<int64_t>> inputShapes; ///< of given inputs: they bind dimensions too
  std::string compileTo;           ///< a phase's name; empty: all
  std::string dumpDir;             ///< one file per phase, if not empty
  std::function<void(llvm::StringRef phase)> onPhase; ///< called when a phase begins, if set
};

struct CompileResult {
  bool ok = false;
  bool isUsageError = false;                ///< an option was wrong, not the model
  bool doesNotFit = false;                  ///< no plan fits into the devices' memory
  bool doesNotApply = false;                ///< the method splits something that the model does not have
  mlir::OwningOpRef<mlir::ModuleOp> module; ///< after the last phase that ran
  std::optional<ShardingPlan> plan;         ///< of a layout by search
  std::vector<std::string> recompute;       ///< that were searched, by MeshResult::variant: "none", "selective", ...; empty: no choice
  std::optional<Cluster> cluster;           ///< that it was planned for
  std::optional<StepSummary> step;          ///< of training or evaluation
  std::optional<PlanDocument> document;     ///< the plan as a file
  std::vector<char> program;                ///< the program file, when all phases ran
};

/// Compiles an .onnx, .onnx.gz or .mlir file. Errors are diagnostics of `context`.
CompileResult compileModel(mlir::MLIRContext &context, llvm::StringRef path, const CompileOptions &options);

/// Every pass and dialect of the project, for llmpar-opt and its siblings.
void registerAllLlmparPasses();
void registerAllLlmparDialects(mlir::DialectRegistry &registry);

} // namespace llmpar

#endif // LLMPAR_DRIVER_COMPILE_H
