//===- Memory.cpp - How much memory there is -------------------------------===//
#include "core/Memory.h"

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <limits>
#include <sys/resource.h>
#include <unistd.h>

namespace llmpar::rt {
namespace {

constexpr uint64_t unlimited = std::numeric_limits<uint64_t>::max();

uint64_t difference(uint64_t a, uint64_t b) { return a > b ? a - b : 0; }

/// The number behind `key` in a file of lines "key value ...".
uint64_t valueOf(const char *path, const std::string &key, uint64_t missing) {
  std::ifstream file(path);
  for (std::string word; file >> word; file.ignore(unlimited >> 1, '\n'))
    if (uint64_t value; word == key && file >> value)
      return value;
  return missing;
}

uint64_t ofMachine() {
  constexpr const char *path = "/proc/meminfo"; // in KiB
  if (uint64_t free = valueOf(path, "MemAvailable:", unlimited); free != unlimited)
    return (free + valueOf(path, "SwapFree:", 0)) * 1024;
  return static_cast<uint64_t>(::sysconf(_SC_PHYS_PAGES)) * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
}

uint64_t ofControlGroup() {
  uint64_t limit = 0, used = 0;
  std::ifstream limitFile("/sys/fs/cgroup/memory.max"), usedFile("/sys/fs/cgroup/memory.current");
  if (!(limitFile >> limit) || !(usedFile >> used)) // "max" does not parse
    return unlimited;
  // Cached files are given back before anyone is refused.
  return difference(limit, difference(used, valueOf("/sys/fs/cgroup/memory.stat", "inactive_file", 0)));
}

uint64_t ofAddressSpace() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
    return unlimited;
  uint64_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages;
  return difference(limit.rlim_cur, pages * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE)));
}

} // namespace

uint64_t availableMemory() { return std::min({ofMachine(), ofControlGroup(), ofAddressSpace()}); }

std::string bytesText(uint64_t bytes) {
  constexpr const char *units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  double value = static_cast<double>(bytes);
  size_t unit = 0;
  for (; value >= 1024 && unit + 1 < std::size(units); ++unit)
    value /= 1024;
  char text[40];
  std::snprintf(text, sizeof text, unit ? "%.1f %s" : "%.0f %s", value, units[unit]);
  return text;
}

Status checkFits(const std::string &what, uint64_t bytes, const std::string &wayOut) {
  constexpr uint64_t neverMatters = 16 << 20; // not worth reading /proc
  if (bytes <= neverMatters)
    return Status::success();
  uint64_t available = availableMemory();
  if (bytes <= available)
    return Status::success();
  return Status::doesNotFit(what + ": " + std::to_string(bytes) + " bytes (" + bytesText(bytes) + ") are needed, " +
                            std::to_string(available) + " (" + bytesText(available) + ") are available: " + wayOut);
}

Status outOfMemory() {
  return Status::doesNotFit("out of memory (" + bytesText(availableMemory()) +
                            " are left): choose smaller dimensions or a machine with more memory");
}

} // namespace llmpar::rt
