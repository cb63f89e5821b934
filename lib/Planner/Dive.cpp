//===- Dive.cpp - A first plan, by rounding the relaxation -----------------===//
#include "Dive.h"

namespace llmpar {

constexpr SubproblemBounder::Effort effort{.steps = 24, .leastProgress = 0.02};
constexpr size_t part = 6; // one in so many of the nodes left is fixed at a time
constexpr int maxRetreats = 12;

void dive(const ReducedProblem &base, SubproblemBounder &bounder, const DualSolution &dual, Incumbent &incumbent) {
  ReducedProblem sub = base;
  DualSolution from = dual;
  std::vector<Preference> preferences;
  size_t batch = 0;
  for (int retreats = 0; !incumbent.shouldStop();) {
    ReducedProblem next = sub;
    for (size_t i = 0; i < batch; ++i)
      restrictTo(next, {.node = preferences[i].node, .labels = {preferences[i].label}});
    int64_t cost = incumbent.cost();
    SubproblemBounder::Result result = bounder.bound(next, from, effort, SubproblemBounder::Purpose::Dive);
    if (result.open()) {
      sub = std::move(next);
      from = std::move(result.dual);
      preferences = std::move(result.preferences);
      batch = std::max<size_t>(1, preferences.size() / part);
      continue;
    }
    if (incumbent.cost() < cost || batch == 0 || ++retreats > maxRetreats)
      return;
    if (batch > 1) {
      batch /= 4;
      batch = std::max<size_t>(1, batch);
      continue;
    }
    // Not that strategy, then.
    Decision others{.node = preferences[0].node, .labels = {}};
    for (int64_t label : *sub.nodes[others.node].labels)
      if (label != preferences[0].label)
        others.labels.push_back(static_cast<int>(label));
    restrictTo(sub, others);
    batch = 0;
  }
}

} // namespace llmpar
