//===- Kernel.cpp - Names of kernels ----------------------------*- C++ -*-===//
#include "core/Kernel.h"

namespace llmpar::rt {
namespace {
constexpr std::string_view names[] = {
#define LLMPAR_KERNEL(name, inputs, outputs, ints, floats) #name,
#include "llmpar/Abi/Kernels.def"
};
} // namespace

bool parseKernelId(std::string_view name, KernelId &id) {
  for (size_t i = 0; i < std::size(names); ++i)
    if (names[i] == name) {
      id = static_cast<KernelId>(i);
      return true;
    }
  return false;
}

std::string_view kernelName(KernelId id) {
  auto index = static_cast<size_t>(id);
  return index < std::size(names) ? names[index] : "?";
}

} // namespace llmpar::rt
