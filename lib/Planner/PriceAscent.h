//===- PriceAscent.h - Prices of memory that raise the bound ----*- C++ -*-===//
#ifndef LLMPAR_LIB_PLANNER_PRICEASCENT_H
#define LLMPAR_LIB_PLANNER_PRICEASCENT_H

#include "DualBound.h"
#include "PriceSteps.h"
#include <deque>

namespace llmpar {

/// Takes turns between a change of prices and a sweep of messages.
class PriceAscent {
public:
  PriceAscent(const Core &core, DualBound &dual, std::vector<double> prices);

  /// Changes the prices once and sweeps. No bound reaches beyond `limit`.
  void step(double limit);
  /// Sweeps without changing prices, while that raises the bound noticeably. Asks `stop` now and then.
  void settle(int sweeps, llvm::function_ref<bool()> stop);
  /// Goes back to the prices of the best bound, and sweeps.
  void returnToBest(int sweeps);
  double best() const { return steps.best(); }
  const std::vector<double> &bestPrices() const { return steps.bestPrices(); }
  /// What was suggested lately. Nodes that waver are where the relaxation mixes strategies.
  const std::deque<std::vector<int>> &suggestions() const { return history; }
  bool done() const { return steps.done(); }

private:
  const Core &core;
  DualBound &dual;
  PriceSteps steps;
  std::deque<std::vector<int>> history;

  void sweep();
};

} // namespace llmpar

#endif // LLMPAR_LIB_PLANNER_PRICEASCENT_H
