//===- Gradients.cpp - *_grad -----------------------------------*- C++ -*-===//
//
// A row at a time, in f32, to which bf16 and f16 are converted; f64 is the reference kernels. A weight's gradient is a
// matmul.
//
//===----------------------------------------------------------------------===//
#include "cpu/CpuKernels.h"
#include "cpu/Rows.h"
#include "cpu/VectorMath.h"
#include "reference/Kinds.h"
#include "reference/Loops.h"
#include "reference/Reference.h"

#include <algorithm>

namespace llmpar::rt::cpu {
namespace {

bool hasFloatRows(const KernelCall &call) { return isNarrowable(call.outputs[0].dtype); } // the others are like it

struct Buffers {
  std::vector<float> x, dy, scale, result;
  static Buffers &current() {
    thread_local Buffers buffers;
    return buffers;
  }
};
/// Calls `row(x, dy, dx)` with n floats of each, for every n elements; the last time with those that are left.
template <typename Row>
void forEachGradRow(const TensorView &x, const TensorView &dy, const TensorView &dx, int64_t n, Row &&row) {
  Buffers &buffers = Buffers::current();
  for (int64_t at = 0, elements = dx.elements(); at < elements; at += n) {
    int64_t count = std::min(n, elements - at);
    const float *left = readRow(x, at, count, buffers.x), *right = readRow(dy, at, count, buffers.dy);
    writeRow(dx, at, count, buffers.result, [&](float *to) { row(left, right, to, count); });
  }
}

using UnaryGradRow = void (*)(const float *x, const float *dy, float *dx, int64_t n, float a, float b);

// clang-format off
#define LLMPAR_GRAD_ROW(name, ...)                                                                                   \
  LLMPAR_CLONES void name##Row(const float *from, const float *dy, float *dx, int64_t n, [[maybe_unused]] float a,   \
                               [[maybe_unused]] float b) {                                                           \
    LLMPAR_VECTORIZE                                                                                                 \
    for (int64_t i = 0; i < n; ++i) {                                                                                \
      [[maybe_unused]] float x = from[i];                                                                            \
      dx[i] = dy[i] * (__VA_ARGS__);                                                                                 \
    }                                                                                                                \
  }
LLMPAR_INLINE float sigmoidSlope(float s) { return s * (1.0f - s); }
LLMPAR_INLINE float geluTanhSlope(float x) {
  float s = math::sigmoid(1.5957691216f * (x + 0.044715f * x * x * x));
  return s + x * sigmoidSlope(s) * 1.5957691216f * (1.0f + 3 * 0.044715f * x * x);
}
LLMPAR_INLINE float siluSlope(float x, float a) {
  float s = math::sigmoid(a * x);
  return s + a * x * sigmoidSlope(s);
}
LLMPAR_GRAD_ROW(neg, -1.0f)
LLMPAR_GRAD_ROW(exp, math::exp(x))
LLMPAR_GRAD_ROW(log, 1.0f / x)
LLMPAR_GRAD_ROW(sqrt, 0.5f / __builtin_elementwise_sqrt(x))
LLMPAR_GRAD_ROW(rsqrt, -0.5f / (x * __builtin_elementwise_sqrt(x)))
LLMPAR_GRAD_ROW(reciprocal, -1.0f / (x * x))
LLMPAR_GRAD_ROW(tanh, 1.0f - math::tanh(x) * math::tanh(x))
LLMPAR_GRAD_ROW(sigmoid, sigmoidSlope(math::sigmoid(x)))
LLMPAR_GRAD_ROW(erf, 1.1283791671f * math::exp(-x * x))
LLMPAR_GRAD_ROW(relu, x > 0 ? 1.0f : 0.0f)
LLMPAR_GRAD_ROW(gelu, 0.5f * (1.0f + math::erf(x * 0.707106781f)) + x * math::exp(-0.5f * x * x) * 0.3989422804f)
LLMPAR_GRAD_ROW(gelu_tanh, geluTanhSlope(x))
LLMPAR_GRAD_ROW(silu, siluSlope(x, a))
#undef LLMPAR_GRAD_ROW

UnaryGradRow findRow(int64_t kind) {
  switch (static_cast<UnaryKind>(kind)) {
#define LLMPAR_CASE(name) case UnaryKind::name: return name##Row;
  LLMPAR_CASE(neg) LLMPAR_CASE(exp) LLMPAR_CASE(log) LLMPAR_CASE(sqrt) LLMPAR_CASE(rsqrt) LLMPAR_CASE(reciprocal)
  LLMPAR_CASE(tanh) LLMPAR_CASE(sigmoid) LLMPAR_CASE(erf) LLMPAR_CASE(relu) LLMPAR_CASE(gelu) LLMPAR_CASE(gelu_tanh)
  LLMPAR_CASE(silu)
#undef LLMPAR_CASE
  default: return nullptr;
  }
}
// clang-format on

/// Sum of f(i), sixteen at a time.
template <typename Term> LLMPAR_INLINE float sumOf(int64_t n, Term &&term) {
  float lanes[math::laneCount] = {};
  int64_t i = 0;
  for (; i + math::laneCount <= n; i += math::laneCount) {
    LLMPAR_VECTORIZE
    for (int64_t lane = 0; lane < math::laneCount; ++lane)
      lanes[lane] += term(i + lane);
  }
  float sum = 0;
  for (float lane : lanes)
    sum += lane;
  for (; i < n; ++i)
    sum += term(i);
  return sum;
}

LLMPAR_CLONES void softmaxGradRow(const float *y, const float *dy, float *dx, int64_t n) {
  float sum = sumOf(n, [&](int64_t i) __attribute__((always_inline)) { return y[i] * dy[i]; });
  LLMPAR_VECTORIZE
  for (int64_t i = 0; i < n; ++i)
    dx[i] = y[i] * (dy[i] - sum);
}
LLMPAR_CLONES void logSoftmaxGradRow(const float *y, const float *dy, float *dx, int64_t n) {
  float sum = math::foldRow(dy, n, 0.0f, math::Sum());
  LLMPAR_VECTORIZE
  for (int64_t i = 0; i < n; ++i)
    dx[i] = dy[i] - math::exp(y[i]) * sum;
}

struct RowStatistics {
  float mean, factor;
};
LLMPAR_INLINE RowStatistics statisticsOf(const float *x, int64_t n, bool centered, float epsilon) {
  auto count = static_cast<float>(n);
  float mean = centered ? math::foldRow(x, n, 0.0f, math::Sum()) / count : 0.0f;
  float squares = sumOf(n, [&](int64_t i) __attribute__((always_inline)) { return (x[i] - mean) * (x[i] - mean); });
  return {mean, 1.0f / std::sqrt(squares / count + epsilon)};
}

LLMPAR_CLONES void normGradRow(const float *x, const float *scale, const float *dy, float *dx, int64_t n, bool centered,
                               float epsilon) {
  auto [mean, factor] = statisticsOf(x, n, centered, epsilon);
  auto count = static_cast<float>(n);
  float sum = sumOf(n, [&](int64_t i) __attribute__((always_inline)) { return dy[i] * scale[i]; });
  float projection =
      sumOf(n, [&](int64_t i) __attribute__((always_inline)) { return dy[i] * scale[i] * (x[i] - mean); });
  float shift = centered ? sum / count : 0.0f, slope = projection * factor * factor / count;
  LLMPAR_VECTORIZE
  for (int64_t i = 0; i < n; ++i)
    dx[i] = factor * (dy[i] * scale[i] - shift - (x[i] - mean) * slope);
}

LLMPAR_CLONES void normScaleGradRow(const float *x, const float *dy, float *dscale, int64_t n, bool centered,
                                    float epsilon) {
  auto [mean, factor] = statisticsOf(x, n, centered, epsilon);
  LLMPAR_VECTORIZE
  for (int64_t i = 0; i < n; ++i)
    dscale[i] += dy[i] * (x[i] - mean) * factor;
}

LLMPAR_CLONES void addRow(const float *x, float *y, int64_t n) {
  LLMPAR_VECTORIZE
  for (int64_t i = 0; i < n; ++i)
    y[i] += x[i];
}

} // namespace

