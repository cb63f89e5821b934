//===- NcclCost.cpp - NCCL's tuning model ----------------------------------===//
//
// Time = latency + bytes / bandwidth for every algorithm and protocol; the least one counts, as in NCCL
// (src/graph/tuning.cc). Four things differ, to predict time and not only to choose:
//   - bandwidths are the cluster's, not those of NCCL's topology search;
//   - reduction in the switch moves (n+1)/n of the bytes over each link, and does not pipeline small messages;
//   - the tree's correction table is interpolated, so that more bytes never take less time;
//   - a torus (Ring topology) runs rings only, and its all-to-all is bound by the bisection.
//
//===----------------------------------------------------------------------===//
#include "CollectiveEngines.h"
#include "NcclConstants.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/MathExtras.h"
#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

namespace llmpar {
namespace {
using namespace nccl;

constexpr double unlimited = std::numeric_limits<double>::infinity();
constexpr Seconds microsecond = 1e-6;

/// What all algorithms ask about a group.
class GroupView {
public:
  explicit GroupView(const CollectiveJob &job) : job(job) {
    for (const Level &level : job.levels) {
      double &narrowest = level.insideNode ? node : network;
      narrowest = std::min(narrowest, level.bandwidthBytesPerSecond());
    }
  }

  double n() const { return double(job.size); }
  Bytes bytes() const { return job.bytes; }
  CollectiveKind kind() const { return job.kind; }
  llvm::ArrayRef<Level> levels() const { return job.levels; }
  const Level *nodeLevel() const { return job.levels.front().insideNode ? &job.levels.front() : nullptr; }
  /// Blocks that meet outside of the node.
  int64_t nodes() const { return int64_t(llvm::divideCeil(job.size, nodeLevel() ? nodeLevel()->members : 1)); }
  bool leavesNode() const { return nodes() > 1; }
  bool isTorus() const {
    return llvm::any_of(job.levels, [](const Level &l) { return l.dimension->topology == Topology::Ring; });
  }

  /// Of a node's link of one member, of all adapters of a node together; unlimited if not used.
  double node = unlimited, network = unlimited;

