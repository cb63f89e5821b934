//===- Gemv.cpp - Products with few rows ------------------------*- C++ -*-===//
//
// b as k x n: rows of b are added onto y eight (two rows of y or fewer) or four at a time, so y's
// traffic stays in the first-level cache. b as n x k: one dot product per row of a and b, front to
// back; two rows of b at a time for three or four rows of a. Five to
// eight rows are two such products over blocks of b that stay in the second-level cache.
//
// One core, 20 GB/s: 17-23 GB/s with one row, 15-19 with four.
//
//===----------------------------------------------------------------------===//
#include "cpu/Gemv.h"

#include "cpu/VectorMath.h"

#include <algorithm>

namespace llmpar::rt {
namespace {
using math::Lanes, math::laneCount, math::loadLanes;

LLMPAR_INLINE float widen(float x) { return x; }
LLMPAR_INLINE float widen(BFloat16 x) { return math::widenBFloat16(x.bits); }

/// Element distances between the rows of a, b and y.
struct Pitches {
  int64_t a, b, y;
};

template <int rows, int depth, typename T>
LLMPAR_INLINE void addRows(int64_t n, Pitches pitch, const float *a, const T *b, float *y) {
  float factor[rows][depth];
  Lanes factors[rows][depth];
  for (int row = 0; row < rows; ++row)
    for (int d = 0; d < depth; ++d)
      factors[row][d] = math::splat(factor[row][d] = a[row * pitch.a + d]);
  int64_t i = 0;
  for (; i + laneCount <= n; i += laneCount) {
    Lanes sums[rows];
    for (int row = 0; row < rows; ++row)
      sums[row] = loadLanes(y + row * pitch.y + i);
    for (int d = 0; d < depth; ++d) {
      Lanes values = loadLanes(b + d * pitch.b + i);
      for (int row = 0; row < rows; ++row)
        sums[row] += factors[row][d] * values;
    }
    for (int row = 0; row < rows; ++row)
      std::memcpy(y + row * pitch.y + i, &sums[row], sizeof(Lanes));
  }
  for (; i < n; ++i)
    for (int row = 0; row < rows; ++row)
      for (int d = 0; d < depth; ++d)
        y[row * pitch.y + i] += factor[row][d] * widen(b[d * pitch.b + i]);
}

/// y += a b
template <int rows, typename T>
LLMPAR_INLINE void plain(int64_t n, int64_t k, Pitches pitch, const float *a, const T *b, float *y) {
  constexpr int depth = rows <= 2 ? 8 : 4;
  int64_t d = 0;
  for (; d + depth <= k; d += depth)
    addRows<rows, depth>(n, pitch, a + d, b + d * pitch.b, y);
  for (; d < k; ++d)
    addRows<rows, 1>(n, pitch, a + d, b + d * pitch.b, y);
}

/// Half the usual lanes: with 4 x 2 sums, AVX2 still has a register for each.
typedef float Eight __attribute__((vector_size(32), may_alias));
LLMPAR_INLINE Eight loadEight(const float *x) {
  Eight eight;
  std::memcpy(&eight, x, sizeof eight);
  return eight;
}
LLMPAR_INLINE Eight loadEight(const BFloat16 *x) {
  typedef uint16_t Bits __attribute__((vector_size(16)));
  typedef uint32_t Words __attribute__((vector_size(32)));
  Bits bits;
  std::memcpy(&bits, x, sizeof bits);
  Words words = __builtin_convertvector(bits, Words) << 16;
  Eight eight;
  std::memcpy(&eight, &words, sizeof eight);
  return eight;
}

/// Dot products of `rows` rows of a with `columns` rows of b, `unroll` vectors at a time.
template <int rows, int columns, int unroll, typename T>
LLMPAR_INLINE void dots(int64_t k, Pitches pitch, const float *a, const T *b, float *y) {
  Eight sums[rows][columns][unroll] = {};
  int64_t d = 0;
  for (; d + 8 * unroll <= k; d += 8 * unroll)
    for (int u = 0; u < unroll; ++u)
      for (int column = 0; column < columns; ++column) {
        Eight right = loadEight(b + column * pitch.b + d + 8 * u);
        for (int row = 0; row < rows; ++row)
          sums[row][column][u] += loadEight(a + row * pitch.a + d + 8 * u) * right;
      }
  for (int row = 0; row < rows; ++row)
    for (int column = 0; column < columns; ++column) {
      Eight lanes = sums[row][column][0];
      for (int u = 1; u < unroll; ++u)
        lanes += sums[row][column][u];
      float sum = ((lanes[0] + lanes[4]) + (lanes[1] + lanes[5])) + ((lanes[2] + lanes[6]) + (lanes[3] + lanes[7]));
      for (int64_t rest = d; rest < k; ++rest)
        sum += a[row * pitch.a + rest] * widen(b[column * pitch.b + rest]);
      y[row * pitch.y + column] = sum;
    }
}

template <int rows, typename T>
LLMPAR_INLINE void transposed(int64_t n, int64_t k, Pitches pitch, const float *a, const T *b, float *y) {
  constexpr int columns = rows <= 2 ? 1 : 2, unroll = rows == 1 ? 8 : rows == 2 ? 4 : 1;
  int64_t i = 0;
  for (; i + columns <= n; i += columns)
    dots<rows, columns, unroll>(k, pitch, a, b + i * pitch.b, y + i);
  for (; i < n; ++i)
    dots<rows, 1, unroll>(k, pitch, a, b + i * pitch.b, y + i);
}

// Transposed: y = a b; else y += a b.
#define LLMPAR_GEMV(rows, T)                                                                                           \
  LLMPAR_CLONES void plain##rows(int64_t n, int64_t k, Pitches pitch, const float *a, const T *b, float *y) {          \
    plain<rows>(n, k, pitch, a, b, y);                                                                                 \
  }                                                                                                                    \
  LLMPAR_CLONES void transposed##rows(int64_t n, int64_t k, Pitches pitch, const float *a, const T *b, float *y) {     \
    transposed<rows>(n, k, pitch, a, b, y);                                                                            \
  }
