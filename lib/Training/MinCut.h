//===- MinCut.h - The cheapest nodes that part source from sink -*- C++ -*-===//
//
//   NodeCut cut(3);                    source -> 0 -> 1 -> sink, 0 -> 2 -> sink
//   cut.connectSource(0);
//   cut.addEdge(0, 1); ...
//   cut.weight = {5, 2, 2};
//   cut.solve()                        {1, 2}: 4 is less than 5
//
//===----------------------------------------------------------------------===//
#ifndef LLMPAR_LIB_TRAINING_MINCUT_H
#define LLMPAR_LIB_TRAINING_MINCUT_H

#include <cstddef>
#include <cstdint>
#include <vector>

namespace llmpar {

class NodeCut {
public:
  explicit NodeCut(int nodes);

  void setWeight(int node, int64_t weight);
  void addEdge(int from, int to);
  void connectSource(int node);
  void connectSink(int node);
  /// Nodes of the least total weight without which no path leads from source to sink; of several such sets the one
  /// next to the sink. Weights are not negative. By augmenting paths in levels (Dinic, 1970).
  std::vector<int> solve();

private:
  struct Edge {
    int to, reverse; ///< index of the opposite edge at `to`
    int64_t capacity;
  };
  std::vector<std::vector<Edge>> edges; ///< of 2 n and 2 n + 1, what goes into and out of node n, and source and sink
  std::vector<int> level;
  std::vector<size_t> next;

  int source() const { return static_cast<int>(edges.size()) - 2; }
  int sink() const { return static_cast<int>(edges.size()) - 1; }
  void add(int from, int to, int64_t capacity);
  bool findLevels();
  int64_t push(int node, int64_t limit);
};

} // namespace llmpar

#endif // LLMPAR_LIB_TRAINING_MINCUT_H
