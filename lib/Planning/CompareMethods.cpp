//===- CompareMethods.cpp - A method beside the plan that was chosen --------===//
#include "llmpar/Planning/ExplainPlan.h"
#include "llmpar/Planning/NoPlanFits.h"
#include "llmpar/Planning/PlanDocument.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"

using namespace mlir;

namespace llmpar {
namespace {

struct OpCost {
  int64_t compute = 0, communication = 0;
};
using OpCosts = llvm::MapVector<Operation *, OpCost>;

/// A plan's costs by op; resharding counts where it leads, and that of a kept value at its producer.
OpCosts costsByOp(const ShardingProblem &problem, const Plan &plan) {
  OpCosts costs;
  for (auto [node, choice] : llvm::zip(problem.nodes(), plan.choice))
    if (node.op) {
      const Strategy &strategy = (*node.strategies)[choice];
      costs[node.op] = {strategy.cost - strategy.gatherCost, strategy.gatherCost};
    }
  for (const PlanEdge &edge : problem.problem().edges) {
    const ShardingProblem::Node &to = problem.nodes()[edge.to];
    costs[to.op ? to.op : to.value.getDefiningOp()].communication +=
        problem.problem().matrices[edge.matrix].at(plan.choice[edge.from], plan.choice[edge.to]);
  }
  return costs;
}

MethodCost costOf(const ShardingProblem &problem, const ShardingPlan &plan, const OpCosts &byOp, StringRef method) {
  MethodCost cost{.method = method.str(), .mesh = plan.chosen().mesh.str()};
  const Plan &chosen = plan.chosen().plan;
  cost.cost = chosen.cost;
  cost.lowerBound = plan.lowerBound;
  cost.peakBytes = chosen.peakBytes;
  for (auto &[op, its] : byOp) {
    cost.compute += its.compute;
    cost.communication += its.communication;
  }
  for (auto [node, choice] : llvm::zip(problem.nodes(), chosen.choice))
    if (node.op)
      cost.weightBytes += (*node.strategies)[choice].weightBytes;
  return cost;
}

} // namespace

llvm::Expected<MethodComparison> compareWithMethod(ModuleOp module, const PlanRequest &request, FoundPlan &found, Method method) {
  PlanRequest other = request;
  other.method = method;
  other.inspect = nullptr;
  if (method == Method::Single)
    other.mesh = Mesh{};
  llvm::Expected<FoundPlan> rival = findShardings(module, other);
  if (!rival)
    return rival.takeError();
  OpCosts chosen = costsByOp(*found.problem, found.plan.chosen().plan);
  MethodComparison result{.chosen = costOf(*found.problem, found.plan, chosen, nameOf(request.method)), .other = {}, .why = "", .contributions = {}};
  if (!rival->problem) {
    result.why = llvm::toString(whyNoPlanFits(module, other, rival->plan));
    return result;
  }
  OpCosts costs = costsByOp(*rival->problem, rival->plan.chosen().plan);
  result.other = costOf(*rival->problem, rival->plan, costs, nameOf(method));
  std::map<std::pair<std::string, std::string>, MethodComparison::Contribution> groups;
  for (auto &[op, its] : costs) {
    std::string kind = op->getName().stripDialect().str(), nodes = namePattern(nodeNameOf(op));
    MethodComparison::Contribution &group = groups[{kind, nodes}];
    group.op = kind;
    group.nodes = nodes;
    group.count += 1;
    group.computeRise += its.compute - chosen[op].compute;
    group.communicationRise += its.communication - chosen[op].communication;
  }
  for (auto &[key, group] : groups)
    if (group.computeRise != 0 || group.communicationRise != 0)
      result.contributions.push_back(std::move(group));
  auto size = [](const MethodComparison::Contribution &c) { return std::max(std::abs(c.computeRise), std::abs(c.communicationRise)); };
  llvm::sort(result.contributions, [&](const auto &a, const auto &b) {
    return std::tuple(-size(a), a.op, a.nodes) < std::tuple(-size(b), b.op, b.nodes);
  });
  return result;
}

} // namespace llmpar
