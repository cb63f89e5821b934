//===- SampleOrderTest.cpp - Every epoch visits every sample once -----------===//
#include "llmpar/Data/SampleOrder.h"

#include "llvm/ADT/STLExtras.h"
#include <gtest/gtest.h>
#include <numeric>

namespace llmpar {
namespace {

using Groups = std::vector<int64_t>;

/// The samples of `steps` batches, by row.
std::vector<std::vector<int64_t>> samplesOfRows(SampleRange range, const Groups &groups, uint64_t seed, int64_t steps) {
  SampleOrder order(range, groups, seed);
  int64_t batch = std::accumulate(groups.begin(), groups.end(), int64_t(0));
  std::vector<std::vector<int64_t>> rows(batch);
  for (int64_t step = 0; step < steps; ++step)
    for (int64_t row = 0; row < batch; ++row)
      rows[row].push_back(order.at(step * batch, row));
  return rows;
}

/// What the rows of each group took, in order.
std::vector<std::vector<int64_t>> samplesOfGroups(SampleRange range, const Groups &groups, int64_t steps) {
  auto rows = samplesOfRows(range, groups, /*seed=*/5, steps);
  std::vector<std::vector<int64_t>> streams;
  int64_t first = 0;
  for (int64_t count : groups) {
    auto &stream = streams.emplace_back();
    for (int64_t step = 0; step < steps; ++step)
      for (int64_t row = first; row < first + count; ++row)
        stream.push_back(rows[row][step]);
    first += count;
  }
  return streams;
}

TEST(SampleOrder, EveryEpochOfAllGroupsCoversEverySampleOnce) {
  for (const Groups &groups : {Groups{1}, Groups{8}, Groups{4, 4}, Groups{2, 2, 2, 2}, Groups{2, 1, 1}, Groups{3, 3, 2},
                               Groups{1, 1, 1, 1, 1, 1, 1}})
    for (int64_t samples : {8, 9, 23, 64}) {
      SampleRange range{10, 10 + samples};
      int64_t epochs = 3;
      auto streams = samplesOfGroups(range, groups, (epochs + 1) * samples);
      std::vector<int64_t> all(samples), sizes;
      for (auto [group, stream] : llvm::enumerate(streams)) {
        int64_t rowsBefore = std::accumulate(groups.begin(), groups.begin() + group, int64_t(0)),
                batch = std::accumulate(groups.begin(), groups.end(), int64_t(0));
        int64_t size = samples * (rowsBefore + groups[group]) / batch - samples * rowsBefore / batch;
        for (int64_t i = 0; i < epochs * size; ++i) {
          ASSERT_GE(stream[i], range.begin);
          ASSERT_LT(stream[i], range.end);
          // In its own epoch e a group meets each of its samples for the (e + 1)-th time.
          EXPECT_EQ(all[stream[i] - range.begin]++, i / size);
        }
      }
      EXPECT_TRUE(llvm::all_of(all, [&](int64_t times) { return times == epochs; }));
    }
}

TEST(SampleOrder, GroupsReadPartsOfTheirOwn) {
  auto streams = samplesOfGroups({0, 30}, {2, 1, 1}, 40);
  auto range = [](const std::vector<int64_t> &x) { return std::pair(*llvm::min_element(x), *llvm::max_element(x)); };
  EXPECT_EQ(range(streams[0]), std::pair(int64_t(0), int64_t(14)));
  EXPECT_EQ(range(streams[1]), std::pair(int64_t(15), int64_t(21)));
  EXPECT_EQ(range(streams[2]), std::pair(int64_t(22), int64_t(29)));
}

TEST(SampleOrder, OneGroupHasAnOrderOfItsOwnWhateverTheBatch) {
  SampleOrder four({0, 23}, 4, 7), three({0, 23}, 3, 7);
  for (int64_t i = 0; i < 60; ++i)
    EXPECT_EQ(four.at(i / 4 * 4, i % 4), three.at(i / 3 * 3, i % 3));
}

TEST(SampleOrder, AnyPositionMayComeFirst) {
  SampleOrder whole({0, 23}, {2, 2}, 7), resumed({0, 23}, {2, 2}, 7);
  std::vector<int64_t> expected;
  for (int64_t step = 0; step < 30; ++step)
    for (int64_t row = 0; row < 4; ++row)
      expected.push_back(whole.at(step * 4, row));
  for (int64_t step = 17; step < 30; ++step)
    for (int64_t row = 0; row < 4; ++row)
      EXPECT_EQ(resumed.at(step * 4, row), expected[step * 4 + row]);
}

TEST(SampleOrder, SeedEpochAndGroupChangeTheOrder) {
  auto rows = [](uint64_t seed) { return samplesOfRows({0, 64}, {1, 1}, seed, 64); };
  auto first = rows(1);
  EXPECT_NE(first, rows(2));
  EXPECT_EQ(first, rows(1));
  std::vector<int64_t> epoch0(first[0].begin(), first[0].begin() + 32), epoch1(first[0].begin() + 32, first[0].end()),
      other(first[1].begin(), first[1].begin() + 32);
  EXPECT_NE(epoch0, epoch1);
  for (int64_t &sample : other)
    sample -= 32;
  EXPECT_NE(epoch0, other);
}

TEST(SplitSamples, WeightsDivideTheFile) {
  auto split = splitSamples("969,30,1", 2000);
  ASSERT_TRUE(bool(split));
  EXPECT_EQ((*split)[0].end, 1938);
  EXPECT_EQ((*split)[1].begin, 1938);
  EXPECT_EQ((*split)[1].end, 1998);
  EXPECT_EQ((*split)[2].end, 2000);
  auto whole = splitSamples("1", 7);
  ASSERT_TRUE(bool(whole));
  EXPECT_EQ((*whole)[0].size(), 7);
  EXPECT_EQ((*whole)[1].size() + (*whole)[2].size(), 0);
  auto none = splitSamples("0, 1", 7);
  ASSERT_TRUE(bool(none));
  EXPECT_EQ((*none)[1].size(), 7);
}

TEST(SplitSamples, OtherTextsAreRefused) {
  for (const char *text : {"", "a", "1,-1", "0,0,0", "1,2,3,4", "inf", "1,,2"}) {
    auto split = splitSamples(text, 10);
    ASSERT_FALSE(bool(split)) << text;
    EXPECT_NE(llvm::toString(split.takeError()).find("is no split: write weights of training"), std::string::npos);
  }
}

} // namespace
} // namespace llmpar
