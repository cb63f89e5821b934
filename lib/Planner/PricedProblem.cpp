//===- PricedProblem.cpp - Memory bought at a price ------------------------===//
#include "PricedProblem.h"

#include "llvm/ADT/STLExtras.h"
#include <bit>
#include <cmath>
#include <numeric>

namespace llmpar {
namespace {

constexpr double largestTotal = double(int64_t(1) << 52); // whole numbers are exact up to there
constexpr double largestScale = 1 << 12;
constexpr size_t hubEdges = 5; // that a hub has at least; some of them lead to nodes half the problem apart
constexpr size_t leastVotes = 10; // one in so many copies makes a label worth trying
constexpr size_t mostTrials = 12;
constexpr int sweeps = 60, sweepsAtPrices = 20; // of the first kind until nothing changes, of the second from near by
constexpr double leastGain = 1e-5;              // of the bound in a sweep, to go on at the same prices
constexpr int mostAbreast = 32;                 // edges side by side in a chain

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
    add(*node.costs);
  for (const ReducedEdge &edge : problem.edges)
    add(*edge.costs);
  return total;
}

/// Prices may outweigh costs 16 times.
double scaleFor(const ReducedProblem &problem) {
  double scale = largestScale, most = largestCost(problem);
  while (scale >= 1 && most * scale * 16 > largestTotal)
    scale /= 2;
  return scale;
}

int64_t scaledCost(int64_t cost, double scale) {
  return cost >= kForbidden ? kForbidden : static_cast<int64_t>(double(cost) * scale);
}

/// Whether what lies all along the graph has an edge to `node`.
bool isHub(const ReducedProblem &problem, int node) {
  int first = node, last = node;
  for (int edge : problem.nodes[node].edges) {
    int other = problem.edges[edge].other(node);
    first = std::min(first, other), last = std::max(last, other);
  }
  return problem.nodes[node].edges.size() >= hubEdges && last - first >= static_cast<int>(problem.nodes.size() / 2);
}

/// The price of all points before each. Prices are rounded, so that the sums are exact: uses that are equal but for
/// their time cost the same.
std::vector<double> sumPrices(std::vector<double> prices) {
  double total = 0;
  for (double price : prices)
    total += price;
  double unit = total > 0 ? std::exp2(std::ilogb(total) - 48) : 1;
  std::vector<double> before = {0};
  for (double price : prices)
    before.push_back(before.back() + std::floor(price / unit) * unit);
  return before;
}

} // namespace

bool isChain(const ReducedProblem &problem) {
  std::vector<int> change(problem.nodes.size() + 1, 0);
  for (const ReducedEdge &edge : problem.edges)
    if (!edge.gone && !isHub(problem, edge.from) && !isHub(problem, edge.to)) {
      ++change[std::min(edge.from, edge.to)];
      --change[std::max(edge.from, edge.to)];
    }
  std::partial_sum(change.begin(), change.end(), change.begin());
  return *llvm::max_element(change) <= mostAbreast;
}

PricedProblem::PricedProblem(const ReducedProblem &problem, By by) : problem(problem), scale(scaleFor(problem)), scaled(problem), order_(problem.nodes.size()) {
  std::iota(order_.begin(), order_.end(), 0);
  if (by == By::Messages) {
    core = std::make_unique<Core>(problem);
    dual = std::make_unique<DualBound>(*core);
    llvm::transform(core->nodes, order_.begin(), [](const CoreNode &node) { return node.reduced; });
    return;
  }
  if (!scales())
    return;
  scaled.capacity.clear();
  scaled.points.clear();
  scaled.constant = 0;
  for (ReducedEdge &edge : scaled.edges)
    edge.costs = scaled.arrays().once(Step::Price, {edge.costs, std::bit_cast<uint64_t>(scale)}, [&] {
      std::vector<int64_t> costs;
      for (int64_t cost : *edge.costs)
        costs.push_back(scaledCost(cost, scale));
      return Made{scaled.arrays().intern(std::move(costs))};
    })[0];
  for (size_t node = 0, count = scaled.nodes.size(); node < count; ++node)
    if (isHub(problem, static_cast<int>(node)))
      hubs.push_back({.node = static_cast<int>(node), .parts = scaled.split(static_cast<int>(node))});
  for (ReducedNode &node : scaled.nodes)
    node.uses.clear();
}

