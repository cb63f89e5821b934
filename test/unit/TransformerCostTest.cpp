//===- TransformerCostTest.cpp - Parameters, FLOPs and activations ---------===//
#include "llmpar/Cost/TrainingCost.h"
#include "gtest/gtest.h"

using namespace llmpar;

// Unlike dimensions, so that a swapped one fails.
static constexpr TransformerShape shape{.layers = 5, .hidden = 48, .heads = 3, .sequence = 7, .vocabulary = 110};

TEST(TransformerCost, ParametersEqualASumOverTheWeights) {
  double h = 48, attention = 4 * (h * h + h), feedForward = h * 4 * h + 4 * h + 4 * h * h + h, norms = 2 * 2 * h;
  double embeddings = (110 + 7) * h;
  EXPECT_DOUBLE_EQ(parameterCount(shape), 5 * (attention + feedForward + norms) + embeddings);
}

TEST(TransformerCost, ForwardFlopsEqualASumOverTheProducts) {
  double b = 2, s = 7, h = 48;
  double projections = 4 * 2 * b * s * h * h, feedForward = 2 * 2 * b * s * h * 4 * h;
  double scores = 2 * b * s * s * h, values = 2 * b * s * s * h;
  EXPECT_DOUBLE_EQ(forwardLayerFlops(shape, b), projections + feedForward + scores + values);
}

TEST(TransformerCost, StepFlopsAreThePublishedForms) {
  double B = 2, L = 5, s = 7, h = 48, V = 110, base = B * L * s * h * h;
  EXPECT_NEAR(trainingStepFlops(shape, B, Recompute::None), 72 * base * (1 + s / (6 * h) + V / (12 * L * h)), 1);
  EXPECT_NEAR(trainingStepFlops(shape, B, Recompute::Selective), 72 * base * (1 + 2 * s / (9 * h) + V / (12 * L * h)),
              1);
  EXPECT_NEAR(trainingStepFlops(shape, B, Recompute::Full), 96 * base * (1 + s / (6 * h) + V / (16 * L * h)), 1);
}

TEST(TransformerCost, ActivationBytesAreThoseOfTable2) {
  double s = 7, b = 2, h = 48, a = 3, t = 3, sbh = s * b * h;
  ActivationSplit tensor{.tensor = t}, sequence{.tensor = t, .sequenceParallel = true};
  EXPECT_DOUBLE_EQ(activationBytesPerLayer(shape, b, {}, Recompute::None), sbh * (34 + 5 * a * s / h));
  EXPECT_DOUBLE_EQ(activationBytesPerLayer(shape, b, tensor, Recompute::None),
                   sbh * (10 + 24 / t + 5 * a * s / (h * t)));
  EXPECT_DOUBLE_EQ(activationBytesPerLayer(shape, b, sequence, Recompute::None), sbh * (34 / t + 5 * a * s / (h * t)));
  EXPECT_DOUBLE_EQ(activationBytesPerLayer(shape, b, tensor, Recompute::Selective), sbh * (10 + 24 / t));
  EXPECT_DOUBLE_EQ(activationBytesPerLayer(shape, b, sequence, Recompute::Selective), sbh * 34 / t);
  EXPECT_DOUBLE_EQ(activationBytesPerLayer(shape, b, tensor, Recompute::Full), 2 * sbh);
  EXPECT_DOUBLE_EQ(activationBytesPerLayer(shape, b, sequence, Recompute::Full), 2 * sbh / t);
}

static TrainingRun someRun() { return {.shape = {24, 2304, 24, 2048, 51200}, .batch = 64, .ranks = 8, .tensor = 4}; }

TEST(TrainingStepTime, WithoutPartnersNothingIsSent) {
  TrainingRun run = someRun();
  run.ranks = run.tensor = 1;
  TrainingTime time = trainingStepTime(run, llvm::cantFail(findCluster("dgx-a100")), {});
  EXPECT_EQ(time.tensor, 0);
  EXPECT_EQ(time.data, 0);
  EXPECT_NEAR(time.matmul, trainingStepFlops(run.shape, 64, Recompute::None) / 312e12, 1e-9);
}

TEST(TrainingStepTime, OptionsTakeAwayWhatTheySay) {
  Cluster cluster = llvm::cantFail(findCluster("dgx-a100"));
  TrainingTime before = trainingStepTime(someRun(), cluster, {});
  auto with = [&](auto change) {
    TrainingRun run = someRun();
    change(run);
    return trainingStepTime(run, cluster, {});
  };
  EXPECT_EQ(with([](TrainingRun &run) { run.overlapsGradients = true; }).data, 0);
  EXPECT_LT(with([](TrainingRun &run) { run.fusedAttention = true; }).memory, before.memory);
  EXPECT_LT(with([](TrainingRun &run) { run.sequenceParallel = true; }).memory, before.memory);
  EXPECT_LT(with([](TrainingRun &run) { run.shardsOptimizer = true; }).memory, before.memory);
  TrainingTime full = with([](TrainingRun &run) { run.recompute = Recompute::Full; });
  EXPECT_GT(full.matmul, before.matmul);
  EXPECT_NEAR(full.tensor, 1.5 * before.tensor, 1e-9);
  TrainingTime halfHidden = trainingStepTime(someRun(), cluster, {.exposedTensor = 0.5});
  EXPECT_NEAR(halfHidden.tensor, 0.5 * before.tensor, 1e-9);
}
