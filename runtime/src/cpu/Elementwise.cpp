//===- Elementwise.cpp - unary, binary, select, cast ------------*- C++ -*-===//
//
// Operands are collapsed to the fewest loops (Collapse.h); the last one runs
// in a vectorized row function with steps of 1 or 0 per operand. f32 has row
// functions for AVX-512, AVX2 and the baseline; bf16 and f16 go through them
// in blocks of floats; other types have plain loops or the reference kernel.
//
//===----------------------------------------------------------------------===//
#include "cpu/Collapse.h"
#include "cpu/CpuKernels.h"
#include "cpu/Rows.h"
#include "cpu/VectorMath.h"
#include "reference/Kinds.h"
#include "reference/Reference.h"

#include <algorithm>

namespace llmpar::rt::cpu {
namespace {

constexpr int64_t block = 1024; // floats converted at a time

using UnaryRow = void (*)(const float *x, float *y, int64_t n, float a, float b);

// clang-format off
#define LLMPAR_UNARY_ROW(name, ...)                                                                                  \
  LLMPAR_CLONES void name##Row(const float *from, float *to, int64_t n, [[maybe_unused]] float a,                    \
                               [[maybe_unused]] float b) {                                                           \
    LLMPAR_VECTORIZE                                                                                                 \
    for (int64_t i = 0; i < n; ++i) {                                                                                \
      float x = from[i];                                                                                             \
      to[i] = __VA_ARGS__;                                                                                           \
    }                                                                                                                \
  }
LLMPAR_UNARY_ROW(neg, -x)
LLMPAR_UNARY_ROW(abs, std::fabs(x))
LLMPAR_UNARY_ROW(exp, math::exp(x))
LLMPAR_UNARY_ROW(log, math::log(x))
LLMPAR_UNARY_ROW(sqrt, __builtin_elementwise_sqrt(x)) // std::sqrt sets errno, one element at a time
LLMPAR_UNARY_ROW(rsqrt, 1.0f / __builtin_elementwise_sqrt(x))
LLMPAR_UNARY_ROW(reciprocal, 1.0f / x)
LLMPAR_UNARY_ROW(tanh, math::tanh(x))
LLMPAR_UNARY_ROW(sigmoid, math::sigmoid(x))
LLMPAR_UNARY_ROW(erf, math::erf(x))
LLMPAR_UNARY_ROW(relu, x < 0 ? 0.0f : x)
LLMPAR_UNARY_ROW(gelu, math::gelu(x))
LLMPAR_UNARY_ROW(gelu_tanh, math::geluTanh(x))
LLMPAR_UNARY_ROW(silu, x / (1.0f + math::exp(-a * x)))
LLMPAR_UNARY_ROW(softplus, (x < 0 ? 0.0f : x) + math::log1p(math::exp(-std::fabs(x))))
LLMPAR_UNARY_ROW(softsign, x / (1.0f + std::fabs(x)))
LLMPAR_UNARY_ROW(elu, x < 0 ? a * math::expm1(x) : x)
LLMPAR_UNARY_ROW(selu, b * (x > 0 ? x : a * math::expm1(x)))
LLMPAR_UNARY_ROW(leaky_relu, x < 0 ? a * x : x)
LLMPAR_UNARY_ROW(hard_sigmoid, math::Maximum()(0.0f, math::Minimum()(1.0f, a * x + b)))
LLMPAR_UNARY_ROW(floor, std::floor(x))
LLMPAR_UNARY_ROW(ceil, std::ceil(x))
LLMPAR_UNARY_ROW(round, std::nearbyint(x))
LLMPAR_UNARY_ROW(sign, x > 0 ? 1.0f : x < 0 ? -1.0f : x)
#undef LLMPAR_UNARY_ROW

UnaryRow findUnaryRow(int64_t kind) {
  switch (static_cast<UnaryKind>(kind)) {
#define LLMPAR_CASE(name) case UnaryKind::name: return name##Row;
  LLMPAR_CASE(neg) LLMPAR_CASE(abs) LLMPAR_CASE(exp) LLMPAR_CASE(log) LLMPAR_CASE(sqrt) LLMPAR_CASE(rsqrt)
  LLMPAR_CASE(reciprocal) LLMPAR_CASE(tanh) LLMPAR_CASE(sigmoid) LLMPAR_CASE(erf) LLMPAR_CASE(relu)
  LLMPAR_CASE(gelu) LLMPAR_CASE(gelu_tanh) LLMPAR_CASE(silu) LLMPAR_CASE(softplus) LLMPAR_CASE(softsign)
  LLMPAR_CASE(elu) LLMPAR_CASE(selu) LLMPAR_CASE(leaky_relu) LLMPAR_CASE(hard_sigmoid) LLMPAR_CASE(floor)
  LLMPAR_CASE(ceil) LLMPAR_CASE(round) LLMPAR_CASE(sign)
#undef LLMPAR_CASE
  default: return nullptr;
  }
}

/// Steps are 1, or 0 for an operand that is one value for the whole row.
template <typename T, typename R>
using BinaryRow = void (*)(const T *a, int64_t aStep, const T *b, int64_t bStep, R *y, int64_t n);

template <typename T, typename R, typename Op>
LLMPAR_INLINE void binaryRow(const T *a, int64_t aStep, const T *b, int64_t bStep, R *y, int64_t n, Op op) {
  if (aStep == 1 && bStep == 1) {
    LLMPAR_VECTORIZE
    for (int64_t i = 0; i < n; ++i)
      y[i] = op(a[i], b[i]);
  } else if (aStep == 1) {
    T right = *b;
    LLMPAR_VECTORIZE
    for (int64_t i = 0; i < n; ++i)
      y[i] = op(a[i], right);
  } else if (bStep == 1) {
    T left = *a;
    LLMPAR_VECTORIZE
    for (int64_t i = 0; i < n; ++i)
      y[i] = op(left, b[i]);
  } else {
    std::fill(y, y + n, static_cast<R>(op(*a, *b)));
  }
}

#define LLMPAR_ARITHMETIC(X)                                                                                         \
  X(add, a + b) X(sub, a - b) X(mul, a * b) X(min, math::Minimum()(a, b)) X(max, math::Maximum()(a, b))              \
  X(div, a / b) X(prelu, a < 0 ? b * a : a)
#define LLMPAR_COMPARISONS(X)                                                                                        \
  X(equal, a == b) X(less, a < b) X(less_equal, a <= b) X(greater, a > b) X(greater_equal, a >= b)
#define LLMPAR_FLOAT_ROW(name, Result, ...)                                                                          \
  LLMPAR_CLONES void name##Row(const float *left, int64_t leftStep, const float *right, int64_t rightStep,           \
                               Result *y, int64_t n) {                                                               \
    binaryRow(left, leftStep, right, rightStep, y, n, [](float a, float b) __attribute__((always_inline)) -> Result {      \
      return __VA_ARGS__;                                                                                            \
    });                                                                                                              \
  }
