//===- PeakRange.cpp - What memory any plan needs, unsolved -----------------===//
#include "llmpar/Planner/PeakRange.h"

#include "llvm/ADT/STLExtras.h"

namespace llmpar {

PeakRange peakRange(const PlanProblem &problem) {
  struct Change {
    int64_t step, least, most;
  };
  std::vector<Change> changes;
  for (const PlanNode &node : problem.nodes)
    for (const MemoryUse &use : node.memory) {
      int64_t least = *llvm::min_element(use.bytes), most = *llvm::max_element(use.bytes);
      changes.push_back({use.lifetime.begin, least, most});
      changes.push_back({use.lifetime.end, -least, -most});
    }
  llvm::sort(changes, [](const Change &a, const Change &b) { return a.step < b.step; });
  PeakRange range;
  int64_t least = 0, most = 0;
  for (auto [index, change] : llvm::enumerate(changes)) {
    least += change.least, most += change.most;
    if (index + 1 < changes.size() && changes[index + 1].step == change.step)
      continue;
    range.most = std::max(range.most, most);
    if (least > range.least)
      range.least = least, range.step = change.step;
  }
  return range;
}

std::vector<std::pair<size_t, int64_t>> largestAt(const PlanProblem &problem, int64_t step, size_t count) {
  std::vector<std::pair<size_t, int64_t>> found;
  for (auto [index, node] : llvm::enumerate(problem.nodes)) {
    int64_t bytes = 0;
    for (const MemoryUse &use : node.memory)
      if (use.lifetime.begin <= step && step < use.lifetime.end)
        bytes += *llvm::min_element(use.bytes);
    if (bytes > 0)
      found.push_back({index, bytes});
  }
  llvm::sort(found, [](const auto &a, const auto &b) {
    return std::pair(-a.second, a.first) < std::pair(-b.second, b.first);
  });
  if (found.size() > count)
    found.resize(count);
  return found;
}

} // namespace llmpar
