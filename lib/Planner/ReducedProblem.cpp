//===- ReducedProblem.cpp - A plan problem that shrinks --------------------===//
#include "ReducedProblem.h"

#include "PairCosts.h"

#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/STLExtras.h"
#include <numeric>

namespace llmpar {

static std::vector<int64_t> firstNumbers(size_t count) {
  std::vector<int64_t> numbers(count);
  std::iota(numbers.begin(), numbers.end(), 0);
  return numbers;
}

ReducedProblem::ReducedProblem(const PlanProblem &problem) : nodes(problem.nodes.size()), pool(std::make_shared<ArrayPool>()) {
  for (auto [from, to] : llvm::zip(problem.nodes, nodes)) {
    to.costs = pool->intern(from.costs);
    to.labels = pool->intern(firstNumbers(from.costs.size()));
  }
  std::vector<Numbers> matrices;
  for (const CostMatrix &matrix : problem.matrices)
    matrices.push_back(pool->intern(matrix.costs));
  for (const PlanEdge &edge : problem.edges)
    addEdge(edge.from, edge.to, matrices[edge.matrix]);
  if (problem.memoryLimit)
    addTimePoints(problem);
  points.resize(capacity.size());
  std::iota(points.begin(), points.end(), 0);
  taken.assign(capacity.size() + 1, 0);
}

std::vector<int> ReducedProblem::liveNodes() const {
  std::vector<int> live;
  for (size_t i = 0; i < nodes.size(); ++i)
    if (!nodes[i].gone)
      live.push_back(static_cast<int>(i));
  return live;
}

ReducedProblem ReducedProblem::liveProblem() const {
  ReducedProblem result(pool);
  std::vector<int> place(nodes.size());
  for (int index : liveNodes()) {
    place[index] = static_cast<int>(result.nodes.size());
    ReducedNode &node = result.nodes.emplace_back();
    node.costs = nodes[index].costs;
    node.uses = nodes[index].uses;
    node.labels = pool->intern(firstNumbers(node.size()));
  }
  for (const ReducedEdge &edge : edges)
    if (!edge.gone) {
      result.addEdge(place[edge.from], place[edge.to], edge.costs);
      result.edges.back().normalized = edge.normalized;
    }
  result.capacity = capacity;
  result.points.resize(capacity.size());
  std::iota(result.points.begin(), result.points.end(), 0);
  result.taken = taken;
  result.constant = constant;
  result.infeasible = infeasible;
  return result;
}

ReducedProblem ReducedProblem::withoutMemory() const {
  ReducedProblem result = *this;
  result.capacity.clear();
  result.points.clear();
  result.taken.assign(1, 0);
  for (ReducedNode &node : result.nodes)
    node.uses.clear();
  return result;
}

bool ReducedProblem::repeats() const {
  llvm::DenseSet<const void *> matrices;
  for (const ReducedEdge &edge : edges)
    matrices.insert(edge.costs.get());
  return !edges.empty() && matrices.size() * 4 <= edges.size();
}

/// The entries `kept` of an array of entries of `width` numbers.
Numbers ReducedProblem::select(const Numbers &values, const Numbers &kept, size_t width) {
  return pool->once(Step::Select, {values, kept, width}, [&] {
    std::vector<int64_t> selected;
    for (int64_t i : *kept)
      selected.insert(selected.end(), values->begin() + i * width, values->begin() + (i + 1) * width);
    return Made{pool->intern(std::move(selected))};
  })[0];
}

Numbers ReducedProblem::add(const Numbers &a, const Numbers &b) {
  return pool->once(Step::Add, {a, b}, [&] {
    std::vector<int64_t> sum;
    for (auto [x, y] : llvm::zip(*a, *b))
      sum.push_back(addCost(x, y));
    return Made{pool->intern(std::move(sum))};
  })[0];
}

void ReducedProblem::keepStrategies(int node, llvm::ArrayRef<char> keep) {
  ReducedNode &n = nodes[node];
  std::vector<int64_t> indices;
  for (size_t i = 0; i < keep.size(); ++i)
    if (keep[i])
      indices.push_back(static_cast<int64_t>(i));
  Numbers kept = pool->intern(std::move(indices));
  for (int index : n.edges) {
    ReducedEdge &edge = edges[index];
    size_t columns = nodes[edge.to].size(); // of `node` itself: still the old number
    edge.normalized = false;
    if (node == edge.from) {
      edge.costs = select(edge.costs, kept, columns);
      continue;
    }
    edge.costs = pool->once(Step::SelectColumns, {edge.costs, kept, columns}, [&] {
      std::vector<int64_t> selected;
      for (size_t row = 0; row < edge.costs->size(); row += columns)
        for (int64_t column : *kept)
          selected.push_back((*edge.costs)[row + column]);
      return Made{pool->intern(std::move(selected))};
    })[0];
  }
  for (PointUse &use : n.uses)
    use.bytes = select(use.bytes, kept);
  n.labels = select(n.labels, kept);
  n.costs = select(n.costs, kept);
  infeasible |= n.size() == 0;
}

/// {normalized matrix, what rows pay at least, then columns}; null: all zero. A forbidden entry
/// stays so; rows and columns of nothing else pay kForbidden.
static Made normalized(ArrayPool &pool, llvm::ArrayRef<int64_t> matrix, size_t columns) {
  std::vector<int64_t> costs = matrix, rowLeast, columnLeast(columns, kForbidden);
  auto lower = [](int64_t cost, int64_t least) { return cost < kForbidden ? cost - least : cost; };
  for (size_t row = 0; row < costs.size(); row += columns) {
    auto entries = llvm::MutableArrayRef(costs).slice(row, columns);
    rowLeast.push_back(*llvm::min_element(entries));
    for (size_t j = 0; j < columns; ++j) {
      entries[j] = lower(entries[j], rowLeast.back());
      columnLeast[j] = std::min(columnLeast[j], entries[j]);
    }
  }
  for (size_t i = 0; i < costs.size(); ++i)
    costs[i] = lower(costs[i], columnLeast[i % columns]);
  auto unlessZero = [&](std::vector<int64_t> numbers) {
    return llvm::all_of(numbers, [](int64_t number) { return number == 0; }) ? nullptr : pool.intern(std::move(numbers));
  };
  return {unlessZero(std::move(costs)), unlessZero(std::move(rowLeast)), unlessZero(std::move(columnLeast))};
}

bool ReducedProblem::normalizeEdge(int index) {
  ReducedEdge &edge = edges[index];
  if (edge.normalized)
    return false;
  edge.normalized = true;
  size_t columns = nodes[edge.to].size();
  const Made &made = pool->once(Step::Normalize, {edge.costs, columns}, [&] { return normalized(*pool, *edge.costs, columns); });
  bool changed = !made[0];
  for (auto [node, shift] : {std::pair(edge.from, &made[1]), std::pair(edge.to, &made[2])}) {
    if (!*shift)
      continue;
    Numbers costs = add(nodes[node].costs, *shift);
    changed |= costs != nodes[node].costs;
    nodes[node].costs = std::move(costs);
  }
  if (made[0])
    edge.costs = made[0];
  else
    removeEdge(index);
  return changed;
}

void ReducedProblem::liftLeastCost(int node) {
  Numbers &costs = nodes[node].costs;
  int64_t least = *llvm::min_element(*costs);
  if (least == 0 || least >= kForbidden)
    return;
  constant = addCost(constant, least);
  infeasible |= constant >= kForbidden;
  costs = pool->once(Step::Lift, {costs}, [&] {
    std::vector<int64_t> rest = *costs;
    for (int64_t &cost : rest)
      cost -= cost < kForbidden ? least : 0;
    return Made{pool->intern(std::move(rest))};
  })[0];
}

void ReducedProblem::addEdge(int node, int other, Numbers costs) {
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
  if (edge.from != node)
    costs = pool->once(Step::Transpose, {costs, columns}, [&] {
      std::vector<int64_t> transposed(costs->size());
      for (size_t i = 0; i < transposed.size(); ++i)
        transposed[i % columns * rows + i / columns] = (*costs)[i];
      return Made{pool->intern(std::move(transposed))};
    })[0];
  edge.costs = add(edge.costs, costs);
}

void ReducedProblem::removeEdge(int index) {
  ReducedEdge &edge = edges[index];
  unlink(edge.from, edge.fromPlace);
  unlink(edge.to, edge.toPlace);
  edge.gone = true;
  edge.costs = nullptr;
}

/// In constant time: some nodes have thousands of edges.
void ReducedProblem::unlink(int node, size_t place) {
  EdgeList &list = nodes[node].edges;
  ReducedEdge &last = edges[list[place] = list.back()];
  (last.from == node ? last.fromPlace : last.toPlace) = place;
  list.pop_back();
}

void ReducedProblem::detach(int node) {
  EdgeList incident = nodes[node].edges;
  for (int index : incident)
    removeEdge(index);
  nodes[node].gone = true;
}

/// By strategy of the other end, what the edge costs with `strategies`: one of `node` for all, or one for each.
Numbers ReducedProblem::along(const ReducedEdge &edge, int node, const Numbers &strategies) {
  llvm::SmallVector<ArrayPool::Input, 4> inputs = seenFrom(edge, node);
  inputs.push_back(strategies);
  return pool->once(Step::Along, inputs, [&] {
    std::vector<int64_t> costs;
    for (size_t i = 0, count = nodes[edge.other(node)].size(); i < count; ++i)
      costs.push_back(edgeCost(edge, node, (*strategies)[strategies->size() == 1 ? 0 : i], i));
    return Made{pool->intern(std::move(costs))};
  })[0];
}

/// Rows of the edge's costs: those of `strategies` of `node`, by strategy of the other end.
Numbers ReducedProblem::rowsOf(const ReducedEdge &edge, int node, const Numbers &strategies) {
  size_t columns = nodes[edge.other(node)].size();
  llvm::SmallVector<ArrayPool::Input, 6> inputs = {strategies, columns};
  llvm::append_range(inputs, seenFrom(edge, node));
  return pool->once(Step::Rows, inputs, [&] {
    std::vector<int64_t> costs;
    for (int64_t strategy : *strategies)
      for (size_t j = 0; j < columns; ++j)
        costs.push_back(edgeCost(edge, node, strategy, j));
    return Made{pool->intern(std::move(costs))};
  })[0];
}

void ReducedProblem::fix(int node, size_t strategy) {
  ReducedNode &n = nodes[node];
  Numbers chosen = pool->intern({static_cast<int64_t>(strategy)});
  for (int index : n.edges) {
    Numbers &costs = nodes[edges[index].other(node)].costs;
    costs = add(costs, along(edges[index], node, chosen));
  }
  for (const PointUse &use : n.uses) {
    taken[use.begin] += (*use.bytes)[strategy];
    taken[use.end] -= (*use.bytes)[strategy];
  }
  constant = addCost(constant, (*n.costs)[strategy]);
  infeasible |= constant >= kForbidden;
  rules.push_back({.node = node, .first = -1, .second = -1, .table = chosen, .labels = n.labels, .firstLabels = nullptr, .secondLabels = nullptr});
  n.uses.clear();
  detach(node);
}

void ReducedProblem::follow(int node, int leader, Numbers strategies) {
  ReducedNode &n = nodes[node], &l = nodes[leader];
  rules.push_back({.node = node, .first = leader, .second = -1, .table = strategies, .labels = n.labels, .firstLabels = l.labels, .secondLabels = nullptr});
  l.costs = add(l.costs, select(n.costs, strategies));
  for (PointUse &use : n.uses)
    l.uses.push_back({.begin = use.begin, .end = use.end, .bytes = select(use.bytes, strategies)});
  EdgeList incident = n.edges;
  for (int index : incident) {
    int other = edges[index].other(node);
    if (other == leader) {
      l.costs = add(l.costs, along(edges[index], node, strategies));
      continue;
    }
    addEdge(leader, other, rowsOf(edges[index], node, strategies));
  }
  n.uses.clear();
  detach(node);
}

std::vector<int> ReducedProblem::split(int node) {
  std::vector<int> parts = {node};
  while (nodes[node].edges.size() > 1) {
    int index = nodes[node].edges.back(), copy = static_cast<int>(nodes.size());
    ReducedEdge &edge = edges[index];
    nodes[node].edges.pop_back();
    nodes.push_back({.labels = nodes[node].labels, .costs = nodes[node].costs, .uses = nodes[node].uses, .edges = {index}});
    (edge.from == node ? edge.fromPlace : edge.toPlace) = 0;
    (edge.from == node ? edge.from : edge.to) = copy;
    parts.push_back(copy);
  }
  return parts;
}

int ReducedProblem::join(int first, int second) {
  size_t rows = nodes[first].size(), columns = nodes[second].size(), pairs = rows * columns;
  // By pair, the strategy of either end.
  const Made &parts = pool->once(Step::Pairs, {rows, columns}, [&] {
    std::vector<int64_t> row, column;
    for (size_t pair = 0; pair < pairs; ++pair)
      row.push_back(static_cast<int64_t>(pair / columns)), column.push_back(static_cast<int64_t>(pair % columns));
    return Made{pool->intern(firstNumbers(pairs)), pool->intern(std::move(row)), pool->intern(std::move(column))};
  });
  int joined = static_cast<int>(nodes.size());
  nodes.push_back({.labels = parts[0], .costs = add(select(nodes[first].costs, parts[1]), select(nodes[second].costs, parts[2])), .uses = {}, .edges = {}});
  for (int node : {first, second}) {
    const Numbers &part = parts[node == first ? 1 : 2];
    EdgeList incident = nodes[node].edges;
    for (int index : incident) {
      int other = edges[index].other(node);
      if (other != first && other != second)
        addEdge(joined, other, rowsOf(edges[index], node, part));
      else if (node == first) // what joins them: its entries are the pairs, or those of its transpose
        nodes[joined].costs = add(nodes[joined].costs, rowsOf(edges[index], node, pool->intern(firstNumbers(rows))));
    }
    rules.push_back({.node = node, .first = joined, .second = -1, .table = part, .labels = nodes[node].labels, .firstLabels = parts[0], .secondLabels = nullptr});
  }
  detach(first);
  detach(second);
  return joined;
}

void ReducedProblem::bypass(int node) {
  ReducedNode &n = nodes[node];
  const ReducedEdge &firstEdge = edges[n.edges[0]], &secondEdge = edges[n.edges[1]];
  int first = firstEdge.other(node), second = secondEdge.other(node);
  size_t rows = nodes[first].size(), columns = nodes[second].size();
  llvm::SmallVector<ArrayPool::Input, 8> inputs = {n.costs, rows, columns};
  llvm::append_range(inputs, seenFrom(firstEdge, node));
  llvm::append_range(inputs, seenFrom(secondEdge, node));
  const Made &made = pool->once(Step::Bypass, inputs, [&] {
    std::vector<int64_t> costs(rows * columns, kForbidden), table(rows * columns, 0), second;
    for (size_t k = 0; k < n.size(); ++k)
      for (size_t j = 0; j < columns; ++j)
        second.push_back(edgeCost(secondEdge, node, k, j));
    for (size_t i = 0; i < rows; ++i)
      for (size_t k = 0; k < n.size(); ++k)
        if (int64_t head = addCost((*n.costs)[k], edgeCost(firstEdge, node, k, i)); head < kForbidden)
          keepLeastSums(head, llvm::ArrayRef(second).slice(k * columns, columns), static_cast<int64_t>(k), &costs[i * columns],
                        &table[i * columns]);
    return Made{pool->intern(std::move(costs)), pool->intern(std::move(table))};
  });
  rules.push_back({.node = node, .first = first, .second = second, .table = made[1],
                   .labels = n.labels, .firstLabels = nodes[first].labels, .secondLabels = nodes[second].labels});
  Numbers costs = made[0];
  detach(node);
  addEdge(first, second, std::move(costs));
}

std::vector<int> ReducedProblem::expand(llvm::ArrayRef<int> strategies) const {
  std::vector<int> labels(nodes.size());
  for (size_t i = 0; i < nodes.size(); ++i)
    if (!nodes[i].gone)
      labels[i] = nodes[i].label(strategies[i]);
  // A label that has gone since stands for a choice that is never taken.
  auto strategyOf = [](const Numbers &known, int label) -> size_t {
    auto found = llvm::lower_bound(*known, label);
    return found == known->end() ? 0 : found - known->begin();
  };
  for (const Rule &rule : llvm::reverse(rules)) {
    size_t row = rule.first < 0 ? 0 : strategyOf(rule.firstLabels, labels[rule.first]);
    size_t place = rule.second < 0 ? row : row * rule.secondLabels->size() + strategyOf(rule.secondLabels, labels[rule.second]);
    labels[rule.node] = static_cast<int>((*rule.labels)[(*rule.table)[place]]);
  }
  return labels;
}

} // namespace llmpar
