//===- LanesTest.cpp - Lanes on threads do what file order does ------------===//
#include "TestProgram.h"
#include "core/Instance.h"
#include "reference/Kinds.h"

#include <chrono>
#include <gtest/gtest.h>
#include <random>
#include <sstream>

namespace llmpar::rt::test {
namespace {

constexpr auto act = fb::Arena_Activations;
constexpr auto communication = fb::Lane_Communication;

std::shared_ptr<const Program> opened(const TestProgram &p) {
  std::shared_ptr<const Program> program;
  Status status = p.open(program);
  EXPECT_TRUE(status.ok()) << status.message();
  return program;
}

/// Rounds of s = tanh(all_reduce(-s) + 2 sigmoid(s)); the sum and the sigmoid may overlap. Last, s is gathered.
std::shared_ptr<const Program> roundsProgram(uint32_t ranks, int rounds, int64_t extent) {
  auto bytes = static_cast<uint64_t>(extent) * 4;
  TestProgram p(ranks, {64, bytes * (5 + ranks), 64});
  p.input("x", DType::F32, {ranks, extent});
  p.output("y", DType::F32, {ranks, extent});
  std::vector<uint32_t> group;
  std::vector<int64_t> gather = {0};
  for (uint32_t r = 0; r < ranks; ++r) {
    group.push_back(r);
    gather.push_back(1);
  }
  auto at = [&](uint64_t slot, int64_t rows = 1) {
    return TestProgram::buffer(act, slot * bytes, DType::F32, {rows, extent});
  };
  auto s = at(0), negated = at(1), sum = at(2), b = at(3), c = at(4), all = at(5, ranks);
  for (uint32_t r = 0; r < ranks; ++r) {
    p.inputSlice(r, 0, {r, 0}, s);
    auto unary = [&](UnaryKind kind, const fb::BufferT &x, const fb::BufferT &y) -> fb::RecordT & {
      fb::RecordT &record = p.record(r, KernelId::unary, {x}, {y}, {static_cast<int64_t>(kind)});
      record.floats = {0, 0};
      return record;
    };
    for (uint32_t round = 0, n = 0; round < static_cast<uint32_t>(rounds); ++round, n += 6) {
      unary(UnaryKind::neg, s, negated);
      fb::RecordT &reduce = p.record(r, KernelId::all_reduce, {negated}, {sum}, {0}, group);
      reduce.lane = communication;
      reduce.waits = {n};
      unary(UnaryKind::sigmoid, s, b);
      p.record(r, KernelId::binary, {b, b}, {c}, {0});
      p.record(r, KernelId::binary, {c, sum}, {c}, {0}).waits = {n + 1};
      unary(UnaryKind::tanh, c, s);
    }
    fb::RecordT &last = p.record(r, KernelId::all_gather, {s}, {all}, gather, group);
    last.lane = communication;
    last.waits = {static_cast<uint32_t>(rounds) * 6 - 1};
  }
  p.outputSlice(ranks - 1, 0, {0, 0}, all);
  return opened(p);
}

struct Outcome {
  std::vector<float> y;
  InstanceStats stats;
};
Outcome runRounds(const char *device, LaneMode lanes, uint32_t ranks, int64_t extent) {
  std::unique_ptr<Instance> instance;
  Status status =
      Instance::create(roundsProgram(ranks, 20, extent), {.device = device, .lanes = lanes, .profile = true}, instance);
  EXPECT_TRUE(status.ok()) << status.message();
  std::vector<float> x(ranks * static_cast<size_t>(extent)), y(x.size());
  std::mt19937 random(1);
  for (float &value : x)
    value = std::uniform_real_distribution<float>(-1, 1)(random);
  const void *inputs[] = {x.data()};
  void *outputs[] = {y.data()};
  for (int step = 0; step < 10; ++step)
    EXPECT_TRUE(instance->run(inputs, outputs).ok());
  EXPECT_EQ(instance->recordTimes(0).back().calls, 10u);
  return {y, instance->stats()};
}

class LaneConformance : public testing::TestWithParam<const char *> {};

TEST_P(LaneConformance, ThreadsGiveTheBitsOfFileOrder) {
  for (uint32_t ranks : {1u, 2u, 4u})
    for (int64_t extent : {7, 5000}) { // an all_reduce of each kind
      Outcome inOrder = runRounds(GetParam(), LaneMode::Inline, ranks, extent);
      Outcome threads = runRounds(GetParam(), LaneMode::Threads, ranks, extent);
      EXPECT_EQ(inOrder.stats.threads, ranks);
      EXPECT_EQ(threads.stats.threads, 2 * ranks);
      EXPECT_EQ(std::memcmp(inOrder.y.data(), threads.y.data(), inOrder.y.size() * sizeof(float)), 0)
          << ranks << " ranks, extent " << extent;
      EXPECT_NE(inOrder.y[0], 0);
    }
}

/// On rank 1 `gather_elements` on lane `failing` meets a bad index; a record of the other lane waits for it, and rank
/// 0 waits in a collective for rank 1.
std::shared_ptr<const Program> gatherProgram(fb::Lane failing) {
  TestProgram p(2);
  p.input("i", DType::I64, {2});
  p.output("y", DType::F32, {3});
  auto f32 = [](uint64_t offset, Shape shape) {
    return TestProgram::buffer(act, offset, DType::F32, std::move(shape));
  };
  for (uint32_t r = 0; r < 2; ++r) {
    auto index = TestProgram::buffer(act, 0, DType::I64, {1});
    p.inputSlice(r, 0, {r}, index);
    p.record(r, KernelId::all_reduce, {f32(192, {3})}, {f32(256, {3})}, {0}, {0, 1}).lane = communication;
    p.record(r, KernelId::gather_elements, {f32(64, {3}), index}, {f32(128, {1})}, {0}).lane = failing;
    fb::RecordT &copy = p.record(r, KernelId::copy, {f32(128, {1})}, {f32(320, {1})});
    if (failing == communication)
      copy.waits = {1};
    fb::RecordT &reduce = p.record(r, KernelId::all_reduce, {f32(320, {1})}, {f32(384, {1})}, {0}, {0, 1});
    reduce.lane = communication;
    reduce.waits = {2};
  }
  p.outputSlice(0, 0, {0}, f32(256, {3}));
  return opened(p);
}

TEST_P(LaneConformance, AFailingLaneEndsTheStepWithItsMessage) {
  for (fb::Lane failing : {fb::Lane_Compute, communication}) {
    std::unique_ptr<Instance> instance;
    ASSERT_TRUE(
        Instance::create(gatherProgram(failing), {.device = GetParam(), .lanes = LaneMode::Threads}, instance).ok());
    EXPECT_EQ(instance->stats().threads, 4u);
    int64_t good[] = {0, 2}, bad[] = {0, 77};
    float y[3];
    const void *goodInputs[] = {good}, *badInputs[] = {bad};
    void *outputs[] = {y};
    for (int repeat = 0; repeat < 20; ++repeat) {
      EXPECT_TRUE(instance->run(goodInputs, outputs).ok()) << "usable after a failure";
      Status status = instance->run(badInputs, outputs);
      EXPECT_EQ(status.code(), Code::Invalid);
      EXPECT_EQ(status.message().find("rank 1, main record 1 (gather_elements at 'layer0'): "), 0u) << status.message();
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Lanes, LaneConformance, testing::Values("reference", "cpu"),
                         [](const auto &info) { return std::string(info.param); });

std::vector<RecordDef> recordsOn(const std::vector<std::pair<Lane, std::vector<uint32_t>>> &list) {
  std::vector<RecordDef> records;
  for (const auto &[lane, waits] : list) {
    records.emplace_back().lane = lane;
    records.back().waits = waits;
  }
  return records;
}

TEST(LaneRunner, RunsARecordAfterWhatItWaitsFor) {
  std::vector<RecordDef> records = recordsOn({{Lane::Compute, {}},
                                              {Lane::Communication, {0}},
                                              {Lane::Copy, {0}},
                                              {Lane::Compute, {}},
                                              {Lane::Communication, {2, 3}},
                                              {Lane::Compute, {4}}});
  std::atomic<int> started{0};
  LaneRunner lanes(records, 100, [&](size_t) { ++started; });
  for (int step = 0; step < 200; ++step) {
    std::vector<std::atomic<bool>> ended(records.size());
    Status status = lanes.run([&](size_t index) {
      for (uint32_t wait : records[index].waits)
        EXPECT_TRUE(ended[wait]) << index << " began before " << wait << " had ended";
      ended[index] = true;
      return Status::success();
    });
    EXPECT_TRUE(status.ok());
    for (const auto &end : ended)
      EXPECT_TRUE(end);
  }
  EXPECT_EQ(started, 2) << "the calling thread runs the first lane";
}

TEST(LaneRunner, LanesRunAtTheSameTime) {
  std::vector<RecordDef> records = recordsOn({{Lane::Compute, {}}, {Lane::Communication, {}}});
  LaneRunner lanes(records, 0, [](size_t) {});
  std::atomic<int> inside{0};
  Status status = lanes.run([&](size_t) { // each waits for the other one: in order this would not end
    ++inside;
    auto begin = std::chrono::steady_clock::now();
    while (inside < 2 && std::chrono::steady_clock::now() - begin < std::chrono::seconds(20))
      std::this_thread::yield();
    return inside == 2 ? Status::success() : Status::internal("alone");
  });
  EXPECT_TRUE(status.ok()) << status.message();
}

TEST(LaneRunner, ALaneThatWaitsForAFailedOneEnds) {
  std::vector<RecordDef> records =
      recordsOn({{Lane::Compute, {}}, {Lane::Communication, {0}}, {Lane::Copy, {1}}, {Lane::Compute, {}}});
  LaneRunner lanes(records, 0, [](size_t) {});
  for (size_t failing = 0; failing < 3; ++failing) {
    std::atomic<size_t> ran{0};
    Status status = lanes.run([&](size_t index) {
      ++ran;
      return index == failing ? Status::device("no") : Status::success();
    });
    EXPECT_EQ(status.message(), "no") << "not the Aborted of a lane that waited";
    EXPECT_LE(ran, failing + 2) << "only record 3 may run beside those before the failure";
  }
}

TEST(LaneMode, NamesAndOverlapDecide) {
  LaneMode mode = LaneMode::Auto;
  EXPECT_TRUE(parseLaneMode("threads", mode).ok());
  EXPECT_EQ(mode, LaneMode::Threads);
  EXPECT_EQ(parseLaneMode("fast", mode).message(), "no lane mode 'fast': auto, inline or threads expected");
  EXPECT_TRUE(roundsProgram(2, 1, 3)->ranks[1].mainOverlaps);
  // More ranks than half the cores: auto does not put two lanes of each on them.
  std::unique_ptr<Instance> instance;
  auto many = static_cast<uint32_t>(std::thread::hardware_concurrency() / 2 + 1);
  ASSERT_TRUE(Instance::create(roundsProgram(many, 1, 3), {.device = "cpu"}, instance).ok());
  EXPECT_EQ(instance->stats().threads, many);
}

TEST(Trace, PrintsLaneAndWaits) {
  std::ostringstream out;
  std::unique_ptr<Instance> instance;
  ASSERT_TRUE(Instance::create(roundsProgram(1, 1, 3),
                               {.device = "trace", .lanes = LaneMode::Threads, .deviceOptions = {.trace = &out}},
                               instance)
                  .ok());
  ASSERT_TRUE(instance->run({}, {}).ok());
  EXPECT_NE(out.str().find("{0} group [0] lane communication waits [0] 'layer0'\n"), std::string::npos) << out.str();
  EXPECT_NE(out.str().find("rank 0 #4 binary(1x3xf32@activations+48, 1x3xf32@activations+24) -> "
                           "1x3xf32@activations+48 {0} waits [1] 'layer0'\n"),
            std::string::npos)
      << out.str();
  EXPECT_EQ(instance->stats().threads, 0u);
}

} // namespace
} // namespace llmpar::rt::test
