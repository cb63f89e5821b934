//===- CApiTest.cpp - The C API from opening to stepping -------------------===//
#include "TestProgram.h"
#include "llmpar/runtime.h"

#include <gtest/gtest.h>

namespace llmpar::rt::test {
namespace {

std::vector<std::byte> negateProgram() {
  TestProgram p(2);
  p.input("x", DType::F32, {2, 3});
  p.output("y", DType::F32, {2, 3});
  for (uint32_t r = 0; r < 2; ++r) {
    auto x = TestProgram::buffer(fb::Arena_Activations, 0, DType::F32, {1, 3});
    auto y = TestProgram::buffer(fb::Arena_Activations, 64, DType::F32, {1, 3});
    p.inputSlice(r, 0, {r, 0}, x);
    p.record(r, KernelId::unary, {x}, {y}, {0}).floats = {0, 0};
    p.outputSlice(r, 0, {r, 0}, y);
  }
  return p.bytes();
}

TEST(CApi, OpenQueryRunProfile) {
  std::vector<std::byte> bytes = negateProgram();
  llmpar_rt_program *program = nullptr;
  ASSERT_EQ(llmpar_rt_program_open_memory(bytes.data(), bytes.size(), &program), LLMPAR_RT_OK)
      << llmpar_rt_last_error();
  EXPECT_EQ(llmpar_rt_rank_count(program), 2u);
  ASSERT_EQ(llmpar_rt_input_count(program), 1u);
  llmpar_rt_tensor tensor;
  ASSERT_EQ(llmpar_rt_input(program, 0, &tensor), LLMPAR_RT_OK);
  EXPECT_STREQ(tensor.name, "x");
  EXPECT_STREQ(tensor.dtype, "f32");
  EXPECT_EQ(tensor.rank, 2);
  EXPECT_EQ(tensor.shape[1], 3);
  EXPECT_EQ(tensor.bytes, 24u);
  EXPECT_EQ(llmpar_rt_output(program, 1, &tensor), LLMPAR_RT_INVALID);
  const char *axis = nullptr;
  uint32_t size = 0;
  ASSERT_EQ(llmpar_rt_mesh_axis(program, 0, &axis, &size), LLMPAR_RT_OK);
  EXPECT_STREQ(axis, "tp");
  EXPECT_EQ(size, 2u);

  llmpar_rt_options options{};
  options.profile = 1;
  llmpar_rt_instance *instance = nullptr;
  options.lanes = "fast";
  EXPECT_EQ(llmpar_rt_instance_create(program, &options, &instance), LLMPAR_RT_INVALID);
  EXPECT_STREQ(llmpar_rt_last_error(), "no lane mode 'fast': auto, inline or threads expected");
  options.lanes = "threads"; // there is one lane only
  ASSERT_EQ(llmpar_rt_instance_create(program, &options, &instance), LLMPAR_RT_OK) << llmpar_rt_last_error();
  llmpar_rt_program_close(program); // the instance keeps what it needs
  float x[6] = {1, 2, 3, 4, 5, 6};
  const void *inputs[] = {x};
  void *outputs[] = {x}; // in place
  ASSERT_EQ(llmpar_rt_run(instance, inputs, 1, outputs, 1), LLMPAR_RT_OK) << llmpar_rt_last_error();
  EXPECT_EQ(x[0], -1);
  EXPECT_EQ(x[5], -6);
  EXPECT_EQ(llmpar_rt_run(instance, inputs, 0, outputs, 1), LLMPAR_RT_INVALID);
  EXPECT_STREQ(llmpar_rt_last_error(), "0 inputs, the program has 1");
  llmpar_rt_stats stats;
  llmpar_rt_get_stats(instance, &stats);
  EXPECT_EQ(stats.steps, 1u);
  EXPECT_EQ(stats.threads, 2u);
  EXPECT_EQ(stats.activations_bytes, 8192u);
  ASSERT_EQ(llmpar_rt_profile_count(instance, 1), 1u);
  llmpar_rt_profile_entry entry;
  ASSERT_EQ(llmpar_rt_profile(instance, 1, 0, &entry), LLMPAR_RT_OK);
  EXPECT_STREQ(entry.kernel, "unary");
  EXPECT_STREQ(entry.location, "layer0");
  EXPECT_EQ(entry.calls, 1u);
  EXPECT_EQ(llmpar_rt_profile(instance, 7, 0, &entry), LLMPAR_RT_INVALID);
  llmpar_rt_instance_destroy(instance);
}

/// A 2x3 state whose rows two ranks hold, and a scalar that both do.
std::vector<std::byte> stateProgram() {
  TestProgram p(2);
  p.state("w", DType::F32, {2, 3});
  p.state("step", DType::F32, {});
  for (uint32_t r = 0; r < 2; ++r) {
    p.stateSlice(r, 0, {r, 0}, TestProgram::buffer(fb::Arena_Weights, 0, DType::F32, {1, 3}));
    p.stateSlice(r, 1, {}, TestProgram::buffer(fb::Arena_Weights, 64, DType::F32, {}));
  }
  return p.bytes();
}

TEST(CApi, StatesArePartsOfRanks) {
  std::vector<std::byte> bytes = stateProgram();
  llmpar_rt_program *program = nullptr;
  ASSERT_EQ(llmpar_rt_program_open_memory(bytes.data(), bytes.size(), &program), LLMPAR_RT_OK) << llmpar_rt_last_error();
  ASSERT_EQ(llmpar_rt_part_count(program, LLMPAR_RT_STATE, 1), 2u);
  EXPECT_EQ(llmpar_rt_part_count(program, LLMPAR_RT_INPUT, 1), 0u);
  EXPECT_EQ(llmpar_rt_part_count(program, LLMPAR_RT_STATE, 2), 0u);
  llmpar_rt_part part;
  ASSERT_EQ(llmpar_rt_get_part(program, LLMPAR_RT_STATE, 1, 0, &part), LLMPAR_RT_OK);
  EXPECT_EQ(part.tensor, 0u);
  EXPECT_EQ(part.rank, 2);
  EXPECT_EQ(part.starts[0], 1);
  EXPECT_EQ(part.shape[1], 3);
  EXPECT_EQ(part.bytes, 12u);
  EXPECT_EQ(llmpar_rt_get_part(program, LLMPAR_RT_STATE, 1, 2, &part), LLMPAR_RT_INVALID);
  EXPECT_STREQ(llmpar_rt_last_error(), "rank 1 has no part 2");

  llmpar_rt_instance *instance = nullptr;
  ASSERT_EQ(llmpar_rt_instance_create(program, nullptr, &instance), LLMPAR_RT_OK) << llmpar_rt_last_error();
  float w[6] = {1, 2, 3, 4, 5, 6}, step = 7, row[3] = {}, whole[6] = {};
  const void *first[] = {w, nullptr}, *second[] = {nullptr, &step};
  ASSERT_EQ(llmpar_rt_write_states(instance, first, 2), LLMPAR_RT_OK);
  ASSERT_EQ(llmpar_rt_write_states(instance, second, 2), LLMPAR_RT_OK); // leaves w alone
  ASSERT_EQ(llmpar_rt_read_state_part(instance, 1, 0, row), LLMPAR_RT_OK);
  EXPECT_EQ(row[0], 4);
  EXPECT_EQ(row[2], 6);
  float read = 0;
  void *out[] = {whole, &read};
  ASSERT_EQ(llmpar_rt_read_states(instance, out, 2), LLMPAR_RT_OK);
  EXPECT_EQ(whole[5], 6);
  EXPECT_EQ(read, 7);
  EXPECT_EQ(llmpar_rt_read_state_part(instance, 2, 0, row), LLMPAR_RT_INVALID);
  EXPECT_EQ(llmpar_rt_write_states(instance, first, 1), LLMPAR_RT_INVALID);
  EXPECT_STREQ(llmpar_rt_last_error(), "1 states, the program has 2");
  llmpar_rt_instance_destroy(instance);
  llmpar_rt_program_close(program);
}

TEST(CApi, ErrorsHaveCodesAndMessages) {
  llmpar_rt_program *program = nullptr;
  EXPECT_EQ(llmpar_rt_program_open(nullptr, &program), LLMPAR_RT_INVALID);
  EXPECT_EQ(llmpar_rt_program_open_memory("garbage garbage garbage", 23, &program), LLMPAR_RT_INVALID);
  EXPECT_STREQ(llmpar_rt_last_error(), "program in memory: not a program file: no 'LLMP' identifier");
  EXPECT_EQ(program, nullptr);
  EXPECT_STREQ(llmpar_rt_device_names(), "reference cpu trace");
}

} // namespace
} // namespace llmpar::rt::test
