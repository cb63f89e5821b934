#include "llmpar/Cost/Cluster.h"

#include "llvm/ADT/STLExtras.h"
#include "gtest/gtest.h"

namespace llmpar {
namespace {

/// A correct file; tests change one line of it.
constexpr const char *twoBoxes = R"(name: two boxes
devices:
  - count: 6
    name: H
    peak: {f32: 19.5 TFLOP/s, bf16: 312 TFLOP/s}
    vector_peak: 19.5 TFLOP/s
    memory: 80 GiB
    memory_bandwidth: 2039 GB/s
    launch: 2 us
    matmul_efficiency: {1 MFLOP: 10 %, 1 GFLOP: 70 %}
    bandwidth_efficiency: {elementwise: {4 KiB: 200 %, 1 MiB: 90 %}, rows: 50 %}
    kernels:
      softmax: {run: 20 ns, bandwidth_efficiency: {1 KiB: 40 %, 1 MiB: 30 %}}
      matmul weight: {launch: 2 us, efficiency: 90 %}
network:
  - name: nvlink
    topology: switch
    size: 3
    bandwidth: 300 GB/s
    latency: 700 ns
    efficiency: 78 %
    in_network_reduction: true
  - name: bus
    topology: shared_memory
    size: 2
    bandwidth: 200 Gb/s
    latency: 0 s
    measured:
      all_reduce:
        2: {1 KiB: 3 us, 1 MiB: 100 us}
host:
  memory: 2 TB
  cores: 4
  memory_bandwidth: 40 GB/s
  step: {1: 5 us, 4: 12.5 us}
)";

std::string errorOf(const std::string &text) {
  llvm::Expected<Cluster> cluster = parseCluster(text, "c.yaml");
  return cluster ? "" : llvm::toString(cluster.takeError());
}

/// The message for `twoBoxes` with `from` replaced by `to`.
std::string errorWith(const std::string &from, const std::string &to) {
  std::string text = twoBoxes;
  size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return errorOf(text.replace(at, from.size(), to));
}

Cluster parsed(const std::string &text) {
  llvm::Expected<Cluster> cluster = parseCluster(text, "c.yaml");
  if (cluster)
    return *cluster;
  ADD_FAILURE() << llvm::toString(cluster.takeError());
  return {};
}

Cluster found(llvm::StringRef name) {
  llvm::Expected<Cluster> cluster = findCluster(name);
  if (cluster)
    return *cluster;
  ADD_FAILURE() << llvm::toString(cluster.takeError());
  return {};
}

TEST(Cluster, ReadsEveryField) {
  Cluster cluster = parsed(twoBoxes);
  EXPECT_EQ(cluster.name, "two boxes");
  EXPECT_EQ(cluster.ranks(), 6);
  const DeviceSpec &device = cluster.device(5);
  EXPECT_EQ(device.name, "H");
  EXPECT_EQ(device.peakFlopsPerSecond.at(DType::BF16), 312e12);
  EXPECT_EQ(device.vectorFlopsPerSecond, 19.5e12);
  EXPECT_EQ(device.memoryBytes, 80ll << 30);
  EXPECT_EQ(device.memoryBandwidthBytesPerSecond, 2039e9);
  EXPECT_DOUBLE_EQ(device.launchSeconds, 2e-6);
  EXPECT_EQ(device.matmulEfficiency.points[1].size, 1e9);
  EXPECT_DOUBLE_EQ(device.bandwidthEfficiency.at(KernelClass::Elementwise).points[0].fraction, 2);
  EXPECT_DOUBLE_EQ(device.bandwidthEfficiency.at(KernelClass::Rows).at(1e6), 0.5);
  EXPECT_DOUBLE_EQ(device.kernels.at("softmax").runSeconds, 20e-9);
  EXPECT_DOUBLE_EQ(device.kernels.at("matmul weight").flopsEfficiency.at(1e6), 0.9);
  EXPECT_EQ(device.kernels.at("matmul weight").bandwidthEfficiency.at(1e6), 1);
  ASSERT_EQ(cluster.network.size(), 2u);
  EXPECT_TRUE(cluster.network[0].inNetworkReduction);
  EXPECT_EQ(cluster.network[0].efficiency, 0.78);
  EXPECT_EQ(cluster.network[1].topology, Topology::SharedMemory);
  EXPECT_EQ(cluster.network[1].bandwidthBytesPerSecond, 25e9); // 200 gigabits
  ASSERT_TRUE(cluster.network[1].findMeasured(CollectiveKind::AllReduce, 2));
  EXPECT_FALSE(cluster.network[1].findMeasured(CollectiveKind::AllGather, 2));
  EXPECT_EQ(cluster.hostMemoryBytes, 2'000'000'000'000);
  EXPECT_EQ(cluster.hostCores, 4);
  EXPECT_EQ(cluster.hostMemoryBandwidthBytesPerSecond, 40e9);
  EXPECT_DOUBLE_EQ(cluster.stepSeconds(1), 5e-6);
  EXPECT_DOUBLE_EQ(cluster.stepSeconds(2), 7.5e-6);
  EXPECT_DOUBLE_EQ(cluster.stepSeconds(4), 12.5e-6);
  EXPECT_DOUBLE_EQ(cluster.stepSeconds(8), 25e-6);
}

TEST(Cluster, WhatIsLeftOutHasTheDocumentedDefault) {
  Cluster cluster = parsed("name: a\ndevices: [{count: 1, name: d, peak: {f32: 1 TFLOP/s}, vector_peak: 1 TFLOP/s, "
                           "memory: 1 GB, memory_bandwidth: 1 TB/s}]\nnetwork: []\n");
  const DeviceSpec &device = cluster.device(0);
  EXPECT_EQ(device.launchSeconds, clusterDefaults::launchSeconds);
  EXPECT_EQ(device.matmulEfficiency.at(1e9), clusterDefaults::matmulEfficiency);
  EXPECT_EQ(device.bandwidthEfficiency.at(KernelClass::Move).at(1e6), clusterDefaults::bandwidthEfficiency);
  EXPECT_EQ(cluster.hostMemoryBytes, 0);
  EXPECT_FALSE(cluster.scaleOut);
}

TEST(Cluster, DevicesMayDiffer) {
  std::string text = twoBoxes;
  size_t begin = text.find("  - count: 6"), end = text.find("network:");
  std::string group = text.substr(begin, end - begin), other = group;
  group.replace(group.find("count: 6"), 8, "count: 4");
  other.replace(other.find("count: 6"), 8, "count: 2").replace(other.find("name: H"), 7, "name: S");
  Cluster cluster = parsed(text.substr(0, begin) + group + other + text.substr(end));
  EXPECT_EQ(cluster.ranks(), 6);
  EXPECT_EQ(cluster.device(3).name, "H");
  EXPECT_EQ(cluster.device(4).name, "S");
}

TEST(ClusterErrors, NameTheLineAndTheColumn) {
  EXPECT_EQ(errorWith("vector_peak", "vector_peek"),
            "c.yaml:6:5: an item of 'devices' has no 'vector_peek': did you mean 'vector_peak'?");
  EXPECT_EQ(errorWith("latency: 700 ns", "colour: red"),
            "c.yaml:20:5: an item of 'network' has no 'colour': choose one of name, topology, size, bandwidth, latency, "
            "efficiency, in_network_reduction, measured");
  EXPECT_EQ(errorWith("    latency: 700 ns\n", ""), "c.yaml:16:5: an item of 'network' needs 'latency'");
  EXPECT_EQ(errorWith("80 GiB", "80"), "c.yaml:7:13: 'memory': '80' has no unit: write it like '80 GiB'");
  EXPECT_EQ(errorWith("2 us", "2 GB"), "c.yaml:9:13: 'launch': '2 GB' has the wrong unit 'GB', wanted is one of ns, us, ms, s: "
                                       "write it like '2 us'");
  EXPECT_EQ(errorWith("2039 GB/s", "2039 GBps"),
            "c.yaml:8:23: 'memory_bandwidth': '2039 GBps' has an unknown unit 'GBps', wanted is one of B/s, kB/s, MB/s, Gb/s, "
            "GB/s, TB/s: write it like '450 GB/s'");
  EXPECT_EQ(errorWith("300 GB/s", "fast"), "c.yaml:19:16: 'bandwidth': 'fast' is not a number: write it like '450 GB/s'");
  EXPECT_EQ(errorWith("300 GB/s", "0 GB/s"), "c.yaml:19:16: 'bandwidth': 0 GB/s is too small: it must be above 0 B/s");
  EXPECT_EQ(errorWith("300 GB/s", "-3 GB/s"), "c.yaml:19:16: 'bandwidth': -3 GB/s is too small: it must be above 0 B/s");
  EXPECT_EQ(errorWith("700 ns", "-1 ns"), "c.yaml:20:14: 'latency': -1 ns is too small: it must be at least 0 s");
  EXPECT_EQ(errorWith("count: 6", "count: 2.5"), "c.yaml:3:12: 'count': 2.5 is no whole number");
  EXPECT_EQ(errorWith("count: 6", "count: 6 GB"), "c.yaml:3:12: 'count': '6 GB' has a unit, but counts something: write it like '8'");
  EXPECT_EQ(errorWith("cores: 4", "cores: 4 GB"), "c.yaml:33:10: 'cores': '4 GB' has a unit, but counts something: write it like '1.5'");
  EXPECT_EQ(errorWith("efficiency: 78 %", "efficiency: 780 %"), "c.yaml:21:17: 'efficiency': 780 % is too large: at most 150 %");
  EXPECT_EQ(errorWith("topology: switch", "topology: swich"), "c.yaml:17:15: unknown topology 'swich': did you mean 'switch'?");
  EXPECT_EQ(errorWith("bf16: 312", "bf17: 312"), "c.yaml:5:31: unknown element type 'bf17': did you mean 'bf16'?");
  EXPECT_EQ(errorWith("elementwise:", "elementwide:"), "c.yaml:11:28: unknown kernel class 'elementwide': did you mean 'elementwise'?");
  EXPECT_EQ(errorWith("softmax:", "sofmax:"), "c.yaml:13:7: unknown kernel 'sofmax': did you mean 'softmax'?");
  EXPECT_EQ(errorWith("softmax:", "warp_drive:"), "c.yaml:13:7: unknown kernel 'warp_drive'; docs/clusters.md has their names");
  EXPECT_EQ(errorWith("run: 20 ns", "ran: 20 ns"), "c.yaml:13:17: kernel 'softmax' has no 'ran': did you mean 'run'?");
  EXPECT_EQ(errorWith("all_reduce", "allreduce"), "c.yaml:29:7: unknown collective 'allreduce': did you mean 'all_reduce'?");
  EXPECT_EQ(errorWith("{1: 5 us, 4: 12.5 us}", "12.5 us"), "c.yaml:35:9: 'step' is a mapping, as in {1: 10 us, 2: 15 us}");
  EXPECT_EQ(errorWith("{1: 5 us, 4: 12.5 us}", "{4: 5 us, 1: 12.5 us}"), "c.yaml:35:19: 'step': 1 stands behind 4: sort the points by size");
  EXPECT_EQ(errorWith("{1: 5 us, 4: 12.5 us}", "{1.5: 5 us}"), "c.yaml:35:10: 'step': 1.5 is no whole number");
  EXPECT_EQ(errorWith("in_network_reduction: true", "in_network_reduction: yes"),
            "c.yaml:22:27: 'in_network_reduction' is 'yes': write true or false");
}

TEST(ClusterErrors, AboutCurves) {
  EXPECT_EQ(errorWith("{1 MFLOP: 10 %, 1 GFLOP: 70 %}", "{1 GFLOP: 70 %, 1 MFLOP: 10 %}"),
            "c.yaml:10:40: 'matmul_efficiency': 1 MFLOP stands behind 1 GFLOP: sort the points by size");
  EXPECT_EQ(errorWith("{1 MFLOP: 10 %, 1 GFLOP: 70 %}", "{}"), "c.yaml:10:25: 'matmul_efficiency' has no points");
  EXPECT_EQ(errorWith("1 GFLOP: 70 %", "1 GFLOP: 170 %"), "c.yaml:10:49: 'matmul_efficiency': 170 % is too large: at most 150 %");
  EXPECT_EQ(errorWith("1 MFLOP: 10 %", "1 MB: 10 %"),
            "c.yaml:10:25: 'matmul_efficiency': '1 MB' has the wrong unit 'MB', wanted is one of FLOP, kFLOP, MFLOP, GFLOP, TFLOP: "
            "write it like '1 MFLOP'");
  EXPECT_EQ(errorWith("1 MFLOP: 10 %", "1 MFLOP: 0 %"), "c.yaml:10:34: 'matmul_efficiency': 0 % is too small: it must be above 0 %");
  EXPECT_EQ(errorWith("1 MiB: 100 us", "1024 B: 100 us"),
            "c.yaml:30:26: 'all_reduce': 1024 B stands behind 1 KiB: sort the points by size");
}

TEST(ClusterErrors, CountsMustMatchTheNetwork) {
  EXPECT_EQ(errorWith("size: 3", "size: 4"), "c.yaml:15:1: the network joins 8 devices (4 x 2), but 'devices' counts 6");
  EXPECT_EQ(errorWith("        2: {1 KiB", "        4: {1 KiB"), "c.yaml:15:1: 'bus' has 2 members, but a measurement of 4");
}

TEST(ClusterErrors, AboutTheShapeOfTheFile) {
  EXPECT_EQ(errorOf("- 1\n"), "c.yaml:1:1: a cluster is a mapping of keys to values");
  EXPECT_EQ(errorOf(""), "c.yaml:1:1: a cluster is a mapping of keys to values");
  EXPECT_EQ(errorOf("name: a\nname: b\n"), "c.yaml:2:1: 'name' occurs twice");
  EXPECT_EQ(errorOf("name: a\ndevices: 8\n"), "c.yaml:2:10: 'devices' is a list: begin each item with '- '");
  EXPECT_EQ(errorOf("name: a\n"), "c.yaml:1:1: a cluster needs 'devices'");
  EXPECT_EQ(errorOf("name: &a b\n"), "c.yaml:1:10: anchors, aliases and tags have no meaning here: write the value itself");
  EXPECT_EQ(errorWith("{f32: 19.5 TFLOP/s, bf16: 312 TFLOP/s}", "312 TFLOP/s"),
            "c.yaml:5:11: 'peak' is a mapping, as in {f32: 19.5 TFLOP/s}");
  EXPECT_EQ(errorWith("{f32: 19.5 TFLOP/s, bf16: 312 TFLOP/s}", "{}"),
            "c.yaml:5:12: 'peak' is empty: write at least one type, as in {f32: 19.5 TFLOP/s}");
  EXPECT_EQ(errorWith("name: H", "name: [H]"), "c.yaml:4:12: 'name' is one value");
  std::string broken = errorOf("name: [a\n");
  EXPECT_NE(broken.find("c.yaml:"), std::string::npos) << broken;
  EXPECT_NE(broken.find("this is not YAML: "), std::string::npos) << broken;
}

TEST(Cluster, WritingAndReadingGivesTheSame) {
  for (const Cluster &cluster : {parsed(twoBoxes), found("cpu-3"), found("dgx-h100"), found("2x gb200-nvl72")}) {
    std::string once = writeCluster(cluster);
    Cluster again = parsed(once);
    EXPECT_EQ(writeCluster(again), once);
    EXPECT_EQ(again.ranks(), cluster.ranks());
    EXPECT_EQ(again.device(0).peakFlopsPerSecond, cluster.device(0).peakFlopsPerSecond);
    EXPECT_EQ(again.device(0).memoryBytes, cluster.device(0).memoryBytes);
    EXPECT_DOUBLE_EQ(again.network[0].latencySeconds, cluster.network[0].latencySeconds);
    EXPECT_EQ(again.scaleOut.has_value(), cluster.scaleOut.has_value());
  }
}

TEST(Cluster, NumbersAreWrittenInTheirShortestExactForm) {
  std::string text = writeCluster(parsed(twoBoxes));
  for (const char *line : {"memory: 80 GiB\n", "memory: 2 TB\n", "bandwidth: 300 GB/s\n", "bandwidth: 25 GB/s\n", "latency: 700 ns\n",
                           "step: {1: 5 us, 4: 12.5 us}\n", "f32: 19.5 TFLOP/s\n", "2: {1 KiB: 3 us, 1 MiB: 100 us}\n"})
    EXPECT_NE(text.find(line), std::string::npos) << line << "in\n" << text;
}

TEST(Cluster, EveryShippedOneIsFound) {
  EXPECT_GE(shippedClusters().size(), 5u);
  for (llvm::StringRef name : shippedClusters()) {
    Cluster cluster = found(name == "cpu-N" ? "cpu-4" : name);
    EXPECT_EQ(cluster.name, name == "cpu-N" ? "cpu-4" : name);
    EXPECT_GT(cluster.ranks(), 1);
  }
  EXPECT_EQ(found("dgx-a100").device(7).peakFlopsPerSecond.at(DType::BF16), 312e12);
  EXPECT_EQ(found("gb200-nvl72").ranks(), 72);
  EXPECT_EQ(found("cpu-4").hostCores, 4);
}

TEST(Cluster, SeveralNodesAddADimension) {
  Cluster four = found("4x dgx-h100");
  EXPECT_EQ(four.name, "4x dgx-h100");
  EXPECT_EQ(four.ranks(), 32);
  ASSERT_EQ(four.network.size(), 2u);
  EXPECT_EQ(four.network[1].name, "infiniband");
  EXPECT_EQ(four.network[1].size, 4);
  EXPECT_EQ(four.network[1].bandwidthBytesPerSecond, 50e9);
  EXPECT_EQ(found("1x h200").network.size(), 1u);
}

TEST(Cluster, TextKeepsItsComments) {
  llvm::Expected<std::string> one = clusterText("dgx-h100"), two = clusterText("2x dgx-h100"), none = clusterText("dgx-v100");
  ASSERT_TRUE(one && two);
  EXPECT_NE(one->find("# NVIDIA DGX H100"), std::string::npos);
  EXPECT_EQ(parsed(*two).ranks(), 16);
  EXPECT_FALSE(none);
  llvm::consumeError(none.takeError());
}

TEST(ClusterErrors, AboutNames) {
  auto errorOf = [](llvm::StringRef name) {
    llvm::Expected<Cluster> cluster = findCluster(name);
    return cluster ? "" : llvm::toString(cluster.takeError());
  };
  EXPECT_EQ(errorOf("dgx-v100"), "no cluster 'dgx-v100'; shipped are cpu-N, dgx-a100, dgx-h100, gb200-nvl72, h200, several as in "
                                 "'4x dgx-h100'; or give a file");
  EXPECT_EQ(errorOf("missing/c.yaml"), "cluster file missing/c.yaml: No such file or directory");
  EXPECT_EQ(errorOf("cpu-0").substr(0, 18), "no cluster 'cpu-0'");
  EXPECT_EQ(errorOf("cpu-N").substr(0, 18), "no cluster 'cpu-N'");
  EXPECT_EQ(errorOf("0x dgx-h100"), "'0x dgx-h100': at least 1");
  EXPECT_EQ(errorOf("2x cpu-2"), "'cpu-2' does not say what joins several of it: give its file a 'scale_out'");
  EXPECT_EQ(errorOf("1000000x dgx-h100"), "1000000x dgx-h100 has more than 1048576 devices");
}

TEST(Cluster, MeasuredKernelsHaveOneNameEach) {
  EXPECT_EQ(measuredKernelName("softmax"), "softmax");
  EXPECT_EQ(measuredKernelName("reduce", "sum"), "reduce");
  EXPECT_EQ(measuredKernelName("unary", "gelu"), "unary gelu");
  EXPECT_EQ(measuredMatmulName(8, true), "matmul few_rows");
  EXPECT_EQ(measuredMatmulName(9, true), "matmul weight");
  EXPECT_EQ(measuredMatmulName(9, false), "matmul");
  EXPECT_EQ(measuredProductsName("attention", 8), "attention few_rows");
  EXPECT_EQ(measuredProductsName("attention_grad", 8), "attention_grad"); // whole tiles
  EXPECT_EQ(measuredProductsName("experts", 8.5), "experts");
  for (const std::string &name : {measuredKernelName("binary", "add"), measuredMatmulName(1, false), measuredMatmulName(9, false),
                                  measuredProductsName("attention", 1), measuredProductsName("experts", 1)})
    EXPECT_TRUE(llvm::is_contained(measuredKernelNames(), name)) << name;
}

TEST(EfficiencyCurve, IsStraightInLogarithmsAndFlatOutside) {
  EfficiencyCurve curve{{{100, 0.1}, {10000, 0.4}}};
  EXPECT_DOUBLE_EQ(curve.at(1), 0.1);
  EXPECT_DOUBLE_EQ(curve.at(100), 0.1);
  EXPECT_DOUBLE_EQ(curve.at(1000), 0.2); // half way: geometric mean
  EXPECT_DOUBLE_EQ(curve.at(1e9), 0.4);
  EXPECT_EQ(EfficiencyCurve().at(5), 1);
}

TEST(MeasuredCollective, GrowsWithBytesBehindItsLastPoint) {
  MeasuredCollective measured{CollectiveKind::AllReduce, 2, {{1000, 4e-6}, {100000, 16e-6}}};
  EXPECT_DOUBLE_EQ(measured.at(8), 4e-6);
  EXPECT_DOUBLE_EQ(measured.at(10000), 8e-6);
  EXPECT_DOUBLE_EQ(measured.at(200000), 32e-6);
}

TEST(WhenBusy, CoresAndMemoryAreShared) {
  Cluster cluster = parsed(twoBoxes); // 4 cores, 40 GB/s for all; one device alone would draw 2039 GB/s
  cluster.devices[0].device.memoryBandwidthBytesPerSecond = 20e9;
  Cluster one = whenBusy(cluster, 1), four = whenBusy(cluster, 4), six = whenBusy(cluster, 6);
  EXPECT_EQ(one.device(0).memoryBandwidthBytesPerSecond, 20e9);
  EXPECT_EQ(four.device(0).memoryBandwidthBytesPerSecond, 10e9);
  EXPECT_EQ(four.device(0).peakFlopsPerSecond.at(DType::F32), 19.5e12);
  EXPECT_DOUBLE_EQ(six.device(0).peakFlopsPerSecond.at(DType::F32), 13e12); // 1.5 turns
  EXPECT_DOUBLE_EQ(six.device(0).launchSeconds, 3e-6);
  // 200 % of 20 GB/s come from a cache: its 40 GB/s stay.
  double cached = four.device(0).bandwidthEfficiency.at(KernelClass::Elementwise).at(4096);
  EXPECT_DOUBLE_EQ(cached * four.device(0).memoryBandwidthBytesPerSecond, 40e9);
  EXPECT_DOUBLE_EQ(four.device(0).bandwidthEfficiency.at(KernelClass::Elementwise).at(1 << 20), 0.9);
}

} // namespace
} // namespace llmpar
