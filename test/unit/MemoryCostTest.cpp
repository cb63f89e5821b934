//===- MemoryCostTest.cpp - Bytes that a device holds ----------------------===//
#include "llmpar/Cost/MemoryCost.h"
#include "gtest/gtest.h"
#include <random>

using namespace llmpar;

TEST(MemoryCost, ThePeakIsAtTheStepWithTheMostBytes) {
  MemoryPeak peak = peakMemory({{MemoryKind::Weights, 0, 9, 100},
                                {MemoryKind::Activations, 0, 2, 10},
                                {MemoryKind::Activations, 1, 3, 20},
                                {MemoryKind::Activations, 3, 4, 25}});
  EXPECT_EQ(peak.step, 1);
  EXPECT_EQ(peak.held.weights, 100);
  EXPECT_EQ(peak.held.activations, 30);
  EXPECT_EQ(peak.held.total(), 130);
}

TEST(MemoryCost, WhatEndsAtAStepIsGoneBeforeAnythingBegins) {
  MemoryPeak peak = peakMemory({{MemoryKind::Activations, 0, 1, 10}, {MemoryKind::Workspace, 1, 2, 9}});
  EXPECT_EQ(peak.step, 0);
  EXPECT_EQ(peak.held.total(), 10);
}

TEST(MemoryCost, HoldsAreAlignedAndEmptyOnesTakeNothing) {
  MemoryPeak peak = peakMemory({{MemoryKind::Communication, 0, 1, 1}, {MemoryKind::States, 5, 5, 1000}}, 64);
  EXPECT_EQ(peak.held.communication, 64);
  EXPECT_EQ(peak.held.states, 0);
  EXPECT_EQ(peakMemory({}).held.total(), 0);
}

TEST(MemoryCost, ThePeakEqualsASumOverEveryStep) {
  std::mt19937 random(7);
  for (int trial = 0; trial < 200; ++trial) {
    std::vector<MemoryHold> holds;
    for (int i = 0; i < 12; ++i) {
      int64_t begin = random() % 10;
      holds.push_back({MemoryKind(random() % 5), begin, begin + int64_t(random() % 5), int64_t(random() % 100)});
    }
    int64_t most = 0;
    for (int64_t step = 0; step < 16; ++step) {
      int64_t held = 0;
      for (const MemoryHold &hold : holds)
        held += hold.begin <= step && step < hold.end ? hold.bytes : 0;
      most = std::max(most, held);
    }
    EXPECT_EQ(peakMemory(holds).held.total(), most);
  }
}

TEST(MemoryCost, StatesOfTheZeroStages) {
  for (double n : {1.0, 2.0, 64.0}) { // SC'20, Figure 1 and section 5
    EXPECT_DOUBLE_EQ(stateBytesPerParameter({}, StateSplit::None, n), 16);
    EXPECT_DOUBLE_EQ(stateBytesPerParameter({}, StateSplit::Optimizer, n), 4 + 12 / n);
    EXPECT_DOUBLE_EQ(stateBytesPerParameter({}, StateSplit::Gradients, n), 2 + 14 / n);
    EXPECT_DOUBLE_EQ(stateBytesPerParameter({}, StateSplit::Parameters, n), 16 / n);
    EXPECT_DOUBLE_EQ(stateBytesPerParameter({.gradient = 4}, StateSplit::Optimizer, n), 6 + 12 / n);
  }
  EXPECT_EQ(stateTrafficPerParameter(StateSplit::None), 2);
  EXPECT_EQ(stateTrafficPerParameter(StateSplit::Gradients), 2);
  EXPECT_EQ(stateTrafficPerParameter(StateSplit::Parameters), 3);
}