  /// Least over the levels of share * bandwidth, where `limit` bounds LL as a share of the link's own rate.
  double llBandwidth() const {
    double least = unlimited;
    for (const Level &level : job.levels)
      least = std::min({least, llShare * level.bandwidthBytesPerSecond(),
                        (level.insideNode ? llLimitNode : llLimitNetwork) * level.rawBandwidthBytesPerSecond()});
    return least;
  }

private:
  const CollectiveJob &job;
};

/// Latency of a hop whose reference value is for a link of reference latency.
Seconds hop(const Level &level, double inNode, double inNetwork) {
  double scale = level.latencySeconds() / microsecond / (level.insideNode ? referenceHopNode : referenceHopNetwork);
  return (level.insideNode ? inNode : inNetwork) * scale * microsecond;
}

/// Bytes over each link of a ring, as a share of the tensor (nccl-tests, PERFORMANCE.md: bus bandwidth).
double ringShare(CollectiveKind kind, double n) { return (kind == CollectiveKind::AllReduce ? 2 : 1) * (n - 1) / n; }

std::optional<Seconds> ringTime(const GroupView &group, Protocol protocol) {
  bool allReduce = group.kind() == CollectiveKind::AllReduce;
  Seconds hops = 0;
  for (const Level &level : group.levels()) {
    // A ring visits every block once: it enters this level once for each block of it, less those of the next one.
    double blocks = std::ceil(group.n() / double(level.inside));
    double steps = blocks - std::ceil(group.n() / double(level.inside * level.members));
    Seconds one = hop(level, ringHopNode.at(protocol), ringHopNetwork.at(protocol));
    if (group.leavesNode())
      one = std::max(one, networkPost.at(protocol) * microsecond);
    hops += steps * one;
  }
  Seconds latency = ringBase.at(protocol) * microsecond + (allReduce ? 2 : 1) * hops;
  if (allReduce && group.leavesNode() && protocol == Protocol::Simple)
    latency *= ringPlateau;
  double bandwidth = std::min(group.node, group.network);
  if (protocol != Protocol::Simple)
    bandwidth = protocol == Protocol::LL ? group.llBandwidth() : bandwidth * ll128Share;
  return latency + ringShare(group.kind(), group.n()) * group.bytes() / bandwidth;
}

/// Between the table's powers of two the factor is interpolated over the logarithm.
double treeCorrectionAt(Protocol protocol, Bytes bytes) {
  const double *table = treeCorrection[size_t(protocol)];
  double position = std::clamp(std::log2(std::max(bytes, 1.0) / 64), 0.0, double(treeCorrectionCount - 1));
  size_t below = std::min(size_t(position), treeCorrectionCount - 2);
  return table[below] + (position - double(below)) * (table[below + 1] - table[below]);
}

/// Steps up a binary tree of the nodes, over all network levels.
Seconds treeHops(const GroupView &group, double inNetwork) {
  Seconds sum = 0;
  for (const Level &level : group.levels())
    if (!level.insideNode)
      sum += double(llvm::Log2_64_Ceil(uint64_t(level.members))) * hop(level, 0, inNetwork);
  return sum;
}

/// In a double binary tree every node sends its data up once and down twice over two trees of half the data; two nodes
/// only exchange (Sanders et al., Parallel Computing 2009).
double treeNetworkShare(const GroupView &group) { return group.nodes() <= 2 ? 1 : 2; }

/// A chain in the node, a double binary tree over the nodes; up and down.
std::optional<Seconds> treeTime(const GroupView &group, Protocol protocol) {
  if (group.kind() != CollectiveKind::AllReduce || group.isTorus())
    return std::nullopt;
  Seconds latency = treeBase.at(protocol) * microsecond + 2 * treeHops(group, treeHopNetwork.at(protocol));
  if (const Level *node = group.nodeLevel())
    latency += 2 * double(node->members - 1) * hop(*node, treeHopNode.at(protocol), 0);
  double seconds = std::max(2 / group.node, treeNetworkShare(group) / group.network) * group.bytes() / treeShare;
  if (protocol == Protocol::LL)
    seconds = std::max(seconds / treeLlShare, 2 * group.bytes() / group.llBandwidth());
  if (protocol == Protocol::LL128)
    seconds /= group.leavesNode() ? treeLl128ShareNetwork : treeLl128ShareNode;
  return latency + seconds / treeCorrectionAt(protocol, group.bytes());
}

/// Seconds of a node's switch for its part: each link carries the data once and the result's share of one member.
Seconds switchSeconds(const GroupView &group, const Level &level, Bytes bytes) {
  double members = double(level.members);
  double share = group.kind() == CollectiveKind::AllReduce ? (members + 1) / members : (members - 1) / members;
  return share * bytes / (level.bandwidthBytesPerSecond() * switchShare(level.dimension->bandwidthBytesPerSecond));
}

/// NVLS: the switches reduce and multicast.
std::optional<Seconds> switchTime(const GroupView &group, Protocol protocol) {
  auto reduces = [](const Level &level) { return level.dimension->inNetworkReduction; };
  if (protocol != Protocol::Simple || group.kind() == CollectiveKind::AllToAll || group.isTorus() ||
      !llvm::all_of(group.levels(), reduces) || (group.leavesNode() && group.kind() != CollectiveKind::AllReduce))
    return std::nullopt;
  Bytes bytes = group.bytes();
  if (group.kind() == CollectiveKind::AllReduce)
    bytes += std::min(bytes, switchPipelineBytes);
  Seconds latency = 0, slowest = 0;
  for (const Level &level : group.levels()) {
    latency += hop(level, switchReductionNode, switchReductionNetwork);
    slowest = std::max(slowest, switchSeconds(group, level, bytes));
  }
  return latency + slowest;
}

/// NVLSTree: the switch in each node, a double binary tree over the nodes.
std::optional<Seconds> switchTreeTime(const GroupView &group, Protocol protocol) {
  const Level *node = group.nodeLevel();
  if (protocol != Protocol::Simple || group.kind() != CollectiveKind::AllReduce || group.isTorus() || !node ||
      !group.leavesNode() || !node->dimension->inNetworkReduction)
    return std::nullopt;
  Seconds latency = hop(*node, switchReductionNode, 0) + 2 * treeHops(group, switchTreeHopNetwork);
  Bytes bytes = group.bytes() + std::min(group.bytes(), switchPipelineBytes);
  return latency + std::max(switchSeconds(group, *node, bytes), treeNetworkShare(group) * bytes / group.network);
}

/// All-to-all: a message to every peer; levels work side by side.
std::optional<Seconds> pairwiseTime(const GroupView &group, Protocol protocol) {
  if (group.kind() != CollectiveKind::AllToAll || protocol == Protocol::LL128)
    return std::nullopt;
  Seconds farthest = 0, slowest = 0;
  for (const Level &level : group.levels()) {
    double m = double(level.members), reached = std::min(group.n(), double(level.inside) * m);
    double share = (reached - double(level.fewest)) / group.n();
    // Half of the bytes cross the middle of a torus dimension, over two links of each direction: m / 8 of them each.
    if (level.dimension->topology == Topology::Ring)
      share = std::max(share, reached / group.n() * m / 8);
    // Each member brings its own link.
    double bandwidth = level.bandwidthBytesPerSecond() / double(level.fewest);
    if (protocol == Protocol::LL)
      bandwidth = std::min(bandwidth * llShare, (level.insideNode ? llLimitNode : llLimitNetwork) *
                                                    level.rawBandwidthBytesPerSecond() / double(level.fewest));
    farthest = std::max(farthest, hop(level, ringHopNode.at(protocol), ringHopNetwork.at(protocol)));
    slowest = std::max(slowest, share * group.bytes() / bandwidth);
  }
  return (ringBase.at(protocol) + (group.n() - 1) * peerIssue) * microsecond + farthest + slowest;
}

std::optional<Seconds> ringCollectiveTime(const GroupView &group, Protocol protocol) {
  return group.kind() == CollectiveKind::AllToAll ? std::nullopt : ringTime(group, protocol);
}

struct Algorithm {
  const char *name;
  std::optional<Seconds> (*time)(const GroupView &, Protocol);
};
constexpr Algorithm algorithms[] = {{"ring", ringCollectiveTime},
                                    {"tree", treeTime},
                                    {"nvls", switchTime},
                                    {"nvls-tree", switchTreeTime},
                                    {"pairwise", pairwiseTime}};

std::string nameOf(const Algorithm &algorithm, Protocol protocol) {
  return std::string(algorithm.name) + "/" + protocolNames[size_t(protocol)];
}

/// Calls `visit(algorithm, protocol, seconds)` for all that can carry out the job.
template <typename Visit> void forEachCandidate(const CollectiveJob &job, Visit visit) {
  GroupView group(job);
  for (const Algorithm &algorithm : algorithms)
    for (Protocol protocol : {Protocol::LL, Protocol::LL128, Protocol::Simple})
      if (std::optional<Seconds> seconds = algorithm.time(group, protocol))
        visit(algorithm, protocol, *seconds);
}

} // namespace

CollectiveTime ncclTime(const CollectiveJob &job) {
  Seconds least = unlimited;
  const Algorithm *best = &algorithms[0];
  Protocol chosen = Protocol::Simple;
  forEachCandidate(job, [&](const Algorithm &algorithm, Protocol protocol, Seconds seconds) {
    if (seconds < least)
      least = seconds, best = &algorithm, chosen = protocol;
  });
  return {.seconds = least, .algorithm = nameOf(*best, chosen)};
}

llvm::SmallVector<CollectiveTime> ncclCandidates(const CollectiveJob &job) {
  llvm::SmallVector<CollectiveTime> candidates;
  forEachCandidate(job, [&](const Algorithm &algorithm, Protocol protocol, Seconds seconds) {
    candidates.push_back({.seconds = seconds, .algorithm = nameOf(algorithm, protocol)});
  });
  return candidates;
}

} // namespace llmpar