#define LLMPAR_ROW_TO_FLOAT(name, ...) LLMPAR_FLOAT_ROW(name, float, __VA_ARGS__)
#define LLMPAR_ROW_TO_BOOL(name, ...) LLMPAR_FLOAT_ROW(name, uint8_t, __VA_ARGS__)
LLMPAR_ARITHMETIC(LLMPAR_ROW_TO_FLOAT)
LLMPAR_COMPARISONS(LLMPAR_ROW_TO_BOOL)
#define LLMPAR_CASE(name, ...) case BinaryKind::name: return name##Row;

void powRow(const float *left, int64_t leftStep, const float *right, int64_t rightStep, float *y, int64_t n) {
  if (rightStep == 0 && *right == 2.0f)
    return mulRow(left, leftStep, left, leftStep, y, n);
  binaryRow(left, leftStep, right, rightStep, y, n, [](float a, float b) { return std::pow(a, b); });
}

BinaryRow<float, float> findArithmetic(BinaryKind kind) {
  switch (kind) {
  LLMPAR_ARITHMETIC(LLMPAR_CASE)
  case BinaryKind::pow: return powRow;
  default: return nullptr;
  }
}
BinaryRow<float, uint8_t> findComparison(BinaryKind kind) {
  switch (kind) {
  LLMPAR_COMPARISONS(LLMPAR_CASE)
  default: return nullptr;
  }
}

