//===- DType.h - Element types shared by compiler and runtime ---*- C++ -*-===//
//
// The element types a program file may contain. `DTypes.def` is the one table;
// everything that needs a size, a name or a C++ type expands it.
//
//   dtypeSize(DType::BF16)  == 2
//   dtypeName(DType::Bool)  == "i1"
//   dispatch(dtype, [&](auto zero) { using T = decltype(zero); ... })
//
//===----------------------------------------------------------------------===//
#ifndef LLMPAR_ABI_DTYPE_H
#define LLMPAR_ABI_DTYPE_H

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace llmpar {

/// IEEE binary16 storage; arithmetic happens in float.
struct Half {
  uint16_t bits = 0;
  Half() = default;
  Half(float value) {
    uint32_t f;
    std::memcpy(&f, &value, 4);
    uint32_t sign = (f >> 16) & 0x8000u, magnitude = f & 0x7fffffffu;
    if (magnitude > 0x7f800000u) { // NaN
      bits = static_cast<uint16_t>(sign | 0x7e00u);
      return;
    }
    if (magnitude >= 0x477ff000u) { // rounds to infinity
      bits = static_cast<uint16_t>(sign | 0x7c00u);
      return;
    }
    if (magnitude < 0x38800000u) { // subnormal: let the FPU round to nearest even
      float scaled, magic = 0.5f;
      std::memcpy(&scaled, &magnitude, 4);
      scaled += magic;
      uint32_t r;
      std::memcpy(&r, &scaled, 4);
      bits = static_cast<uint16_t>(sign | (r - 0x3f000000u));
      return;
    }
    uint32_t odd = (magnitude >> 13) & 1u;
    bits = static_cast<uint16_t>(sign | ((magnitude - 0x38000000u + 0xfffu + odd) >> 13));
  }
  operator float() const {
    uint32_t sign = (bits & 0x8000u) << 16, exponent = (bits >> 10) & 0x1fu, mantissa = bits & 0x3ffu, f;
    if (exponent == 0) {
      float value = static_cast<float>(mantissa) * 5.9604644775390625e-8f; // 2^-24
      return sign ? -value : value;
    }
    f = exponent == 31 ? sign | 0x7f800000u | (mantissa << 13) : sign | ((exponent + 112) << 23) | (mantissa << 13);
    float value;
    std::memcpy(&value, &f, 4);
    return value;
  }
};

/// bfloat16 storage; arithmetic happens in float, stores round to nearest even.
struct BFloat16 {
  uint16_t bits = 0;
  BFloat16() = default;
  BFloat16(float value) {
    uint32_t f;
    std::memcpy(&f, &value, 4);
    if ((f & 0x7fffffffu) > 0x7f800000u)
      bits = static_cast<uint16_t>((f >> 16) | 0x40u);
    else
      bits = static_cast<uint16_t>((f + 0x7fffu + ((f >> 16) & 1u)) >> 16);
  }
  operator float() const {
    uint32_t f = static_cast<uint32_t>(bits) << 16;
    float value;
    std::memcpy(&value, &f, 4);
    return value;
  }
};

enum class DType : uint8_t {
#define LLMPAR_DTYPE(Name, Cpp, Mlir, Numpy) Name,
#include "llmpar/Abi/DTypes.def"
};

inline constexpr int dtypeCount = 0
#define LLMPAR_DTYPE(Name, Cpp, Mlir, Numpy) +1
#include "llmpar/Abi/DTypes.def"
    ;

/// Bytes of one element.
constexpr size_t dtypeSize(DType dtype) {
  switch (dtype) {
#define LLMPAR_DTYPE(Name, Cpp, Mlir, Numpy)                                                                         \
  case DType::Name:                                                                                                  \
    return sizeof(Cpp);
#include "llmpar/Abi/DTypes.def"
  }
  return 0;
}

/// The MLIR spelling: "f32", "ui8", "i1" (bool).
constexpr std::string_view dtypeName(DType dtype) {
  switch (dtype) {
#define LLMPAR_DTYPE(Name, Cpp, Mlir, Numpy)                                                                         \
  case DType::Name:                                                                                                  \
    return Mlir;
#include "llmpar/Abi/DTypes.def"
  }
  return "?";
}

constexpr bool isFloat(DType dtype) { return dtype <= DType::BF16; }

/// Calls `body` with a zero of the C++ type behind `dtype` and returns its result.
template <typename Body> auto dispatch(DType dtype, Body &&body) {
  switch (dtype) {
#define LLMPAR_DTYPE(Name, Cpp, Mlir, Numpy)                                                                         \
  case DType::Name:                                                                                                  \
    return body(Cpp{});
#include "llmpar/Abi/DTypes.def"
  }
  return body(float{});
}

} // namespace llmpar

#endif // LLMPAR_ABI_DTYPE_H
