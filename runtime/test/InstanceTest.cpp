//===- InstanceTest.cpp - Conformance of devices, and stepping -------------===//
#include "core/Instance.h"
#include "TestProgram.h"

#include <gtest/gtest.h>
#include <sstream>

namespace llmpar::rt::test {
namespace {

constexpr auto act = fb::Arena_Activations;
fb::BufferT f32(fb::Arena arena, uint64_t offset, Shape shape) {
  return TestProgram::buffer(arena, offset, DType::F32, std::move(shape));
}

/// y = x w over 1 or more ranks: w and x are split along the contraction of extent 6, then summed.
/// w comes from the constants, is doubled by `init` and lies in Staging, so that a device may pack it.
std::shared_ptr<const Program> matmulProgram(uint32_t ranks) {
  TestProgram p(ranks);
  p.input("x", DType::F32, {4, 6});
  p.output("y", DType::F32, {4, 5});
  std::vector<float> w;
  for (int i = 0; i < 30; ++i)
    w.push_back(static_cast<float>(i % 7) - 3);
  p.constants(w);
  std::vector<uint32_t> group;
  for (uint32_t r = 0; r < ranks; ++r)
    group.push_back(r);
  for (uint32_t r = 0; r < ranks; ++r) {
    int64_t k = 6 / ranks, begin = r * k;
    auto x = f32(act, 0, {4, k}), partial = f32(act, 256, {4, 5}), y = f32(act, 512, {4, 5});
    auto half = f32(fb::Arena_Weights, 0, {k, 5}), whole = f32(fb::Arena_Staging, 128, {k, 5});
    p.load(r, -1, 0, {6, 5}, {begin, 0}, half);
    p.init(r, KernelId::binary, {half, half}, {whole}, {0});
    p.inputSlice(r, 0, {0, begin}, x);
    p.record(r, KernelId::matmul, {x, whole}, {partial}, {0, 0});
    p.record(r, KernelId::all_reduce, {partial}, {y}, {0}, group);
  }
  p.outputSlice(ranks - 1, 0, {0, 0}, f32(act, 512, {4, 5}));
  std::shared_ptr<const Program> program;
  Status status = p.open(program);
  EXPECT_TRUE(status.ok()) << status.message();
  return program;
}

std::vector<float> runMatmul(const std::string &device, uint32_t ranks, InstanceStats *stats = nullptr) {
  std::unique_ptr<Instance> instance;
  Status status = Instance::create(matmulProgram(ranks), {.device = device, .profile = true}, instance);
  EXPECT_TRUE(status.ok()) << status.message();
  std::vector<float> x(24), y(20, -1);
  for (size_t i = 0; i < x.size(); ++i)
    x[i] = static_cast<float>(i % 5);
  const void *inputs[] = {x.data()};
  void *outputs[] = {y.data()};
  for (int step = 0; step < 3; ++step) {
    std::fill(y.begin(), y.end(), -1.f);
    status = instance->run(inputs, outputs);
    EXPECT_TRUE(status.ok()) << status.message();
  }
  EXPECT_EQ(instance->recordTimes(0)[0].calls, 3u);
  if (stats)
    *stats = instance->stats();
  return y;
}

class DeviceConformance : public testing::TestWithParam<const char *> {};

TEST_P(DeviceConformance, MatmulOnSeveralRanksIsThatOnOne) {
  std::vector<float> expected(20);
  for (int m = 0; m < 4; ++m)
    for (int n = 0; n < 5; ++n)
      for (int k = 0; k < 6; ++k)
        expected[m * 5 + n] += static_cast<float>((m * 6 + k) % 5) * 2 * static_cast<float>((k * 5 + n) % 7 - 3);
  for (uint32_t ranks : {1u, 2u, 3u, 6u})
    EXPECT_EQ(runMatmul(GetParam(), ranks), expected) << ranks << " ranks";
}

TEST_P(DeviceConformance, StagingIsReleasedExactlyIfTheWeightsArePacked) {
  InstanceStats stats;
  runMatmul(GetParam(), 2, &stats);
  EXPECT_EQ(stats.steps, 3u);
  EXPECT_EQ(stats.arenaBytes[2], 2 * 4096u);
  EXPECT_EQ(stats.bytesSentPerStep, 2 * 80u); // 2 (n-1)/n of 80 bytes, both ranks
  bool packs = stats.packedBytes > 0;
  EXPECT_EQ(packs, std::string(GetParam()) == "cpu");
  uint64_t withoutStaging = stats.arenaBytes[0] + stats.arenaBytes[1] + stats.packedBytes;
  EXPECT_EQ(stats.residentBytes, withoutStaging + (packs ? 0u : stats.arenaBytes[2]));
  EXPECT_GE(stats.peakBytes, stats.residentBytes);
  EXPECT_LE(stats.peakBytes, withoutStaging + stats.arenaBytes[2]);
}

/// An index of `gather` is out of range on rank 1 only; rank 0 waits in the all_reduce.
TEST_P(DeviceConformance, OneFailingRankEndsTheStepWithItsMessage) {
  TestProgram p(2);
  p.input("i", DType::I64, {2});
  p.output("y", DType::F32, {3});
  for (uint32_t r = 0; r < 2; ++r) {
    auto index = TestProgram::buffer(act, 0, DType::I64, {1});
    p.inputSlice(r, 0, {r}, index);
    p.record(r, KernelId::gather_elements, {f32(act, 64, {3}), index}, {f32(act, 128, {1})}, {0});
    p.record(r, KernelId::all_reduce, {f32(act, 192, {3})}, {f32(act, 256, {3})}, {0}, {0, 1});
  }
  p.outputSlice(0, 0, {0}, f32(act, 256, {3}));
  std::shared_ptr<const Program> program;
  ASSERT_TRUE(p.open(program).ok());
  std::unique_ptr<Instance> instance;
  ASSERT_TRUE(Instance::create(program, {.device = GetParam()}, instance).ok());
  int64_t good[] = {0, 2}, bad[] = {0, 77};
  float y[3];
  const void *goodInputs[] = {good}, *badInputs[] = {bad};
  void *outputs[] = {y};
  EXPECT_TRUE(instance->run(goodInputs, outputs).ok());
  Status status = instance->run(badInputs, outputs);
  EXPECT_EQ(status.code(), Code::Invalid);
  EXPECT_EQ(status.message().find("rank 1, main record 0 (gather_elements at 'layer0'): "), 0u) << status.message();
  EXPECT_NE(status.message().find("77"), std::string::npos) << status.message();
  EXPECT_TRUE(instance->run(goodInputs, outputs).ok()) << "usable again after a failure";
}

TEST_P(DeviceConformance, ShardedCopyPutsEveryBoxInItsPlace) {
  TestProgram p(3);
  p.input("x", DType::I32, {5, 4});
  p.output("y", DType::I32, {5, 4});
  int64_t begins[] = {0, 2, 4, 5}; // 2, 2 and 1 rows
  for (uint32_t r = 0; r < 3; ++r) {
    auto x = TestProgram::buffer(act, 0, DType::I32, {begins[r + 1] - begins[r], 4});
    auto y = TestProgram::buffer(act, 512, DType::I32, {begins[r + 1] - begins[r], 4});
    p.inputSlice(r, 0, {begins[r], 0}, x);
    p.record(r, KernelId::copy, {x}, {y});
    p.outputSlice(r, 0, {begins[r], 0}, y);
  }
  std::shared_ptr<const Program> program;
  ASSERT_TRUE(p.open(program).ok());
  std::unique_ptr<Instance> instance;
  ASSERT_TRUE(Instance::create(program, {.device = GetParam()}, instance).ok());
  std::vector<int32_t> x(20), y(20);
  for (size_t i = 0; i < 20; ++i)
    x[i] = static_cast<int32_t>(i * i);
  const void *inputs[] = {x.data()};
  void *outputs[] = {y.data()};
  ASSERT_TRUE(instance->run(inputs, outputs).ok());
  EXPECT_EQ(x, y);
}

INSTANTIATE_TEST_SUITE_P(Instance, DeviceConformance, testing::Values("reference", "cpu"),
                         [](const auto &info) { return std::string(info.param); });

TEST(Instance, WrongCallsAreErrors) {
  std::unique_ptr<Instance> instance;
  EXPECT_EQ(Instance::create(matmulProgram(1), {.device = "abacus"}, instance).message(),
            "no device 'abacus'; there are: reference cpu trace");
  ASSERT_TRUE(Instance::create(matmulProgram(1), {.device = "cpu"}, instance).ok());
  EXPECT_EQ(instance->run({}, {}).message(), "0 inputs, the program has 1");
  const void *null[] = {nullptr};
  EXPECT_EQ(instance->run(null, {}).message(), "input 'x' is a null pointer");
}

TEST(Instance, AProgramLargerThanTheMachineDoesNotFit) {
  TestProgram p(1, {uint64_t(1) << 48});
  std::shared_ptr<const Program> program;
  ASSERT_TRUE(p.open(program).ok());
  std::unique_ptr<Instance> instance;
  Status status = Instance::create(program, {.device = "cpu"}, instance);
  EXPECT_EQ(status.code(), Code::DoesNotFit);
  EXPECT_EQ(status.message().find("the program's 1 rank: 281474976710656 bytes (256.0 TiB) are needed, "), 0u)
      << status.message();
  // A trace allocates nothing.
  std::ostringstream out;
  status = Instance::create(program, {.device = "trace", .deviceOptions = {.trace = &out}}, instance);
  EXPECT_TRUE(status.ok()) << status.message();
}

TEST(Trace, PrintsEveryRankInOrder) {
  std::ostringstream out;
  std::unique_ptr<Instance> instance;
  Status status = Instance::create(matmulProgram(2), {.device = "trace", .deviceOptions = {.trace = &out}}, instance);
  ASSERT_TRUE(status.ok()) << status.message();
  ASSERT_TRUE(instance->run({}, {}).ok());
  EXPECT_EQ(out.str(),
            "rank 0 init #0 binary(3x5xf32@weights+0, 3x5xf32@weights+0) -> 3x5xf32@staging+128 {0} 'layer0'\n"
            "rank 1 init #0 binary(3x5xf32@weights+0, 3x5xf32@weights+0) -> 3x5xf32@staging+128 {0} 'layer0'\n"
            "rank 0 #0 matmul(4x3xf32@activations+0, 3x5xf32@staging+128) -> 4x5xf32@activations+256 {0, 0} 'layer0'\n"
            "rank 0 #1 all_reduce(4x5xf32@activations+256) -> 4x5xf32@activations+512 {0} group [0, 1] 'layer0'\n"
            "rank 1 #0 matmul(4x3xf32@activations+0, 3x5xf32@staging+128) -> 4x5xf32@activations+256 {0, 0} 'layer0'\n"
            "rank 1 #1 all_reduce(4x5xf32@activations+256) -> 4x5xf32@activations+512 {0} group [0, 1] 'layer0'\n");
}

TEST(Instance, AStateThatNoStepChangesIsNoConstant) { // a device that has packed it would not see the new value
  TestProgram p(1);
  p.input("x", DType::F32, {4, 6});
  p.output("y", DType::F32, {4, 5});
  p.state("w", DType::F32, {6, 5});
  auto x = f32(act, 0, {4, 6}), y = f32(act, 256, {4, 5}), w = f32(fb::Arena_Weights, 0, {6, 5});
  p.inputSlice(0, 0, {0, 0}, x);
  p.stateSlice(0, 0, {0, 0}, w);
  p.record(0, KernelId::matmul, {x, w}, {y}, {0, 0});
  p.outputSlice(0, 0, {0, 0}, y);
  std::shared_ptr<const Program> program;
  ASSERT_TRUE(p.open(program).ok());
  std::unique_ptr<Instance> instance;
  ASSERT_TRUE(Instance::create(program, {.device = "cpu"}, instance).ok());
  std::vector<float> ones(24, 1), result(20), weights(30, 2);
  const void *inputs[] = {ones.data()}, *states[] = {weights.data()};
  void *outputs[] = {result.data()};
  ASSERT_TRUE(instance->run(inputs, outputs).ok());
  EXPECT_EQ(result[0], 0);
  ASSERT_TRUE(instance->writeStates(states).ok());
  ASSERT_TRUE(instance->run(inputs, outputs).ok());
  EXPECT_EQ(result[0], 12);
}

/// A state that each of two ranks adds its rank to, and whose mean both have behind every second step.
std::shared_ptr<const Program> averagingProgram(Status &status, uint32_t everyOfSecond = 2) {
  TestProgram p(2);
  p.output("y", DType::F32, {2, 3});
  p.constants(std::vector<float>{0, 0, 0, 1, 1, 1});
  for (uint32_t r = 0; r < 2; ++r) {
    auto state = f32(fb::Arena_Weights, 0, {1, 3}), rank = f32(fb::Arena_Weights, 64, {1, 3});
    p.load(r, -1, 0, {2, 3}, {r, 0}, rank);
    p.record(r, KernelId::binary, {state, rank}, {state}, {0});
    p.record(r, KernelId::all_reduce, {state}, {state}, {0, 1}, {0, 1}).every = r == 0 ? 2 : everyOfSecond;
    p.outputSlice(r, 0, {r, 0}, state);
  }
  std::shared_ptr<const Program> program;
  status = p.open(program);
  return program;
}

TEST(Instance, RecordsThatDoNotRunInEveryStep) {
  Status status;
  std::shared_ptr<const Program> program = averagingProgram(status);
  ASSERT_TRUE(status.ok()) << status.message();
  std::unique_ptr<Instance> instance;
  status = Instance::create(program, {.device = "cpu", .profile = true}, instance);
  ASSERT_TRUE(status.ok()) << status.message();
  for (auto [first, second] : {std::pair(0.f, 1.f), {1.f, 1.f}, {1.f, 2.f}, {2.f, 2.f}}) {
    std::vector<float> y(6);
    void *outputs[] = {y.data()};
    ASSERT_TRUE(instance->run({}, outputs).ok());
    EXPECT_EQ(y, (std::vector<float>{first, first, first, second, second, second}));
  }
  EXPECT_EQ(instance->recordTimes(0)[1].calls, 2u);
  EXPECT_EQ(instance->stats().bytesSentPerStep, 2u * 12 / 2); // both ranks send 12 bytes in every second step
}

TEST(Instance, MembersRunTheirCollectivesInTheSameSteps) {
  Status status;
  averagingProgram(status, 3);
  EXPECT_NE(status.message().find("which runs every 3 steps, meets rank 0, main record 1 (all_reduce at 'layer0'), which runs every 2"), std::string::npos)
      << status.message();
}

} // namespace
} // namespace llmpar::rt::test
