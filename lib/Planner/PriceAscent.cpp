//===- PriceAscent.cpp - Prices of memory that raise the bound -------------===//
#include "PriceAscent.h"

namespace llmpar {

constexpr size_t remembered = 32;         // suggestions
constexpr double leastSettleGain = 1e-4;  // of the bound, in ten sweeps

PriceAscent::PriceAscent(const Core &core, DualBound &dual, std::vector<double> prices)
    : core(core), dual(dual), steps(std::move(prices)) {
  dual.setPrices(steps.prices());
  sweep();
}

void PriceAscent::sweep() {
  steps.note(dual.sweep());
  if (history.size() == remembered)
    history.pop_front();
  history.push_back(dual.suggestion());
}

void PriceAscent::step(double limit) {
  if (!core.capacity.empty()) {
    steps.step(core.usage(dual.suggestion()), core.capacity, limit);
    dual.setPrices(steps.prices());
  }
  sweep();
}

void PriceAscent::settle(int sweeps, llvm::function_ref<bool()> stop) {
  double last = -kInfinity;
  for (int i = 0; i < sweeps; ++i) {
    sweep();
    if (i % 10 != 9)
      continue;
    if (steps.bound() - last < leastSettleGain * std::abs(steps.bound()) || stop())
      return;
    last = steps.bound();
  }
}

void PriceAscent::returnToBest(int sweeps) {
  steps.returnToBest();
  dual.setPrices(steps.prices());
  for (int i = 0; i < sweeps; ++i)
    sweep();
}

} // namespace llmpar
