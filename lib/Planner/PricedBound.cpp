//===- PricedBound.cpp - Bounds by prices alone ----------------------------===//
#include "PricedBound.h"

#include "DualBound.h"
#include "Presolve.h"
#include "PriceSteps.h"

namespace llmpar {
namespace {

constexpr double largestTotal = double(int64_t(1) << 52); // whole numbers are exact up to there
constexpr int largestShift = 12;                          // costs are multiplied by up to 2^12, so that prices round little
constexpr int sweeps = 60;
constexpr double leastGain = 1e-3; // over the known bound, to go on

/// Most that a choice without a forbidden pair can cost.
double largestCost(const ReducedProblem &problem) {
  double total = 0;
  auto add = [&](llvm::ArrayRef<int64_t> costs) {
    int64_t most = 0;
    for (int64_t cost : costs)
      most = std::max(most, cost < kForbidden ? cost : 0);
    total += double(most);
  };
  for (const ReducedNode &node : problem.nodes)
    add(node.costs);
  for (const ReducedEdge &edge : problem.edges)
    add(edge.costs);
  return total;
}

struct Priced {
  double bound;
  std::vector<int> choice;
};

Priced solvePriced(const ReducedProblem &problem, llvm::ArrayRef<double> prices, double scale) {
  ReducedProblem priced = problem;
  std::vector<double> before(prices.size() + 1, 0);
  double priceOfCapacity = 0;
  for (size_t i = 0; i < prices.size(); ++i) {
    before[i + 1] = before[i] + prices[i];
    priceOfCapacity += prices[i] * double(problem.capacity[i]);
  }
  auto scaled = [&](int64_t cost) { return cost >= kForbidden ? kForbidden : static_cast<int64_t>(double(cost) * scale); };
  for (ReducedNode &node : priced.nodes) {
    for (size_t i = 0; i < node.size(); ++i) {
      double memory = 0;
      for (const PointUse &use : node.uses)
        memory += (before[use.end] - before[use.begin]) * double(use.bytes[i]);
      // Rounded down, and not so much that sums overflow: still a bound.
      node.costs[i] = addCost(scaled(node.costs[i]), static_cast<int64_t>(std::min(memory * scale, largestTotal / double(problem.nodes.size()))));
    }
    node.uses.clear();
  }
  for (ReducedEdge &edge : priced.edges)
    for (int64_t &cost : edge.costs)
      cost = scaled(cost);
  priced.capacity.clear();
  priced.points.clear();
  priced.constant = 0;
  presolve(priced);
  if (priced.infeasible)
    return {.bound = kInfinity, .choice = {}};
  Core core(priced);
  DualBound dual(core);
  double rest = 0, last = -kInfinity;
  for (int i = 0; i < sweeps && !core.nodes.empty() && rest - last > 1e-7 * std::abs(rest); ++i) {
    last = rest;
    rest = dual.sweep();
  }
  std::vector<int> strategies(priced.nodes.size(), 0);
  for (auto [node, strategy] : llvm::zip(core.nodes, dual.suggestion()))
    strategies[node.reduced] = strategy;
  double total = (double(priced.constant) + rest - dual.tolerance()) / scale - priceOfCapacity;
  return {.bound = double(problem.constant) + total - 1e-12 * (priceOfCapacity + std::abs(total)), .choice = priced.expand(strategies)};
}

} // namespace

double raisePricedBound(const ReducedProblem &problem, std::vector<double> prices, const Extend &extend, Incumbent &incumbent, int steps,
                        double known) {
  double scale = double(int64_t(1) << largestShift), most = largestCost(problem);
  while (scale > 1 && most * scale * 16 > largestTotal) // prices may outweigh costs
    scale /= 2;
  if (most * 16 > largestTotal)
    return -kInfinity;
  Core whole(problem); // for the use of memory; its nodes are in another order
  std::vector<int> reordered(whole.nodes.size());
  PriceSteps ascent(std::move(prices));
  for (int i = 0; i < steps && !ascent.done() && !incumbent.shouldStop(); ++i) {
    Priced priced = solvePriced(problem, ascent.prices(), scale);
    ascent.note(priced.bound);
    if (priced.choice.empty())
      return kInfinity;
    for (auto [node, place] : llvm::zip(whole.nodes, reordered))
      place = priced.choice[node.reduced];
    incumbent.offer(extend(priced.choice));
    if (incumbent.rulesOut(ascent.best(), 0))
      return kInfinity;
    if (i == 0 && priced.bound < known + leastGain * std::abs(known))
      break;
    double limit = incumbent.found() ? double(incumbent.cost()) : kInfinity;
    ascent.step(whole.usage(reordered), problem.capacity, limit);
  }
  return ascent.best();
}

} // namespace llmpar
