//===- CollectiveCostTest.cpp - Time of collectives ------------------------===//
#include "llmpar/Cost/CollectiveCost.h"
#include "PublishedCosts.h"
#include "llvm/ADT/STLExtras.h"
#include "gtest/gtest.h"
#include <algorithm>
#include <cmath>

using namespace llmpar;

namespace {

constexpr CollectiveKind kinds[] = {CollectiveKind::AllReduce, CollectiveKind::ReduceScatter, CollectiveKind::AllGather,
                                    CollectiveKind::AllToAll};
constexpr double GiB = 1024.0 * 1024 * 1024;

NetworkDimension dimension(Topology topology, int64_t size, double bandwidth, double latency,
                           bool inNetworkReduction = false) {
  NetworkDimension result;
  result.name = topology == Topology::Switch ? "switch" : topology == Topology::Ring ? "ring" : "memory";
  result.topology = topology;
  result.size = size;
  result.bandwidthBytesPerSecond = bandwidth;
  result.latencySeconds = latency;
  result.inNetworkReduction = inNetworkReduction;
  return result;
}

Cluster clusterOf(std::initializer_list<NetworkDimension> dimensions) {
  Cluster cluster;
  int64_t ranks = 1;
  for (const NetworkDimension &d : dimensions) {
    cluster.network.push_back(d);
    ranks *= d.size;
  }
  cluster.devices.push_back({.count = ranks, .device = {}});
  return cluster;
}

/// Every way of communicating, each with an odd size somewhere.
std::vector<Cluster> clusters() {
  NetworkDimension nvlink = dimension(Topology::Switch, 8, 450e9, 0.6e-6, true);
  NetworkDimension infiniband = dimension(Topology::Switch, 6, 50e9, 2.7e-6);
  NetworkDimension sharp = dimension(Topology::Switch, 3, 50e9, 2.7e-6, true);
  NetworkDimension memory = dimension(Topology::SharedMemory, 4, 20e9, 50e-9);
  return {clusterOf({nvlink}),
          clusterOf({nvlink, infiniband}),
          clusterOf({nvlink, sharp}),
          clusterOf({dimension(Topology::Switch, 72, 900e9, 0.6e-6, true), infiniband}),
          clusterOf({dimension(Topology::Switch, 7, 25e9, 1e-6)}),
          clusterOf({dimension(Topology::Ring, 12, 100e9, 1e-6), dimension(Topology::Ring, 5, 100e9, 1e-6)}),
          clusterOf({memory}),
          clusterOf({memory, infiniband}),
          clusterOf({nvlink, infiniband, dimension(Topology::Switch, 4, 25e9, 6e-6)})};
}

std::vector<GroupShape> groupsOf(const Cluster &cluster) {
  std::vector<GroupShape> groups;
  for (int64_t size = 2; size <= cluster.ranks(); ++size)
    for (int64_t stride = 1; size * stride <= cluster.ranks(); ++stride)
      if (stride <= 12 || stride % 8 == 0)
        groups.push_back({size, stride});
  return groups;
}

std::string describe(const Cluster &cluster, CollectiveKind kind, GroupShape group) {
  std::string text = "kind " + std::to_string(int(kind)) + ", size " + std::to_string(group.size) + ", stride " +
                     std::to_string(group.stride) + ", cluster of";
  for (const NetworkDimension &d : cluster.network)
    text += " " + d.name + " " + std::to_string(d.size);
  return text;
}

/// Ranks of the group with base 0 whose coordinates agree with rank 0's outside of the first `dimensions`.
int64_t membersInside(const Cluster &cluster, GroupShape group, size_t dimensions) {
  int64_t block = 1, count = 0;
  for (size_t i = 0; i < dimensions; ++i)
    block *= cluster.network[i].size;
  for (int64_t i = 0; i < group.size; ++i)
    count += i * group.stride < block;
  return count;
}

/// No algorithm beats this: the published bounds per link, with all links of a block at work (nccl-tests,
/// PERFORMANCE.md), for every dimension that the group crosses.
Seconds lowerBound(const Cluster &cluster, CollectiveKind kind, Bytes bytes, GroupShape group) {
  Seconds bound = 0;
  for (size_t d = 0; d < cluster.network.size(); ++d) {
    double inside = double(membersInside(cluster, group, d)), reached = double(membersInside(cluster, group, d + 1));
    if (reached <= inside)
      continue;
    double n = reached / inside, share = (n - 1) / n;
    if (kind == CollectiveKind::AllReduce)
      share = cluster.network[d].inNetworkReduction ? std::min((n + 1) / n, 2 * share) : 2 * share;
    double part = inside;
    if (kind == CollectiveKind::AllToAll) {
      share = (reached - inside) / double(group.size);
      part = 1;
    }
    bound = std::max(bound, share * bytes / part / cluster.network[d].bandwidthBytesPerSecond);
  }
  return bound;
}

} // namespace

