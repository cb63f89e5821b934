//===- WarmStart.cpp - A dual solution to start from -----------------------===//
#include "WarmStart.h"

#include "llvm/ADT/STLExtras.h"

namespace llmpar {

WarmStart::WarmStart(const ReducedProblem &base) : pointCount(base.capacity.size()) {
  for (const ReducedEdge &edge : base.edges) {
    if (edge.gone)
      continue;
    auto [low, high] = std::minmax(edge.from, edge.to);
    place[{low, high}] = {messageCount, messageCount + base.nodes[low].size()};
    messageCount += base.nodes[low].size() + base.nodes[high].size();
  }
}

DualSolution WarmStart::none() const {
  return {.prices = std::vector<double>(pointCount, 0), .messages = std::vector<float>(messageCount, 0)};
}

std::vector<double> WarmStart::pricesFor(const ReducedProblem &sub, const DualSolution &solution) const {
  std::vector<double> prices;
  for (int point : sub.points)
    prices.push_back(solution.prices[point]);
  return prices;
}

template <typename Visit> void WarmStart::forEachEnd(const ReducedProblem &sub, const Core &core, Visit visit) const {
  for (size_t index = 0; index < core.edges.size(); ++index) {
    const CoreEdge &edge = core.edges[index];
    int from = core.nodes[edge.from].reduced, to = core.nodes[edge.to].reduced;
    auto found = place.find(std::minmax({from, to}));
    if (found == place.end())
      continue;
    auto [low, high] = found->second;
    visit(static_cast<int>(index), edge.from, from < to ? low : high, *sub.nodes[from].labels);
    visit(static_cast<int>(index), edge.to, from < to ? high : low, *sub.nodes[to].labels);
  }
}

void WarmStart::loadMessages(const ReducedProblem &sub, const Core &core, const DualSolution &solution, DualBound &dual) const {
  forEachEnd(sub, core, [&](int edge, int node, size_t begin, llvm::ArrayRef<int64_t> labels) {
    for (auto [message, label] : llvm::zip(dual.messagesTo(edge, node), labels))
      message = solution.messages[begin + label];
  });
  dual.settle();
}

DualSolution WarmStart::save(const ReducedProblem &sub, const Core &core, const DualBound &dual) const {
  DualSolution solution = none();
  for (auto [point, price] : llvm::zip(sub.points, dual.prices()))
    solution.prices[point] = price;
  forEachEnd(sub, core, [&](int edge, int node, size_t begin, llvm::ArrayRef<int64_t> labels) {
    for (auto [message, label] : llvm::zip(dual.messagesTo(edge, node), labels))
      solution.messages[begin + label] = static_cast<float>(message);
  });
  return solution;
}

} // namespace llmpar
