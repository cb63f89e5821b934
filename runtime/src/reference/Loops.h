//===- Loops.h - What every reference kernel is made of ---------*- C++ -*-===//
//
// Three ideas carry all reference kernels:
//
//   forEachIndex   visits the indices of a shape in row-major order
//   strides        element strides of an operand, 0 where it is broadcast
//   accumulator    double for floats, uint64_t for ui64, int64_t for the other
//                  integers and bool; a kernel is written once over it and
//                  loads and stores elements of any type
//
//   withAccumulator(y.dtype, [&](auto zero) {
//     using Acc = decltype(zero);
//     forEachIndex(y.shape(), [&](const Dims &i) {
//       store<Acc>(y, offset(yStrides, i), load<Acc>(x, offset(xStrides, i)));
//     });
//   });
//
//===----------------------------------------------------------------------===//
#ifndef LLMPAR_RUNTIME_REFERENCE_LOOPS_H
#define LLMPAR_RUNTIME_REFERENCE_LOOPS_H

#include "core/Kernel.h"

#include <cmath>
#include <cstring>
#include <limits>
#include <type_traits>

namespace llmpar::rt {

using Dims = std::array<int64_t, maxRank>;

inline int64_t product(std::span<const int64_t> extents) {
  int64_t count = 1;
  for (int64_t extent : extents)
    count *= extent;
  return count;
}

/// 2x3x4 -> 12 4 1
inline Dims denseStrides(std::span<const int64_t> shape) {
  Dims strides{};
  int64_t stride = 1;
  for (size_t i = shape.size(); i-- > 0; stride *= shape[i])
    strides[i] = stride;
  return strides;
}

/// Strides with which an operand of shape `from` is read at the indices of `to`
/// (NumPy broadcasting): 3x1 read as 2x3x4 -> 0 1 0
inline Dims broadcastStrides(std::span<const int64_t> from, std::span<const int64_t> to) {
  Dims dense = denseStrides(from), strides{};
  size_t shift = to.size() - from.size();
  for (size_t i = 0; i < from.size(); ++i)
    strides[i + shift] = from[i] == 1 ? 0 : dense[i];
  return strides;
}

/// The same for rows of the last dimension, whose length may differ: at the indices of `to`'s leading dimensions.
inline Dims broadcastRowStrides(const TensorView &from, const TensorView &to) {
  auto leading = [](const TensorView &t) { return t.shape().first(static_cast<size_t>(t.rank - 1)); };
  Dims strides = broadcastStrides(leading(from), leading(to));
  for (int64_t &stride : strides)
    stride *= from.shape().back();
  return strides;
}

inline int64_t offset(const Dims &strides, const Dims &index) {
  int64_t at = 0;
  for (int i = 0; i < maxRank; ++i)
    at += strides[i] * index[i];
  return at;
}

/// Calls `body(index)` for every index of `shape`, the last dimension fastest; entries past the rank are 0.
template <typename Body> void forEachIndex(std::span<const int64_t> shape, Body &&body) {
  for (int64_t extent : shape)
    if (extent <= 0)
      return;
  Dims index{};
  while (true) {
    body(static_cast<const Dims &>(index));
    size_t dim = shape.size();
    while (dim > 0 && ++index[dim - 1] == shape[dim - 1])
      index[--dim] = 0;
    if (dim == 0)
      return;
  }
}

/// A shape seen as outer x extent x inner around one axis; a negative axis counts from the right.
struct AxisSplit {
  int64_t outer = 1, extent = 1, inner = 1;
  int axis = 0;
  AxisSplit(const TensorView &x, int64_t axisAttribute) {
    axis = static_cast<int>(axisAttribute < 0 ? axisAttribute + x.rank : axisAttribute);
    auto shape = x.shape();
    if (x.rank == 0)
      return;
    outer = product(shape.subspan(0, axis));
    extent = shape[axis];
    inner = product(shape.subspan(axis + 1));
  }
};

/// To bool: is it not zero. Float to int: truncates, clamped to 64 bits, NaN gives 0. To a narrower int: wraps.
template <typename To, typename From> To convert(From value) {
  if constexpr (std::is_same_v<To, bool>) {
    return value != From(0);
  } else if constexpr (std::is_integral_v<To> && !std::is_integral_v<From>) {
    auto real = static_cast<double>(value);
    if (real != real)
      return 0;
    if (real >= 9223372036854775808.0) {
      if constexpr (std::is_same_v<To, uint64_t>)
        return real >= 18446744073709551616.0 ? ~uint64_t(0) : static_cast<uint64_t>(real);
      return static_cast<To>(std::numeric_limits<int64_t>::max());
    }
    if (real < -9223372036854775808.0)
      return static_cast<To>(std::numeric_limits<int64_t>::min());
    return static_cast<To>(static_cast<int64_t>(real));
  } else if constexpr (std::is_same_v<To, Half> || std::is_same_v<To, BFloat16>) {
    return To(static_cast<float>(value));
  } else if constexpr (std::is_same_v<From, Half> || std::is_same_v<From, BFloat16>) {
    return static_cast<To>(static_cast<float>(value));
  } else {
    return static_cast<To>(value);
  }
}

template <typename Acc> Acc load(const TensorView &x, int64_t at) {
  return dispatch(x.dtype, [&](auto zero) {
    using T = decltype(zero);
    if constexpr (std::is_same_v<T, bool>)
      return static_cast<Acc>(x.as<uint8_t>()[at] != 0);
    else
      return convert<Acc>(x.as<T>()[at]);
  });
}

template <typename Acc> void store(const TensorView &y, int64_t at, Acc value) {
  dispatch(y.dtype, [&](auto zero) { y.as<decltype(zero)>()[at] = convert<decltype(zero)>(value); });
}

template <typename Body> auto withAccumulator(DType dtype, Body &&body) {
  if (isFloat(dtype))
    return body(double{});
  if (dtype == DType::U64)
    return body(uint64_t{});
  return body(int64_t{});
}

inline void copyElement(const TensorView &y, int64_t to, const TensorView &x, int64_t from) {
  size_t size = dtypeSize(y.dtype);
  std::memcpy(y.as<char>() + to * static_cast<int64_t>(size), x.as<char>() + from * static_cast<int64_t>(size), size);
}

inline void copyAll(const TensorView &y, const TensorView &x) {
  if (y.data != x.data && y.bytes() > 0)
    std::memmove(y.data, x.data, y.bytes());
}

/// The least (`lowest`) or greatest value of a type, infinities included.
template <typename Acc> Acc extremeValue(DType dtype, bool lowest) {
  return dispatch(dtype, [&](auto zero) -> Acc {
    using T = decltype(zero);
    if constexpr (std::is_integral_v<T>)
      return static_cast<Acc>(lowest ? std::numeric_limits<T>::lowest() : std::numeric_limits<T>::max());
    else
      return convert<Acc>(lowest ? -std::numeric_limits<double>::infinity() : std::numeric_limits<double>::infinity());
  });
}

template <typename Acc> Acc minimum(Acc a, Acc b) { return a != a ? a : b != b ? b : b < a ? b : a; }
template <typename Acc> Acc maximum(Acc a, Acc b) { return a != a ? a : b != b ? b : b > a ? b : a; }

/// Integers wrap.
template <typename Acc> Acc plus(Acc a, Acc b) {
  if constexpr (std::is_integral_v<Acc>)
    return static_cast<Acc>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b));
  else
    return a + b;
}
template <typename Acc> Acc times(Acc a, Acc b) {
  if constexpr (std::is_integral_v<Acc>)
    return static_cast<Acc>(static_cast<uint64_t>(a) * static_cast<uint64_t>(b));
  else
    return a * b;
}

} // namespace llmpar::rt

#endif // LLMPAR_RUNTIME_REFERENCE_LOOPS_H
