//===- PriceAscent.cpp - Prices of memory that raise the bound -------------===//
#include "PriceAscent.h"

#include <cmath>

namespace llmpar {

constexpr double inertia = 0.7;     // of the direction
constexpr double firstHope = 0.1;   // of the bound
constexpr double moreHope = 1.1, lessHope = 0.7;
constexpr int patience = 20;        // steps in vain
constexpr size_t remembered = 32; // suggestions

PriceAscent::PriceAscent(const Core &core, DualBound &dual, std::vector<double> prices)
    : core(core), dual(dual), price(std::move(prices)), bestPrice(price), direction(price.size(), 0) {
  dual.setPrices(price);
  note(dual.sweep());
}

double PriceAscent::note(double newBound) {
  bound = newBound;
  ++sinceBest;
  if (history.size() == remembered)
    history.pop_front();
  history.push_back(dual.suggestion());
  if (newBound <= bestBound)
    return newBound;
  if (newBound > bestBound + 0.02 * hope)
    sinceBest = 0;
  bestBound = newBound;
  bestPrice = price;
  return newBound;
}

double PriceAscent::step(double limit) {
  if (price.empty())
    return note(dual.sweep());
  std::vector<int64_t> usage = core.usage(dual.suggestion());
  double norm = 0;
  for (size_t i = 0; i < price.size(); ++i) {
    direction[i] = inertia * direction[i] + (1 - inertia) * double(usage[i] - core.capacity[i]);
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
  double length = norm > 0 ? std::min(goal - bound, 2 * (goal - bestBound)) / norm : 0;
  for (size_t i = 0; i < price.size(); ++i)
    price[i] = std::max(0.0, price[i] + length * direction[i]);
  dual.setPrices(price);
  return note(dual.sweep());
}

void PriceAscent::settle(int sweeps) {
  double last = -kInfinity;
  for (int i = 0; i < sweeps; ++i) {
    note(dual.sweep());
    if (i % 10 != 9)
      continue;
    if (bound - last < 1e-4 * std::abs(bound))
      return;
    last = bound;
  }
}

void PriceAscent::returnToBest(int sweeps) {
  price = bestPrice;
  dual.setPrices(price);
  for (int i = 0; i < sweeps; ++i)
    note(dual.sweep());
}

} // namespace llmpar
