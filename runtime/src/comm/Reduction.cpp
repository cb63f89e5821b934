//===- Reduction.cpp - Elementwise reduction of several arrays -------------===//
//
// Blocks of 1024 elements: the accumulators stay in L1 while the sources stream by, and
// the inner loops are plain and vectorised by the compiler.
//
//===----------------------------------------------------------------------===//
#include "comm/Reduction.h"

#include <algorithm>
#include <type_traits>

namespace llmpar::rt {
namespace {

constexpr size_t blockElements = 1024;

template <typename T> struct Accumulator {
  using type = T;
};
template <> struct Accumulator<Half> {
  using type = float;
};
template <> struct Accumulator<BFloat16> {
  using type = float;
};
template <> struct Accumulator<bool> {
  using type = uint8_t;
};

/// Integers of unsigned type wrap without undefined behaviour.
template <typename A> auto wrapping(A value) {
  if constexpr (std::is_integral_v<A> && sizeof(A) >= 4)
    return static_cast<std::make_unsigned_t<A>>(value);
  else if constexpr (std::is_integral_v<A>)
    return static_cast<uint32_t>(value);
  else
    return value;
}

struct Sum {
  template <typename A> static A apply(A a, A b) { return static_cast<A>(wrapping(a) + wrapping(b)); }
};
struct Prod {
  template <typename A> static A apply(A a, A b) { return static_cast<A>(wrapping(a) * wrapping(b)); }
};
struct Max {
  template <typename A> static A apply(A a, A b) { return ((a > b) | (a != a)) ? a : b; }
};
struct Min {
  template <typename A> static A apply(A a, A b) { return ((a < b) | (a != a)) ? a : b; }
};

struct Mean : Sum {};

template <typename T, typename Op> void reduceTyped(std::span<const void *const> sources, size_t count, void *result) {
  using A = typename Accumulator<T>::type;
  A accumulators[blockElements];
  for (size_t begin = 0; begin < count; begin += blockElements) {
    size_t size = std::min(blockElements, count - begin);
    const T *first = static_cast<const T *>(sources[0]) + begin;
    for (size_t i = 0; i < size; ++i)
      accumulators[i] = static_cast<A>(first[i]);
    for (const void *source : sources.subspan(1)) {
      const T *values = static_cast<const T *>(source) + begin;
      for (size_t i = 0; i < size; ++i)
        accumulators[i] = Op::template apply<A>(accumulators[i], static_cast<A>(values[i]));
    }
    if constexpr (std::is_same_v<Op, Mean> && std::is_floating_point_v<A>)
      for (size_t i = 0; i < size; ++i)
        accumulators[i] /= static_cast<A>(sources.size());
    T *out = static_cast<T *>(result) + begin;
    for (size_t i = 0; i < size; ++i)
      out[i] = static_cast<T>(accumulators[i]);
  }
}

} // namespace

void reduceArrays(DType dtype, ReduceKind kind, std::span<const void *const> sources, size_t count, void *result,
                  bool isMean) {
  if (dtype == DType::Bool) // "any" and "all" of 0 and 1
    kind = kind == ReduceKind::sum ? ReduceKind::max : kind == ReduceKind::prod ? ReduceKind::min : kind;
  dispatch(dtype, [&](auto zero) {
    using T = decltype(zero);
    switch (kind) {
    case ReduceKind::sum:
      return isMean ? reduceTyped<T, Mean>(sources, count, result) : reduceTyped<T, Sum>(sources, count, result);
    case ReduceKind::prod:
      return reduceTyped<T, Prod>(sources, count, result);
    case ReduceKind::max:
      return reduceTyped<T, Max>(sources, count, result);
    case ReduceKind::min:
      return reduceTyped<T, Min>(sources, count, result);
    }
  });
}

} // namespace llmpar::rt
