//===- TrainingCost.cpp - Time of a training step in closed form ------------===//
#include "llmpar/Cost/TrainingCost.h"

#include "llmpar/Cost/CollectiveCost.h"
#include "llmpar/Cost/OpCost.h"

namespace llmpar {

static Bytes movedByKernels(const TrainingRun &run, double batch, double parameters, double replicas) {
  const TransformerShape &shape = run.shape;
  double t = double(run.tensor), s = shape.sequence;
  double scores = run.fusedAttention ? 0 : shape.heads * s * s * batch / t;
  double elements = batch * s * shape.hidden * (run.sequenceParallel ? 54 / t : 22 + 32 / t);
  double forwards = run.recompute == Recompute::Full ? 2 : 1;
  double layer = (9 * forwards + 11) * scores + (forwards + 1.5) * elements;
  return shape.layers * layer + 14 * batch * s * shape.vocabulary / t + parameters * (run.shardsOptimizer ? 28 / replicas + 8 : 28);
}

TrainingTime trainingStepTime(const TrainingRun &run, const Cluster &cluster, const TrainingSpeed &speed) {
  const TransformerShape &shape = run.shape;
  const DeviceSpec &device = cluster.device(0);
  int64_t replicas = run.ranks / run.tensor;
  double batch = run.batch / double(replicas);
  double parameters = (12 * shape.layers * shape.hidden + run.vocabularyMatrices * shape.vocabulary) * shape.hidden / double(run.tensor);
  TrainingTime time;
  time.matmul = trainingStepFlops(shape, run.batch, run.recompute) / (double(run.ranks) * peakFlops(device, DType::BF16) * speed.matmul);
  time.memory = movedByKernels(run, batch, parameters, double(replicas)) / (device.memoryBandwidthBytesPerSecond * speed.memory);

  GroupShape tensorGroup{.size = run.tensor, .stride = 1};
  Bytes activation = 2 * batch * shape.sequence * shape.hidden;
  auto collective = [&](CollectiveKind kind) { return collectiveTime(cluster, kind, activation, tensorGroup).seconds; };
  Seconds reduced = run.sequenceParallel ? collective(CollectiveKind::ReduceScatter) + collective(CollectiveKind::AllGather)
                                         : collective(CollectiveKind::AllReduce);
  double reductions = shape.layers * (run.recompute == Recompute::Full ? 6 : 4);
  time.tensor = reductions * reduced * speed.exposedTensor;
  if (!run.overlapsGradients)
    time.data = collectiveTime(cluster, CollectiveKind::AllReduce, 2 * parameters, {.size = replicas, .stride = run.tensor}).seconds;
  return time;
}

} // namespace llmpar
