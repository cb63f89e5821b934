//===- Core.cpp - What is left to decide, laid out for speed ---------------===//
#include "Core.h"

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/STLExtras.h"

namespace llmpar {
namespace {

double toDouble(int64_t cost) { return cost >= kForbidden ? kInfinity : double(cost); }

/// Nodes that stay, by breadth-first search; each part of the graph starts where a first search ended.
std::vector<int> orderNodes(const ReducedProblem &problem) {
  std::vector<int> order;
  std::vector<char> seen(problem.nodes.size(), false);
  auto search = [&](int start, std::vector<char> &visited) {
    std::vector<int> found = {start};
    visited[start] = true;
    for (size_t i = 0; i < found.size(); ++i)
      for (int edge : problem.nodes[found[i]].edges)
        if (int other = problem.edges[edge].other(found[i]); !visited[other]) {
          visited[other] = true;
          found.push_back(other);
        }
    return found;
  };
  std::vector<char> probed = seen;
  for (size_t node = 0; node < problem.nodes.size(); ++node) {
    if (problem.nodes[node].gone || seen[node])
      continue;
    int end = search(static_cast<int>(node), probed).back();
    std::vector<int> part = search(end, seen);
    order.insert(order.end(), part.begin(), part.end());
  }
  return order;
}

struct BothWays {
  SharedPairs down, across;
};

BothWays bothWays(llvm::ArrayRef<int64_t> matrix, size_t columns) {
  size_t rows = matrix.size() / columns;
  std::vector<double> costs(matrix.size()), transposed(matrix.size());
  for (size_t i = 0; i < matrix.size(); ++i)
    costs[i] = transposed[i % columns * rows + i / columns] = toDouble(matrix[i]);
  return {.down = std::make_shared<PairCosts>(costs, columns), .across = std::make_shared<PairCosts>(transposed, rows)};
}

} // namespace

Core::Core(const ReducedProblem &problem) : capacity(problem.capacity), constant(problem.constant) {
  std::vector<int> order = orderNodes(problem), place(problem.nodes.size(), -1);
  for (int reduced : order) {
    const ReducedNode &node = problem.nodes[reduced];
    place[reduced] = static_cast<int>(nodes.size());
    CoreNode &added = nodes.emplace_back();
    added.reduced = reduced;
    added.uses = node.uses;
    for (int64_t cost : *node.costs)
      added.costs.push_back(toDouble(cost));
  }
  llvm::DenseMap<std::pair<const InternedArray *, size_t>, BothWays> known;
  for (const ReducedEdge &edge : problem.edges) {
    if (edge.gone)
      continue;
    size_t columns = problem.nodes[edge.to].size();
    auto [it, isNew] = known.try_emplace({edge.costs.get(), columns});
    if (isNew)
      it->second = bothWays(*edge.costs, columns);
    const BothWays &pairs = it->second;
    if (place[edge.from] < place[edge.to])
      edges.push_back({.from = place[edge.from], .to = place[edge.to], .costs = pairs.down, .transposed = pairs.across});
    else
      edges.push_back({.from = place[edge.to], .to = place[edge.from], .costs = pairs.across, .transposed = pairs.down});
  }
  llvm::sort(edges, [](const CoreEdge &a, const CoreEdge &b) { return std::pair(a.from, a.to) < std::pair(b.from, b.to); });
  for (auto [index, edge] : llvm::enumerate(edges)) {
    nodes[edge.from].edges.push_back(static_cast<int>(index));
    nodes[edge.to].edges.push_back(static_cast<int>(index));
  }
}

int64_t Core::cost(llvm::ArrayRef<int> choice) const {
  int64_t sum = constant;
  auto add = [&](double cost) { sum = addCost(sum, cost == kInfinity ? kForbidden : static_cast<int64_t>(cost)); };
  for (auto [node, strategy] : llvm::zip(nodes, choice))
    add(node.costs[strategy]);
  for (const CoreEdge &edge : edges)
    add(edge.costs->at(choice[edge.from], choice[edge.to]));
  return sum;
}

std::vector<int64_t> Core::usage(llvm::ArrayRef<int> choice) const {
  std::vector<int64_t> bytes(capacity.size() + 1, 0);
  for (auto [node, strategy] : llvm::zip(nodes, choice))
    for (const PointUse &use : node.uses) {
      bytes[use.begin] += (*use.bytes)[strategy];
      bytes[use.end] -= (*use.bytes)[strategy];
    }
  for (size_t i = 0; i + 1 < bytes.size(); ++i)
    bytes[i + 1] += bytes[i];
  bytes.pop_back();
  return bytes;
}

} // namespace llmpar
