//===- Contractions.cpp - matmul, conv, pool --------------------*- C++ -*-===//
#include "reference/Loops.h"
#include "reference/Reference.h"

namespace llmpar::rt::reference {

Status matmul(const KernelCall &call) {
  const TensorView &a = call.inputs[0], &b = call.inputs[1], &y = call.outputs[0];
  bool transposeA = call.ints[0] != 0, transposeB = call.ints[1] != 0;
  int64_t m = y.dims[y.rank - 2], n = y.dims[y.rank - 1], k = a.dims[a.rank - (transposeA ? 2 : 1)];
  auto batchShape = y.shape().subspan(0, y.rank - 2);
  Dims aBatch = broadcastStrides(a.shape().subspan(0, a.rank - 2), batchShape),
       bBatch = broadcastStrides(b.shape().subspan(0, b.rank - 2), batchShape);
  int64_t aRow = transposeA ? 1 : k, aColumn = transposeA ? m : 1;
  int64_t bRow = transposeB ? 1 : n, bColumn = transposeB ? k : 1;
  withAccumulator(y.dtype, [&](auto zero) {
    using Acc = decltype(zero);
    int64_t at = 0;
    forEachIndex(batchShape, [&](const Dims &batch) {
      int64_t aStart = offset(aBatch, batch) * m * k, bStart = offset(bBatch, batch) * k * n;
      for (int64_t row = 0; row < m; ++row)
        for (int64_t column = 0; column < n; ++column) {
          Acc sum = 0;
          for (int64_t i = 0; i < k; ++i)
            sum = plus(sum, times(load<Acc>(a, aStart + row * aRow + i * aColumn),
                                  load<Acc>(b, bStart + i * bRow + column * bColumn)));
          store<Acc>(y, at++, sum);
        }
    });
  });
  return Status::success();
}

Status conv(const KernelCall &call) {
  const TensorView &x = call.inputs[0], &w = call.inputs[1], &y = call.outputs[0];
  int spatial = x.rank - 2;
  int64_t group = call.ints[0];
  auto strides = call.ints.subspan(1, spatial), pads = call.ints.subspan(1 + spatial, spatial),
       dilations = call.ints.subspan(1 + 3 * spatial, spatial);
  int64_t groupIn = w.dims[1], groupOut = group > 0 ? y.dims[1] / group : 0;
  auto xSpatial = x.shape().subspan(2), wSpatial = w.shape().subspan(2);
  int64_t xPlane = product(xSpatial), wPlane = product(wSpatial);
  Dims xStrides = denseStrides(xSpatial);
  withAccumulator(y.dtype, [&](auto zero) {
    using Acc = decltype(zero);
    int64_t at = 0;
    forEachIndex(y.shape(), [&](const Dims &out) {
      int64_t n = out[0], channel = out[1], firstIn = channel / groupOut * groupIn;
      Acc sum = call.inputs.size() > 2 ? load<Acc>(call.inputs[2], channel) : Acc(0);
      int64_t tap = 0;
      forEachIndex(wSpatial, [&](const Dims &kernel) {
        int64_t position = 0, thisTap = tap++;
        for (int i = 0; i < spatial; ++i) {
          int64_t in = out[i + 2] * strides[i] - pads[i] + kernel[i] * dilations[i];
          if (in < 0 || in >= xSpatial[i])
            return;
          position += in * xStrides[i];
        }
        for (int64_t c = 0; c < groupIn; ++c)
          sum = plus(sum, times(load<Acc>(x, (n * x.dims[1] + firstIn + c) * xPlane + position),
                                load<Acc>(w, (channel * groupIn + c) * wPlane + thisTap)));
      });
      store<Acc>(y, at++, sum);
    });
  });
  return Status::success();
}

Status pool(const KernelCall &call) {
  enum Kind : int64_t { Max, MeanWithoutPadding, MeanWithPadding };
  const TensorView &x = call.inputs[0], &y = call.outputs[0];
  int spatial = x.rank - 2;
  auto attribute = [&](int which) { return call.ints.subspan(1 + which * spatial, spatial); };
  auto window = attribute(0), strides = attribute(1), padsBegin = attribute(2), padsEnd = attribute(3),
       dilations = attribute(4);
  int64_t kind = call.ints[0];
  auto xSpatial = x.shape().subspan(2);
  int64_t xPlane = product(xSpatial);
  Dims xStrides = denseStrides(xSpatial);
  withAccumulator(y.dtype, [&](auto zero) {
    using Acc = decltype(zero);
    int64_t at = 0;
    forEachIndex(y.shape(), [&](const Dims &out) {
      int64_t plane = (out[0] * x.dims[1] + out[1]) * xPlane, count = 0;
      Acc result = kind == Max ? extremeValue<Acc>(y.dtype, true) : Acc(0);
      forEachIndex(window, [&](const Dims &kernel) {
        int64_t position = 0;
        bool inside = true, padded = true;
        for (int i = 0; i < spatial; ++i) {
          int64_t in = out[i + 2] * strides[i] - padsBegin[i] + kernel[i] * dilations[i];
          inside &= in >= 0 && in < xSpatial[i];
          padded &= in < xSpatial[i] + padsEnd[i]; // a window rounded up may reach past the padding
          position += in * xStrides[i];
        }
        count += kind == MeanWithPadding ? padded : inside;
        if (!inside)
          return;
        Acc value = load<Acc>(x, plane + position);
        result = kind == Max ? maximum(result, value) : plus(result, value);
      });
      if (kind != Max)
        result = count > 0 ? static_cast<Acc>(result / static_cast<Acc>(count)) : Acc(0);
      store<Acc>(y, at++, result);
    });
  });
  return Status::success();
}

} // namespace llmpar::rt::reference
