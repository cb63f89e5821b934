//===- Rows.h - Vector loops over one row -----------------------*- C++ -*-===//
//
// The loops that several kernels share, each compiled for AVX-512, AVX2 and
// the baseline.
//
//===----------------------------------------------------------------------===//
#ifndef LLMPAR_RUNTIME_CPU_ROWS_H
#define LLMPAR_RUNTIME_CPU_ROWS_H

#include "core/Kernel.h"
#include "reference/Kinds.h"

#include <cstdint>
#include <vector>

namespace llmpar::rt {

/// f32, bf16 or f16: what `widen` and `narrow` convert.
constexpr bool isNarrowable(DType dtype) { return dtype == DType::F32 || dtype == DType::BF16 || dtype == DType::F16; }

/// n elements of type `dtype` to floats and back. Same rounding as `Half` and `BFloat16`.
void widen(DType dtype, const void *x, float *y, int64_t n);
void narrow(DType dtype, const float *x, void *y, int64_t n);

/// Sum, max, min or prod of a row, starting from `start`.
float reduceRow(ReduceKind kind, float start, const float *x, int64_t n);
/// y[i] = y[i] (kind) x[i]
void accumulateRow(ReduceKind kind, const float *x, float *y, int64_t n);

/// A row as floats: the row itself if it is f32, else converted into `buffer`.
inline const float *readRow(const TensorView &x, int64_t at, int64_t n, std::vector<float> &buffer) {
  if (x.dtype == DType::F32)
    return x.as<float>() + at;
  buffer.resize(static_cast<size_t>(n));
  widen(x.dtype, x.as<char>() + at * static_cast<int64_t>(dtypeSize(x.dtype)), buffer.data(), n);
  return buffer.data();
}

/// Calls `write(float *row)` and puts the row into y: written there if that is f32, else converted from `buffer`.
template <typename Write>
void writeRow(const TensorView &y, int64_t at, int64_t n, std::vector<float> &buffer, Write &&write) {
  if (y.dtype == DType::F32)
    return write(y.as<float>() + at);
  buffer.resize(static_cast<size_t>(n));
  write(buffer.data());
  narrow(y.dtype, buffer.data(), y.as<char>() + at * static_cast<int64_t>(dtypeSize(y.dtype)), n);
}

} // namespace llmpar::rt

#endif // LLMPAR_RUNTIME_CPU_ROWS_H
