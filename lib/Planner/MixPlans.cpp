//===- MixPlans.cpp - One plan in front, another behind --------------------===//
#include "MixPlans.h"

#include "llvm/ADT/STLExtras.h"
#include <numeric>

namespace llmpar {
namespace {

constexpr size_t mostOffers = 8; // of the cheapest cuts that fit

class Mixer {
public:
  Mixer(const ReducedProblem &problem, llvm::ArrayRef<int> order, const Extend &extend, Incumbent &incumbent)
      : problem(problem), order(order), place(order.size()), extend(extend), incumbent(incumbent) {
    for (auto [index, node] : llvm::enumerate(order))
      place[node] = index;
  }

  void run(llvm::ArrayRef<int> front, llvm::ArrayRef<int> back, bool overFirst) {
    // Nearly every node that is `under` makes room: as many `over` as fit.
    size_t count = order.size(), fits = overFirst ? 0 : count, tooMany = overFirst ? count : 0;
    if (!incumbent.fits(extend(mix(front, back, fits))))
      return;
    while (fits + 1 < tooMany || tooMany + 1 < fits) {
      size_t cut = (fits + tooMany) / 2;
      (incumbent.fits(extend(mix(front, back, cut))) ? fits : tooMany) = cut;
    }
    std::vector<int64_t> costs = costsOfCuts(front, back);
    std::vector<size_t> cuts(overFirst ? fits + 1 : count + 1 - fits);
    std::iota(cuts.begin(), cuts.end(), overFirst ? 0 : fits);
    llvm::sort(cuts, [&](size_t a, size_t b) { return std::pair(costs[a], a) < std::pair(costs[b], b); });
    for (size_t cut : llvm::ArrayRef(cuts).take_front(mostOffers))
      if (costs[cut] < incumbent.cost() && incumbent.offer(extend(mix(front, back, cut))))
        break;
  }

private:
  const ReducedProblem &problem;
  llvm::ArrayRef<int> order;
  std::vector<size_t> place; ///< of a node in the order
  const Extend &extend;
  Incumbent &incumbent;

  /// `front` for the nodes before the cut.
  std::vector<int> mix(llvm::ArrayRef<int> front, llvm::ArrayRef<int> back, size_t cut) const {
    std::vector<int> choice = back;
    for (int node : order.take_front(cut))
      choice[node] = front[node];
    return choice;
  }

  /// By cut, the cost of the mix.
  std::vector<int64_t> costsOfCuts(llvm::ArrayRef<int> front, llvm::ArrayRef<int> back) const {
    size_t count = order.size();
    std::vector<int64_t> change(count + 2, 0), forbidden(count + 2, 0); // from one cut to the next
    auto add = [&](size_t begin, size_t end, int64_t cost) {            // for cuts in [begin, end)
      std::vector<int64_t> &sums = cost >= kForbidden ? forbidden : change;
      int64_t amount = cost >= kForbidden ? 1 : cost;
      sums[begin] += amount;
      sums[end] -= amount;
    };
    add(0, count + 1, problem.constant);
    for (size_t node = 0; node < count; ++node) {
      add(place[node] + 1, count + 1, (*problem.nodes[node].costs)[front[node]]);
      add(0, place[node] + 1, (*problem.nodes[node].costs)[back[node]]);
    }
    for (const ReducedEdge &edge : problem.edges) {
      auto [first, last] = std::minmax(edge.from, edge.to, [&](int a, int b) { return place[a] < place[b]; });
      add(place[last] + 1, count + 1, problem.edgeCost(edge, first, front[first], front[last]));
      add(0, place[first] + 1, problem.edgeCost(edge, first, back[first], back[last]));
      add(place[first] + 1, place[last] + 1, problem.edgeCost(edge, first, front[first], back[last]));
    }
    std::partial_sum(change.begin(), change.end(), change.begin());
    std::partial_sum(forbidden.begin(), forbidden.end(), forbidden.begin());
    for (auto [cost, bad] : llvm::zip(change, forbidden))
      cost = bad > 0 ? kForbidden : cost;
    change.pop_back();
    return change;
  }
};

} // namespace

void mixPlans(const ReducedProblem &problem, llvm::ArrayRef<int> order, llvm::ArrayRef<int> over,
              llvm::ArrayRef<int> under, const Extend &extend, Incumbent &incumbent) {
  Mixer mixer(problem, order, extend, incumbent);
  mixer.run(over, under, /*overFirst=*/true);
  mixer.run(under, over, /*overFirst=*/false);
}

} // namespace llmpar
