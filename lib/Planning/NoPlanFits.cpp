//===- NoPlanFits.cpp - Which constraints conflict, and ways out ------------===//
#include "llmpar/Planning/NoPlanFits.h"

#include "llmpar/Core/UnitText.h"
#include "llmpar/Planner/PeakRange.h"
#include "llmpar/Planning/PlanDocument.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/MathExtras.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include <chrono>
#include <cmath>

using namespace mlir;

namespace llmpar {

char NoPlanFits::ID;

void NoPlanFits::log(llvm::raw_ostream &os) const {
  auto bytes = [](int64_t count) { return bytesText(static_cast<uint64_t>(count)); };
  os << "no plan of method '" << method << (isProved ? "' fits" : "' was found in time that fits") << " into a device of '" << cluster
     << "' (" << bytes(memoryBytes) << ")";
  if (peak.found) {
    os << ": the smallest one found needs " << bytes(*peak.found) << (mesh.empty() ? "" : " on ") << mesh;
    if (peak.atLeast < *peak.found)
      os << ", and none needs less than " << bytes(peak.atLeast);
  } else if (!mesh.empty()) {
    os << " on " << mesh;
  }
  if (!conflict.empty())
    os << "; in conflict: " << llvm::join(conflict, ", ");
  auto words = llvm::map_range(waysOut, [&](const WayOut &way) {
    return way.change + " (" + bytes(way.peakBytes) + (way.isEstimate ? ", estimated)" : ")");
  });
  if (!waysOut.empty())
    os << "; ways out: " << llvm::join(words, ", ");
  else if (isComplete)
    os << "; no single way out among another method or mesh, bf16, a smaller batch, up to 64 times the devices";
  if (!isComplete)
    os << "; time ran out before everything was tried";
}

namespace {

/// Factors on what a problem's nodes hold, in place of building another model.
struct Scaling {
  int64_t batch = 0, newBatch = 0; ///< 0: as it is
  bool halves = false;             ///< two bytes in place of four
};

/// A module with a request, and what is changed about them.
struct Variant {
  ModuleOp module;
  PlanRequest request;
  bool hasMemoryLimit = true;
  Scaling scaling = {};
};

class FitAnalysis {
public:
  FitAnalysis(ModuleOp module, const PlanRequest &request, const ShardingPlan &searched)
      : given{.module = module, .request = request}, searched(searched), start(Clock::now()) {
    given.request.inspect = nullptr;
  }

  std::unique_ptr<NoPlanFits> run() {
    result = std::make_unique<NoPlanFits>();
    result->method = nameOf(given.request.method).str();
    result->cluster = given.request.cluster.name;
    measurePeak();
    result->isProved = searched.lowerBound >= kForbidden || result->peak.atLeast > result->memoryBytes;
    findConflict();
    tryHalf();
    tryBatch();
    tryDevices();
    return std::move(result);
  }

private:
  using Clock = std::chrono::steady_clock;
  Variant given;
  const ShardingPlan &searched;
  Clock::time_point start;
  std::vector<std::unique_ptr<ShardingProblem>> own; ///< the given problem on every mesh, least memory first
  bool isStopped = false;
  std::unique_ptr<NoPlanFits> result;

  double left() const {
    return isStopped ? -1 : std::min(10.0, given.request.timeLimitSeconds) - std::chrono::duration<double>(Clock::now() - start).count();
  }

  std::unique_ptr<ShardingProblem> build(const Variant &variant, const Mesh &mesh) const {
    return buildProblem(variant.module, variant.request, mesh, /*splitAtRest=*/variant.request.method == Method::Auto);
  }

  static int64_t leastOf(const PlanProblem &problem) { return peakRange(problem).least; }

