//===- Attention.cpp - attention, attention_grad ----------------*- C++ -*-===//
//
// Tiles of queries by keys (Dao et al. 2022): the products of a tile are oneDNN's sgemm, its scores stay in the
// second-level cache, and each row keeps its running maximum and sum (Milakov and Gimelshein 2018). A tile whose scores
// its masks push so low that their exponentials are 0 is left out. The gradient computes each tile's probabilities
// again from `lse`. Sums are in float; bf16 and f16 operands are converted head by head, and so are dq; dk and dv,
// which several heads may share, behind the last one.
//
//===----------------------------------------------------------------------===//
#include "cpu/CpuKernels.h"
#include "cpu/Dnnl.h"
#include "cpu/Gemv.h"
#include "cpu/Rows.h"
#include "cpu/VectorMath.h"
#include "reference/AttentionShape.h"
#include "reference/Reference.h"

#include <algorithm>
#include <optional>

namespace llmpar::rt::cpu {
namespace {

constexpr int64_t tileQueries = 64, tileKeys = 128; ///< scores of 32 KiB
constexpr float infinity = std::numeric_limits<float>::infinity();
constexpr float negligible = 110; ///< exp(-110) is 0 in float, with room for rounding of bounds

LLMPAR_CLONES void addRow(float *y, const float *x, int64_t n) {
  LLMPAR_VECTORIZE
  for (int64_t i = 0; i < n; ++i)
    y[i] += x[i];
}
LLMPAR_CLONES void shiftRow(float *y, float by, int64_t n) {
  LLMPAR_VECTORIZE
  for (int64_t i = 0; i < n; ++i)
    y[i] += by;
}
LLMPAR_CLONES void scaleRow(float *y, float by, int64_t n) {
  LLMPAR_VECTORIZE
  for (int64_t i = 0; i < n; ++i)
    y[i] *= by;
}
LLMPAR_CLONES void selectRow(float *y, const uint8_t *allowed, float otherwise, int64_t n) {
  LLMPAR_VECTORIZE
  for (int64_t i = 0; i < n; ++i)
    y[i] = allowed[i] ? y[i] : otherwise;
}
LLMPAR_CLONES float maximumOf(const float *x, int64_t n) { return math::foldRow(x, n, -infinity, math::Maximum()); }
/// x = exp(x - shift), and the sum.
LLMPAR_CLONES float exponentiateRow(float *x, float shift, int64_t n) {
  LLMPAR_VECTORIZE
  for (int64_t i = 0; i < n; ++i)
    x[i] = math::exp(x[i] - shift);
  return math::foldRow(x, n, 0.0f, math::Sum());
}
/// ds = p (dp - mean)
LLMPAR_CLONES void scoreGradRow(const float *p, float *dp, float mean, int64_t n) {
  LLMPAR_VECTORIZE
  for (int64_t i = 0; i < n; ++i)
    dp[i] = p[i] * (dp[i] - mean);
}
LLMPAR_CLONES float dotRow(const float *x, const float *y, int64_t n) {
  float lanes[math::laneCount] = {}, sum = 0;
  int64_t i = 0;
  for (; i + math::laneCount <= n; i += math::laneCount) {
    LLMPAR_VECTORIZE
    for (int64_t lane = 0; lane < math::laneCount; ++lane)
      lanes[lane] += x[i + lane] * y[i + lane];
  }
  for (float lane : lanes)
    sum += lane;
  for (; i < n; ++i)
    sum += x[i] * y[i];
  return sum;
}
LLMPAR_CLONES void addSquares(float *y, const float *x, int64_t n) {
  LLMPAR_VECTORIZE
  for (int64_t i = 0; i < n; ++i)
    y[i] += x[i] * x[i];
}
LLMPAR_CLONES bool anyAllowed(const uint8_t *allowed, int64_t n) {
  uint8_t any = 0;
  for (int64_t i = 0; i < n; ++i)
    any |= allowed[i];
  return any != 0;
}

struct Tile {
  int64_t query, queries, key, keys;
};

/// Memory of the calling thread, kept for the next call.
struct Scratch {
  std::vector<float> scores, gradients, values, maxima, sums, means, q, k, v, y, dy, dq, dk, dv, mask, packed,
      queryLengths, keyLengths;
  static Scratch &current() {
    thread_local Scratch scratch;
    return scratch;
  }
};
float *sized(std::vector<float> &buffer, int64_t n) {
  buffer.resize(std::max(buffer.size(), static_cast<size_t>(n)));
  return buffer.data();
}

/// What a tile of a mask holds, found once for all heads that share the mask.
class MaskTiles {
public:
  explicit MaskTiles(const AttentionShape &shape)
      : columns((shape.keys + tileKeys - 1) / tileKeys),
        count((shape.queries + tileQueries - 1) / tileQueries * columns), begins(shape.masks.size(), -1),
        known(shape.masks.size()) {}

