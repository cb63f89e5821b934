//===- MessageBound.cpp - A bound and plans where memory is free -----------===//
#include "MessageBound.h"

#include "DualBound.h"
#include <cmath>

namespace llmpar {

constexpr int leastSweeps = 20, mostSweeps = 60, checkInterval = 5; // the first ones gain much and cost little
constexpr double nearEnough = 1e-4; // of the bound: what is left to gain in all, or was gained between two checks

double raiseMessageBound(const ReducedProblem &problem, const Extend &extend, Incumbent &incumbent) {
  if (problem.infeasible || problem.constant >= incumbent.cost())
    return kInfinity;
  Core core(problem);
  DualBound dual(core);
  int64_t best = kForbidden; // of the choices, whether they fit or not
  double bound = double(problem.constant), last = -kInfinity;
  for (int sweep = 1; sweep <= mostSweeps; ++sweep) {
    if (!core.nodes.empty())
      bound = double(problem.constant) + dual.sweep() - dual.tolerance();
    if (int64_t cost = core.cost(dual.suggestion()); cost < best) {
      best = cost;
      std::vector<int> strategies(problem.nodes.size(), 0);
      for (auto [node, strategy] : llvm::zip(core.nodes, dual.suggestion()))
        strategies[node.reduced] = strategy;
      incumbent.offer(extend(problem.expand(strategies)));
    }
    if (core.nodes.empty() || sweep % checkInterval == 0) {
      incumbent.raiseLowerBound(static_cast<int64_t>(std::ceil(std::max(0.0, bound))));
      if (incumbent.rulesOut(bound, 0))
        return kInfinity;
      double least = nearEnough * std::abs(bound);
      bool isEnough = (sweep >= leastSweeps || !incumbent.found()) && incumbent.shouldStop();
      if (core.nodes.empty() || isEnough || double(best) - bound < least || bound - last < least)
        return bound;
      last = bound;
    }
  }
  return bound;
}

} // namespace llmpar
