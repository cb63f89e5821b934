//===- Reduction.h - Elementwise reduction of several arrays ----*- C++ -*-===//
#ifndef LLMPAR_RUNTIME_COMM_REDUCTION_H
#define LLMPAR_RUNTIME_COMM_REDUCTION_H

#include "llmpar/Abi/DType.h"
#include "reference/Kinds.h"

#include <cstddef>
#include <span>

namespace llmpar::rt {

/// result[i] = ((sources[0][i] op sources[1][i]) op sources[2][i]) ... for i < count.
///
/// The order is that of `sources`, so that every caller gets the same bits. f16 and bf16
/// accumulate in float, others in their own type; integers wrap. Of bool, sum and max mean
/// "any", prod and min mean "all". NaN wins in min and max. `result` may be one of the sources. `isMean`: a sum of floats
/// is divided by the number of sources.
void reduceArrays(DType dtype, ReduceKind kind, std::span<const void *const> sources, size_t count, void *result,
                  bool isMean = false);

} // namespace llmpar::rt

#endif // LLMPAR_RUNTIME_COMM_REDUCTION_H
