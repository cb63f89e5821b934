//===- SampleOrder.cpp - Which samples a batch takes ------------------------===//
#include "llmpar/Data/SampleOrder.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallVector.h"
#include <cmath>
#include <numeric>
#include <random>

namespace llmpar {

llvm::Expected<std::array<SampleRange, 3>> splitSamples(llvm::StringRef weights, int64_t samples) {
  llvm::SmallVector<llvm::StringRef, 3> texts;
  weights.split(texts, ',');
  llvm::SmallVector<double, 3> shares;
  bool ok = texts.size() <= 3;
  for (llvm::StringRef text : texts) {
    double share = 0;
    ok = ok && !text.trim().getAsDouble(share) && share >= 0 && std::isfinite(share);
    shares.push_back(share);
  }
  double sum = std::accumulate(shares.begin(), shares.end(), 0.0), passed = 0;
  if (!ok || !(sum > 0))
    return llvm::createStringError("'" + weights +
                                   "' is no split: write weights of training, validation and test like 969,30,1");
  std::array<SampleRange, 3> ranges;
  int64_t begin = 0;
  for (auto [index, range] : llvm::enumerate(ranges)) {
    passed += index < shares.size() ? shares[index] : 0;
    range = {begin, std::llround(static_cast<double>(samples) * (passed / sum))};
    begin = range.end;
  }
  return ranges;
}

SampleOrder::SampleOrder(SampleRange range, llvm::ArrayRef<int64_t> groupRows, uint64_t seed) : seed(seed) {
  for (int64_t rows : groupRows) {
    groups.push_back({.firstRow = batch, .rows = rows, .range = {}});
    batch += rows;
  }
  for (Group &group : groups) {
    auto bound = [&](int64_t row) { return range.begin + range.size() * row / batch; };
    group.range = {bound(group.firstRow), bound(group.firstRow + group.rows)};
  }
}

int64_t SampleOrder::at(int64_t position, int64_t row) {
  auto next = llvm::upper_bound(groups, row, [](int64_t r, const Group &group) { return r < group.firstRow; });
  Group &group = *std::prev(next);
  return sampleOf(group, position * group.rows / batch + row - group.firstRow);
}

int64_t SampleOrder::sampleOf(Group &group, int64_t position) const {
  int64_t count = group.range.size();
  if (position / count != group.epoch) {
    group.epoch = position / count;
    group.order.resize(static_cast<size_t>(count));
    std::iota(group.order.begin(), group.order.end(), group.range.begin);
    std::mt19937_64 random(seed ^ (0x9e3779b97f4a7c15ull * static_cast<uint64_t>(group.epoch + 1)) ^
                           (0xc2b2ae3d27d4eb4full * static_cast<uint64_t>(group.firstRow)));
    for (size_t i = group.order.size(); i > 1; --i) // std::shuffle's order is the library's own affair
      std::swap(group.order[i - 1], group.order[random() % i]);
  }
  return group.order[static_cast<size_t>(position % count)];
}

} // namespace llmpar
