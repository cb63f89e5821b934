//===- Enumerate.cpp - The specification of solve ----------------------------===//
#include "llmpar/Planner/Algorithms.h"

#include "llvm/ADT/STLExtras.h"

namespace llmpar {
namespace {

class Enumeration {
public:
  explicit Enumeration(const PlanProblem &problem)
      : problem(problem), edgesOfLater(problem.nodes.size()), choice(problem.nodes.size()) {
    for (const PlanEdge &edge : problem.edges)
      edgesOfLater[std::max(edge.from, edge.to)].push_back(&edge);
    for (const PlanNode &node : problem.nodes)
      for (const MemoryUse &use : node.memory)
        steps.push_back(use.lifetime.begin); // live bytes grow only where a use begins
    llvm::sort(steps);
    steps.erase(llvm::unique(steps), steps.end());
    best.cost = kForbidden;
  }

  Plan run() {
    visit(0, 0);
    best.lowerBound = best.cost;
    if (!best.feasible())
      best.cost = 0;
    return best;
  }

private:
  const PlanProblem &problem;
  std::vector<std::vector<const PlanEdge *>> edgesOfLater; // by the later one of their nodes
  std::vector<int64_t> steps;
  std::vector<int> choice;
  Plan best;

  /// `cost`: of the choices made for the nodes before `node`. Costs are not negative: what is too dear stays so.
  void visit(size_t node, int64_t cost) {
    if (cost >= best.cost)
      return;
    if (node == problem.nodes.size()) {
      int64_t peak = peakBytes();
      if (peak <= problem.memoryLimit.value_or(peak))
        best = {.choice = choice, .cost = cost, .lowerBound = 0, .peakBytes = peak};
      return;
    }
    for (size_t strategy = 0; strategy < problem.nodes[node].costs.size(); ++strategy) {
      choice[node] = static_cast<int>(strategy);
      int64_t sum = addCost(cost, problem.nodes[node].costs[strategy]);
      for (const PlanEdge *edge : edgesOfLater[node])
        sum = addCost(sum, problem.matrices[edge->matrix].at(choice[edge->from], choice[edge->to]));
      visit(node + 1, sum);
    }
  }

  int64_t peakBytes() const {
    int64_t peak = 0;
    for (int64_t step : steps) {
      int64_t live = 0;
      for (auto [index, node] : llvm::enumerate(problem.nodes))
        for (const MemoryUse &use : node.memory)
          if (use.lifetime.begin <= step && step < use.lifetime.end)
            live += use.bytes[choice[index]];
      peak = std::max(peak, live);
    }
    return peak;
  }
};

} // namespace

Plan solveByEnumeration(const PlanProblem &problem) { return Enumeration(problem).run(); }

} // namespace llmpar
