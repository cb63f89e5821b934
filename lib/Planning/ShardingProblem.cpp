//===- ShardingProblem.cpp - A graph as a PlanProblem, and back -------------===//
#include "llmpar/Planning/ShardingProblem.h"

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

/// By strategy, of one operand or result.
static std::vector<ShardingId> operandIds(const StrategySet &set, unsigned index) {
  std::vector<ShardingId> ids;
  for (const Strategy &strategy : set)
    ids.push_back(strategy.operands[index]);
  return ids;
}
static std::vector<ShardingId> resultIds(const StrategySet &set, unsigned index) {
  std::vector<ShardingId> ids;
  for (const Strategy &strategy : set)
    ids.push_back(strategy.results[index]);
  return ids;
}

ShardingProblem::ShardingProblem(Block &body, Method method, const Mesh &mesh, const Cluster &cluster, bool splitAtRest,
                                 std::shared_ptr<GraphFacts> facts)
    : body(body), costs_(mesh, cluster),
      strategies(facts ? std::move(facts) : std::make_shared<GraphFacts>(body), method, costs_, splitAtRest) {
  int64_t smallest = INT64_MAX;
  for (const DeviceGroup &group : cluster.devices)
    smallest = std::min(smallest, group.device.memoryBytes);
  problem_.memoryLimit = smallest;
  for (auto [position, op] : llvm::enumerate(body))
    position_[&op] = static_cast<int64_t>(position);
  for (BlockArgument argument : body.getArguments())
    addArgument(argument);
  for (Operation &op : body)
    if (isa<FactorOpInterface>(&op) && !llvm::all_of(op.getResults(), [&](Value v) { return strategies.free().contains(v); }))
      addOp(op, position_[&op]);
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

void ShardingProblem::addArgument(BlockArgument argument) {
  Node node{.value = argument, .op = nullptr, .strategies = nullptr, .shardings = {}};
  auto function = cast<func::FuncOp>(body.getParentOp());
  if (function.getArgAttr(argument.getArgNumber(), LlmparDialect::kOutShardings)) // a pin
    node.shardings = {costs_.intern(shardingOf(argument, costs_.mesh()))};
  else
    node.shardings = strategies.ofArgument(argument);
  PlanNode plan{.name = "input " + std::to_string(argument.getArgNumber()), .costs = {}, .memory = {}};
  MemoryUse use{.lifetime = {0, lastUse(argument)}, .bytes = {}};
  for (ShardingId id : node.shardings) {
    plan.costs.push_back(0);
    use.bytes.push_back(localBytes(costs_[id], typeOf(argument), costs_.mesh()));
  }
  plan.memory.push_back(std::move(use));
  nodeOf[argument] = static_cast<int>(nodes_.size());
  nodes_.push_back(std::move(node));
  problem_.nodes.push_back(std::move(plan));
}

void ShardingProblem::addEdge(int from, int to, const std::vector<ShardingId> &have, const std::vector<ShardingId> &want,
                              RankedTensorType type, const EdgeRouting &routing) {
  auto [it, isNew] = matrices.try_emplace({have, want, type.getAsOpaquePointer(), routing}, static_cast<int>(problem_.matrices.size()));
  if (isNew) {
    CostMatrix matrix{.rows = static_cast<int>(have.size()), .columns = static_cast<int>(want.size()), .costs = {}};
    for (auto [row, a] : llvm::enumerate(have))
      for (auto [column, b] : llvm::enumerate(want)) {
        TokenRouting tokens = !routing.from.empty() ? routing.from[row] : !routing.to.empty() ? routing.to[column] : TokenRouting{};
        matrix.costs.push_back(costs_.between(a, b, type, tokens));
      }
    problem_.matrices.push_back(std::move(matrix));
  }
  problem_.edges.push_back({from, to, it->second});
}

/// Of the tokens that an op of experts takes and gives, by strategy; empty for any other op.
std::vector<TokenRouting> ShardingProblem::routingOf(Operation *op, const StrategySet &set) const {
  std::vector<TokenRouting> routings;
  auto experts = dyn_cast_or_null<ExpertsOp>(op);
  if (!experts)
    return routings;
  for (const Strategy &strategy : set) {
    TokenRouting &routing = routings.emplace_back(TokenRouting{0, static_cast<int64_t>(experts.getK())});
    for (AxisId axis : costs_[strategy.operands[1]].dims.back().axes)
      routing.axes |= 1u << axis;
  }
  return routings;
}

/// True if a value has a node of its own: users share what it costs to reshard it, and the caller takes it whole.
static bool isKept(OpResult value) {
  return !value.hasOneUse() || isa<func::ReturnOp>(*value.user_begin()) ||
         value.getOwner()->hasAttr(LlmparDialect::kOutShardings);
}

void ShardingProblem::addOp(Operation &op, int64_t position) {
  const StrategySet &set = strategies.of(&op);
  int index = static_cast<int>(nodes_.size());
  nodes_.push_back({.value = {}, .op = &op, .strategies = &set, .shardings = {}});
  PlanNode plan{.name = op.getName().stripDialect().str(), .costs = {}, .memory = {}};
  MemoryUse weights{.lifetime = {0, steps()}, .bytes = {}};
  MemoryUse gathered{.lifetime = {2 * position, 2 * position + 1}, .bytes = {}};
  MemoryUse scratch = gathered, results = gathered;
  for (Value result : op.getResults())
    if (!isKept(cast<OpResult>(result)))
      results.lifetime.end = std::max(results.lifetime.end, lastUse(result));
  for (const Strategy &strategy : set) {
    plan.costs.push_back(strategy.cost);
    weights.bytes.push_back(strategy.weightBytes);
    gathered.bytes.push_back(strategy.gatheredBytes);
    scratch.bytes.push_back(strategy.scratchBytes);
    results.bytes.push_back(strategy.resultBytes);
  }
  for (MemoryUse *use : {&weights, &gathered, &scratch, &results})
    if (llvm::any_of(use->bytes, [](int64_t bytes) { return bytes > 0; }))
      plan.memory.push_back(std::move(*use));
  problem_.nodes.push_back(std::move(plan));
  for (OpOperand &operand : op.getOpOperands()) {
    if (strategies.free().contains(operand.get()))
      continue;
    int from = nodeOf.lookup(operand.get());
    const Node &producer = nodes_[from];
    std::vector<ShardingId> have = producer.op ? resultIds(*producer.strategies, cast<OpResult>(operand.get()).getResultNumber())
                                               : producer.shardings;
    EdgeRouting routing;
    if (operand.getOperandNumber() == 0)
      routing.to = routingOf(&op, set);
    if (routing.to.empty() && producer.op)
      routing.from = routingOf(producer.op, *producer.strategies);
    addEdge(from, index, have, operandIds(set, operand.getOperandNumber()), typeOf(operand.get()), routing);
  }
  for (OpResult result : op.getResults()) {
    nodeOf[result] = index;
    if (isKept(result))
      addKept(result, index, position);
  }
}

void ShardingProblem::addKept(OpResult value, int opNode, int64_t position) {
  const StrategySet &producer = *nodes_[opNode].strategies;
  std::vector<ShardingId> natural = resultIds(producer, value.getResultNumber());
  llvm::SmallSetVector<ShardingId, 16> candidates;
  if (value.getOwner()->hasAttr(LlmparDialect::kOutShardings)) {
    candidates.insert(costs_.intern(shardingOf(value, costs_.mesh())));
  } else {
    for (ShardingId id : natural) {
      Sharding reduced = costs_[id];
      reduced.partial.clear();
      candidates.insert(costs_.intern(reduced));
    }
    for (OpOperand &use : value.getUses())
      if (isa<FactorOpInterface>(use.getOwner()))
        for (const Strategy &strategy : strategies.of(use.getOwner()))
          candidates.insert(strategy.operands[use.getOperandNumber()]);
  }
  Node node{.value = value, .op = nullptr, .strategies = nullptr, .shardings = {candidates.begin(), candidates.end()}};
  PlanNode plan{.name = problem_.nodes[opNode].name + " result", .costs = {}, .memory = {}};
  MemoryUse use{.lifetime = {2 * position + 1, std::max(2 * position + 2, lastUse(value))}, .bytes = {}};
  bool isAlias = isa<ReshapeOp>(value.getOwner());
  for (ShardingId id : node.shardings) {
    plan.costs.push_back(0);
    use.bytes.push_back(isAlias ? 0 : localBytes(costs_[id], typeOf(value), costs_.mesh()));
  }
  plan.memory.push_back(std::move(use));
  int index = static_cast<int>(nodes_.size());
  addEdge(opNode, index, natural, node.shardings, typeOf(value), {routingOf(value.getOwner(), producer), {}});
  nodeOf[value] = index;
  nodes_.push_back(std::move(node));
  problem_.nodes.push_back(std::move(plan));
}

void ShardingProblem::apply(const Plan &plan) {
  const Mesh &mesh = costs_.mesh();
  for (auto [node, choice] : llvm::zip(nodes_, plan.choice)) {
    if (!node.op) {
      setSharding(node.value, costs_[node.shardings[choice]], mesh);
      continue;
    }
    const Strategy &strategy = (*node.strategies)[choice];
    setFactorShardings(node.op, strategies.rules().of(node.op), strategy.factors, mesh);
    if (!strategy.rest.empty())
      node.op->setAttr(LlmparDialect::kRestShardings, shardingsAttr(strategy.rest, mesh, node.op->getContext()));
  }
}

} // namespace llmpar
