//===- KernelSignature.h - Operand and attribute counts ---------*- C++ -*-===//
//
// Counts that follow from the strings of `Kernels.def`:
//
//   LLMPAR_KERNEL(concat, "x n", "y", "axis", "")          inputs 1.., outputs 1, ints 1
//   LLMPAR_KERNEL(conv, "x w bias?", "y", "group a...", "") inputs 2..3, ints 1..
//
//===----------------------------------------------------------------------===//
#ifndef LLMPAR_RUNTIME_CORE_KERNELSIGNATURE_H
#define LLMPAR_RUNTIME_CORE_KERNELSIGNATURE_H

#include "core/Kernel.h"

namespace llmpar::rt {

/// Inclusive bounds; `max` is `unbounded` for a variadic list.
struct CountRange {
  static constexpr int unbounded = 1 << 30;
  int min = 0, max = 0;
  constexpr bool contains(size_t count) const {
    return count >= static_cast<size_t>(min) && count <= static_cast<size_t>(max);
  }
};

/// "x n" -> 1.., "x w bias?" -> 2..3, "keep axes..." -> 1.., "a b" -> 2..2.
constexpr CountRange countNames(std::string_view names) {
  CountRange range;
  while (!names.empty()) {
    size_t end = names.find(' ');
    std::string_view name = names.substr(0, end);
    names = end == std::string_view::npos ? std::string_view() : names.substr(end + 1);
    if (name == "n" || name.ends_with("..."))
      return {range.min, CountRange::unbounded};
    range.min += name.ends_with('?') ? 0 : 1;
    range.max += 1;
  }
  return range;
}

struct KernelSignature {
  CountRange inputs, outputs, ints, floats;
};

constexpr KernelSignature kernelSignature(KernelId id) {
  switch (id) {
#define LLMPAR_KERNEL(name, inputs, outputs, ints, floats)                                                           \
  case KernelId::name:                                                                                               \
    return {countNames(inputs), countNames(outputs), countNames(ints), countNames(floats)};
#include "llmpar/Abi/Kernels.def"
  }
  return {};
}

constexpr bool isCollective(KernelId id) { return id >= KernelId::all_reduce && id <= KernelId::combine; }

} // namespace llmpar::rt

#endif // LLMPAR_RUNTIME_CORE_KERNELSIGNATURE_H
