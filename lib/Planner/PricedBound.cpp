//===- PricedBound.cpp - Bounds and plans by prices of memory --------------===//
#include "PricedBound.h"

#include "DualBound.h"
#include "MixPlans.h"
#include <cmath>

namespace llmpar {
namespace {

constexpr double leastGain = 1e-3;  // over the known bound, to go on
constexpr double firstShare = 0.05; // of the cost, that the capacity costs at the first prices of a search
constexpr int searchSteps = 12;     // of one line search
constexpr double firstSharpness = 16, leastStep = 1.0 / 16;
constexpr double leastMore = 1e-4;  // of the bound, that a line search may still gain

double dot(llvm::ArrayRef<double> a, llvm::ArrayRef<double> b) {
  double sum = 0;
  for (auto [x, y] : llvm::zip(a, b))
    sum += x * y;
  return sum;
}

/// A direction of prices from the excess of bytes: 2^-n for each, and a higher power of that if it is to be sharp, so
/// that points of much the same excess in equal blocks keep the same prices.
std::vector<double> inSteps(std::vector<double> excess, llvm::ArrayRef<double> prices, double sharpness) {
  double most = 0;
  for (auto [bytes, price] : llvm::zip(excess, prices)) {
    bytes = price == 0 ? std::max(0.0, bytes) : bytes;
    most = std::max(most, std::abs(bytes));
  }
  for (double &bytes : excess) {
    double step = bytes == 0 ? 0 : std::exp2(std::round(sharpness * std::log2(std::abs(bytes) / most)));
    bytes = step < leastStep ? 0 : std::copysign(step, bytes);
  }
  return excess;
}

class PriceSearch {
public:
  PriceSearch(const ReducedProblem &problem, const Extend &extend, Incumbent &incumbent, PricedProblem::By by, int steps)
      : problem(problem), priced(problem, by), extend(extend), incumbent(incumbent), left(steps) {}

  PricedBound run(std::vector<double> prices, double known) {
    if (!priced.scales())
      return {.bound = -kInfinity, .prices = std::move(prices)};
    Point at = evaluate(std::move(prices));
    if (stopped() || best.bound < known + leastGain * std::abs(known))
      return best;
    offer(at);
    for (double sharpness = firstSharpness; left > 0 && !stopped() && turn(at, at.excess, sharpness);)
      sharpness = 1;
    return best;
  }

private:
  struct Point {
    std::vector<double> prices;
    double bound, slope = 0; ///< slope: along the direction of the line search
    std::vector<int> choice, labels; ///< as in PricedProblem::Answer
    std::vector<double> excess;
  };
  const ReducedProblem &problem;
  PricedProblem priced;
  const Extend &extend;
  Incumbent &incumbent;
  int left;
  PricedBound best{.bound = -kInfinity, .prices = {}};

  bool isOpen() const { return best.bound < kInfinity; }
  bool stopped() {
    if (incumbent.rulesOut(best.bound, 0))
      best.bound = kInfinity;
    return !isOpen() || incumbent.shouldStop();
  }

  Point evaluate(std::vector<double> prices) {
    --left;
    PricedProblem::Answer answer = priced.relax(prices);
    if (answer.choice.empty() || answer.bound > best.bound) {
      best = {.bound = answer.choice.empty() ? kInfinity : answer.bound, .prices = prices};
      incumbent.raiseLowerBound(best.bound >= double(kForbidden) ? kForbidden : static_cast<int64_t>(std::ceil(std::max(0.0, best.bound))));
    }
    if (answer.choice.empty())
      return {.prices = std::move(prices), .bound = kInfinity, .choice = {}, .labels = {}, .excess = {}};
    std::vector<double> excess = priced.excess(answer.choice);
    return {.prices = std::move(prices), .bound = answer.bound, .choice = std::move(answer.choice), .labels = std::move(answer.labels), .excess = std::move(excess)};
  }

  /// Offers the choice of a point, with its hubs agreed, or those of another choice of the problem.
  std::vector<int> offer(const Point &point, llvm::ArrayRef<int> hubs = {}) {
    std::vector<int> choice = priced.decide(point.prices, hubs.empty() ? point.labels : priced.withHubs(point.labels, hubs));
    if (choice.empty())
      choice = point.choice;
    incumbent.offer(extend(choice));
    return choice;
  }

  /// Offers mixes of the two sides of a turn. Where their hubs differ no cut is cheap: they take those of one.
  void mix(const Point &low, const Point &high) {
    std::vector<int> over = offer(low), under = offer(high);
    mixPlans(problem, priced.order(), over, under, extend, incumbent);
    if (priced.withHubs(low.labels, over) == priced.withHubs(low.labels, under) || incumbent.shouldStop())
      return;
    mixPlans(problem, priced.order(), over, offer(high, over), extend, incumbent);
    mixPlans(problem, priced.order(), offer(low, under), under, extend, incumbent);
  }

  std::vector<double> along(llvm::ArrayRef<double> from, llvm::ArrayRef<double> direction, double length) const {
    std::vector<double> prices = from;
    for (auto [price, more] : llvm::zip(prices, direction))
      price = std::max(0.0, price + length * more);
    return prices;
  }

  /// One line search from `at`; leaves there the best point with the excess that the mix of both sides has.
  /// False if there is nothing to gain.
  bool turn(Point &at, std::vector<double> direction, double sharpness) {
    direction = inSteps(std::move(direction), at.prices, sharpness);
    double capacity = 0;
    for (auto [step, bytes] : llvm::zip(direction, problem.capacity))
      capacity += std::abs(step) * double(bytes);
    if (capacity == 0)
      return false;
    Point low = at, high;
    low.slope = dot(direction, low.excess);
    double lowAt = 0, highAt = 0, next = firstShare * std::abs(at.bound) / capacity;
    for (int i = 0; i < searchSteps && left > 0 && !stopped(); ++i) {
      Point point = evaluate(along(at.prices, direction, next));
      if (!isOpen())
        return false;
      point.slope = dot(direction, point.excess);
      if (point.slope > 0)
        low = std::move(point), lowAt = next;
      else
        high = std::move(point), highAt = next;
      if (highAt == 0) {
        next *= 4;
        continue;
      }
      // Where the tangents of both sides meet, but not too near to either.
      double meet = (high.bound - low.bound + low.slope * lowAt - high.slope * highAt) / (low.slope - high.slope);
      double more = low.bound + low.slope * (meet - lowAt) - std::max(low.bound, high.bound);
      if (!(more > leastMore * std::abs(best.bound)))
        break;
      next = std::clamp(meet, lowAt + 0.02 * (highAt - lowAt), highAt - 0.02 * (highAt - lowAt));
    }
    if (highAt == 0)
      return false;
    mix(low, high);
    double share = low.slope / (low.slope - high.slope); // of `high`
    for (auto [mine, theirs] : llvm::zip(low.excess, high.excess))
      mine += share * (theirs - mine);
    if (high.bound > low.bound)
      low.prices = std::move(high.prices), low.bound = high.bound;
    bool gained = low.bound > at.bound + leastMore * std::abs(at.bound);
    at = std::move(low);
    return gained;
  }
};

} // namespace

PricedBound raisePricedBound(const ReducedProblem &problem, std::vector<double> prices, const Extend &extend, Incumbent &incumbent,
                             PricedProblem::By by, int steps, double known) {
  return PriceSearch(problem, extend, incumbent, by, steps).run(std::move(prices), known);
}

} // namespace llmpar
