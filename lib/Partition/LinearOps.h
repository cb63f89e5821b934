//===- LinearOps.h - Through which ops a sum may pass -----------*- C++ -*-===//
//
//   reshape(all_reduce(x)) = all_reduce(reshape(x)): where a gradient is reduced is a choice (DelayReductions), and to find
//   where it was is a walk back (SynchronizeReplicas).
//
//===----------------------------------------------------------------------===//
#ifndef LLMPAR_LIB_PARTITION_LINEAROPS_H
#define LLMPAR_LIB_PARTITION_LINEAROPS_H

#include "llmpar/Dialect/Llmpar.h"

namespace llmpar {

/// f(a + b, ..) = f(a, ..) + f(b, ..) of float operands, exact but for rounding. Products with a constant are not looked for.
bool isLinear(mlir::Operation *op);

} // namespace llmpar

#endif // LLMPAR_LIB_PARTITION_LINEAROPS_H
