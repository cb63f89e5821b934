//===- TransformerCost.cpp - Parameters, FLOPs and activations of a GPT ----===//
#include "llmpar/Cost/TransformerCost.h"

namespace llmpar {

double parameterCount(const TransformerShape &shape) {
  double h = shape.hidden, l = shape.layers;
  return 12 * l * h * h * (1 + 13 / (12 * h) + (shape.vocabulary + shape.sequence) / (12 * l * h));
}

double forwardLayerFlops(const TransformerShape &shape, double batch) {
  double s = shape.sequence, h = shape.hidden;
  return 24 * batch * s * h * h + 4 * batch * s * s * h;
}

double trainingStepFlops(const TransformerShape &shape, double batch, Recompute recompute) {
  double s = shape.sequence, h = shape.hidden;
  // Backward of a matrix product is two products; recomputation is one more forward, but for the logits.
  double layer = (recompute == Recompute::Full ? 4 : 3) * forwardLayerFlops(shape, batch);
  if (recompute == Recompute::Selective)
    layer += 4 * batch * s * s * h;
  double logits = 3 * 2 * batch * s * h * shape.vocabulary;
  return shape.layers * layer + logits;
}

Seconds trainingSeconds(double parameters, double tokens, double flopsPerSecond) {
  return 8 * tokens * parameters / flopsPerSecond;
}

Bytes activationBytesPerLayer(const TransformerShape &shape, double microbatch, ActivationSplit split,
                              Recompute recompute) {
  double t = split.tensor, s = shape.sequence, h = shape.hidden, whole = split.sequenceParallel ? t : 1;
  double sbh = s * microbatch * h;
  if (recompute == Recompute::Full)
    return 2 * sbh / whole;
  double linear = 10 / whole + 24 / t, attention = 5 * shape.heads * s / (h * t);
  return sbh * (linear + (recompute == Recompute::None ? attention : 0));
}

} // namespace llmpar
