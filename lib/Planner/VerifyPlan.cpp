//===- VerifyPlan.cpp - Is this plan what it says? --------------------------===//
#include "llmpar/Planner/Algorithms.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/FormatVariadic.h"

namespace llmpar {
static llvm::Error fail(const std::string &message) { return llvm::createStringError(message); }

llvm::Error verifyPlan(const PlanProblem &problem, const Plan &plan) {
  if (plan.choice.size() != problem.nodes.size())
    return fail(llvm::formatv("the plan has {0} choices for {1} nodes", plan.choice.size(), problem.nodes.size()));
  int64_t cost = 0, live = 0, peak = 0;
  std::vector<std::pair<int64_t, int64_t>> changes; // step, bytes; at one step, what ends sorts before what begins
  for (auto [index, node] : llvm::enumerate(problem.nodes)) {
    int choice = plan.choice[index];
    if (choice < 0 || size_t(choice) >= node.costs.size())
      return fail(
          llvm::formatv("{0} has strategy {1} of {2}", describeNode(problem, index), choice, node.costs.size()));
    if (node.costs[choice] >= kForbidden)
      return fail(llvm::formatv("{0} has strategy {1}, which is forbidden", describeNode(problem, index), choice));
    cost = addCost(cost, node.costs[choice]);
    for (const MemoryUse &use : node.memory)
      if (use.lifetime.begin < use.lifetime.end) {
        changes.push_back({use.lifetime.begin, use.bytes[choice]});
        changes.push_back({use.lifetime.end, -use.bytes[choice]});
      }
  }
  for (const PlanEdge &edge : problem.edges) {
    int64_t change = problem.matrices[edge.matrix].at(plan.choice[edge.from], plan.choice[edge.to]);
    if (change >= kForbidden)
      return fail(llvm::formatv("strategies {0} of {1} and {2} of {3} are forbidden together", plan.choice[edge.from],
                                describeNode(problem, edge.from), plan.choice[edge.to],
                                describeNode(problem, edge.to)));
    cost = addCost(cost, change);
  }
  llvm::sort(changes);
  for (auto [step, bytes] : changes)
    peak = std::max(peak, live += bytes);
  if (cost != plan.cost || cost >= kForbidden)
    return fail(llvm::formatv("the plan costs {0}, not {1}", cost, plan.cost));
  if (plan.lowerBound < 0 || plan.lowerBound > cost)
    return fail(llvm::formatv("the lower bound {0} is above the cost {1}", plan.lowerBound, cost));
  if (peak != plan.peakBytes)
    return fail(llvm::formatv("at most {0} bytes live at one step, not {1}", peak, plan.peakBytes));
  if (problem.memoryLimit && peak > *problem.memoryLimit)
    return fail(llvm::formatv("{0} bytes live at one step: the limit is {1}", peak, *problem.memoryLimit));
  return llvm::Error::success();
}

} // namespace llmpar