LLMPAR_GEMV(1, float)
LLMPAR_GEMV(2, float)
LLMPAR_GEMV(3, float)
LLMPAR_GEMV(4, float)
LLMPAR_GEMV(1, BFloat16)
LLMPAR_GEMV(2, BFloat16)
LLMPAR_GEMV(3, BFloat16)
LLMPAR_GEMV(4, BFloat16)
#undef LLMPAR_GEMV

template <typename T>
void anyRows(int64_t rows, int64_t n, int64_t k, const float *a, const T *b, bool transposeB, float *y) {
  using Rows = void (*)(int64_t, int64_t, Pitches, const float *, const T *, float *);
  constexpr Rows plainRows[] = {plain1, plain2, plain3, plain4};
  constexpr Rows transposedRows[] = {transposed1, transposed2, transposed3, transposed4};
  constexpr int64_t atOnce = 4;
  if (!transposeB)
    std::memset(y, 0, static_cast<size_t>(rows * n) * sizeof(float));
  Pitches pitch = {k, transposeB ? k : n, n};
  // With all rows at once, b is read front to back.
  int64_t columns = n, depth = k;
  if (rows > atOnce && transposeB)
    columns = std::max<int64_t>(2, 32768 / k / 2 * 2);
  if (rows > atOnce && !transposeB) {
    columns = 2048;
    depth = 16;
  }
  for (int64_t column = 0; column < n; column += columns)
    for (int64_t d = 0; d < k; d += depth)
      for (int64_t row = 0; row < rows; row += atOnce) {
        int64_t index = std::min(atOnce, rows - row) - 1;
        const T *from = transposeB ? b + column * k + d : b + d * n + column;
        (transposeB ? transposedRows : plainRows)[index](std::min(columns, n - column), std::min(depth, k - d), pitch,
                                                         a + row * k + d, from, y + row * n + column);
      }
}

} // namespace

void gemv(int64_t rows, int64_t n, int64_t k, const float *a, const float *b, bool transposeB, float *y) {
  anyRows(rows, n, k, a, b, transposeB, y);
}
void gemv(int64_t rows, int64_t n, int64_t k, const float *a, const BFloat16 *b, bool transposeB, float *y) {
  anyRows(rows, n, k, a, b, transposeB, y);
}

} // namespace llmpar::rt