  /// The greatest element (of a bool: 1 if any is true) of mask m, which begins at `begin` for this head.
  template <typename Find> float largest(size_t m, int64_t begin, const Tile &tile, Find &&find) {
    std::vector<std::optional<float>> &tiles = known[m];
    if (begins[m] != begin) {
      begins[m] = begin;
      tiles.assign(static_cast<size_t>(count), std::nullopt);
    }
    std::optional<float> &found = tiles[static_cast<size_t>(tile.query / tileQueries * columns + tile.key / tileKeys)];
    if (!found)
      found = find();
    return *found;
  }

private:
  int64_t columns, count;
  std::vector<int64_t> begins;
  std::vector<std::vector<std::optional<float>>> known;
};

/// One head's operands as floats. Keys that are stored transposed are laid out tile by tile, [width, keys] each: rows
/// that are far apart would fall on each other in the cache.
class Head {
public:
  const AttentionShape &shape;
  const Dims &index;
  const float *q, *k, *v;

  /// With few queries a tile has more keys, and transposed keys stay as they are.
  Head(const AttentionShape &shape, const KernelCall &call, int64_t head, const Dims &index, MaskTiles &maskTiles,
       bool hasFewQueries, Scratch &scratch)
      : shape(shape), index(index), maskTiles(maskTiles), hasFewQueries(hasFewQueries), scratch(scratch) {
    int64_t keys = shape.keys * shape.width, values = shape.keys * shape.valueWidth;
    q = readRow(call.inputs[0], head * shape.queries * shape.width, shape.queries * shape.width, scratch.q);
    k = readRow(call.inputs[1], shape.keyHead(index) * keys, keys, scratch.k);
    v = readRow(call.inputs[2], shape.valueHead(index) * values, values, scratch.v);
    if (!shape.masks.empty() && !hasFewQueries)
      measureRows();
    if (shape.transposesKey && !hasFewQueries)
      packKeys();
  }

  int64_t keysAtOnce() const { return hasFewQueries ? tileKeys * tileQueries / gemvRows : tileKeys; }
  bool isPacked() const { return shape.transposesKey && !hasFewQueries; }
  const float *keysAt(int64_t key) const { return k + (shape.transposesKey && !isPacked() ? key : key * shape.width); }
  int64_t keyStride(const Tile &tile) const {
    return !shape.transposesKey ? shape.width : isPacked() ? tile.keys : shape.keys;
  }

  /// What no masked score of the tile exceeds: by the lengths of its queries and keys (Cauchy-Schwarz) and its masks.
  /// NaN if one of them is.
  float bound(const Tile &tile) const {
    if (shape.masks.empty())
      return infinity;
    float highest = infinity; // of few queries lengths would cost as much as scores
    if (!hasFewQueries)
      highest = std::abs(static_cast<float>(shape.scale)) * maximumOf(queryLengths + tile.query, tile.queries) *
                maximumOf(keyLengths + tile.key, tile.keys);
    auto fill = static_cast<float>(shape.fill);
    for (size_t m = 0; m < shape.masks.size(); ++m) {
      float largest = maskTiles.largest(m, shape.maskBegin(m, index), tile, [&] { return largestOf(m, tile); });
      if (shape.masks[m].dtype != DType::Bool)
        highest += largest;
      else
        highest = largest == 0 ? fill : math::Maximum()(highest, fill);
    }
    return highest;
  }

  /// Masked scores of a tile, [queries, keys].
  void scores(const Tile &tile, float *s) const {
    if (hasFewQueries && !shape.transposesKey) {
      gemv(tile.queries, tile.keys, shape.width, q + tile.query * shape.width, keysAt(tile.key), true, s);
      scaleRow(s, static_cast<float>(shape.scale), tile.queries * tile.keys);
    } else {
      sgemm(false, !shape.transposesKey, tile.queries, tile.keys, shape.width, static_cast<float>(shape.scale),
            q + tile.query * shape.width, shape.width, keysAt(tile.key), keyStride(tile), 0, s, tile.keys);
    }
    for (size_t m = 0; m < shape.masks.size(); ++m)
      forEachMaskRow(m, tile, [&](int64_t i, const auto *row, int64_t n) {
        float *to = s + i * tile.keys;
        if constexpr (std::is_same_v<decltype(row), const uint8_t *>) {
          if (n == tile.keys)
            selectRow(to, row, static_cast<float>(shape.fill), n);
          else if (!*row)
            std::fill_n(to, tile.keys, static_cast<float>(shape.fill));
        } else {
          n == tile.keys ? addRow(to, row, n) : shiftRow(to, *row, tile.keys);
        }
      });
  }

