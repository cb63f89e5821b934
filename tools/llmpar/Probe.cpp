//===- Probe.cpp - Measuring this machine -----------------------------------===//
#include "Probe.h"

#include "reference/Kinds.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <sched.h>
#include <unistd.h>

namespace llmpar::tool {
namespace {

int64_t coreCount() {
  cpu_set_t set;
  CPU_ZERO(&set);
  return ::sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
}

/// "AMD EPYC", as the system calls it.
std::string processorName() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);)
    if (line.starts_with("model name") && line.find(": ") != std::string::npos)
      return line.substr(line.find(": ") + 2);
  return "CPU";
}

constexpr int64_t copiedElements = 4 << 20, copies = 4; ///< 16 MiB on each side, together beyond every cache

/// Bytes that all ranks together read and write per second when each copies.
bool copyBandwidth(int64_t ranks, double &bytesPerSecond, Failure &failure) {
  ProbeProgram program(ranks);
  std::string type = typeText({copiedElements});
  size_t copy = 0;
  for (int64_t i = 0; i < copies; ++i)
    copy = program.record({"reshape", {program.activation(type)}, {program.activation(type)}});
  if (!program.timeRecords({.seconds = 1, .least = 20, .most = 200}, failure))
    return false;
  bytesPerSecond = static_cast<double>(ranks) * 8.0 * static_cast<double>(copiedElements) / program.seconds(copy);
  return true;
}

/// How many cores' worth of arithmetic `atOnce` devices have when all compute: hyper-threads of one core share it.
bool measureCores(int64_t atOnce, double &cores, Failure &failure) {
  double alone = 0, together = 0;
  for (auto [ranks, seconds] : {std::pair(int64_t{1}, &alone), std::pair(atOnce, &together)}) {
    ProbeProgram program(ranks);
    ProbeBuffer x = program.activation("128x128xf32"), w = program.weight("128x128xf32"), y = program.activation("128x128xf32");
    std::vector<size_t> products;
    for (int i = 0; i < 50; ++i)
      products.push_back(program.record({"matmul", {x, w}, {y}, {0, 0}}));
    if (!program.timeRecords({.seconds = 0.5, .least = 20, .most = 1000}, failure))
      return false;
    std::vector<double> samples;
    for (size_t product : products)
      samples.push_back(program.seconds(product));
    *seconds = lowerDecile(samples);
  }
  cores = std::clamp(static_cast<double>(atOnce) * alone / together, 1.0, static_cast<double>(atOnce));
  constexpr double noise = 0.05;
  if (cores > (1 - noise) * static_cast<double>(atOnce))
    cores = static_cast<double>(atOnce);
  return true;
}

/// What a step of `ranks` takes beside its records, which last long enough for the caller to fall asleep.
bool probeStep(int64_t ranks, Cluster &cluster, Failure &failure) {
  ProbeProgram program(ranks);
  ProbeBuffer x = program.activation("128x128xf32"), w = program.weight("128x128xf32"), y = program.activation("128x128xf32");
  for (int i = 0; i < 2; ++i)
    program.record({"matmul", {x, w}, {y}, {0, 0}});
  if (!program.timeRecords({.seconds = 0.3, .least = 100, .most = 2000}, failure))
    return false;
  cluster.stepOverheads.push_back({ranks, program.overheadSeconds()});
  return true;
}

/// The smallest record, as a model has it: its code and itself are in no near cache.
bool probeLaunch(DeviceSpec &device, Failure &failure) {
  ProbeProgram program(1);
  ProbeBuffer x = program.activation("1xf32"), y = program.activation("1xf32");
  size_t smallest = 0;
  for (int i = 0; i < 3; ++i) {
    program.disturb();
    smallest = program.record({"binary", {x, x}, {y}, {static_cast<int64_t>(rt::BinaryKind::add)}});
  }
  if (!program.timeRecords({.seconds = 0.2, .least = 100}, failure))
    return false;
  device.launchSeconds = program.seconds(smallest);
  return true;
}

