//===- Kernel.h - What a kernel is called with ------------------*- C++ -*-===//
//
// A kernel is a function over dense row-major tensors. It takes every extent
// from its operands (any may be 0) and its attributes from `ints` and `floats`
// in the order of `llmpar/Abi/Kernels.def`.
//
// `findReferenceKernel` is the specification of every kernel: naive loops,
// double accumulation (int64 for integers). A device may have a faster one of
// the same meaning.
//
//===----------------------------------------------------------------------===//
#ifndef LLMPAR_RUNTIME_CORE_KERNEL_H
#define LLMPAR_RUNTIME_CORE_KERNEL_H

#include "core/Status.h"
#include "llmpar/Abi/DType.h"
#include "llmpar/Abi/Limits.h"

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

namespace llmpar::rt {

/// Kernel ids: `KernelId::matmul` for the line LLMPAR_KERNEL(matmul, ...).
enum class KernelId : uint16_t {
#define LLMPAR_KERNEL(name, inputs, outputs, ints, floats) name,
#include "llmpar/Abi/Kernels.def"
};

/// A dense row-major tensor somewhere in a device's memory.
struct TensorView {
  void *data = nullptr;
  DType dtype = DType::F32;
  int rank = 0;
  std::array<int64_t, maxRank> dims{};

  std::span<const int64_t> shape() const { return {dims.data(), static_cast<size_t>(rank)}; }
  int64_t elements() const {
    int64_t count = 1;
    for (int64_t dim : shape())
      count *= dim;
    return count;
  }
  size_t bytes() const { return static_cast<size_t>(elements()) * dtypeSize(dtype); }
  template <typename T> T *as() const { return static_cast<T *>(data); }
};

struct KernelCall {
  std::span<const TensorView> inputs;
  std::span<const TensorView> outputs;
  std::span<const int64_t> ints;
  std::span<const double> floats;
};

/// Runs to its end on the calling thread. Fails only for values of data that have
/// no meaning (an index out of range); shapes and types were checked when the program was loaded.
using KernelFn = Status (*)(const KernelCall &call);

/// The naive kernel of that id; null for collectives.
KernelFn findReferenceKernel(KernelId id);

/// "matmul" -> KernelId::matmul; false if there is none of that name.
bool parseKernelId(std::string_view name, KernelId &id);
std::string_view kernelName(KernelId id);

} // namespace llmpar::rt

#endif // LLMPAR_RUNTIME_CORE_KERNEL_H
