//===- BranchAndBound.cpp - Exact search by splitting nodes ----------------===//
#include "BranchAndBound.h"

#include "llvm/ADT/STLExtras.h"
#include <cmath>

namespace llmpar {

BranchAndBound::BranchAndBound(const ReducedProblem &base, SubproblemBounder &bounder, Incumbent &incumbent, SubproblemBounder::Result root, Part part)
    : base(base), bounder(bounder), incumbent(incumbent), part(part) {
  add({.bound = root.bound, .number = created++, .decisions = {}, .dual = std::make_shared<DualSolution>(std::move(root.dual))});
}

void BranchAndBound::add(Open subproblem) {
  open.push_back(std::move(subproblem));
  std::push_heap(open.begin(), open.end());
}

double BranchAndBound::bound() const {
  double lowest = kInfinity;
  for (const Open &subproblem : open)
    if (!incumbent.rulesOut(subproblem.bound, 0))
      lowest = std::min(lowest, subproblem.bound);
  return lowest;
}

bool BranchAndBound::run(int64_t subproblems, SubproblemBounder::Effort effort) {
  left = subproblems;
  while (!open.empty() && left > 0 && !incumbent.shouldStop()) {
    std::pop_heap(open.begin(), open.end());
    Open next = std::move(open.back());
    open.pop_back();
    if (incumbent.rulesOut(next.bound, 0))
      continue;
    if (part == Part::Whole)
      incumbent.raiseLowerBound(static_cast<int64_t>(std::ceil(std::max(0.0, next.bound))));
    plunge(std::move(next), effort);
  }
  return bound() == kInfinity;
}

/// Follows one branch until it is ruled out or solved; what is left beside it stays open.
void BranchAndBound::plunge(Open at, SubproblemBounder::Effort effort) {
  ReducedProblem sub = base;
  for (const Decision &decision : at.decisions)
    restrictTo(sub, decision);
  while (true) {
    if (left <= 0 || incumbent.shouldStop())
      return add(std::move(at));
    --left;
    SubproblemBounder::Result result = bounder.bound(sub, *at.dual, effort);
    if (!result.open())
      return;
    at.bound = std::max(at.bound, result.bound);
    at.dual = std::make_shared<DualSolution>(std::move(result.dual));
    Decision other{.node = result.branch.node, .labels = {}};
    for (int64_t label : *sub.nodes[other.node].labels)
      if (!llvm::is_contained(result.branch.labels, label))
        other.labels.push_back(static_cast<int>(label));
    Open rest = at;
    rest.number = created++;
    rest.decisions.push_back(std::move(other));
    add(std::move(rest));
    restrictTo(sub, result.branch);
    at.number = created++;
    at.decisions.push_back(std::move(result.branch));
  }
}

} // namespace llmpar
