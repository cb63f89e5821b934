//===- VectorMath.h - Functions a vectorizer can take apart -----*- C++ -*-===//
//
// Branch-free float functions, each a few polynomial terms, meant to be called
// in a plain loop of a function marked LLMPAR_CLONES: the compiler vectorizes
// the loop once for AVX-512, AVX2 and the baseline, and the loader picks one.
// Errors against the exact value are below 2e-7 relative (erf, tanh, exp) or
// 1e-7 absolute (gelu of negative arguments, softplus).
//
//   LLMPAR_CLONES void expRow(const float *x, float *y, int64_t n) {
//     LLMPAR_VECTORIZE
//     for (int64_t i = 0; i < n; ++i)
//       y[i] = math::exp(x[i]);
//   }
//
// `Lanes` is sixteen floats, for sums and maxima over a row, whose order a
// compiler may not change on its own.
//
//===----------------------------------------------------------------------===//
#ifndef LLMPAR_RUNTIME_CPU_VECTORMATH_H
#define LLMPAR_RUNTIME_CPU_VECTORMATH_H

#include "llmpar/Abi/DType.h"

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>

#if defined(__x86_64__) && defined(__ELF__)
#define LLMPAR_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define LLMPAR_CLONES
#endif
#define LLMPAR_INLINE [[gnu::always_inline]] inline

/// Before a loop over rows that are the same or disjoint, as an operand and a result are.
#if defined(__clang__)
#pragma clang diagnostic ignored "-Wpass-failed" // sanitizers and -O0 leave the loops as they are
#define LLMPAR_VECTORIZE _Pragma("clang loop vectorize(assume_safety)")
#else
#define LLMPAR_VECTORIZE _Pragma("GCC ivdep")
#endif

