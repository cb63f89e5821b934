//===- ReducedProblem.h - A plan problem that shrinks -----------*- C++ -*-===//
//
// The solver's own form of a PlanProblem. Edits keep the optimum: each one removes strategies, edges or nodes
// and notes how the choice of a removed node follows from those that stay.
//
//   - two nodes are joined by at most one edge
//   - equal arrays are shared, and equal edits made once (ArrayPool.h)
//   - time is a list of points, the steps at which the live bytes may be most
//   - what a node uses at least is part of the capacity: `uses` hold the bytes beyond it
//
//===----------------------------------------------------------------------===//
#ifndef LLMPAR_LIB_PLANNER_REDUCEDPROBLEM_H
#define LLMPAR_LIB_PLANNER_REDUCEDPROBLEM_H

#include "ArrayPool.h"
#include "llmpar/Planner/PlanProblem.h"
#include "llvm/ADT/ArrayRef.h"

namespace llmpar {

/// Bytes by strategy at points [begin, end).
struct PointUse {
  int begin = 0, end = 0;
  Numbers bytes;
};

using Uses = llvm::SmallVector<PointUse, 1>;
using EdgeList = llvm::SmallVector<int, 4>; ///< indices

struct ReducedNode {
  Numbers labels;              ///< of the strategies that are left, ascending; a label never changes its meaning
  Numbers costs;               ///< by strategy
  Uses uses;                   ///< after tightenMemory they do not overlap, and are 0 for some strategy at every point
  EdgeList edges;
  bool gone = false;
  size_t size() const { return costs->size(); }
  int label(size_t strategy) const { return static_cast<int>((*labels)[strategy]); }
};

struct ReducedEdge {
  int from = 0, to = 0;
  Numbers costs;              ///< row-major: strategy of `from`, of `to`
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

  /// The same without any use of memory.
  ReducedProblem withoutMemory() const;

  /// Whether most edges share their matrix with several others.
  bool repeats() const;

  /// Cost of strategy `mine` of `node` and `theirs` of the other end.
  int64_t edgeCost(const ReducedEdge &edge, int node, size_t mine, size_t theirs) const {
    return (*edge.costs)[node == edge.from ? mine * nodes[edge.to].size() + theirs : theirs * nodes[edge.to].size() + mine];
  }

  void keepStrategies(int node, llvm::ArrayRef<char> keep);
  /// Moves what every strategy of one end pays at least to that end, and removes the edge if nothing is left.
  /// Strategies without a partner end up forbidden. Returns true if anything changed.
  bool normalizeEdge(int edge);
  /// Adds `costs` (from x to, of `node` x `other`) to the edge between them.
  void addEdge(int node, int other, Numbers costs);
  void removeEdge(int edge);

  /// `node` takes its strategy `strategy`; its edges become costs of its neighbors.
  void fix(int node, size_t strategy);
  /// Strategy i of `leader` implies strategy strategies[i] of `node`: both become one. Their edge is paid by `leader`.
  void follow(int node, int leader, Numbers strategies);
  /// Moves what every strategy costs at least to `constant`: equal blocks stay equal behind blocks of other costs.
  void liftLeastCost(int node);
  /// Leaves `node` one of its edges, and the others to new nodes of the same strategies, costs and uses, one for each.
  /// Returns it and them. Their costs are the caller's to divide.
  std::vector<int> split(int node);
  /// Replaces two nodes without memory by a new one, whose strategies are their pairs. Returns it.
  int join(int first, int second);
  /// Replaces a node without memory that has two edges by an edge between its neighbors.
  void bypass(int node);

  /// Lowers capacities by what is used at least, drops points that cannot overflow or that others imply, and
  /// strategies that no plan within the capacities has. Returns the nodes that lost strategies.
  std::vector<int> tightenMemory();

  /// Choices of all nodes of the problem that this one comes from. `strategies` by node; those of nodes that are
  /// gone are ignored.
  std::vector<int> expand(llvm::ArrayRef<int> strategies) const;

  ArrayPool &arrays() const { return *pool; }
  /// What a step on the matrix of an edge depends on: the matrix, which of its ends `node` is, its columns.
  llvm::SmallVector<ArrayPool::Input, 4> seenFrom(const ReducedEdge &edge, int node) const {
    return {edge.costs, uint64_t(node == edge.from), nodes[edge.to].size()};
  }

private:
  explicit ReducedProblem(std::shared_ptr<ArrayPool> pool) : pool(std::move(pool)) {}
  /// The strategy of `node` follows from those of up to two others: table[strategy of first * columns + of second].
  /// Strategies are numbered as they were then; the labels say which they are.
  struct Rule {
    int node, first, second;
    Numbers table, labels, firstLabels, secondLabels;
  };
  std::shared_ptr<ArrayPool> pool;
  std::vector<Rule> rules;
  std::vector<int64_t> taken; // bytes of fixed nodes by point, as changes from one point to the next; not yet in `capacity`

  void addTimePoints(const PlanProblem &problem);
  Numbers select(const Numbers &values, const Numbers &kept, size_t width = 1);
  Numbers add(const Numbers &a, const Numbers &b);
  Numbers rowsOf(const ReducedEdge &edge, int node, const Numbers &strategies);
  Numbers along(const ReducedEdge &edge, int node, const Numbers &strategies);
  bool takeLeastUse();
  std::vector<int> dropCostlyStrategies();
  void dropPoints();
  void detach(int node);
  void unlink(int node, size_t place);
};

} // namespace llmpar

#endif // LLMPAR_LIB_PLANNER_REDUCEDPROBLEM_H
