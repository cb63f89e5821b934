//===- CollectiveCost.cpp - Time of a collective ---------------------------===//
#include "llmpar/Cost/CollectiveCost.h"

#include "CollectiveEngines.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/MathExtras.h"
#include <algorithm>
#include <cassert>
#include <numeric>

namespace llmpar {

namespace {

/// Members of a group in blocks of consecutive ranks.
struct Filling {
  int64_t most, fewest;
  bool tiles; ///< every group fills its blocks alike, or lies inside of one
};

} // namespace

/// 4 neighbours on nodes of 8 lie inside; of 6 neighbours some lie inside, others are 4 and 2. Bases are multiples of
/// the size, so that the boundary cuts a group at multiples of the greatest common divisor.
static Filling fillingOf(GroupShape group, int64_t block) {
  if (group.stride >= block)
    return {1, 1, true};
  bool dividesBlock = block % group.stride == 0;
  int64_t room = int64_t(llvm::divideCeil(block, group.stride)), size = group.size;
  if (dividesBlock && (room % size == 0 || size % room == 0))
    return {std::min(size, room), std::min(size, room), true};
  int64_t fewest = dividesBlock ? std::gcd(size, room) : 1;
  return {size > room ? room : size - fewest, fewest, false};
}

/// `cutGroups`: groups that tile no block are seen as those that a boundary cuts, else as those inside.
static llvm::SmallVector<Level, 3> levelsOf(const Cluster &cluster, GroupShape group, bool cutGroups) {
  llvm::SmallVector<Level, 3> levels;
  int64_t below = 1; // ranks in a block of the dimensions so far
  Filling inside{1, 1, true};
  for (auto [index, dimension] : llvm::enumerate(cluster.network)) {
    int64_t block = below * dimension.size;
    Filling reached = fillingOf(group, block);
    bool last = index + 1 == cluster.network.size(), fits = (group.size - 1) * group.stride < block;
    if (last || (fits && !reached.tiles && !cutGroups))
      reached = {group.size, group.size, true};
    if (reached.most > inside.most)
      levels.push_back({.dimension = &dimension,
                        .insideNode = index == 0,
                        .members = int64_t(llvm::divideCeil(reached.most, inside.most)),
                        .inside = inside.most,
                        .fewest = inside.fewest,
                        .spacing = std::max<int64_t>(1, group.stride / below)});
    below = block;
    inside = {std::max(inside.most, reached.most), std::max(inside.fewest, reached.fewest), true};
  }
  return levels;
}

static CollectiveTime engineTime(CollectiveKind kind, Bytes bytes, int64_t size, llvm::ArrayRef<Level> levels) {
  // A measurement of this very group knows more than any formula.
  if (levels.size() == 1)
    if (const MeasuredCollective *measured = levels.front().dimension->findMeasured(kind, size))
      return {.seconds = measured->at(bytes), .algorithm = "measured"};
  CollectiveJob job{.kind = kind, .bytes = bytes, .size = size, .levels = levels};
  return levels.front().dimension->topology == Topology::SharedMemory ? sharedMemoryTime(job) : ncclTime(job);
}

/// Levels of different engines run one after the other: all-reduce as reduce-scatter inside, all-reduce outside of
/// one part, all-gather inside (Thakur et al., IJHPCA 2005).
static CollectiveTime composedTime(CollectiveKind kind, Bytes bytes, int64_t size, llvm::ArrayRef<Level> levels) {
  auto isShared = [](const Level &level) { return level.dimension->topology == Topology::SharedMemory; };
  size_t first = 1;
  while (first < levels.size() && isShared(levels[first]) == isShared(levels[0]))
    ++first;
  if (first == levels.size())
    return engineTime(kind, bytes, size, levels);

  int64_t inside = levels[first].inside, outside = int64_t(llvm::divideCeil(size, inside));
  llvm::SmallVector<Level, 3> outer(levels.drop_front(first));
  for (Level &level : outer) { // `inside` groups run side by side, each member with its own link
    level.inside /= inside;
    level.fewest = std::max<int64_t>(1, level.fewest / inside);
  }
  CollectiveTime total;
  auto add = [&](const CollectiveTime &part) {
    total.seconds += part.seconds;
    total.algorithm += (total.algorithm.empty() ? "" : ", ") + part.algorithm;
  };
  auto addInner = [&](CollectiveKind inner) { add(engineTime(inner, bytes, inside, levels.take_front(first))); };
  bool reduces = kind == CollectiveKind::AllReduce || kind == CollectiveKind::ReduceScatter;
  bool exchanges = kind == CollectiveKind::AllToAll;
  if (reduces || exchanges)
    addInner(reduces ? CollectiveKind::ReduceScatter : kind);
  add(composedTime(kind, exchanges ? bytes : bytes / double(inside), outside, outer));
  if (kind == CollectiveKind::AllReduce || kind == CollectiveKind::AllGather)
    addInner(CollectiveKind::AllGather);
  return total;
}

CollectiveTime collectiveTime(const Cluster &cluster, CollectiveKind kind, Bytes bytes, GroupShape group) {
  if (group.size <= 1)
    return {};
  assert(group.stride >= 1 && group.size * group.stride <= cluster.ranks() && "the group does not fit the cluster");
  CollectiveTime inside = composedTime(kind, bytes, group.size, levelsOf(cluster, group, /*cutGroups=*/false));
  bool alike = true;
  int64_t block = 1;
  for (const NetworkDimension &dimension : cluster.network)
    alike &= fillingOf(group, block *= dimension.size).tiles;
  if (alike)
    return inside;
  CollectiveTime cut = composedTime(kind, bytes, group.size, levelsOf(cluster, group, /*cutGroups=*/true));
  return cut.seconds > inside.seconds ? cut : inside; // the step waits for the slowest group
}

} // namespace llmpar