/// Splits are of costs, so they follow the prices: the first copy pays what does not divide.
ReducedProblem PricedProblem::priced(llvm::ArrayRef<double> prices) const {
  ReducedProblem result = scaled;
  std::vector<double> before = sumPrices(prices);
  ArrayPool &pool = result.arrays();
  double largest = largestTotal / double(result.nodes.size());
  auto price = [&](ReducedNode &node, const Uses &uses, int64_t share, bool isFirst) {
    llvm::SmallVector<ArrayPool::Input> inputs = {node.costs, std::bit_cast<uint64_t>(scale), uint64_t(share), uint64_t(isFirst)};
    for (const PointUse &use : uses)
      inputs.append({use.bytes, std::bit_cast<uint64_t>(before[use.end] - before[use.begin])});
    node.costs = pool.once(Step::Price, inputs, [&] {
      std::vector<int64_t> costs;
      for (size_t i = 0; i < node.size(); ++i) {
        double memory = 0;
        for (const PointUse &use : uses)
          memory += (before[use.end] - before[use.begin]) * double((*use.bytes)[i]);
        // Rounded down, and not so much that sums overflow: still a bound.
        int64_t cost = addCost(scaledCost((*node.costs)[i], scale), static_cast<int64_t>(std::min(memory * scale, largest)));
        costs.push_back(cost >= kForbidden ? cost : cost / share + (isFirst ? cost % share : 0));
      }
      return Made{pool.intern(std::move(costs))};
    })[0];
  };
  std::vector<int64_t> shares(problem.nodes.size(), 1);
  for (const Hub &hub : hubs) {
    shares[hub.node] = static_cast<int64_t>(hub.parts.size());
    for (int part : hub.parts)
      if (part != hub.node)
        price(result.nodes[part], problem.nodes[hub.node].uses, shares[hub.node], false);
  }
  for (size_t node = 0; node < problem.nodes.size(); ++node)
    price(result.nodes[node], problem.nodes[node].uses, shares[node], true);
  return result;
}

/// A bound of the cost of a priced problem, and the labels behind it: the best ones if presolve leaves nothing. Without
/// labels: infeasible.
PricedProblem::Solved PricedProblem::solve(ReducedProblem rest) const {
  presolve(rest, Blocks::Repeat);
  if (rest.infeasible)
    return {.cost = kInfinity, .labels = {}};
  Core core(rest);
  DualBound dual(core);
  double bound = 0, last = -kInfinity;
  for (int i = 0; i < sweeps && !core.nodes.empty() && bound - last > 1e-7 * std::abs(bound); ++i) {
    last = bound;
    bound = dual.sweep();
  }
  std::vector<int> strategies(rest.nodes.size(), 0);
  for (auto [node, strategy] : llvm::zip(core.nodes, dual.suggestion()))
    strategies[node.reduced] = strategy;
  return {.cost = double(rest.constant) + bound - dual.tolerance(), .labels = rest.expand(strategies)};
}

PricedProblem::Answer PricedProblem::relaxByMessages(llvm::ArrayRef<double> prices) {
  dual->setPrices(prices);
  double bound = -kInfinity, last = bound;
  for (int i = 0; i < sweepsAtPrices && (i < 2 || bound - last > leastGain * std::abs(bound)); ++i)
    last = std::exchange(bound, dual->sweep());
  Answer answer{.bound = double(core->constant) + bound - dual->tolerance(), .choice = std::vector<int>(problem.nodes.size()), .labels = {}};
  for (auto [node, strategy] : llvm::zip(core->nodes, dual->suggestion()))
    answer.choice[node.reduced] = strategy;
  answer.labels = answer.choice;
  return answer;
}

PricedProblem::Answer PricedProblem::relax(llvm::ArrayRef<double> prices) {
  if (dual)
    return relaxByMessages(prices);
  ReducedProblem whole = priced(prices);
  Solved solved = solve(whole);
  if (solved.labels.empty())
    return {};
  double priceOfCapacity = 0;
  for (auto [price, bytes] : llvm::zip(prices, problem.capacity))
    priceOfCapacity += price * double(bytes);
  double total = solved.cost / scale - priceOfCapacity;
  return {.bound = double(problem.constant) + total - 1e-12 * (priceOfCapacity + std::abs(total)), .choice = agreed(whole, solved.labels), .labels = std::move(solved.labels)};
}

