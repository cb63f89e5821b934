//===- Quantity.cpp - Numbers with units ------------------------------------===//
#include "llmpar/Cost/Quantity.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FormatVariadic.h"
#include <cmath>
#include <cstdio>

namespace llmpar {
namespace {

struct Unit {
  llvm::StringLiteral name;
  Measure measure;
  double scale;
};

// Ascending within a measure. Bits only of links, whose data sheets count them.
constexpr Unit units[] = {
    {"", Measure::Count, 1},
    {"", Measure::Number, 1},
    {"%", Measure::Fraction, 0.01},
    {"B", Measure::Bytes, 1},
    {"kB", Measure::Bytes, 1e3},
    {"KiB", Measure::Bytes, 1024},
    {"MB", Measure::Bytes, 1e6},
    {"MiB", Measure::Bytes, 1048576},
    {"GB", Measure::Bytes, 1e9},
    {"GiB", Measure::Bytes, 1073741824},
    {"TB", Measure::Bytes, 1e12},
    {"TiB", Measure::Bytes, 1099511627776},
    {"B/s", Measure::BytesPerSecond, 1},
    {"kB/s", Measure::BytesPerSecond, 1e3},
    {"MB/s", Measure::BytesPerSecond, 1e6},
    {"Gb/s", Measure::BytesPerSecond, 1e9 / 8},
    {"GB/s", Measure::BytesPerSecond, 1e9},
    {"TB/s", Measure::BytesPerSecond, 1e12},
    {"FLOP", Measure::Flops, 1},
    {"kFLOP", Measure::Flops, 1e3},
    {"MFLOP", Measure::Flops, 1e6},
    {"GFLOP", Measure::Flops, 1e9},
    {"TFLOP", Measure::Flops, 1e12},
    {"MFLOP/s", Measure::FlopsPerSecond, 1e6},
    {"GFLOP/s", Measure::FlopsPerSecond, 1e9},
    {"TFLOP/s", Measure::FlopsPerSecond, 1e12},
    {"PFLOP/s", Measure::FlopsPerSecond, 1e15},
    {"ns", Measure::Seconds, 1e-9},
    {"us", Measure::Seconds, 1e-6},
    {"ms", Measure::Seconds, 1e-3},
    {"s", Measure::Seconds, 1},
};

constexpr llvm::StringLiteral examples[] = {"8", "1.5", "70 %", "80 GiB", "450 GB/s", "1 MFLOP", "989 TFLOP/s", "2 us"};

llvm::Error wrong(llvm::StringRef text, Measure measure, llvm::StringRef why) {
  return llvm::createStringError(
      llvm::formatv("'{0}' {1}: write it like '{2}'", text, why, examples[static_cast<size_t>(measure)]).str());
}

} // namespace

llvm::Expected<double> parseQuantity(llvm::StringRef text, Measure measure) {
  llvm::StringRef number = text.take_while([](char c) { return llvm::isDigit(c) || c == '.' || c == '-' || c == '+'; });
  llvm::StringRef rest = text.drop_front(number.size());
  // An exponent, if digits follow: "1e9".
  if (rest.consume_front_insensitive("e")) {
    llvm::StringRef digits = rest.take_while([](char c) { return llvm::isDigit(c) || c == '-' || c == '+'; });
    number = text.take_front(number.size() + 1 + digits.size());
    rest = text.drop_front(number.size());
  }
  rest = rest.trim();
  double value;
  if (number.empty() || number.getAsDouble(value) || !std::isfinite(value))
    return wrong(text, measure, "is not a number");
  bool known = false;
  for (const Unit &unit : units) {
    if (unit.name == rest && unit.measure == measure)
      return value * unit.scale;
    known |= unit.name == rest;
  }
  if (rest.empty())
    return wrong(text, measure, "has no unit");
  auto ofMeasure = llvm::make_filter_range(units, [&](const Unit &unit) { return unit.measure == measure; });
  std::string names = llvm::join(llvm::map_range(ofMeasure, [](const Unit &unit) { return unit.name.str(); }), ", ");
  if (measure == Measure::Count || measure == Measure::Number)
    return wrong(text, measure, "has a unit, but counts something");
  return wrong(text, measure, llvm::formatv("has {0} unit '{1}', wanted is one of {2}", known ? "the wrong" : "an unknown", rest, names).str());
}

/// The shortest decimal number that is `value` in units of `scale`, to twelve digits: 70.7 % is 0.707 and a bit.
static std::string shortestNumber(double value, double scale) {
  char number[40];
  auto isExact = [&] { return std::abs(std::strtod(number, nullptr) * scale - value) <= 1e-12 * std::abs(value); };
  for (int decimals = 0; value / scale < 1e7 && decimals < 7; ++decimals) {
    std::snprintf(number, sizeof number, "%.*f", decimals, value / scale);
    if (isExact())
      return number;
  }
  for (int digits = 1; digits <= 17; ++digits) {
    std::snprintf(number, sizeof number, "%.*g", digits, value / scale);
    if (isExact())
      break;
  }
  return number;
}

std::string writeQuantity(double value, Measure measure) {
  std::string best;
  for (const Unit &unit : units) {
    bool isBelowOne = value > 0 && value < unit.scale;
    if (unit.measure != measure || (isBelowOne && !best.empty()))
      continue;
    std::string text = shortestNumber(value, unit.scale);
    if (!unit.name.empty())
      text += " " + unit.name.str();
    if (best.empty() || text.size() <= best.size())
      best = text;
  }
  return best;
}

} // namespace llmpar
