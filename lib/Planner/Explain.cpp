//===- Explain.cpp - Why a plan gives a node its strategy -------------------===//
#include "llmpar/Planner/Explain.h"

#include "llmpar/Planner/PeakRange.h"
#include "llvm/ADT/STLExtras.h"
#include <chrono>

namespace llmpar {

const CostTerm *Alternative::decisive() const {
  if (terms.empty() || rise() <= 0)
    return nullptr;
  auto large = llvm::find_if(terms, [&](const CostTerm &term) { return term.rise() > 0 && term.then >= rise(); });
  return large == terms.end() ? nullptr : &*large;
}

Explainer::Explainer(const PlanProblem &problem, const Plan &plan) : problem(problem), plan(plan), edgesOf(problem.nodes.size()) {
  for (auto [index, edge] : llvm::enumerate(problem.edges)) {
    edgesOf[edge.from].push_back(static_cast<int>(index));
    edgesOf[edge.to].push_back(static_cast<int>(index));
  }
  for (const PlanNode &node : problem.nodes)
    for (const MemoryUse &use : node.memory) {
      steps.push_back(use.lifetime.begin);
      steps.push_back(use.lifetime.end);
    }
  llvm::sort(steps);
  steps.erase(llvm::unique(steps), steps.end());
  std::vector<int64_t> change(steps.size(), 0);
  auto at = [&](int64_t step) { return llvm::lower_bound(steps, step) - steps.begin(); };
  for (auto [node, choice] : llvm::zip(problem.nodes, plan.choice))
    for (const MemoryUse &use : node.memory)
      if (use.lifetime.begin < use.lifetime.end) {
        change[at(use.lifetime.begin)] += use.bytes[choice];
        change[at(use.lifetime.end)] -= use.bytes[choice];
      }
  int64_t sum = 0;
  for (int64_t delta : change)
    live.push_back(sum += delta);
}

int Explainer::strategyOf(int node, llvm::ArrayRef<std::pair<int, int>> moves) const {
  for (auto [moved, strategy] : moves)
    if (moved == node)
      return strategy;
  return plan.choice[node];
}

int64_t Explainer::edgeCost(int edge, llvm::ArrayRef<std::pair<int, int>> moves) const {
  const PlanEdge &e = problem.edges[edge];
  return problem.matrices[e.matrix].at(strategyOf(e.from, moves), strategyOf(e.to, moves));
}

int64_t Explainer::peakOf(llvm::ArrayRef<std::pair<int, int>> moves) const {
  std::vector<int64_t> bytes = live;
  for (auto [node, strategy] : moves)
    for (const MemoryUse &use : problem.nodes[node].memory) {
      int64_t delta = use.bytes[strategy] - use.bytes[plan.choice[node]];
      if (delta == 0)
        continue;
      for (auto at = llvm::lower_bound(steps, use.lifetime.begin); at != steps.end() && *at < use.lifetime.end; ++at)
        bytes[at - steps.begin()] += delta;
    }
  int64_t peak = 0;
  for (int64_t at : bytes)
    peak = std::max(peak, at);
  return peak;
}

/// The plan with these moves, the explained node's first; none if it has a forbidden cost. Its peak is left open.
std::optional<Alternative> Explainer::alternative(Moves moves) const {
  Alternative result{.strategy = moves.front().second, .moved = {}, .terms = {}};
  int node = moves.front().first;
  auto add = [&](bool isEdge, int index, int64_t now, int64_t then, int64_t &rise) {
    if (now != then)
      result.terms.push_back({isEdge, index, now, then});
    rise += then - now;
    return then < kForbidden;
  };
  std::vector<int> edges;
  for (auto [moved, strategy] : moves) {
    const std::vector<int64_t> &costs = problem.nodes[moved].costs;
    if (!add(false, moved, costs[plan.choice[moved]], costs[strategy], moved == node ? result.nodeRise : result.otherRise))
      return std::nullopt;
    llvm::append_range(edges, edgesOf[moved]);
  }
  llvm::sort(edges);
  edges.erase(llvm::unique(edges), edges.end());
  for (int edge : edges) {
    const PlanEdge &e = problem.edges[edge];
    bool isOwn = e.from == node || e.to == node;
    if (!add(true, edge, edgeCost(edge, {}), edgeCost(edge, moves), isOwn ? result.edgeRise : result.otherRise))
      return std::nullopt;
  }
  llvm::sort(result.terms, [](const CostTerm &a, const CostTerm &b) {
    return std::tuple(-a.rise(), a.isEdge, a.index) < std::tuple(-b.rise(), b.isEdge, b.index);
  });
  for (const MemoryUse &use : problem.nodes[node].memory)
    result.heldRise += use.bytes[result.strategy] - use.bytes[plan.choice[node]];
  result.moved.assign(moves.begin() + 1, moves.end());
  return result;
}

/// The cheapest strategies of the node's neighbours when it has `strategy`, everything else as in the plan; those
/// that move. None if there are no allowed ones.
std::optional<Explainer::Moves> Explainer::follow(int node, int strategy) const {
  PlanProblem around; // the neighbours, with what is fixed folded into their costs
  std::vector<int> neighbours;
  for (int edge : edgesOf[node])
    neighbours.push_back(problem.edges[edge].from == node ? problem.edges[edge].to : problem.edges[edge].from);
  llvm::sort(neighbours);
  neighbours.erase(llvm::unique(neighbours), neighbours.end());
  auto placeOf = [&](int other) {
    auto at = llvm::lower_bound(neighbours, other);
    return at != neighbours.end() && *at == other ? static_cast<int>(at - neighbours.begin()) : -1;
  };
  for (int neighbour : neighbours)
    around.nodes.push_back({.name = "", .costs = problem.nodes[neighbour].costs, .memory = {}});
  for (auto [place, neighbour] : llvm::enumerate(neighbours))
    for (int edge : edgesOf[neighbour]) {
      const PlanEdge &e = problem.edges[edge];
      const CostMatrix &matrix = problem.matrices[e.matrix];
      bool isFrom = e.from == neighbour;
      int other = isFrom ? e.to : e.from;
      if (int otherPlace = placeOf(other); otherPlace >= 0) {
        if (isFrom) {
          around.edges.push_back({static_cast<int>(place), otherPlace, static_cast<int>(around.matrices.size())});
          around.matrices.push_back(matrix);
        }
        continue;
      }
      int fixed = other == node ? strategy : plan.choice[other];
      for (auto [own, cost] : llvm::enumerate(around.nodes[place].costs))
        cost = addCost(cost, isFrom ? matrix.at(static_cast<int>(own), fixed) : matrix.at(fixed, static_cast<int>(own)));
    }
  Moves moves{{node, strategy}};
  std::vector<int> choice;
  if (around.edges.empty()) { // the usual case: each neighbour for itself
    for (PlanNode &own : around.nodes)
      choice.push_back(static_cast<int>(llvm::min_element(own.costs) - own.costs.begin()));
  } else {
    choice = solve(around).choice;
    if (choice.empty())
      return std::nullopt;
  }
  for (auto [place, neighbour] : llvm::enumerate(neighbours)) {
    // Ties stay as they are.
    const std::vector<int64_t> &costs = around.nodes[place].costs;
    int best = choice[place], stays = plan.choice[neighbour];
    if (best != stays && (!around.edges.empty() || costs[best] < costs[stays]))
      moves.push_back({neighbour, best});
  }
  return moves;
}

std::optional<Alternative> Explainer::cheapestThatFits(int node, std::vector<Alternative> &from, std::optional<Alternative> &barred) const {
  llvm::sort(from, [](const Alternative &a, const Alternative &b) {
    return std::pair(a.rise(), a.strategy) < std::pair(b.rise(), b.strategy);
  });
  for (Alternative &candidate : from) {
    Moves moves = candidate.moved;
    moves.insert(moves.begin(), {node, candidate.strategy});
    candidate.peakBytes = peakOf(moves);
    if (!problem.memoryLimit || candidate.peakBytes <= *problem.memoryLimit)
      return candidate;
    if (candidate.rise() < 0 && (!barred || candidate.rise() < barred->rise()))
      barred = candidate;
  }
  return std::nullopt;
}

Explanation Explainer::explain(int node) const {
  Explanation result{.node = node, .chosen = plan.choice[node], .inPlace = {}, .adjusted = {}, .barred = {}};
  std::vector<Alternative> inPlace, adjusted;
  for (int strategy = 0, count = static_cast<int>(problem.nodes[node].costs.size()); strategy < count; ++strategy) {
    if (strategy == result.chosen)
      continue;
    if (std::optional<Alternative> found = alternative({{node, strategy}}))
      inPlace.push_back(std::move(*found));
    if (std::optional<Moves> moves = follow(node, strategy))
      if (std::optional<Alternative> found = alternative(std::move(*moves)))
        adjusted.push_back(std::move(*found));
  }
  result.inPlace = cheapestThatFits(node, inPlace, result.barred);
  result.adjusted = cheapestThatFits(node, adjusted, result.barred);
  if (result.inPlace && (!result.adjusted || result.inPlace->rise() < result.adjusted->rise()))
    result.adjusted = result.inPlace;
  return result;
}

Plan solveWithout(const PlanProblem &problem, const Plan &plan, int node, const SolveOptions &options) {
  PlanProblem without = problem;
  without.nodes[node].costs[plan.choice[node]] = kForbidden;
  Plan found = solve(without, options);
  return found.feasible() && found.cost < kForbidden ? found : Plan{};
}

SmallestPeak smallestPeak(PlanProblem problem, double timeLimitSeconds) {
  using Clock = std::chrono::steady_clock;
  Clock::time_point begin = Clock::now();
  auto left = [&] { return timeLimitSeconds - std::chrono::duration<double>(Clock::now() - begin).count(); };
  SmallestPeak result{.atLeast = peakRange(problem).least, .found = {}};
  auto tryLimit = [&](std::optional<int64_t> limit) {
    problem.memoryLimit = limit;
    Plan plan = solve(problem, {.timeLimitSeconds = std::max(0.05, left() / 3), .gapLimit = 1});
    if (plan.feasible() && plan.cost < kForbidden)
      result.found = std::min(result.found.value_or(plan.peakBytes), plan.peakBytes);
    else if (limit && plan.lowerBound >= kForbidden)
      result.atLeast = std::max(result.atLeast, *limit + 1);
    return plan.feasible();
  };
  if (tryLimit(result.atLeast) || !tryLimit(std::nullopt))
    return result;
  int64_t low = result.atLeast; // what failed, proved or not
  while (left() > 0 && low < *result.found) {
    int64_t middle = low + (*result.found - low) / 2;
    if (!tryLimit(middle))
      low = middle + 1;
  }
  return result;
}

} // namespace llmpar