/// Three digits: the rest is noise, and the file is for people too.
void roundOff(double &value) {
  if (value <= 0)
    return;
  double unit = std::pow(10, std::floor(std::log10(value)) - 2);
  value = std::round(value / unit) * unit;
}
void roundOff(EfficiencyCurve &curve) {
  for (EfficiencyCurve::Point &point : curve.points)
    roundOff(point.fraction);
}

void roundOff(Cluster &cluster) {
  DeviceSpec &device = cluster.devices.front().device;
  for (auto &[type, peak] : device.peakFlopsPerSecond)
    roundOff(peak);
  for (double *value : {&device.vectorFlopsPerSecond, &device.memoryBandwidthBytesPerSecond, &device.launchSeconds,
                        &cluster.hostCores, &cluster.hostMemoryBandwidthBytesPerSecond})
    roundOff(*value);
  for (StepOverhead &step : cluster.stepOverheads)
    roundOff(step.seconds);
  roundOff(device.matmulEfficiency);
  for (auto &[kernel, curve] : device.bandwidthEfficiency)
    roundOff(curve);
  for (auto &[name, kernel] : device.kernels) {
    roundOff(kernel.launchSeconds);
    roundOff(kernel.runSeconds);
    roundOff(kernel.flopsEfficiency);
    roundOff(kernel.bandwidthEfficiency);
  }
  for (NetworkDimension &dimension : cluster.network) {
    roundOff(dimension.bandwidthBytesPerSecond);
    roundOff(dimension.latencySeconds);
    for (MeasuredCollective &measured : dimension.measured)
      for (MeasuredCollective::Point &point : measured.points)
        roundOff(point.seconds);
  }
}

} // namespace

std::string typeText(std::initializer_list<int64_t> extents, const char *element) {
  std::string text;
  for (int64_t extent : extents)
    text += std::to_string(extent) + "x";
  return text + element;
}

bool probeHost(Cluster &cluster, Failure &failure) {
  DeviceGroup &group = cluster.devices.front();
  constexpr int64_t unit = 1 << 20;
  cluster.hostMemoryBytes = ::sysconf(_SC_PHYS_PAGES) / (unit / ::sysconf(_SC_PAGESIZE)) * unit;
  group.device.name = processorName();
  group.device.memoryBytes = cluster.hostMemoryBytes / group.count / unit * unit;
  int64_t atOnce = std::min(group.count, coreCount());
  cluster.hostCores = static_cast<double>(coreCount());
  if (atOnce > 1 && !measureCores(atOnce, cluster.hostCores, failure))
    return false;
  if (!copyBandwidth(1, group.device.memoryBandwidthBytesPerSecond, failure))
    return false;
  if (atOnce > 1 && !copyBandwidth(atOnce, cluster.hostMemoryBandwidthBytesPerSecond, failure))
    return false;
  for (int64_t ranks = 1; ranks < group.count; ranks *= 2)
    if (!probeStep(ranks, cluster, failure))
      return false;
  return probeStep(group.count, cluster, failure) && probeLaunch(group.device, failure);
}

bool probeMachine(int64_t devices, Progress &progress, Cluster &cluster, Failure &failure) {
  cluster = {};
  cluster.name = "this machine";
  DeviceGroup &group = cluster.devices.emplace_back();
  group.count = devices;
  progress.phase("measure memory");
  if (!probeHost(cluster, failure))
    return false;
  progress.phase("measure matrix products");
  if (!probeMatmul(group.device, failure))
    return false;
  progress.phase("measure other kernels");
  if (!probeProducts(group.device, failure))
    return false;
  if (!probeKernels(group.device, failure))
    return false;
  progress.phase("measure collectives");
  if (!probeCollectives(cluster, failure))
    return false;
  roundOff(cluster);
  return true;
}

} // namespace llmpar::tool