  /// ds = 0 where a mask replaced the score.
  void dropForbidden(const Tile &tile, float *ds) const {
    for (size_t m = 0; m < shape.masks.size(); ++m)
      forEachMaskRow(m, tile, [&](int64_t i, const auto *row, int64_t n) {
        if constexpr (std::is_same_v<decltype(row), const uint8_t *>) {
          if (n == tile.keys)
            selectRow(ds + i * tile.keys, row, 0, n);
          else if (!*row)
            std::fill_n(ds + i * tile.keys, tile.keys, 0.0f);
        }
      });
  }

private:
  MaskTiles &maskTiles;
  bool hasFewQueries;
  Scratch &scratch;
  const float *queryLengths = nullptr, *keyLengths = nullptr;

  void measureRows() {
    float *queries = sized(scratch.queryLengths, shape.queries), *keys = sized(scratch.keyLengths, shape.keys);
    for (int64_t i = 0; i < shape.queries; ++i)
      queries[i] = std::sqrt(dotRow(q + i * shape.width, q + i * shape.width, shape.width));
    if (shape.transposesKey) {
      std::fill_n(keys, shape.keys, 0.0f);
      for (int64_t c = 0; c < shape.width; ++c)
        addSquares(keys, k + c * shape.keys, shape.keys);
    }
    for (int64_t j = 0; j < shape.keys; ++j)
      keys[j] =
          std::sqrt(shape.transposesKey ? keys[j] : dotRow(k + j * shape.width, k + j * shape.width, shape.width));
    queryLengths = queries;
    keyLengths = keys;
  }

  void packKeys() {
    float *packed = sized(scratch.packed, shape.keys * shape.width);
    for (int64_t key = 0; key < shape.keys; key += tileKeys) {
      int64_t n = std::min(tileKeys, shape.keys - key);
      for (int64_t c = 0; c < shape.width; ++c)
        std::copy_n(k + c * shape.keys + key, n, packed + key * shape.width + c * n);
    }
    k = packed;
  }

  float largestOf(size_t m, const Tile &tile) const {
    float largest = -infinity;
    bool any = false;
    forEachMaskRow(m, tile, [&](int64_t, const auto *row, int64_t n) {
      if constexpr (std::is_same_v<decltype(row), const uint8_t *>)
        any = any || anyAllowed(row, n);
      else
        largest = math::Maximum()(largest, maximumOf(row, n));
    });
    return shape.masks[m].dtype == DType::Bool ? any : largest;
  }

