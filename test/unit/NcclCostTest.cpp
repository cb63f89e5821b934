//===- NcclCostTest.cpp - Each algorithm and protocol of NCCL's model ------===//
//
// Expected latencies are NCCL's formulas (src/graph/tuning.cc) worked out by hand, in microseconds.
//
//===----------------------------------------------------------------------===//
#include "CollectiveEngines.h"
#include "gtest/gtest.h"
#include <map>

using namespace llmpar;

namespace {

constexpr double MiB = 1024 * 1024;

NetworkDimension link(double bandwidth, double latency, bool inNetworkReduction) {
  NetworkDimension result;
  result.bandwidthBytesPerSecond = bandwidth;
  result.latencySeconds = latency;
  result.inNetworkReduction = inNetworkReduction;
  return result;
}

/// Nodes of 8 with NVLink, one adapter for each member.
struct Machine {
  NetworkDimension nvlink = link(450e9, 0.6e-6, true), adapter = link(50e9, 2.7e-6, false);

  /// Microseconds by algorithm.
  std::map<std::string, double> times(CollectiveKind kind, int64_t nodes, double bytes) const {
    std::vector<Level> levels = {{.dimension = &nvlink, .insideNode = true, .members = 8}};
    if (nodes > 1)
      levels.push_back({.dimension = &adapter, .insideNode = false, .members = nodes, .inside = 8, .fewest = 8});
    std::map<std::string, double> result;
    for (const CollectiveTime &time :
         ncclCandidates({.kind = kind, .bytes = bytes, .size = 8 * nodes, .levels = levels}))
      result[time.algorithm] = time.seconds * 1e6;
    return result;
  }
  /// Microseconds beyond the latency.
  double transfer(CollectiveKind kind, int64_t nodes, double bytes, const std::string &algorithm) const {
    return times(kind, nodes, bytes).at(algorithm) - times(kind, nodes, 0).at(algorithm);
  }
};

void expectTimes(const std::map<std::string, double> &times, const std::map<std::string, double> &expected) {
  EXPECT_EQ(times.size(), expected.size());
  for (const auto &[algorithm, microseconds] : expected) {
    ASSERT_TRUE(times.contains(algorithm)) << algorithm;
    EXPECT_NEAR(times.at(algorithm), microseconds, 1e-9) << algorithm;
  }
}

} // namespace

TEST(NcclCost, LatenciesOfAllReduceOnOneNode) {
  expectTimes(Machine().times(CollectiveKind::AllReduce, 1, 0), {{"ring/LL", 6.6 + 14 * 0.6},
                                                                 {"ring/LL128", 14 + 14 * 1.9},
                                                                 {"ring/Simple", 8.4 + 14 * 3.4},
                                                                 {"tree/LL", 6.8 + 14 * 0.6},
                                                                 {"tree/LL128", 14 + 14 * 1.25},
                                                                 {"tree/Simple", 8.4 + 14 * 4.0},
                                                                 {"nvls/Simple", 25}});
}

TEST(NcclCost, LatenciesOfAllReduceOnFourNodes) {
  // 62 steps of the ring, 6 of them between nodes; steps inside wait for the proxy's posts.
  expectTimes(Machine().times(CollectiveKind::AllReduce, 4, 0), {{"ring/LL", 6.6 + 56 * 1.0 + 6 * 2.7},
                                                                 {"ring/LL128", 14 + 56 * 1.9 + 6 * 4.0},
                                                                 {"ring/Simple", 1.4 * (8.4 + 56 * 3.4 + 6 * 14)},
                                                                 {"tree/LL", 6.8 + 2 * (7 * 0.6 + 2 * 5.0)},
                                                                 {"tree/LL128", 14 + 2 * (7 * 1.25 + 2 * 8.5)},
                                                                 {"tree/Simple", 8.4 + 2 * (7 * 4.0 + 2 * 14)},
                                                                 {"nvls-tree/Simple", 25 + 2 * 2 * 20.9}});
}

TEST(NcclCost, ATreeOfFiveNodesHasThreeLevels) {
  EXPECT_NEAR(Machine().times(CollectiveKind::AllReduce, 5, 0).at("tree/LL"), 6.8 + 2 * (7 * 0.6 + 3 * 5.0), 1e-9);
}

TEST(NcclCost, LatenciesOfTheOthers) {
  expectTimes(
      Machine().times(CollectiveKind::AllGather, 1, 0),
      {{"ring/LL", 6.6 + 7 * 0.6}, {"ring/LL128", 14 + 7 * 1.9}, {"ring/Simple", 8.4 + 7 * 3.4}, {"nvls/Simple", 25}});
  expectTimes(Machine().times(CollectiveKind::AllToAll, 4, 0),
              {{"pairwise/LL", 6.6 + 31 * 0.4 + 2.7}, {"pairwise/Simple", 8.4 + 31 * 0.4 + 14}});
}

TEST(NcclCost, ASlowerLinkScalesItsHops) {
  Machine machine;
  machine.adapter.latencySeconds = 27e-6;
  EXPECT_NEAR(machine.times(CollectiveKind::AllReduce, 4, 0).at("tree/LL"), 6.8 + 2 * (7 * 0.6 + 2 * 50), 1e-9);
}

