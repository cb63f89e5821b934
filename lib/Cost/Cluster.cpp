//===- Cluster.cpp - The machines that a model runs on ----------------------===//
#include "llmpar/Cost/Cluster.h"

#include "ClusterFields.h"
#include "ShippedClusters.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallVectorExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/MemoryBuffer.h"
#include <algorithm>
#include <cmath>

namespace llmpar {
namespace {

/// y at x between two points on a straight line in logarithms.
double between(double x0, double y0, double x1, double y1, double x) {
  return y0 * std::pow(y1 / y0, std::log(x / x0) / std::log(x1 / x0));
}

llvm::Expected<Cluster> severalOf(int64_t count, Cluster cluster, llvm::StringRef name) {
  if (!cluster.scaleOut)
    return llvm::createStringError(
        llvm::formatv("'{0}' does not say what joins several of it: give its file a 'scale_out'", name).str());
  if (count > cluster_file::maxRanks / cluster.ranks())
    return llvm::createStringError(llvm::formatv("{0}x {1} has more than {2} devices", count, name, cluster_file::maxRanks).str());
  NetworkDimension outer = *cluster.scaleOut;
  outer.size = count;
  cluster.network.push_back(std::move(outer));
  llvm::SmallVector<DeviceGroup, 1> node = cluster.devices;
  if (node.size() == 1)
    cluster.devices.front().count *= count;
  else
    for (int64_t i = 1; i < count; ++i)
      cluster.devices.append(node.begin(), node.end());
  cluster.scaleOut.reset();
  cluster.name = llvm::formatv("{0}x {1}", count, cluster.name).str();
  return cluster;
}

/// "cpu-4" is the file cpu-N with 4 for N.
std::optional<std::string> shippedText(llvm::StringRef name) {
  for (const ShippedCluster &shipped : shippedClusterFiles()) {
    if (shipped.name == name && !name.ends_with("-N"))
      return shipped.text.str();
    auto [stem, number] = name.rsplit('-');
    int64_t count;
    if (!shipped.name.ends_with("-N") || shipped.name.drop_back(2) != stem || number.getAsInteger(10, count) || count < 1)
      continue;
    std::string text;
    for (size_t i = 0; i < shipped.text.size(); ++i) { // N as a word of its own
      auto isLetter = [&](size_t at) { return at < shipped.text.size() && llvm::isAlnum(shipped.text[at]); };
      bool isNumber = shipped.text[i] == 'N' && !isLetter(i - 1) && !isLetter(i + 1);
      text += isNumber ? number.str() : std::string(1, shipped.text[i]);
    }
    return text;
  }
  return std::nullopt;
}

/// The text of a shipped file or of one on disk.
llvm::Expected<std::string> textOfOne(llvm::StringRef nameOrPath) {
  if (std::optional<std::string> text = shippedText(nameOrPath))
    return *text;
  auto file = llvm::MemoryBuffer::getFile(nameOrPath, /*IsText=*/true);
  if (file)
    return (*file)->getBuffer().str();
  bool isPath = nameOrPath.contains('/') || nameOrPath.ends_with(".yaml");
  if (isPath)
    return llvm::createStringError(llvm::formatv("cluster file {0}: {1}", nameOrPath, file.getError().message()).str());
  return llvm::createStringError(llvm::formatv("no cluster '{0}'; shipped are {1}, several as in '4x dgx-h100'; or give a file",
                                               nameOrPath, llvm::join(shippedClusters(), ", ")).str());
}

llvm::Expected<Cluster> findOne(llvm::StringRef nameOrPath) {
  llvm::Expected<std::string> text = textOfOne(nameOrPath);
  return text ? parseCluster(*text, nameOrPath) : text.takeError();
}

} // namespace

std::string measuredKernelName(llvm::StringRef kernel, llvm::StringRef kind) {
  bool hasKind = kernel == "unary" || kernel == "binary";
  return hasKind ? (kernel + " " + kind).str() : kernel.str();
}

std::string measuredMatmulName(int64_t rows, bool isWeight) {
  return rows <= fewRows ? "matmul few_rows" : isWeight ? "matmul weight" : "matmul";
}

std::string measuredProductsName(llvm::StringRef kernel, double rows) {
  bool hasFewRows = rows <= static_cast<double>(fewRows) && kernel != "attention_grad"; // which computes whole tiles
  return (kernel + (hasFewRows ? " few_rows" : "")).str();
}

llvm::ArrayRef<std::string> measuredKernelNames() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> all = {
        "matmul few_rows", "matmul weight", "attention few_rows", "experts few_rows",
#define LLMPAR_UNARY(name) "unary " #name,
#define LLMPAR_BINARY(name) "binary " #name,
#include "llmpar/Abi/Kinds.def"
#define LLMPAR_KERNEL(name, inputs, outputs, ints, floats) #name,
#include "llmpar/Abi/Kernels.def"
    };
    llvm::erase_if(all, [](const std::string &name) { return name == "unary" || name == "binary"; }); // by kind only
    return all;
  }();
  return names;
}

