//===- ExtendChoice.h - From a subproblem to the whole ----------*- C++ -*-===//
#ifndef LLMPAR_LIB_PLANNER_EXTENDCHOICE_H
#define LLMPAR_LIB_PLANNER_EXTENDCHOICE_H

#include "ReducedProblem.h"
#include "llvm/ADT/STLExtras.h"
#include <functional>
#include <memory>

namespace llmpar {

/// Makes choices of a problem's strategies a choice for the problem that `solve` was given.
using Extend = std::function<std::vector<int>(std::vector<int>)>;

/// The other way: the strategies of a problem in the incumbent, -1 where it has been removed.
using Project = std::function<std::vector<int>()>;

/// For `problem->liveProblem()`; `next` is for `problem`.
inline Extend extendFrom(std::shared_ptr<const ReducedProblem> problem, Extend next) {
  return [problem, next, live = problem->liveNodes()](std::vector<int> choice) {
    std::vector<int> strategies(problem->nodes.size(), 0);
    for (auto [node, strategy] : llvm::zip(live, choice))
      strategies[node] = strategy;
    return next(problem->expand(strategies));
  };
}

/// For `problem->liveProblem()`; `next` gives labels of `problem`.
inline Project projectTo(std::shared_ptr<const ReducedProblem> problem, Project next) {
  return [problem, next, live = problem->liveNodes()] {
    std::vector<int> labels = next(), strategies;
    for (int node : live) {
      llvm::ArrayRef<int64_t> kept = *problem->nodes[node].labels;
      auto found = llvm::find(kept, labels[node]);
      strategies.push_back(found == kept.end() ? -1 : static_cast<int>(found - kept.begin()));
    }
    return strategies;
  };
}

} // namespace llmpar

#endif // LLMPAR_LIB_PLANNER_EXTENDCHOICE_H
