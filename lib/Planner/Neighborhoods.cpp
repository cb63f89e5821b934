//===- Neighborhoods.cpp - Better plans near a good one --------------------===//
#include "Neighborhoods.h"

#include "BranchAndBound.h"
#include "ExtendChoice.h"
#include "Presolve.h"
#include <map>
#include <numeric>

namespace llmpar {
namespace {

constexpr size_t smallest = 20;    // nodes that are free
constexpr int64_t subproblems = 30; // of the search of one neighborhood
constexpr SubproblemBounder::Effort rootEffort{.steps = 60, .leastProgress = 0.02}, branchEffort{.steps = 30, .leastProgress = 0.02};
constexpr int growAfter = 6; // failures in a row

/// The same numbers on every machine (splitmix64).
class Random {
public:
  explicit Random(uint64_t seed) : state(seed) {}
  size_t below(size_t limit) {
    uint64_t z = state += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return static_cast<size_t>((z ^ (z >> 31)) % limit);
  }

private:
  uint64_t state;
};

/// `count` nodes around a random one, near by edges.
std::vector<char> around(const ReducedProblem &base, size_t count, Random &random) {
  std::vector<char> chosen(base.nodes.size(), false);
  std::vector<int> found = {static_cast<int>(random.below(base.nodes.size()))};
  chosen[found[0]] = true;
  for (size_t i = 0; found.size() < count; ++i) {
    if (i == found.size()) { // another part of the graph
      int next = static_cast<int>(random.below(base.nodes.size()));
      if (!chosen[next])
        chosen[next] = true, found.push_back(next);
      --i;
      continue;
    }
    for (int edge : base.nodes[found[i]].edges)
      if (int other = base.edges[edge].other(found[i]); !chosen[other] && found.size() < count)
        chosen[other] = true, found.push_back(other);
  }
  return chosen;
}

/// Up to `count` nodes that use memory around a random point.
std::vector<char> atPoint(const ReducedProblem &base, size_t count, Random &random) {
  std::vector<char> chosen(base.nodes.size(), false);
  int point = static_cast<int>(random.below(base.capacity.size()));
  size_t start = random.below(base.nodes.size());
  for (size_t i = 0, found = 0; i < base.nodes.size() && found < count; ++i) {
    size_t node = (start + i) % base.nodes.size();
    for (const PointUse &use : base.nodes[node].uses)
      if (use.begin <= point && point < use.end && !chosen[node])
        chosen[node] = true, ++found;
  }
  return chosen;
}

void searchFreed(const ReducedProblem &base, llvm::ArrayRef<char> freed, const Extend &extend, const Project &project, Incumbent &incumbent) {
  auto sub = std::make_shared<ReducedProblem>(base);
  std::vector<int> strategies = project();
  for (size_t node = 0; node < base.nodes.size(); ++node)
    if (!freed[node] && strategies[node] >= 0)
      restrictTo(*sub, {.node = static_cast<int>(node), .labels = {base.nodes[node].label(strategies[node])}});
  presolve(*sub);
  if (sub->infeasible)
    return;
  ReducedProblem rest = sub->liveProblem();
  if (rest.nodes.empty()) {
    incumbent.offer(extend(sub->expand({})));
    return;
  }
  Extend extendRest = extendFrom(sub, extend);
  SubproblemBounder bounder(rest, incumbent, extendRest);
  ReducedProblem root = rest;
  SubproblemBounder::Result result = bounder.bound(root, bounder.noDual(), rootEffort);
  if (result.open())
    BranchAndBound(rest, bounder, incumbent, std::move(result), BranchAndBound::Part::Neighborhood).run(subproblems, branchEffort);
}

/// The nodes around the place where most equal blocks choose differently: a block before and one behind. Nodes of equal
/// costs, strategies and number of edges stand for each other.
std::vector<char> atSeam(const ReducedProblem &base, llvm::ArrayRef<int> strategies) {
  size_t count = base.nodes.size();
  std::map<std::pair<const InternedArray *, size_t>, size_t> last; // node of each kind
  std::vector<int> turns(count + 1, 0);                             // as changes from one node to the next
  std::vector<size_t> lengths;
  for (size_t node = 0; node < count; ++node) {
    auto [it, isFirst] = last.try_emplace({base.nodes[node].costs.get(), base.nodes[node].edges.size()}, node);
    size_t before = std::exchange(it->second, node);
    if (isFirst || strategies[before] == strategies[node])
      continue;
    ++turns[before], --turns[node];
    lengths.push_back(node - before);
  }
  std::vector<char> chosen(count, false);
  if (lengths.empty())
    return chosen;
  std::nth_element(lengths.begin(), lengths.begin() + lengths.size() / 2, lengths.end());
  size_t block = lengths[lengths.size() / 2];
  std::partial_sum(turns.begin(), turns.end(), turns.begin());
  auto seam = static_cast<size_t>(llvm::max_element(turns) - turns.begin());
  for (size_t node = seam - std::min(seam, block); node < std::min(count, seam + 2 * block); ++node)
    chosen[node] = true;
  return chosen;
}

} // namespace

void searchSeam(const ReducedProblem &base, const Extend &extend, const Project &project, Incumbent &incumbent) {
  searchFreed(base, atSeam(base, project()), extend, project, incumbent);
}

void searchNeighborhoods(const ReducedProblem &base, const Extend &extend, const Project &project, Incumbent &incumbent, int patience, uint64_t seed) {
  Random random(seed);
  size_t largest = (base.nodes.size() + 1) / 2, size = std::min(largest, std::max(smallest, base.nodes.size() / 16));
  for (int failures = 0; failures < patience && !incumbent.shouldStop();) {
    int64_t cost = incumbent.cost();
    bool byMemory = !base.capacity.empty() && random.below(2) == 0;
    searchFreed(base, byMemory ? atPoint(base, size, random) : around(base, size, random), extend, project, incumbent);
    failures = incumbent.cost() < cost ? 0 : failures + 1;
    if (failures % growAfter == growAfter - 1)
      size = std::min(largest, size * 3 / 2);
  }
}

} // namespace llmpar
