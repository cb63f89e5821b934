//===- ReducedProblem.cpp - A plan problem that shrinks --------------------===//
#include "ReducedProblem.h"

#include "llvm/ADT/STLExtras.h"
#include <numeric>

namespace llmpar {

static std::vector<int> firstNumbers(size_t count) {
  std::vector<int> numbers(count);
  std::iota(numbers.begin(), numbers.end(), 0);
  return numbers;
}

ReducedProblem::ReducedProblem(const PlanProblem &problem) : nodes(problem.nodes.size()) {
  for (auto [from, to] : llvm::zip(problem.nodes, nodes)) {
    to.costs = from.costs;
    to.labels = firstNumbers(from.costs.size());
    labelCount.push_back(static_cast<int>(from.costs.size()));
  }
  for (const PlanEdge &edge : problem.edges)
    addEdge(edge.from, edge.to, problem.matrices[edge.matrix].costs);
  if (problem.memoryLimit)
    addTimePoints(problem);
  points = firstNumbers(capacity.size());
}

std::vector<int> ReducedProblem::liveNodes() const {
  std::vector<int> live;
  for (size_t i = 0; i < nodes.size(); ++i)
    if (!nodes[i].gone)
      live.push_back(static_cast<int>(i));
  return live;
}

ReducedProblem ReducedProblem::liveProblem() const {
  ReducedProblem result;
  std::vector<int> place(nodes.size());
  for (int index : liveNodes()) {
    place[index] = static_cast<int>(result.nodes.size());
    ReducedNode &node = result.nodes.emplace_back();
    node.costs = nodes[index].costs;
    node.uses = nodes[index].uses;
    node.labels = firstNumbers(node.size());
    result.labelCount.push_back(static_cast<int>(node.size()));
  }
  for (const ReducedEdge &edge : edges)
    if (!edge.gone) {
      result.addEdge(place[edge.from], place[edge.to], edge.costs);
      result.edges.back().normalized = edge.normalized;
    }
  result.capacity = capacity;
  result.points = firstNumbers(capacity.size());
  result.constant = constant;
  result.infeasible = infeasible;
  return result;
}

void ReducedProblem::keepStrategies(int node, llvm::ArrayRef<char> keep) {
  ReducedNode &n = nodes[node];
  size_t before = n.size();
  auto compact = [&](auto &values) {
    size_t next = 0;
    for (size_t i = 0; i < before; ++i)
      if (keep[i])
        values[next++] = values[i];
    values.resize(next);
  };
  for (int index : n.edges) {
    ReducedEdge &edge = edges[index];
    size_t columns = nodes[edge.to].size(), next = 0; // of `node` itself: still the old number
    for (size_t i = 0; i < edge.costs.size(); ++i)
      if (keep[node == edge.from ? i / columns : i % columns])
        edge.costs[next++] = edge.costs[i];
    edge.costs.resize(next);
    edge.normalized = false;
  }
  for (PointUse &use : n.uses)
    compact(use.bytes);
  compact(n.labels);
  compact(n.costs);
  infeasible |= n.size() == 0;
}

bool ReducedProblem::normalizeEdge(int index) {
  ReducedEdge &edge = edges[index];
  if (edge.normalized)
    return false;
  edge.normalized = true;
  size_t rows = nodes[edge.from].size(), columns = nodes[edge.to].size();
  bool changed = false, empty = true;
  auto shift = [&](int node, size_t strategy, int64_t least) {
    changed |= least != 0;
    nodes[node].costs[strategy] = addCost(nodes[node].costs[strategy], least);
  };
  // A forbidden entry stays so; a strategy that has no others is forbidden itself.
  auto lower = [](int64_t &cost, int64_t least) {
    if (cost < kForbidden)
      cost -= least;
  };
  for (size_t i = 0; i < rows; ++i) {
    auto row = llvm::MutableArrayRef(edge.costs).slice(i * columns, columns);
    int64_t least = *llvm::min_element(row);
    if (least >= kForbidden && nodes[edge.from].costs[i] >= kForbidden)
      continue;
    shift(edge.from, i, least);
    for (int64_t &cost : row)
      lower(cost, least);
  }
  for (size_t j = 0; j < columns; ++j) {
    int64_t least = kForbidden;
    for (size_t i = 0; i < rows; ++i)
      least = std::min(least, edge.costs[i * columns + j]);
    if (least >= kForbidden && nodes[edge.to].costs[j] >= kForbidden)
      continue;
    shift(edge.to, j, least);
    for (size_t i = 0; i < rows; ++i)
      lower(edge.costs[i * columns + j], least);
  }
  for (int64_t cost : edge.costs)
    empty &= cost == 0;
  if (empty)
    removeEdge(index);
  return changed || empty;
}

void ReducedProblem::addEdge(int node, int other, std::vector<int64_t> costs) {
  int fewer = nodes[node].edges.size() < nodes[other].edges.size() ? node : other;
  auto found = llvm::find_if(nodes[fewer].edges, [&](int index) {
    return edges[index].other(fewer) == (fewer == node ? other : node);
  });
  if (found == nodes[fewer].edges.end()) {
    size_t fromPlace = nodes[node].edges.size(), toPlace = nodes[other].edges.size();
    nodes[node].edges.push_back(static_cast<int>(edges.size()));
    nodes[other].edges.push_back(static_cast<int>(edges.size()));
    edges.push_back({.from = node, .to = other, .costs = std::move(costs), .fromPlace = fromPlace, .toPlace = toPlace});
    return;
  }
  ReducedEdge &edge = edges[*found];
  edge.normalized = false;
  size_t rows = nodes[node].size(), columns = nodes[other].size();
  for (size_t i = 0; i < rows; ++i)
    for (size_t j = 0; j < columns; ++j) {
      int64_t &cost = edge.from == node ? edge.costs[i * columns + j] : edge.costs[j * rows + i];
      cost = addCost(cost, costs[i * columns + j]);
    }
}

void ReducedProblem::removeEdge(int index) {
  ReducedEdge &edge = edges[index];
  unlink(edge.from, edge.fromPlace);
  unlink(edge.to, edge.toPlace);
  edge.gone = true;
  edge.costs = {};
}

/// In constant time: some nodes have thousands of edges.
void ReducedProblem::unlink(int node, size_t place) {
  std::vector<int> &list = nodes[node].edges;
  ReducedEdge &last = edges[list[place] = list.back()];
  (last.from == node ? last.fromPlace : last.toPlace) = place;
  list.pop_back();
}

void ReducedProblem::detach(int node) {
  std::vector<int> incident = nodes[node].edges;
  for (int index : incident)
    removeEdge(index);
  nodes[node].gone = true;
}

void ReducedProblem::fix(int node, size_t strategy) {
  ReducedNode &n = nodes[node];
  for (int index : n.edges) {
    int other = edges[index].other(node);
    for (size_t i = 0; i < nodes[other].size(); ++i)
      nodes[other].costs[i] = addCost(nodes[other].costs[i], edgeCost(edges[index], node, strategy, i));
  }
  for (const PointUse &use : n.uses)
    for (int point = use.begin; point < use.end; ++point) {
      capacity[point] -= use.bytes[strategy];
      infeasible |= capacity[point] < 0;
    }
  constant = addCost(constant, n.costs[strategy]);
  infeasible |= constant >= kForbidden;
  rules.push_back({.node = node, .first = -1, .second = -1, .columns = 1, .table = {n.labels[strategy]}});
  n.uses.clear();
  detach(node);
}

void ReducedProblem::follow(int node, int leader, llvm::ArrayRef<int> strategies) {
  ReducedNode &n = nodes[node], &l = nodes[leader];
  Rule rule{.node = node, .first = leader, .second = -1, .columns = 1, .table = std::vector<int>(labelCount[leader])};
  for (size_t i = 0; i < l.size(); ++i) {
    rule.table[l.labels[i]] = n.labels[strategies[i]];
    l.costs[i] = addCost(l.costs[i], n.costs[strategies[i]]);
  }
  for (PointUse &use : n.uses) {
    std::vector<int64_t> bytes(l.size());
    for (size_t i = 0; i < l.size(); ++i)
      bytes[i] = use.bytes[strategies[i]];
    l.uses.push_back({.begin = use.begin, .end = use.end, .bytes = std::move(bytes)});
  }
  std::vector<int> incident = n.edges;
  for (int index : incident) {
    int other = edges[index].other(node);
    if (other == leader) {
      for (size_t i = 0; i < l.size(); ++i)
        l.costs[i] = addCost(l.costs[i], edgeCost(edges[index], node, strategies[i], i));
      continue;
    }
    std::vector<int64_t> costs;
    for (size_t i = 0; i < l.size(); ++i)
      for (size_t j = 0; j < nodes[other].size(); ++j)
        costs.push_back(edgeCost(edges[index], node, strategies[i], j));
    addEdge(leader, other, std::move(costs));
  }
  rules.push_back(std::move(rule));
  n.uses.clear();
  detach(node);
}

void ReducedProblem::bypass(int node) {
  ReducedNode &n = nodes[node];
  int firstEdge = n.edges[0], secondEdge = n.edges[1];
  int first = edges[firstEdge].other(node), second = edges[secondEdge].other(node);
  size_t rows = nodes[first].size(), columns = nodes[second].size();
  Rule rule{.node = node, .first = first, .second = second, .columns = labelCount[second],
            .table = std::vector<int>(size_t(labelCount[first]) * labelCount[second])};
  std::vector<int64_t> costs(rows * columns, kForbidden);
  for (size_t i = 0; i < rows; ++i)
    for (size_t k = 0; k < n.size(); ++k) {
      int64_t head = addCost(n.costs[k], edgeCost(edges[firstEdge], node, k, i));
      for (size_t j = 0; head < kForbidden && j < columns; ++j) {
        int64_t cost = addCost(head, edgeCost(edges[secondEdge], node, k, j));
        if (cost >= costs[i * columns + j])
          continue;
        costs[i * columns + j] = cost;
        rule.table[size_t(nodes[first].labels[i]) * rule.columns + nodes[second].labels[j]] = n.labels[k];
      }
    }
  detach(node);
  addEdge(first, second, std::move(costs));
  rules.push_back(std::move(rule));
}

std::vector<int> ReducedProblem::expand(llvm::ArrayRef<int> strategies) const {
  std::vector<int> labels(nodes.size());
  for (size_t i = 0; i < nodes.size(); ++i)
    if (!nodes[i].gone)
      labels[i] = nodes[i].labels[strategies[i]];
  for (const Rule &rule : llvm::reverse(rules)) {
    size_t row = rule.first < 0 ? 0 : labels[rule.first], column = rule.second < 0 ? 0 : labels[rule.second];
    labels[rule.node] = rule.table[row * rule.columns + column];
  }
  return labels;
}

} // namespace llmpar
