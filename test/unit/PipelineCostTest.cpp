//===- PipelineCostTest.cpp - Bubbles and micro-batches in flight ----------===//
//
// The closed forms against a simulation of the schedules.
//
//===----------------------------------------------------------------------===//
#include "llmpar/Cost/PipelineCost.h"
#include "gtest/gtest.h"
#include <algorithm>
#include <map>
#include <vector>

using namespace llmpar;

namespace {

/// One pass of a micro-batch through a chunk of a device.
struct Pass {
  bool forward;
  int chunk, microbatch;
};
using Order = std::vector<Pass>;

/// Micro-batches in groups of p, chunk after chunk; backward begins with the last chunk.
Pass passAt(bool forward, int index, int p, int v) {
  int inGroup = index % (p * v), chunk = inGroup / p;
  return {forward, forward ? chunk : v - 1 - chunk, index / (p * v) * p + inGroup % p};
}

/// Warm-up forwards, then a forward and a backward in turn, then the rest.
Order orderOf(PipelineSchedule schedule, int p, int m, int v, int device) {
  int passes = m * v, warmup = passes;
  if (schedule == PipelineSchedule::OneForwardOneBackward)
    warmup = std::min(m, p - device - 1);
  if (schedule == PipelineSchedule::Interleaved)
    warmup = std::min(passes, 2 * (p - device - 1) + (v - 1) * p);
  int group = v == 1 ? m : p; // without chunks, plain order
  Order order;
  for (int i = 0; i < warmup; ++i)
    order.push_back(passAt(true, i, group, v));
  for (int i = warmup; i < passes; ++i) {
    order.push_back(passAt(true, i, group, v));
    order.push_back(passAt(false, i - warmup, group, v));
  }
  for (int i = passes - warmup; i < passes; ++i)
    order.push_back(passAt(false, i, group, v));
  return order;
}

/// Time when every device has done its passes in order, each after the pass that it depends on.
double makespan(const std::vector<Order> &orders, int v, double forward, double backward) {
  int p = int(orders.size()), last = p * v - 1;
  std::map<std::tuple<bool, int, int>, double> done; // forward, stage, micro-batch
  std::vector<size_t> next(orders.size(), 0);
  std::vector<double> clock(orders.size(), 0);
  for (bool moved = true; moved;) {
    moved = false;
    for (int d = 0; d < p; ++d)
      while (next[d] < orders[d].size()) {
        Pass pass = orders[d][next[d]];
        int stage = pass.chunk * p + d;
        double ready = 0;
        if (!pass.forward || stage > 0) {
          auto before = pass.forward || stage < last
                            ? done.find({pass.forward, pass.forward ? stage - 1 : stage + 1, pass.microbatch})
                            : done.find({true, stage, pass.microbatch});
          if (before == done.end())
            break;
          ready = before->second;
        }
        clock[d] = std::max(clock[d], ready) + (pass.forward ? forward : backward) / v;
        done[{pass.forward, stage, pass.microbatch}] = clock[d];
        ++next[d];
        moved = true;
      }
  }
  for (int d = 0; d < p; ++d)
    EXPECT_EQ(next[d], orders[d].size()) << "deadlock";
  return *std::max_element(clock.begin(), clock.end());
}

double mostInFlight(const Order &order, int v) {
  int held = 0, most = 0;
  for (Pass pass : order)
    most = std::max(most, held += pass.forward ? 1 : -1);
  return double(most) / v;
}

void compareWithSimulation(PipelineSchedule schedule, int p, int m, int v) {
  for (auto [forward, backward] : {std::pair(1.0, 2.0), std::pair(1.0, 1.0), std::pair(3.0, 5.0)}) {
    std::vector<Order> orders;
    for (int d = 0; d < p; ++d)
      orders.push_back(orderOf(schedule, p, m, v, d));
    Pipeline pipeline{.stages = double(p),
                      .microbatches = double(m),
                      .chunks = double(v),
                      .forward = forward,
                      .backwardInput = backward / 2,
                      .backwardWeight = backward / 2};
    double idle = makespan(orders, v, forward, backward) - m * (forward + backward);
    EXPECT_NEAR(pipelineBubble(schedule, pipeline), idle, 1e-9) << "p " << p << " m " << m << " v " << v;
    for (int d = 0; d < p; ++d)
      EXPECT_DOUBLE_EQ(microbatchesInFlight(schedule, pipeline, d), mostInFlight(orders[d], v))
          << "p " << p << " m " << m << " v " << v << " device " << d;
  }
}

} // namespace

TEST(PipelineCost, GPipeEqualsItsSimulation) {
  for (auto [p, m] : {std::pair(2, 4), std::pair(4, 8), std::pair(3, 7), std::pair(4, 2)})
    compareWithSimulation(PipelineSchedule::AllForwardAllBackward, p, m, 1);
}

TEST(PipelineCost, OneForwardOneBackwardEqualsItsSimulation) {
  for (auto [p, m] :
       {std::pair(2, 4), std::pair(4, 8), std::pair(4, 4), std::pair(8, 16), std::pair(3, 7), std::pair(4, 2)})
    compareWithSimulation(PipelineSchedule::OneForwardOneBackward, p, m, 1);
}

TEST(PipelineCost, InterleavedEqualsItsSimulation) {
  for (auto [p, m] : {std::pair(2, 4), std::pair(4, 8), std::pair(4, 4), std::pair(3, 6)})
    for (int v : {2, 3, 4})
      compareWithSimulation(PipelineSchedule::Interleaved, p, m, v);
}

TEST(PipelineCost, TheFirstInterleavedStageHoldsMegatronsFactor) {
  Pipeline pipeline{.stages = 8, .microbatches = 64, .chunks = 4};
  EXPECT_DOUBLE_EQ(microbatchesInFlight(PipelineSchedule::Interleaved, pipeline, 0), 8 * (1 + 7.0 / (8 * 4)));
}

TEST(PipelineCost, WeightGradientsFillTheBubbleOfZeroBubbleH1) {
  Pipeline pipeline{.stages = 4, .microbatches = 8, .forward = 3, .backwardInput = 4, .backwardWeight = 2};
  EXPECT_DOUBLE_EQ(pipelineBubble(PipelineSchedule::ZeroBubbleH1, pipeline), 3 * (3 + 4 - 2));
  pipeline.backwardWeight = 20;
  EXPECT_DOUBLE_EQ(pipelineBubble(PipelineSchedule::ZeroBubbleH1, pipeline), 0);
  EXPECT_DOUBLE_EQ(microbatchesInFlight(PipelineSchedule::ZeroBubbleH1, pipeline, 1), 3);
}
