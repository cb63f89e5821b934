//===- Quantity.h - Numbers with units --------------------------*- C++ -*-===//
//
//   parseQuantity("450 GB/s", Measure::BytesPerSecond) == 4.5e11
//   writeQuantity(4.5e11, Measure::BytesPerSecond)     == "450 GB/s"
//
//===----------------------------------------------------------------------===//
#ifndef LLMPAR_COST_QUANTITY_H
#define LLMPAR_COST_QUANTITY_H

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <string>

namespace llmpar {

enum class Measure : uint8_t { Count, Number, Fraction, Bytes, BytesPerSecond, Flops, FlopsPerSecond, Seconds };

/// In the measure's own unit: bytes, FLOPs, seconds, 1. Errors say what is wrong with the text and what would be
/// right: no number, no unit, a unit of something else.
llvm::Expected<double> parseQuantity(llvm::StringRef text, Measure measure);

/// The shortest text that parseQuantity reads as the same number, to twelve digits.
std::string writeQuantity(double value, Measure measure);

} // namespace llmpar

#endif // LLMPAR_COST_QUANTITY_H