Status unary_grad(const KernelCall &call) {
  UnaryGradRow row = findRow(call.ints[0]);
  if (!row || !hasFloatRows(call))
    return reference::unary_grad(call);
  auto a = static_cast<float>(call.floats[0]), b = static_cast<float>(call.floats[1]);
  forEachGradRow(call.inputs[0], call.inputs[1], call.outputs[0], 4096,
                 [&](const float *x, const float *dy, float *dx, int64_t n) { row(x, dy, dx, n, a, b); });
  return Status::success();
}

Status weight_grad(const KernelCall &call) {
  auto asMatrix = [](TensorView x) {
    int64_t columns = x.dims[x.rank - 1];
    x.dims = {product(x.shape().subspan(0, x.rank - 1)), columns};
    x.rank = 2;
    return x;
  };
  TensorView inputs[] = {asMatrix(call.inputs[0]), asMatrix(call.inputs[1])};
  int64_t transposed[] = {1, 0};
  return matmul({inputs, call.outputs, transposed, {}});
}

Status softmax_grad(const KernelCall &call) {
  AxisSplit split(call.inputs[0], call.ints[0]);
  if (!hasFloatRows(call) || split.inner != 1)
    return reference::softmax_grad(call);
  forEachGradRow(call.inputs[0], call.inputs[1], call.outputs[0], split.extent,
                 call.ints[1] ? logSoftmaxGradRow : softmaxGradRow);
  return Status::success();
}

