//===- Solve.cpp - The intra-operator planner ------------------------------===//
#include "BranchAndBound.h"
#include "Dive.h"
#include "MessageBound.h"
#include "Neighborhoods.h"
#include "Presolve.h"
#include "PricedBound.h"

#include "llvm/ADT/STLExtras.h"
#include <cmath>

namespace llmpar {
namespace {

constexpr SubproblemBounder::Effort rootEffort{.steps = 1000, .leastProgress = 0}, branchEffort{.steps = 50, .leastProgress = 0.02};
constexpr int pricedSteps = 60;
constexpr int64_t firstSearch = 50; // subproblems, before the root is bounded again
constexpr int patience = 40;        // neighborhoods in a row without a better plan

int64_t roundUp(double bound) {
  return bound >= double(kForbidden) ? kForbidden : static_cast<int64_t>(std::ceil(std::max(0.0, bound)));
}

/// Bounds the root with the incumbent so far, improves the incumbent, and searches what that leaves; again and again,
/// since a better incumbent rules out more at the root.
void search(ReducedProblem problem, bool isChain, Extend extend, Project project, Incumbent &incumbent) {
  // Where blocks repeat, prices find good plans; where they are a chain, steps cost little.
  bool repeats = problem.repeats();
  PricedProblem::By by = repeats && isChain ? PricedProblem::By::Elimination : PricedProblem::By::Messages;
  if (repeats && raisePricedBound(problem, std::vector<double>(problem.capacity.size(), 0), extend, incumbent, by, pricedSteps, 0).bound >= kInfinity)
    return incumbent.raiseLowerBound(kForbidden);
  if (incumbent.shouldStop())
    return;
  if (repeats && incumbent.effort() == SolveOptions::Effort::Prices) {
    if (incumbent.found())
      searchSeam(problem, extend, project, incumbent);
    return;
  }
  int64_t subproblems = firstSearch;
  for (uint64_t round = 0;; ++round) {
    SubproblemBounder rootBounder(problem, incumbent, extend);
    auto tight = std::make_shared<ReducedProblem>(problem);
    SubproblemBounder::Result root = rootBounder.bound(*tight, rootBounder.noDual(), rootEffort);
    if (!root.open())
      return incumbent.raiseLowerBound(kForbidden);
    incumbent.raiseLowerBound(roundUp(root.bound));
    presolve(*tight);
    if (tight->infeasible)
      return incumbent.raiseLowerBound(kForbidden);
    problem = tight->liveProblem();
    extend = extendFrom(tight, extend);
    project = projectTo(tight, project);
    if (!problem.capacity.empty()) {
      std::vector<double> prices;
      for (int point : tight->points)
        prices.push_back(root.dual.prices[point]);
      root.bound = std::max(root.bound, raisePricedBound(problem, std::move(prices), extend, incumbent, by, pricedSteps, root.bound).bound);
      incumbent.raiseLowerBound(roundUp(root.bound));
      if (root.bound >= kInfinity)
        return;
    }
    SubproblemBounder bounder(problem, incumbent, extend);
    root.dual = bounder.noDual();
    int64_t cost = incumbent.cost();
    if (!incumbent.found())
      dive(problem, bounder, root.dual, incumbent);
    if (incumbent.found())
      searchNeighborhoods(problem, extend, project, incumbent, patience, round);
    if (incumbent.cost() < cost && !incumbent.shouldStop())
      continue;
    BranchAndBound tree(problem, bounder, incumbent, std::move(root), BranchAndBound::Part::Whole);
    bool finished = false;
    for (; !finished && !incumbent.shouldStop() && incumbent.cost() == cost; subproblems *= 2)
      finished = tree.run(subproblems, branchEffort);
    incumbent.raiseLowerBound(roundUp(tree.bound()));
    if (finished || incumbent.shouldStop())
      return;
  }
}

} // namespace

Plan solve(const PlanProblem &problem, const SolveOptions &options) {
  Incumbent incumbent(problem, options);
  auto reduced = std::make_shared<ReducedProblem>(problem);
  Extend whole = [](std::vector<int> choice) { return choice; };
  // Often the memory limit does not matter: then messages alone prove it.
  ReducedProblem unlimited = reduced->withoutMemory();
  presolve(unlimited);
  if (raiseMessageBound(unlimited, whole, incumbent) >= kInfinity)
    incumbent.raiseLowerBound(kForbidden);
  if (incumbent.shouldStop())
    return incumbent.take();
  presolve(*reduced);
  if (reduced->infeasible)
    incumbent.raiseLowerBound(kForbidden);
  else
    search(reduced->liveProblem(), isChain(unlimited), extendFrom(reduced, whole),
           projectTo(reduced, [&] { return incumbent.choice(); }), incumbent);
  return incumbent.take();
}

} // namespace llmpar
