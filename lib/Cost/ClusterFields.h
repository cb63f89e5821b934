//===- ClusterFields.h - The keys of a cluster file -------------*- C++ -*-===//
//
// The one table of the format. A visitor reads (ParseCluster.cpp) or writes (WriteCluster.cpp) each field:
//
//   quantity(key, value, Range)          a number with a unit; Range holds what is allowed
//   text, flag, choice                   words
//   list(key, items), object(key, value) what has fields of its own
//   peaks, curves, kernels, measured     tables with one entry per element type, kernel class, kernel, collective
//   steps                                a time for each number of ranks
//
// A field with a fallback may be left out of the file.
//
//===----------------------------------------------------------------------===//
#ifndef LLMPAR_LIB_COST_CLUSTERFIELDS_H
#define LLMPAR_LIB_COST_CLUSTERFIELDS_H

#include "llmpar/Cost/Cluster.h"
#include "llmpar/Cost/Quantity.h"

namespace llmpar::cluster_file {

struct Range {
  Measure measure;
  double above = 0; ///< values of at most that are refused ...
  bool inclusive = false; ///< ... unless it is the smallest allowed
  double atMost = 1e30;
  std::optional<double> fallback = {};
};
constexpr Range positive(Measure measure) { return {measure}; }
constexpr Range optional(Measure measure, double fallback = 0) { return {measure, 0, true, 1e30, fallback}; }
constexpr Range fraction(double fallback, double atMost = 1.5) { return {Measure::Fraction, 0, false, atMost, fallback}; }
constexpr double maxBandwidthFraction = 1000; ///< caches exceed memory's bandwidth
constexpr int64_t maxRanks = 1 << 20;

constexpr llvm::StringLiteral kernelClassNames[] = {"matmul", "elementwise", "transcendental", "rows", "move"};
constexpr llvm::StringLiteral collectiveNames[] = {"all_reduce", "reduce_scatter", "all_gather", "all_to_all"};
constexpr llvm::StringLiteral topologyNames[] = {"ring", "switch", "shared_memory"};

template <typename Visitor> void visitFields(Visitor &v, KernelSpeed &kernel) {
  v.quantity("launch", kernel.launchSeconds, optional(Measure::Seconds));
  v.quantity("run", kernel.runSeconds, optional(Measure::Seconds));
  v.curve("efficiency", kernel.flopsEfficiency, Measure::Flops, fraction(1));
  v.curve("bandwidth_efficiency", kernel.bandwidthEfficiency, Measure::Bytes, fraction(1, maxBandwidthFraction));
}

template <typename Visitor> void visitFields(Visitor &v, DeviceSpec &device) {
  v.text("name", device.name);
  v.peaks("peak", device.peakFlopsPerSecond);
  v.quantity("vector_peak", device.vectorFlopsPerSecond, positive(Measure::FlopsPerSecond));
  v.quantity("memory", device.memoryBytes, positive(Measure::Bytes));
  v.quantity("memory_bandwidth", device.memoryBandwidthBytesPerSecond, positive(Measure::BytesPerSecond));
  v.quantity("launch", device.launchSeconds, optional(Measure::Seconds, clusterDefaults::launchSeconds));
  v.curve("matmul_efficiency", device.matmulEfficiency, Measure::Flops, fraction(clusterDefaults::matmulEfficiency));
  v.curves("bandwidth_efficiency", device.bandwidthEfficiency,
           fraction(clusterDefaults::bandwidthEfficiency, maxBandwidthFraction));
  v.kernels("kernels", device.kernels);
}

template <typename Visitor> void visitFields(Visitor &v, DeviceGroup &group) {
  v.quantity("count", group.count, Range{Measure::Count, 0, false, maxRanks});
  visitFields(v, group.device);
}

/// `withSize`: a dimension of the network; without: what joins several clusters.
template <typename Visitor> void visitFields(Visitor &v, NetworkDimension &dimension, bool withSize = true) {
  v.text("name", dimension.name);
  v.choice("topology", dimension.topology, topologyNames);
  if (withSize)
    v.quantity("size", dimension.size, Range{Measure::Count, 0, false, maxRanks});
  v.quantity("bandwidth", dimension.bandwidthBytesPerSecond, positive(Measure::BytesPerSecond));
  v.quantity("latency", dimension.latencySeconds, Range{Measure::Seconds, 0, true});
  v.quantity("efficiency", dimension.efficiency, fraction(clusterDefaults::networkEfficiency));
  v.flag("in_network_reduction", dimension.inNetworkReduction, false);
  if (withSize)
    v.measured("measured", dimension.measured);
}

template <typename Visitor> void visitFields(Visitor &v, Cluster &cluster) {
  v.text("name", cluster.name);
  v.list("devices", cluster.devices);
  v.list("network", cluster.network);
  v.object("host", [&](auto &host) {
    host.quantity("memory", cluster.hostMemoryBytes, optional(Measure::Bytes));
    host.quantity("cores", cluster.hostCores, optional(Measure::Number));
    host.quantity("memory_bandwidth", cluster.hostMemoryBandwidthBytesPerSecond, optional(Measure::BytesPerSecond));
    host.steps("step", cluster.stepOverheads);
  });
  v.optionalObject("scale_out", cluster.scaleOut, [](auto &fields, NetworkDimension &dimension) {
    visitFields(fields, dimension, /*withSize=*/false);
  });
}

} // namespace llmpar::cluster_file

#endif // LLMPAR_LIB_COST_CLUSTERFIELDS_H