  /// Builds the given problems, and finds how few bytes they can do with.
  void measurePeak() {
    for (const Mesh &mesh : llvm::cantFail(meshesOf(given.module, given.request))) // they were searched
      own.push_back(build(given, mesh));
    llvm::sort(own, [](const auto &a, const auto &b) { return leastOf(a->problem()) < leastOf(b->problem()); });
    result->mesh = own.front()->costs().mesh().str();
    result->memoryBytes = *own.front()->problem().memoryLimit;
    result->peak.atLeast = leastOf(own.front()->problem());
    for (const auto &problem : own) {
      if (left() < 0 || (result->peak.found && leastOf(problem->problem()) >= *result->peak.found))
        break;
      SmallestPeak peak = smallestPeak(problem->problem(), left() / 4);
      if (own.size() == 1)
        result->peak.atLeast = peak.atLeast;
      if (!peak.found || (result->peak.found && *peak.found >= *result->peak.found))
        continue;
      result->peak.found = peak.found;
      result->mesh = problem->costs().mesh().str();
    }
  }

  /// A plan of any cost on any mesh, if there is one.
  struct Found {
    bool fits = false;
    int64_t peakBytes = 0;
    std::string mesh;
  };
  Found ask(const Variant &variant) {
    llvm::Expected<llvm::SmallVector<Mesh>> meshes = meshesOf(variant.module, variant.request);
    if (!meshes) {
      llvm::consumeError(meshes.takeError());
      return {};
    }
    for (const Mesh &mesh : *meshes) {
      if (left() < 0) {
        result->isComplete = false;
        return {};
      }
      if (Found found = ask(*build(variant, mesh), variant); found.fits)
        return found;
    }
    return {};
  }
  Found ask(const ShardingProblem &sharding, const Variant &variant) {
    PlanProblem problem = scaled(sharding, variant);
    if (!variant.hasMemoryLimit)
      problem.memoryLimit.reset();
    if (problem.memoryLimit && leastOf(problem) > *problem.memoryLimit)
      return {};
    const Mesh &mesh = sharding.costs().mesh();
    auto progress = [&](const SolveProgress &now) {
      isStopped |= given.request.progress && !given.request.progress(mesh, now);
      return !isStopped;
    };
    Plan plan = solve(problem, {.timeLimitSeconds = std::clamp(left() / 3, 0.1, 3.0), .gapLimit = 1, .progress = progress});
    result->isComplete &= plan.feasible() || plan.lowerBound >= kForbidden;
    return {.fits = plan.feasible(), .peakBytes = plan.peakBytes, .mesh = mesh.str()};
  }
  /// The given problem, scaled.
  Found askScaled(const Variant &variant) {
    for (const auto &problem : own)
      if (Found found = ask(*problem, variant); found.fits || left() < 0)
        return found;
    return {};
  }

  void addWayOut(const Found &found, std::string change, bool isEstimate = false) {
    result->waysOut.push_back({.change = std::move(change), .peakBytes = found.peakBytes, .isEstimate = isEstimate});
  }

  //===-- Conflicts --------------------------------------------------------===//

  struct Pin {
    std::string name;
    Operation *op = nullptr; ///< in the copy; null: an argument
    unsigned argument = 0;
  };

  static std::vector<Pin> pinsOf(func::FuncOp function) {
    std::vector<Pin> pins;
    for (unsigned i = 0; i < function.getNumArguments(); ++i)
      if (function.getArgAttr(i, LlmparDialect::kOutShardings)) {
        auto name = function.getArgAttrOfType<StringAttr>(i, LlmparDialect::kName);
        pins.push_back({name ? name.str() : "input " + std::to_string(i), nullptr, i});
      }
    for (Operation &op : function.getBody().front())
      if (op.hasAttr(LlmparDialect::kOutShardings)) {
        auto load = dyn_cast<LoadWeightOp>(op);
        StringRef name = load ? load.getWeight() : nodeNameOf(&op);
        pins.push_back({name.empty() ? op.getName().stripDialect().str() : name.str(), &op, 0});
      }
    return pins;
  }

