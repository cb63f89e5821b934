//===- FactorRuleTest.cpp - Notation, broadcasting and reshapes -------------===//
#include "Placement.h"
#include "llmpar/Core/FactorSharding.h"

#include "gtest/gtest.h"

using namespace llmpar;

namespace {

constexpr char matmul[] = "... m k, ... k n -> ... m n ; sum(k)";

int factorNamed(const FactorRule &rule, llvm::StringRef name) {
  for (auto [index, factor] : llvm::enumerate(rule.factors))
    if (factor.name == name)
      return static_cast<int>(index);
  return -1;
}

TEST(FactorRule, BindsNamesToShapes) {
  FactorRule rule = parseFactorRule("m k, k n -> m n ; sum(k)", {{4, 6}, {6, 10}}, {{4, 10}});
  EXPECT_EQ(rule.str(), "m k, k n -> m n ; sum(k)");
  EXPECT_EQ(rule.factors[factorNamed(rule, "k")].size, 6);
  EXPECT_EQ(rule.factors[factorNamed(rule, "k")].kind, FactorKind::Sum);
  EXPECT_EQ(rule.factors[factorNamed(rule, "m")].kind, FactorKind::PassThrough);
}

TEST(FactorRule, ReadsEveryKindAndOffset) {
  FactorRule rule = parseFactorRule("a b c d e f g -> f g ; sum(a) max(b) min(c) prod(d) whole(e) offset(f) combine(g)",
                                    {{2, 3, 4, 5, 6, 7, 8}}, {{7, 8}});
  llvm::SmallVector<FactorKind> kinds;
  for (llvm::StringRef name : {"a", "b", "c", "d", "e", "f", "g"})
    kinds.push_back(rule.factors[factorNamed(rule, name)].kind);
  EXPECT_EQ(kinds, (llvm::SmallVector<FactorKind>{FactorKind::Sum, FactorKind::Max, FactorKind::Min, FactorKind::Prod,
                                                  FactorKind::Whole, FactorKind::PassThrough, FactorKind::Combine}));
  EXPECT_TRUE(rule.factors[factorNamed(rule, "f")].offset);
  EXPECT_FALSE(rule.factors[factorNamed(rule, "a")].offset);
  EXPECT_FALSE(rule.isShardable(factorNamed(rule, "e")));
  EXPECT_TRUE(rule.isShardable(factorNamed(rule, "g")));
  EXPECT_EQ(rule.str(), "a b c d e f g -> f g ; offset(f) combine(g) sum(a) max(b) min(c) prod(d) whole(e)");
}

TEST(FactorRule, MissingLeadingDimensionBroadcasts) {
  FactorRule rule = parseFactorRule(matmul, {{3, 2, 4, 6}, {6, 10}}, {{3, 2, 4, 10}});
  EXPECT_EQ(rule.str(), "_0 _1 m k, k n -> _0 _1 m n ; sum(k)");
}

TEST(FactorRule, DimensionOfSizeOneBroadcasts) {
  FactorRule rule = parseFactorRule("..., ... -> ...", {{3, 1, 5}, {4, 1}}, {{3, 4, 5}});
  EXPECT_EQ(rule.str(), "_0 1 _2, _1 1 -> _0 _1 _2");
}

TEST(FactorRule, SpecialOfAbsentFactorIsIgnored) {
  FactorRule rule = parseFactorRule("m k, k n -> m n ; sum(k)", {{4, 1}, {1, 10}}, {{4, 10}});
  EXPECT_EQ(rule.str(), "m 1, 1 n -> m n");
}

TEST(FactorRule, OnlyTheMajorFactorIsShardable) {
  FactorRule rule = reshapeFactorRule({6, 4}, {3, 8});
  EXPECT_EQ(rule.str(), "(f0 f1) f2 -> f0 (f1 f2)");
  EXPECT_TRUE(rule.isShardable(0));
  EXPECT_FALSE(rule.isShardable(1)); // minor in the operand
  EXPECT_FALSE(rule.isShardable(2)); // minor in the result
  EXPECT_EQ(rule.minorSize(rule.operands[0], 0), 2);
  EXPECT_EQ(rule.minorSize(rule.results[0], 0), 1);
}

TEST(FactorRule, FactorOfSizeOneIsNotShardable) {
  FactorRule rule;
  EXPECT_FALSE(rule.isShardable(rule.add("x", 1)));
  EXPECT_TRUE(rule.isShardable(rule.add("y", 2)));
}

TEST(ReshapeRule, SplitsHeads) {
  EXPECT_EQ(reshapeFactorRule({2, 5, 12}, {2, 5, 3, 4}).str(), "f0 f1 (f2 f3) -> f0 f1 f2 f3");
  EXPECT_EQ(reshapeFactorRule({2, 5, 3, 4}, {10, 12}).str(), "f0 f1 f2 f3 -> (f0 f1) (f2 f3)");
}

TEST(ReshapeRule, DimensionsOfSizeOneHaveNoFactor) {
  EXPECT_EQ(reshapeFactorRule({1, 5, 1, 7}, {5, 7, 1}).str(), "1 f0 1 f1 -> f0 f1 1");
}

TEST(ReshapeRule, FirstDimensionsShareTheirCommonDivisor) {
  FactorRule rule = reshapeFactorRule({6, 10}, {4, 15}); // 6 | 4 do not divide: 2 is left
  ASSERT_TRUE(rule.isShardable(0));
  EXPECT_EQ(rule.factors[0].size, 2);
  EXPECT_EQ(rule.minorSize(rule.operands[0], 0), 3);
  EXPECT_EQ(rule.minorSize(rule.results[0], 0), 2);
  for (int factor = 1; factor < static_cast<int>(rule.factors.size()); ++factor)
    EXPECT_FALSE(rule.isShardable(factor));
}

TEST(ReshapeRule, EmptyTensorsKeepCommonLeadingDimensions) {
  EXPECT_EQ(reshapeFactorRule({2, 3, 0, 5}, {2, 3, 7, 0}).str(), "f0 f1 1 1 -> f0 f1 1 1");
  EXPECT_EQ(reshapeFactorRule({0}, {0, 4}).str(), "1 -> 1 1");
}

TEST(ReshapeRule, ScalarAndVectorOfOne) { EXPECT_EQ(reshapeFactorRule({}, {1, 1}).str(), " -> 1 1"); }

/// Every shape of `rank` dimensions with `count` elements.
void shapesOf(int64_t count, int rank, Shape prefix, std::vector<Shape> &out) {
  if (rank == 1) {
    prefix.push_back(count);
    out.push_back(prefix);
    return;
  }
  for (int64_t size = 1; size <= count; ++size)
    if (count % size == 0) {
      Shape longer = prefix;
      longer.push_back(size);
      shapesOf(count / size, rank - 1, longer, out);
    }
}

/// For every pair of shapes, every factor and every split: what a rank holds of the operand is, element for
/// element, what it shall hold of the result.
TEST(ReshapeRule, EveryShardOfEveryReshapeIsAReshape) {
  int64_t splits = 0;
  for (int64_t count : {7, 12, 24, 60}) {
    std::vector<Shape> shapes;
    for (int rank : {1, 2, 3})
      shapesOf(count, rank, {}, shapes);
    for (const Shape &from : shapes)
      for (const Shape &to : shapes) {
        FactorRule rule = reshapeFactorRule(from, to);
        for (int factor = 0; factor < static_cast<int>(rule.factors.size()); ++factor)
          for (int64_t parts : {2, 3}) {
            if (!rule.isShardable(factor))
              continue;
            for (int64_t unit : {1, 2}) {
              Mesh mesh = meshOfSizes({parts});
              FactorShardings chosen(rule.factors.size());
              chosen[factor] = {{0}, unit};
              Sharding in = operandSharding(rule, 0, from, chosen, mesh), out = resultSharding(rule, 0, to, chosen, mesh);
              for (int64_t rank = 0; rank < parts; ++rank)
                ASSERT_EQ(elementsOf(boxOf(in, from, mesh, rank), from), elementsOf(boxOf(out, to, mesh, rank), to))
                    << rule.str() << " of " << count << " elements, factor " << factor << " over " << parts;
              ++splits;
            }
          }
      }
  }
  EXPECT_GT(splits, 1000);
}

TEST(FactorSharding, PassThroughFactorShardsOperandAndResult) {
  FactorRule rule = parseFactorRule(matmul, {{4, 6}, {6, 10}}, {{4, 10}});
  Mesh mesh = meshOfSizes({2});
  FactorShardings chosen(rule.factors.size());
  chosen[factorNamed(rule, "n")].axes = {0};
  EXPECT_TRUE(operandSharding(rule, 0, {4, 6}, chosen, mesh).isReplicated());
  EXPECT_EQ(operandSharding(rule, 1, {6, 10}, chosen, mesh).dimOfAxis(0), 1);
  EXPECT_EQ(resultSharding(rule, 0, {4, 10}, chosen, mesh).dimOfAxis(0), 1);
}

TEST(FactorSharding, ReducedFactorMakesTheResultPartial) {
  FactorRule rule = parseFactorRule(matmul, {{4, 6}, {6, 10}}, {{4, 10}});
  Mesh mesh = meshOfSizes({2});
  FactorShardings chosen(rule.factors.size());
  chosen[factorNamed(rule, "k")].axes = {0};
  EXPECT_EQ(operandSharding(rule, 0, {4, 6}, chosen, mesh).dimOfAxis(0), 1);
  EXPECT_EQ(operandSharding(rule, 1, {6, 10}, chosen, mesh).dimOfAxis(0), 0);
  Sharding result = resultSharding(rule, 0, {4, 10}, chosen, mesh);
  ASSERT_EQ(result.partial.size(), 1u);
  EXPECT_EQ(result.partial[0], (PartialAxis{0, FactorKind::Sum}));
}

TEST(FactorSharding, UnitsAreScaledByMinorFactors) {
  FactorRule rule = reshapeFactorRule({12}, {3, 4}); // three heads of four on two ranks
  Mesh mesh = meshOfSizes({2});
  FactorShardings chosen(rule.factors.size());
  chosen[0].axes = {0};
  EXPECT_EQ(operandSharding(rule, 0, {12}, chosen, mesh).dims[0], (DimSharding{{0}, 4})); // 8 + 4, not 6 + 6
  EXPECT_EQ(resultSharding(rule, 0, {3, 4}, chosen, mesh).dims[0], (DimSharding{{0}, 1}));
}

TEST(FactorSharding, ADimensionsSplitIsItsFactorsWhereItFallsBetweenSteps) {
  FactorRule rule = reshapeFactorRule({12}, {3, 4});
  Mesh two = meshOfSizes({2}), three = meshOfSizes({3});
  const TensorFactors &flat = rule.operands[0];
  EXPECT_EQ(factorOfDim(rule, flat, 0, {{0}, 4}, 12, two), (DimSharding{{0}, 1}));
  EXPECT_EQ(factorOfDim(rule, flat, 0, {{0}, 8}, 12, two), (DimSharding{{0}, 2}));
  EXPECT_EQ(factorOfDim(rule, flat, 0, {{0}, 1}, 12, three), (DimSharding{{0}, 1})); // 4 + 4 + 4
  EXPECT_EQ(factorOfDim(rule, flat, 0, {{0}, 1}, 12, two), std::nullopt);            // 6 + 6 cuts a head
}

} // namespace