// The same for the types of masks, positions and indices.
#define LLMPAR_PLAIN_ROW(name, Result, ...)                                                                          \
  case BinaryKind::name:                                                                                             \
    return [](const T *left, int64_t leftStep, const T *right, int64_t rightStep, Result *y, int64_t n) {            \
      binaryRow(left, leftStep, right, rightStep, y, n, [](T a, T b) { return static_cast<Result>(__VA_ARGS__); });  \
    };
#define LLMPAR_PLAIN_TO_T(name, ...) LLMPAR_PLAIN_ROW(name, T, __VA_ARGS__)
#define LLMPAR_PLAIN_TO_BOOL(name, ...) LLMPAR_PLAIN_ROW(name, uint8_t, __VA_ARGS__)
template <typename T> T wrapped(uint64_t value) { return static_cast<T>(value); }
template <typename T> BinaryRow<T, T> findIntegerArithmetic(BinaryKind kind) {
  switch (kind) {
  LLMPAR_PLAIN_TO_T(add, wrapped<T>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b)))
  LLMPAR_PLAIN_TO_T(sub, wrapped<T>(static_cast<uint64_t>(a) - static_cast<uint64_t>(b)))
  LLMPAR_PLAIN_TO_T(mul, wrapped<T>(static_cast<uint64_t>(a) * static_cast<uint64_t>(b)))
  LLMPAR_PLAIN_TO_T(min, b < a ? b : a)
  LLMPAR_PLAIN_TO_T(max, b > a ? b : a)
  LLMPAR_PLAIN_TO_T(bit_and, a & b)
  LLMPAR_PLAIN_TO_T(bit_or, a | b)
  LLMPAR_PLAIN_TO_T(bit_xor, a ^ b)
  default: return nullptr;
  }
}
template <typename T> BinaryRow<T, uint8_t> findPlainComparison(BinaryKind kind) {
  switch (kind) {
  LLMPAR_COMPARISONS(LLMPAR_PLAIN_TO_BOOL)
  default: return nullptr;
  }
}
// clang-format on

LoopNest<3> binaryNest(const KernelCall &call) {
  const TensorView &a = call.inputs[0], &b = call.inputs[1], &y = call.outputs[0];
  return collapse<3>(y.shape(), {broadcastStrides(a.shape(), y.shape()), broadcastStrides(b.shape(), y.shape()),
                                 denseStrides(y.shape())});
}

template <typename T, typename R> Status runBinary(const KernelCall &call, BinaryRow<T, R> row) {
  if (!row)
    return reference::binary(call);
  const T *a = call.inputs[0].as<const T>(), *b = call.inputs[1].as<const T>();
  R *y = call.outputs[0].as<R>();
  auto nest = binaryNest(call);
  int64_t aStep = nest.rowStep(0), bStep = nest.rowStep(1), n = nest.rowLength();
  forEachRow(nest, [&](const auto &at) { row(a + at[0], aStep, b + at[1], bStep, y + at[2], n); });
  return Status::success();
}

/// bf16 and f16, through blocks of floats.
template <typename R> Status runNarrowBinary(const KernelCall &call, BinaryRow<float, R> row) {
  if (!row)
    return reference::binary(call);
  const TensorView &a = call.inputs[0], &b = call.inputs[1], &y = call.outputs[0];
  auto nest = binaryNest(call);
  int64_t aStep = nest.rowStep(0), bStep = nest.rowStep(1), n = nest.rowLength();
  float left[block], right[block];
  R result[block];
  forEachRow(nest, [&](const auto &at) {
    for (int64_t i = 0; i < n; i += block) {
      int64_t count = std::min(block, n - i);
      widen(a.dtype, a.as<uint16_t>() + at[0] + i * aStep, left, aStep ? count : 1);
      widen(b.dtype, b.as<uint16_t>() + at[1] + i * bStep, right, bStep ? count : 1);
      row(left, aStep, right, bStep, result, count);
      if constexpr (std::is_same_v<R, float>)
        narrow(y.dtype, result, y.as<uint16_t>() + at[2] + i, count);
      else
        std::memcpy(y.as<uint8_t>() + at[2] + i, result, static_cast<size_t>(count));
    }
  });
  return Status::success();
}

