//===- Report.cpp - What llmpar-run prints ---------------------------------===//
#include "Report.h"

#include "core/Json.h"

#include <algorithm>
#include <cstdio>
#include <map>

namespace llmpar::run {
namespace {

using namespace llmpar::rt;

struct KernelTotal {
  std::string name;
  uint64_t calls = 0;
  double seconds = 0, flops = 0;
};

/// Time per kernel over all ranks, longest first.
std::vector<KernelTotal> totalsByKernel(const Instance &instance) {
  std::map<std::string, KernelTotal> totals;
  for (uint32_t rank = 0; rank < instance.program().ranks.size(); ++rank) {
    const std::vector<RecordDef> &records = instance.program().ranks[rank].main;
    for (size_t i = 0; i < records.size(); ++i) {
      const RecordTime &time = instance.recordTimes(rank)[i];
      KernelTotal &total = totals[std::string(kernelName(records[i].kernel))];
      total.calls += time.calls;
      total.seconds += time.seconds;
      total.flops += records[i].flops * static_cast<double>(time.calls);
    }
  }
  std::vector<KernelTotal> sorted;
  for (auto &[name, total] : totals) {
    sorted.push_back(total);
    sorted.back().name = name;
  }
  std::ranges::sort(sorted, [](const auto &a, const auto &b) { return a.seconds > b.seconds; });
  return sorted;
}

void printProfile(const Instance &instance) {
  std::printf("%-18s %10s %12s %10s\n", "kernel", "calls", "seconds", "Gflop/s");
  for (const KernelTotal &total : totalsByKernel(instance))
    std::printf("%-18s %10llu %12.6f %10.2f\n", total.name.c_str(), static_cast<unsigned long long>(total.calls),
                total.seconds, total.seconds > 0 ? total.flops / total.seconds * 1e-9 : 0.0);
  struct Slow {
    uint32_t rank;
    size_t index;
    double seconds;
  };
  std::vector<Slow> slow;
  for (uint32_t rank = 0; rank < instance.program().ranks.size(); ++rank)
    for (size_t i = 0; i < instance.recordTimes(rank).size(); ++i)
      slow.push_back({rank, i, instance.recordTimes(rank)[i].seconds});
  std::ranges::sort(slow, [](const Slow &a, const Slow &b) { return a.seconds > b.seconds; });
  slow.resize(std::min<size_t>(slow.size(), 10));
  std::puts("slowest records:");
  for (const Slow &s : slow)
    std::printf("  %12.6f s  %s\n", s.seconds,
                describeRecord(s.rank, Entry::Main, s.index, instance.program().ranks[s.rank].main[s.index]).c_str());
}

void printJson(const Options &options, const Instance &instance, const std::vector<double> &seconds,
               const std::vector<NamedComparison> &comparisons) {
  InstanceStats stats = instance.stats();
  JsonArray steps, outputs;
  for (double second : seconds)
    steps.add(second);
  for (const NamedComparison &c : comparisons)
    outputs.add(JsonObject()
                    .add("name", c.output)
                    .add("against", c.against)
                    .add("match", c.comparison.match)
                    .add("max_abs", c.comparison.maxAbsolute)
                    .add("max_rel", c.comparison.maxRelative)
                    .add("mismatches", c.comparison.mismatches)
                    .add("message", c.comparison.message));
  JsonObject report;
  report.add("ok", std::ranges::all_of(comparisons, [](const NamedComparison &c) { return c.comparison.match; }))
      .add("program", options.program)
      .add("device", options.device)
      .add("ranks", instance.program().ranks.size())
      .add("threads", stats.threads)
      .add("set_up_seconds", stats.setUpSeconds)
      .add("step_seconds", steps)
      .add("communication_bytes", stats.bytesSentPerStep)
      .add("weights_bytes", stats.arenaBytes[0])
      .add("activations_bytes", stats.arenaBytes[1])
      .add("staging_bytes", stats.arenaBytes[2])
      .add("packed_bytes", stats.packedBytes)
      .add("peak_bytes", stats.peakBytes)
      .add("resident_bytes", stats.residentBytes)
      .add("outputs", outputs);
  if (options.profile) {
    JsonArray kernels;
    for (const KernelTotal &total : totalsByKernel(instance))
      kernels.add(JsonObject()
                      .add("kernel", total.name)
                      .add("calls", total.calls)
                      .add("seconds", total.seconds)
                      .add("flops", total.flops));
    report.add("kernels", kernels);
  }
  std::puts(report.text().c_str());
}

} // namespace

void printReport(const Options &options, const Instance &instance, std::vector<double> stepSeconds,
                 const std::vector<NamedComparison> &comparisons) {
  if (options.json)
    return printJson(options, instance, stepSeconds, comparisons);
  for (const NamedComparison &c : comparisons)
    std::printf("%s '%s': %s\n", c.comparison.match ? "MATCH" : "MISMATCH", c.output.c_str(),
                c.comparison.message.c_str());
  if (options.repeat > 1 || options.profile) {
    std::ranges::sort(stepSeconds);
    InstanceStats stats = instance.stats();
    std::printf("set up %.3f s; %zu steps: fastest %.6f s, median %.6f s, slowest %.6f s\n", stats.setUpSeconds,
                stepSeconds.size(), stepSeconds.front(), stepSeconds[stepSeconds.size() / 2], stepSeconds.back());
    std::printf("memory: peak %.1f MB, resident %.1f MB; sent per step: %.3f MB\n",
                static_cast<double>(stats.peakBytes) * 1e-6, static_cast<double>(stats.residentBytes) * 1e-6,
                static_cast<double>(stats.bytesSentPerStep) * 1e-6);
  }
  if (options.profile)
    printProfile(instance);
}

} // namespace llmpar::run
