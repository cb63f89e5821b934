//===- MinCutTest.cpp - Against every set of nodes ---------------------------===//
#include "MinCut.h"

#include "gtest/gtest.h"
#include <algorithm>
#include <random>

namespace llmpar {
namespace {

/// A random graph whose edges go from lower to higher nodes.
struct Graph {
  std::vector<int64_t> weights;
  std::vector<std::pair<int, int>> edges;
  std::vector<int> sources, sinks;

  int size() const { return static_cast<int>(weights.size()); }

  std::vector<int> cut() const {
    NodeCut problem(size());
    for (int node = 0; node < size(); ++node)
      problem.setWeight(node, weights[node]);
    for (auto [from, to] : edges)
      problem.addEdge(from, to);
    for (int node : sources)
      problem.connectSource(node);
    for (int node : sinks)
      problem.connectSink(node);
    return problem.solve();
  }

  bool parts(unsigned removed) const {
    unsigned reached = 0;
    for (int node : sources)
      reached |= (1u << node) & ~removed;
    for (int node = 0; node < size(); ++node)
      for (auto [from, to] : edges)
        if (from == node && (reached >> from & 1))
          reached |= (1u << to) & ~removed;
    return std::none_of(sinks.begin(), sinks.end(), [&](int node) { return reached >> node & 1; });
  }

  int64_t weightOf(unsigned set) const {
    int64_t total = 0;
    for (int node = 0; node < size(); ++node)
      total += set >> node & 1 ? weights[node] : 0;
    return total;
  }
};

TEST(MinCutTest, EqualsEnumeration) {
  std::mt19937 random(7);
  auto below = [&](int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); };
  for (int trial = 0; trial < 300; ++trial) {
    Graph graph;
    for (int node = 0, count = 2 + below(8); node < count; ++node)
      graph.weights.push_back(below(6));
    for (int to = 0; to < graph.size(); ++to) {
      for (int from = 0; from < to; ++from)
        if (below(3) == 0)
          graph.edges.push_back({from, to});
      if (below(3) == 0)
        graph.sources.push_back(to);
      if (below(3) == 0)
        graph.sinks.push_back(to);
    }
    unsigned found = 0;
    for (int node : graph.cut())
      found |= 1u << node;
    int64_t least = INT64_MAX;
    for (unsigned set = 0; set < 1u << graph.size(); ++set)
      if (graph.parts(set))
        least = std::min(least, graph.weightOf(set));
    EXPECT_TRUE(graph.parts(found)) << "trial " << trial;
    EXPECT_EQ(graph.weightOf(found), least) << "trial " << trial;
  }
}

TEST(MinCutTest, OfEqualCutsTakesTheOneNextToTheSink) {
  Graph graph{.weights = {4, 4, 4}, .edges = {{0, 1}, {1, 2}}, .sources = {0}, .sinks = {2}};
  EXPECT_EQ(graph.cut(), std::vector<int>{2});
}

} // namespace
} // namespace llmpar
