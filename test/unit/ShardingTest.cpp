//===- ShardingTest.cpp - Meshes and the ranges of ranks --------------------===//
#include "Placement.h"

#include "gtest/gtest.h"

using namespace llmpar;

namespace {

std::string errorOf(llvm::StringRef text) {
  llvm::Expected<Mesh> mesh = Mesh::parse(text);
  return mesh ? "" : llvm::toString(mesh.takeError());
}
std::string ranges(const DimSharding &dim, int64_t size, const Mesh &mesh) {
  std::string text;
  for (int64_t rank = 0; rank < mesh.ranks(); ++rank) {
    ShardRange range = shardOf(dim, size, mesh, rank);
    text += "[" + std::to_string(range.begin) + "," + std::to_string(range.end) + ")";
  }
  return text;
}
bool contains(const std::string &text, llvm::StringRef part) { return llvm::StringRef(text).contains(part); }

TEST(Mesh, ParsesAxesInOrder) {
  Mesh mesh = llvm::cantFail(Mesh::parse(" dp = 2, tp=4 "));
  EXPECT_EQ(mesh.str(), "dp=2,tp=4");
  EXPECT_EQ(mesh.ranks(), 8);
  EXPECT_EQ(mesh.find("tp"), 1);
  EXPECT_EQ(mesh.find("pp"), -1);
}

TEST(Mesh, NoAxesIsOneRank) { EXPECT_EQ(llvm::cantFail(Mesh::parse("")).ranks(), 1); }

TEST(Mesh, ErrorsNameTheMistakeAndTheGrammar) {
  EXPECT_TRUE(contains(errorOf("dp"), "axis 'dp' has size ''")) << errorOf("dp");
  EXPECT_TRUE(contains(errorOf("=2"), "is not an axis name")) << errorOf("=2");
  EXPECT_TRUE(contains(errorOf("d p=2"), "is not an axis name")) << errorOf("d p=2");
  EXPECT_TRUE(contains(errorOf("dp=two"), "has size 'two'")) << errorOf("dp=two");
  EXPECT_TRUE(contains(errorOf("dp=0"), "has size '0'")) << errorOf("dp=0");
  EXPECT_TRUE(contains(errorOf("dp=-2"), "has size '-2'")) << errorOf("dp=-2");
  EXPECT_TRUE(contains(errorOf("dp=2,dp=2"), "'dp' occurs twice")) << errorOf("dp=2,dp=2");
  EXPECT_TRUE(contains(errorOf("dp=256,tp=257"), "more than 65536 ranks"));
  EXPECT_TRUE(contains(errorOf("dp=9223372036854775807"), "more than 65536 ranks"));
  EXPECT_TRUE(contains(errorOf("dp=0"), "--mesh dp=2,tp=4"));
  EXPECT_EQ(errorOf("dp=256,tp=256"), "");
}

TEST(Mesh, RanksAreRowMajorCoordinates) {
  Mesh mesh = meshOfSizes({2, 3, 4});
  EXPECT_EQ(mesh.coordinate(23, 0), 1);
  EXPECT_EQ(mesh.coordinate(23, 1), 2);
  EXPECT_EQ(mesh.coordinate(23, 2), 3);
  EXPECT_EQ(mesh.coordinate(6, 0), 0);
  EXPECT_EQ(mesh.coordinate(6, 1), 1);
  EXPECT_EQ(mesh.coordinate(6, 2), 2);
}

TEST(Mesh, GroupsDifferInOneAxisOnly) {
  Mesh mesh = meshOfSizes({2, 3, 4});
  EXPECT_EQ(mesh.group(17, 0), (llvm::SmallVector<int64_t>{5, 17}));
  EXPECT_EQ(mesh.group(17, 1), (llvm::SmallVector<int64_t>{13, 17, 21}));
  EXPECT_EQ(mesh.group(17, 2), (llvm::SmallVector<int64_t>{16, 17, 18, 19}));
}

TEST(Sharding, LaterShardsMayBeShortOrEmpty) {
  Mesh mesh = meshOfSizes({4});
  EXPECT_EQ(ranges({{0}, 1}, 10, mesh), "[0,3)[3,6)[6,9)[9,10)");
  EXPECT_EQ(ranges({{0}, 4}, 8, mesh), "[0,4)[4,8)[8,8)[8,8)");
  EXPECT_EQ(ranges({{0}, 1}, 0, mesh), "[0,0)[0,0)[0,0)[0,0)");
  EXPECT_EQ(ranges({{0}, 4}, 10, mesh), "[0,4)[4,8)[8,10)[10,10)"); // the last block is short
}

TEST(Sharding, TheMajorAxisSplitsFirst) {
  Mesh mesh = meshOfSizes({2, 3}); // rank = a * 3 + b
  EXPECT_EQ(ranges({{0, 1}, 1}, 11, mesh), "[0,2)[2,4)[4,6)[6,8)[8,10)[10,11)");
  EXPECT_EQ(ranges({{1, 0}, 1}, 11, mesh), "[0,2)[4,6)[8,10)[2,4)[6,8)[10,11)");
  EXPECT_EQ(ranges({{0, 1}, 1}, 5, mesh), "[0,1)[1,2)[2,3)[3,4)[4,5)[5,5)");
  EXPECT_EQ(ranges({{0, 1}, 2}, 7, mesh), "[0,2)[2,4)[4,4)[4,6)[6,7)[7,7)");
}

/// The shards of any split are disjoint, in order and cover the dimension; the first is the largest.
TEST(Sharding, ShardsPartitionTheDimension) {
  Mesh mesh = meshOfSizes({2, 3});
  for (int64_t size = 0; size <= 30; ++size)
    for (int64_t unit = 1; unit <= 5; ++unit) {
      DimSharding dim{{0, 1}, unit};
      int64_t end = 0;
      for (int64_t rank = 0; rank < 6; ++rank) {
        ShardRange range = shardOf(dim, size, mesh, rank);
        ASSERT_EQ(range.begin, end) << size << ":" << unit;
        ASSERT_GE(range.size(), 0);
        ASSERT_LE(range.size(), shardOf(dim, size, mesh, 0).size());
        ASSERT_TRUE(range.begin % unit == 0 || range.begin == size);
        end = range.end;
      }
      ASSERT_EQ(end, size);
    }
}

TEST(Sharding, TheLocalShapeIsTheLargestShard) {
  Mesh mesh = meshOfSizes({2, 3});
  Sharding sharding;
  sharding.dims = {{{0, 1}, 2}, {}, {}};
  EXPECT_EQ(localShape(sharding, {7, 5, 1}, mesh), (Shape{2, 5, 1}));
  EXPECT_EQ(validShape(sharding, {7, 5, 1}, mesh, 4), (Shape{1, 5, 1}));
  EXPECT_EQ(validShape(sharding, {7, 5, 1}, mesh, 5), (Shape{0, 5, 1}));
}

TEST(Sharding, NormalizeDropsUnitsThatChangeNothing) {
  Mesh mesh = meshOfSizes({2});
  auto unitOf = [&](int64_t size, int64_t unit) {
    Sharding sharding;
    sharding.dims = {{{0}, unit}};
    normalize(sharding, {size}, mesh);
    return sharding.dims[0].unit;
  };
  EXPECT_EQ(unitOf(8, 4), 1);  // 4 + 4 either way
  EXPECT_EQ(unitOf(12, 4), 4); // 8 + 4 instead of 6 + 6
  EXPECT_EQ(unitOf(0, 4), 1);
}

TEST(Sharding, NormalizeDropsAxesOfSizeOneAndSortsPartials) {
  Mesh mesh = meshOfSizes({2, 1, 3});
  Sharding sharding;
  sharding.dims = {{{1}, 4}, {}};
  sharding.partial = {{2, FactorKind::Sum}, {0, FactorKind::Max}, {1, FactorKind::Sum}};
  normalize(sharding, {5, 7}, mesh);
  EXPECT_EQ(sharding.dims[0], DimSharding{});
  ASSERT_EQ(sharding.partial.size(), 2u);
  EXPECT_EQ(sharding.partial[0].axis, 0);
  EXPECT_EQ(sharding.partial[1].axis, 2);
}

/// Normalized shardings compare equal exactly where all ranks hold the same.
TEST(Sharding, NormalizedShardingsAreCanonical) {
  Mesh mesh = meshOfSizes({2, 3});
  llvm::SmallVector<llvm::SmallVector<AxisId, 2>> axesChoices = {{}, {0}, {1}, {0, 1}, {1, 0}};
  for (int64_t size : {6, 7, 12, 18})
    for (const auto &axes : axesChoices)
      for (int64_t first = 1; first <= 7; ++first)
        for (int64_t second = 1; second <= 7; ++second) {
          Sharding a, b;
          a.dims = {{axes, first}};
          b.dims = {{axes, second}};
          bool same = ranges(a.dims[0], size, mesh) == ranges(b.dims[0], size, mesh);
          normalize(a, {size}, mesh);
          normalize(b, {size}, mesh);
          EXPECT_EQ(a == b, same) << size << ", " << axes.size() << " axes, units " << first << " and " << second;
        }
}

} // namespace
