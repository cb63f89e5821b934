//===- PairCosts.h - Costs of an edge, laid out for messages ----*- C++ -*-===//
//
// Arrays by strategy are padded to whole vectors by copies of the first strategy: having a strategy twice changes no
// minimum, and no loop needs a rest. Costs that floats hold exactly are floats, to take half the memory; all
// arithmetic is in doubles.
//
//===----------------------------------------------------------------------===//
#ifndef LLMPAR_LIB_PLANNER_PAIRCOSTS_H
#define LLMPAR_LIB_PLANNER_PAIRCOSTS_H

#include "llvm/ADT/ArrayRef.h"

namespace llmpar {

inline constexpr size_t kLanes = 4;
inline size_t paddedSize(size_t count) { return (count + kLanes - 1) / kLanes * kLanes; }
/// Makes the entries behind the first `count` equal to the first one.
inline void pad(double *values, size_t count) { std::fill(values + count, values + paddedSize(count), values[0]); }
/// The least of an array of paddedSize(count) numbers.
double leastOf(const double *values, size_t count);

class PairCosts {
public:
  PairCosts(llvm::ArrayRef<double> costs, size_t columns);

  double at(size_t row, size_t column) const { return isNarrow ? double(narrow[row * width + column]) : wide[row * width + column]; }
  /// A new message to the columns: message[i] = min over rows j of cost[j][i] - paid[j]. Keeps it in the columns' `sums`.
  void sendLeast(const double *paid, double *message, double *sums) const;
  /// total[i] += cost[row][i] - message[i]
  void addRow(size_t row, const double *message, double *total) const;

private:
  size_t rows, width; ///< width: padded
  bool isNarrow;
  std::vector<float> narrow; ///< row-major
  std::vector<double> wide;  ///< the same, if floats are not exact
};

/// costs[j] = min(costs[j], head + row[j]); where it becomes less, from[j] = `label`. No sum overflows.
void keepLeastSums(int64_t head, llvm::ArrayRef<int64_t> row, int64_t label, int64_t *costs, int64_t *from);

} // namespace llmpar

#endif // LLMPAR_LIB_PLANNER_PAIRCOSTS_H
