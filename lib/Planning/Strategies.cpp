//===- Strategies.cpp - The ways to shard an op, and their cost -------------===//
#include "llmpar/Planning/Strategies.h"

#include "llmpar/Dialect/Decompositions.h"
#include "llmpar/Planner/PlanProblem.h"
#include "llmpar/Planning/OpCosts.h"
#include "llvm/ADT/SmallVectorExtras.h"
#include "llvm/ADT/StringSet.h"

using namespace mlir;

namespace llmpar {

static RankedTensorType typeOf(Value value) { return cast<RankedTensorType>(value.getType()); }

FreeValues::FreeValues(Block &body) {
  llvm::StringSet<> mutableWeights; // a symbol look-up for each load would be quadratic
  for (auto weight : body.getParentOp()->getParentOfType<ModuleOp>().getOps<WeightOp>())
    if (weight->hasAttr(LlmparDialect::kMutable))
      mutableWeights.insert(weight.getSymName());
  for (Operation &op : body) {
    if (!isa<FactorOpInterface>(&op))
      continue;
    auto load = dyn_cast<LoadWeightOp>(&op);
    bool isState = load && mutableWeights.contains(load.getWeight());
    bool isFree = !isState && !op.hasAttr(LlmparDialect::kOutShardings) && llvm::all_of(op.getOperands(), [&](Value v) { return contains(v); });
    bool ofWeights = load || (llvm::any_of(op.getOperands(), [&](Value v) { return isOfWeights(v); }) &&
                              llvm::all_of(op.getOperands(), [&](Value v) { return isOfWeights(v) || contains(v); }));
    for (Value result : op.getResults()) {
      if (isFree)
        all.insert(result);
      if (ofWeights)
        weights.insert(result);
      if (isState)
        states.insert(result);
    }
  }
}

Strategies::Strategies(std::shared_ptr<GraphFacts> facts, Method method, ReshardCosts &costs, bool splitAtRest)
    : method(method), splitAtRest(splitAtRest || method == Method::Gathered), costs(costs), facts(std::move(facts)) {}

int64_t GraphFacts::unitOf(Operation *op, const FactorRule &rule, int factor) {
  int64_t unit = 1;
  auto need = [&](const TensorFactors &tensor, Value value, bool isResult) {
    int dim = FactorRule::dimOf(tensor, factor);
    if (dim < 0 || free.contains(value))
      return;
    int64_t minor = rule.minorSize(tensor, factor);
    int64_t there = isResult ? units.below(value, dim) : units.above(value, dim);
    unit = std::max(unit, (there + minor - 1) / minor);
  };
  for (auto [value, tensor] : llvm::zip(op->getOperands(), rule.operands))
    need(tensor, value, false);
  for (auto [value, tensor] : llvm::zip(op->getResults(), rule.results))
    need(tensor, value, true);
  return unit;
}

int GraphFacts::classOf(Operation *op) {
  auto [cached, isNewOp] = classOf_.try_emplace(op, -1);
  if (!isNewOp)
    return cached->second;
  const FactorRule &rule = rules.of(op);
  OpClass kind{.rule = &rule, .roles = roles.ofFactors(op, rule), .isWeightFactor = {}, .units = {}};
  kind.isWeightFactor.assign(rule.factors.size(), false);
  auto softmax = dyn_cast<SoftmaxOp>(op);
  MatmulOp divided = softmax ? productOver(softmax) : MatmulOp();
  std::vector<int64_t> key = {rules.kindOf(op), divided ? rules.kindOf(divided) : -1};
  for (auto [value, tensor] : llvm::zip(op->getOperands(), rule.operands)) {
    key.push_back(2 * free.contains(value) + free.isOfWeights(value));
    for (const auto &list : tensor)
      if (free.isOfWeights(value) && !list.empty())
        kind.isWeightFactor[list.front()] = true;
  }
  for (size_t factor = 0; factor < rule.factors.size(); ++factor) {
    kind.units.push_back(rule.isShardable(static_cast<int>(factor)) ? unitOf(op, rule, static_cast<int>(factor)) : 1);
    key.insert(key.end(), {static_cast<int64_t>(kind.roles[factor]), kind.units.back()});
  }
  auto [it, isNew] = known.try_emplace(std::move(key), static_cast<int>(classes.size()));
  if (isNew)
    classes.push_back(std::make_unique<OpClass>(std::move(kind)));
  return classOf_[op] = it->second;
}

/// Calls `found` for every choice of a factor, or none, for every axis from `axis` on. `steps` are the pieces
/// that each factor can still be cut into.
static void forEachSplit(const Mesh &mesh, AxisId axis, MutableArrayRef<int64_t> steps, FactorShardings &chosen,
                         function_ref<bool(AxisId, int)> allowed, function_ref<void()> found) {
  if (axis == static_cast<AxisId>(mesh.axes.size()))
    return found();
  forEachSplit(mesh, axis + 1, steps, chosen, allowed, found); // no factor
  int64_t size = mesh.axes[axis].size;
  for (int factor = 0, count = static_cast<int>(steps.size()); factor < count; ++factor) {
    if (size == 1 || steps[factor] < size || !allowed(axis, factor))
      continue;
    int64_t before = steps[factor];
    steps[factor] /= size;
    chosen[factor].axes.push_back(axis);
    forEachSplit(mesh, axis + 1, steps, chosen, allowed, found);
    chosen[factor].axes.pop_back();
    steps[factor] = before;
  }
}

/// What a set's strategies have in common.
struct Strategies::Pricing {
  FlopCount flops;
  std::unique_ptr<DecomposedOp> decomposed; ///< built by the first strategy that splits a `combine` factor
};

Strategy Strategies::strategyFor(Operation *op, const FactorRule &rule, const FactorShardings &factors, Pricing &pricing) {
  const Mesh &mesh = costs.mesh();
  Strategy strategy{.factors = factors, .operands = {}, .results = {}};
  SmallVector<Sharding> operands, results;
  for (auto [index, value] : llvm::enumerate(op->getOperands())) {
    RankedTensorType type = typeOf(value);
    operands.push_back(operandSharding(rule, static_cast<int>(index), type.getShape(), factors, mesh));
    if (free().isWeight(value))
      strategy.weightBytes += localBytes(operands.back(), type, mesh);
    strategy.operands.push_back(costs.intern(operands.back()));
  }
  for (auto [index, value] : llvm::enumerate(op->getResults())) {
    RankedTensorType type = typeOf(value);
    results.push_back(resultSharding(rule, static_cast<int>(index), type.getShape(), factors, mesh));
    strategy.results.push_back(costs.intern(results.back()));
  }
  if (splitsCombineFactor(rule, operands)) {
    if (!pricing.decomposed)
      pricing.decomposed = std::make_unique<DecomposedOp>(op);
    DecomposedOp::Cost cost = pricing.decomposed->of(operands, costs);
    strategy.cost = cost.picoseconds;
    strategy.scratchBytes = cost.scratchBytes;
    return strategy;
  }
  bool rightIsWeight = isa<MatmulOp>(op) && free().isWeight(op->getOperand(1));
  strategy.cost = kernelCost({op, pricing.flops, operands, results, rightIsWeight}, costs);
  return strategy;
}

/// The same strategy with weights split at rest over those of `axes` (a bit set) that do not split them in use, on
/// their longest dimension; none if no weight can be.
std::optional<Strategy> Strategies::gathered(Operation *op, const Strategy &whole, unsigned axes) {
  const Mesh &mesh = costs.mesh();
  Strategy strategy = whole;
  bool any = false;
  for (auto [index, value] : llvm::enumerate(op->getOperands())) {
    RankedTensorType type = typeOf(value);
    const Sharding used = costs[whole.operands[index]];
    Sharding &rest = strategy.rest.emplace_back(used);
    int64_t before = localBytes(used, type, mesh);
    if (!free().isWeight(value) || before < smallestGatheredBytes)
      continue;
    Shape local = localShape(used, type.getShape(), mesh);
    auto longest = llvm::max_element(local) - local.begin();
    for (AxisId axis = 0; axis < static_cast<AxisId>(mesh.axes.size()); ++axis)
      if ((axes >> axis & 1) && !used.usesAxis(axis) && local[longest] >= mesh.axes[axis].size) {
        rest.dims[longest].axes.push_back(axis);
        local[longest] = shardCeil(local[longest], rest.dims[longest].unit, mesh.axes[axis].size);
      }
    normalize(rest, type.getShape(), mesh);
    if (rest == used)
      continue;
    any = true;
    int64_t gather = costs.between(costs.intern(rest), whole.operands[index], type);
    strategy.gatherCost = addCost(strategy.gatherCost, gather);
    strategy.cost = addCost(strategy.cost, gather);
    strategy.weightBytes += localBytes(rest, type, mesh) - before;
    strategy.gatheredBytes += before;
  }
  if (!any)
    return std::nullopt;
  return strategy;
}

/// Gathered: splits every weight over all axes. Else adds a strategy for every set of axes.
void Strategies::addGathered(Operation *op, StrategySet &set) {
  unsigned all = (1u << costs.mesh().axes.size()) - 1;
  for (size_t index = 0, count = set.size(); index < count; ++index) {
    if (method == Method::Gathered) {
      if (std::optional<Strategy> strategy = gathered(op, set[index], all))
        set[index] = *strategy;
      continue;
    }
    for (unsigned axes = 1; axes <= all; ++axes)
      if (std::optional<Strategy> strategy = gathered(op, set[index], axes))
        set.push_back(*strategy);
  }
}

/// Only strategies that split the experts as far as any does: with memory to spare, whole ones cost no communication.
static void keepSplitExperts(const FactorRule &rule, StrategySet &set) {
  constexpr unsigned up = 2; // operand; its dimension 0 are the experts
  if (rule.operands[up][0].empty())
    return;
  int experts = rule.operands[up][0].front();
  size_t most = 0;
  for (const Strategy &strategy : set)
    most = std::max(most, strategy.factors[experts].axes.size());
  llvm::erase_if(set, [&](const Strategy &strategy) { return strategy.factors[experts].axes.size() < most; });
}

const StrategySet &Strategies::of(Operation *op) {
  auto index = static_cast<size_t>(facts->classOf(op));
  if (index >= sets.size())
    sets.resize(index + 1);
  if (!sets[index])
    sets[index] = std::make_unique<StrategySet>(makeSet(op, (*facts)[static_cast<int>(index)]));
  return *sets[index];
}

StrategySet Strategies::makeSet(Operation *op, const OpClass &kind) {
  const FactorRule &rule = *kind.rule;
  FactorShardings chosen(rule.factors.size());
  SmallVector<int64_t> steps(rule.factors.size(), 0);
  for (auto [factor, dim] : llvm::enumerate(chosen)) {
    if (!rule.isShardable(static_cast<int>(factor)))
      continue;
    // Where there are fewer units than ranks, cutting them is still a choice.
    int64_t size = rule.factors[factor].size, unit = kind.units[factor];
    dim.unit = size / unit < costs.mesh().ranks() ? 1 : unit;
    steps[factor] = size / dim.unit;
  }
  StrategySet set;
  Pricing pricing{FlopCount(op), nullptr};
  bool splitsStates = (method == Method::Zero || method == Method::Gathered) && followsOptimizer(op);
  auto allowed = [&](AxisId axis, int factor) {
    return splitsStates || allows(method, axis, kind.roles[factor], kind.isWeightFactor[factor]);
  };
  forEachSplit(costs.mesh(), 0, steps, chosen, allowed, [&] {
    FactorShardings split = chosen;
    for (DimSharding &dim : split)
      if (dim.axes.empty())
        dim.unit = 1;
    set.push_back(strategyFor(op, rule, split, pricing));
  });
  if (method == Method::Expert && isa<ExpertsOp>(op))
    keepSplitExperts(rule, set);
  if (splitAtRest)
    addGathered(op, set);
  return set;
}

std::vector<ShardingId> Strategies::ofArgument(BlockArgument argument) {
  ArrayRef<int64_t> shape = typeOf(argument).getShape();
  FactorShardings chosen(shape.size());
  SmallVector<int64_t> steps;
  for (auto [dim, size] : llvm::enumerate(shape)) {
    chosen[dim].unit = facts->units.below(argument, static_cast<int>(dim));
    steps.push_back(size / chosen[dim].unit);
  }
  std::vector<ShardingId> ids;
  auto allowed = [&](AxisId axis, int dim) { return allows(method, axis, facts->roles.of(argument, dim), false); };
  forEachSplit(costs.mesh(), 0, steps, chosen, allowed, [&] {
    Sharding sharding = Sharding::replicated(shape.size());
    for (auto [dim, from] : llvm::zip(sharding.dims, chosen))
      if (!from.axes.empty())
        dim = from;
    normalize(sharding, shape, costs.mesh());
    ids.push_back(costs.intern(sharding));
  });
  return ids;
}

} // namespace llmpar
