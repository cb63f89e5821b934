//===- Rows.cpp - Vector loops over one row ---------------------*- C++ -*-===//
#include "cpu/Rows.h"

#include "cpu/VectorMath.h"

namespace llmpar::rt {
namespace {

LLMPAR_CLONES void widenBFloat16(const uint16_t *x, float *y, int64_t n) {
  LLMPAR_VECTORIZE
  for (int64_t i = 0; i < n; ++i)
    y[i] = math::widenBFloat16(x[i]);
}
LLMPAR_CLONES void narrowBFloat16(const float *x, uint16_t *y, int64_t n) {
  LLMPAR_VECTORIZE
  for (int64_t i = 0; i < n; ++i)
    y[i] = math::narrowBFloat16(x[i]);
}
LLMPAR_CLONES void widenHalf(const uint16_t *x, float *y, int64_t n) {
  LLMPAR_VECTORIZE
  for (int64_t i = 0; i < n; ++i)
    y[i] = math::widenHalf(x[i]);
}
LLMPAR_CLONES void narrowHalf(const float *x, uint16_t *y, int64_t n) {
  LLMPAR_VECTORIZE
  for (int64_t i = 0; i < n; ++i)
    y[i] = math::narrowHalf(x[i]);
}

LLMPAR_CLONES float sumRow(const float *x, int64_t n) { return math::foldRow(x, n, 0.0f, math::Sum()); }
LLMPAR_CLONES float productRow(const float *x, int64_t n) { return math::foldRow(x, n, 1.0f, math::Product()); }
LLMPAR_CLONES float maximumRow(const float *x, int64_t n, float start) {
  return math::foldRow(x, n, start, math::Maximum());
}
LLMPAR_CLONES float minimumRow(const float *x, int64_t n, float start) {
  return math::foldRow(x, n, start, math::Minimum());
}
LLMPAR_CLONES void addTo(const float *x, float *y, int64_t n) {
  LLMPAR_VECTORIZE
  for (int64_t i = 0; i < n; ++i)
    y[i] += x[i];
}
LLMPAR_CLONES void multiplyTo(const float *x, float *y, int64_t n) {
  LLMPAR_VECTORIZE
  for (int64_t i = 0; i < n; ++i)
    y[i] *= x[i];
}
LLMPAR_CLONES void maximumTo(const float *x, float *y, int64_t n) {
  LLMPAR_VECTORIZE
  for (int64_t i = 0; i < n; ++i)
    y[i] = math::Maximum()(y[i], x[i]);
}
LLMPAR_CLONES void minimumTo(const float *x, float *y, int64_t n) {
  LLMPAR_VECTORIZE
  for (int64_t i = 0; i < n; ++i)
    y[i] = math::Minimum()(y[i], x[i]);
}

} // namespace

void widen(DType dtype, const void *x, float *y, int64_t n) {
  if (dtype == DType::BF16)
    return widenBFloat16(static_cast<const uint16_t *>(x), y, n);
  if (dtype == DType::F16)
    return widenHalf(static_cast<const uint16_t *>(x), y, n);
  if (n > 0)
    std::memmove(y, x, static_cast<size_t>(n) * sizeof(float));
}

void narrow(DType dtype, const float *x, void *y, int64_t n) {
  if (dtype == DType::BF16)
    return narrowBFloat16(x, static_cast<uint16_t *>(y), n);
  if (dtype == DType::F16)
    return narrowHalf(x, static_cast<uint16_t *>(y), n);
  if (n > 0)
    std::memmove(y, x, static_cast<size_t>(n) * sizeof(float));
}

float reduceRow(ReduceKind kind, float start, const float *x, int64_t n) {
  switch (kind) {
  case ReduceKind::sum:
    return start + sumRow(x, n);
  case ReduceKind::prod:
    return start * productRow(x, n);
  case ReduceKind::max:
    return maximumRow(x, n, start);
  case ReduceKind::min:
    return minimumRow(x, n, start);
  }
  return start;
}

void accumulateRow(ReduceKind kind, const float *x, float *y, int64_t n) {
  switch (kind) {
  case ReduceKind::sum:
    return addTo(x, y, n);
  case ReduceKind::prod:
    return multiplyTo(x, y, n);
  case ReduceKind::max:
    return maximumTo(x, y, n);
  case ReduceKind::min:
    return minimumTo(x, y, n);
  }
}

} // namespace llmpar::rt
