//===- RandomProblem.h - Problems of every shape, for tests ----*- C++ -*-===//
#ifndef LLMPAR_TEST_UNIT_RANDOMPROBLEM_H
#define LLMPAR_TEST_UNIT_RANDOMPROBLEM_H

#include "llmpar/Planner/PlanProblem.h"
#include <random>

namespace llmpar {

/// Draws problems of at most `maxNodes` nodes and `maxStrategies` strategies: chains, chains of repeated blocks,
/// cycles, stars and random graphs; edges in both directions, parallel ones, shared matrices; no, few or many forbidden
/// entries; no, one or several memory uses, empty and overlapping ones; no limit, a slack, a tight or an impossible
/// one.
class RandomProblem {
public:
  explicit RandomProblem(unsigned seed, int maxNodes = 8, int maxStrategies = 4)
      : random(seed), maxNodes(maxNodes), maxStrategies(maxStrategies) {}

  PlanProblem draw() {
    problem = {};
    costRange = pick({3, 20, 1'000'000'000}); // few values make ties
    forbiddenPercent = pick({0, 0, 10, 40});
    int memoryUses = pick({0, 1, 1, 3});
    Shape shape = static_cast<Shape>(below(5));
    int count = 1 + below(maxNodes), period = shape == Shape::Blocks ? 1 + below(3) : count;
    for (int i = 0; i < count; ++i)
      problem.nodes.push_back(i < period ? node() : problem.nodes[i % period]);
    for (int i = 0; i < count; ++i)
      addMemory(problem.nodes[i], memoryUses, i);
    connect(shape, period);
    setLimit();
    return std::move(problem);
  }

private:
  enum class Shape { Chain, Blocks, Cycle, Star, Graph };

  std::mt19937 random;
  int maxNodes, maxStrategies;
  PlanProblem problem;
  int costRange = 1, forbiddenPercent = 0;

  int below(int count) { return static_cast<int>(random() % static_cast<unsigned>(count)); }
  int pick(std::initializer_list<int> values) { return values.begin()[below(static_cast<int>(values.size()))]; }
  int64_t cost() { return below(100) < forbiddenPercent ? kForbidden : below(4) == 0 ? 0 : below(costRange); }

  PlanNode node() {
    PlanNode node;
    for (int i = 1 + below(maxStrategies); i > 0; --i)
      node.costs.push_back(below(3) == 0 ? cost() : below(costRange));
    return node;
  }

  void addMemory(PlanNode &node, int uses, int step) {
    node.memory.clear();
    for (int i = 0; i < uses; ++i) {
      int64_t begin = step + below(4) - 1;
      node.memory.push_back({.lifetime = {begin, begin + below(5)}, .bytes = {}});
      for (size_t strategy = 0; strategy < node.costs.size(); ++strategy)
        node.memory.back().bytes.push_back(below(10));
    }
  }

  void connect(Shape shape, int period) {
    int count = static_cast<int>(problem.nodes.size());
    for (int i = 1; i < count; ++i) {
      if (shape == Shape::Chain || shape == Shape::Cycle)
        addEdge(i - 1, i);
      if (shape == Shape::Star)
        addEdge(0, i);
      if (shape == Shape::Blocks && i <= period)
        addEdge(i - 1, i);
      if (shape == Shape::Blocks && i > period) { // as in the block before
        PlanEdge edge = problem.edges[i - 1 - period];
        problem.edges.push_back({edge.from + period, edge.to + period, edge.matrix});
      }
    }
    if (shape == Shape::Cycle && count > 2)
      addEdge(count - 1, 0);
    int extra = shape == Shape::Graph ? below(2 * count + 1) : below(3);
    for (int i = 0; i < extra && count > 1; ++i) {
      int from = below(count), to = (from + 1 + below(count - 1)) % count;
      addEdge(from, to);
    }
  }

  void addEdge(int from, int to) {
    if (below(3) == 0)
      std::swap(from, to);
    CostMatrix matrix{.rows = static_cast<int>(problem.nodes[from].costs.size()),
                      .columns = static_cast<int>(problem.nodes[to].costs.size()),
                      .costs = {}};
    for (int i = 0; i < matrix.rows * matrix.columns; ++i)
      matrix.costs.push_back(cost());
    problem.edges.push_back({from, to, static_cast<int>(problem.matrices.size())});
    problem.matrices.push_back(std::move(matrix));
  }

  /// Peaks of random plans lie where limits bind.
  void setLimit() {
    std::vector<int> choice;
    for (const PlanNode &node : problem.nodes)
      choice.push_back(below(static_cast<int>(node.costs.size())));
    int64_t peak = 0;
    for (int64_t step = -1; step < int64_t(problem.nodes.size()) + 6; ++step) {
      int64_t live = 0;
      for (size_t i = 0; i < choice.size(); ++i)
        for (const MemoryUse &use : problem.nodes[i].memory)
          live += use.lifetime.begin <= step && step < use.lifetime.end ? use.bytes[choice[i]] : 0;
      peak = std::max(peak, live);
    }
    switch (below(5)) {
    case 0:
      return; // no limit
    case 1:
      problem.memoryLimit = 2 * peak + 1;
      return;
    case 2:
      problem.memoryLimit = peak / 2;
      return;
    default:
      problem.memoryLimit = std::max<int64_t>(0, peak - below(3));
    }
  }
};

} // namespace llmpar

#endif // LLMPAR_TEST_UNIT_RANDOMPROBLEM_H
