//===- Gemv.h - Products with few rows --------------------------*- C++ -*-===//
//
// The matrix products of token-by-token decoding. Each reads the matrix once,
// front to back, which is all that counts: 1 row of f32 is a quarter of a
// multiply-add per byte.
//
//===----------------------------------------------------------------------===//
#ifndef LLMPAR_RUNTIME_CPU_GEMV_H
#define LLMPAR_RUNTIME_CPU_GEMV_H

#include "llmpar/Abi/DType.h"

#include <cstdint>

namespace llmpar::rt {

inline constexpr int64_t gemvRows = 8;

/// y[rows, n] = a[rows, k] b, with b of k x n, or n x k if `transposeB`. Rows of a and y are dense;
/// 1 <= rows <= gemvRows; k > 0.
void gemv(int64_t rows, int64_t n, int64_t k, const float *a, const float *b, bool transposeB, float *y);
void gemv(int64_t rows, int64_t n, int64_t k, const float *a, const BFloat16 *b, bool transposeB, float *y);

} // namespace llmpar::rt

#endif // LLMPAR_RUNTIME_CPU_GEMV_H