template <typename T>
LLMPAR_INLINE void selectRow(const uint8_t *c, int64_t cStep, const T *a, int64_t aStep, const T *b, int64_t bStep,
                             T *y, int64_t n) {
  if (cStep == 0) {
    const T *chosen = *c ? a : b;
    if ((*c ? aStep : bStep) == 1)
      std::memmove(y, chosen, static_cast<size_t>(n) * sizeof(T));
    else
      std::fill(y, y + n, *chosen);
  } else if (aStep == 1 && bStep == 1) {
    LLMPAR_VECTORIZE
    for (int64_t i = 0; i < n; ++i)
      y[i] = c[i] ? a[i] : b[i];
  } else if (aStep == 1) {
    T right = *b;
    LLMPAR_VECTORIZE
    for (int64_t i = 0; i < n; ++i)
      y[i] = c[i] ? a[i] : right;
  } else if (bStep == 1) {
    T left = *a;
    LLMPAR_VECTORIZE
    for (int64_t i = 0; i < n; ++i)
      y[i] = c[i] ? left : b[i];
  } else {
    T left = *a, right = *b;
    LLMPAR_VECTORIZE
    for (int64_t i = 0; i < n; ++i)
      y[i] = c[i] ? left : right;
  }
}
template <typename T>
using SelectRow = void (*)(const uint8_t *, int64_t, const T *, int64_t, const T *, int64_t, T *, int64_t);
LLMPAR_CLONES void selectRow32(const uint8_t *c, int64_t cStep, const uint32_t *a, int64_t aStep, const uint32_t *b,
                               int64_t bStep, uint32_t *y, int64_t n) {
  selectRow(c, cStep, a, aStep, b, bStep, y, n);
}

template <typename T> Status runSelect(const KernelCall &call, SelectRow<T> row) {
  const TensorView &c = call.inputs[0], &a = call.inputs[1], &b = call.inputs[2], &y = call.outputs[0];
  auto nest = collapse<4>(y.shape(), {broadcastStrides(c.shape(), y.shape()), broadcastStrides(a.shape(), y.shape()),
                                      broadcastStrides(b.shape(), y.shape()), denseStrides(y.shape())});
  forEachRow(nest, [&](const auto &at) {
    row(c.as<uint8_t>() + at[0], nest.rowStep(0), a.as<T>() + at[1], nest.rowStep(1), b.as<T>() + at[2],
        nest.rowStep(2), y.as<T>() + at[3], nest.rowLength());
  });
  return Status::success();
}

template <typename From, typename To> void castAll(const TensorView &x, const TensorView &y) {
  const From *from = x.as<const From>();
  To *to = y.as<To>();
  for (int64_t i = 0, n = y.elements(); i < n; ++i)
    to[i] = convert<To>(from[i]);
}

/// y = x has property `is`, of bits: a mask.
template <typename From, typename Is> void testAll(const TensorView &x, const TensorView &y, Is is) {
  const From *from = x.as<const From>();
  auto *to = y.as<uint8_t>();
  LLMPAR_VECTORIZE
  for (int64_t i = 0, n = y.elements(); i < n; ++i)
    to[i] = is(from[i]);
}

} // namespace

Status unary(const KernelCall &call) {
  const TensorView &x = call.inputs[0], &y = call.outputs[0];
  auto kind = static_cast<UnaryKind>(call.ints[0]);
  if (kind == UnaryKind::is_nan && x.dtype == DType::F32) {
    testAll<float>(x, y, [](float value) { return value != value; });
    return Status::success();
  }
  if ((kind == UnaryKind::logical_not || kind == UnaryKind::bitwise_not) && x.dtype == DType::Bool) {
    testAll<uint8_t>(x, y, [](uint8_t value) { return value == 0; });
    return Status::success();
  }
  UnaryRow row = findUnaryRow(call.ints[0]);
  if (!row || !isNarrowable(x.dtype) || x.dtype != y.dtype)
    return reference::unary(call);
  auto a = static_cast<float>(call.floats.size() > 0 ? call.floats[0] : 0),
       b = static_cast<float>(call.floats.size() > 1 ? call.floats[1] : 0);
  int64_t n = y.elements();
  if (x.dtype == DType::F32) {
    row(x.as<float>(), y.as<float>(), n, a, b);
    return Status::success();
  }
  float values[block];
  for (int64_t i = 0; i < n; i += block) {
    int64_t count = std::min(block, n - i);
    widen(x.dtype, x.as<uint16_t>() + i, values, count);
    row(values, values, count, a, b);
    narrow(y.dtype, values, y.as<uint16_t>() + i, count);
  }
  return Status::success();
}

