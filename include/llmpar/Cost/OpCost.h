//===- OpCost.h - Time of a kernel on a device ------------------*- C++ -*-===//
//
// Roofline with efficiency curves and a launch floor (Williams et al., CACM 2009):
//   t = max(launch, flops / (peak * efficiency(flops)), bytes / (bandwidth * efficiency(bytes)))
// A kernel that was measured itself follows KernelSpeed instead.
//
//===----------------------------------------------------------------------===//
#ifndef LLMPAR_COST_OPCOST_H
#define LLMPAR_COST_OPCOST_H

#include "llmpar/Core/FactorRule.h"
#include "llmpar/Cost/Cluster.h"

namespace llmpar {

/// The class of a kernel of Kernels.def; `kind` is the unary or binary kind where that decides, else empty.
/// An element of exp or gelu costs a polynomial: Transcendental; of add or relu little: Elementwise.
KernelClass kernelClass(llvm::StringRef kernel, llvm::StringRef kind = "");
/// False if there is no such kernel.
bool hasKernelClass(llvm::StringRef kernel);

struct OpWork {
  KernelClass kernel = KernelClass::Elementwise;
  DType type = DType::F32;
  double flops = 0;
  Bytes bytes = 0;           ///< read and written
  std::string measured = {}; ///< its key in DeviceSpec::kernels (measuredKernelName, ...)
  double runs = 0;           ///< rows of the last dimension; batches of a product, heads of attention, experts
};

/// One call of a kernel of Kernels.def, with the extents that a rank holds.
struct KernelCall {
  llvm::StringRef kernel, kind;   ///< "unary", "gelu"
  DType type = DType::F32;        ///< of the first operand
  llvm::ArrayRef<Shape> inputs, outputs;
  Bytes inputBytes = 0, outputBytes = 0;
  double flops = 0;
  bool transposesLeft = false;    ///< of a product
  bool rightIsWeight = false;     ///< of a product: laid out once, before the first step
};
OpWork workOf(const KernelCall &call);

/// FLOP/s of matrix products. A type without a peak of its own is computed in f32, or at the slowest speed stated.
double peakFlops(const DeviceSpec &device, DType type);

/// Seconds of one call. A type without a peak of its own is computed at the f32 peak (else the lowest stated); kernels
/// that are no matrix product are held against vectorFlopsPerSecond, where 0 means that they never are compute-bound.
Seconds opTime(const DeviceSpec &device, const OpWork &work);

} // namespace llmpar

#endif // LLMPAR_COST_OPCOST_H
