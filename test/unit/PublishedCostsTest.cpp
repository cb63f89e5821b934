//===- PublishedCostsTest.cpp - The cost model beside published figures ----===//
#include "PublishedCosts.h"
#include "llvm/ADT/STLExtras.h"
#include "gtest/gtest.h"

using namespace llmpar;

TEST(PublishedCosts, EveryTableIsWithinItsTolerance) {
  for (const PublishedTable &table : publishedTables()) {
    EXPECT_FALSE(table.rows.empty()) << table.title;
    EXPECT_TRUE(table.holds()) << table.title << ": geometric mean of the errors " << table.geometricMeanError();
    if (table.tolerance == 0)
      for (const PublishedRow &row : table.rows)
        EXPECT_TRUE(row.exact()) << table.title << ", " << row.name << ": published " << row.published << ", predicted "
                                 << row.predicted;
  }
}

TEST(PublishedCosts, TheH200TableIsMetWellWithinFifteenPercent) {
  std::vector<PublishedTable> tables = publishedTables();
  auto table = llvm::find_if(tables, [](const PublishedTable &t) { return t.id == "h200"; });
  ASSERT_NE(table, tables.end());
  EXPECT_EQ(table->rows.size(), 20u);
  EXPECT_LT(table->geometricMeanError(), 0.08);
}

TEST(PublishedCosts, ATableOutOfToleranceFails) {
  PublishedTable table{
      .id = "x", .title = "x", .unit = "s", .source = "", .tolerance = 0.1, .rows = {{"a", "2.0", 2.5, ""}}};
  EXPECT_FALSE(table.holds());
  EXPECT_NEAR(table.geometricMeanError(), 0.25, 1e-12);
  table.rows[0].predicted = 2.05;
  EXPECT_TRUE(table.holds());
  EXPECT_TRUE(table.rows[0].exact());
  table.rows[0].predicted = 2.06;
  EXPECT_FALSE(table.rows[0].exact());
}

TEST(PublishedCosts, AMeasuredBubbleIsAtLeastTheIdealOne) {
  std::vector<PublishedTable> tables = publishedTables();
  auto table = llvm::find_if(tables, [](const PublishedTable &t) { return t.id == "zeroBubble"; });
  ASSERT_NE(table, tables.end());
  for (const PublishedRow &row : table->rows) {
    EXPECT_LE(row.predicted, row.publishedValue()) << row.name;
    EXPECT_LE(row.publishedValue(), row.predicted + 0.03) << row.name;
  }
}
