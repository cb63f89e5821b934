//===- ChooseBranch.cpp - Where to split a subproblem ----------------------===//
#include "ChooseBranch.h"

#include "llvm/ADT/STLExtras.h"
#include <cmath>

namespace llmpar {
namespace {

constexpr size_t maxCandidates = 20;
constexpr int probeSteps = 1;

/// Price of the bytes of each strategy. `before`: price of all points before a point.
std::vector<double> memoryWorth(const CoreNode &node, llvm::ArrayRef<double> before) {
  std::vector<double> worth(node.size(), 0);
  for (const PointUse &use : node.uses)
    for (size_t i = 0; i < node.size(); ++i)
      worth[i] += (before[use.end] - before[use.begin]) * double((*use.bytes)[i]);
  return worth;
}

/// Strategies of a node of the core in two halves.
struct Split {
  int node;
  double deviation;
  std::vector<char> large; ///< by strategy
};

/// The nodes that waver most between strategies of different memory.
std::vector<Split> findSplits(const Core &core, const PriceAscent &ascent) {
  std::vector<double> before(core.capacity.size() + 1, 0);
  for (size_t i = 0; i < core.capacity.size(); ++i)
    before[i + 1] = before[i] + ascent.bestPrices()[i];
  double count = double(ascent.suggestions().size());
  std::vector<Split> splits;
  for (size_t index = 0; index < core.nodes.size(); ++index) {
    std::vector<double> worth = memoryWorth(core.nodes[index], before);
    double mean = 0;
    Split split{.node = static_cast<int>(index), .deviation = 0, .large = {}};
    for (const std::vector<int> &choice : ascent.suggestions())
      mean += worth[choice[index]] / count;
    for (const std::vector<int> &choice : ascent.suggestions())
      split.deviation += std::abs(worth[choice[index]] - mean) / count;
    for (double w : worth)
      split.large.push_back(w > mean);
    bool divides = llvm::is_contained(split.large, 0) && llvm::is_contained(split.large, 1); // rounding may say otherwise
    if (split.deviation > 0 && divides)
      splits.push_back(std::move(split));
  }
  llvm::sort(splits, [](const Split &a, const Split &b) { return std::pair(-a.deviation, a.node) < std::pair(-b.deviation, b.node); });
  if (splits.size() > maxCandidates)
    splits.resize(maxCandidates);
  return splits;
}

/// The bound of one half, after a few steps.
double probe(const Core &core, DualBound dual, const PriceAscent &ascent, int node, llvm::ArrayRef<char> excluded, double limit) {
  dual.penalize(node, excluded, 2 * (limit - ascent.best()));
  PriceAscent half(core, dual, ascent.bestPrices());
  for (int i = 0; i < probeSteps && half.best() < limit; ++i)
    half.step(limit);
  return std::min(half.best(), limit);
}

const Split &strongest(llvm::ArrayRef<Split> splits, const Core &core, const DualBound &dual, const PriceAscent &ascent, double limit) {
  const Split *best = &splits.front();
  double bestScore = -kInfinity;
  for (const Split &split : splits) {
    std::vector<char> small;
    for (char large : split.large)
      small.push_back(!large);
    double low = probe(core, dual, ascent, split.node, split.large, limit), high = probe(core, dual, ascent, split.node, small, limit);
    double score = 5 * std::min(low, high) + std::max(low, high);
    if (score > bestScore)
      bestScore = score, best = &split;
  }
  return *best;
}

Decision bestAlone(const ReducedProblem &sub, const Core &core, const DualBound &dual) {
  double mostSecond = -1;
  Decision best;
  for (size_t index = 0; index < core.nodes.size(); ++index) {
    const CoreNode &node = core.nodes[index];
    llvm::ArrayRef<double> excess = dual.excess(static_cast<int>(index));
    double second = kInfinity;
    int chosen = dual.suggestion()[index];
    for (size_t i = 0; i < node.size(); ++i)
      if (int(i) != chosen)
        second = std::min(second, std::max(0.0, excess[i]));
    if (second <= mostSecond)
      continue;
    mostSecond = second;
    best = {.node = node.reduced, .labels = {sub.nodes[node.reduced].label(chosen)}};
  }
  return best;
}

} // namespace

Decision chooseBranch(const ReducedProblem &sub, const Core &core, const DualBound &dual, const PriceAscent &ascent, double limit) {
  std::vector<Split> splits = findSplits(core, ascent);
  if (splits.empty())
    return bestAlone(sub, core, dual);
  const Split &split = limit < kInfinity && splits.size() > 1 ? strongest(splits, core, dual, ascent, limit) : splits.front();
  int node = core.nodes[split.node].reduced;
  Decision decision{.node = node, .labels = {}};
  for (auto [label, large] : llvm::zip(*sub.nodes[node].labels, split.large))
    if (!large)
      decision.labels.push_back(static_cast<int>(label));
  return decision;
}

} // namespace llmpar
