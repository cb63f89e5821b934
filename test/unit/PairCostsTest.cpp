//===- PairCostsTest.cpp - Messages along an edge --------------------------===//
#include "../../lib/Planner/PairCosts.h"

#include "gtest/gtest.h"
#include <algorithm>
#include <limits>
#include <vector>

namespace llmpar {
namespace {

/// Every width of a block, with and without a rest: costs `scale` apart, one of a row forbidden.
void expectLeastOfEachColumn(double scale) {
  for (size_t rows : {1, 2, 7})
    for (size_t columns = 1; columns <= 37; ++columns) {
      std::vector<double> costs, paid;
      for (size_t i = 0; i < rows * columns; ++i)
        costs.push_back(i % 11 == 5 ? std::numeric_limits<double>::infinity() : scale * double(i * 7919 % 101));
      for (size_t row = 0; row < rows; ++row)
        paid.push_back(scale * double(row * 31 % 17));
      PairCosts pairs(costs, columns);
      std::vector<double> message(paddedSize(columns), 3), sums(paddedSize(columns), 10);
      pairs.sendLeast(paid.data(), message.data(), sums.data());
      for (size_t i = 0; i < columns; ++i) {
        double least = std::numeric_limits<double>::infinity();
        for (size_t row = 0; row < rows; ++row)
          least = std::min(least, costs[row * columns + i] - paid[row]);
        EXPECT_EQ(pairs.at(rows - 1, i), costs[(rows - 1) * columns + i]);
        EXPECT_EQ(message[i], least) << rows << " x " << columns << ", column " << i;
        EXPECT_EQ(sums[i], 10 - 3 + least) << rows << " x " << columns << ", column " << i;
      }
    }
}

TEST(PairCosts, MessageIsTheLeastOfEachColumn) { expectLeastOfEachColumn(1); }

// 2^25 + 1 is no float.
TEST(PairCosts, CostsThatFloatsDoNotHoldStayExact) { expectLeastOfEachColumn((1 << 25) + 1); }

TEST(PairCosts, TheLeastIgnoresPadding) {
  for (size_t count = 1; count <= 13; ++count) {
    std::vector<double> values(paddedSize(count), -1);
    for (size_t i = 0; i < count; ++i)
      values[i] = double((i * 5 + 3) % 13);
    double least = *std::min_element(values.begin(), values.begin() + count);
    pad(values.data(), count);
    EXPECT_EQ(leastOf(values.data(), count), least) << count;
  }
}

} // namespace
} // namespace llmpar
