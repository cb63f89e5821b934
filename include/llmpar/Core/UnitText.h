//===- UnitText.h - Bytes and times for people ------------------*- C++ -*-===//
#ifndef LLMPAR_CORE_UNITTEXT_H
#define LLMPAR_CORE_UNITTEXT_H

#include "llvm/Support/FormatVariadic.h"
#include <cmath>
#include <cstdint>
#include <string>

namespace llmpar {

/// 1536 -> "1.5 KiB"
inline std::string bytesText(uint64_t bytes) {
  const char *units[] = {"B", "KiB", "MiB", "GiB"};
  double value = static_cast<double>(bytes);
  int unit = 0;
  for (; value >= 1024 && unit < 3; ++unit)
    value /= 1024;
  return llvm::formatv(unit ? "{0:f1} {1}" : "{0:f0} {1}", value, units[unit]).str();
}

/// -1536 -> "-1.5 KiB", 1536 -> "+1.5 KiB"
inline std::string bytesChangeText(int64_t bytes) {
  return (bytes < 0 ? "-" : "+") + bytesText(static_cast<uint64_t>(bytes < 0 ? -bytes : bytes));
}

/// 12'345'000 picoseconds -> "12.35 us"
inline std::string timeText(int64_t picoseconds) {
  const char *units[] = {"ns", "us", "ms", "s"};
  double value = static_cast<double>(picoseconds) * 1e-3;
  int unit = 0;
  for (; std::abs(value) >= 1000 && unit < 3; ++unit)
    value /= 1000;
  return llvm::formatv("{0:f2} {1}", value, units[unit]).str();
}

/// -12'345'000 picoseconds -> "-12.35 us", 12'345'000 -> "+12.35 us"
inline std::string timeChangeText(int64_t picoseconds) { return (picoseconds < 0 ? "" : "+") + timeText(picoseconds); }

} // namespace llmpar

#endif // LLMPAR_CORE_UNITTEXT_H
