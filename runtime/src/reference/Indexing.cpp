//===- Indexing.cpp - gather*, scatter* -------------------------*- C++ -*-===//
#include "reference/Loops.h"
#include "reference/Reference.h"

#include <string>

namespace llmpar::rt::reference {
namespace {

/// Turns `index` into [0, size); false if it is outside [-size, size).
bool normalize(int64_t &index, int64_t size) {
  if (index < -size || index >= size)
    return false;
  if (index < 0)
    index += size;
  return true;
}

Status outOfRange(const char *kernel, int64_t index, int64_t size) {
  return Status::invalid(std::string(kernel) + ": index " + std::to_string(index) + " is outside [-" +
                         std::to_string(size) + ", " + std::to_string(size) + ")");
}

enum Reduction : int64_t { None, Add, Mul, Min, Max };

/// y[to] = y[to] `reduction` updates[from]
void scatterElement(const TensorView &y, int64_t to, const TensorView &updates, int64_t from, int64_t reduction) {
  if (reduction == None)
    return copyElement(y, to, updates, from);
  withAccumulator(y.dtype, [&](auto zero) {
    using Acc = decltype(zero);
    Acc a = load<Acc>(y, to), b = load<Acc>(updates, from);
    store<Acc>(y, to,
               reduction == Add   ? plus(a, b)
               : reduction == Mul ? times(a, b)
               : reduction == Min ? minimum(a, b)
                                  : maximum(a, b));
  });
}

/// Reads index tuple `tuple` of length `length` and returns the element offset it points at in a tensor whose
/// dimensions from `firstDim` on it indexes.
Status tupleOffset(const char *kernel, const TensorView &indices, int64_t tuple, int64_t length,
                   std::span<const int64_t> shape, const Dims &strides, int64_t firstDim, int64_t &at) {
  at = 0;
  for (int64_t i = 0; i < length; ++i) {
    auto index = load<int64_t>(indices, tuple * length + i);
    int64_t size = shape[firstDim + i];
    if (!normalize(index, size))
      return outOfRange(kernel, index, size);
    at += index * strides[firstDim + i];
  }
  return Status::success();
}

} // namespace

Status gather(const KernelCall &call) {
  const TensorView &data = call.inputs[0], &indices = call.inputs[1], &y = call.outputs[0];
  AxisSplit split(data, call.ints[0]);
  int64_t begin = call.ints[1], size = call.ints[2], count = indices.elements();
  for (int64_t i = 0; i < count; ++i) {
    auto index = load<int64_t>(indices, i);
    if (!normalize(index, size))
      return outOfRange("gather", index, size);
    int64_t local = index - begin;
    for (int64_t outer = 0; outer < split.outer; ++outer)
      for (int64_t inner = 0; inner < split.inner; ++inner) {
        int64_t to = (outer * count + i) * split.inner + inner;
        if (local >= 0 && local < split.extent)
          copyElement(y, to, data, (outer * split.extent + local) * split.inner + inner);
        else
          store<int64_t>(y, to, 0);
      }
  }
  return Status::success();
}

Status gather_elements(const KernelCall &call) {
  const TensorView &data = call.inputs[0], &indices = call.inputs[1], &y = call.outputs[0];
  AxisSplit split(data, call.ints[0]);
  Dims strides = denseStrides(data.shape());
  int64_t at = 0;
  Status status;
  forEachIndex(indices.shape(), [&](const Dims &position) {
    auto index = load<int64_t>(indices, at);
    if (!normalize(index, split.extent)) {
      if (status.ok())
        status = outOfRange("gather_elements", index, split.extent);
      return;
    }
    Dims from = position;
    from[split.axis] = index;
    copyElement(y, at++, data, offset(strides, from));
  });
  return status;
}

Status gather_nd(const KernelCall &call) {
  const TensorView &data = call.inputs[0], &indices = call.inputs[1], &y = call.outputs[0];
  int64_t batchDims = call.ints[0], length = indices.dims[indices.rank - 1];
  auto shape = data.shape();
  Dims strides = denseStrides(shape);
  int64_t batches = product(shape.subspan(0, batchDims)), batchSize = product(shape.subspan(batchDims));
  int64_t slice = product(shape.subspan(batchDims + length));
  int64_t tuples = product(indices.shape().subspan(0, indices.rank - 1)), perBatch = batches ? tuples / batches : 0;
  for (int64_t tuple = 0; tuple < tuples; ++tuple) {
    int64_t at = 0;
    if (Status status = tupleOffset("gather_nd", indices, tuple, length, shape, strides, batchDims, at); !status.ok())
      return status;
    at += tuple / perBatch * batchSize;
    for (int64_t i = 0; i < slice; ++i)
      copyElement(y, tuple * slice + i, data, at + i);
  }
  return Status::success();
}

Status scatter_nd(const KernelCall &call) {
  const TensorView &data = call.inputs[0], &indices = call.inputs[1], &updates = call.inputs[2], &y = call.outputs[0];
  copyAll(y, data);
  int64_t length = indices.dims[indices.rank - 1];
  auto shape = y.shape();
  Dims strides = denseStrides(shape);
  int64_t tuples = product(indices.shape().subspan(0, indices.rank - 1)), slice = product(shape.subspan(length));
  for (int64_t tuple = 0; tuple < tuples; ++tuple) {
    int64_t at = 0;
    if (Status status = tupleOffset("scatter_nd", indices, tuple, length, shape, strides, 0, at); !status.ok())
      return status;
    for (int64_t i = 0; i < slice; ++i)
      scatterElement(y, at + i, updates, tuple * slice + i, call.ints[0]);
  }
  return Status::success();
}

Status scatter_elements(const KernelCall &call) {
  const TensorView &data = call.inputs[0], &indices = call.inputs[1], &updates = call.inputs[2], &y = call.outputs[0];
  copyAll(y, data);
  AxisSplit split(y, call.ints[0]);
  Dims strides = denseStrides(y.shape());
  int64_t from = 0;
  Status status;
  forEachIndex(indices.shape(), [&](const Dims &position) {
    auto index = load<int64_t>(indices, from);
    if (!normalize(index, split.extent)) {
      if (status.ok())
        status = outOfRange("scatter_elements", index, split.extent);
      return;
    }
    Dims to = position;
    to[split.axis] = index;
    scatterElement(y, offset(strides, to), updates, from++, call.ints[1]);
  });
  return status;
}

} // namespace llmpar::rt::reference
