//===- PriceSteps.h - Where prices of memory go next ------------*- C++ -*-===//
#ifndef LLMPAR_LIB_PLANNER_PRICESTEPS_H
#define LLMPAR_LIB_PLANNER_PRICESTEPS_H

#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

namespace llmpar {

/// Subgradient ascent with Polyak steps: prices rise where the suggested choice uses more than there is, and fall
/// where it uses less. The direction is averaged over steps (as in the volume algorithm: Barahona, Anbil, 2000), and
/// the goal lies a little above the best bound: further while that works, nearer when it does not.
class PriceSteps {
public:
  explicit PriceSteps(std::vector<double> prices) : price(prices), bestPrice(std::move(prices)), direction(price.size(), 0) {}

  /// The bound of the current prices.
  void note(double bound);
  /// Changes the prices after a choice that uses `usage` bytes by point. No bound reaches beyond `limit`.
  void step(const std::vector<int64_t> &usage, const std::vector<int64_t> &capacity, double limit);
  void returnToBest() { price = bestPrice; }

  const std::vector<double> &prices() const { return price; }
  const std::vector<double> &bestPrices() const { return bestPrice; }
  double bound() const { return lastBound; }
  double best() const { return bestBound; }
  /// Steps have become too small to matter.
  bool done() const { return hope > 0 && hope < 1e-6 * (1 + std::abs(bestBound)); }

private:
  std::vector<double> price, bestPrice, direction;
  double bestBound = -std::numeric_limits<double>::infinity(), lastBound = bestBound;
  double hope = 0; ///< how much better than the best bound the next steps try to be
  int sinceBest = 0;
};

} // namespace llmpar

#endif // LLMPAR_LIB_PLANNER_PRICESTEPS_H
