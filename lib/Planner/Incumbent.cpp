//===- Incumbent.cpp - The best plan so far --------------------------------===//
#include "Incumbent.h"

#include "llvm/ADT/STLExtras.h"

namespace llmpar {

using Seconds = std::chrono::duration<double>;
constexpr Seconds reportInterval{0.25};

Incumbent::Incumbent(const PlanProblem &problem, const SolveOptions &options)
    : whole(problem), options(options), start(std::chrono::steady_clock::now()), lastReport(start) {
  for (size_t node = 0; node < problem.nodes.size(); ++node)
    for (auto [index, use] : llvm::enumerate(problem.nodes[node].memory))
      if (use.lifetime.begin < use.lifetime.end)
        for (bool begins : {true, false})
          changes.push_back({.step = begins ? use.lifetime.begin : use.lifetime.end, .node = static_cast<int>(node), .use = static_cast<int>(index), .begins = begins});
  // At one step what ends goes before what begins.
  llvm::sort(changes, [](const UseChange &a, const UseChange &b) {
    return std::tuple(a.step, a.begins, a.node, a.use) < std::tuple(b.step, b.begins, b.node, b.use);
  });
}

int64_t Incumbent::costOf(llvm::ArrayRef<int> choice) const {
  int64_t cost = 0;
  for (auto [node, strategy] : llvm::zip(whole.nodes, choice))
    cost = addCost(cost, node.costs[strategy]);
  for (const PlanEdge &edge : whole.edges)
    cost = addCost(cost, whole.matrices[edge.matrix].at(choice[edge.from], choice[edge.to]));
  return cost;
}

int64_t Incumbent::peakOf(llvm::ArrayRef<int> choice) const {
  int64_t live = 0, peak = 0;
  for (const UseChange &change : changes) {
    int64_t bytes = whole.nodes[change.node].memory[change.use].bytes[choice[change.node]];
    peak = std::max(peak, live += change.begins ? bytes : -bytes);
  }
  return peak;
}

bool Incumbent::offer(std::vector<int> choice) {
  int64_t total = costOf(choice);
  if (total >= cost())
    return false;
  int64_t peak = peakOf(choice);
  if (peak > whole.memoryLimit.value_or(peak))
    return false;
  plan = {.choice = std::move(choice), .cost = total, .lowerBound = 0, .peakBytes = peak};
  return true;
}

void Incumbent::raiseLowerBound(int64_t bound) { lowerBound = std::max(lowerBound, bound); }

bool Incumbent::shouldStop() {
  if (stopped)
    return true;
  auto now = std::chrono::steady_clock::now();
  double seconds = Seconds(now - start).count();
  stopped = seconds > options.timeLimitSeconds;
  if (cost() < kForbidden)
    stopped |= double(cost() - std::min(lowerBound, cost())) <= options.gapLimit * double(cost());
  if (options.progress && now - lastReport > reportInterval) {
    lastReport = now;
    SolveProgress progress{.seconds = seconds, .cost = std::nullopt, .lowerBound = std::min(lowerBound, cost())};
    if (found())
      progress.cost = cost();
    stopped |= !options.progress(progress);
  }
  return stopped;
}

Plan Incumbent::take() {
  plan.lowerBound = std::min(lowerBound, cost());
  return std::move(plan);
}

} // namespace llmpar
