//===- PipelineCost.cpp - Bubbles and micro-batches in flight --------------===//
#include "llmpar/Cost/PipelineCost.h"

#include <algorithm>

namespace llmpar {

Seconds pipelineBubble(PipelineSchedule schedule, const Pipeline &pipeline) {
  Seconds work = pipeline.forward + pipeline.backwardInput + pipeline.backwardWeight;
  switch (schedule) {
  case PipelineSchedule::AllForwardAllBackward:
  case PipelineSchedule::OneForwardOneBackward:
    return (pipeline.stages - 1) * work;
  case PipelineSchedule::Interleaved:
    return (pipeline.stages - 1) * work / pipeline.chunks;
  case PipelineSchedule::ZeroBubbleH1:
    return (pipeline.stages - 1) * std::max(0.0, work - 2 * pipeline.backwardWeight);
  }
  return 0;
}

double microbatchesInFlight(PipelineSchedule schedule, const Pipeline &pipeline, double stage) {
  double p = pipeline.stages, m = pipeline.microbatches, v = pipeline.chunks;
  switch (schedule) {
  case PipelineSchedule::AllForwardAllBackward:
    return m;
  case PipelineSchedule::OneForwardOneBackward:
  case PipelineSchedule::ZeroBubbleH1:
    return std::min(m, p - stage);
  case PipelineSchedule::Interleaved:
    return std::min(m * v, 2 * (p - stage - 1) + (v - 1) * p + 1) / v;
  }
  return 0;
}

} // namespace llmpar