TEST(CollectiveCost, AGroupOfOneCostsNothing) {
  for (CollectiveKind kind : kinds)
    EXPECT_EQ(collectiveTime(clusters()[1], kind, GiB, {.size = 1, .stride = 8}).seconds, 0);
}

TEST(CollectiveCost, NeverBelowTheBoundsOfTheLinks) {
  for (const Cluster &cluster : clusters())
    for (GroupShape group : groupsOf(cluster))
      for (CollectiveKind kind : kinds)
        for (double bytes : {1.0, 4096.0, 1e6, 3e7, 1e9, 1e11}) {
          CollectiveTime time = collectiveTime(cluster, kind, bytes, group);
          ASSERT_TRUE(std::isfinite(time.seconds)) << describe(cluster, kind, group);
          ASSERT_GE(time.seconds * (1 + 1e-9), lowerBound(cluster, kind, bytes, group))
              << describe(cluster, kind, group) << ", bytes " << bytes << ", " << time.algorithm;
        }
}

TEST(CollectiveCost, MoreBytesNeverTakeLessTime) {
  for (const Cluster &cluster : clusters())
    for (GroupShape group : groupsOf(cluster)) {
      if (group.size > 16 && group.size % 8 != 0)
        continue;
      for (CollectiveKind kind : kinds) {
        Seconds before = 0;
        for (double bytes = 1; bytes < 1e11; bytes *= 1.17) {
          Seconds seconds = collectiveTime(cluster, kind, bytes, group).seconds;
          ASSERT_GE(seconds, before) << describe(cluster, kind, group) << ", bytes " << bytes;
          before = seconds;
        }
      }
    }
}

TEST(CollectiveCost, OneNodeOfManyIsTheNodeAlone) {
  Cluster one = publishedCluster("h200"), four = publishedCluster("4x h200");
  for (CollectiveKind kind : kinds)
    for (double bytes : {1e4, 1e6, 1e9})
      EXPECT_EQ(collectiveTime(one, kind, bytes, {.size = 8, .stride = 1}).seconds,
                collectiveTime(four, kind, bytes, {.size = 8, .stride = 1}).seconds);
}

TEST(CollectiveCost, GroupsAcrossNodesHaveAnAdapterForEachMember) {
  Cluster four = publishedCluster("4x h200");
  // Eight groups at once, one adapter each: 3/4 of the tensor over 47 GB/s.
  Seconds across = collectiveTime(four, CollectiveKind::AllGather, 16 * GiB, {.size = 4, .stride = 8}).seconds;
  EXPECT_NEAR(across, 0.75 * 16 * GiB / 47e9, 0.01 * across);
  // One group of all: eight adapters of a node carry it together, and NVLink is the narrower.
  Seconds all = collectiveTime(four, CollectiveKind::AllGather, 16 * GiB, {.size = 32, .stride = 1}).seconds;
  EXPECT_NEAR(all, 31.0 / 32 * 16 * GiB / 369e9, 0.02 * all);
}

