//===- Incumbent.cpp - The best plan so far --------------------------------===//
#include "Incumbent.h"

#include "llvm/ADT/STLExtras.h"

namespace llmpar {

using Seconds = std::chrono::duration<double>;
constexpr Seconds reportInterval{0.25};

Incumbent::Incumbent(const PlanProblem &problem, const SolveOptions &options)
    : problem(problem), options(options), start(std::chrono::steady_clock::now()), lastReport(start) {}

int64_t Incumbent::costOf(llvm::ArrayRef<int> choice) const {
  int64_t cost = 0;
  for (auto [node, strategy] : llvm::zip(problem.nodes, choice))
    cost = addCost(cost, node.costs[strategy]);
  for (const PlanEdge &edge : problem.edges)
    cost = addCost(cost, problem.matrices[edge.matrix].at(choice[edge.from], choice[edge.to]));
  return cost;
}

int64_t Incumbent::peakOf(llvm::ArrayRef<int> choice) const {
  std::vector<std::pair<int64_t, int64_t>> changes; // step, bytes
  for (auto [node, strategy] : llvm::zip(problem.nodes, choice))
    for (const MemoryUse &use : node.memory)
      if (use.lifetime.begin < use.lifetime.end && use.bytes[strategy] > 0) {
        changes.push_back({use.lifetime.begin, use.bytes[strategy]});
        changes.push_back({use.lifetime.end, -use.bytes[strategy]});
      }
  llvm::sort(changes);
  int64_t live = 0, peak = 0;
  for (auto [step, bytes] : changes)
    peak = std::max(peak, live += bytes);
  return peak;
}

bool Incumbent::offer(std::vector<int> choice) {
  int64_t total = costOf(choice);
  if (total >= cost())
    return false;
  int64_t peak = peakOf(choice);
  if (peak > problem.memoryLimit.value_or(peak))
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
  if (found())
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
