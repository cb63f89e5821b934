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
#include <numeric>

using namespace mlir;

namespace llmpar {
#define GEN_PASS_DEF_PLANSHARDINGS
#include "llmpar/Planning/Passes.h.inc"

char MethodDoesNotApply::ID;

void MethodDoesNotApply::log(llvm::raw_ostream &os) const {
  os << why << ": choose another method, e.g. tensor or auto";
}

llvm::SmallVector<Mesh> candidateMeshes(const Cluster &cluster, Method method) {
  int64_t ranks = cluster.ranks();
  bool isUniform = cluster.network.size() == 1 && cluster.network[0].topology != Topology::Ring && cluster.devices.size() == 1;
  auto one = [&](llvm::StringRef name) { return llvm::SmallVector<Mesh>{Mesh{{{name.str(), ranks}}}}; };
  if (method == Method::Single)
    return {Mesh{}};
  if (method == Method::Data || method == Method::Zero || method == Method::Gathered)
    return one("dp");
  if (method == Method::Tensor)
    return one("tp");
  if (method == Method::Sequence)
    return one("sp");
  if (method == Method::Expert)
    return one("ep");
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

/// First a plan and a bound of every mesh by prices alone, which costs little; then an exact search of the meshes whose
/// bound leaves the answer open, the lowest bound first. A mesh that cannot beat the best plan so far is left.
class MeshSearch {
public:
  MeshSearch(llvm::ArrayRef<ModuleOp> variants, const PlanRequest &request)
      : variants(variants), request(request), start(Clock::now()), facts(variants.size()) {}

  llvm::Expected<FoundPlan> run() {
    llvm::Expected<llvm::SmallVector<Mesh>> meshes = meshesOf(variants.front(), request);
    if (!meshes)
      return meshes.takeError();
    for (size_t variant = 0; variant < variants.size(); ++variant)
      for (const Mesh &mesh : *meshes)
        tries.push_back({.result = {.mesh = mesh, .variant = variant, .plan = {}}, .problem = nullptr});
    // Meshes with axes of like sizes often win: their plans let others be left early.
    llvm::SmallVector<size_t> order(tries.size());
    std::iota(order.begin(), order.end(), size_t(0));
    llvm::sort(order, [&](size_t a, size_t b) {
      auto key = [&](size_t index) { return std::tuple(tries[index].result.variant, largestAxis(tries[index].result.mesh), index); };
      return key(a) < key(b);
    });
    for (size_t index : order)
      search(index, SolveOptions::Effort::Prices);
    while (std::optional<size_t> open = mostPromising()) {
      search(*open, SolveOptions::Effort::Exact);
      // Where no plan fits, once more with weights that may be split at rest.
      const Try &done = tries[*open];
      if (request.method == Method::Auto && !done.splitAtRest && !done.result.plan.feasible() && !done.result.loses)
        tries.push_back({.result = {.mesh = done.result.mesh, .variant = done.result.variant, .plan = {}}, .splitAtRest = true, .problem = nullptr});
    }
    return take();
  }

private:
  struct Try {
    MeshResult result;
    bool splitAtRest = false, searched = false; ///< searched: exactly
    std::unique_ptr<ShardingProblem> problem;
  };
  llvm::ArrayRef<ModuleOp> variants;
  const PlanRequest &request;
  Clock::time_point start;
  std::vector<std::shared_ptr<GraphFacts>> facts; ///< by variant
  std::vector<Try> tries;
  std::optional<size_t> best; ///< of `tries`: the one of the cheapest plan

  static int64_t largestAxis(const Mesh &mesh) {
    int64_t largest = 1;
    for (const MeshAxis &axis : mesh.axes)
      largest = std::max(largest, axis.size);
    return largest;
  }
  const MeshResult &chosen() const { return tries[*best].result; }
  int64_t bestCost() const { return best ? tries[*best].result.plan.cost : kForbidden; }

  /// The try of the lowest bound, if that leaves more than the gap below the best plan.
  std::optional<size_t> mostPromising() const {
    std::optional<size_t> open;
    for (size_t index = 0; index < tries.size(); ++index) {
      int64_t bound = tries[index].result.plan.lowerBound;
      bool isOpen = !best || double(bestCost() - bound) > request.gapLimit * double(bestCost());
      if (!tries[index].searched && isOpen && (!open || bound < tries[*open].result.plan.lowerBound))
        open = index;
    }
    return open;
  }

  void search(size_t index, SolveOptions::Effort effort) {
    Try &at = tries[index];
    at.searched = effort == SolveOptions::Effort::Exact;
    Clock::time_point begin = Clock::now();
    ModuleOp module = variants[at.result.variant];
    std::shared_ptr<GraphFacts> &known = facts[at.result.variant];
    if (!known)
      known = std::make_shared<GraphFacts>(module.lookupSymbol<func::FuncOp>("main").getBody().front());
    if (!at.problem)
      at.problem = buildProblem(module, request, at.result.mesh, at.splitAtRest, known);
    const PlanProblem &problem = at.problem->problem();
    at.result.nodes = static_cast<int64_t>(problem.nodes.size());
    at.result.edges = static_cast<int64_t>(problem.edges.size());
    at.result.buildSeconds += secondsSince(begin);
    auto report = [&](const SolveProgress &progress) { return !request.progress || request.progress(at.result.mesh, progress); };
    auto left = llvm::count_if(tries, [](const Try &other) { return !other.searched; }) + 1;
    double share = (request.timeLimitSeconds - secondsSince(start)) / static_cast<double>(left);
    // Of the other variants the best mesh says what they cost.
    bool isRival = best && at.result.variant != chosen().variant && at.result.mesh.str() == chosen().mesh.str();
    int64_t costLimit = isRival && effort == SolveOptions::Effort::Prices ? kForbidden : bestCost();
    SolveOptions options{.timeLimitSeconds = std::max(0.1, share), .gapLimit = request.gapLimit, .costLimit = costLimit, .effort = effort, .progress = report};
    begin = Clock::now();
    Plan plan = solve(problem, options);
    at.result.solveSeconds += secondsSince(begin);
    plan.lowerBound = std::max(plan.lowerBound, at.result.plan.lowerBound);
    bool isBest = plan.feasible() && plan.cost < bestCost();
    if (plan.feasible())
      at.result.plan = std::move(plan);
    else
      at.result.plan.lowerBound = plan.lowerBound;
    if (isBest)
      best = index;
    at.result.loses = !at.result.plan.feasible() && best && at.result.plan.lowerBound >= (1 - request.gapLimit) * double(bestCost());
  }

  FoundPlan take() {
    FoundPlan found;
    found.plan.lowerBound = kForbidden;
    for (Try &at : tries) {
      found.plan.lowerBound = std::min(found.plan.lowerBound, at.result.plan.lowerBound);
      found.plan.meshes.push_back(std::move(at.result));
    }
    if (best) {
      found.plan.best = *best;
      found.problem = std::move(tries[*best].problem);
    }
    return found;
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
  if (request.method == Method::Expert && !hasExperts(function.getBody().front()))
    return llvm::make_error<MethodDoesNotApply>("the model has no mixture of experts, which method 'expert' splits");
  if (request.method == Method::Zero && !isTraining(function.getBody().front()))
    return llvm::make_error<MethodDoesNotApply>("method 'zero' splits gradients and states, which only training has");
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

std::unique_ptr<ShardingProblem> buildProblem(ModuleOp module, const PlanRequest &request, const Mesh &mesh, bool splitAtRest,
                                              std::shared_ptr<GraphFacts> facts) {
  Block &body = module.lookupSymbol<func::FuncOp>("main").getBody().front();
  Cluster busy = whenBusy(request.cluster, request.cluster.ranks()); // with all its devices at work
  auto problem = std::make_unique<ShardingProblem>(body, request.method, mesh, busy, splitAtRest, std::move(facts));
  if (request.memoryLimit)
    problem->setMemoryLimit(*request.memoryLimit);
  return problem;
}

llvm::Expected<FoundPlan> findShardings(llvm::ArrayRef<ModuleOp> variants, const PlanRequest &request) {
  return MeshSearch(variants, request).run();
}

llvm::Expected<ShardingPlan> planShardings(llvm::ArrayRef<ModuleOp> variants, const PlanRequest &request) {
  llvm::Expected<FoundPlan> found = findShardings(variants, request);
  if (!found)
    return found.takeError();
  if (!found->problem)
    return whyNoPlanFits(variants.back(), request, found->plan);
  ModuleOp module = variants[found->plan.chosen().variant];
  if (request.inspect)
    request.inspect(*found);
  remarkDecisions(*found->problem, found->plan.chosen().plan);
  if (const Mesh &mesh = found->plan.chosen().mesh; !mesh.axes.empty() && !module.lookupSymbol("mesh"))
    setMesh(module, mesh);
  found->problem->apply(found->plan.chosen().plan);
  return std::move(found->plan);
}

} // namespace llmpar
