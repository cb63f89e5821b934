//===- Elementwise.cpp - unary, binary, select, cast ------------*- C++ -*-===//
#include "reference/Kinds.h"
#include "reference/Loops.h"
#include "reference/Reference.h"

#include <numbers>
#include <string>

namespace llmpar::rt::reference {
namespace {

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
  case UnaryKind::relu:         return x != x ? x : x > 0 ? x : 0;
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
  case UnaryKind::sign:         return x != x ? x : (x > 0) - (x < 0);
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
  case UnaryKind::neg:         return static_cast<Acc>(uint64_t(0) - static_cast<uint64_t>(x));
  case UnaryKind::abs:         return x < Acc(0) ? static_cast<Acc>(uint64_t(0) - static_cast<uint64_t>(x)) : x;
  case UnaryKind::relu:        return x > Acc(0) ? x : Acc(0);
  case UnaryKind::sign:        return static_cast<Acc>((x > Acc(0)) - (x < Acc(0)));
  case UnaryKind::logical_not: return x == Acc(0);
  case UnaryKind::bitwise_not: return isBool ? Acc(x == Acc(0)) : static_cast<Acc>(~x);
  case UnaryKind::floor:
  case UnaryKind::ceil:
  case UnaryKind::round:       return x;
  default:                     return convert<Acc>(unaryReal(kind, static_cast<double>(x), a, b));
  }
}

double binaryReal(BinaryKind kind, double a, double b) {
  switch (kind) {
  case BinaryKind::add:     return a + b;
  case BinaryKind::sub:     return a - b;
  case BinaryKind::mul:     return a * b;
  case BinaryKind::div:     return a / b;
  case BinaryKind::pow:     return std::pow(a, b);
  case BinaryKind::min:     return minimum(a, b);
  case BinaryKind::max:     return maximum(a, b);
  case BinaryKind::fmod:    return std::fmod(a, b);
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
  default:                        return 0; // bit operations: integers only
  }
}

// clang-format on
template <typename Acc> Acc integerPower(Acc base, Acc exponent) {
  if (exponent < Acc(0)) {
    if (base == Acc(1))
      return 1;
    if constexpr (std::is_signed_v<Acc>)
      if (base == Acc(-1))
        return exponent % 2 ? -1 : 1;
    return 0;
  }
  Acc result = 1;
  for (auto rest = static_cast<uint64_t>(exponent); rest != 0; rest >>= 1) {
    if (rest & 1)
      result = times(result, base);
    base = times(base, base);
  }
  return result;
}

template <typename Acc> Acc integerQuotient(Acc a, Acc b, Acc *rest) {
  *rest = 0;
  if (b == Acc(0))
    return 0;
  if constexpr (std::is_signed_v<Acc>)
    if (b == Acc(-1)) // the least integer has no negative
      return static_cast<Acc>(uint64_t(0) - static_cast<uint64_t>(a));
  *rest = a % b;
  return a / b;
}

// clang-format off
template <typename Acc> Acc binaryInteger(BinaryKind kind, Acc a, Acc b) {
  Acc rest;
  switch (kind) {
  case BinaryKind::add:     return plus(a, b);
  case BinaryKind::sub:     return static_cast<Acc>(static_cast<uint64_t>(a) - static_cast<uint64_t>(b));
  case BinaryKind::mul:     return times(a, b);
  case BinaryKind::div:     return integerQuotient(a, b, &rest);
  case BinaryKind::pow:     return integerPower(a, b);
  case BinaryKind::min:     return minimum(a, b);
  case BinaryKind::max:     return maximum(a, b);
  case BinaryKind::mod:     integerQuotient(a, b, &rest); return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
  case BinaryKind::fmod:    integerQuotient(a, b, &rest); return rest;
  case BinaryKind::bit_and: return a & b;
  case BinaryKind::bit_or:  return a | b;
  case BinaryKind::bit_xor: return a ^ b;
  case BinaryKind::prelu:   return a < Acc(0) ? times(a, b) : a;
  case BinaryKind::shift_left:
    return b < Acc(0) || b >= Acc(64) ? 0 : static_cast<Acc>(static_cast<uint64_t>(a) << b);
  case BinaryKind::shift_right:
    return b >= Acc(0) && b < Acc(64) ? a >> b : a < Acc(0) ? static_cast<Acc>(-1) : Acc(0);
  case BinaryKind::equal:         return a == b;
  case BinaryKind::less:          return a < b;
  case BinaryKind::less_equal:    return a <= b;
  case BinaryKind::greater:       return a > b;
  case BinaryKind::greater_equal: return a >= b;
  }
  return 0;
}

