//===- Gradients.cpp - *_grad -----------------------------------*- C++ -*-===//
#include "reference/Kinds.h"
#include "reference/Loops.h"
#include "reference/Reference.h"

#include <numbers>
#include <string>
#include <vector>

namespace llmpar::rt::reference {
namespace {

/// d/dx of the kinds that Kinds.def calls smooth; at a kink, the derivative from the right.
// clang-format off
double derivative(UnaryKind kind, double x, double a, double b) {
  using std::numbers::pi, std::numbers::sqrt2;
  auto sigmoid = [](double t) { return 1 / (1 + std::exp(-t)); };
  switch (kind) {
  case UnaryKind::neg:          return -1;
  case UnaryKind::abs:          return x < 0 ? -1 : x > 0 ? 1 : 0;
  case UnaryKind::exp:          return std::exp(x);
  case UnaryKind::log:          return 1 / x;
  case UnaryKind::sqrt:         return 0.5 / std::sqrt(x);
  case UnaryKind::rsqrt:        return -0.5 / (x * std::sqrt(x));
  case UnaryKind::reciprocal:   return -1 / (x * x);
  case UnaryKind::tanh:         return 1 - std::tanh(x) * std::tanh(x);
  case UnaryKind::sigmoid:      return sigmoid(x) * (1 - sigmoid(x));
  case UnaryKind::erf:          return 2 / std::sqrt(pi) * std::exp(-x * x);
  case UnaryKind::relu:         return x > 0 ? 1 : 0;
  case UnaryKind::gelu:         return 0.5 * (1 + std::erf(x / sqrt2)) + x * std::exp(-0.5 * x * x) / std::sqrt(2 * pi);
  case UnaryKind::gelu_tanh: {
    double c = std::sqrt(2 / pi), t = std::tanh(c * (x + 0.044715 * x * x * x));
    return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * c * (1 + 3 * 0.044715 * x * x);
  }
  case UnaryKind::silu: {
    double s = sigmoid(a * x);
    return s + a * x * s * (1 - s);
  }
  case UnaryKind::softplus:     return sigmoid(x);
  case UnaryKind::softsign:     return 1 / ((1 + std::fabs(x)) * (1 + std::fabs(x)));
  case UnaryKind::elu:          return x < 0 ? a * std::exp(x) : 1;
  case UnaryKind::selu:         return b * (x > 0 ? 1 : a * std::exp(x));
  case UnaryKind::leaky_relu:   return x < 0 ? a : 1;
  case UnaryKind::hard_sigmoid: return a * x + b > 0 && a * x + b < 1 ? a : 0;
  case UnaryKind::sin:          return std::cos(x);
  case UnaryKind::cos:          return -std::sin(x);
  case UnaryKind::tan:          return 1 + std::tan(x) * std::tan(x);
  case UnaryKind::asin:         return 1 / std::sqrt(1 - x * x);
  case UnaryKind::acos:         return -1 / std::sqrt(1 - x * x);
  case UnaryKind::atan:         return 1 / (1 + x * x);
  case UnaryKind::sinh:         return std::cosh(x);
  case UnaryKind::cosh:         return std::sinh(x);
  case UnaryKind::asinh:        return 1 / std::sqrt(x * x + 1);
  case UnaryKind::acosh:        return 1 / std::sqrt(x * x - 1);
  case UnaryKind::atanh:        return 1 / (1 - x * x);
  default:                      return 0;
  }
}
// clang-format on

/// Mean (0 unless centered) and 1 / sqrt(variance + epsilon) of the row of x that begins at `start`.
struct RowStatistics {
  double mean = 0, factor = 1;
  RowStatistics(const TensorView &x, int64_t start, int64_t row, bool centered, double epsilon) {
    for (int64_t i = 0; i < row && centered; ++i)
      mean += load<double>(x, start + i) / static_cast<double>(row);
    double squares = 0;
    for (int64_t i = 0; i < row; ++i) {
      double value = load<double>(x, start + i) - mean;
      squares += value * value;
    }
    factor = 1 / std::sqrt(squares / static_cast<double>(row) + epsilon);
  }
};

} // namespace

Status unary_grad(const KernelCall &call) {
  const TensorView &x = call.inputs[0], &dy = call.inputs[1], &dx = call.outputs[0];
  auto kind = static_cast<UnaryKind>(call.ints[0]);
  for (int64_t i = 0, n = dx.elements(); i < n; ++i)
    store<double>(dx, i, load<double>(dy, i) * derivative(kind, load<double>(x, i), call.floats[0], call.floats[1]));
  return Status::success();
}

Status weight_grad(const KernelCall &call) {
  const TensorView &a = call.inputs[0], &b = call.inputs[1], &y = call.outputs[0];
  int64_t m = y.dims[0], n = y.dims[1], rows = product(a.shape().subspan(0, a.rank - 1));
  withAccumulator(y.dtype, [&](auto zero) {
    using Acc = decltype(zero);
    for (int64_t i = 0; i < m; ++i)
      for (int64_t j = 0; j < n; ++j) {
        Acc sum = 0;
        for (int64_t row = 0; row < rows; ++row)
          sum = plus(sum, times(load<Acc>(a, row * m + i), load<Acc>(b, row * n + j)));
        store<Acc>(y, i * n + j, sum);
      }
  });
  return Status::success();
}

// y_i = exp(x_i) / S: dx_i = y_i (dy_i - sum_j y_j dy_j). y_i = x_i - log S: dx_i = dy_i - exp(y_i) sum_j dy_j.
Status softmax_grad(const KernelCall &call) {
  const TensorView &y = call.inputs[0], &dy = call.inputs[1], &dx = call.outputs[0];
  AxisSplit split(y, call.ints[0]);
  bool log = call.ints[1] != 0;
  for (int64_t outer = 0; outer < split.outer; ++outer)
    for (int64_t inner = 0; inner < split.inner; ++inner) {
      auto at = [&](int64_t i) { return (outer * split.extent + i) * split.inner + inner; };
      double sum = 0;
      for (int64_t i = 0; i < split.extent; ++i)
        sum += load<double>(dy, at(i)) * (log ? 1 : load<double>(y, at(i)));
      for (int64_t i = 0; i < split.extent; ++i) {
        double result = load<double>(y, at(i)), gradient = load<double>(dy, at(i));
        store<double>(dx, at(i), log ? gradient - std::exp(result) * sum : result * (gradient - sum));
      }
    }
  return Status::success();
}

// With xhat = (x - mean) factor and g = dy scale: dx = factor (g - mean(g) - xhat mean(g xhat)); mean(g) is 0 for
// rms_norm.
Status norm_grad(const KernelCall &call) {
  const TensorView &x = call.inputs[0], &scale = call.inputs[1], &dy = call.inputs[2], &dx = call.outputs[0];
  bool centered = call.ints[1] != 0;
  int64_t row = product(x.shape().subspan(call.ints[0])), elements = x.elements();
  for (int64_t start = 0; start < elements; start += row) {
    RowStatistics statistics(x, start, row, centered, call.floats[0]);
    auto normalized = [&](int64_t i) { return (load<double>(x, start + i) - statistics.mean) * statistics.factor; };
    auto scaled = [&](int64_t i) { return load<double>(dy, start + i) * load<double>(scale, i); };
    double sum = 0, projection = 0;
    for (int64_t i = 0; i < row; ++i) {
      sum += scaled(i);
      projection += scaled(i) * normalized(i);
    }
    double mean = centered ? sum / static_cast<double>(row) : 0;
    for (int64_t i = 0; i < row; ++i)
      store<double>(dx, start + i,
                    statistics.factor * (scaled(i) - mean - normalized(i) * projection / static_cast<double>(row)));
  }
  return Status::success();
}

Status norm_scale_grad(const KernelCall &call) {
  const TensorView &x = call.inputs[0], &dy = call.inputs[1], &dscale = call.outputs[0];
  int64_t row = dscale.elements(), elements = x.elements();
  std::vector<double> sums(static_cast<size_t>(row));
  for (int64_t start = 0; start < elements; start += row) {
    RowStatistics statistics(x, start, row, call.ints[1] != 0, call.floats[0]);
    for (int64_t i = 0; i < row; ++i)
      sums[static_cast<size_t>(i)] +=
          load<double>(dy, start + i) * (load<double>(x, start + i) - statistics.mean) * statistics.factor;
  }
  for (int64_t i = 0; i < row; ++i)
    store<double>(dscale, i, sums[static_cast<size_t>(i)]);
  return Status::success();
}

Status gather_grad(const KernelCall &call) {
  const TensorView &indices = call.inputs[0], &dy = call.inputs[1], &y = call.outputs[0];
  AxisSplit split(y, call.ints[0]);
  int64_t begin = call.ints[1], size = call.ints[2], count = indices.elements();
  std::vector<double> sums(static_cast<size_t>(y.elements()));
  for (int64_t i = 0; i < count; ++i) {
    auto index = load<int64_t>(indices, i);
    if (index < -size || index >= size)
      return Status::invalid("gather_grad: index " + std::to_string(index) + " is outside [-" + std::to_string(size) +
                             ", " + std::to_string(size) + ")");
    int64_t local = (index < 0 ? index + size : index) - begin;
    if (local < 0 || local >= split.extent)
      continue;
    for (int64_t outer = 0; outer < split.outer; ++outer)
      for (int64_t inner = 0; inner < split.inner; ++inner)
        sums[static_cast<size_t>((outer * split.extent + local) * split.inner + inner)] +=
            load<double>(dy, (outer * count + i) * split.inner + inner);
  }
  for (int64_t i = 0, n = y.elements(); i < n; ++i)
    store<double>(y, i, sums[static_cast<size_t>(i)]);
  return Status::success();
}

Status slice_grad(const KernelCall &call) {
  const TensorView &dy = call.inputs[0], &y = call.outputs[0];
  auto starts = call.ints.subspan(0, dy.rank), steps = call.ints.subspan(dy.rank, dy.rank);
  Dims strides = denseStrides(y.shape());
  if (y.bytes() > 0)
    std::memset(y.data, 0, y.bytes());
  int64_t at = 0;
  forEachIndex(dy.shape(), [&](const Dims &index) {
    Dims to{};
    for (int i = 0; i < dy.rank; ++i)
      to[i] = starts[i] + index[i] * steps[i];
    copyElement(y, offset(strides, to), dy, at++);
  });
  return Status::success();
}

} // namespace llmpar::rt::reference