namespace llmpar::rt::math {

/// exp(x) = scaleLow * scaleHigh * (1 + rest), both scales powers of two. x in [-104, 89] or NaN.
struct ExpParts {
  float scaleLow, scaleHigh, rest;
};
LLMPAR_INLINE ExpParts expParts(float x) {
  constexpr float rounder = 12582912.0f; // 1.5 * 2^23: adding it rounds to an integer
  float shifted = x * 1.44269504f + rounder;
  float n = shifted - rounder;
  float r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  auto exponent = static_cast<int32_t>(std::bit_cast<uint32_t>(shifted) - std::bit_cast<uint32_t>(rounder));
  int32_t half = exponent >> 1;
  return {std::bit_cast<float>((half + 127) << 23), std::bit_cast<float>((exponent - half + 127) << 23),
          p * (r * r) + r};
}
LLMPAR_INLINE float clampExp(float x) {
  x = x > 89.0f ? 89.0f : x;
  return x < -104.0f ? -104.0f : x;
}

LLMPAR_INLINE float exp(float x) {
  ExpParts e = expParts(clampExp(x));
  return (e.rest + 1.0f) * e.scaleLow * e.scaleHigh;
}
LLMPAR_INLINE float expm1(float x) {
  ExpParts e = expParts(clampExp(x));
  float scale = e.scaleLow * e.scaleHigh;
  return e.rest * e.scaleLow * e.scaleHigh + (scale - 1.0f);
}
LLMPAR_INLINE float sigmoid(float x) { return 1.0f / (1.0f + exp(-x)); }
LLMPAR_INLINE float tanh(float x) {
  float z = x * x;
  float p = -5.70498872745e-3f;
  p = p * z + 2.06390887954e-2f;
  p = p * z - 5.37397155531e-2f;
  p = p * z + 1.33314422036e-1f;
  p = p * z - 3.33332819422e-1f;
  float small = p * z * x + x;
  float magnitude = std::fabs(x);
  float large = 1.0f - 2.0f / (exp(2.0f * magnitude) + 1.0f);
  large = x < 0 ? -large : large;
  return magnitude < 0.625f ? small : large;
}
LLMPAR_INLINE float erf(float x) {
  float t = std::fabs(x), s = x * x;
  float r = -1.72853470e-5f * t + 3.83197126e-4f;
  float u = -3.88396438e-3f * t + 2.42546219e-2f;
  r = r * s + u;
  r = r * t - 1.06777877e-1f;
  r = r * t - 6.34846687e-1f;
  r = r * t - 1.28717512e-1f;
  r = r * t - t;
  float large = 1.0f - exp(r);
  large = x < 0 ? -large : large;
  float p = -5.96761703e-4f;
  p = p * s + 4.99119423e-3f;
  p = p * s - 2.67681349e-2f;
  p = p * s + 1.12819925e-1f;
  p = p * s - 3.76125336e-1f;
  p = p * s + 1.28379166e-1f;
  float small = p * x + x;
  return t > 0.927734375f ? large : small;
}
LLMPAR_INLINE float log(float x) {
  float scaled = x < 1.17549435e-38f ? x * 8388608.0f : x;
  float shift = x < 1.17549435e-38f ? -23.0f : 0.0f;
  auto bits = std::bit_cast<uint32_t>(scaled);
  int32_t exponent = static_cast<int32_t>(bits - 0x3f3504f3u) >> 23; // mantissa in [sqrt(1/2), sqrt(2))
  float e = static_cast<float>(exponent) + shift;
  float m = std::bit_cast<float>(bits - (static_cast<uint32_t>(exponent) << 23)) - 1.0f;
  float z = m * m;
  float p = 7.0376836292e-2f;
  p = p * m - 1.1514610310e-1f;
  p = p * m + 1.1676998740e-1f;
  p = p * m - 1.2420140846e-1f;
  p = p * m + 1.4249322787e-1f;
  p = p * m - 1.6668057665e-1f;
  p = p * m + 2.0000714765e-1f;
  p = p * m - 2.4999993993e-1f;
  p = p * m + 3.3333331174e-1f;
  p = p * m * z + e * -2.12194440e-4f - 0.5f * z;
  float result = m + p + e * 0.693359375f;
  constexpr float infinity = std::numeric_limits<float>::infinity();
  result = x == infinity ? infinity : result;
  result = x == 0 ? -infinity : result;
  return x >= 0 ? result : std::numeric_limits<float>::quiet_NaN();
}
/// log(1 + x) for x in [0, 1]
LLMPAR_INLINE float log1p(float x) {
  float w = 1.0f + x;
  return log(w) - ((w - 1.0f) - x) / w;
}
LLMPAR_INLINE float gelu(float x) { return 0.5f * x * (1.0f + erf(x * 0.707106781f)); }
/// 0.5 x (1 + tanh z) = x sigmoid(2 z)
LLMPAR_INLINE float geluTanh(float x) {
  float z = 1.5957691216f * (x + 0.044715f * x * x * x);
  return x / (1.0f + exp(-z));
}

/// The element conversions of `Half` and `BFloat16` without branches.
LLMPAR_INLINE float widenBFloat16(uint16_t bits) { return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16); }
LLMPAR_INLINE uint16_t narrowBFloat16(float value) {
  uint32_t f = std::bit_cast<uint32_t>(value);
  uint32_t rounded = (f + 0x7fffu + ((f >> 16) & 1u)) >> 16, nan = (f >> 16) | 0x40u;
  return static_cast<uint16_t>((f & 0x7fffffffu) > 0x7f800000u ? nan : rounded);
}
LLMPAR_INLINE float widenHalf(uint16_t bits) {
  uint32_t h = bits;
  uint32_t magnitude = (h & 0x7fffu) << 13;
  float finite = std::bit_cast<float>(magnitude) * 5.192296858534828e33f; // 2^112: also right for subnormals
  uint32_t f = (h & 0x7c00u) == 0x7c00u ? magnitude | 0x7f800000u : std::bit_cast<uint32_t>(finite);
  return std::bit_cast<float>(f | (h & 0x8000u) << 16);
}
LLMPAR_INLINE uint16_t narrowHalf(float value) {
  uint32_t f = std::bit_cast<uint32_t>(value), sign = (f >> 16) & 0x8000u, magnitude = f & 0x7fffffffu;
  uint32_t normal = (magnitude - 0x38000000u + 0xfffu + ((magnitude >> 13) & 1u)) >> 13;
  uint32_t subnormal = std::bit_cast<uint32_t>(std::bit_cast<float>(magnitude) + 0.5f) - 0x3f000000u;
  uint32_t h = magnitude < 0x38800000u ? subnormal : normal;
  h = magnitude >= 0x477ff000u ? 0x7c00u : h;
  h = magnitude > 0x7f800000u ? 0x7e00u : h;
  return static_cast<uint16_t>(sign | h);
}

