//===- Presolve.cpp - Shrink a plan problem ---------------------------------===//
#include "Presolve.h"

#include "llvm/ADT/STLExtras.h"
#include <deque>
#include <numeric>

namespace llmpar {
namespace {

/// An edge that replaces a bypassed node has at most so many costs.
constexpr size_t maxBypassCosts = 1 << 14;

class Presolver {
public:
  explicit Presolver(ReducedProblem &problem) : problem(problem), queued(problem.nodes.size(), false) {}

  void run() {
    for (size_t node = 0; node < problem.nodes.size(); ++node)
      enqueue(static_cast<int>(node));
    do {
      while (!queue.empty() && !problem.infeasible) {
        int node = queue.front();
        queue.pop_front();
        queued[node] = false;
        visit(node);
      }
      for (int node : problem.tightenMemory())
        enqueueNeighbors(node), enqueue(node);
    } while (!queue.empty() && !problem.infeasible);
  }

private:
  ReducedProblem &problem;
  std::deque<int> queue;
  std::vector<char> queued;

  void enqueue(int node) {
    if (queued[node] || problem.nodes[node].gone)
      return;
    queued[node] = true;
    queue.push_back(node);
  }
  void enqueueNeighbors(int node) {
    for (int edge : problem.nodes[node].edges)
      enqueue(problem.edges[edge].other(node));
  }

  void visit(int index) {
    const ReducedNode &node = problem.nodes[index];
    if (node.gone)
      return;
    normalize(index);
    dropForbidden(index);
    if (problem.infeasible)
      return;
    if (node.size() == 1 || (node.edges.empty() && node.uses.empty())) {
      enqueueNeighbors(index);
      problem.fix(index, llvm::min_element(node.costs) - node.costs.begin());
      return;
    }
    if (node.edges.size() == 2 && node.uses.empty() && canBypass(index)) {
      enqueueNeighbors(index);
      problem.bypass(index);
      return;
    }
    if (followNeighbor(index))
      return;
    dropDominated(index);
  }

  void normalize(int index) {
    std::vector<int> incident = problem.nodes[index].edges;
    for (int edge : incident)
      if (problem.normalizeEdge(edge))
        enqueue(problem.edges[edge].other(index));
  }

  void keep(int index, llvm::ArrayRef<char> strategies) {
    if (!llvm::is_contained(strategies, 0))
      return;
    problem.keepStrategies(index, strategies);
    enqueueNeighbors(index);
    enqueue(index);
  }

  void dropForbidden(int index) {
    const ReducedNode &node = problem.nodes[index];
    std::vector<char> allowed(node.size());
    for (size_t i = 0; i < node.size(); ++i)
      allowed[i] = node.costs[i] < kForbidden;
    keep(index, allowed);
  }

  bool canBypass(int index) const {
    const ReducedNode &node = problem.nodes[index];
    size_t rows = problem.nodes[problem.edges[node.edges[0]].other(index)].size();
    return rows * problem.nodes[problem.edges[node.edges[1]].other(index)].size() <= maxBypassCosts;
  }

  bool followNeighbor(int index) {
    const ReducedNode &node = problem.nodes[index];
    for (int edge : node.edges) {
      int leader = problem.edges[edge].other(index);
      // A leader with more strategies makes larger matrices of the other edges.
      if (node.edges.size() > 3 && problem.nodes[leader].size() > node.size())
        continue;
      std::vector<int> strategies = strategiesImplied(index, leader, problem.edges[edge]);
      if (strategies.empty())
        continue;
      int follower = index;
      if (problem.nodes[leader].edges.size() < node.edges.size()) // the one with fewer edges moves, if both can
        if (std::vector<int> reverse = strategiesImplied(leader, index, problem.edges[edge]); !reverse.empty() && problem.nodes[leader].size() == node.size())
          std::swap(follower, leader), strategies = std::move(reverse);
      enqueueNeighbors(follower);
      problem.follow(follower, leader, strategies);
      enqueue(leader);
      return true;
    }
    return false;
  }