double EfficiencyCurve::at(double size) const {
  if (points.empty())
    return 1;
  const Point *next = llvm::find_if(points, [&](const Point &point) { return point.size >= size; });
  if (next == points.begin() || next == points.end())
    return (next == points.end() ? points.back() : points.front()).fraction;
  return between(next[-1].size, next[-1].fraction, next->size, next->fraction, size);
}

Seconds MeasuredCollective::at(Bytes bytes) const {
  const Point *next = llvm::find_if(points, [&](const Point &point) { return point.bytes >= bytes; });
  if (next == points.begin())
    return points.front().seconds;
  if (next == points.end())
    return points.back().seconds * bytes / points.back().bytes;
  return between(next[-1].bytes, next[-1].seconds, next->bytes, next->seconds, bytes);
}

const MeasuredCollective *NetworkDimension::findMeasured(CollectiveKind kind, int64_t members) const {
  const MeasuredCollective *found =
      llvm::find_if(measured, [&](const MeasuredCollective &m) { return m.kind == kind && m.members == members; });
  return found == measured.end() ? nullptr : found;
}

int64_t Cluster::ranks() const {
  int64_t count = 0;
  for (const DeviceGroup &group : devices)
    count += group.count;
  return count;
}

Seconds Cluster::stepSeconds(int64_t ranks) const {
  if (stepOverheads.empty())
    return 0;
  const StepOverhead *next = llvm::find_if(stepOverheads, [&](const StepOverhead &step) { return step.ranks >= ranks; });
  if (next == stepOverheads.end())
    return stepOverheads.back().seconds * static_cast<double>(ranks) / static_cast<double>(stepOverheads.back().ranks);
  if (next == stepOverheads.begin())
    return next->seconds;
  double share = static_cast<double>(ranks - next[-1].ranks) / static_cast<double>(next->ranks - next[-1].ranks);
  return next[-1].seconds + share * (next->seconds - next[-1].seconds);
}

const DeviceSpec &Cluster::device(int64_t rank) const {
  for (const DeviceGroup &group : devices) {
    if (rank < group.count)
      return group.device;
    rank -= group.count;
  }
  assert(false && "no such rank");
  return devices.back().device;
}

bool overlapsCommunication(const Cluster &cluster, int64_t ranks) {
  bool movesBytesItself = llvm::any_of(cluster.network, [](const NetworkDimension &d) { return d.topology == Topology::SharedMemory; });
  return !movesBytesItself || cluster.hostCores >= 2 * static_cast<double>(ranks);
}

Cluster whenBusy(const Cluster &cluster, int64_t busyRanks) {
  Cluster busy = cluster;
  auto ranks = static_cast<double>(busyRanks);
  double turns = cluster.hostCores > 0 ? std::max(1.0, ranks / cluster.hostCores) : 1;
  for (DeviceGroup &group : busy.devices) {
    DeviceSpec &device = group.device;
    for (auto &[type, peak] : device.peakFlopsPerSecond)
      peak /= turns;
    device.vectorFlopsPerSecond /= turns;
    device.launchSeconds *= turns;
    double alone = device.memoryBandwidthBytesPerSecond, share = alone / turns;
    if (cluster.hostMemoryBandwidthBytesPerSecond > 0)
      share = std::min(share, cluster.hostMemoryBandwidthBytesPerSecond / ranks);
    device.memoryBandwidthBytesPerSecond = share;
    // Above 1 a cache serves: it is the core's own and waits only for its turn.
    auto keepCaches = [&](EfficiencyCurve &curve) {
      for (EfficiencyCurve::Point &point : curve.points)
        if (point.fraction > 1)
          point.fraction *= alone / turns / share;
    };
    for (auto &[kernel, curve] : device.bandwidthEfficiency)
      keepCaches(curve);
    for (auto &[name, kernel] : device.kernels) {
      kernel.launchSeconds *= turns;
      kernel.runSeconds *= turns;
      keepCaches(kernel.bandwidthEfficiency);
    }
  }
  return busy;
}

llvm::SmallVector<llvm::StringRef> shippedClusters() {
  return llvm::map_to_vector(shippedClusterFiles(), [](const ShippedCluster &shipped) { return shipped.name; });
}

llvm::Expected<Cluster> findCluster(llvm::StringRef nameOrPath) {
  auto [count, name] = nameOrPath.split("x ");
  int64_t nodes;
  if (count.getAsInteger(10, nodes))
    return findOne(nameOrPath);
  if (nodes < 1)
    return llvm::createStringError(llvm::formatv("'{0}': at least 1", nameOrPath).str());
  llvm::Expected<Cluster> one = findOne(name.trim());
  return !one || nodes == 1 ? std::move(one) : severalOf(nodes, std::move(*one), name.trim());
}

llvm::Expected<std::string> clusterText(llvm::StringRef nameOrPath) {
  llvm::Expected<Cluster> cluster = findCluster(nameOrPath); // it parses
  if (!cluster)
    return cluster.takeError();
  auto one = textOfOne(nameOrPath);
  if (one)
    return one;
  llvm::consumeError(one.takeError());
  return writeCluster(*cluster);
}

} // namespace llmpar
