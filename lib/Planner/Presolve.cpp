//===- Presolve.cpp - Shrink a plan problem ---------------------------------===//
#include "Presolve.h"

#include "llvm/ADT/STLExtras.h"
#include <array>
#include <deque>
#include <numeric>

namespace llmpar {
namespace {

/// An edge that replaces a bypassed node has at most so many costs.
constexpr size_t maxBypassCosts = 1 << 14;
/// A node of more strategies is not searched for dominated ones.
constexpr size_t maxCompared = 256;

class Presolver {
public:
  Presolver(ReducedProblem &problem, Blocks blocks) : problem(problem), repeats(blocks == Blocks::Repeat), queued(problem.nodes.size(), false) {}

  void run() {
    problem.arrays().trim();
    for (size_t node = 0; node < problem.nodes.size(); ++node)
      enqueue(static_cast<int>(node));
    do {
      while (!queue.empty() && !problem.infeasible) {
        int node = queue.front();
        queue.pop_front();
        queued[node] = false;
        visit(node);
      }
      if (problem.infeasible)
        return;
      for (int node : problem.tightenMemory())
        enqueueNeighbors(node), enqueue(node);
      if (repeats && queue.empty())
        joinNeighbors();
    } while (!queue.empty() && !problem.infeasible);
  }

private:
  ReducedProblem &problem;
  bool repeats;
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
    if (repeats)
      problem.liftLeastCost(index);
    if (node.size() == 1 || (node.edges.empty() && node.uses.empty())) {
      enqueueNeighbors(index);
      problem.fix(index, llvm::min_element(*node.costs) - node.costs->begin());
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
    EdgeList incident = problem.nodes[index].edges;
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
    if (!node.costs->forbids)
      return;
    std::vector<char> allowed(node.size());
    for (size_t i = 0; i < node.size(); ++i)
      allowed[i] = (*node.costs)[i] < kForbidden;
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
      Numbers strategies = strategiesImplied(index, leader, problem.edges[edge]);
      if (!strategies)
        continue;
      int follower = index;
      if (problem.nodes[leader].edges.size() < node.edges.size()) // the one with fewer edges moves, if both can
        if (Numbers reverse = strategiesImplied(leader, index, problem.edges[edge]); reverse && problem.nodes[leader].size() == node.size())
          std::swap(follower, leader), strategies = std::move(reverse);
      enqueueNeighbors(follower);
      problem.follow(follower, leader, strategies);
      enqueue(leader);
      return true;
    }
    return false;
  }

  /// By strategy of `leader`, the strategy that `index` takes in some optimal plan. Null if that depends on more.
  Numbers strategiesImplied(int index, int leader, const ReducedEdge &edge) const {
    const ReducedNode &node = problem.nodes[index];
    bool leaf = node.edges.size() == 1;
    if (!leaf && !node.costs->forbids && !edge.costs->forbids) // nothing is implied: it has several strategies
      return nullptr;
    llvm::SmallVector<ArrayPool::Input, 4> inputs = problem.seenFrom(edge, index);
    inputs.append({node.costs, problem.nodes[leader].size(), leaf});
    if (leaf)
      for (const PointUse &use : node.uses)
        inputs.push_back(use.bytes);
    return problem.arrays().once(Step::Imply, inputs, [&] {
      std::vector<int64_t> implied;
      for (size_t i = 0; i < problem.nodes[leader].size(); ++i) {
        int best = strategyImplied(node, edge, index, i, leaf);
        if (best < 0)
          return Made{nullptr};
        implied.push_back(best);
      }
      return Made{problem.arrays().intern(std::move(implied))};
    })[0];
  }

  /// By strategy `theirs` of the other end, or -1.
  int strategyImplied(const ReducedNode &node, const ReducedEdge &edge, int index, size_t theirs, bool leaf) const {
    int best = -1;
    int64_t bestCost = kForbidden;
    auto costOf = [&](size_t j) { return addCost((*node.costs)[j], problem.edgeCost(edge, index, j, theirs)); };
    for (size_t j = 0; j < node.size(); ++j) {
      int64_t cost = costOf(j);
      if (cost >= kForbidden)
        continue;
      if (best >= 0 && !leaf)
        return -1;
      if (best < 0 || cost < bestCost || (cost == bestCost && usesNoMore(node, j, best)))
        best = static_cast<int>(j), bestCost = cost;
    }
    // None: normalizing the edge forbids `theirs` first.
    for (size_t j = 0; best >= 0 && leaf && j < node.size(); ++j)
      if (costOf(j) < kForbidden && !usesNoMore(node, best, j))
        return -1;
    return best;
  }

