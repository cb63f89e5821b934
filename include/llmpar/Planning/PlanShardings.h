//===- PlanShardings.h - Choose a mesh and a sharding for every op -*- C++ -*-===//
//
// Build - solve - apply, for every mesh that the cluster's devices can form:
//   PlanRequest request{.cluster = *findCluster("dgx-h100")};
//   llvm::Expected<ShardingPlan> plan = planShardings(module, request);
//   // the module now has @mesh, `llmpar.factors` and `llmpar.out`; llmpar-propagate-shardings follows them
//
//===----------------------------------------------------------------------===//
#ifndef LLMPAR_PLANNING_PLANSHARDINGS_H
#define LLMPAR_PLANNING_PLANSHARDINGS_H

#include "llmpar/Planner/Algorithms.h"
#include "llmpar/Planning/ShardingProblem.h"
#include "mlir/Pass/Pass.h"

namespace llmpar {

struct FoundPlan;

struct PlanRequest {
  Cluster cluster;
  Method method = Method::Auto;
  std::optional<Mesh> mesh;           ///< none: the best of all that the devices can form; its ranks are the cluster's
  std::optional<int64_t> memoryLimit; ///< bytes of a device; none: what the cluster says
  double timeLimitSeconds = 60;       ///< of all meshes together; the best plan so far is taken then
  double gapLimit = 0.01;             ///< a plan this close to its bound is good enough, where memory makes proving more long
  /// As SolveOptions::progress; `mesh` is the one that is searched.
  llvm::function_ref<bool(const Mesh &mesh, const SolveProgress &)> progress = nullptr;
  /// Called with the plan before it is written.
  llvm::function_ref<void(FoundPlan &)> inspect = nullptr;
};

/// What was found for one mesh.
struct MeshResult {
  Mesh mesh;
  size_t variant = 0; ///< of the graphs that the search was given
  Plan plan; ///< costs in picoseconds
  int64_t nodes = 0, edges = 0;
  double buildSeconds = 0, solveSeconds = 0;
  bool loses = false; ///< left without a plan: its bound is not below that of another mesh by more than the gap limit
};

struct ShardingPlan {
  std::vector<MeshResult> meshes; ///< all that were searched, of each variant
  size_t best = 0;
  int64_t lowerBound = 0; ///< picoseconds: no plan of the method costs less, on any of the meshes, of any variant
  const MeshResult &chosen() const { return meshes[best]; }
};

/// A plan with the problem that it solves.
struct FoundPlan {
  ShardingPlan plan;
  std::unique_ptr<ShardingProblem> problem; ///< of plan.chosen(); null: no plan fits, `plan.best` means nothing
};

/// The meshes of the cluster's devices that a method can use: one axis, and every pair of two whose product they are.
/// Where all devices are alike and one network joins them, x=2,y=4 is x=4,y=2 with other names: Auto takes one.
llvm::SmallVector<Mesh> candidateMeshes(const Cluster &cluster, Method method);

/// The error of a method that splits something that the model does not have: expert without a mixture of experts.
struct MethodDoesNotApply : llvm::ErrorInfo<MethodDoesNotApply> {
  static char ID;
  std::string why; ///< what the model lacks
  explicit MethodDoesNotApply(std::string why) : why(std::move(why)) {}
  void log(llvm::raw_ostream &os) const override;
  std::error_code convertToErrorCode() const override { return llvm::inconvertibleErrorCode(); }
};

/// The request's meshes, checked. Errors: no @main with a body; the mesh does not have the cluster's number of ranks;
/// MethodDoesNotApply.
llvm::Expected<llvm::SmallVector<Mesh>> meshesOf(mlir::ModuleOp module, const PlanRequest &request);

/// The problem of @main on a mesh, with the request's memory limit. `facts`: as in ShardingProblem.
std::unique_ptr<ShardingProblem> buildProblem(mlir::ModuleOp module, const PlanRequest &request, const Mesh &mesh,
                                              bool splitAtRest, std::shared_ptr<GraphFacts> facts = nullptr);

/// Searches every mesh and writes nothing. `variants` compute the same, as a training step that keeps activations and one
/// that computes them again: the cheapest plan of any is taken, of equals that of the first. Errors: those of meshesOf.
llvm::Expected<FoundPlan> findShardings(llvm::ArrayRef<mlir::ModuleOp> variants, const PlanRequest &request);

/// Plans @main and writes the choice into the variant that was taken, chosen().variant. Where remarks of category `llmpar-plan-shardings` are
/// enabled, every decision is one (ExplainPlan.h). Errors: those of meshesOf; NoPlanFits (NoPlanFits.h).
llvm::Expected<ShardingPlan> planShardings(llvm::ArrayRef<mlir::ModuleOp> variants, const PlanRequest &request);

#define GEN_PASS_DECL
#include "llmpar/Planning/Passes.h.inc"
#define GEN_PASS_REGISTRATION
#include "llmpar/Planning/Passes.h.inc"

} // namespace llmpar

#endif // LLMPAR_PLANNING_PLANSHARDINGS_H
