//===- PriceSteps.cpp - Where prices of memory go next ---------------------===//
#include "PriceSteps.h"

#include <algorithm>

namespace llmpar {

constexpr double inertia = 0.7;   // of the direction
constexpr double firstHope = 0.1; // of the bound
constexpr double moreHope = 1.1, lessHope = 0.7;
constexpr int patience = 20;      // steps in vain

void PriceSteps::note(double bound) {
  lastBound = bound;
  ++sinceBest;
  if (bound <= bestBound)
    return;
  if (bound > bestBound + 0.02 * hope)
    sinceBest = 0;
  bestBound = bound;
  bestPrice = price;
}

void PriceSteps::step(const std::vector<int64_t> &usage, const std::vector<int64_t> &capacity, double limit) {
  double norm = 0;
  for (size_t i = 0; i < price.size(); ++i) {
    direction[i] = inertia * direction[i] + (1 - inertia) * double(usage[i] - capacity[i]);
    if (price[i] == 0)
      direction[i] = std::max(0.0, direction[i]);
    norm += direction[i] * direction[i];
  }
  if (hope == 0)
    hope = firstHope * (1 + std::abs(bestBound));
  if (sinceBest == 0)
    hope *= moreHope;
  if (sinceBest > patience)
    hope *= lessHope, sinceBest = 0;
  double goal = std::min(bestBound + hope, std::max(limit, bestBound));
  // The bound right after a change is low because messages lag behind, not because the goal is far.
  double length = norm > 0 ? std::min(goal - lastBound, 2 * (goal - bestBound)) / norm : 0;
  for (size_t i = 0; i < price.size(); ++i)
    price[i] = std::max(0.0, price[i] + length * direction[i]);
}

} // namespace llmpar