/// The choice of the problem's nodes; that of a hub is the best one for its neighbors as they chose.
std::vector<int> PricedProblem::agreed(const ReducedProblem &whole, std::vector<int> labels) const {
  for (const Hub &hub : hubs) {
    std::vector<int64_t> costs(problem.nodes[hub.node].size(), 0);
    for (int part : hub.parts)
      for (size_t i = 0; i < whole.nodes[part].size(); ++i) {
        int64_t &cost = costs[whole.nodes[part].label(i)];
        cost = addCost(cost, (*whole.nodes[part].costs)[i]);
        for (int edge : whole.nodes[part].edges)
          cost = addCost(cost, whole.edgeCost(whole.edges[edge], part, i, labels[whole.edges[edge].other(part)]));
      }
    for (int part : hub.parts)
      labels[part] = static_cast<int>(llvm::min_element(costs) - costs.begin());
  }
  labels.resize(problem.nodes.size());
  return labels;
}

/// Restricts all parts of a hub to one label.
static ReducedProblem withHub(ReducedProblem whole, llvm::ArrayRef<int> parts, int label) {
  for (int part : parts) {
    std::vector<char> keep(whole.nodes[part].size(), false);
    keep[label] = true;
    whole.keepStrategies(part, keep);
  }
  return whole;
}

std::vector<int> PricedProblem::decide(llvm::ArrayRef<double> prices, std::vector<int> labels) const {
  auto agree = [&](const Hub &hub) { return llvm::all_of(hub.parts, [&](int part) { return labels[part] == labels[hub.node]; }); };
  if (llvm::all_of(hubs, agree)) {
    labels.resize(std::min(labels.size(), problem.nodes.size()));
    return labels;
  }
  ReducedProblem whole = priced(prices);
  size_t trials = mostTrials;
  for (const Hub &hub : hubs) {
    std::vector<size_t> votes(problem.nodes[hub.node].size(), 0);
    for (int part : hub.parts)
      ++votes[labels[part]];
    llvm::SmallVector<int> popular;
    for (size_t label = 0; label < votes.size(); ++label)
      if (votes[label] * leastVotes >= hub.parts.size())
        popular.push_back(static_cast<int>(label));
    if (popular.size() == 1 || popular.size() > trials) { // every trial is a solve: some problems have hundreds of hubs
      whole = withHub(std::move(whole), hub.parts, static_cast<int>(llvm::max_element(votes) - votes.begin()));
      continue;
    }
    trials -= popular.size();
    ReducedProblem before = std::move(whole);
    double best = kInfinity;
    for (int label : popular) {
      ReducedProblem decided = withHub(before, hub.parts, label);
      Solved solved = solve(decided);
      if (solved.labels.empty() || solved.cost >= best)
        continue;
      best = solved.cost;
      labels = std::move(solved.labels);
      whole = std::move(decided);
    }
    if (best == kInfinity)
      return {};
  }
  labels = solve(std::move(whole)).labels;
  labels.resize(std::min(labels.size(), problem.nodes.size()));
  return labels;
}

std::vector<int> PricedProblem::withHubs(std::vector<int> labels, llvm::ArrayRef<int> choice) const {
  for (const Hub &hub : hubs)
    for (int part : hub.parts)
      labels[part] = choice[hub.node];
  return labels;
}

std::vector<double> PricedProblem::excess(llvm::ArrayRef<int> choice) const {
  std::vector<double> bytes(problem.capacity.size() + 1, 0);
  for (auto [node, strategy] : llvm::zip(problem.nodes, choice))
    for (const PointUse &use : node.uses) {
      bytes[use.begin] += double((*use.bytes)[strategy]);
      bytes[use.end] -= double((*use.bytes)[strategy]);
    }
  for (size_t i = 0; i < problem.capacity.size(); ++i)
    bytes[i + 1] += bytes[i];
  bytes.pop_back();
  for (auto [used, capacity] : llvm::zip(bytes, problem.capacity))
    used -= double(capacity);
  return bytes;
}

} // namespace llmpar
