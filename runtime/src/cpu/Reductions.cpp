//===- Reductions.cpp - reduce, arg_reduce ----------------------*- C++ -*-===//
//
// The loop nest of x is collapsed with y's strides, 0 in reduced dimensions.
// If the last loop is reduced, a row folds into one element with 64 partial
// results; if it is kept, a row is added onto a row of y.
//
//===----------------------------------------------------------------------===//
#include "cpu/Collapse.h"
#include "cpu/CpuKernels.h"
#include "cpu/Rows.h"
#include "reference/Reference.h"

#include <algorithm>

namespace llmpar::rt::cpu {

Status reduce(const KernelCall &call) {
  const TensorView &x = call.inputs[0], &y = call.outputs[0];
  if (!isNarrowable(x.dtype) || x.dtype != y.dtype)
    return reference::reduce(call);
  auto kind = static_cast<ReduceKind>(call.ints[0]);
  Dims kept = x.dims;
  for (int64_t axis : call.ints.subspan(2))
    kept[axis < 0 ? axis + x.rank : axis] = 1;
  auto rank = static_cast<size_t>(x.rank);
  auto nest = collapse<2>(x.shape(), {denseStrides(x.shape()), broadcastStrides({kept.data(), rank}, x.shape())});

  int64_t results = y.elements(), n = nest.rowLength();
  thread_local std::vector<float> sums, buffer;
  float *to = y.as<float>();
  if (y.dtype != DType::F32) {
    sums.resize(static_cast<size_t>(results));
    to = sums.data();
  }
  constexpr float infinity = std::numeric_limits<float>::infinity();
  std::fill(to, to + results,
            kind == ReduceKind::sum    ? 0.0f
            : kind == ReduceKind::prod ? 1.0f
            : kind == ReduceKind::max  ? -infinity
                                       : infinity);
  bool rowIsReduced = nest.rowStep(1) == 0;
  forEachRow(nest, [&](const auto &at) {
    const float *row = readRow(x, at[0], n, buffer);
    if (rowIsReduced)
      to[at[1]] = reduceRow(kind, to[at[1]], row, n);
    else
      accumulateRow(kind, row, to + at[1], n);
  });
  if (y.dtype != DType::F32)
    narrow(y.dtype, to, y.data, results);
  return Status::success();
}

/// Two passes over a row: its maximum, then the first or last place of it.
Status arg_reduce(const KernelCall &call) {
  const TensorView &x = call.inputs[0], &y = call.outputs[0];
  AxisSplit split(x, call.ints[0]);
  if (x.dtype != DType::F32 || split.inner != 1 || split.extent == 0)
    return reference::arg_reduce(call);
  bool largest = call.ints[2] != 0, last = call.ints[3] != 0;
  int64_t n = split.extent;
  for (int64_t outer = 0; outer < split.outer; ++outer) {
    const float *row = x.as<float>() + outer * n;
    float best = reduceRow(largest ? ReduceKind::max : ReduceKind::min, row[0], row, n);
    auto matches = [&](float value) { return value == best || (best != best && value != value); };
    y.as<int64_t>()[outer] =
        last ? n - 1 -
                   (std::find_if(std::reverse_iterator(row + n), std::reverse_iterator(row), matches) -
                    std::reverse_iterator(row + n))
             : std::find_if(row, row + n, matches) - row;
  }
  return Status::success();
}

} // namespace llmpar::rt::cpu
