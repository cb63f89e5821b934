//===- Report.cpp - What llmpar-run prints ---------------------------------===//
#include "Report.h"

#include <algorithm>
#include <cmath>
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

std::string quoted(std::string_view text) {
  std::string result = "\"";
  for (char c : text) {
    char escape[8];
    if (c == '"' || c == '\\')
      result += std::string("\\") + c;
    else if (static_cast<unsigned char>(c) < 0x20) {
      std::snprintf(escape, sizeof escape, "\\u%04x", c);
      result += escape;
    } else
      result += c;
  }
  return result + '"';
}

/// JSON has no NaN and no infinity.
std::string jsonNumber(double value) {
  char text[40];
  std::snprintf(text, sizeof text, "%.9g", value);
  return std::isfinite(value) ? text : "null";
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
  std::printf("{\"program\": %s, \"device\": %s, \"ranks\": %zu", quoted(options.program).c_str(),
              quoted(options.device).c_str(), instance.program().ranks.size());
  std::printf(", \"set_up_seconds\": %s, \"step_seconds\": [", jsonNumber(stats.setUpSeconds).c_str());
  for (size_t i = 0; i < seconds.size(); ++i)
    std::printf("%s%s", i ? ", " : "", jsonNumber(seconds[i]).c_str());
  auto number = [](const char *name, uint64_t value) {
    std::printf(", \"%s\": %llu", name, static_cast<unsigned long long>(value));
  };
  std::printf("]");
  number("bytes_sent_per_step", stats.bytesSentPerStep);
  number("weights_bytes", stats.arenaBytes[0]);
  number("activations_bytes", stats.arenaBytes[1]);
  number("staging_bytes", stats.arenaBytes[2]);
  number("packed_bytes", stats.packedBytes);
  number("peak_bytes", stats.peakBytes);
  number("resident_bytes", stats.residentBytes);
  std::printf(", \"comparisons\": [");
  for (size_t i = 0; i < comparisons.size(); ++i) {
    const Comparison &c = comparisons[i].comparison;
    std::printf(
        "%s{\"output\": %s, \"match\": %s, \"max_abs\": %s, \"max_rel\": %s, \"mismatches\": %lld, \"message\": %s}",
        i ? ", " : "", quoted(comparisons[i].output).c_str(), c.match ? "true" : "false",
        jsonNumber(c.maxAbsolute).c_str(), jsonNumber(c.maxRelative).c_str(), static_cast<long long>(c.mismatches),
        quoted(c.message).c_str());
  }
  std::printf("]");
  if (options.profile) {
    std::printf(", \"kernels\": [");
    const char *separator = "";
    for (const KernelTotal &total : totalsByKernel(instance)) {
      std::printf("%s{\"kernel\": %s, \"calls\": %llu, \"seconds\": %s, \"flops\": %s}", separator,
                  quoted(total.name).c_str(), static_cast<unsigned long long>(total.calls),
                  jsonNumber(total.seconds).c_str(), jsonNumber(total.flops).c_str());
      separator = ", ";
    }
    std::printf("]");
  }
  std::puts("}");
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

void printTensor(const HostTensor &tensor) {
  std::printf("%s: %s = [", tensor.name.c_str(), describeTensor(tensor).c_str());
  int64_t shown = std::min<int64_t>(tensor.elements(), 64);
  dispatch(tensor.dtype, [&](auto zero) {
    using T = decltype(zero);
    for (int64_t i = 0; i < shown; ++i)
      if constexpr (std::is_integral_v<T>)
        std::printf("%s%s", i ? ", " : "", std::to_string(tensor.as<T>()[i]).c_str());
      else
        std::printf("%s%.7g", i ? ", " : "", static_cast<double>(tensor.as<T>()[i]));
  });
  std::printf("%s]\n", shown < tensor.elements() ? ", ..." : "");
}

} // namespace llmpar::run
