//===- Facts.cpp - Components, elimination width ----------------------------===//
#include "Facts.h"

#include "llvm/ADT/IntEqClasses.h"
#include "llvm/ADT/STLExtras.h"
#include <set>

namespace llmpar::tool {

static int eliminationWidth(std::vector<std::set<int>> neighbours) {
  std::set<std::pair<size_t, int>> byDegree;
  for (auto [node, others] : llvm::enumerate(neighbours))
    byDegree.insert({others.size(), static_cast<int>(node)});
  size_t width = 0;
  while (!byDegree.empty() && width <= GraphFacts::widthLimit) {
    auto [degree, node] = *byDegree.begin();
    byDegree.erase(byDegree.begin());
    width = std::max(width, degree);
    for (int other : neighbours[node]) {
      byDegree.erase({neighbours[other].size(), other});
      neighbours[other].insert(neighbours[node].begin(), neighbours[node].end());
      neighbours[other].erase(other);
      neighbours[other].erase(node);
      byDegree.insert({neighbours[other].size(), other});
    }
  }
  return static_cast<int>(width);
}

GraphFacts graphFacts(const PlanProblem &problem) {
  GraphFacts facts;
  std::vector<std::set<int>> neighbours(problem.nodes.size());
  llvm::IntEqClasses classes(static_cast<unsigned>(problem.nodes.size()));
  for (const PlanEdge &edge : problem.edges) {
    facts.parallelEdges += !neighbours[edge.from].insert(edge.to).second;
    neighbours[edge.to].insert(edge.from);
    classes.join(edge.from, edge.to);
  }
  classes.compress();
  facts.components = static_cast<int>(classes.getNumClasses());
  std::vector<int> sizes(facts.components, 0);
  for (size_t i = 0; i < problem.nodes.size(); ++i)
    facts.largestComponent = std::max(facts.largestComponent, ++sizes[classes[static_cast<unsigned>(i)]]);
  facts.width = eliminationWidth(std::move(neighbours));
  return facts;
}

int64_t combinations(const PlanProblem &problem) {
  int64_t product = 1;
  for (const PlanNode &node : problem.nodes) {
    int64_t count = static_cast<int64_t>(node.costs.size());
    product = product > kForbidden / count ? kForbidden : product * count;
  }
  return product;
}

} // namespace llmpar::tool
