//===- Normalization.cpp - softmax, layer_norm, rms_norm --------*- C++ -*-===//
#include "reference/Loops.h"
#include "reference/Reference.h"

namespace llmpar::rt::reference {

Status softmax(const KernelCall &call) {
  const TensorView &x = call.inputs[0], &y = call.outputs[0];
  AxisSplit split(x, call.ints[0]);
  bool log = call.ints[1] != 0;
  for (int64_t outer = 0; outer < split.outer; ++outer)
    for (int64_t inner = 0; inner < split.inner; ++inner) {
      auto at = [&](int64_t i) { return (outer * split.extent + i) * split.inner + inner; };
      double highest = -std::numeric_limits<double>::infinity(), sum = 0;
      for (int64_t i = 0; i < split.extent; ++i)
        highest = maximum(highest, load<double>(x, at(i)));
      for (int64_t i = 0; i < split.extent; ++i)
        sum += std::exp(load<double>(x, at(i)) - highest);
      for (int64_t i = 0; i < split.extent; ++i) {
        double shifted = load<double>(x, at(i)) - highest;
        store<double>(y, at(i), log ? shifted - std::log(sum) : std::exp(shifted) / sum);
      }
    }
  return Status::success();
}

namespace {
/// y = (x - shift) * factor * scale + bias, where `statistics(row)` gives shift and factor of a row.
template <typename Statistics> void normalizeRows(const KernelCall &call, Statistics &&statistics) {
  const TensorView &x = call.inputs[0], &scale = call.inputs[1], &y = call.outputs[0];
  const TensorView *bias = call.inputs.size() > 2 ? &call.inputs[2] : nullptr;
  AxisSplit split(x, call.ints[0]);
  int64_t row = split.extent * split.inner, at = 0;
  Dims scaleStrides = broadcastStrides(scale.shape(), x.shape()), biasStrides{};
  if (bias)
    biasStrides = broadcastStrides(bias->shape(), x.shape());
  double shift = 0, factor = 1;
  forEachIndex(x.shape(), [&](const Dims &index) {
    if (at % row == 0)
      statistics(at, row, shift, factor);
    double value = (load<double>(x, at) - shift) * factor * load<double>(scale, offset(scaleStrides, index));
    store<double>(y, at++, value + (bias ? load<double>(*bias, offset(biasStrides, index)) : 0));
  });
}
} // namespace

Status layer_norm(const KernelCall &call) {
  const TensorView &x = call.inputs[0];
  normalizeRows(call, [&](int64_t start, int64_t row, double &shift, double &factor) {
    double sum = 0, squares = 0;
    for (int64_t i = 0; i < row; ++i)
      sum += load<double>(x, start + i);
    shift = sum / static_cast<double>(row);
    for (int64_t i = 0; i < row; ++i) {
      double centred = load<double>(x, start + i) - shift;
      squares += centred * centred;
    }
    factor = 1 / std::sqrt(squares / static_cast<double>(row) + call.floats[0]);
  });
  return Status::success();
}

Status rms_norm(const KernelCall &call) {
  const TensorView &x = call.inputs[0];
  normalizeRows(call, [&](int64_t start, int64_t row, double &shift, double &factor) {
    double squares = 0;
    for (int64_t i = 0; i < row; ++i)
      squares += load<double>(x, start + i) * load<double>(x, start + i);
    shift = 0;
    factor = 1 / std::sqrt(squares / static_cast<double>(row) + call.floats[0]);
  });
  return Status::success();
}

} // namespace llmpar::rt::reference
