//===- PlanProblem.h - One choice per node, costs on edges ------*- C++ -*-===//
//
// The intra-operator problem as plain data: every node takes one of its strategies; the sum of node and
// edge costs is to be small while the bytes that live at any step stay within a limit.
//
//   nodes  matmul {column, row}     costs {5, 5}
//          add    {whole, split}    costs {2, 1}
//   edge   matmul -> add            costs [[0, 3],   row: strategy of `from`, column: strategy of `to`
//                                          [9, 4]]
//   best   {column, whole} = 5 + 2 + 0 = 7
//
// This is the structure of the public IOPDDL problems (ASPLOS/EuroSys 2025 contest), with two additions:
// nodes may use memory over several intervals, and edges share cost matrices.
//
//===----------------------------------------------------------------------===//
#ifndef LLMPAR_PLANNER_PLANPROBLEM_H
#define LLMPAR_PLANNER_PLANPROBLEM_H

#include "llmpar/Planner/PackBuffers.h"
#include <optional>
#include <string>

namespace llmpar {

/// A cost that no solution may have; sums saturate here.
inline constexpr int64_t kForbidden = int64_t(1) << 60;

/// Saturating sum of two costs in [0, kForbidden].
inline int64_t addCost(int64_t a, int64_t b) { return std::min(kForbidden, a + b); }

/// Bytes that a node holds over some steps, by strategy.
struct MemoryUse {
  Lifetime lifetime;
  std::vector<int64_t> bytes;
};

struct PlanNode {
  std::string name;               ///< for messages; may be empty
  std::vector<int64_t> costs;     ///< by strategy, at least one; any unit (the compiler's is picoseconds)
  std::vector<MemoryUse> memory;  ///< none, one or several
};

struct PlanEdge {
  int from = 0, to = 0; ///< indices of different nodes; several edges may join the same two
  int matrix = 0;       ///< index into PlanProblem::matrices
};

/// Costs of every pair of strategies, row-major: costs[i * columns + j].
struct CostMatrix {
  int rows = 0, columns = 0;
  std::vector<int64_t> costs;
  int64_t at(int row, int column) const { return costs[size_t(row) * columns + column]; }
};

struct PlanProblem {
  std::string name;
  std::vector<PlanNode> nodes;
  std::vector<PlanEdge> edges;
  std::vector<CostMatrix> matrices;
  std::optional<int64_t> memoryLimit; ///< bytes, at every step
};

/// "node 3 'add'", for messages.
inline std::string describeNode(const PlanProblem &problem, size_t node) {
  const std::string &name = problem.nodes[node].name;
  return "node " + std::to_string(node) + (name.empty() ? "" : " '" + name + "'");
}

/// A strategy for every node.
struct Plan {
  std::vector<int> choice; ///< empty: no plan within the memory limit was found
  int64_t cost = 0;
  int64_t lowerBound = 0;  ///< no plan within the memory limit costs less
  int64_t peakBytes = 0;   ///< most bytes that live at one step
  bool feasible() const { return !choice.empty(); }
  bool optimal() const { return feasible() && cost == lowerBound; }
  /// (cost - lowerBound) / cost; 0 for a cost of 0, 1 without a plan.
  double gap() const { return !feasible() ? 1.0 : cost == 0 ? 0.0 : double(cost - lowerBound) / double(cost); }
};

} // namespace llmpar

#endif // LLMPAR_PLANNER_PLANPROBLEM_H