  /// Leaves out one constraint after the other, and for good where that gives no plan: what remains is in conflict.
  void findConflict() {
    OwningOpRef<ModuleOp> copy = given.module.clone(); // pins are taken from it
    Variant now = given;
    now.module = *copy;
    // True if there is a plan without the constraint: then it is part of the conflict.
    auto isNeeded = [&](const Variant &without, std::string constraint, llvm::function_ref<std::string(StringRef mesh)> wayOut) {
      Found found = ask(without);
      if (!found.fits)
        return false;
      result->conflict.push_back(std::move(constraint));
      if (wayOut)
        addWayOut(found, wayOut(found.mesh));
      return true;
    };
    auto function = copy->lookupSymbol<func::FuncOp>("main");
    std::vector<Pin> pins = pinsOf(function);
    for (const Pin &pin : pins) {
      Attribute sharding = takePin(function, pin);
      if (isNeeded(now, "the pin of '" + pin.name + "'", [&](StringRef) { return "no pin of '" + pin.name + "'"; }))
        restorePin(function, pin, sharding);
    }
    if (Variant without = now; now.request.method != Method::Auto) {
      without.request.method = Method::Auto;
      if (now.request.mesh && now.request.mesh->axes.empty())
        without.request.mesh.reset();
      if (!isNeeded(without, "method '" + result->method + "'", [&](StringRef mesh) { return "method 'auto' on " + mesh.str(); }))
        now = without;
    }
    bool hasMesh = now.request.mesh && !now.request.mesh->axes.empty();
    if (Variant without = now; hasMesh && pinsOf(function).empty()) { // pins name its axes
      without.request.mesh.reset();
      if (!isNeeded(without, "mesh " + now.request.mesh->str(), [&](StringRef mesh) { return "mesh " + mesh.str(); }))
        now = without;
    }
    Variant without = now;
    without.hasMemoryLimit = false;
    isNeeded(without, bytesText(static_cast<uint64_t>(result->memoryBytes)) + " of memory", nullptr);
  }

  static Attribute takePin(func::FuncOp function, const Pin &pin) {
    auto name = StringAttr::get(function.getContext(), LlmparDialect::kOutShardings);
    return pin.op ? pin.op->removeAttr(name) : function.removeArgAttr(pin.argument, name);
  }
  static void restorePin(func::FuncOp function, const Pin &pin, Attribute sharding) {
    auto name = StringAttr::get(function.getContext(), LlmparDialect::kOutShardings);
    if (pin.op)
      pin.op->setAttr(name, sharding);
    else
      function.setArgAttr(pin.argument, name, sharding);
  }

  //===-- Ways out ---------------------------------------------------------===//

  static bool isFloat32(Value value) { return cast<RankedTensorType>(value.getType()).getElementType().isF32(); }

  /// A copy of the problem, scaled.
  static PlanProblem scaled(const ShardingProblem &sharding, Variant variant) {
    PlanProblem problem = sharding.problem();
    const Scaling &scaling = variant.scaling;
    if (!scaling.halves && scaling.batch == 0)
      return problem;
    RuleCache rules;
    DimRoles roles(variant.module.lookupSymbol<func::FuncOp>("main").getBody().front(), rules);
    for (auto [plan, node] : llvm::zip(problem.nodes, sharding.nodes())) {
      Value value = node.op ? Value(node.op->getResult(0)) : node.value;
      bool halves = scaling.halves && isFloat32(value);
      int batchDim = scaling.batch ? batchDimOf(value, roles) : -1;
      for (MemoryUse &use : plan.memory)
        for (auto [strategy, bytes] : llvm::enumerate(use.bytes)) {
          double factor = halves ? 0.5 : 1;
          if (batchDim >= 0 && !isOfWeights(sharding, node, use))
            factor *= batchFactor(sharding, node, strategy, batchDim, scaling);
          bytes = static_cast<int64_t>(std::ceil(static_cast<double>(bytes) * factor));
        }
    }
    return problem;
  }

  static int batchDimOf(Value value, const DimRoles &roles) {
    for (int dim = 0, rank = static_cast<int>(cast<RankedTensorType>(value.getType()).getRank()); dim < rank; ++dim)
      if (roles.of(value, dim) == DimRole::Batch)
        return dim;
    return -1;
  }

  /// What an op holds of weights, at rest or gathered.
  static bool isOfWeights(const ShardingProblem &sharding, const ShardingProblem::Node &node, const MemoryUse &use) {
    if (!node.op)
      return false;
    auto isGathered = [](const auto &pair) { return std::get<0>(pair).gatheredBytes == std::get<1>(pair); };
    return use.lifetime.end == sharding.steps() || llvm::all_of(llvm::zip(*node.strategies, use.bytes), isGathered);
  }

