//===- Explain.h - Why a plan gives a node its strategy ---------*- C++ -*-===//
//
//   matmul {column 5, row 5} -> add {whole 2, split 1}, edge [[0, 3], [9, 4]]; plan {column, whole}, cost 7
//
//   Explainer(problem, plan).explain(0)   why does matmul take column?
//     inPlace   row while add stays whole:  5 + 2 + 9 = 16, +9; the edge rises from 0 to 9
//     adjusted  row where add follows:      5 + 1 + 4 = 10, +3; row wins if the edge takes 3 less than its 4
//
//===----------------------------------------------------------------------===//
#ifndef LLMPAR_PLANNER_EXPLAIN_H
#define LLMPAR_PLANNER_EXPLAIN_H

#include "llmpar/Planner/Algorithms.h"
#include "llvm/ADT/ArrayRef.h"

namespace llmpar {

/// A cost that differs between the plan and an alternative.
struct CostTerm {
  bool isEdge = false;
  int index = 0;             ///< of the node or the edge
  int64_t now = 0, then = 0; ///< in the plan, in the alternative
  int64_t rise() const { return then - now; }
};

/// The plan with another strategy for one node, and perhaps for its neighbours.
struct Alternative {
  int strategy = 0;                       ///< of the node
  std::vector<std::pair<int, int>> moved; ///< neighbours that follow, with their strategies
  std::vector<CostTerm> terms;            ///< all that differ, the largest rise first
  int64_t nodeRise = 0;                   ///< of the node's own cost
  int64_t edgeRise = 0;                   ///< of the edges at the node
  int64_t otherRise = 0;                  ///< of neighbours that follow, and of their other edges
  int64_t heldRise = 0;                   ///< bytes that the node holds itself
  int64_t peakBytes = 0;
  int64_t rise() const { return nodeRise + edgeRise + otherRise; }
  /// The one cost that decides against it: if that were `rise()` less, both would cost the same. Null if no single
  /// term is as large as that, or if there is no rise.
  const CostTerm *decisive() const;
};

struct Explanation {
  int node = 0, chosen = 0;
  /// The cheapest alternative within the memory limit with everything else as in the plan.
  std::optional<Alternative> inPlace;
  /// The same where the node's neighbours may follow. They are chosen without regard to memory; where that does not
  /// fit, they stay.
  std::optional<Alternative> adjusted;
  /// The cheapest alternative that costs less than the plan but does not fit: more memory would flip the choice.
  std::optional<Alternative> barred;
};

/// Explains the decisions of one plan. Both must outlive it; the plan is feasible.
class Explainer {
public:
  Explainer(const PlanProblem &problem, const Plan &plan);
  Explanation explain(int node) const;

private:
  const PlanProblem &problem;
  const Plan &plan;
  std::vector<std::vector<int>> edgesOf; ///< by node
  std::vector<int64_t> steps;            ///< where a lifetime begins or ends, sorted
  std::vector<int64_t> live;             ///< bytes from each of `steps` to the next

  using Moves = std::vector<std::pair<int, int>>;
  int64_t edgeCost(int edge, llvm::ArrayRef<std::pair<int, int>> moves) const;
  int strategyOf(int node, llvm::ArrayRef<std::pair<int, int>> moves) const;
  std::optional<Alternative> alternative(Moves moves) const;
  int64_t peakOf(llvm::ArrayRef<std::pair<int, int>> moves) const;
  std::optional<Moves> follow(int node, int strategy) const;
  std::optional<Alternative> cheapestThatFits(int node, std::vector<Alternative> &from, std::optional<Alternative> &barred) const;
};

/// The cheapest plan in which `node` has another strategy, everything else free: the true price of a decision. Not
/// feasible if there is none.
Plan solveWithout(const PlanProblem &problem, const Plan &plan, int node, const SolveOptions &options = {});

/// How few bytes plans can do with.
struct SmallestPeak {
  int64_t atLeast = 0;          ///< no plan's peak is lower
  std::optional<int64_t> found; ///< the lowest peak of a plan that was found; none: no plan was found at any limit
};
/// Halves the interval between a peak that a plan has and one that no plan has, until they meet or time runs out.
/// The problem's own limit does not count.
SmallestPeak smallestPeak(PlanProblem problem, double timeLimitSeconds);

} // namespace llmpar

#endif // LLMPAR_PLANNER_EXPLAIN_H
