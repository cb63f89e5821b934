//===- LanesTest.cpp - Races between lanes, and waits that prevent them -----===//
#include "llmpar/Lowering/PlanWaits.h"

#include "gtest/gtest.h"
#include <random>

using namespace llmpar;

namespace {

constexpr Lane compute = Lane::Compute, communication = Lane::Communication, copy = Lane::Copy;
using Records = std::vector<LaneRecord>;
using Ranges = std::vector<ByteRange>;
const Ranges a = {{0, 0, 64}}, b = {{0, 64, 128}}, c = {{0, 128, 192}};

/// "0 1 [0, 64)", or "none".
std::string raceOf(const Records &records) {
  std::optional<LaneRace> race = findLaneRace(records);
  if (!race)
    return "none";
  return std::to_string(race->first) + " " + std::to_string(race->second) + " [" + std::to_string(race->bytes.begin) +
         ", " + std::to_string(race->bytes.end) + ")";
}

TEST(FindLaneRace, AReadNeedsTheWrite) {
  EXPECT_EQ(raceOf({{.lane = compute, .writes = a}, {.lane = communication, .reads = a}}), "0 1 [0, 64)");
  EXPECT_EQ(raceOf({{.lane = compute, .writes = a}, {.lane = communication, .waits = {0}, .reads = a}}), "none");
}

TEST(FindLaneRace, AWriteNeedsTheReadAndTheWriteBefore) {
  EXPECT_EQ(raceOf({{.lane = communication, .reads = a}, {.lane = compute, .writes = a}}), "0 1 [0, 64)");
  EXPECT_EQ(raceOf({{.lane = communication, .writes = a}, {.lane = compute, .writes = a}}), "0 1 [0, 64)");
  EXPECT_EQ(raceOf({{.lane = communication, .writes = a}, {.lane = compute, .waits = {0}, .writes = a}}), "none");
}

TEST(FindLaneRace, ReadersAndStrangersAreNoRace) {
  EXPECT_EQ(raceOf({{.lane = compute, .reads = a}, {.lane = communication, .reads = a}}), "none");
  EXPECT_EQ(raceOf({{.lane = compute, .writes = a}, {.lane = communication, .writes = b}}), "none");
  EXPECT_EQ(raceOf({{.lane = compute, .writes = {{0, 0, 64}}}, {.lane = communication, .writes = {{1, 0, 64}}}}),
            "none")
      << "another arena";
  EXPECT_EQ(raceOf({{.lane = compute, .writes = a}, {.lane = communication, .reads = {{0, 8, 8}}}}), "none") << "empty";
  EXPECT_EQ(raceOf({{.lane = compute, .writes = a}, {.lane = compute, .reads = a}}), "none") << "one lane";
}

TEST(FindLaneRace, NamesTheBytesThatBothTouch) {
  EXPECT_EQ(raceOf({{.lane = compute, .writes = {{0, 0, 100}}}, {.lane = communication, .reads = {{0, 60, 200}}}}),
            "0 1 [60, 100)");
}

TEST(FindLaneRace, AChainOfWaitsOrders) {
  Records records = {{.lane = compute, .writes = a},
                     {.lane = communication, .waits = {0}, .writes = b},
                     {.lane = communication, .writes = c},
                     {.lane = copy, .waits = {2}, .reads = a}};
  EXPECT_EQ(raceOf(records), "none") << "0 before 1, 1 before 2 on its lane, 2 before 3";
  records[1].waits.clear();
  EXPECT_EQ(raceOf(records), "0 3 [0, 64)");
}

TEST(FindLaneRace, AWaitForAnEarlierRecordOfTheLaneIsNotEnough) {
  EXPECT_EQ(raceOf({{.lane = compute, .writes = a},
                    {.lane = compute, .reads = a, .writes = b},
                    {.lane = communication, .waits = {0}, .reads = b}}),
            "1 2 [64, 128)");
}

TEST(FindLaneRace, AReaderBehindAnotherReaderIsNotForgotten) {
  EXPECT_EQ(raceOf({{.lane = communication, .reads = a},
                    {.lane = copy, .reads = a},
                    {.lane = compute, .waits = {1}, .writes = a}}),
            "0 2 [0, 64)");
}

TEST(LaneOrder, OverlapIsAnUnorderedPair) {
  EXPECT_FALSE(LaneOrder(Records{{.lane = compute}, {.lane = compute}}).hasOverlap());
  EXPECT_FALSE(LaneOrder(Records{{.lane = compute}, {.lane = communication, .waits = {0}}}).hasOverlap());
  Records joined = {{.lane = compute}, {.lane = communication, .waits = {0}}, {.lane = compute, .waits = {1}}};
  EXPECT_FALSE(LaneOrder(joined).hasOverlap());
  joined.insert(joined.begin() + 2, LaneRecord{.lane = compute}); // work that does not wait
  EXPECT_TRUE(LaneOrder(joined).hasOverlap());
}

TEST(PlanWaits, WaitsForTheLastConflictOnly) {
  Records records = {{.lane = compute, .writes = a},
                     {.lane = compute, .writes = b},
                     {.lane = communication, .reads = a, .writes = c},
                     {.lane = communication, .reads = c, .writes = a},
                     {.lane = compute, .reads = c}};
  planWaits(records);
  std::vector<std::vector<uint32_t>> waits;
  for (const LaneRecord &record : records)
    waits.push_back(record.waits);
  EXPECT_EQ(waits, (std::vector<std::vector<uint32_t>>{{}, {}, {0}, {}, {2}}));
}

TEST(PlanWaits, AWaitThatAnotherOneImpliesIsDropped) {
  Records records = {{.lane = compute, .writes = a},
                     {.lane = communication, .reads = a, .writes = b},
                     {.lane = copy, .reads = a, .writes = c}};
  records.push_back({.lane = copy, .reads = b, .writes = c});
  records.push_back({.lane = compute, .reads = b, .writes = c}); // 3 is the last on its lane, and has waited for 1
  planWaits(records);
  EXPECT_EQ(records[2].waits, std::vector<uint32_t>{0});
  EXPECT_EQ(records[3].waits, std::vector<uint32_t>{1});
  EXPECT_EQ(records[4].waits, std::vector<uint32_t>{3});
  EXPECT_EQ(raceOf(records), "none");
}

Records randomRecords(std::mt19937 &random, size_t count) {
  auto ranges = [&] {
    Ranges list;
    for (unsigned i = random() % 3; i > 0; --i) {
      uint64_t begin = random() % 12;
      list.push_back({static_cast<int>(random() % 2), begin, begin + random() % 4});
    }
    return list;
  };
  Records records;
  for (size_t i = 0; i < count; ++i)
    records.push_back({.lane = static_cast<Lane>(random() % 3), .waits = {}, .reads = ranges(), .writes = ranges()});
  return records;
}

/// Pairs that are unordered by plain reachability and conflict byte by byte.
bool hasRace(const Records &records) {
  size_t n = records.size();
  std::vector<std::vector<bool>> before(n, std::vector<bool>(n));
  for (size_t j = 0; j < n; ++j)
    for (size_t i = j; i-- > 0;) {
      bool edge = records[i].lane == records[j].lane ||
                  std::find(records[j].waits.begin(), records[j].waits.end(), i) != records[j].waits.end();
      for (size_t k = 0; edge && k <= i; ++k)
        before[k][j] = before[k][j] || k == i || before[k][i];
    }
  auto has = [](const Ranges &list, int arena, uint64_t byte) {
    return std::any_of(list.begin(), list.end(),
                       [&](const ByteRange &r) { return r.arena == arena && r.begin <= byte && byte < r.end; });
  };
  for (size_t j = 0; j < n; ++j)
    for (size_t i = 0; i < j; ++i)
      for (int arena = 0; arena < 2 && !before[i][j]; ++arena)
        for (uint64_t byte = 0; byte < 16; ++byte) {
          bool writesI = has(records[i].writes, arena, byte), writesJ = has(records[j].writes, arena, byte);
          if ((writesI && (writesJ || has(records[j].reads, arena, byte))) ||
              (writesJ && has(records[i].reads, arena, byte)))
            return true;
        }
  return false;
}

TEST(PlanWaits, WaitsAreEnoughAndEachIsNeeded) {
  std::mt19937 random(3);
  int dropped = 0;
  for (int round = 0; round < 300; ++round) {
    Records records = randomRecords(random, 2 + random() % 12);
    EXPECT_EQ(findLaneRace(records).has_value(), hasRace(records)) << "without waits, round " << round;
    planWaits(records);
    EXPECT_EQ(raceOf(records), "none") << "round " << round;
    EXPECT_FALSE(hasRace(records)) << "round " << round;
    for (LaneRecord &record : records)
      for (size_t k = 0; k < record.waits.size(); ++k, ++dropped) {
        std::vector<uint32_t> all = record.waits;
        record.waits.erase(record.waits.begin() + static_cast<std::ptrdiff_t>(k));
        EXPECT_TRUE(findLaneRace(records)) << "round " << round << ": no need to wait for " << all[k];
        record.waits = all;
      }
  }
  EXPECT_GT(dropped, 500);
}

} // namespace
