//===- Normalization.cpp - ONNX and contrib normalisations ----------------===//
#include "Handlers.h"

using namespace mlir;

namespace llmpar {
namespace {

Ints axesFrom(int64_t first, int64_t rank) {
  Ints axes;
  for (int64_t i = first; i < rank; ++i)
    axes.push_back(i);
  return axes;
}

/// 1 / sqrt(mean((x - mean)^2) + epsilon) over axes.
Value inverseDeviation(NodeImporter &n, Value centred, llvm::ArrayRef<int64_t> axes, double epsilon) {
  Value variance = n.mean(n.mul(centred, centred), axes);
  return n.unary("rsqrt", n.add(variance, n.scalarLike(epsilon, variance)));
}

Value standardize(NodeImporter &n, Value x, llvm::ArrayRef<int64_t> axes, double epsilon) {
  Value centred = n.sub(x, n.mean(x, axes));
  return n.mul(centred, inverseDeviation(n, centred, axes, epsilon));
}

/// [C] as [1, C, 1, ..], to broadcast over N C spatial...
Value perChannel(NodeImporter &n, Value x, int64_t rank) {
  Ints shape(std::max<int64_t>(rank, 2), 1);
  shape[1] = n.numElements(x);
  return n.reshape(x, shape);
}

/// layer_norm, and the statistics an output asks for (computed in f32: stash_type 1).
void layerNormWithStatistics(NodeImporter &n, Value x, Value scale, Value bias, int64_t axis, double epsilon) {
  Type type = n.elementType(x);
  n.result(0, n.layerNorm(x, n.cast(scale, type), n.cast(bias, type), axis, epsilon));
  if (!n.wants(1) && !n.wants(2))
    return;
  Value wide = n.integer("stash_type", 1) == 1 ? n.cast(x, n.f32()) : x;
  Ints axes = axesFrom(axis, n.rank(x));
  Value mean = n.mean(wide, axes);
  n.result(1, mean);
  n.result(2, inverseDeviation(n, n.sub(wide, mean), axes, epsilon));
}

Value inverseRms(NodeImporter &n, Value x, int64_t axis, double epsilon) {
  Value wide = n.cast(x, n.f32());
  Value square = n.mean(n.mul(wide, wide), axesFrom(axis, n.rank(x)));
  return n.unary("rsqrt", n.add(square, n.scalarLike(epsilon, square)));
}

} // namespace

void importLayerNormalization(NodeImporter &n) {
  Value x = n.input(0);
  int64_t axis = n.axis("axis", -1, n.rank(x));
  layerNormWithStatistics(n, x, n.input(1), n.optional(2), axis, n.real("epsilon", 1e-5f));
}

void importRmsNormalization(NodeImporter &n) {
  Value x = n.input(0), scale = n.cast(n.input(1), n.elementType(x));
  int64_t axis = n.axis("axis", -1, n.rank(x));
  double epsilon = n.real("epsilon", 1e-5f);
  n.result(0, n.rmsNorm(x, scale, axis, epsilon));
  if (n.wants(1))
    n.result(1, inverseRms(n, x, axis, epsilon));
}

// Scale and bias are per group before opset 21, then per channel.
void importGroupNormalization(NodeImporter &n) {
  Value x = n.input(0), scale = n.input(1), bias = n.input(2);
  int64_t batch = n.dim(x, 0), channels = n.dim(x, 1), groups = n.integer("num_groups", 1);
  if (groups < 1 || channels % groups != 0)
    return void(n.error("num_groups " + Twine(groups) + " does not divide " + Twine(channels) + " channels"));
  int64_t rest = batch * groups == 0 ? 0 : n.numElements(x) / (batch * groups);
  Type type = n.elementType(x);
  Value wide = n.integer("stash_type", 1) == 1 ? n.cast(x, n.f32()) : x;
  Value grouped = standardize(n, n.reshape(wide, {batch, groups, rest}), {2}, n.real("epsilon", 1e-5f));
  grouped = n.cast(grouped, type);
  bool perGroup = n.opset < 21 && n.numElements(scale) == groups;
  if (perGroup)
    grouped = n.add(n.mul(grouped, n.reshape(scale, {groups, 1})), n.reshape(bias, {groups, 1}));
  Value y = n.reshape(grouped, n.shape(x));
  n.result(0, perGroup ? y : n.add(n.mul(y, perChannel(n, scale, n.rank(x))), perChannel(n, bias, n.rank(x))));
}

void importInstanceNormalization(NodeImporter &n) {
  Value x = n.input(0);
  Value y = standardize(n, x, axesFrom(2, n.rank(x)), n.real("epsilon", 1e-5f));
  n.result(0, n.add(n.mul(y, perChannel(n, n.input(1), n.rank(x))), perChannel(n, n.input(2), n.rank(x))));
}

void importBatchNormalization(NodeImporter &n) {
  Value x = n.input(0);
  auto channel = [&](size_t i) { return perChannel(n, n.input(i), n.rank(x)); };
  Value variance = channel(4);
  Value inverse = n.unary("rsqrt", n.add(variance, n.scalarLike(n.real("epsilon", 1e-5f), variance)));
  Value factor = n.mul(channel(1), n.cast(inverse, n.elementType(n.optional(1))));
  Value centred = n.sub(x, n.cast(channel(3), n.elementType(x)));
  n.result(0, n.add(n.mul(centred, n.cast(factor, n.elementType(x))), n.cast(channel(2), n.elementType(x))));
}

// A zero vector stays zero.
void importLpNormalization(NodeImporter &n) {
  Value x = n.input(0);
  int64_t axis = n.axis("axis", -1, n.rank(x));
  int64_t p = n.integer("p", 2);
  if (p != 1 && p != 2)
    n.error("p = " + Twine(p) + " is not supported, only 1 and 2");
  Value norm =
      p == 1 ? n.reduce("sum", n.unary("abs", x), {axis}) : n.unary("sqrt", n.reduce("sum", n.mul(x, x), {axis}));
  Value isZero = n.binary("equal", norm, n.scalarLike(0, x));
  n.result(0, n.div(x, n.select(isZero, n.scalarLike(1, x), norm)));
}

void importMeanVarianceNormalization(NodeImporter &n) {
  Value x = n.input(0);
  Ints axes = n.normalizeAxes(n.integers("axes").value_or(Ints{0, 2, 3}), n.rank(x));
  llvm::sort(axes);
  Value centred = n.sub(x, n.mean(x, axes));
  Value deviation = n.unary("sqrt", n.mean(n.mul(centred, centred), axes));
  n.result(0, n.div(centred, n.add(deviation, n.scalarLike(1e-9, x))));
}

// norm(input + skip + bias); inputs: input skip gamma [beta] bias.
void importSkipLayerNormalization(NodeImporter &n) {
  bool simplified = n.kind == "simplified";
  Value sum = n.add(n.input(0), n.input(1));
  if (Value bias = n.optional(simplified ? 3 : 4))
    sum = n.add(sum, bias);
  int64_t axis = n.normalizeAxis(-1, n.rank(sum));
  double epsilon = n.real("epsilon", 1e-12f);
  if (simplified) {
    n.result(0, n.rmsNorm(sum, n.input(2), axis, epsilon));
    if (n.wants(2))
      n.result(2, inverseRms(n, sum, axis, epsilon));
  } else {
    layerNormWithStatistics(n, sum, n.input(2), n.optional(3), axis, epsilon);
  }
  if (n.wants(3))
    n.result(3, sum);
}

// Inputs: input_ids segment_ids? word position segment? gamma beta mask? position_ids?
void importEmbedLayerNormalization(NodeImporter &n) {
  Value ids = n.input(0), positions = n.optional(8);
  Value positionTable = n.input(3);
  Value position = positions ? n.gather(positionTable, positions, 0) : n.sliceAxis(positionTable, 0, 0, n.dim(ids, 1));
  Value sum = n.add(n.gather(n.input(2), ids, 0), position);
  if (n.has(1) && n.has(4))
    sum = n.add(sum, n.gather(n.input(4), n.input(1), 0));
  int64_t axis = n.normalizeAxis(-1, n.rank(sum));
  n.result(0, n.layerNorm(sum, n.input(5), n.input(6), axis, n.real("epsilon", 1e-12f)));
  Type i32 = n.builder.getI32Type();
  if (n.wants(1)) {
    Value mask = n.optional(7);
    n.result(1, mask ? n.reduce("sum", n.cast(mask, i32), {1}, /*keepDims=*/false) : n.filled(0, i32, {n.dim(ids, 0)}));
  }
  if (n.wants(2))
    n.result(2, sum);
}

} // namespace llmpar