  /// Joins pairs of nodes with as many common neighbors as any have: of those, the ones with three edges go then.
  void joinNeighbors() {
    for (size_t common = 3; common > 0 && queue.empty(); --common)
      for (size_t index = 0, count = problem.nodes.size(); index < count; ++index)
        if (!problem.nodes[index].gone && !queued[index] && problem.nodes[index].edges.size() == 3)
          joinAround(static_cast<int>(index), common);
  }

  void joinAround(int index, size_t common) {
    std::array<int, 3> near;
    llvm::transform(problem.nodes[index].edges, near.begin(), [&](int edge) { return problem.edges[edge].other(index); });
    llvm::sort(near);
    for (auto [a, b] : {std::pair(near[0], near[1]), std::pair(near[0], near[2]), std::pair(near[1], near[2])}) {
      if (queued[a] || queued[b] || commonNeighbors(a, b) < common || largestJoined(a, b) > maxBypassCosts)
        continue;
      int joined = problem.join(a, b);
      queued.resize(problem.nodes.size(), false);
      enqueue(joined);
      return enqueueNeighbors(joined);
    }
  }

  /// The costs of the largest edge that a joined pair would have.
  size_t largestJoined(int a, int b) const {
    size_t most = 0;
    for (int node : {a, b})
      for (int edge : problem.nodes[node].edges)
        most = std::max(most, problem.nodes[problem.edges[edge].other(node)].size());
    return most * problem.nodes[a].size() * problem.nodes[b].size();
  }

  size_t commonNeighbors(int a, int b) const {
    return llvm::count_if(problem.nodes[a].edges, [&](int mine) {
      return llvm::any_of(problem.nodes[b].edges, [&](int theirs) { return problem.edges[mine].other(a) == problem.edges[theirs].other(b); });
    });
  }

  static bool usesNoMore(const ReducedNode &node, size_t a, size_t b) {
    return llvm::all_of(node.uses, [&](const PointUse &use) { return (*use.bytes)[a] <= (*use.bytes)[b]; });
  }

  void dropDominated(int index) {
    const ReducedNode &node = problem.nodes[index];
    if (node.size() > maxCompared)
      return;
    // In an order of their own: which edge came first does not matter.
    llvm::SmallVector<std::array<uint64_t, 3>> seen;
    for (int edge : node.edges) {
      auto inputs = problem.seenFrom(problem.edges[edge], index);
      seen.push_back({inputs[0].bits, inputs[1].bits, inputs[2].bits});
    }
    llvm::sort(seen);
    llvm::SmallVector<ArrayPool::Input, 16> inputs = {node.costs, node.edges.size()};
    for (const auto &edge : seen)
      inputs.append(edge.begin(), edge.end());
    for (const PointUse &use : node.uses)
      inputs.push_back(use.bytes);
    const Made &made = problem.arrays().once(Step::Dominate, inputs, [&] { return Made{undominated(index)}; });
    keep(index, std::vector<char>(made[0]->begin(), made[0]->end()));
  }

  /// By strategy, whether it stays.
  Numbers undominated(int index) const {
    const ReducedNode &node = problem.nodes[index];
    llvm::ArrayRef<int64_t> costs = *node.costs;
    std::vector<size_t> order(node.size());
    std::iota(order.begin(), order.end(), size_t(0));
    llvm::sort(order, [&](size_t a, size_t b) { return std::pair(costs[a], a) < std::pair(costs[b], b); });
    std::vector<int64_t> kept(node.size(), true);
    for (size_t i : llvm::reverse(order)) {
      std::vector<size_t> cheapest = cheapestPartners(index, i);
      for (size_t j : order) {
        if (costs[j] > costs[i])
          break;
        if (j == i || !kept[j] || !usesNoMore(node, j, i) || !beats(index, j, i, cheapest))
          continue;
        kept[i] = false;
        break;
      }
    }
    return problem.arrays().intern(std::move(kept));
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
    int64_t gain = (*node.costs)[i] - (*node.costs)[j], least = 0;
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

void presolve(ReducedProblem &problem, Blocks blocks) { Presolver(problem, blocks).run(); }

} // namespace llmpar
