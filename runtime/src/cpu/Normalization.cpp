//===- Normalization.cpp - softmax, layer_norm, rms_norm --------*- C++ -*-===//
//
// A row at a time, while it is in the first-level cache: one pass per
// statistic, one pass that writes. bf16 and f16 rows are converted to floats
// and back. A softmax over another axis than the last is the reference one.
//
//===----------------------------------------------------------------------===//
#include "cpu/CpuKernels.h"
#include "cpu/Rows.h"
#include "cpu/VectorMath.h"
#include "reference/Loops.h"
#include "reference/Reference.h"

namespace llmpar::rt::cpu {
namespace {

LLMPAR_CLONES void softmaxRow(const float *x, float *y, int64_t n) {
  float highest = math::foldRow(x, n, -std::numeric_limits<float>::infinity(), math::Maximum());
  LLMPAR_VECTORIZE
  for (int64_t i = 0; i < n; ++i)
    y[i] = math::exp(x[i] - highest);
  float factor = 1.0f / math::foldRow(y, n, 0.0f, math::Sum());
  LLMPAR_VECTORIZE
  for (int64_t i = 0; i < n; ++i)
    y[i] *= factor;
}

LLMPAR_CLONES void logSoftmaxRow(const float *x, float *y, float *scratch, int64_t n) {
  float highest = math::foldRow(x, n, -std::numeric_limits<float>::infinity(), math::Maximum());
  LLMPAR_VECTORIZE
  for (int64_t i = 0; i < n; ++i)
    scratch[i] = math::exp(x[i] - highest);
  float logSum = std::log(math::foldRow(scratch, n, 0.0f, math::Sum()));
  LLMPAR_VECTORIZE
  for (int64_t i = 0; i < n; ++i)
    y[i] = (x[i] - highest) - logSum;
}

/// Sum of squares of x - shift.
LLMPAR_INLINE float squaresOfRow(const float *x, float shift, int64_t n) {
  math::Lanes a = {}, b = {}, offsets = math::splat(shift);
  int64_t i = 0;
  for (; i + 2 * math::laneCount <= n; i += 2 * math::laneCount) {
    math::Lanes first = math::loadLanes(x + i) - offsets, second = math::loadLanes(x + i + math::laneCount) - offsets;
    a += first * first;
    b += second * second;
  }
  a += b;
  float sum = 0;
  for (int64_t lane = 0; lane < math::laneCount; ++lane)
    sum += a[lane];
  for (; i < n; ++i)
    sum += (x[i] - shift) * (x[i] - shift);
  return sum;
}

LLMPAR_CLONES void layerNormRow(const float *x, const float *scale, const float *bias, float *y, int64_t n,
                                float epsilon) {
  float mean = math::foldRow(x, n, 0.0f, math::Sum()) / static_cast<float>(n);
  float factor = 1.0f / std::sqrt(squaresOfRow(x, mean, n) / static_cast<float>(n) + epsilon);
  if (bias) {
    LLMPAR_VECTORIZE
    for (int64_t i = 0; i < n; ++i)
      y[i] = (x[i] - mean) * factor * scale[i] + bias[i];
    return;
  }
  LLMPAR_VECTORIZE
  for (int64_t i = 0; i < n; ++i)
    y[i] = (x[i] - mean) * factor * scale[i];
}

LLMPAR_CLONES void rmsNormRow(const float *x, const float *scale, float *y, int64_t n, float epsilon) {
  float factor = 1.0f / std::sqrt(squaresOfRow(x, 0.0f, n) / static_cast<float>(n) + epsilon);
  LLMPAR_VECTORIZE
  for (int64_t i = 0; i < n; ++i)
    y[i] = x[i] * factor * scale[i];
}

/// Scale or bias as one row of floats; null if it is not the same for every row.
const float *rowOperand(const TensorView &operand, const TensorView &x, const AxisSplit &split,
                        std::vector<float> &buffer) {
  auto rowShape = x.shape().subspan(split.axis), shape = operand.shape();
  if (!isNarrowable(operand.dtype))
    return nullptr;
  while (shape.size() > rowShape.size()) {
    if (shape.front() != 1)
      return nullptr;
    shape = shape.subspan(1);
  }
  int64_t n = product(rowShape);
  if (operand.elements() == n)
    if (shape.size() == rowShape.size() || n == shape[0])
      if (std::equal(shape.rbegin(), shape.rend(), rowShape.rbegin()))
        return readRow(operand, 0, n, buffer);
  buffer.resize(static_cast<size_t>(n));
  Dims strides = broadcastStrides(shape, rowShape);
  int64_t at = 0;
  forEachIndex(rowShape, [&](const Dims &index) {
    buffer[static_cast<size_t>(at++)] = static_cast<float>(load<double>(operand, offset(strides, index)));
  });
  return buffer.data();
}

/// Calls `row(x, y, n)` with floats for each row of n elements.
template <typename Row> void forEachFloatRow(const TensorView &x, const TensorView &y, int64_t n, Row &&row) {
  thread_local std::vector<float> in, out;
  if (n == 0)
    return;
  for (int64_t at = 0, count = y.elements(); at < count; at += n) {
    const float *from = readRow(x, at, n, in);
    writeRow(y, at, n, out, [&](float *to) { row(from, to); });
  }
}

bool hasFloatRows(const TensorView &x, const TensorView &y) { return isNarrowable(x.dtype) && isNarrowable(y.dtype); }

} // namespace

Status softmax(const KernelCall &call) {
  const TensorView &x = call.inputs[0], &y = call.outputs[0];
  AxisSplit split(x, call.ints[0]);
  if (!hasFloatRows(x, y) || split.inner != 1)
    return reference::softmax(call);
  int64_t n = split.extent;
  if (call.ints[1] == 0) {
    forEachFloatRow(x, y, n, [&](const float *from, float *to) { softmaxRow(from, to, n); });
    return Status::success();
  }
  thread_local std::vector<float> scratch;
  scratch.resize(static_cast<size_t>(n));
  forEachFloatRow(x, y, n, [&](const float *from, float *to) { logSoftmaxRow(from, to, scratch.data(), n); });
  return Status::success();
}

Status layer_norm(const KernelCall &call) {
  const TensorView &x = call.inputs[0], &y = call.outputs[0];
  AxisSplit split(x, call.ints[0]);
  int64_t n = split.extent * split.inner;
  thread_local std::vector<float> scaleBuffer, biasBuffer;
  bool hasBias = call.inputs.size() > 2;
  const float *scale = rowOperand(call.inputs[1], x, split, scaleBuffer);
  const float *bias = hasBias ? rowOperand(call.inputs[2], x, split, biasBuffer) : nullptr;
  if (!hasFloatRows(x, y) || !scale || (hasBias && !bias))
    return reference::layer_norm(call);
  auto epsilon = static_cast<float>(call.floats[0]);
  forEachFloatRow(x, y, n, [&](const float *from, float *to) { layerNormRow(from, scale, bias, to, n, epsilon); });
  return Status::success();
}

Status rms_norm(const KernelCall &call) {
  const TensorView &x = call.inputs[0], &y = call.outputs[0];
  AxisSplit split(x, call.ints[0]);
  int64_t n = split.extent * split.inner;
  thread_local std::vector<float> scaleBuffer;
  const float *scale = rowOperand(call.inputs[1], x, split, scaleBuffer);
  if (!hasFloatRows(x, y) || !scale)
    return reference::rms_norm(call);
  auto epsilon = static_cast<float>(call.floats[0]);
  forEachFloatRow(x, y, n, [&](const float *from, float *to) { rmsNormRow(from, scale, to, n, epsilon); });
  return Status::success();
}

} // namespace llmpar::rt::cpu