TEST(CollectiveCost, ALargeGroupThatDoesNotTileTheNodesCrossesThem) {
  Cluster four = publishedCluster("4x h200");
  Seconds inside = collectiveTime(four, CollectiveKind::AllGather, GiB, {.size = 4, .stride = 1}).seconds;
  Seconds straddling = collectiveTime(four, CollectiveKind::AllGather, GiB, {.size = 3, .stride = 1}).seconds;
  EXPECT_GT(straddling, 2 * inside);
}

TEST(CollectiveCost, ChoosesAsNcclDoes) {
  Cluster node = publishedCluster("h200"), nodes = publishedCluster("4x h200");
  auto algorithm = [&](const Cluster &cluster, CollectiveKind kind, double bytes, int64_t size) {
    return collectiveTime(cluster, kind, bytes, {.size = size, .stride = 1}).algorithm;
  };
  // Published for 8 H200: ring/LL to 1 MiB, NVLS from 2 MiB.
  EXPECT_EQ(algorithm(node, CollectiveKind::AllReduce, 32 << 10, 8), "ring/LL");
  EXPECT_EQ(algorithm(node, CollectiveKind::AllReduce, 1 << 20, 8), "ring/LL");
  EXPECT_EQ(algorithm(node, CollectiveKind::AllReduce, 2 << 20, 8), "nvls/Simple");
  EXPECT_EQ(algorithm(node, CollectiveKind::AllReduce, 16 * GiB, 8), "nvls/Simple");
  EXPECT_EQ(algorithm(node, CollectiveKind::AllGather, 16 * GiB, 8), "ring/Simple");
  EXPECT_EQ(algorithm(node, CollectiveKind::AllToAll, 16 * GiB, 8), "pairwise/Simple");
  // Two members gain nothing from the switch.
  EXPECT_EQ(algorithm(node, CollectiveKind::AllReduce, 16 * GiB, 2), "ring/Simple");
  // Measured with NCCL_DEBUG on 4 nodes of H200: Ring.
  EXPECT_EQ(algorithm(nodes, CollectiveKind::AllReduce, 16 * GiB, 32), "ring/Simple");
  EXPECT_EQ(algorithm(nodes, CollectiveKind::AllReduce, 1024, 32), "tree/LL");
}

TEST(CollectiveCost, ManyNodesPreferATreeForSmallMessages) {
  NetworkDimension nvlink = dimension(Topology::Switch, 8, 450e9, 0.6e-6),
                   net = dimension(Topology::Switch, 64, 50e9, 2.7e-6);
  CollectiveTime time =
      collectiveTime(clusterOf({nvlink, net}), CollectiveKind::AllReduce, 4096, {.size = 512, .stride = 1});
  EXPECT_EQ(time.algorithm, "tree/LL");
  EXPECT_LT(time.seconds, 100e-6); // a ring has 1022 steps
}

TEST(CollectiveCost, GroupsInBetweenShareTheLinksOfATorus) {
  Cluster torus = clusterOf({dimension(Topology::Ring, 8, 100e9, 1e-6)});
  Seconds neighbours = collectiveTime(torus, CollectiveKind::AllGather, GiB, {.size = 4, .stride = 1}).seconds;
  Seconds spaced = collectiveTime(torus, CollectiveKind::AllGather, GiB, {.size = 4, .stride = 2}).seconds;
  EXPECT_NEAR(spaced, 2 * neighbours, 0.01 * spaced);
  EXPECT_EQ(collectiveTime(torus, CollectiveKind::AllReduce, 1024, {.size = 8, .stride = 1}).algorithm, "ring/LL");
}

