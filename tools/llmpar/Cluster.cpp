//===- Cluster.cpp - `llmpar cluster`: list, show and probe machines ---------===//
#include "Probe.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/raw_ostream.h"

#include <thread>

namespace llmpar::tool {
namespace {

constexpr int64_t mostProbed = 64; ///< devices: each is a thread with 160 MB of its own

/// "989 TFLOP/s", "67 GFLOP/s"
std::string rateText(double perSecond, const char *unit) {
  const char *prefixes[] = {"", "k", "M", "G", "T", "P"};
  int prefix = 0;
  for (; perSecond >= 1000 && prefix < 5; ++prefix)
    perSecond /= 1000;
  return llvm::formatv("{0} {1}{2}", llvm::format("%.4g", perSecond), prefixes[prefix], unit).str();
}

std::string networkText(const Cluster &cluster) {
  std::string text;
  for (const NetworkDimension &dimension : cluster.network)
    text += (text.empty() ? "" : ", ") + std::to_string(dimension.size) + " over " + dimension.name + " at " +
            rateText(dimension.bandwidthBytesPerSecond, "B/s");
  return text;
}

int list(const Options &options, Failure &failure) {
  llvm::outs() << llvm::formatv("{0,-12} {1,-22} {2,-14} {3,-10} {4}\n", "name", "device", "bf16", "memory", "network");
  for (llvm::StringRef name : shippedClusters()) {
    // One device of a file that stands for any number of them.
    bool isAnyNumber = name.ends_with("-N");
    llvm::Expected<Cluster> cluster = findCluster(isAnyNumber ? (name.drop_back(1) + "1").str() : name.str());
    if (!cluster) {
      failure.set(Internal, llvm::toString(cluster.takeError()));
      return failure.report(options);
    }
    const DeviceSpec &device = cluster->device(0);
    auto peak = device.peakFlopsPerSecond.find(DType::BF16);
    llvm::outs() << llvm::formatv("{0,-12} {1,-22} {2,-14} {3,-10} {4}\n", name, device.name,
                                  peak == device.peakFlopsPerSecond.end() ? "" : rateText(peak->second, "FLOP/s"),
                                  rateText(static_cast<double>(device.memoryBytes), "B"),
                                  isAnyNumber ? "N over memory" : networkText(*cluster));
  }
  llvm::outs() << "\nSeveral nodes: '4x dgx-h100'. This machine: llmpar cluster probe -o machine.yaml\n";
  return Ok;
}

int show(const Options &options, Failure &failure) {
  if (options.other.empty()) {
    failure.set(Usage, "which cluster? Usage: llmpar cluster show dgx-h100; llmpar cluster list has the names");
    return failure.report(options);
  }
  llvm::Expected<std::string> text = clusterText(options.other);
  if (!text) {
    failure.set(Usage, llvm::toString(text.takeError()));
    return failure.report(options);
  }
  llvm::outs() << *text;
  return Ok;
}

int probe(const Options &options, Failure &failure) {
  int64_t devices = options.devices ? options.devices : int64_t{std::max(1u, std::thread::hardware_concurrency())};
  if (devices < 1 || devices > mostProbed) {
    failure.set(Usage, llvm::formatv("--devices={0}: 1 to {1} devices can be probed", devices, mostProbed).str());
    return failure.report(options);
  }
  Cluster cluster;
  {
    Progress progress;
    if (!probeMachine(devices, progress, cluster, failure))
      return failure.report(options);
  }
  std::string text = "# Measured by `llmpar cluster probe --devices=" + std::to_string(devices) + "` on " +
                     std::to_string(std::thread::hardware_concurrency()) + " processors.\n" + writeCluster(cluster);
  std::error_code code;
  llvm::raw_fd_ostream os(options.output.empty() ? "-" : options.output, code);
  if (!code)
    os << text;
  os.flush();
  if (!code && os.has_error())
    code = os.error();
  os.clear_error();
  if (code)
    failure.set(Usage, options.output + ": " + code.message());
  return code ? failure.report(options) : Ok;
}

} // namespace

int clusterCommand(const Options &options) {
  Failure failure;
  if (options.model == "show")
    return show(options, failure);
  if (!options.other.empty()) {
    failure.set(Usage, "llmpar cluster " + options.model + " takes no '" + options.other + "'");
    return failure.report(options);
  }
  if (options.model == "list")
    return list(options, failure);
  if (options.model == "probe")
    return probe(options, failure);
  failure.set(Usage, (options.model.empty() ? "which action" : "no action '" + options.model + "'") +
                         ": llmpar cluster list, llmpar cluster show <name>, or llmpar cluster probe");
  return failure.report(options);
}

} // namespace llmpar::tool
