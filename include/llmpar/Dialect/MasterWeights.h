//===- MasterWeights.h - f32 weights that are read in fewer bits -*- C++ -*-===//
//
// Training in bf16 or f16 keeps parameters in f32, their master copies; forward and backward read a cast of each:
//
//   %w = load_weight @w : 4x8xf32
//   %c = cast %w : 4x8xbf16               the narrow copy
//   %y = matmul %x, %c
//   ...
//   %n:3 = adam %w, %g, ...               steps the master
//
//===----------------------------------------------------------------------===//
#ifndef LLMPAR_DIALECT_MASTERWEIGHTS_H
#define LLMPAR_DIALECT_MASTERWEIGHTS_H

#include "llmpar/Dialect/Llmpar.h"

namespace llmpar {

/// bf16 or f16.
bool isNarrowFloat(mlir::Type elementType);

/// Whether the op is the cast of an f32 weight to bf16 or f16. Where the weight rests in parts, the copy is made of them, so
/// that what is gathered are its fewer bytes.
bool isNarrowCopy(mlir::Operation *op);

} // namespace llmpar

#endif // LLMPAR_DIALECT_MASTERWEIGHTS_H
