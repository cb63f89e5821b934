//===- FoldArithmetic.cpp - Elementwise kinds on single numbers --------------===//
//
// Says the same as runtime/src/reference/Elementwise.cpp, which the compiler does not
// include: a constant folds to what its kernel would compute.
//
//===----------------------------------------------------------------------===//
#include "HostTensor.h"

#include <cmath>
#include <limits>
#include <numbers>

namespace llmpar {
namespace {

enum class UnaryKind : int64_t {
#define LLMPAR_UNARY(name) name,
#include "llmpar/Abi/Kinds.def"
};
enum class BinaryKind : int64_t {
#define LLMPAR_BINARY(name) name,
#include "llmpar/Abi/Kinds.def"
};

/// Calls `body` with a zero of the type that arithmetic on `dtype` happens in.
template <typename Body> auto withAccumulator(DType dtype, Body &&body) {
  if (isFloat(dtype))
    return body(double{});
  if (dtype == DType::U64)
    return body(uint64_t{});
  return body(int64_t{});
}

template <typename Acc> Acc load(Number value) {
  if constexpr (std::is_same_v<Acc, double>)
    return value.real;
  else
    return static_cast<Acc>(value.integer);
}

/// Truncates; clamped to 64 bits, NaN gives 0.
template <typename To> To truncated(double value) {
  if (std::isnan(value))
    return 0;
  if (value >= 0x1p63) {
    if constexpr (std::is_same_v<To, uint64_t>)
      return value >= 0x1p64 ? ~uint64_t(0) : static_cast<uint64_t>(value);
    return static_cast<To>(std::numeric_limits<int64_t>::max());
  }
  return static_cast<To>(value < -0x1p63 ? std::numeric_limits<int64_t>::min() : static_cast<int64_t>(value));
}

template <typename Acc> Number stored(DType dtype, Acc value) {
  return dispatch(dtype, [&](auto zero) -> Number {
    using T = decltype(zero);
    if constexpr (std::is_same_v<T, bool>)
      return {0, value != Acc(0)};
    else if constexpr (std::is_integral_v<T> && std::is_same_v<Acc, double>)
      return {0, static_cast<int64_t>(truncated<T>(value))};
    else if constexpr (std::is_integral_v<T>)
      return {0, static_cast<int64_t>(static_cast<T>(value))};
    else if constexpr (std::is_same_v<T, double>)
      return {static_cast<double>(value), 0};
    else
      return {static_cast<float>(T(static_cast<float>(value))), 0};
  });
}

/// NaN wins.
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
template <typename Acc> Acc negative(Acc a) { return static_cast<Acc>(uint64_t(0) - static_cast<uint64_t>(a)); }

// clang-format off
double unaryReal(UnaryKind kind, double x, double a, double b) {
  switch (kind) {
  case UnaryKind::neg:          return -x;
  case UnaryKind::abs:          return std::fabs(x);
  case UnaryKind::exp:          return std::exp(x);
  case UnaryKind::log:          return std::log(x);
  case UnaryKind::sqrt:         return std::sqrt(x);
  case UnaryKind::rsqrt:        return 1 / std::sqrt(x);
  case UnaryKind::reciprocal:   return 1 / x;
  case UnaryKind::tanh:         return std::tanh(x);
  case UnaryKind::sigmoid:      return 1 / (1 + std::exp(-x));
  case UnaryKind::erf:          return std::erf(x);
  case UnaryKind::relu:         return std::isnan(x) ? x : x > 0 ? x : 0;
  case UnaryKind::gelu:         return 0.5 * x * (1 + std::erf(x / std::numbers::sqrt2));
  case UnaryKind::gelu_tanh:
    return 0.5 * x * (1 + std::tanh(std::sqrt(2 / std::numbers::pi) * (x + 0.044715 * x * x * x)));
  case UnaryKind::silu:         return x / (1 + std::exp(-a * x));
  case UnaryKind::softplus:     return (x > 0 ? x : 0) + std::log1p(std::exp(-std::fabs(x)));
  case UnaryKind::softsign:     return x / (1 + std::fabs(x));
  case UnaryKind::elu:          return x < 0 ? a * std::expm1(x) : x;
  case UnaryKind::selu:         return b * (x > 0 ? x : a * std::expm1(x));
  case UnaryKind::leaky_relu:   return x < 0 ? a * x : x;
  case UnaryKind::hard_sigmoid: return maximum(0.0, minimum(1.0, a * x + b));
  case UnaryKind::sin:          return std::sin(x);
  case UnaryKind::cos:          return std::cos(x);
  case UnaryKind::tan:          return std::tan(x);
  case UnaryKind::asin:         return std::asin(x);
  case UnaryKind::acos:         return std::acos(x);
  case UnaryKind::atan:         return std::atan(x);
  case UnaryKind::sinh:         return std::sinh(x);
  case UnaryKind::cosh:         return std::cosh(x);
  case UnaryKind::asinh:        return std::asinh(x);
  case UnaryKind::acosh:        return std::acosh(x);
  case UnaryKind::atanh:        return std::atanh(x);
  case UnaryKind::floor:        return std::floor(x);
  case UnaryKind::ceil:         return std::ceil(x);
  case UnaryKind::round:        return std::nearbyint(x);
  case UnaryKind::sign:         return std::isnan(x) ? x : (x > 0) - (x < 0);
  case UnaryKind::logical_not:  return x == 0;
  case UnaryKind::bitwise_not:  return x;
  case UnaryKind::is_nan:       return std::isnan(x);
  case UnaryKind::is_inf:       return std::isinf(x) && (x < 0 ? a != 0 : b != 0);
  }
  return x;
}

/// Kinds that have a meaning in the integers stay exact; the others go through double.
template <typename Acc> Acc unaryInteger(UnaryKind kind, Acc x, double a, double b, bool isBool) {
  switch (kind) {
  case UnaryKind::neg:         return negative(x);
  case UnaryKind::abs:         return x < Acc(0) ? negative(x) : x;
  case UnaryKind::relu:        return x > Acc(0) ? x : Acc(0);
  case UnaryKind::sign:        return static_cast<Acc>((x > Acc(0)) - (x < Acc(0)));
  case UnaryKind::logical_not: return x == Acc(0);
  case UnaryKind::bitwise_not: return isBool ? Acc(x == Acc(0)) : static_cast<Acc>(~x);
  case UnaryKind::floor:
  case UnaryKind::ceil:
  case UnaryKind::round:       return x;
  default:                     return truncated<Acc>(unaryReal(kind, static_cast<double>(x), a, b));
  }
}

double binaryReal(BinaryKind kind, double a, double b) {
  switch (kind) {
  case BinaryKind::add:  return a + b;
  case BinaryKind::sub:  return a - b;
  case BinaryKind::mul:  return a * b;
  case BinaryKind::div:  return a / b;
  case BinaryKind::pow:  return std::pow(a, b);
  case BinaryKind::min:  return minimum(a, b);
  case BinaryKind::max:  return maximum(a, b);
  case BinaryKind::fmod: return std::fmod(a, b);
  case BinaryKind::mod: {
    double rest = std::fmod(a, b);
    return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
  }
  case BinaryKind::prelu:         return a < 0 ? b * a : a;
  case BinaryKind::equal:         return a == b;
  case BinaryKind::less:          return a < b;
  case BinaryKind::less_equal:    return a <= b;
  case BinaryKind::greater:       return a > b;
  case BinaryKind::greater_equal: return a >= b;
  default:                        return 0; // bit operations: integers only, see BinaryOp::verify
  }
}
// clang-format on

template <typename Acc> Acc integerPower(Acc base, Acc exponent) {
  if (exponent < Acc(0)) // 1 / base^|exponent|, truncated
    return base == Acc(1)                 ? Acc(1)
           : base == static_cast<Acc>(-1) ? (exponent % 2 ? static_cast<Acc>(-1) : Acc(1))
                                          : Acc(0);
  Acc result = 1;
  for (auto rest = static_cast<uint64_t>(exponent); rest != 0; rest >>= 1) {
    if (rest & 1)
      result = times(result, base);
    base = times(base, base);
  }
  return result;
}

template <typename Acc> struct Division {
  Acc quotient = 0, rest = 0;
  Division(Acc a, Acc b) {
    if (b == Acc(0))
      return;
    if (std::is_signed_v<Acc> && b == static_cast<Acc>(-1)) { // the least integer has no negative
      quotient = negative(a);
      return;
    }
    quotient = a / b;
    rest = a % b;
  }
};

// clang-format off
template <typename Acc> Acc binaryInteger(BinaryKind kind, Acc a, Acc b) {
  switch (kind) {
  case BinaryKind::add:     return plus(a, b);
  case BinaryKind::sub:     return plus(a, negative(b));
  case BinaryKind::mul:     return times(a, b);
  case BinaryKind::div:     return Division<Acc>(a, b).quotient;
  case BinaryKind::pow:     return integerPower(a, b);
  case BinaryKind::min:     return minimum(a, b);
  case BinaryKind::max:     return maximum(a, b);
  case BinaryKind::fmod:    return Division<Acc>(a, b).rest;
  case BinaryKind::mod: {
    Acc rest = Division<Acc>(a, b).rest;
    return rest != Acc(0) && (rest < Acc(0)) != (b < Acc(0)) ? rest + b : rest;
  }
  case BinaryKind::bit_and: return a & b;
  case BinaryKind::bit_or:  return a | b;
  case BinaryKind::bit_xor: return a ^ b;
  case BinaryKind::prelu:   return a < Acc(0) ? times(a, b) : a;
  case BinaryKind::shift_left:
    return b < Acc(0) || b >= Acc(64) ? Acc(0) : static_cast<Acc>(static_cast<uint64_t>(a) << b);
  case BinaryKind::shift_right:
    return b >= Acc(0) && b < Acc(64) ? static_cast<Acc>(a >> b) : a < Acc(0) ? static_cast<Acc>(-1) : Acc(0);
  case BinaryKind::equal:         return a == b;
  case BinaryKind::less:          return a < b;
  case BinaryKind::less_equal:    return a <= b;
  case BinaryKind::greater:       return a > b;
  case BinaryKind::greater_equal: return a >= b;
  }
  return 0;
}
// clang-format on

/// The least or greatest value of a type, infinities included.
template <typename Acc> Acc extremeValue(DType dtype, bool lowest) {
  return dispatch(dtype, [&](auto zero) -> Acc {
    using T = decltype(zero);
    if constexpr (std::is_integral_v<T>)
      return static_cast<Acc>(lowest ? std::numeric_limits<T>::lowest() : std::numeric_limits<T>::max());
    else
      return static_cast<Acc>(lowest ? -HUGE_VAL : HUGE_VAL);
  });
}

} // namespace

Number store(DType type, double value) { return stored(type, value); }

Number convert(DType from, DType to, Number value) {
  return withAccumulator(from, [&](auto zero) { return stored(to, load<decltype(zero)>(value)); });
}

Number evaluateUnary(int64_t kind, DType from, DType to, Number x, double alpha, double beta) {
  return withAccumulator(from, [&](auto zero) {
    using Acc = decltype(zero);
    if constexpr (std::is_same_v<Acc, double>)
      return stored(to, unaryReal(UnaryKind(kind), x.real, alpha, beta));
    else
      return stored(to, unaryInteger<Acc>(UnaryKind(kind), load<Acc>(x), alpha, beta, from == DType::Bool));
  });
}

Number evaluateBinary(int64_t kind, DType from, DType to, Number a, Number b) {
  return withAccumulator(from, [&](auto zero) {
    using Acc = decltype(zero);
    if constexpr (std::is_same_v<Acc, double>)
      return stored(to, binaryReal(BinaryKind(kind), a.real, b.real));
    else
      return stored(to, binaryInteger<Acc>(BinaryKind(kind), load<Acc>(a), load<Acc>(b)));
  });
}

Number evaluateReduce(llvm::StringRef kind, DType type, llvm::ArrayRef<Number> values) {
  return withAccumulator(type, [&](auto zero) {
    using Acc = decltype(zero);
    bool isMax = kind == "max", isMin = kind == "min", isProd = kind == "prod";
    Acc result = isMax || isMin ? extremeValue<Acc>(type, isMax) : isProd ? Acc(1) : Acc(0);
    for (Number number : values) {
      Acc value = load<Acc>(number);
      result = isMax    ? maximum(result, value)
               : isMin  ? minimum(result, value)
               : isProd ? times(result, value)
                        : plus(result, value);
    }
    return stored(type, result);
  });
}

} // namespace llmpar
