//===- Layout.cpp - Movement of elements ------------------------*- C++ -*-===//
//
// transpose, broadcast, slice, concat, pad, gather, gather_nd of any type, by the size of
// an element: copies of the longest contiguous runs, and 16x16 tiles where a
// transposition changes the last dimension.
//
//===----------------------------------------------------------------------===//
#include "cpu/Collapse.h"
#include "cpu/CpuKernels.h"
#include "reference/Reference.h"

#include <algorithm>

namespace llmpar::rt::cpu {
namespace {

/// Calls `body` with a zero of the unsigned type that has the size of an element.
template <typename Body> void withElement(DType dtype, Body &&body) {
  switch (dtypeSize(dtype)) {
  case 1:
    return body(uint8_t{});
  case 2:
    return body(uint16_t{});
  case 4:
    return body(uint32_t{});
  default:
    return body(uint64_t{});
  }
}

/// A row whose elements lie `step` apart in x.
template <typename T> void copyRow(const T *x, int64_t step, T *y, int64_t n) {
  if (step == 1)
    std::memcpy(y, x, static_cast<size_t>(n) * sizeof(T));
  else if (step == 0)
    std::fill(y, y + n, *x);
  else
    for (int64_t i = 0; i < n; ++i)
      y[i] = x[i * step];
}

/// y[i][j] = x[i + j * xStep] for i < rows, j < columns; y's rows lie `yStep` apart.
template <typename T>
void transposeTile(const T *__restrict x, int64_t xStep, T *__restrict y, int64_t yStep, int64_t rows,
                   int64_t columns) {
  constexpr int64_t tile = 16;
  for (int64_t i0 = 0; i0 < rows; i0 += tile)
    for (int64_t j0 = 0; j0 < columns; j0 += tile) {
      const T *from = x + i0 + j0 * xStep;
      T *to = y + i0 * yStep + j0;
      if (i0 + tile <= rows && j0 + tile <= columns) {
        T values[tile][tile]; // both sides in whole cache lines
        for (int64_t j = 0; j < tile; ++j)
          for (int64_t i = 0; i < tile; ++i)
            values[i][j] = from[i + j * xStep];
        for (int64_t i = 0; i < tile; ++i)
          std::memcpy(to + i * yStep, values[i], sizeof values[i]);
        continue;
      }
      for (int64_t i = 0; i < std::min(tile, rows - i0); ++i)
        for (int64_t j = 0; j < std::min(tile, columns - j0); ++j)
          to[i * yStep + j] = from[i + j * xStep];
    }
}

/// y[index] = x[xStrides . index] over y's shape.
void copyStrided(const TensorView &x, int64_t xStart, const Dims &xStrides, const TensorView &y) {
  if (y.elements() == 0)
    return;
  auto nest = collapse<2>(y.shape(), {xStrides, denseStrides(y.shape())});
  withElement(y.dtype, [&](auto zero) {
    using T = decltype(zero);
    const T *from = x.as<const T>() + xStart;
    T *to = y.as<T>();
    int last = nest.rank - 1, unit = last;
    for (int dim = 0; dim < last; ++dim)
      if (nest.strides[0][dim] == 1)
        unit = dim;
    if (unit == last || nest.rowStep(0) <= 1) {
      int64_t n = nest.rowLength(), step = nest.rowStep(0);
      return forEachRow(nest, [&](const auto &at) { copyRow(from + at[0], step, to + at[1], n); });
    }
    // x is contiguous in `unit`, y in the last dimension: tiles over the two, rows over the others.
    int64_t rows = nest.extents[unit], yStep = nest.strides[1][unit], columns = nest.rowLength(),
            xStep = nest.rowStep(0);
    nest.extents[unit] = 1;
    forEachRow(nest, [&](const auto &at) { transposeTile(from + at[0], xStep, to + at[1], yStep, rows, columns); });
  });
}

} // namespace

Status transpose(const KernelCall &call) {
  const TensorView &x = call.inputs[0], &y = call.outputs[0];
  Dims xStrides = denseStrides(x.shape()), strides{};
  for (int i = 0; i < y.rank; ++i)
    strides[i] = xStrides[call.ints[i]];
  copyStrided(x, 0, strides, y);
  return Status::success();
}

Status broadcast(const KernelCall &call) {
  const TensorView &x = call.inputs[0], &y = call.outputs[0];
  copyStrided(x, 0, broadcastStrides(x.shape(), y.shape()), y);
  return Status::success();
}

Status slice(const KernelCall &call) {
  const TensorView &x = call.inputs[0], &y = call.outputs[0];
  Dims strides = denseStrides(x.shape());
  int64_t start = 0;
  for (int i = 0; i < x.rank; ++i) {
    start += call.ints[i] * strides[i];
    strides[i] *= call.ints[x.rank + i];
  }
  copyStrided(x, start, strides, y);
  return Status::success();
}

Status concat(const KernelCall &call) {
  const TensorView &y = call.outputs[0];
  AxisSplit split(y, call.ints[0]);
  size_t unit = static_cast<size_t>(split.inner) * dtypeSize(y.dtype), row = unit * static_cast<size_t>(split.extent),
         begin = 0;
  for (const TensorView &x : call.inputs) {
    size_t run = unit * static_cast<size_t>(x.dims[split.axis]);
    if (run == 0)
      continue;
    for (int64_t outer = 0; outer < split.outer; ++outer)
      std::memcpy(y.as<char>() + static_cast<size_t>(outer) * row + begin,
                  x.as<char>() + static_cast<size_t>(outer) * run, run);
    begin += run;
  }
  return Status::success();
}

Status pad(const KernelCall &call) {
  const TensorView &x = call.inputs[0], &y = call.outputs[0];
  if (call.ints[0] != 0)
    return reference::pad(call);
  // The box of y that x fills; y may end before x does.
  Dims box{}, yStrides = denseStrides(y.shape());
  int64_t start = 0;
  for (int i = 0; i < y.rank; ++i) {
    box[i] = std::max<int64_t>(0, std::min(x.dims[i], y.dims[i] - call.ints[1 + i]));
    start += call.ints[1 + i] * yStrides[i];
  }
  auto nest = collapse<2>({box.data(), static_cast<size_t>(y.rank)}, {denseStrides(x.shape()), yStrides});
  TensorView value{.dtype = y.dtype};
  uint64_t storage = 0;
  value.data = &storage;
  store<double>(value, 0, call.floats.empty() ? 0 : call.floats[0]);
  withElement(y.dtype, [&](auto zero) {
    using T = decltype(zero);
    T *to = y.as<T>();
    T element;
    std::memcpy(&element, &storage, sizeof element);
    std::fill(to, to + y.elements(), element);
    int64_t n = nest.rowLength(), xStep = nest.rowStep(0), yStep = nest.rowStep(1);
    forEachRow(nest, [&](const auto &at) {
      const T *row = x.as<const T>() + at[0];
      if (yStep == 1)
        return copyRow(row, xStep, to + start + at[1], n);
      for (int64_t i = 0; i < n; ++i) // the last dimension of the box is 1, that of y is not
        to[start + at[1] + i * yStep] = row[i * xStep];
    });
  });
  return Status::success();
}

Status gather(const KernelCall &call) {
  const TensorView &data = call.inputs[0], &indices = call.inputs[1], &y = call.outputs[0];
  if (indices.dtype != DType::I64 && indices.dtype != DType::I32)
    return reference::gather(call);
  AxisSplit split(data, call.ints[0]);
  int64_t begin = call.ints[1], size = call.ints[2], count = indices.elements();
  size_t run = static_cast<size_t>(split.inner) * dtypeSize(y.dtype);
  for (int64_t i = 0; i < count; ++i) {
    int64_t index = indices.dtype == DType::I64 ? indices.as<int64_t>()[i] : indices.as<int32_t>()[i];
    if (index < -size || index >= size)
      return reference::gather(call); // reports it
    int64_t local = (index < 0 ? index + size : index) - begin;
    if (run == 0)
      continue;
    for (int64_t outer = 0; outer < split.outer; ++outer) {
      char *to = y.as<char>() + static_cast<size_t>(outer * count + i) * run;
      if (local >= 0 && local < split.extent)
        std::memcpy(to, data.as<char>() + static_cast<size_t>(outer * split.extent + local) * run, run);
      else
        std::memset(to, 0, run);
    }
  }
  return Status::success();
}

Status gather_nd(const KernelCall &call) {
  const TensorView &data = call.inputs[0], &indices = call.inputs[1], &y = call.outputs[0];
  if (indices.dtype != DType::I64)
    return reference::gather_nd(call);
  int64_t batchDims = call.ints[0], length = indices.dims[indices.rank - 1];
  auto shape = data.shape();
  Dims strides = denseStrides(shape);
  int64_t batches = product(shape.subspan(0, batchDims)), batchSize = product(shape.subspan(batchDims));
  int64_t tuples = product(indices.shape().subspan(0, indices.rank - 1)), perBatch = batches ? tuples / batches : 0;
  size_t size = dtypeSize(y.dtype), run = static_cast<size_t>(product(shape.subspan(batchDims + length))) * size;
  for (int64_t tuple = 0; tuple < tuples; ++tuple) {
    int64_t at = tuple / perBatch * batchSize;
    for (int64_t i = 0; i < length; ++i) {
      int64_t index = indices.as<int64_t>()[tuple * length + i], extent = shape[batchDims + i];
      if (index < -extent || index >= extent)
        return reference::gather_nd(call); // reports it
      at += (index < 0 ? index + extent : index) * strides[batchDims + i];
    }
    if (run > 0)
      std::memcpy(y.as<char>() + static_cast<size_t>(tuple) * run,
                  data.as<char>() + static_cast<size_t>(at) * size, run);
  }
  return Status::success();
}

} // namespace llmpar::rt::cpu
