//===- DualBound.h - Bounds by prices and messages --------------*- C++ -*-===//
//
// A lower bound of a core's cost: memory is bought at a price per byte and point (Lagrangian relaxation), and
// edges shift costs to their ends by messages (local polytope) until every node may choose on its own.
//
//   bound = sum over nodes of min(costs + prices * bytes + messages)
//         + sum over edges of min(costs - messages) - prices * capacity
//
// This holds whatever the prices (not negative) and messages are. `sweep` improves the messages by sequential
// tree-reweighted message passing (TRW-S, Kolmogorov, TPAMI 2006), so that the bound never falls.
//
//===----------------------------------------------------------------------===//
#ifndef LLMPAR_LIB_PLANNER_DUALBOUND_H
#define LLMPAR_LIB_PLANNER_DUALBOUND_H

#include "Core.h"

namespace llmpar {

class DualBound {
public:
  explicit DualBound(const Core &core);

  /// One pass over the nodes and one back. Returns the bound, without the core's constant.
  double sweep();
  /// The choice that the last sweep suggests: each node's best given those before it and messages of those after.
  const std::vector<int> &suggestion() const { return choice; }

  const std::vector<double> &prices() const { return price; }
  void setPrices(std::vector<double> prices);

  /// Makes some strategies of a node dearer. A penalty beyond what is of interest excludes them.
  void penalize(int node, llvm::ArrayRef<char> strategies, double penalty);

  /// The messages of an edge to one end, by strategy. After changing some, call `settle`.
  llvm::MutableArrayRef<double> messagesTo(int edge, int node) { return {messageTo(edge, node), core.nodes[node].size()}; }
  llvm::ArrayRef<double> messagesTo(int edge, int node) const { return const_cast<DualBound *>(this)->messagesTo(edge, node); }
  void settle();

  /// The bound before the last sweep.
  double boundBefore() const { return before; }
  /// By strategy of `node`: `boundBefore` plus this bounds the cost of all plans with that strategy from below.
  llvm::ArrayRef<double> excess(int node) const { return llvm::ArrayRef(excesses).slice(nodeBegin[node], core.nodes[node].size()); }
  /// What rounding may add to a bound at most, generously.
  double tolerance() const;

private:
  const Core &core;
  std::vector<double> price;    ///< by point
  double priceOfCapacity = 0;
  std::vector<size_t> nodeBegin, fromBegin, toBegin; ///< where a node's costs and an edge's messages begin
  std::vector<double> ownCosts; ///< by node and strategy: of the core, with penalties
  std::vector<double> costs;    ///< by node and strategy: ownCosts + prices * bytes + messages
  std::vector<double> messages; ///< by edge and end and strategy
  std::vector<double> excesses; ///< by node and strategy
  std::vector<double> shares;   ///< by node
  std::vector<double> total;    ///< of one node, while it chooses
  std::vector<int> choice;
  double before = 0;

  double leastCost(int node) const;
  double boundNow() const;
  double *messageTo(int edge, int node) {
    return &messages[node == core.edges[edge].from ? fromBegin[edge] : toBegin[edge]];
  }
  void pull(int edge, int node);
  void push(int node, double share, bool forward);
  void choose(int node);
};

} // namespace llmpar

#endif // LLMPAR_LIB_PLANNER_DUALBOUND_H