TEST(CollectiveCost, AllToAllOnATorusIsBoundByItsMiddle) {
  Cluster torus = clusterOf({dimension(Topology::Ring, 16, 100e9, 1e-6)});
  // 8 ranks send half of their bytes to the other half over 2 links: 16 / 8 of the bytes of one rank on each.
  Seconds seconds = collectiveTime(torus, CollectiveKind::AllToAll, GiB, {.size = 16, .stride = 1}).seconds;
  EXPECT_NEAR(seconds, 2 * GiB / 100e9, 0.01 * seconds);
}

TEST(CollectiveCost, ThreadsPullTheirOperands) {
  Cluster cluster = clusterOf({dimension(Topology::SharedMemory, 4, 20e9, 50e-9)});
  auto seconds = [&](CollectiveKind kind, double bytes) {
    return collectiveTime(cluster, kind, bytes, {.size = 4, .stride = 1}).seconds;
  };
  EXPECT_NEAR(seconds(CollectiveKind::AllGather, 2e9), 0.1 + 3 * 50e-9, 1e-12);
  // Chunks of all, then 3/4 from the others; a barrier more.
  EXPECT_NEAR(seconds(CollectiveKind::AllReduce, 2e9), 0.175 + 1.5 * 3 * 50e-9, 1e-12);
  EXPECT_NEAR(seconds(CollectiveKind::AllReduce, 0), 3 * 50e-9, 1e-12); // two barriers, three more arrivals
  EXPECT_EQ(collectiveTime(cluster, CollectiveKind::AllReduce, 8, {.size = 2, .stride = 2}).algorithm, "shared-memory");
}

TEST(CollectiveCost, AMeasuredGroupIsNotComputed) {
  NetworkDimension memory = dimension(Topology::SharedMemory, 4, 20e9, 50e-9);
  memory.measured.push_back({.kind = CollectiveKind::AllReduce, .members = 4, .points = {{1000, 5e-6}, {1e6, 50e-6}}});
  Cluster cluster = clusterOf({memory});
  CollectiveTime time = collectiveTime(cluster, CollectiveKind::AllReduce, 1000, {.size = 4, .stride = 1});
  EXPECT_DOUBLE_EQ(time.seconds, 5e-6);
  EXPECT_EQ(time.algorithm, "measured");
  EXPECT_EQ(collectiveTime(cluster, CollectiveKind::AllReduce, 1000, {.size = 2, .stride = 1}).algorithm,
            "shared-memory");
  EXPECT_EQ(collectiveTime(cluster, CollectiveKind::AllGather, 1000, {.size = 4, .stride = 1}).algorithm,
            "shared-memory");
}

TEST(CollectiveCost, ProcessesOfThreadsReduceInsideFirst) {
  NetworkDimension memory = dimension(Topology::SharedMemory, 4, 20e9, 50e-9),
                   net = dimension(Topology::Switch, 2, 1e9, 20e-6);
  Cluster cluster = clusterOf({memory, net});
  CollectiveTime time = collectiveTime(cluster, CollectiveKind::AllReduce, 1e9, {.size = 8, .stride = 1});
  EXPECT_EQ(time.algorithm, "shared-memory, ring/Simple, shared-memory");
  // 1e9 bytes at 20 GB/s twice, and a quarter of them between two members: 2 * (1/2) * 0.25e9 at 1 GB/s.
  EXPECT_NEAR(time.seconds, 0.05 + 0.25 + 0.05, 0.002);
  EXPECT_EQ(collectiveTime(cluster, CollectiveKind::AllGather, 1e9, {.size = 8, .stride = 1}).algorithm,
            "ring/Simple, shared-memory");
  // Without bytes: four barriers of four threads, and a ring of two over the network, 7.4 times as slow as NCCL's.
  Seconds latency = collectiveTime(cluster, CollectiveKind::AllReduce, 0, {.size = 8, .stride = 1}).seconds;
  EXPECT_NEAR(latency, 2 * 3 * 50e-9 + 6.6e-6 + 2 * 20e-6, 1e-9);
}