// clang-format on
} // namespace

Status unary(const KernelCall &call) {
  const TensorView &x = call.inputs[0], &y = call.outputs[0];
  auto kind = static_cast<UnaryKind>(call.ints[0]);
  if (call.ints[0] < 0 || call.ints[0] >= unaryKinds)
    return Status::invalid("unary: unknown kind " + std::to_string(call.ints[0]));
  double a = call.floats.size() > 0 ? call.floats[0] : 0, b = call.floats.size() > 1 ? call.floats[1] : 0;
  withAccumulator(x.dtype, [&](auto zero) {
    using Acc = decltype(zero);
    for (int64_t i = 0, n = y.elements(); i < n; ++i) {
      if constexpr (std::is_same_v<Acc, double>)
        store<Acc>(y, i, unaryReal(kind, load<Acc>(x, i), a, b));
      else
        store<Acc>(y, i, unaryInteger<Acc>(kind, load<Acc>(x, i), a, b, x.dtype == DType::Bool));
    }
  });
  return Status::success();
}

Status binary(const KernelCall &call) {
  const TensorView &a = call.inputs[0], &b = call.inputs[1], &y = call.outputs[0];
  auto kind = static_cast<BinaryKind>(call.ints[0]);
  if (call.ints[0] < 0 || call.ints[0] >= binaryKinds)
    return Status::invalid("binary: unknown kind " + std::to_string(call.ints[0]));
  Dims aStrides = broadcastStrides(a.shape(), y.shape()), bStrides = broadcastStrides(b.shape(), y.shape());
  // ONNX Pow may raise an integer to a float.
  DType common = isFloat(b.dtype) ? b.dtype : a.dtype;
  withAccumulator(common, [&](auto zero) {
    using Acc = decltype(zero);
    int64_t at = 0;
    forEachIndex(y.shape(), [&](const Dims &index) {
      Acc left = load<Acc>(a, offset(aStrides, index)), right = load<Acc>(b, offset(bStrides, index));
      if constexpr (std::is_same_v<Acc, double>)
        store<Acc>(y, at++, binaryReal(kind, left, right));
      else
        store<Acc>(y, at++, binaryInteger<Acc>(kind, left, right));
    });
  });
  return Status::success();
}

Status select(const KernelCall &call) {
  const TensorView &c = call.inputs[0], &a = call.inputs[1], &b = call.inputs[2], &y = call.outputs[0];
  Dims cStrides = broadcastStrides(c.shape(), y.shape()), aStrides = broadcastStrides(a.shape(), y.shape()),
       bStrides = broadcastStrides(b.shape(), y.shape());
  int64_t at = 0;
  forEachIndex(y.shape(), [&](const Dims &index) {
    if (c.as<uint8_t>()[offset(cStrides, index)] != 0)
      copyElement(y, at++, a, offset(aStrides, index));
    else
      copyElement(y, at++, b, offset(bStrides, index));
  });
  return Status::success();
}

Status cast(const KernelCall &call) {
  const TensorView &x = call.inputs[0], &y = call.outputs[0];
  withAccumulator(x.dtype, [&](auto zero) {
    using Acc = decltype(zero);
    for (int64_t i = 0, n = y.elements(); i < n; ++i)
      store<Acc>(y, i, load<Acc>(x, i));
  });
  return Status::success();
}

} // namespace llmpar::rt::reference
