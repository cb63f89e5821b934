//===- SampleOrder.h - Which samples a batch takes --------------*- C++ -*-===//
#ifndef LLMPAR_DATA_SAMPLEORDER_H
#define LLMPAR_DATA_SAMPLEORDER_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <array>
#include <cstdint>
#include <vector>

namespace llmpar {

/// Samples [begin, end) of a token file.
struct SampleRange {
  int64_t begin = 0, end = 0;
  int64_t size() const { return end - begin; }
};

/// Training, validation and test samples, one behind the other, in the proportion of `weights`:
///   "969,30,1" of 2000 samples: [0, 1938), [1938, 1998), [1998, 2000)
/// One or two weights leave the other ranges empty. Errors: not one to three numbers of at least 0 with a sum above 0.
llvm::Expected<std::array<SampleRange, 3>> splitSamples(llvm::StringRef weights, int64_t samples);

/// The order of training. The rows of a batch form groups of consecutive rows, each with samples of its own, in
/// proportion to its rows. An epoch of a group visits each of its samples once, in an order that depends on the seed,
/// the group and the number of the epoch alone; so all groups together visit every sample once.
///
///   {8}          all rows draw from all samples: the order is the same for any number of replicas
///   {2, 2, 2, 2} each of four replicas reads one part of the file
///   {4, 4}       each of two nodes does, and its devices draw from that
///
/// A batch may begin in one epoch and end in the next.
class SampleOrder {
public:
  /// `range` has a sample for every row at least.
  SampleOrder(SampleRange range, llvm::ArrayRef<int64_t> groupRows, uint64_t seed);

  /// The sample of row `row` of a batch; `position`: samples that all batches before it took.
  int64_t at(int64_t position, int64_t row);

private:
  struct Group {
    int64_t firstRow, rows;
    SampleRange range;
    int64_t epoch = -1;
    std::vector<int64_t> order{}; ///< of that epoch
  };
  int64_t sampleOf(Group &group, int64_t position) const;

  int64_t batch = 0;
  uint64_t seed;
  std::vector<Group> groups;
};

} // namespace llmpar

#endif // LLMPAR_DATA_SAMPLEORDER_H
