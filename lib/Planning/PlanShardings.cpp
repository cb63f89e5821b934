//===- PlanShardings.cpp - Choose a mesh and a sharding for every op --------===//
#include "llmpar/Planning/PlanShardings.h"

#include "llmpar/Planning/ExplainPlan.h"
#include "llmpar/Planning/NoPlanFits.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FormatVariadic.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Pass/Pass.h"
#include <chrono>

using namespace mlir;

namespace llmpar {
#define GEN_PASS_DEF_PLANSHARDINGS
#include "llmpar/Planning/Passes.h.inc"

llvm::SmallVector<Mesh> candidateMeshes(const Cluster &cluster, Method method) {
  int64_t ranks = cluster.ranks();
  bool isUniform = cluster.network.size() == 1 && cluster.network[0].topology != Topology::Ring && cluster.devices.size() == 1;
  auto one = [&](llvm::StringRef name) { return llvm::SmallVector<Mesh>{Mesh{{{name.str(), ranks}}}}; };
  if (method == Method::Single)
    return {Mesh{}};
  if (method == Method::Data || method == Method::Gathered)
    return one("dp");
  if (method == Method::Tensor)
    return one("tp");
  if (method == Method::Sequence)
    return one("sp");
  llvm::SmallVector<Mesh> meshes;
  if (method == Method::Auto)
    meshes = one("x");
  for (int64_t outer = 2; outer < ranks; ++outer)
    if (ranks % outer == 0 && (method == Method::Hybrid || !isUniform || outer <= ranks / outer))
      meshes.push_back(Mesh{{{method == Method::Hybrid ? "dp" : "x", outer}, {method == Method::Hybrid ? "tp" : "y", ranks / outer}}});
  return meshes;
}

namespace {

using Clock = std::chrono::steady_clock;
double secondsSince(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

class MeshSearch {
public:
  MeshSearch(ModuleOp module, const PlanRequest &request) : module(module), request(request), start(Clock::now()) {}

  llvm::Expected<FoundPlan> run() {
    llvm::Expected<llvm::SmallVector<Mesh>> meshes = meshesOf(module, request);
    if (!meshes)
      return meshes.takeError();
    for (auto [index, mesh] : llvm::enumerate(*meshes)) {
      double left = request.timeLimitSeconds - secondsSince(start);
      share = left / static_cast<double>(meshes->size() - index);
      // Where no plan fits, once more with weights that may be split at rest.
      if (!search(mesh, /*splitAtRest=*/false) && request.method == Method::Auto)
        search(mesh, /*splitAtRest=*/true);
    }
    found.plan.lowerBound = kForbidden;
    for (const MeshResult &mesh : found.plan.meshes)
      found.plan.lowerBound = std::min(found.plan.lowerBound, mesh.plan.lowerBound);
    return std::move(found);
  }

private:
  ModuleOp module;
  const PlanRequest &request;
  Clock::time_point start;
  double share = 0; ///< seconds for a mesh
  FoundPlan found;

  /// True if there is a plan.
  bool search(const Mesh &mesh, bool splitAtRest) {
    MeshResult result{.mesh = mesh, .plan = {}};
    Clock::time_point begin = Clock::now();
    std::unique_ptr<ShardingProblem> sharding = buildProblem(module, request, mesh, splitAtRest);
    result.nodes = static_cast<int64_t>(sharding->problem().nodes.size());
    result.edges = static_cast<int64_t>(sharding->problem().edges.size());
    result.buildSeconds = secondsSince(begin);
    int64_t toBeat = found.problem ? found.plan.chosen().plan.cost : kForbidden;
    auto report = [&](const SolveProgress &progress) { // a mesh that cannot win is left
      return progress.lowerBound < toBeat && (!request.progress || request.progress(mesh, progress));
    };
    SolveOptions options{.timeLimitSeconds = std::max(0.1, share), .gapLimit = request.gapLimit, .progress = report};
    begin = Clock::now();
    result.plan = solve(sharding->problem(), options);
    result.solveSeconds = secondsSince(begin);
    bool fits = result.plan.feasible();
    if (fits && (!found.problem || result.plan.cost < found.plan.chosen().plan.cost)) {
      found.problem = std::move(sharding);
      found.plan.best = found.plan.meshes.size();
    }
    found.plan.meshes.push_back(std::move(result));
    return fits;
  }
};

struct PlanShardings : impl::PlanShardingsBase<PlanShardings> {
  using Base::Base;
  void runOnOperation() override {
    if (failed(plan()))
      signalPassFailure();
  }

  LogicalResult plan() {
    std::optional<Method> known = methodOf(method);
    if (!known)
      return getOperation().emitError() << "method '" << method << "' is unknown: choose "
                                        << llvm::join(llvm::map_range(methodNames, [](const MethodName &m) { return m.name; }), ", ");
    llvm::Expected<Cluster> machines = findCluster(cluster);
    if (!machines)
      return getOperation().emitError() << llvm::toString(machines.takeError());
    PlanRequest request{.cluster = std::move(*machines), .method = *known, .mesh = {}, .memoryLimit = {}};
    if (memory > 0)
      request.memoryLimit = memory;
    if (Mesh mesh = meshOf(getOperation()); !mesh.axes.empty())
      request.mesh = mesh;
    llvm::Expected<ShardingPlan> result = planShardings(getOperation(), request);
    if (!result)
      return getOperation().emitError() << llvm::toString(result.takeError());
    return success();
  }
};

} // namespace

llvm::Expected<llvm::SmallVector<Mesh>> meshesOf(ModuleOp module, const PlanRequest &request) {
  auto function = module.lookupSymbol<func::FuncOp>("main");
  if (!function || function.isExternal())
    return llvm::createStringError("no function @main with a body");
  llvm::SmallVector<Mesh> meshes = candidateMeshes(request.cluster, request.method);
  if (request.mesh)
    meshes = {*request.mesh};
  if (meshes.empty())
    return llvm::createStringError(llvm::formatv("method '{0}' splits the devices in two axes, which {1} of cluster '{2}' cannot be: choose a number that is a product, e.g. 4",
                                                 nameOf(request.method), request.cluster.ranks(), request.cluster.name).str());
  for (const Mesh &mesh : meshes)
    if (request.method != Method::Single && mesh.ranks() != request.cluster.ranks())
      return llvm::createStringError(llvm::formatv("the mesh '{0}' has {1} ranks, but cluster '{2}' has {3} devices",
                                                   mesh.str(), mesh.ranks(), request.cluster.name, request.cluster.ranks()).str());
  return meshes;
}

std::unique_ptr<ShardingProblem> buildProblem(ModuleOp module, const PlanRequest &request, const Mesh &mesh, bool splitAtRest) {
  Block &body = module.lookupSymbol<func::FuncOp>("main").getBody().front();
  Cluster busy = whenBusy(request.cluster, request.cluster.ranks()); // with all its devices at work
  auto problem = std::make_unique<ShardingProblem>(body, request.method, mesh, busy, splitAtRest);
  if (request.memoryLimit)
    problem->setMemoryLimit(*request.memoryLimit);
  return problem;
}

llvm::Expected<FoundPlan> findShardings(ModuleOp module, const PlanRequest &request) {
  return MeshSearch(module, request).run();
}

llvm::Expected<ShardingPlan> planShardings(ModuleOp module, const PlanRequest &request) {
  llvm::Expected<FoundPlan> found = findShardings(module, request);
  if (!found)
    return found.takeError();
  if (!found->problem)
    return whyNoPlanFits(module, request, found->plan);
  if (request.inspect)
    request.inspect(*found);
  remarkDecisions(*found->problem, found->plan.chosen().plan);
  if (const Mesh &mesh = found->plan.chosen().mesh; !mesh.axes.empty() && !module.lookupSymbol("mesh"))
    setMesh(module, mesh);
  found->problem->apply(found->plan.chosen().plan);
  return std::move(found->plan);
}

} // namespace llmpar