typedef float Lanes __attribute__((vector_size(64), may_alias));
typedef int32_t LaneMask __attribute__((vector_size(64)));
typedef uint16_t LanesOfBits __attribute__((vector_size(32), may_alias));
typedef uint32_t LanesOfWords __attribute__((vector_size(64)));
inline constexpr int64_t laneCount = 16;

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wpsabi"
#endif
LLMPAR_INLINE Lanes loadLanes(const float *x) {
  Lanes lanes;
  std::memcpy(&lanes, x, sizeof lanes);
  return lanes;
}
LLMPAR_INLINE Lanes loadLanes(const BFloat16 *x) {
  LanesOfBits bits;
  std::memcpy(&bits, x, sizeof bits);
  LanesOfWords words = __builtin_convertvector(bits, LanesOfWords) << 16;
  Lanes lanes;
  std::memcpy(&lanes, &words, sizeof lanes);
  return lanes;
}
LLMPAR_INLINE Lanes splat(float value) { return value - Lanes{}; }

/// Folds a row with `step(lanes, lanes)` and `step(float, float)`, 64 elements at a time.
template <typename Step> LLMPAR_INLINE float foldRow(const float *x, int64_t n, float start, Step &&step) {
  float result = start;
  int64_t i = 0;
  if (n >= laneCount) {
    Lanes a = splat(start), b = a, c = a, d = a;
    for (; i + 4 * laneCount <= n; i += 4 * laneCount) {
      a = step(a, loadLanes(x + i));
      b = step(b, loadLanes(x + i + laneCount));
      c = step(c, loadLanes(x + i + 2 * laneCount));
      d = step(d, loadLanes(x + i + 3 * laneCount));
    }
    for (; i + laneCount <= n; i += laneCount)
      a = step(a, loadLanes(x + i));
    a = step(step(a, b), step(c, d));
    float lanes[laneCount];
    std::memcpy(lanes, &a, sizeof lanes);
    for (int64_t width = laneCount / 2; width > 0; width /= 2)
      for (int64_t lane = 0; lane < width; ++lane)
        lanes[lane] = step(lanes[lane], lanes[lane + width]);
    result = lanes[0];
  }
  for (; i < n; ++i)
    result = step(result, x[i]);
  return result;
}
struct Sum {
  template <typename T> LLMPAR_INLINE T operator()(T a, T b) const { return a + b; }
};
struct Product {
  template <typename T> LLMPAR_INLINE T operator()(T a, T b) const { return a * b; }
};
struct Maximum { // NaN wins
  LLMPAR_INLINE Lanes operator()(Lanes a, Lanes b) const { return ((b > a) | (b != b)) ? b : a; }
  LLMPAR_INLINE float operator()(float a, float b) const { return ((b > a) | (b != b)) ? b : a; }
};
struct Minimum {
  LLMPAR_INLINE Lanes operator()(Lanes a, Lanes b) const { return ((b < a) | (b != b)) ? b : a; }
  LLMPAR_INLINE float operator()(float a, float b) const { return ((b < a) | (b != b)) ? b : a; }
};

} // namespace llmpar::rt::math

#endif // LLMPAR_RUNTIME_CPU_VECTORMATH_H
