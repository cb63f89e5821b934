//===- ShardingProblem.cpp - A graph as a PlanProblem, and back -------------===//
#include "llmpar/Planning/ShardingProblem.h"

#include "llmpar/Dialect/MasterWeights.h"
#include "llvm/ADT/SmallVectorExtras.h"
#include "llvm/ADT/SetVector.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

using namespace mlir;

namespace llmpar {

static RankedTensorType typeOf(Value value) { return cast<RankedTensorType>(value.getType()); }

static ArrayAttr shardingsAttr(ArrayRef<Sharding> shardings, const Mesh &mesh, MLIRContext *context) {
  SmallVector<Attribute> attrs;
  for (const Sharding &sharding : shardings)
    attrs.push_back(toAttr(sharding, mesh, context));
  return ArrayAttr::get(context, attrs);
}

ShardingProblem::ShardingProblem(Block &body, Method method, const Mesh &mesh, const Cluster &cluster, bool splitAtRest,
                                 std::shared_ptr<GraphFacts> facts)
    : body(body), method(method), costs_(mesh, cluster),
      strategies(facts ? std::move(facts) : std::make_shared<GraphFacts>(body), method, costs_, splitAtRest) {
  int64_t smallest = INT64_MAX;
  for (const DeviceGroup &group : cluster.devices)
    smallest = std::min(smallest, group.device.memoryBytes);
  problem_.memoryLimit = smallest;
  for (auto [position, op] : llvm::enumerate(body))
    position_[&op] = static_cast<int64_t>(position);
  for (BlockArgument argument : body.getArguments())
    addArgument(argument);
  for (Operation &op : body) {
    if (!isa<FactorOpInterface>(&op) || llvm::all_of(op.getResults(), [&](Value v) { return strategies.free().contains(v); }))
      continue;
    if (strategies.free().isState(op.getResult(0)))
      addState(cast<LoadWeightOp>(op));
    else
      addOp(op, position_[&op]);
  }
}

/// The last step that needs a value; a reshape's result is the same bytes.
int64_t ShardingProblem::lastUse(Value value) const {
  int64_t last = 0;
  for (OpOperand &use : value.getUses()) {
    Operation *user = use.getOwner();
    last = std::max(last, 2 * position_.lookup(user) + 1);
    if (isa<ReshapeOp>(user))
      last = std::max(last, lastUse(user->getResult(0)));
  }
  return last;
}

const ShardingProblem::OpTable &ShardingProblem::tableOf(Operation *op, const StrategySet &set) {
  auto [it, isNew] = tables.try_emplace(&set);
  OpTable &table = it->second;
  if (!isNew)
    return table;
  auto numbers = [&](int64_t Strategy::*member) {
    std::vector<int64_t> values;
    for (const Strategy &strategy : set)
      values.push_back(strategy.*member);
    return values;
  };
  auto bytes = [&](int64_t Strategy::*member) {
    std::vector<int64_t> values = numbers(member);
    return llvm::any_of(values, [](int64_t value) { return value > 0; }) ? values : std::vector<int64_t>();
  };
  auto list = [&](auto shardingOf) {
    std::vector<ShardingId> ids;
    for (const Strategy &strategy : set)
      ids.push_back(shardingOf(strategy));
    return intern(std::move(ids));
  };
  table.costs = numbers(&Strategy::cost);
  table.weightBytes = bytes(&Strategy::weightBytes);
  table.gatheredBytes = bytes(&Strategy::gatheredBytes);
  table.scratchBytes = bytes(&Strategy::scratchBytes);
  for (unsigned i = 0; i < op->getNumOperands(); ++i)
    table.operands.push_back(list([&](const Strategy &strategy) { return strategy.operands[i]; }));
  for (unsigned i = 0; i < op->getNumResults(); ++i)
    table.results.push_back(list([&](const Strategy &strategy) { return strategy.results[i]; }));
  if (auto experts = dyn_cast<ExpertsOp>(op))
    for (const Strategy &strategy : set) {
      TokenRouting &routing = table.routing.emplace_back(TokenRouting{0, static_cast<int64_t>(experts.getK())});
      for (AxisId axis : costs_[strategy.operands[1]].dims.back().axes)
        routing.axes |= 1u << axis;
    }
  return table;
}

const std::vector<int64_t> &ShardingProblem::bytesOf(ShardingList list, RankedTensorType type) {
  auto [it, isNew] = bytesOf_.try_emplace({list, type.getAsOpaquePointer()});
  if (isNew)
    for (ShardingId id : *list)
      it->second.push_back(localBytes(costs_[id], type, costs_.mesh()));
  return it->second;
}

void ShardingProblem::addArgument(BlockArgument argument) {
  auto function = cast<func::FuncOp>(body.getParentOp());
  bool isPinned = bool(function.getArgAttr(argument.getArgNumber(), LlmparDialect::kOutShardings));
  ShardingList list = intern(isPinned ? std::vector{costs_.intern(shardingOf(argument, costs_.mesh()))} : strategies.ofArgument(argument));
  PlanNode plan{.name = "input " + std::to_string(argument.getArgNumber()), .costs = std::vector<int64_t>(list->size(), 0), .memory = {}};
  plan.memory.push_back({.lifetime = {0, lastUse(argument)}, .bytes = bytesOf(list, typeOf(argument))});
  nodeOf[argument] = static_cast<int>(nodes_.size());
  nodes_.push_back({.value = argument, .op = nullptr, .strategies = nullptr, .shardings = list});
  problem_.nodes.push_back(std::move(plan));
}

/// The shardings with the fewest bytes; all, if a whole value is not worth splitting.
std::vector<ShardingId> ShardingProblem::smallest(ArrayRef<ShardingId> ids, RankedTensorType type) {
  auto bytes = [&](ShardingId id) { return localBytes(costs_[id], type, costs_.mesh()); };
  std::vector<ShardingId> kept(ids.begin(), ids.end());
  if (kept.empty() || bytes(kept.front()) < smallestGatheredBytes)
    return kept;
  int64_t least = bytes(*llvm::min_element(kept, [&](ShardingId a, ShardingId b) { return bytes(a) < bytes(b); }));
  llvm::erase_if(kept, [&](ShardingId id) { return bytes(id) > least; });
  return kept;
}

/// What a state may rest as: what any user wants, but where the method says more. `zero` leaves a parameter to its other
/// users and splits what only the optimizer reads; `gathered` splits all, down to what it leaves whole everywhere.
ShardingProblem::ShardingList ShardingProblem::stateListOf(Value state) {
  if (state.getDefiningOp()->hasAttr(LlmparDialect::kOutShardings))
    return intern({costs_.intern(shardingOf(state, costs_.mesh()))});
  llvm::SmallSetVector<ShardingId, 16> stepped, used;
  for (OpOperand &use : state.getUses())
    if (Operation *user = use.getOwner(); isa<FactorOpInterface>(user)) {
      ShardingList wanted = tableOf(user, strategies.of(user)).operands[use.getOperandNumber()];
      (followsOptimizer(user) ? stepped : used).insert(wanted->begin(), wanted->end());
    }
  bool splits = method == Method::Gathered || (method == Method::Zero && used.empty());
  if (splits && !stepped.empty() &&
      localBytes(costs_[stepped.front()], typeOf(state), costs_.mesh()) >= smallestGatheredBytes)
    return intern(smallest(stepped.getArrayRef(), typeOf(state)));
  if (method != Method::Zero || used.empty())
    used.insert(stepped.begin(), stepped.end());
  return intern({used.begin(), used.end()});
}

void ShardingProblem::addState(LoadWeightOp load) {
  ShardingList list = stateListOf(load.getResult());
  PlanNode plan{.name = "state " + load.getWeight().str(), .costs = std::vector<int64_t>(list->size(), 0), .memory = {}};
  plan.memory.push_back({.lifetime = {0, steps()}, .bytes = bytesOf(list, typeOf(load.getResult()))});
  stateOf[load.getWeight()] = nodeOf[load.getResult()] = static_cast<int>(nodes_.size());
  nodes_.push_back({.value = load.getResult(), .op = nullptr, .strategies = nullptr, .shardings = list});
  problem_.nodes.push_back(std::move(plan));
}

void ShardingProblem::addEdge(int from, int to, ShardingList have, ShardingList want, RankedTensorType type,
                              const std::vector<TokenRouting> *routing, bool isOfTarget) {
  auto [it, isNew] = matrices.try_emplace({have, want, type.getAsOpaquePointer(), routing, isOfTarget}, static_cast<int>(problem_.matrices.size()));
  if (isNew) {
    CostMatrix matrix{.rows = static_cast<int>(have->size()), .columns = static_cast<int>(want->size()), .costs = {}};
    for (auto [row, a] : llvm::enumerate(*have))
      for (auto [column, b] : llvm::enumerate(*want))
        matrix.costs.push_back(costs_.between(a, b, type, routing ? (*routing)[isOfTarget ? column : row] : TokenRouting{}));
    problem_.matrices.push_back(std::move(matrix));
  }
  problem_.edges.push_back({from, to, it->second});
}

/// True if a value has a node of its own: users share what it costs to reshard it, and the caller takes it whole.
static bool isKept(OpResult value) {
  return !value.hasOneUse() || isa<func::ReturnOp>(*value.user_begin()) ||
         value.getOwner()->hasAttr(LlmparDialect::kOutShardings);
}

/// The uses by which the function returns a value.
static auto returnsOf(Value value) {
  return llvm::make_filter_range(value.getUses(), [](OpOperand &use) { return isa<func::ReturnOp>(use.getOwner()); });
}

/// True for a value of which every block has its own, as a cache: the function returns others of its type. The last
/// block runs beside all of them; set aside for the other blocks too, they leave equal blocks equal.
static bool isReturnedByBlocks(Value value) {
  return llvm::any_of(returnsOf(value), [&](OpOperand &use) {
    return llvm::count(use.getOwner()->getOperandTypes(), value.getType()) > 1;
  });
}

/// The symbol of the state whose next value this is; null if it is none. It takes the state's own place.
static FlatSymbolRefAttr nextOf(Value value) {
  for (OpOperand &use : returnsOf(value))
    if (auto symbol = cast<func::FuncOp>(use.getOwner()->getParentOp())
                          .getResultAttrOfType<FlatSymbolRefAttr>(use.getOperandNumber(), LlmparDialect::kNext))
      return symbol;
  return {};
}

/// A reshape's result is its operand's bytes, and a state's next value takes its place.
static bool hasBytes(OpResult value) { return !isa<ReshapeOp>(value.getOwner()) && !nextOf(value); }

void ShardingProblem::addOp(Operation &op, int64_t position) {
  const StrategySet &set = strategies.of(&op);
  const OpTable &table = tableOf(&op, set);
  int index = static_cast<int>(nodes_.size());
  nodes_.push_back({.value = {}, .op = &op, .strategies = &set, .shardings = nullptr});
  PlanNode plan{.name = op.getName().stripDialect().str(), .costs = table.costs, .memory = {}};
  Lifetime always{0, steps()}, now{2 * position, 2 * position + 1};
  plan.memory.reserve(4);
  for (auto [lifetime, bytes] : {std::pair(always, &table.weightBytes), std::pair(now, &table.gatheredBytes), std::pair(now, &table.scratchBytes)})
    if (!bytes->empty())
      plan.memory.push_back({.lifetime = lifetime, .bytes = *bytes});
  for (OpResult result : op.getResults())
    if (hasBytes(result)) {
      Lifetime lifetime = now;
      if (!isKept(result))
        lifetime.end = std::max(lifetime.end, lastUse(result));
      plan.memory.push_back({.lifetime = lifetime, .bytes = bytesOf(table.results[result.getResultNumber()], typeOf(result))});
    }
  problem_.nodes.push_back(std::move(plan));
  for (OpOperand &operand : op.getOpOperands()) {
    if (strategies.free().contains(operand.get()))
      continue;
    unsigned number = operand.getOperandNumber();
    int from = nodeOf.lookup(operand.get());
    const Node &producer = nodes_[from];
    const OpTable *had = producer.op ? &tables.at(producer.strategies) : nullptr;
    ShardingList have = had ? had->results[cast<OpResult>(operand.get()).getResultNumber()] : producer.shardings;
    bool takesTokens = number == 0 && !table.routing.empty();
    const std::vector<TokenRouting> *routing = takesTokens ? &table.routing : had && !had->routing.empty() ? &had->routing : nullptr;
    addEdge(from, index, have, table.operands[number], typeOf(operand.get()), routing, takesTokens);
  }
  for (OpResult result : op.getResults()) {
    nodeOf[result] = index;
    if (FlatSymbolRefAttr symbol = nextOf(result))
      if (auto state = stateOf.find(symbol.getValue()); state != stateOf.end())
        addEdge(index, state->second, table.results[result.getResultNumber()], nodes_[state->second].shardings, typeOf(result), nullptr, false);
    bool isOnlyNext = nextOf(result) && result.hasOneUse();
    if (isKept(result) && !isOnlyNext)
      addKept(result, index, table, position);
  }
}

/// What a kept value may be: as it comes but reduced, or as a user wants it.
ShardingProblem::ShardingList ShardingProblem::keptListOf(OpResult value, ShardingList natural) {
  if (value.getOwner()->hasAttr(LlmparDialect::kOutShardings))
    return intern({costs_.intern(shardingOf(value, costs_.mesh()))});
  if (method == Method::Gathered && isNarrowCopy(value.getOwner()))
    return intern(smallest(*natural, typeOf(value)));
  std::vector<ShardingList> key = {natural};
  for (OpOperand &use : value.getUses())
    if (Operation *user = use.getOwner(); isa<FactorOpInterface>(user))
      key.push_back(tableOf(user, strategies.of(user)).operands[use.getOperandNumber()]);
  auto [it, isNew] = keptLists.try_emplace(key, nullptr);
  if (isNew) {
    llvm::SmallSetVector<ShardingId, 16> candidates;
    for (ShardingId id : *natural) {
      Sharding reduced = costs_[id];
      reduced.partial.clear();
      candidates.insert(costs_.intern(reduced));
    }
    for (ShardingList wanted : llvm::drop_begin(key))
      candidates.insert(wanted->begin(), wanted->end());
    it->second = intern({candidates.begin(), candidates.end()});
  }
  return it->second;
}

void ShardingProblem::addKept(OpResult value, int opNode, const OpTable &producer, int64_t position) {
  ShardingList natural = producer.results[value.getResultNumber()], list = keptListOf(value, natural);
  PlanNode plan{.name = problem_.nodes[opNode].name + " result", .costs = std::vector<int64_t>(list->size(), 0), .memory = {}};
  Lifetime lifetime{2 * position + 1, std::max(2 * position + 2, lastUse(value))};
  if (isReturnedByBlocks(value))
    lifetime = {0, steps()};
  if (hasBytes(value))
    plan.memory.push_back({.lifetime = lifetime, .bytes = bytesOf(list, typeOf(value))});
  int index = static_cast<int>(nodes_.size());
  addEdge(opNode, index, natural, list, typeOf(value), producer.routing.empty() ? nullptr : &producer.routing, false);
  nodeOf[value] = index;
  nodes_.push_back({.value = value, .op = nullptr, .strategies = nullptr, .shardings = list});
  problem_.nodes.push_back(std::move(plan));
}

void ShardingProblem::apply(const Plan &plan) {
  const Mesh &mesh = costs_.mesh();
  for (auto [node, choice] : llvm::zip(nodes_, plan.choice)) {
    if (!node.op) {
      setSharding(node.value, costs_[(*node.shardings)[choice]], mesh);
      continue;
    }
    const Strategy &strategy = (*node.strategies)[choice];
    setFactorShardings(node.op, strategies.rules().of(node.op), strategy.factors, mesh);
    if (llvm::any_of(node.op->getResults(), isKept)) // behind it in `nodes_`; the others stay as they come
      for (auto [result, natural] : llvm::zip(node.op->getResults(), strategy.results))
        if (!isKept(result))
          setSharding(result, costs_[natural], mesh);
    std::vector<Sharding> rest = strategy.rest;
    for (OpOperand &operand : node.op->getOpOperands()) { // what is gathered of a state is gathered for this op alone
      Operation *copy = operand.get().getDefiningOp();
      int state = nodeOf.lookup(operand.get());
      bool isKeptCopy = copy && isNarrowCopy(copy) && nodes_[state].shardings;
      if (!strategies.free().isState(operand.get()) && !isKeptCopy)
        continue;
      ShardingId resting = (*nodes_[state].shardings)[plan.choice[state]];
      if (resting == strategy.operands[operand.getOperandNumber()])
        continue;
      if (rest.empty())
        for (ShardingId wanted : strategy.operands)
          rest.push_back(costs_[wanted]);
      rest[operand.getOperandNumber()] = costs_[resting];
    }
    if (!rest.empty())
      node.op->setAttr(LlmparDialect::kRestShardings, shardingsAttr(rest, mesh, node.op->getContext()));
  }
}

} // namespace llmpar
