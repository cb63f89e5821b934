//===- PackBuffersTest.cpp - Packing against brute force --------------------===//
#include "llmpar/Planner/PackBuffers.h"

#include "gtest/gtest.h"
#include <algorithm>
#include <numeric>
#include <random>

using namespace llmpar;

namespace {

std::vector<Buffer> randomBuffers(std::mt19937 &random, int count, int steps, int64_t unit) {
  std::vector<Buffer> buffers;
  for (int i = 0; i < count; ++i) {
    int64_t begin = static_cast<int64_t>(random() % steps), length = 1 + static_cast<int64_t>(random() % 4);
    buffers.push_back({.lifetime = {begin, begin + length}, .size = unit * (1 + static_cast<int64_t>(random() % 6))});
  }
  return buffers;
}

/// The smallest arena: some insertion order with first fit reaches every bottom-justified optimum.
int64_t bruteForce(const std::vector<Buffer> &buffers) {
  std::vector<size_t> order(buffers.size());
  std::iota(order.begin(), order.end(), size_t(0));
  int64_t best = INT64_MAX;
  do {
    std::vector<std::pair<size_t, int64_t>> placed;
    int64_t size = 0;
    for (size_t i : order) {
      int64_t offset = 0;
      for (bool moved = true; moved;) {
        moved = false;
        for (auto [j, at] : placed)
          if (buffers[i].lifetime.begin < buffers[j].lifetime.end &&
              buffers[j].lifetime.begin < buffers[i].lifetime.end && offset < at + buffers[j].size &&
              at < offset + buffers[i].size)
            offset = at + buffers[j].size, moved = true;
      }
      placed.push_back({i, offset});
      size = std::max(size, offset + buffers[i].size);
    }
    best = std::min(best, size);
  } while (std::next_permutation(order.begin(), order.end()));
  return best;
}

testing::AssertionResult isLegal(const std::vector<Buffer> &buffers, const Packing &packing, int64_t alignment = 64) {
  if (llvm::Error error = verifyPacking(buffers, packing, alignment))
    return testing::AssertionFailure() << llvm::toString(std::move(error));
  return testing::AssertionSuccess();
}

TEST(PackBuffers, ReusesSpaceOfEndedBuffers) {
  std::vector<Buffer> buffers = {
      {.lifetime = {0, 2}, .size = 64}, {.lifetime = {1, 3}, .size = 64}, {.lifetime = {2, 4}, .size = 64}};
  Packing packing = packBuffers(buffers);
  EXPECT_EQ(packing.size, 128);
  EXPECT_EQ(packing.lowerBound, 128);
  EXPECT_TRUE(isLegal(buffers, packing));
}

TEST(PackBuffers, AlignsOffsetsAndTheBound) {
  std::vector<Buffer> buffers = {{.lifetime = {0, 2}, .size = 4}, {.lifetime = {0, 2}, .size = 70}};
  Packing packing = packBuffers(buffers);
  EXPECT_EQ(packing.size, 192);
  EXPECT_EQ(packing.lowerBound, 192);
  EXPECT_TRUE(isLegal(buffers, packing));
}

TEST(PackBuffers, EmptyBuffersTakeNoSpace) {
  std::vector<Buffer> buffers = {{.lifetime = {0, 2}, .size = 0}, {.lifetime = {0, 2}, .size = 0}};
  Packing packing = packBuffers(buffers);
  EXPECT_EQ(packing.size, 0);
  EXPECT_TRUE(isLegal(buffers, packing));
  EXPECT_EQ(packBuffers({}).size, 0);
}

TEST(PackBuffers, IsCloseToBruteForce) {
  std::mt19937 random(7);
  int optimal = 0, cases = 200;
  for (int i = 0; i < cases; ++i) {
    std::vector<Buffer> buffers = randomBuffers(random, 6, 6, 64);
    Packing packing = packBuffers(buffers);
    ASSERT_TRUE(isLegal(buffers, packing));
    int64_t best = bruteForce(buffers);
    ASSERT_GE(best, packing.lowerBound);
    ASSERT_GE(packing.size, best);
    ASSERT_LE(packing.size, best * 5 / 4) << "case " << i;
    optimal += packing.size == best;
  }
  EXPECT_GE(optimal, cases * 95 / 100);
}

TEST(PackBuffers, StaysNearTheBoundOnLargeProblems) {
  std::mt19937 random(11);
  std::vector<Buffer> buffers = randomBuffers(random, 2000, 1000, 4096);
  buffers.push_back({.lifetime = {0, 1000}, .size = 1 << 20}); // a residual that lives throughout
  Packing packing = packBuffers(buffers);
  EXPECT_TRUE(isLegal(buffers, packing));
  EXPECT_LE(double(packing.size), 1.15 * double(packing.lowerBound)) << packing.order.str();
}

TEST(VerifyPacking, FindsOverlap) {
  std::vector<Buffer> buffers = {{.lifetime = {0, 2}, .size = 128}, {.lifetime = {1, 3}, .size = 64}};
  EXPECT_EQ(llvm::toString(verifyPacking(buffers, {.offsets = {0, 64}, .size = 128})),
            "buffers 0 and 1 overlap: both live at step 1, at [0, 128) and [64, 128)");
}

TEST(VerifyPacking, FindsMisalignedAndOutsideBuffers) {
  std::vector<Buffer> buffers = {{.lifetime = {0, 2}, .size = 64}};
  EXPECT_EQ(llvm::toString(verifyPacking(buffers, {.offsets = {8}, .size = 128})),
            "buffer 0: offset 8 is not a multiple of 64");
  EXPECT_EQ(llvm::toString(verifyPacking(buffers, {.offsets = {64}, .size = 64})),
            "buffer 0: [64, +64) ends behind the arena of 64 bytes");
}

} // namespace
