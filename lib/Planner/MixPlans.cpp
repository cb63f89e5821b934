//===- MixPlans.cpp - One plan in front, another behind --------------------===//
#include "MixPlans.h"

#include "llvm/ADT/STLExtras.h"
#include <numeric>

namespace llmpar {
namespace {

constexpr size_t mostOffers = 8; // of the cheapest cuts that fit

/// `front` for the nodes before the cut.
std::vector<int> mix(llvm::ArrayRef<int> front, llvm::ArrayRef<int> back, size_t cut) {
  std::vector<int> choice(front.begin(), front.begin() + cut);
  choice.insert(choice.end(), back.begin() + cut, back.end());
  return choice;
}

/// By cut, the cost of the mix.
std::vector<int64_t> costsOfCuts(const PlanProblem &problem, llvm::ArrayRef<int> front, llvm::ArrayRef<int> back) {
  size_t count = problem.nodes.size();
  std::vector<int64_t> change(count + 2, 0), forbidden(count + 2, 0); // from one cut to the next
  auto add = [&](size_t begin, size_t end, int64_t cost) {            // for cuts in [begin, end)
    std::vector<int64_t> &sums = cost >= kForbidden ? forbidden : change;
    int64_t amount = cost >= kForbidden ? 1 : cost;
    sums[begin] += amount;
    sums[end] -= amount;
  };
  for (size_t node = 0; node < count; ++node) {
    add(node + 1, count + 1, problem.nodes[node].costs[front[node]]);
    add(0, node + 1, problem.nodes[node].costs[back[node]]);
  }
  for (const PlanEdge &edge : problem.edges) {
    const CostMatrix &matrix = problem.matrices[edge.matrix];
    size_t first = std::min(edge.from, edge.to), last = std::max(edge.from, edge.to);
    add(last + 1, count + 1, matrix.at(front[edge.from], front[edge.to]));
    add(0, first + 1, matrix.at(back[edge.from], back[edge.to]));
    add(first + 1, last + 1, edge.from < edge.to ? matrix.at(front[edge.from], back[edge.to]) : matrix.at(back[edge.from], front[edge.to]));
  }
  std::partial_sum(change.begin(), change.end(), change.begin());
  std::partial_sum(forbidden.begin(), forbidden.end(), forbidden.begin());
  for (auto [cost, bad] : llvm::zip(change, forbidden))
    cost = bad > 0 ? kForbidden : cost;
  change.pop_back();
  return change;
}

} // namespace

void mixPlans(llvm::ArrayRef<int> over, llvm::ArrayRef<int> under, Incumbent &incumbent) {
  size_t count = over.size();
  for (bool overFirst : {true, false}) {
    llvm::ArrayRef<int> front = overFirst ? over : under, back = overFirst ? under : over;
    // Nearly every node that is `under` makes room: as many `over` as fit.
    size_t fits = overFirst ? 0 : count, tooMany = overFirst ? count : 0;
    if (!incumbent.fits(mix(front, back, fits)))
      continue;
    while (fits + 1 < tooMany || tooMany + 1 < fits) {
      size_t cut = (fits + tooMany) / 2;
      (incumbent.fits(mix(front, back, cut)) ? fits : tooMany) = cut;
    }
    std::vector<int64_t> costs = costsOfCuts(incumbent.problem(), front, back);
    std::vector<size_t> cuts(overFirst ? fits + 1 : count + 1 - fits);
    std::iota(cuts.begin(), cuts.end(), overFirst ? 0 : fits);
    llvm::sort(cuts, [&](size_t a, size_t b) { return std::pair(costs[a], a) < std::pair(costs[b], b); });
    for (size_t cut : llvm::ArrayRef(cuts).take_front(mostOffers))
      if (costs[cut] < incumbent.cost() && incumbent.offer(mix(front, back, cut)))
        break;
  }
}

} // namespace llmpar
