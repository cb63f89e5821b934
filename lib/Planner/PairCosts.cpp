//===- PairCosts.cpp - The inner loops of all bounds ----------------------===//
//
// A block of up to 16 columns keeps its least costs in registers while the rows go by, one load, subtraction and
// minimum for four pairs. Plain C++ but for vector types, which compilers lower to what the target has.
//
//===----------------------------------------------------------------------===//
#include "PairCosts.h"

#include "llvm/ADT/STLExtras.h"
#include <algorithm>
#include <cstring>

#if defined(__x86_64__) && defined(__ELF__)
#define FOR_EACH_TARGET __attribute__((target_clones("avx2", "default")))
#else
#define FOR_EACH_TARGET
#endif
#define INLINE __attribute__((always_inline)) static inline

namespace llmpar {
namespace {

typedef double Doubles __attribute__((vector_size(kLanes * sizeof(double))));
typedef float Floats __attribute__((vector_size(kLanes * sizeof(float))));
constexpr size_t block = 4; // vectors

INLINE void load(const double *from, Doubles &to) { memcpy(&to, from, sizeof to); }
INLINE void load(const float *from, Doubles &to) {
  Floats values;
  memcpy(&values, from, sizeof values);
  to = __builtin_convertvector(values, Doubles);
}
INLINE void store(const Doubles &from, double *to) { memcpy(to, &from, sizeof from); }
INLINE void keepLeast(const Doubles &value, Doubles &least) { least = value < least ? value : least; }

template <size_t count, typename Cost>
INLINE void sendBlock(const Cost *matrix, const double *paid, size_t rows, size_t width, double *message, double *sums) {
  Doubles least[count], cost;
  for (size_t i = 0; i < count; ++i) {
    load(matrix + i * kLanes, cost);
    least[i] = cost - paid[0];
  }
  for (size_t row = 1; row < rows; ++row) {
    matrix += width;
    for (size_t i = 0; i < count; ++i) {
      load(matrix + i * kLanes, cost);
      keepLeast(cost - paid[row], least[i]);
    }
  }
  for (size_t i = 0; i < count; ++i) {
    Doubles sum, before;
    load(sums + i * kLanes, sum);
    load(message + i * kLanes, before);
    store(sum - before + least[i], sums + i * kLanes);
    store(least[i], message + i * kLanes);
  }
}

template <typename Cost> INLINE void sendBlocks(const Cost *matrix, const double *paid, size_t rows, size_t width, double *message, double *sums) {
  size_t begin = 0, step = block * kLanes;
  for (; begin + step <= width; begin += step)
    sendBlock<block>(matrix + begin, paid, rows, width, message + begin, sums + begin);
  switch ((width - begin) / kLanes) {
  case 3:
    return sendBlock<3>(matrix + begin, paid, rows, width, message + begin, sums + begin);
  case 2:
    return sendBlock<2>(matrix + begin, paid, rows, width, message + begin, sums + begin);
  case 1:
    return sendBlock<1>(matrix + begin, paid, rows, width, message + begin, sums + begin);
  }
}

FOR_EACH_TARGET void sendNarrow(const float *matrix, const double *paid, size_t rows, size_t width, double *message, double *sums) {
  sendBlocks(matrix, paid, rows, width, message, sums);
}
FOR_EACH_TARGET void sendWide(const double *matrix, const double *paid, size_t rows, size_t width, double *message, double *sums) {
  sendBlocks(matrix, paid, rows, width, message, sums);
}

} // namespace

FOR_EACH_TARGET static void keepSums(int64_t head, const int64_t *row, size_t count, int64_t label, int64_t *__restrict costs,
                                     int64_t *__restrict from) {
  for (size_t i = 0; i < count; ++i) {
    int64_t cost = head + row[i];
    from[i] = cost < costs[i] ? label : from[i];
    costs[i] = std::min(cost, costs[i]);
  }
}

void keepLeastSums(int64_t head, llvm::ArrayRef<int64_t> row, int64_t label, int64_t *costs, int64_t *from) {
  keepSums(head, row.data(), row.size(), label, costs, from);
}

double leastOf(const double *values, size_t count) {
  Doubles least, value;
  load(values, least);
  for (size_t i = kLanes; i < count; i += kLanes) {
    load(values + i, value);
    keepLeast(value, least);
  }
  return std::min(std::min(least[0], least[1]), std::min(least[2], least[3]));
}

PairCosts::PairCosts(llvm::ArrayRef<double> costs, size_t columns) : rows(costs.size() / columns), width(paddedSize(columns)) {
  isNarrow = llvm::all_of(costs, [](double cost) { return double(float(cost)) == cost; });
  auto fill = [&](auto &padded) {
    padded.resize(rows * width);
    for (size_t row = 0; row < rows; ++row)
      for (size_t i = 0; i < width; ++i)
        padded[row * width + i] = costs[row * columns + (i < columns ? i : 0)];
  };
  isNarrow ? fill(narrow) : fill(wide);
}

void PairCosts::sendLeast(const double *paid, double *message, double *sums) const {
  if (isNarrow)
    return sendNarrow(narrow.data(), paid, rows, width, message, sums);
  sendWide(wide.data(), paid, rows, width, message, sums);
}

void PairCosts::addRow(size_t row, const double *message, double *total) const {
  for (size_t i = 0; i < width; ++i)
    total[i] += at(row, i) - message[i];
}

} // namespace llmpar
