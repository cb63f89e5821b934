//===- SimulateStepTest.cpp - Lanes, waits and meetings ---------------------===//
#include "llmpar/Planner/SimulateStep.h"
#include "gtest/gtest.h"

using namespace llmpar;

static StepTime simulate(StepModel model) {
  llvm::Expected<StepTime> time = simulateStep(model);
  EXPECT_TRUE(bool(time)) << llvm::toString(time.takeError());
  return time ? *time : StepTime{};
}

TEST(SimulateStep, RecordsOfOneLaneRunOneAfterTheOther) {
  StepTime time = simulate({{{{.seconds = 2}, {.seconds = 3}}}});
  EXPECT_DOUBLE_EQ(time.seconds, 5);
  EXPECT_DOUBLE_EQ(time.ranks[0].compute, 5);
}

TEST(SimulateStep, ACollectiveStartsWhenTheLastMemberComes) {
  StepTime time = simulate({{{{.seconds = 3}, {.seconds = 1, .members = {0, 1}}}, {{.seconds = 5}, {.seconds = 1, .members = {0, 1}}}}});
  EXPECT_DOUBLE_EQ(time.seconds, 6);
  EXPECT_DOUBLE_EQ(time.ranks[0].exposedCommunication, 1);
  EXPECT_DOUBLE_EQ(time.ranks[0].idle, 2);
  EXPECT_DOUBLE_EQ(time.ranks[1].idle, 0);
}

TEST(SimulateStep, WorkBesideACollectiveHidesIt) {
  // lane 1 moves 4 s from 1 s on, lane 0 computes 3 s beside it and waits for it before the last second.
  StepTime time = simulate({{{{.seconds = 1},
                              {.lane = 1, .seconds = 4, .waits = {0}, .members = {0}},
                              {.seconds = 3},
                              {.seconds = 1, .waits = {1}}}}});
  EXPECT_DOUBLE_EQ(time.seconds, 6);
  EXPECT_DOUBLE_EQ(time.ranks[0].compute, 5);
  EXPECT_DOUBLE_EQ(time.ranks[0].exposedCommunication, 1);
}

TEST(SimulateStep, GroupsMeetInTheirOwnOrder) {
  std::vector<int64_t> pair = {0, 1};
  StepTime time = simulate({{{{.seconds = 1, .members = pair}, {.seconds = 2, .members = pair}},
                             {{.seconds = 1, .members = pair}, {.seconds = 2, .members = pair}}}});
  EXPECT_DOUBLE_EQ(time.seconds, 3);
}

TEST(SimulateStep, AMissingMemberIsNamed) {
  llvm::Expected<StepTime> time = simulateStep({{{{.seconds = 1, .members = {0, 1}}}, {{.seconds = 1}}}});
  ASSERT_FALSE(bool(time));
  EXPECT_EQ(llvm::toString(time.takeError()), "rank 0 never runs its record 0: it waits for another rank's collective");
}
