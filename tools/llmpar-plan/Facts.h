//===- Facts.h - What one can say about a problem unsolved ------*- C++ -*-===//
#ifndef LLMPAR_TOOLS_PLAN_FACTS_H
#define LLMPAR_TOOLS_PLAN_FACTS_H

#include "llmpar/Planner/PeakRange.h"

namespace llmpar::tool {

struct GraphFacts {
  int components = 0, largestComponent = 0; ///< connected by edges; in nodes
  int parallelEdges = 0;                    ///< edges whose two nodes an earlier edge joins
  /// Most neighbours of a node when nodes are eliminated by least degree: an upper bound of the treewidth. Counting
  /// stops above `widthLimit`.
  int width = 0;
  static constexpr int widthLimit = 200;
};
GraphFacts graphFacts(const PlanProblem &problem);

/// Combinations of strategies; saturates at kForbidden.
int64_t combinations(const PlanProblem &problem);

} // namespace llmpar::tool

#endif // LLMPAR_TOOLS_PLAN_FACTS_H