  /// Calls `body(i, row, n)` for the mask's rows: n bytes or floats, one for each key, or one for all.
  template <typename Body> void forEachMaskRow(size_t m, const Tile &tile, Body &&body) const {
    const TensorView &mask = shape.masks[m];
    int64_t n = shape.maskKeyStride(m) == 0 ? 1 : tile.keys;
    for (int64_t i = 0; i < tile.queries; ++i) {
      int64_t at =
          shape.maskBegin(m, index) + (tile.query + i) * shape.maskRowStride(m) + tile.key * shape.maskKeyStride(m);
      if (mask.dtype == DType::Bool)
        body(i, mask.as<const uint8_t>() + at, n);
      else
        body(i, readRow(mask, at, n, scratch.mask), n);
    }
  }
};

bool hasFloatOperands(const KernelCall &call, size_t firstMask) {
  return isNarrowable(call.inputs[0].dtype) &&
         std::ranges::all_of(call.inputs.subspan(firstMask), [](const TensorView &mask) {
           return mask.dtype == DType::Bool || isNarrowable(mask.dtype);
         });
}

/// With scores far from 0 a float lse has lost the logarithm of the sum: the largest that has not, by 2e-5.
constexpr float largestExact = 256;

/// Turns a tile's scores into exp(score - maximum) with each row's running maximum, and its sum and y to that maximum.
void accumulate(const Tile &tile, float *s, float *maxima, float *sums, float *y, int64_t width) {
  for (int64_t i = 0; i < tile.queries; ++i) {
    float *row = s + i * tile.keys;
    float highest = math::Maximum()(maxima[i], maximumOf(row, tile.keys));
    float factor = highest == -infinity ? 1.0f : std::exp(maxima[i] - highest);
    sums[i] *= factor;
    if (highest == -infinity) // no key so far
      std::fill_n(row, tile.keys, 0.0f);
    else
      sums[i] += exponentiateRow(row, highest, tile.keys);
    maxima[i] = highest;
    scaleRow(y + i * width, factor, width);
  }
}

/// Rows [query, query + queries) of one head: y, and lse.
void attendRows(const Head &head, int64_t query, int64_t queries, float *y, float *lse, Scratch &scratch) {
  const AttentionShape &shape = head.shape;
  int64_t width = shape.valueWidth;
  int64_t keysAtOnce = head.keysAtOnce();
  float *s = sized(scratch.scores, queries * keysAtOnce), *part = sized(scratch.values, queries * width);
  float *maxima = sized(scratch.maxima, queries), *sums = sized(scratch.sums, queries);
  std::fill_n(maxima, queries, -infinity);
  std::fill_n(sums, queries, 0.0f);
  std::fill_n(y, queries * width, 0.0f);
  for (int64_t key = 0; key < shape.keys; key += keysAtOnce) {
    Tile tile{query, queries, key, std::min(keysAtOnce, shape.keys - key)};
    float bound = head.bound(tile), least = *std::min_element(maxima, maxima + queries);
    if (bound == -infinity || bound + negligible < least)
      continue;
    head.scores(tile, s);
    accumulate(tile, s, maxima, sums, y, width);
    if (shape.queries <= gemvRows) {
      gemv(queries, width, tile.keys, s, head.v + key * width, false, part);
      addRow(y, part, queries * width);
    } else {
      sgemm(false, false, queries, width, tile.keys, 1, s, tile.keys, head.v + key * width, width, 1, y, width);
    }
  }
  for (int64_t i = 0; i < queries; ++i) {
    lse[i] = maxima[i] + std::log(sums[i]);
    float *row = y + i * width;
    if (sums[i] > 0)
      scaleRow(row, 1 / sums[i], width);
    else
      std::fill_n(row, width, shape.keys == 0 || shape.zeroesEmpty ? 0.0f : std::numeric_limits<float>::quiet_NaN());
  }
}

} // namespace

Status attention(const KernelCall &call) {
  const TensorView &y = call.outputs[0];
  if (!hasFloatOperands(call, 3))
    return reference::attention(call);
  AttentionShape shape(call, 3);
  if (y.elements() == 0 && call.outputs[1].elements() == 0)
    return Status::success();
  if (shape.width == 0 || shape.valueWidth == 0)
    return reference::attention(call);
  return guarded("attention", [&] {
    DnnlThread::current(); // sets the number of threads
    Scratch &scratch = Scratch::current();
    MaskTiles maskTiles(shape);
    int64_t size = shape.queries * shape.valueWidth;
    shape.forEachHead([&](int64_t number, const Dims &index) {
      Head head(shape, call, number, index, maskTiles, shape.queries <= gemvRows, scratch);
      float *result = y.dtype == DType::F32 ? y.as<float>() + number * size : sized(scratch.y, size);
      for (int64_t query = 0; query < shape.queries; query += tileQueries)
        attendRows(head, query, std::min(tileQueries, shape.queries - query), result + query * shape.valueWidth,
                   call.outputs[1].as<float>() + number * shape.queries + query, scratch);
      if (y.dtype != DType::F32)
        narrow(y.dtype, result, y.as<char>() + number * size * static_cast<int64_t>(dtypeSize(y.dtype)), size);
    });
    return Status::success();
  });
}

Status attention_grad(const KernelCall &call) {
  AttentionShape shape(call, 6);
  if (!hasFloatOperands(call, 6) || shape.width == 0 || shape.valueWidth == 0)
    return reference::attention_grad(call);
  return guarded("attention_grad", [&] {
    DnnlThread::current(); // sets the number of threads
    Scratch &scratch = Scratch::current();
    const TensorView &dqs = call.outputs[0], &dks = call.outputs[1], &dvs = call.outputs[2];
    bool isNarrow = dqs.dtype != DType::F32;
    float *allKeys = isNarrow ? sized(scratch.dk, dks.elements()) : dks.as<float>();
    float *allValues = isNarrow ? sized(scratch.dv, dvs.elements()) : dvs.as<float>();
    std::fill_n(allKeys, dks.elements(), 0.0f);
    std::fill_n(allValues, dvs.elements(), 0.0f);
    MaskTiles maskTiles(shape);
    float *p = sized(scratch.scores, tileQueries * tileKeys), *ds = sized(scratch.gradients, tileQueries * tileKeys);
    float *means = sized(scratch.means, tileQueries), *shifts = sized(scratch.maxima, tileQueries);
    float *sums = sized(scratch.sums, tileQueries);
    auto scale = static_cast<float>(shape.scale);
    int64_t d = shape.width, e = shape.valueWidth;
    bool fillIsFinite = std::isfinite(shape.fill);
    shape.forEachHead([&](int64_t number, const Dims &index) {
      Head head(shape, call, number, index, maskTiles, /*hasFewQueries=*/false, scratch);
      int64_t begin = number * shape.queries;
      const float *y = readRow(call.inputs[3], begin * e, shape.queries * e, scratch.y);
      const float *dy = readRow(call.inputs[5], begin * e, shape.queries * e, scratch.dy);
      const float *lse = call.inputs[4].as<const float>() + begin;
      float *dk = allKeys + shape.keyHead(index) * shape.keys * d;
      float *dv = allValues + shape.valueHead(index) * shape.keys * e;
      float *dq = isNarrow ? sized(scratch.dq, shape.queries * d) : dqs.as<float>() + begin * d;
      std::fill_n(dq, shape.queries * d, 0.0f);
      for (int64_t query = 0; query < shape.queries; query += tileQueries) {
        int64_t rows = std::min(tileQueries, shape.queries - query);
        for (int64_t i = 0; i < rows; ++i)
          means[i] = dotRow(y + (query + i) * e, dy + (query + i) * e, e);
        // p = exp(score - shift) / sum
        std::copy_n(lse + query, rows, shifts);
        std::fill_n(sums, rows, 1.0f);
        if (std::any_of(shifts, shifts + rows, [](float x) { return std::abs(x) > largestExact && x > -infinity; })) {
          std::fill_n(shifts, rows, -infinity);
          std::fill_n(sums, rows, 0.0f);
          for (int64_t key = 0; key < shape.keys; key += tileKeys) {
            Tile tile{query, rows, key, std::min(tileKeys, shape.keys - key)};
            head.scores(tile, p);
            accumulate(tile, p, shifts, sums, nullptr, 0);
          }
        }
        float least = *std::min_element(shifts, shifts + rows);
        for (int64_t key = 0; key < shape.keys; key += tileKeys) {
          Tile tile{query, rows, key, std::min(tileKeys, shape.keys - key)};
          if (float bound = head.bound(tile); bound == -infinity || bound + negligible < least)
            continue;
          head.scores(tile, p);
          sgemm(false, true, rows, tile.keys, e, 1, dy + query * e, e, head.v + key * e, e, 0, ds, tile.keys);
          for (int64_t i = 0; i < rows; ++i) {
            float *row = p + i * tile.keys;
            if (lse[query + i] == -infinity || (shape.zeroesEmpty && !std::isfinite(lse[query + i]))) {
              std::fill_n(row, tile.keys, 0.0f);
              std::fill_n(ds + i * tile.keys, tile.keys, 0.0f);
              continue;
            }
            exponentiateRow(row, shifts[i], tile.keys);
            if (sums[i] != 1)
              scaleRow(row, 1 / sums[i], tile.keys);
            scoreGradRow(row, ds + i * tile.keys, means[i], tile.keys);
          }
          if (fillIsFinite)
            head.dropForbidden(tile, ds);
          sgemm(true, false, tile.keys, e, rows, 1, p, tile.keys, dy + query * e, e, 1, dv + key * e, e);
          sgemm(false, shape.transposesKey, rows, d, tile.keys, scale, ds, tile.keys, head.keysAt(key),
                head.keyStride(tile), 1, dq + query * d, d);
          if (shape.transposesKey)
            sgemm(true, false, d, tile.keys, rows, scale, head.q + query * d, d, ds, tile.keys, 1, dk + key,
                  shape.keys);
          else
            sgemm(true, false, tile.keys, d, rows, scale, ds, tile.keys, head.q + query * d, d, 1, dk + key * d, d);
        }
      }
      if (isNarrow)
        narrow(dqs.dtype, dq, dqs.as<uint16_t>() + begin * d, shape.queries * d);
    });
    if (isNarrow) {
      narrow(dks.dtype, allKeys, dks.data, dks.elements());
      narrow(dvs.dtype, allValues, dvs.data, dvs.elements());
    }
    return Status::success();
  });
}

} // namespace llmpar::rt::cpu
