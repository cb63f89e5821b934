//===- Layout.cpp - Movement of elements ------------------------*- C++ -*-===//
//
// transpose, reshape, broadcast, slice, concat, pad, iota, copy.
//
//===----------------------------------------------------------------------===//
#include "reference/Loops.h"
#include "reference/Reference.h"

namespace llmpar::rt::reference {

Status transpose(const KernelCall &call) {
  const TensorView &x = call.inputs[0], &y = call.outputs[0];
  Dims xStrides = denseStrides(x.shape()), strides{};
  for (int i = 0; i < y.rank; ++i)
    strides[i] = xStrides[call.ints[i]];
  int64_t at = 0;
  forEachIndex(y.shape(), [&](const Dims &index) { copyElement(y, at++, x, offset(strides, index)); });
  return Status::success();
}

Status reshape(const KernelCall &call) {
  copyAll(call.outputs[0], call.inputs[0]);
  return Status::success();
}

Status copy(const KernelCall &call) { return reshape(call); }

Status broadcast(const KernelCall &call) {
  const TensorView &x = call.inputs[0], &y = call.outputs[0];
  Dims strides = broadcastStrides(x.shape(), y.shape());
  int64_t at = 0;
  forEachIndex(y.shape(), [&](const Dims &index) { copyElement(y, at++, x, offset(strides, index)); });
  return Status::success();
}

Status slice(const KernelCall &call) {
  const TensorView &x = call.inputs[0], &y = call.outputs[0];
  auto starts = call.ints.subspan(0, x.rank), steps = call.ints.subspan(x.rank, x.rank);
  Dims strides = denseStrides(x.shape());
  int64_t at = 0;
  forEachIndex(y.shape(), [&](const Dims &index) {
    Dims from{};
    for (int i = 0; i < x.rank; ++i)
      from[i] = starts[i] + index[i] * steps[i];
    copyElement(y, at++, x, offset(strides, from));
  });
  return Status::success();
}

Status concat(const KernelCall &call) {
  const TensorView &y = call.outputs[0];
  AxisSplit split(y, call.ints[0]);
  Dims strides = denseStrides(y.shape());
  int64_t begin = 0;
  for (const TensorView &x : call.inputs) {
    int64_t at = 0;
    forEachIndex(x.shape(),
                 [&](const Dims &index) { copyElement(y, begin * split.inner + offset(strides, index), x, at++); });
    begin += x.dims[split.axis];
  }
  return Status::success();
}

namespace {
enum PadMode : int64_t { Constant, Reflect, Edge, Wrap };

/// The source of position `i` of an axis of `extent` elements, -1 if it is padding.
int64_t paddedSource(int64_t mode, int64_t i, int64_t extent) {
  if (i >= 0 && i < extent)
    return i;
  if (extent == 0 || mode == Constant)
    return -1;
  if (mode == Edge)
    return i < 0 ? 0 : extent - 1;
  int64_t period = mode == Wrap ? extent : extent == 1 ? 1 : 2 * (extent - 1);
  int64_t phase = ((i % period) + period) % period;
  return phase < extent ? phase : period - phase;
}
} // namespace

Status pad(const KernelCall &call) {
  const TensorView &x = call.inputs[0], &y = call.outputs[0];
  Dims strides = denseStrides(x.shape());
  int64_t at = 0;
  forEachIndex(y.shape(), [&](const Dims &index) {
    Dims from{};
    bool inside = true;
    for (int i = 0; i < y.rank; ++i) {
      from[i] = paddedSource(call.ints[0], index[i] - call.ints[1 + i], x.dims[i]);
      inside &= from[i] >= 0;
    }
    if (inside)
      copyElement(y, at++, x, offset(strides, from));
    else
      store<double>(y, at++, call.floats.empty() ? 0 : call.floats[0]);
  });
  return Status::success();
}

Status iota(const KernelCall &call) {
  const TensorView &y = call.outputs[0];
  int64_t axis = call.ints[0] < 0 ? call.ints[0] + y.rank : call.ints[0], begin = call.ints[1];
  int64_t at = 0;
  forEachIndex(y.shape(), [&](const Dims &index) {
    int64_t i = begin + (y.rank > 0 ? index[axis] : 0);
    if (isFloat(y.dtype))
      store<double>(y, at++, call.floats[0] + call.floats[1] * static_cast<double>(i));
    else
      store<int64_t>(y, at++, plus(call.ints[2], times(call.ints[3], i)));
  });
  return Status::success();
}

} // namespace llmpar::rt::reference