Status norm_grad(const KernelCall &call) {
  if (!hasFloatRows(call))
    return reference::norm_grad(call);
  const TensorView &scale = call.inputs[1];
  const float *scales = readRow(scale, 0, scale.elements(), Buffers::current().scale);
  bool centered = call.ints[1] != 0;
  auto epsilon = static_cast<float>(call.floats[0]);
  forEachGradRow(call.inputs[0], call.inputs[2], call.outputs[0], scale.elements(),
                 [&](const float *x, const float *dy, float *dx, int64_t n) {
                   normGradRow(x, scales, dy, dx, n, centered, epsilon);
                 });
  return Status::success();
}

Status norm_scale_grad(const KernelCall &call) {
  if (!hasFloatRows(call))
    return reference::norm_scale_grad(call);
  const TensorView &x = call.inputs[0], &dy = call.inputs[1], &dscale = call.outputs[0];
  int64_t n = dscale.elements(), elements = x.elements();
  Buffers &buffers = Buffers::current();
  writeRow(dscale, 0, n, buffers.result, [&](float *sum) {
    std::fill_n(sum, n, 0.0f);
    for (int64_t at = 0; at < elements; at += n)
      normScaleGradRow(readRow(x, at, n, buffers.x), readRow(dy, at, n, buffers.dy), sum, n, call.ints[1] != 0,
                       static_cast<float>(call.floats[0]));
  });
  return Status::success();
}

Status gather_grad(const KernelCall &call) {
  const TensorView &indices = call.inputs[0], &dy = call.inputs[1], &y = call.outputs[0];
  AxisSplit split(y, call.ints[0]);
  if (!isNarrowable(dy.dtype) || split.outer != 1 || split.inner < 8)
    return reference::gather_grad(call);
  int64_t begin = call.ints[1], size = call.ints[2], count = indices.elements();
  std::vector<std::pair<int64_t, int64_t>> rows; // of y, and of dy
  for (int64_t i = 0; i < count; ++i) {
    auto index = load<int64_t>(indices, i);
    if (index < -size || index >= size)
      return reference::gather_grad(call); // has the message
    int64_t local = (index < 0 ? index + size : index) - begin;
    if (local >= 0 && local < split.extent)
      rows.emplace_back(local, i);
  }
  if (y.bytes() > 0)
    std::memset(y.data, 0, y.bytes());
  std::ranges::sort(rows); // so that each row of y is summed in floats, and rounded once
  Buffers &buffers = Buffers::current();
  for (auto at = rows.begin(); at != rows.end();) {
    auto end = std::find_if(at, rows.end(), [&](const auto &row) { return row.first != at->first; });
    writeRow(y, at->first * split.inner, split.inner, buffers.result, [&](float *sum) {
      std::fill_n(sum, split.inner, 0.0f);
      for (; at != end; ++at)
        addRow(readRow(dy, at->second * split.inner, split.inner, buffers.dy), sum, split.inner);
    });
  }
  return Status::success();
}

Status slice_grad(const KernelCall &call) {
  const TensorView &dy = call.inputs[0], &y = call.outputs[0];
  int last = dy.rank - 1;
  auto starts = call.ints.subspan(0, dy.rank), steps = call.ints.subspan(dy.rank, dy.rank);
  if (dy.rank == 0 || steps[last] != 1)
    return reference::slice_grad(call);
  Dims strides = denseStrides(y.shape());
  if (y.bytes() > 0)
    std::memset(y.data, 0, y.bytes());
  size_t width = dtypeSize(y.dtype), row = static_cast<size_t>(dy.dims[last]) * width;
  const char *from = dy.as<char>();
  forEachIndex(dy.shape().first(last), [&](const Dims &index) {
    int64_t to = starts[last];
    for (int i = 0; i < last; ++i)
      to += (starts[i] + index[i] * steps[i]) * strides[i];
    if (row > 0)
      std::memcpy(y.as<char>() + static_cast<size_t>(to) * width, from, row);
    from += row;
  });
  return Status::success();
}

} // namespace llmpar::rt::cpu
