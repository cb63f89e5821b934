//===- OpCostTest.cpp - Time of kernels ------------------------------------===//
#include "llmpar/Cost/OpCost.h"
#include "gtest/gtest.h"

using namespace llmpar;

static DeviceSpec device() {
  DeviceSpec spec;
  spec.peakFlopsPerSecond = {{DType::F32, 100e9}, {DType::BF16, 200e9}};
  spec.vectorFlopsPerSecond = 10e9;
  spec.memoryBandwidthBytesPerSecond = 20e9;
  spec.launchSeconds = 2e-6;
  return spec;
}

TEST(OpCost, EveryKernelHasAClass) {
#define LLMPAR_KERNEL(name, inputs, outputs, ints, floats)                                                             \
  EXPECT_TRUE(hasKernelClass(#name)) << #name << ": add it to OpCost.cpp";
#include "llmpar/Abi/Kernels.def"
  EXPECT_FALSE(hasKernelClass("no_such_kernel"));
}

TEST(OpCost, EveryKindBelongsToItsKernel) {
#define LLMPAR_UNARY(name) kernelClass("unary", #name);
#define LLMPAR_BINARY(name) kernelClass("binary", #name);
#define LLMPAR_REDUCE(name) EXPECT_EQ(kernelClass("reduce", #name), KernelClass::Rows);
#include "llmpar/Abi/Kinds.def"
  EXPECT_EQ(kernelClass("unary", "gelu"), KernelClass::Transcendental);
  EXPECT_EQ(kernelClass("unary", "relu"), KernelClass::Elementwise);
  EXPECT_EQ(kernelClass("binary", "add"), KernelClass::Elementwise);
  EXPECT_EQ(kernelClass("binary", "pow"), KernelClass::Transcendental);
  EXPECT_EQ(kernelClass("matmul"), KernelClass::Matmul);
  EXPECT_EQ(kernelClass("layer_norm"), KernelClass::Rows);
  EXPECT_EQ(kernelClass("transpose"), KernelClass::Move);
}

TEST(OpCost, ExpertsReadTheWeightsOfThoseThatTokensTake) {
  EXPECT_EQ(kernelClass("experts", "silu"), KernelClass::Matmul); // the function inside does not count
  // Eight experts of 2 x 100 weights.
  const Shape up{8, 10, 10}, down{8, 10, 10};
  auto bytesOf = [&](int64_t tokens, double routedRows) {
    std::vector<Shape> inputs{{tokens, 10}, {tokens, 8}, up, down}, outputs{{tokens, 10}};
    double small = 4.0 * static_cast<double>(tokens) * 18, weights = 4.0 * 1600;
    return workOf({.kernel = "experts", .kind = "silu", .inputs = inputs, .outputs = outputs, .inputBytes = small + weights,
                   .outputBytes = 4.0 * static_cast<double>(tokens) * 10, .flops = routedRows * 2 * 200})
        .bytes;
  };
  EXPECT_NEAR(bytesOf(1, 2), 4 * (28 + 2 * 200), 1e-9);     // one token, two experts
  EXPECT_NEAR(bytesOf(100, 200), 4 * (2800 + 1600), 1e-9); // all of them
}

TEST(OpCost, TheSlowestOfComputeMemoryAndLaunchCounts) {
  DeviceSpec spec = device();
  OpWork work{.kernel = KernelClass::Matmul, .type = DType::F32, .flops = 1e9, .bytes = 1e6};
  EXPECT_DOUBLE_EQ(opTime(spec, work), 1e9 / 100e9);
  work.bytes = 1e9;
  EXPECT_DOUBLE_EQ(opTime(spec, work), 1e9 / 20e9);
  EXPECT_DOUBLE_EQ(opTime(spec, {.kernel = KernelClass::Move, .type = DType::F32, .flops = 0, .bytes = 8}), 2e-6);
  EXPECT_DOUBLE_EQ(opTime(spec, {.kernel = KernelClass::Elementwise, .type = DType::F32, .flops = 1e6, .bytes = 0}),
                   1e6 / 10e9);
}

TEST(OpCost, ATypeWithoutAPeakIsComputedInF32) {
  DeviceSpec spec = device();
  auto seconds = [&](DType type) { return opTime(spec, {.kernel = KernelClass::Matmul, .type = type, .flops = 1e9}); };
  EXPECT_DOUBLE_EQ(seconds(DType::BF16), 1e9 / 200e9);
  EXPECT_DOUBLE_EQ(seconds(DType::F16), 1e9 / 100e9);
  spec.peakFlopsPerSecond.erase(DType::F32);
  EXPECT_DOUBLE_EQ(seconds(DType::F16), 1e9 / 200e9);
}

TEST(OpCost, EfficiencyFollowsTheSizeOfTheCall) {
  DeviceSpec spec = device();
  spec.matmulEfficiency.points = {{1e6, 0.2}, {1e9, 0.8}};
  spec.bandwidthEfficiency[KernelClass::Rows].points = {{1e3, 0.5}};
  auto matmul = [&](double flops) {
    return opTime(spec, {.kernel = KernelClass::Matmul, .type = DType::F32, .flops = flops});
  };
  EXPECT_DOUBLE_EQ(matmul(1e6), 1e6 / (0.2 * 100e9));
  EXPECT_DOUBLE_EQ(matmul(1e9), 1e9 / (0.8 * 100e9));
  EXPECT_DOUBLE_EQ(opTime(spec, {.kernel = KernelClass::Rows, .bytes = 1e9}), 1e9 / (0.5 * 20e9));
  EXPECT_DOUBLE_EQ(opTime(spec, {.kernel = KernelClass::Move, .bytes = 1e9}), 1e9 / 20e9);
}

TEST(OpCost, PublishedRooflinesOfAnH200) {
  DeviceSpec h200;
  h200.peakFlopsPerSecond = {{DType::BF16, 989e12}};
  h200.memoryBandwidthBytesPerSecond = 4.8e12;
  // Llama-3-8B reads 15.0 GB for each token at batch 1: 3.13 ms.
  EXPECT_NEAR(opTime(h200, {.kernel = KernelClass::Matmul, .type = DType::BF16, .flops = 15e9, .bytes = 15e9}), 3.13e-3,
              1e-5);
  // The best measured product reaches 794.5 TFLOP/s (stas00/ml-engineering, maximum achievable FLOPS): 80.3 %.
  h200.matmulEfficiency.points = {{1e12, 0.803}};
  EXPECT_NEAR(opTime(h200, {.kernel = KernelClass::Matmul, .type = DType::BF16, .flops = 794.5e12}), 1, 0.001);
}

TEST(OpCost, AMeasuredKernelTakesAtLeastTheLaunch) {
  DeviceSpec device;
  device.memoryBandwidthBytesPerSecond = 1e9;
  device.launchSeconds = 60e-9;
  device.kernels["binary add"].bandwidthEfficiency.points = {{768, 1}};
  OpWork work{.bytes = 12, .measured = "binary add"};
  EXPECT_DOUBLE_EQ(opTime(device, work), 60e-9);
  work.bytes = 1000;
  EXPECT_DOUBLE_EQ(opTime(device, work), 1e-6);
}
