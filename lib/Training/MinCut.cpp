//===- MinCut.cpp - The cheapest nodes that part source from sink -----------===//
#include "MinCut.h"

#include <algorithm>
#include <deque>

namespace llmpar {

static constexpr int64_t unlimited = int64_t(1) << 60; // more than all weights together

NodeCut::NodeCut(int nodes) : edges(2 * static_cast<size_t>(nodes) + 2) {}

void NodeCut::add(int from, int to, int64_t capacity) {
  edges[from].push_back({to, static_cast<int>(edges[to].size()), capacity});
  edges[to].push_back({from, static_cast<int>(edges[from].size()) - 1, 0});
}

void NodeCut::setWeight(int node, int64_t weight) { add(2 * node, 2 * node + 1, weight); }
void NodeCut::addEdge(int from, int to) { add(2 * from + 1, 2 * to, unlimited); }
void NodeCut::connectSource(int node) { add(source(), 2 * node, unlimited); }
void NodeCut::connectSink(int node) { add(2 * node + 1, sink(), unlimited); }

/// Distances from the source where capacity is left.
bool NodeCut::findLevels() {
  level.assign(edges.size(), -1);
  level[source()] = 0;
  std::deque<int> queue{source()};
  for (; !queue.empty(); queue.pop_front())
    for (const Edge &edge : edges[queue.front()])
      if (edge.capacity > 0 && level[edge.to] < 0) {
        level[edge.to] = level[queue.front()] + 1;
        queue.push_back(edge.to);
      }
  return level[sink()] >= 0;
}

int64_t NodeCut::push(int node, int64_t limit) {
  if (node == sink())
    return limit;
  for (size_t &i = next[node]; i < edges[node].size(); ++i) {
    Edge &edge = edges[node][i];
    if (edge.capacity == 0 || level[edge.to] != level[node] + 1)
      continue;
    if (int64_t pushed = push(edge.to, std::min(limit, edge.capacity))) {
      edge.capacity -= pushed;
      edges[edge.to][edge.reverse].capacity += pushed;
      return pushed;
    }
  }
  return 0;
}

std::vector<int> NodeCut::solve() {
  while (findLevels()) {
    next.assign(edges.size(), 0);
    while (push(source(), unlimited) > 0)
      continue;
  }
  // What still reaches the sink, backwards over edges with capacity left.
  std::vector<char> reaches(edges.size(), 0);
  reaches[sink()] = 1;
  std::deque<int> queue{sink()};
  for (; !queue.empty(); queue.pop_front())
    for (const Edge &edge : edges[queue.front()])
      if (!reaches[edge.to] && edges[edge.to][edge.reverse].capacity > 0) {
        reaches[edge.to] = 1;
        queue.push_back(edge.to);
      }
  std::vector<int> cut;
  for (int node = 0; 2 * node + 1 < source(); ++node)
    if (!reaches[2 * node] && reaches[2 * node + 1])
      cut.push_back(node);
  return cut;
}

} // namespace llmpar