  /// Of the largest shard of a value's batch: one sample on each device stays one.
  static double batchFactor(const ShardingProblem &sharding, const ShardingProblem::Node &node, size_t strategy, int dim, const Scaling &scaling) {
    ShardingId id = node.op ? (*node.strategies)[strategy].results[0] : (*node.shardings)[strategy];
    int64_t shards = 1;
    for (AxisId axis : sharding.costs()[id].dims[dim].axes)
      shards *= sharding.costs().mesh().axes[axis].size;
    return static_cast<double>(llvm::divideCeil(scaling.newBatch, shards)) / static_cast<double>(llvm::divideCeil(scaling.batch, shards));
  }

  void tryHalf() {
    Variant half = given;
    half.scaling.halves = true;
    auto function = given.module.lookupSymbol<func::FuncOp>("main");
    bool any = function.getBody().front().walk([](Operation *op) {
      return llvm::any_of(op->getResults(), isFloat32) ? WalkResult::interrupt() : WalkResult::advance();
    }).wasInterrupted();
    if (!any || left() < 0)
      return;
    if (Found found = askScaled(half); found.fits)
      addWayOut(found, "bf16 in place of f32", /*isEstimate=*/true);
  }

  /// The largest smaller batch that fits.
  void tryBatch() {
    auto function = given.module.lookupSymbol<func::FuncOp>("main");
    RuleCache rules;
    DimRoles roles(function.getBody().front(), rules);
    int64_t batch = 1;
    for (BlockArgument argument : function.getArguments())
      if (int dim = batchDimOf(argument, roles); dim >= 0)
        batch = std::max(batch, cast<RankedTensorType>(argument.getType()).getDimSize(dim));
    auto withBatch = [&](int64_t size) {
      Variant smaller = given;
      smaller.scaling = {.batch = batch, .newBatch = size};
      return smaller;
    };
    int64_t fits = 0, doesNot = batch;
    Found best;
    while (doesNot - fits > 1 && left() > 0) { // a batch of one first: if that does not fit, none does
      int64_t size = fits == 0 ? 1 : fits + (doesNot - fits) / 2;
      Found found = askScaled(withBatch(size));
      if (!found.fits && size == 1)
        return;
      (found.fits ? fits : doesNot) = size;
      if (found.fits)
        best = found;
    }
    if (best.fits)
      addWayOut(best, llvm::formatv("batch {0} in place of {1}", fits, batch), /*isEstimate=*/true);
  }

  /// `count` of the cluster, as far as memory goes.
  static Cluster severalOf(Cluster cluster, int64_t count) {
    llvm::SmallVector<DeviceGroup, 1> once = cluster.devices;
    for (int64_t i = 1; i < count; ++i)
      cluster.devices.append(once.begin(), once.end());
    if (cluster.scaleOut)
      cluster.network.push_back(*cluster.scaleOut);
    NetworkDimension &outer = cluster.network.back();
    outer.size = cluster.scaleOut ? count : outer.size * count;
    outer.measured.clear();
    return cluster;
  }

  /// Twice the devices, and again.
  void tryDevices() {
    if (given.request.method == Method::Single || given.request.cluster.network.empty())
      return;
    for (int64_t times = 2; times <= 64 && left() > 0; times *= 2) {
      Variant larger = given;
      larger.request.cluster = severalOf(given.request.cluster, times);
      size_t axes = given.request.mesh ? given.request.mesh->axes.size() : 0;
      for (size_t axis = 0; axis < std::max<size_t>(1, axes); ++axis) { // of a mesh that is given, one axis grows
        if (axes > 0) {
          larger.request.mesh = given.request.mesh;
          larger.request.mesh->axes[axis].size *= times;
        }
        if (Found found = ask(larger); found.fits)
          return addWayOut(found, llvm::formatv("{0} devices as {1}", larger.request.cluster.ranks(), found.mesh));
      }
    }
  }
};

} // namespace

llvm::Error whyNoPlanFits(ModuleOp module, const PlanRequest &request, const ShardingPlan &searched) {
  return llvm::Error(FitAnalysis(module, request, searched).run());
}

} // namespace llmpar
