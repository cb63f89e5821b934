//===- ReducedProblem.h - A plan problem that shrinks -----------*- C++ -*-===//
//
// The solver's own form of a PlanProblem. Edits keep the optimum: each one removes strategies, edges or nodes
// and notes how the choice of a removed node follows from those that stay.
//
//   - two nodes are joined by at most one edge, whose matrix belongs to it alone
//   - time is a list of points, the steps at which the live bytes may be most
//   - what a node uses at least is part of the capacity: `uses` hold the bytes beyond it
//
//===----------------------------------------------------------------------===//
#ifndef LLMPAR_LIB_PLANNER_REDUCEDPROBLEM_H
#define LLMPAR_LIB_PLANNER_REDUCEDPROBLEM_H

#include "llmpar/Planner/PlanProblem.h"
#include "llvm/ADT/ArrayRef.h"

namespace llmpar {

/// Bytes by strategy at points [begin, end).
struct PointUse {
  int begin = 0, end = 0;
  std::vector<int64_t> bytes;
};

struct ReducedNode {
  std::vector<int> labels;     ///< of the strategies that are left; a label never changes its meaning
  std::vector<int64_t> costs;  ///< by strategy
  std::vector<PointUse> uses;  ///< after tightenMemory they do not overlap, and are 0 for some strategy at every point
  std::vector<int> edges;
  bool gone = false;
  size_t size() const { return costs.size(); }
};

struct ReducedEdge {
  int from = 0, to = 0;
  std::vector<int64_t> costs; ///< row-major: strategy of `from`, of `to`
  bool normalized = false;    ///< every strategy of either end has a partner at no cost, or none at all
  bool gone = false;
  size_t fromPlace = 0, toPlace = 0; ///< in the lists of edges of its ends
  int other(int node) const { return node == from ? to : from; }
};

class ReducedProblem {
public:
  explicit ReducedProblem(const PlanProblem &problem);

  std::vector<ReducedNode> nodes;
  std::vector<ReducedEdge> edges;
  std::vector<int64_t> capacity; ///< bytes by point, for `uses`
  std::vector<int> points;       ///< what the points are in the problem that this one comes from
  int64_t constant = 0;          ///< cost of what has been decided
  bool infeasible = false;       ///< some node has no strategy left, or some point not enough bytes

  /// The nodes that are not gone, in order.
  std::vector<int> liveNodes() const;
  /// What is left as a problem of its own, whose nodes are `liveNodes` and whose labels are their strategies.
  ReducedProblem liveProblem() const;

  /// Cost of strategy `mine` of `node` and `theirs` of the other end.
  int64_t edgeCost(const ReducedEdge &edge, int node, size_t mine, size_t theirs) const {
    return node == edge.from ? edge.costs[mine * nodes[edge.to].size() + theirs]
                             : edge.costs[theirs * nodes[edge.to].size() + mine];
  }

  void keepStrategies(int node, llvm::ArrayRef<char> keep);
  /// Moves what every strategy of one end pays at least to that end, and removes the edge if nothing is left.
  /// Strategies without a partner end up forbidden. Returns true if anything changed.
  bool normalizeEdge(int edge);
  /// Adds `costs` (from x to, of `node` x `other`) to the edge between them.
  void addEdge(int node, int other, std::vector<int64_t> costs);
  void removeEdge(int edge);

  /// `node` takes its strategy `strategy`; its edges become costs of its neighbors.
  void fix(int node, size_t strategy);
  /// Strategy i of `leader` implies strategy follower[i] of `node`: both become one. Their edge is paid by `leader`.
  void follow(int node, int leader, llvm::ArrayRef<int> strategies);
  /// Replaces a node without memory that has two edges by an edge between its neighbors.
  void bypass(int node);

  /// Lowers capacities by what is used at least, drops points that cannot overflow or that others imply, and
  /// strategies that no plan within the capacities has. Returns the nodes that lost strategies.
  std::vector<int> tightenMemory();

  /// Choices of all nodes of the problem that this one comes from. `strategies` by node; those of nodes that are
  /// gone are ignored.
  std::vector<int> expand(llvm::ArrayRef<int> strategies) const;

private:
  ReducedProblem() = default;
  /// The label of `node` follows from those of up to two others: table[label(first) * columns + label(second)].
  struct Rule {
    int node, first, second, columns;
    std::vector<int> table;
  };
  std::vector<Rule> rules;
  std::vector<int> labelCount; // by node, before any strategy was removed

  void addTimePoints(const PlanProblem &problem);
  bool takeLeastUse();
  std::vector<int> dropCostlyStrategies();
  void dropPoints();
  void detach(int node);
  void unlink(int node, size_t place);
};

} // namespace llmpar

#endif // LLMPAR_LIB_PLANNER_REDUCEDPROBLEM_H
