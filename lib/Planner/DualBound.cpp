//===- DualBound.cpp - Bounds by prices and messages -----------------------===//
#include "DualBound.h"

#include "llvm/ADT/STLExtras.h"
#include <cmath>

namespace llmpar {

DualBound::DualBound(const Core &core) : core(core), price(core.capacity.size(), 0), choice(core.nodes.size(), 0) {
  for (const CoreNode &node : core.nodes) {
    nodeBegin.push_back(costs.size());
    costs.insert(costs.end(), node.costs.begin(), node.costs.end());
    costs.resize(nodeBegin.back() + paddedSize(node.size()), node.costs[0]);
    int index = static_cast<int>(nodeBegin.size()) - 1;
    size_t forward = llvm::count_if(node.edges, [&](int edge) { return core.edges[edge].from == index; });
    shares.push_back(1.0 / double(std::max<size_t>({1, forward, node.edges.size() - forward})));
  }
  ownCosts = costs;
  excesses.assign(costs.size(), 0);
  size_t count = 0;
  for (const CoreEdge &edge : core.edges) {
    fromBegin.push_back(count);
    toBegin.push_back(count += paddedSize(core.nodes[edge.from].size()));
    count += paddedSize(core.nodes[edge.to].size());
  }
  messages.assign(count, 0);
}

/// Sums anew, so that rounding does not add up.
void DualBound::setPrices(std::vector<double> prices) {
  price = std::move(prices);
  std::vector<double> before(price.size() + 1, 0); // price of the points before
  priceOfCapacity = 0;
  for (size_t i = 0; i < price.size(); ++i) {
    before[i + 1] = before[i] + price[i];
    priceOfCapacity += price[i] * double(core.capacity[i]);
  }
  for (auto [index, node] : llvm::enumerate(core.nodes)) {
    double *sums = &costs[nodeBegin[index]];
    size_t width = paddedSize(node.size());
    std::copy_n(&ownCosts[nodeBegin[index]], width, sums);
    for (const PointUse &use : node.uses) {
      double perByte = before[use.end] - before[use.begin];
      for (size_t i = 0; perByte > 0 && i < node.size(); ++i)
        sums[i] += perByte * double((*use.bytes)[i]);
    }
    pad(sums, node.size());
    for (int edge : node.edges) {
      const double *mine = messageTo(edge, static_cast<int>(index));
      for (size_t i = 0; i < width; ++i)
        sums[i] += mine[i];
    }
  }
}

void DualBound::penalize(int node, llvm::ArrayRef<char> strategies, double penalty) {
  for (std::vector<double> *values : {&ownCosts, &costs}) {
    for (size_t i = 0; i < strategies.size(); ++i)
      (*values)[nodeBegin[node] + i] += strategies[i] ? penalty : 0;
    pad(&(*values)[nodeBegin[node]], strategies.size());
  }
}

/// Edges must not ask for anything between sweeps.
void DualBound::settle() {
  for (auto [index, edge] : llvm::enumerate(core.edges))
    for (int end : {edge.from, edge.to})
      pad(messageTo(static_cast<int>(index), end), core.nodes[end].size());
  setPrices(price);
  for (size_t edge = 0; edge < core.edges.size(); ++edge)
    pull(static_cast<int>(edge), core.edges[edge].from);
}

/// Moves to `node` all that the edge can give: what each strategy pays there at least.
void DualBound::pull(int index, int node) {
  const CoreEdge &edge = core.edges[index];
  edge.towards(node).sendLeast(messageTo(index, edge.other(node)), messageTo(index, node), &costs[nodeBegin[node]]);
}

/// Hands `share` of the node's costs to each of its edges in one direction.
void DualBound::push(int node, double share, bool forward) {
  size_t count = paddedSize(core.nodes[node].size()), edges = 0;
  double *sums = &costs[nodeBegin[node]];
  for (int index : core.nodes[node].edges) {
    if ((core.edges[index].from == node) != forward)
      continue;
    double *mine = messageTo(index, node);
    for (size_t i = 0; i < count; ++i)
      mine[i] -= share * sums[i];
    ++edges;
  }
  for (size_t i = 0; edges > 0 && i < count; ++i)
    sums[i] -= share * double(edges) * sums[i];
}

void DualBound::choose(int node) {
  size_t width = paddedSize(core.nodes[node].size());
  total.assign(&costs[nodeBegin[node]], &costs[nodeBegin[node]] + width);
  for (int index : core.nodes[node].edges) {
    const CoreEdge &edge = core.edges[index];
    if (edge.from == node)
      continue;
    edge.towards(node).addRow(choice[edge.from], messageTo(index, node), total.data());
  }
  choice[node] = static_cast<int>(llvm::find(total, leastOf(total.data(), width)) - total.begin());
}

double DualBound::leastCost(int node) const {
  return leastOf(&costs[nodeBegin[node]], core.nodes[node].size());
}

/// Edges ask for nothing between sweeps: the first end pulled last.
double DualBound::boundNow() const {
  double bound = -priceOfCapacity;
  for (size_t node = 0; node < core.nodes.size(); ++node)
    bound += leastCost(static_cast<int>(node));
  return bound;
}

double DualBound::tolerance() const {
  double magnitude = priceOfCapacity;
  for (size_t node = 0; node < core.nodes.size(); ++node)
    magnitude += std::abs(leastCost(static_cast<int>(node)));
  return 1e-12 * magnitude;
}

double DualBound::sweep() {
  before = boundNow();
  int count = static_cast<int>(core.nodes.size());
  for (int node = 0; node < count; ++node) {
    for (int edge : core.nodes[node].edges)
      if (core.edges[edge].to == node)
        pull(edge, node);
    choose(node);
    push(node, shares[node], true);
  }
  for (int node = count - 1; node >= 0; --node) {
    for (int edge : core.nodes[node].edges)
      if (core.edges[edge].from == node)
        pull(edge, node);
    double least = leastCost(node);
    for (size_t i = nodeBegin[node], end = i + paddedSize(core.nodes[node].size()); i < end; ++i)
      excesses[i] = costs[i] - least;
    push(node, shares[node], false);
  }
  return boundNow();
}

} // namespace llmpar
