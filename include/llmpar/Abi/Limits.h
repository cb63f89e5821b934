//===- Limits.h - What a program file can hold ------------------*- C++ -*-===//
//
// The compiler refuses what the runtime would; both read these.
//
//   fitsProgram({2, 3})        true
//   fitsProgram({1 << 30, 1 << 30})  false: more elements than index arithmetic is safe for
//
//===----------------------------------------------------------------------===//
#ifndef LLMPAR_ABI_LIMITS_H
#define LLMPAR_ABI_LIMITS_H

#include <cstdint>

namespace llmpar {

inline constexpr int maxRank = 8;
inline constexpr int64_t maxElements = int64_t(1) << 46; ///< all index arithmetic stays far from overflow

/// At most maxRank extents, none negative, the non-zero ones with a product of at most maxElements.
template <typename Shape> bool fitsProgram(const Shape &shape) {
  if (shape.size() > static_cast<decltype(shape.size())>(maxRank))
    return false;
  int64_t elements = 1;
  for (int64_t extent : shape) {
    if (extent < 0 || (extent > 0 && elements > maxElements / extent))
      return false;
    elements *= extent > 0 ? extent : 1;
  }
  return true;
}

} // namespace llmpar

#endif // LLMPAR_ABI_LIMITS_H
