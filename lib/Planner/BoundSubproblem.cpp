//===- BoundSubproblem.cpp - Presolve, bound, fix, suggest -----------------===//
#include "BoundSubproblem.h"

#include "ChooseBranch.h"
#include "Presolve.h"
#include "llvm/ADT/STLExtras.h"
#include <cmath>

namespace llmpar {

constexpr int checkInterval = 16;        // steps between looks at the clock and at progress
constexpr double leastRemoved = 0.05;    // of the strategies, to presolve and bound again

void restrictTo(ReducedProblem &problem, const Decision &decision) {
  const ReducedNode &node = problem.nodes[decision.node];
  if (node.gone)
    return;
  std::vector<char> keep;
  for (int64_t label : *node.labels)
    keep.push_back(llvm::is_contained(decision.labels, label));
  problem.keepStrategies(decision.node, keep);
}

/// Nodes whose recent suggestions agree.
static std::vector<Preference> findPreferences(const ReducedProblem &sub, const Core &core, const DualBound &dual, const PriceAscent &ascent) {
  std::vector<Preference> preferences;
  for (size_t index = 0; index < core.nodes.size(); ++index) {
    int chosen = dual.suggestion()[index];
    double disagree = 0, margin = kInfinity;
    for (const std::vector<int> &choice : ascent.suggestions())
      disagree += choice[index] != chosen;
    llvm::ArrayRef<double> excess = dual.excess(static_cast<int>(index));
    for (size_t i = 0; i < excess.size(); ++i)
      if (int(i) != chosen)
        margin = std::min(margin, excess[i]);
    int node = core.nodes[index].reduced;
    preferences.push_back({.margin = disagree > 0 ? -disagree : margin, .node = node, .label = sub.nodes[node].label(chosen)});
  }
  llvm::sort(preferences, [](const Preference &a, const Preference &b) { return std::pair(-a.margin, a.node) < std::pair(-b.margin, b.node); });
  return preferences;
}

SubproblemBounder::Result SubproblemBounder::bound(ReducedProblem &sub, const DualSolution &start, Effort effort, Purpose purpose) {
  Result result;
  result.dual = start;
  result.bound = -kInfinity;
  while (true) {
    presolve(sub);
    if (sub.infeasible || sub.constant >= incumbent.cost())
      return {};
    Core core(sub);
    if (core.nodes.empty()) {
      suggest(sub, core, {});
      return {};
    }
    DualBound dual(core);
    warmStart.loadMessages(sub, core, result.dual, dual);
    PriceAscent ascent(core, dual, warmStart.pricesFor(sub, result.dual));
    if (raise(sub, core, dual, ascent, effort))
      return {};
    result.bound = std::max(result.bound, double(sub.constant) + ascent.best() - dual.tolerance());
    result.dual = warmStart.save(sub, core, dual);
    if (purpose == Purpose::Split)
      result.branch = chooseBranch(sub, core, dual, ascent, incumbent.found() ? double(incumbent.cost()) - double(sub.constant) : kInfinity);
    else
      result.preferences = findPreferences(sub, core, dual, ascent);
    size_t strategies = 0;
    for (const CoreNode &node : core.nodes)
      strategies += node.size();
    if (double(removeRuledOut(sub, core, dual)) < leastRemoved * double(strategies))
      return result;
  }
}

/// True if nothing better than the incumbent is left.
bool SubproblemBounder::raise(const ReducedProblem &sub, const Core &core, DualBound &dual, PriceAscent &ascent, Effort effort) {
  double last = -kInfinity, constant = double(sub.constant);
  auto ruledOut = [&] {
    suggest(sub, core, dual.suggestion());
    return incumbent.rulesOut(constant + ascent.best(), dual.tolerance());
  };
  ascent.settle(effort.steps, [&] { return incumbent.shouldStop(); });
  // Without prices sweeps converge steadily; with them a bound may rest for long and then go on.
  double leastProgress = core.capacity.empty() ? std::max(effort.leastProgress, 1e-3) : effort.leastProgress;
  for (int i = 0; i < effort.steps && !ascent.done(); ++i) {
    if (ruledOut())
      return true;
    // Without an incumbent, hope for a little more than there is.
    double target = incumbent.found() ? double(incumbent.cost()) - constant : ascent.best() + 0.05 * std::abs(ascent.best()) + 1;
    if (i % checkInterval == checkInterval - 1) {
      if (incumbent.shouldStop() || ascent.best() - last < leastProgress * (target - ascent.best()))
        break;
      last = ascent.best();
    }
    ascent.step(target);
  }
  ascent.returnToBest(4);
  return ruledOut();
}

void SubproblemBounder::suggest(const ReducedProblem &sub, const Core &core, llvm::ArrayRef<int> choice) {
  if (core.cost(choice) >= incumbent.cost())
    return;
  for (auto [used, capacity] : llvm::zip(core.usage(choice), core.capacity))
    if (used > capacity)
      return;
  std::vector<int> strategies(sub.nodes.size(), 0);
  for (auto [node, strategy] : llvm::zip(core.nodes, choice))
    strategies[node.reduced] = strategy;
  incumbent.offer(extend(sub.expand(strategies)));
}

/// Returns how many strategies went.
size_t SubproblemBounder::removeRuledOut(ReducedProblem &sub, const Core &core, const DualBound &dual) {
  size_t removed = 0;
  double bound = double(sub.constant) + dual.boundBefore(), tolerance = dual.tolerance();
  for (size_t index = 0; index < core.nodes.size(); ++index) {
    std::vector<char> keep;
    for (double excess : dual.excess(static_cast<int>(index)))
      keep.push_back(!incumbent.rulesOut(bound + excess, tolerance));
    size_t gone = llvm::count(keep, 0);
    if (gone > 0)
      sub.keepStrategies(core.nodes[index].reduced, keep);
    removed += gone;
  }
  return removed;
}

} // namespace llmpar
