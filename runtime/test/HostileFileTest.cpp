//===- HostileFileTest.cpp - Damaged program files never crash -------------===//
//
// Truncates a program file at every length and flips bytes at every position. What still
// opens is a program in its own right, so it is also run.
//
//===----------------------------------------------------------------------===//
#include "TestProgram.h"
#include "core/Instance.h"

#include <gtest/gtest.h>
#include <random>

namespace llmpar::rt::test {
namespace {

/// Two ranks: loads, init, a gather, a matmul, an all_reduce, a softmax.
std::vector<std::byte> validFile() {
  TestProgram p(2, {512, 1024, 256});
  p.input("x", DType::F32, {2, 4});
  p.output("y", DType::F32, {2, 3});
  p.constants(std::vector<float>(12, 0.5f));
  auto f32 = [](fb::Arena arena, uint64_t offset, Shape shape) {
    return TestProgram::buffer(arena, offset, DType::F32, std::move(shape));
  };
  for (uint32_t r = 0; r < 2; ++r) {
    auto x = f32(fb::Arena_Activations, 0, {2, 2}), y = f32(fb::Arena_Activations, 64, {2, 3});
    auto w = f32(fb::Arena_Weights, 0, {2, 3}), doubled = f32(fb::Arena_Staging, 0, {2, 3});
    p.inputSlice(r, 0, {0, 2 * r}, x);
    p.load(r, -1, 0, {4, 3}, {2 * r, 0}, w);
    p.init(r, KernelId::binary, {w, w}, {doubled}, {0});
    p.record(r, KernelId::matmul, {x, doubled}, {y}, {0, 0});
    p.record(r, KernelId::all_reduce, {y}, {y}, {0}, {0, 1});
    p.record(r, KernelId::softmax, {y}, {f32(fb::Arena_Activations, 128, {2, 3})}, {1, 0});
    p.record(r, KernelId::slice, {y}, {f32(fb::Arena_Activations, 192, {1, 2})}, {0, 2, 1, -2});
  }
  p.outputSlice(0, 0, {0, 0}, f32(fb::Arena_Activations, 128, {2, 3}));
  return p.bytes();
}

/// Opens and, if that works, runs one step. Returns whether it opened.
bool tryOut(const std::vector<std::byte> &bytes) {
  std::shared_ptr<const Program> program;
  Status status = Program::fromBytes(bytes, "fuzz", program);
  if (!status.ok()) {
    EXPECT_EQ(status.code(), Code::Invalid);
    EXPECT_FALSE(status.message().empty());
    return false;
  }
  uint64_t arenas = 0;
  for (const RankDef &rank : program->ranks)
    for (uint64_t size : rank.arenaBytes)
      arenas += size;
  if (arenas > (1 << 20))
    return true;
  std::unique_ptr<Instance> instance;
  if (!Instance::create(program, {.device = "reference", .pinThreads = false}, instance).ok())
    return true;
  std::vector<std::vector<std::byte>> arrays;
  std::vector<const void *> inputs;
  std::vector<void *> outputs;
  for (const IoDef &io : program->inputs)
    if (io.bytes > (1 << 20))
      return true;
    else
      inputs.push_back(arrays.emplace_back(io.bytes + 1).data());
  for (const IoDef &io : program->outputs)
    if (io.bytes > (1 << 20))
      return true;
    else
      outputs.push_back(arrays.emplace_back(io.bytes + 1).data());
  (void)instance->run(inputs, outputs);
  return true;
}

TEST(HostileFile, TheUndamagedOneRuns) { EXPECT_TRUE(tryOut(validFile())); }

TEST(HostileFile, EveryTruncationIsAnError) {
  std::vector<std::byte> file = validFile();
  for (size_t size = 0; size < file.size(); ++size) {
    std::vector<std::byte> cut(file.begin(), file.begin() + static_cast<std::ptrdiff_t>(size));
    std::shared_ptr<const Program> program;
    Status status = Program::fromBytes(cut, "fuzz", program);
    if (status.ok()) // only the tail's padding may be missing
      EXPECT_GT(size + 16, file.size());
  }
}

TEST(HostileFile, FlippedBytesNeverCrash) {
  std::vector<std::byte> file = validFile();
  size_t opened = 0, rejected = 0;
  for (size_t at = 0; at < file.size(); ++at)
    for (unsigned value : {0x00u, 0x01u, 0xffu}) {
      std::vector<std::byte> damaged = file;
      damaged[at] = static_cast<std::byte>(value);
      ++(tryOut(damaged) ? opened : rejected);
    }
  EXPECT_GT(rejected, 100u);
  EXPECT_GT(opened, 100u);
}

TEST(HostileFile, RandomDamageNeverCrashes) {
  std::vector<std::byte> file = validFile();
  std::mt19937 random(5);
  for (int i = 0; i < 1000; ++i) {
    std::vector<std::byte> damaged = file;
    for (unsigned k = 0, count = 1 + random() % 8; k < count; ++k)
      damaged[random() % damaged.size()] = static_cast<std::byte>(random());
    tryOut(damaged);
  }
}

} // namespace
} // namespace llmpar::rt::test