TEST(NcclCost, BandwidthsOfARing) {
  Machine machine;
  double share = 2 * 7.0 / 8 * MiB / 1e3; // over links in GB/s: microseconds
  EXPECT_NEAR(machine.transfer(CollectiveKind::AllReduce, 1, MiB, "ring/Simple"), share / 450, 1e-9);
  EXPECT_NEAR(machine.transfer(CollectiveKind::AllReduce, 1, MiB, "ring/LL128"), share / (450 * 0.92), 1e-9);
  EXPECT_NEAR(machine.transfer(CollectiveKind::AllReduce, 1, MiB, "ring/LL"), share / (450 * 0.31), 1e-9);
  // Four nodes: eight adapters of 50 GB/s are the narrower.
  double wide = 2 * 31.0 / 32 * MiB / 1e3;
  EXPECT_NEAR(machine.transfer(CollectiveKind::AllReduce, 4, MiB, "ring/Simple"), wide / 400, 1e-9);
  EXPECT_NEAR(machine.transfer(CollectiveKind::AllReduce, 4, MiB, "ring/LL"), wide / (400 * 0.09), 1e-9);
}

TEST(NcclCost, BandwidthsOfATree) {
  Machine machine;
  double bytes = 1024 * MiB, megabytes = bytes / 1e3; // at the end of the correction table: 1, 1 and 0.9
  EXPECT_NEAR(machine.transfer(CollectiveKind::AllReduce, 1, bytes, "tree/LL128"), 2 * megabytes / (450 * 0.92 * 7 / 9),
              1e-3);
  EXPECT_NEAR(machine.transfer(CollectiveKind::AllReduce, 1, bytes, "tree/LL"), 2 * megabytes / (450 * 0.92 / 3.8),
              1e-3);
  EXPECT_NEAR(machine.transfer(CollectiveKind::AllReduce, 4, bytes, "tree/Simple"), 2 * megabytes / (400 * 0.92 * 0.9),
              1e-3);
  EXPECT_NEAR(machine.transfer(CollectiveKind::AllReduce, 4, bytes, "tree/LL128"),
              2 * megabytes / (400 * 0.92 * 0.9375), 1e-3);
  // Two nodes only exchange.
  machine.adapter.bandwidthBytesPerSecond = 20e9;
  EXPECT_NEAR(machine.transfer(CollectiveKind::AllReduce, 2, bytes, "tree/Simple"), megabytes / (160 * 0.92 * 0.9),
              1e-3);
  EXPECT_NEAR(machine.transfer(CollectiveKind::AllReduce, 2, 1024 * bytes, "nvls-tree/Simple"), 1024 * megabytes / 160,
              120);
}

TEST(NcclCost, MediumMessagesOfATreeAreSlower) {
  // 1 MiB is entry 14 of the table: LL at half of its bandwidth; halfway to 2 MiB at 0.55.
  Machine machine;
  double perMiB = 2 * MiB / 1e3 / (450 * 0.92 / 3.8), between = MiB * 1.4142135623730951;
  EXPECT_NEAR(machine.transfer(CollectiveKind::AllReduce, 1, MiB, "tree/LL"), perMiB / 0.5, 1e-6);
  EXPECT_NEAR(machine.transfer(CollectiveKind::AllReduce, 1, between, "tree/LL"), between / MiB * perMiB / 0.55, 1e-6);
}

TEST(NcclCost, TheSwitchReducesInOnePass) {
  Machine machine;
  double perMiB = 9.0 / 8 * MiB / 1e3 / (450 * 0.85);
  // Up to 16 MiB the reducing and the broadcasting half do not overlap.
  EXPECT_NEAR(machine.transfer(CollectiveKind::AllReduce, 1, MiB, "nvls/Simple"), 2 * perMiB, 1e-9);
  EXPECT_NEAR(machine.transfer(CollectiveKind::AllReduce, 1, 64 * MiB, "nvls/Simple"), (64 + 16) * perMiB, 1e-6);
  EXPECT_NEAR(machine.transfer(CollectiveKind::AllGather, 1, MiB, "nvls/Simple"), 7.0 / 8 * MiB / 1e3 / (450 * 0.85),
              1e-9);
  machine.nvlink.bandwidthBytesPerSecond = 900e9; // NVLink 5
  EXPECT_NEAR(machine.transfer(CollectiveKind::AllReduce, 1, MiB, "nvls/Simple"),
              2 * 9.0 / 8 * MiB / 1e3 / (900 * 0.74), 1e-9);
}

TEST(NcclCost, SwitchesOfTheNetworkReduceToo) {
  Machine machine;
  machine.adapter.inNetworkReduction = true;
  EXPECT_NEAR(machine.times(CollectiveKind::AllReduce, 4, 0).at("nvls/Simple"), 25 + 18, 1e-9);
  EXPECT_FALSE(machine.times(CollectiveKind::AllGather, 4, 0).contains("nvls/Simple"));
}

TEST(NcclCost, ATorusRunsRingsOnly) {
  Machine machine;
  machine.nvlink.topology = Topology::Ring;
  for (const auto &[algorithm, time] : machine.times(CollectiveKind::AllReduce, 4, MiB))
    EXPECT_EQ(algorithm.substr(0, 5), "ring/");
}

TEST(NcclCost, AllToAllWaitsForTheLeastFilledNode) {
  // 12 members as 8 and 4: those of the small node send 8 of 12 parts over their adapters.
  Machine machine;
  std::vector<Level> levels = {
      {.dimension = &machine.nvlink, .insideNode = true, .members = 8},
      {.dimension = &machine.adapter, .insideNode = false, .members = 2, .inside = 8, .fewest = 4}};
  double bytes = 1e12;
  CollectiveTime time = ncclTime({.kind = CollectiveKind::AllToAll, .bytes = bytes, .size = 12, .levels = levels});
  EXPECT_NEAR(time.seconds, 8.0 / 12 * bytes / 50e9, 1e-3);
}
