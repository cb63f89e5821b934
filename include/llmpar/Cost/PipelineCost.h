//===- PipelineCost.h - Bubbles and micro-batches in flight -----*- C++ -*-===//
#ifndef LLMPAR_COST_PIPELINECOST_H
#define LLMPAR_COST_PIPELINECOST_H

#include "llmpar/Cost/Cluster.h"

namespace llmpar {

enum class PipelineSchedule : uint8_t {
  AllForwardAllBackward, ///< GPipe (Huang et al., NeurIPS 2019)
  OneForwardOneBackward, ///< 1F1B with a flush (Narayanan et al., SC'21)
  Interleaved,           ///< 1F1B over several chunks on each device (SC'21); micro-batches a multiple of the stages
  ZeroBubbleH1,          ///< weight gradients fill the bubble (Qi et al., ICLR 2024)
};

struct Pipeline {
  double stages = 1, microbatches = 1;
  double chunks = 1;          ///< stages on each device, for Interleaved
  Seconds forward = 0;        ///< one micro-batch through all chunks of one device
  Seconds backwardInput = 0;  ///< gradient of the stage's input
  Seconds backwardWeight = 0; ///< gradient of its weights
};

/// Idle time of each device in a step: makespan less its own work.
///   AllForwardAllBackward, OneForwardOneBackward  (p - 1)(F + B + W)
///   Interleaved                                   (p - 1)(F + B + W) / v
///   ZeroBubbleH1                                  (p - 1)(F + B - W), not below 0
/// Sources: SC'21, section 2.2; ICLR 2024, Table 2.
Seconds pipelineBubble(PipelineSchedule schedule, const Pipeline &pipeline);

/// Micro-batches whose activations device `stage` (from 0) holds at most, in units of all its chunks:
///   AllForwardAllBackward  m
///   OneForwardOneBackward  min(m, p - stage); ZeroBubbleH1 the same, and the inputs of delayed weight gradients
///   Interleaved            min(m v, 2 (p - stage - 1) + (v - 1) p + 1) / v
/// Source: Megatron-LM, theoretical_memory_usage.py: the first stage holds p (1 + (p - 1)/(p v)).
double microbatchesInFlight(PipelineSchedule schedule, const Pipeline &pipeline, double stage);

} // namespace llmpar

#endif // LLMPAR_COST_PIPELINECOST_H
