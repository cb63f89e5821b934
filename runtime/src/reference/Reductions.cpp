//===- Reductions.cpp - reduce, arg_reduce, cumsum, top_k -------*- C++ -*-===//
#include "reference/Kinds.h"
#include "reference/Loops.h"
#include "reference/Reference.h"

#include <algorithm>
#include <numeric>
#include <vector>

namespace llmpar::rt::reference {

Status reduce(const KernelCall &call) {
  const TensorView &x = call.inputs[0], &y = call.outputs[0];
  auto kind = static_cast<ReduceKind>(call.ints[0]);
  std::array<bool, maxRank> reduced{};
  for (int64_t axis : call.ints.subspan(2))
    reduced[axis < 0 ? axis + x.rank : axis] = true;
  // Shapes with every dimension kept: of the result, and of the part each result sums up.
  Dims kept{}, summed{};
  for (int i = 0; i < x.rank; ++i) {
    kept[i] = reduced[i] ? 1 : x.dims[i];
    summed[i] = reduced[i] ? x.dims[i] : 1;
  }
  Dims strides = denseStrides(x.shape());
  auto rank = static_cast<size_t>(x.rank);
  withAccumulator(x.dtype, [&](auto zero) {
    using Acc = decltype(zero);
    int64_t at = 0;
    forEachIndex({kept.data(), rank}, [&](const Dims &result) {
      Acc value = kind == ReduceKind::sum    ? Acc(0)
                  : kind == ReduceKind::prod ? Acc(1)
                                             : extremeValue<Acc>(x.dtype, kind == ReduceKind::max);
      forEachIndex({summed.data(), rank}, [&](const Dims &index) {
        Acc element = load<Acc>(x, offset(strides, result) + offset(strides, index));
        value = kind == ReduceKind::sum    ? plus(value, element)
                : kind == ReduceKind::prod ? times(value, element)
                : kind == ReduceKind::max  ? maximum(value, element)
                                           : minimum(value, element);
      });
      store<Acc>(y, at++, value);
    });
  });
  return Status::success();
}

Status arg_reduce(const KernelCall &call) {
  const TensorView &x = call.inputs[0], &y = call.outputs[0];
  AxisSplit split(x, call.ints[0]);
  bool largest = call.ints[2] != 0, last = call.ints[3] != 0;
  withAccumulator(x.dtype, [&](auto zero) {
    using Acc = decltype(zero);
    for (int64_t outer = 0; outer < split.outer; ++outer)
      for (int64_t inner = 0; inner < split.inner; ++inner) {
        int64_t best = 0;
        Acc bestValue{};
        for (int64_t i = 0; i < split.extent; ++i) {
          Acc value = load<Acc>(x, (outer * split.extent + i) * split.inner + inner);
          bool isNan = value != value, bestIsNan = bestValue != bestValue;
          bool better = isNan ? !bestIsNan : !bestIsNan && (largest ? value > bestValue : value < bestValue);
          bool same = isNan ? bestIsNan : value == bestValue;
          if (i == 0 || better || (last && same)) {
            best = i;
            bestValue = value;
          }
        }
        store<int64_t>(y, outer * split.inner + inner, best);
      }
  });
  return Status::success();
}

Status cumsum(const KernelCall &call) {
  const TensorView &x = call.inputs[0], &y = call.outputs[0];
  AxisSplit split(x, call.ints[0]);
  bool exclusive = call.ints[1] != 0, reverse = call.ints[2] != 0;
  withAccumulator(x.dtype, [&](auto zero) {
    using Acc = decltype(zero);
    for (int64_t outer = 0; outer < split.outer; ++outer)
      for (int64_t inner = 0; inner < split.inner; ++inner) {
        Acc sum = 0;
        for (int64_t i = 0; i < split.extent; ++i) {
          int64_t at = (outer * split.extent + (reverse ? split.extent - 1 - i : i)) * split.inner + inner;
          Acc next = plus(sum, load<Acc>(x, at));
          store<Acc>(y, at, exclusive ? sum : next);
          sum = next;
        }
      }
  });
  return Status::success();
}

Status top_k(const KernelCall &call) {
  const TensorView &x = call.inputs[0], &values = call.outputs[0], &indices = call.outputs[1];
  AxisSplit split(x, call.ints[0]);
  bool largest = call.ints[1] != 0;
  int64_t k = std::min(split.extent, values.rank ? values.dims[split.axis] : 1);
  std::vector<int64_t> order(static_cast<size_t>(split.extent));
  withAccumulator(x.dtype, [&](auto zero) {
    using Acc = decltype(zero);
    for (int64_t outer = 0; outer < split.outer; ++outer)
      for (int64_t inner = 0; inner < split.inner; ++inner) {
        auto from = [&](int64_t i) { return (outer * split.extent + i) * split.inner + inner; };
        std::iota(order.begin(), order.end(), 0);
        std::partial_sort(order.begin(), order.begin() + k, order.end(), [&](int64_t i, int64_t j) {
          Acc a = load<Acc>(x, from(i)), b = load<Acc>(x, from(j));
          bool aIsNan = a != a, bIsNan = b != b;
          if (aIsNan || bIsNan) // NaN counts as the largest
            return aIsNan && bIsNan ? i < j : aIsNan == largest;
          return a != b ? (largest ? a > b : a < b) : i < j;
        });
        for (int64_t i = 0; i < k; ++i) {
          int64_t to = (outer * k + i) * split.inner + inner;
          copyElement(values, to, x, from(order[i]));
          store<int64_t>(indices, to, order[i]);
        }
      }
  });
  return Status::success();
}

} // namespace llmpar::rt::reference