  /// By strategy of `leader`, the strategy that `index` takes in some optimal plan. Empty if that depends on more.
  std::vector<int> strategiesImplied(int index, int leader, const ReducedEdge &edge) const {
    const ReducedNode &node = problem.nodes[index];
    bool leaf = node.edges.size() == 1;
    std::vector<int> implied;
    for (size_t i = 0; i < problem.nodes[leader].size(); ++i) {
      int best = -1;
      int64_t bestCost = kForbidden;
      for (size_t j = 0; j < node.size(); ++j) {
        int64_t cost = addCost(node.costs[j], problem.edgeCost(edge, index, j, i));
        if (cost >= kForbidden)
          continue;
        if (best >= 0 && !leaf)
          return {};
        if (best < 0 || cost < bestCost || (cost == bestCost && usesNoMore(node, j, best)))
          best = static_cast<int>(j), bestCost = cost;
      }
      // A strategy without partner: normalizing its edge forbids it first.
      if (best < 0)
        return {};
      for (size_t j = 0; leaf && j < node.size(); ++j)
        if (addCost(node.costs[j], problem.edgeCost(edge, index, j, i)) < kForbidden && !usesNoMore(node, best, j))
          return {};
      implied.push_back(best);
    }
    return implied;
  }

  static bool usesNoMore(const ReducedNode &node, size_t a, size_t b) {
    return llvm::all_of(node.uses, [&](const PointUse &use) { return use.bytes[a] <= use.bytes[b]; });
  }

  void dropDominated(int index) {
    const ReducedNode &node = problem.nodes[index];
    size_t count = node.size();
    std::vector<size_t> order(count);
    std::iota(order.begin(), order.end(), size_t(0));
    llvm::stable_sort(order, [&](size_t a, size_t b) { return node.costs[a] < node.costs[b]; });
    std::vector<char> kept(count, true);
    for (size_t later = count; later-- > 0;) {
      size_t i = order[later];
      std::vector<size_t> cheapest = cheapestPartners(index, i);
      for (size_t j : order) {
        if (node.costs[j] > node.costs[i])
          break;
        if (j == i || !kept[j] || !usesNoMore(node, j, i) || !beats(index, j, i, cheapest))
          continue;
        kept[i] = false;
        break;
      }
    }
    keep(index, kept);
  }

  /// By edge, a partner that costs strategy `i` nothing: edges are normalized.
  std::vector<size_t> cheapestPartners(int index, size_t i) const {
    std::vector<size_t> partners;
    for (int e : problem.nodes[index].edges) {
      const ReducedEdge &edge = problem.edges[e];
      size_t best = 0, count = problem.nodes[edge.other(index)].size();
      for (size_t k = 1; k < count; ++k)
        if (problem.edgeCost(edge, index, i, k) < problem.edgeCost(edge, index, i, best))
          best = k;
      partners.push_back(best);
    }
    return partners;
  }

  /// Whether strategy j in place of i costs no more whatever the neighbors do.
  bool beats(int index, size_t j, size_t i, llvm::ArrayRef<size_t> cheapest) const {
    const ReducedNode &node = problem.nodes[index];
    int64_t gain = node.costs[i] - node.costs[j], least = 0;
    // Most pairs fail at the partners that `i` likes best.
    for (auto [e, k] : llvm::zip(node.edges, cheapest))
      least = addCost(least, problem.edgeCost(problem.edges[e], index, j, k) - problem.edgeCost(problem.edges[e], index, i, k));
    if (least > gain)
      return false;
    int64_t loss = 0;
    for (int e : node.edges) {
      const ReducedEdge &edge = problem.edges[e];
      int64_t most = INT64_MIN;
      for (size_t k = 0, count = problem.nodes[edge.other(index)].size(); k < count; ++k) {
        int64_t theirs = problem.edgeCost(edge, index, i, k);
        if (theirs < kForbidden)
          most = std::max(most, problem.edgeCost(edge, index, j, k) - theirs);
      }
      loss = addCost(loss, most);
      if (loss > gain)
        return false;
    }
    return true;
  }
};

} // namespace

void presolve(ReducedProblem &problem) { Presolver(problem).run(); }

} // namespace llmpar
