//===- PriceAscent.h - Prices of memory that raise the bound ----*- C++ -*-===//
#ifndef LLMPAR_LIB_PLANNER_PRICEASCENT_H
#define LLMPAR_LIB_PLANNER_PRICEASCENT_H

#include "DualBound.h"
#include <cmath>
#include <deque>

namespace llmpar {

/// Subgradient ascent with Polyak steps: prices rise where the suggested choice uses more than there is, and fall
/// where it uses less. The direction is averaged over steps (as in the volume algorithm: Barahona, Anbil, 2000), and their
/// goal lies a little above the best bound: further while that works, nearer when it does not.
class PriceAscent {
public:
  PriceAscent(const Core &core, DualBound &dual, std::vector<double> prices);

  /// Changes the prices once and sweeps. No bound reaches beyond `limit`. Returns the bound.
  double step(double limit);
  /// Sweeps without changing prices, while that raises the bound noticeably.
  void settle(int sweeps);
  /// Goes back to the prices of the best bound, and sweeps.
  void returnToBest(int sweeps);
  double best() const { return bestBound; }
  const std::vector<double> &bestPrices() const { return bestPrice; }
  /// What was suggested lately. Nodes that waver are where the relaxation mixes strategies.
  const std::deque<std::vector<int>> &suggestions() const { return history; }
  /// Steps have become too small to matter.
  bool done() const { return hope > 0 && hope < 1e-6 * (1 + std::abs(bestBound)); }

private:
  const Core &core;
  DualBound &dual;
  std::deque<std::vector<int>> history;
  std::vector<double> price, bestPrice, direction;
  double bestBound = -kInfinity, bound = -kInfinity;
  double hope = 0; ///< how much better than the best bound the next steps try to be
  int sinceBest = 0;

  double note(double newBound);
};

} // namespace llmpar

#endif // LLMPAR_LIB_PLANNER_PRICEASCENT_H
