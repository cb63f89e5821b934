//===- Rotary.cpp - rotary --------------------------------------*- C++ -*-===//
#include "reference/Loops.h"
#include "reference/Reference.h"

namespace llmpar::rt::reference {

Status rotary(const KernelCall &call) {
  const TensorView &x = call.inputs[0], &cosines = call.inputs[1], &sines = call.inputs[2], &y = call.outputs[0];
  bool interleaved = call.ints[0] != 0;
  int64_t n = x.shape().back(), pairs = cosines.shape().back(), row = 0;
  Dims cosStrides = broadcastRowStrides(cosines, x), sinStrides = broadcastRowStrides(sines, x);
  forEachIndex(x.shape().first(static_cast<size_t>(x.rank - 1)), [&](const Dims &index) {
    int64_t cosRow = offset(cosStrides, index), sinRow = offset(sinStrides, index);
    for (int64_t i = 0; i < pairs; ++i) {
      int64_t first = row + (interleaved ? 2 * i : i), second = first + (interleaved ? 1 : pairs);
      double a = load<double>(x, first), b = load<double>(x, second);
      double cos = load<double>(cosines, cosRow + i), sin = load<double>(sines, sinRow + i);
      store<double>(y, first, a * cos - b * sin);
      store<double>(y, second, b * cos + a * sin);
    }
    for (int64_t i = 2 * pairs; i < n; ++i)
      copyElement(y, row + i, x, row + i);
    row += n;
  });
  return Status::success();
}

} // namespace llmpar::rt::reference