Status binary(const KernelCall &call) {
  const TensorView &a = call.inputs[0], &b = call.inputs[1], &y = call.outputs[0];
  auto kind = static_cast<BinaryKind>(call.ints[0]);
  if (a.dtype != b.dtype)
    return reference::binary(call);
  bool compares = y.dtype == DType::Bool && kind >= BinaryKind::equal;
  if (!compares && y.dtype != a.dtype)
    return reference::binary(call);
  switch (a.dtype) {
  case DType::F32:
    return compares ? runBinary(call, findComparison(kind)) : runBinary(call, findArithmetic(kind));
  case DType::BF16:
  case DType::F16:
    return compares ? runNarrowBinary(call, findComparison(kind)) : runNarrowBinary(call, findArithmetic(kind));
  case DType::I64:
    return compares ? runBinary(call, findPlainComparison<int64_t>(kind))
                    : runBinary(call, findIntegerArithmetic<int64_t>(kind));
  case DType::I32:
    return compares ? runBinary(call, findPlainComparison<int32_t>(kind))
                    : runBinary(call, findIntegerArithmetic<int32_t>(kind));
  case DType::Bool: // bytes of 0 or 1
    if (kind == BinaryKind::bit_and || kind == BinaryKind::bit_or || kind == BinaryKind::bit_xor)
      return runBinary(call, findIntegerArithmetic<uint8_t>(kind));
    return reference::binary(call);
  default:
    return reference::binary(call);
  }
}

Status select(const KernelCall &call) {
  switch (dtypeSize(call.outputs[0].dtype)) {
  case 1:
    return runSelect<uint8_t>(call, selectRow<uint8_t>);
  case 2:
    return runSelect<uint16_t>(call, selectRow<uint16_t>);
  case 4:
    return runSelect<uint32_t>(call, selectRow32);
  default:
    return runSelect<uint64_t>(call, selectRow<uint64_t>);
  }
}

Status cast(const KernelCall &call) {
  const TensorView &x = call.inputs[0], &y = call.outputs[0];
  auto is = [&](DType from, DType to) { return x.dtype == from && y.dtype == to; };
  if (x.dtype == y.dtype)
    return reference::reshape(call);
  if (isNarrowable(x.dtype) && y.dtype == DType::F32)
    widen(x.dtype, x.data, y.as<float>(), y.elements());
  else if (x.dtype == DType::F32 && isNarrowable(y.dtype))
    narrow(y.dtype, x.as<float>(), y.data, y.elements());
  else if (is(DType::I64, DType::F32))
    castAll<int64_t, float>(x, y);
  else if (is(DType::I32, DType::F32))
    castAll<int32_t, float>(x, y);
  else if (is(DType::Bool, DType::F32))
    castAll<bool, float>(x, y);
  else if (is(DType::F32, DType::I64))
    castAll<float, int64_t>(x, y);
  else if (is(DType::F32, DType::I32))
    castAll<float, int32_t>(x, y);
  else if (is(DType::F32, DType::Bool))
    castAll<float, bool>(x, y);
  else if (is(DType::I64, DType::I32))
    castAll<int64_t, int32_t>(x, y);
  else if (is(DType::I32, DType::I64))
    castAll<int32_t, int64_t>(x, y);
  else if (is(DType::Bool, DType::I32))
    castAll<bool, int32_t>(x, y);
  else if (is(DType::I64, DType::Bool))
    castAll<int64_t, bool>(x, y);
  else if (is(DType::Bool, DType::I64))
    castAll<bool, int64_t>(x, y);
  else
    return reference::cast(call);
  return Status::success();
}

} // namespace llmpar::rt::cpu
