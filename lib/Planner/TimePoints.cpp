//===- TimePoints.cpp - The steps at which memory can run out ---------------===//
//
// Live bytes grow only where a use begins, so those steps suffice. Of these, a point is implied by its
// neighbor in time if no use ends between them (or begins, for the one before) and the neighbor has no more
// capacity; and a point where all uses at their largest fit needs no watching at all.
//
//===----------------------------------------------------------------------===//
#include "ReducedProblem.h"

#include "llvm/ADT/STLExtras.h"

namespace llmpar {

void ReducedProblem::addTimePoints(const PlanProblem &problem) {
  std::vector<int64_t> steps;
  for (const PlanNode &node : problem.nodes)
    for (const MemoryUse &use : node.memory)
      if (use.lifetime.begin < use.lifetime.end)
        steps.push_back(use.lifetime.begin);
  llvm::sort(steps);
  steps.erase(llvm::unique(steps), steps.end());
  capacity.assign(steps.size(), *problem.memoryLimit);
  auto pointOf = [&](int64_t step) { return static_cast<int>(llvm::lower_bound(steps, step) - steps.begin()); };
  for (auto [from, to] : llvm::zip(problem.nodes, nodes))
    for (const MemoryUse &use : from.memory)
      if (use.lifetime.begin < use.lifetime.end)
        to.uses.push_back({.begin = pointOf(use.lifetime.begin), .end = pointOf(use.lifetime.end), .bytes = pool->intern(use.bytes)});
}

/// Joins neighbors in time of equal bytes.
static void appendUse(Uses &uses, PointUse use) {
  if (use.begin >= use.end)
    return;
  if (!uses.empty() && uses.back().end == use.begin && uses.back().bytes == use.bytes)
    uses.back().end = use.end;
  else
    uses.push_back(std::move(use));
}

/// The sum of `uses` as a list that does not overlap.
static Uses sumOverTime(Uses uses, size_t strategies, ArrayPool &pool) {
  llvm::sort(uses, [](const PointUse &a, const PointUse &b) { return a.begin < b.begin; });
  std::vector<std::pair<int, size_t>> changes; // point, 2 * use + (1 where it ends)
  bool overlap = false;
  for (size_t i = 0; i < uses.size(); ++i) {
    changes.push_back({uses[i].begin, 2 * i}), changes.push_back({uses[i].end, 2 * i + 1});
    overlap |= i > 0 && uses[i].begin < uses[i - 1].end;
  }
  Uses sums;
  if (!overlap) {
    for (PointUse &use : uses)
      appendUse(sums, std::move(use));
    return sums;
  }
  llvm::sort(changes);
  std::vector<int64_t> live(strategies, 0);
  for (size_t i = 0; i + 1 < changes.size(); ++i) {
    auto [point, change] = changes[i];
    for (size_t k = 0; k < strategies; ++k)
      live[k] += (change & 1 ? -1 : 1) * (*uses[change / 2].bytes)[k];
    if (point < changes[i + 1].first)
      appendUse(sums, {.begin = point, .end = changes[i + 1].first, .bytes = pool.intern(live)});
  }
  return sums;
}

std::vector<int> ReducedProblem::tightenMemory() {
  std::vector<int> touched;
  while (!capacity.empty() && !infeasible && takeLeastUse()) {
    std::vector<int> lost = dropCostlyStrategies();
    if (lost.empty()) {
      dropPoints();
      break;
    }
    touched.insert(touched.end(), lost.begin(), lost.end());
  }
  return touched;
}

/// Moves what every strategy uses into the capacity. False if that does not suffice.
bool ReducedProblem::takeLeastUse() {
  std::vector<int64_t> change = std::move(taken);
  taken.assign(change.size(), 0);
  for (ReducedNode &node : nodes) {
    Uses uses;
    for (PointUse &use : sumOverTime(std::move(node.uses), node.size(), *pool)) {
      int64_t least = *llvm::min_element(*use.bytes);
      change[use.begin] += least;
      change[use.end] -= least;
      const Made &made = pool->once(Step::Lower, {use.bytes}, [&] {
        std::vector<int64_t> rest = *use.bytes;
        for (int64_t &bytes : rest)
          bytes -= least;
        return Made{llvm::any_of(rest, [](int64_t bytes) { return bytes > 0; }) ? pool->intern(std::move(rest)) : nullptr};
      });
      if (made[0])
        appendUse(uses, {.begin = use.begin, .end = use.end, .bytes = made[0]});
    }
    node.uses = std::move(uses);
  }
  int64_t least = 0;
  for (size_t point = 0; point < capacity.size(); ++point) {
    least += change[point];
    capacity[point] -= least;
    infeasible |= capacity[point] < 0;
  }
  return !infeasible;
}

/// Strategies that alone overflow some point.
std::vector<int> ReducedProblem::dropCostlyStrategies() {
  std::vector<int> lost;
  int64_t leastRoom = *llvm::min_element(capacity);
  for (size_t index = 0; index < nodes.size(); ++index) {
    ReducedNode &node = nodes[index];
    std::vector<char> keep(node.size(), true);
    for (const PointUse &use : node.uses) {
      if (*llvm::max_element(*use.bytes) <= leastRoom)
        continue;
      int64_t room = *std::min_element(capacity.begin() + use.begin, capacity.begin() + use.end);
      for (size_t i = 0; i < keep.size(); ++i)
        keep[i] &= (*use.bytes)[i] <= room;
    }
    if (node.gone || !llvm::is_contained(keep, 0))
      continue;
    keepStrategies(static_cast<int>(index), keep);
    lost.push_back(static_cast<int>(index));
  }
  return lost;
}

void ReducedProblem::dropPoints() {
  size_t count = capacity.size();
  std::vector<int64_t> change(count + 1, 0);
  std::vector<char> begins(count + 1, false), ends(count + 1, false);
  for (ReducedNode &node : nodes) {
    for (const PointUse &use : node.uses) {
      int64_t most = *llvm::max_element(*use.bytes);
      change[use.begin] += most;
      change[use.end] -= most;
      begins[use.begin] = ends[use.end] = true;
    }
  }
  std::vector<int> kept;
  // Whether uses begin or end between the last kept point and this one.
  bool begun = false, ended = false;
  int64_t most = 0;
  for (size_t point = 0; point < count; ++point) {
    most += change[point];
    begun |= begins[point];
    ended |= ends[point];
    if (most <= capacity[point])
      continue;
    if (!kept.empty() && !begun && capacity[kept.back()] <= capacity[point])
      continue; // implied by the last one
    if (!kept.empty() && !ended && capacity[point] <= capacity[kept.back()])
      kept.pop_back(); // the last one is implied
    kept.push_back(static_cast<int>(point));
    begun = ended = false;
  }
  auto pointOf = [&](int point) { return static_cast<int>(llvm::lower_bound(kept, point) - kept.begin()); };
  for (ReducedNode &node : nodes) {
    for (PointUse &use : node.uses)
      use.begin = pointOf(use.begin), use.end = pointOf(use.end);
    node.uses = sumOverTime(std::move(node.uses), node.size(), *pool);
  }
  for (size_t i = 0; i < kept.size(); ++i)
    capacity[i] = capacity[kept[i]], points[i] = points[kept[i]];
  capacity.resize(kept.size());
  points.resize(kept.size());
  taken.assign(kept.size() + 1, 0);
}

} // namespace llmpar
