//===- Reference.cpp - The table of reference kernels -----------*- C++ -*-===//
#include "reference/Reference.h"

namespace llmpar::rt {

KernelFn findReferenceKernel(KernelId id) {
  static constexpr KernelFn kernels[] = {
#define LLMPAR_KERNEL(name, inputs, outputs, ints, floats) reference::name,
#include "llmpar/Abi/Kernels.def"
  };
  auto index = static_cast<size_t>(id);
  return index < std::size(kernels) ? kernels[index] : nullptr;
}

} // namespace llmpar::rt
