//===- ProgramTest.cpp - What Program::open accepts and rejects ------------===//
#include "TestProgram.h"
#include "core/CheckRecord.h"
#include "core/KernelSignature.h"

#include <functional>
#include <gtest/gtest.h>

namespace llmpar::rt::test {
namespace {

constexpr auto act = fb::Arena_Activations;
using B = fb::BufferT;
B f32(uint64_t offset, Shape shape) { return TestProgram::buffer(act, offset, DType::F32, std::move(shape)); }

/// y = x + x on one rank.
TestProgram addProgram() {
  TestProgram p(1);
  p.input("x", DType::F32, {2, 3});
  p.output("y", DType::F32, {2, 3});
  p.inputSlice(0, 0, {0, 0}, f32(0, {2, 3}));
  p.record(0, KernelId::binary, {f32(0, {2, 3}), f32(0, {2, 3})}, {f32(64, {2, 3})}, {0});
  p.outputSlice(0, 0, {0, 0}, f32(64, {2, 3}));
  return p;
}

TEST(Program, DecodesEverything) {
  std::shared_ptr<const Program> program;
  Status status = addProgram().open(program);
  ASSERT_TRUE(status.ok()) << status.message();
  ASSERT_EQ(program->ranks.size(), 1u);
  const RecordDef &record = program->ranks[0].main.at(0);
  EXPECT_EQ(record.kernel, KernelId::binary);
  EXPECT_EQ(record.location, "layer0");
  EXPECT_EQ(record.outputs[0].offset, 64u);
  EXPECT_EQ(program->inputs[0].bytes, 24u);
  EXPECT_EQ(describeRecord(0, Entry::Main, 0, record), "rank 0, main record 0 (binary at 'layer0')");
}

TEST(Program, MissingFileIsNamed) {
  std::shared_ptr<const Program> program;
  Status status = Program::open("/nonexistent/a.llmpar", program);
  EXPECT_EQ(status.code(), Code::Invalid);
  EXPECT_EQ(status.message(), "cannot open program '/nonexistent/a.llmpar': No such file or directory");
}

struct Rejection {
  const char *name, *message;
  std::function<void(TestProgram &)> spoil;
};

void PrintTo(const Rejection &rejection, std::ostream *out) { *out << rejection.name; }

class Rejects : public testing::TestWithParam<Rejection> {};

TEST_P(Rejects, WithAMessage) {
  TestProgram p = addProgram();
  GetParam().spoil(p);
  std::shared_ptr<const Program> program;
  Status status = p.open(program);
  EXPECT_EQ(status.code(), Code::Invalid);
  EXPECT_NE(status.message().find(GetParam().message), std::string::npos) << status.message();
}

fb::RecordT &first(TestProgram &p) { return *p.table.ranks[0]->main[0]; }

const Rejection rejections[] = {
    {"Version", "version 2, this runtime reads version 1", [](auto &p) { p.table.version = 2; }},
    {"UnknownKernel", "needs kernel 'warp_drive'", [](auto &p) { p.table.kernels[0] = "warp_drive"; }},
    {"KernelIndex", "kernel 999 of", [](auto &p) { first(p).kernel = 999; }},
    {"OutsideArena", "input 0: 2x3xf32 (24 bytes) at offset 4080 does not lie in arena activations of 4096 bytes",
     [](auto &p) { first(p).inputs[0]->offset = 4080; }},
    {"OffsetOverflow", "does not lie in arena", [](auto &p) { first(p).inputs[0]->offset = ~uint64_t(0) - 7; }},
    {"Misaligned", "offset 2 is not aligned", [](auto &p) { first(p).inputs[0]->offset = 2; }},
    {"DType", "unknown element type 77", [](auto &p) { first(p).inputs[0]->dtype = 77; }},
    {"NegativeExtent", "negative extent -2", [](auto &p) { first(p).inputs[0]->shape[0] = -2; }},
    {"HugeShape", "more than 2^46 elements",
     [](auto &p) { first(p).inputs[0]->shape = {int64_t(1) << 40, int64_t(1) << 40, 0}; }},
    {"Rank", "rank 9 is above 8", [](auto &p) { first(p).inputs[0]->shape.assign(9, 1); }},
    {"Arena", "unknown arena 3", [](auto &p) { first(p).inputs[0]->arena = static_cast<fb::Arena>(3); }},
    {"InputCount", "has 1 inputs, expected 2", [](auto &p) { first(p).inputs.pop_back(); }},
    {"IntCount", "has 2 integer attributes, expected 1", [](auto &p) { first(p).ints.push_back(1); }},
    {"FloatCount", "has 1 float attributes, expected 0", [](auto &p) { first(p).floats.push_back(1); }},
    {"Kind", "unknown kind 500", [](auto &p) { first(p).ints[0] = 500; }},
    {"ResultShape", "the result is 3x2xf32, expected 2x3xf32", [](auto &p) { first(p).outputs[0]->shape = {3, 2}; }},
    {"Waits", "waits for record 0, which is not earlier", [](auto &p) { first(p).waits = {0}; }},
    {"Every", "runs every 2 steps, but is not of main and in place", [](auto &p) { first(p).every = 2; }},
    {"EveryZero", "runs every 0 steps", [](auto &p) { first(p).every = 0; }},
    {"Lane", "unknown lane 3", [](auto &p) { first(p).lane = static_cast<fb::Lane>(3); }},
    {"Race",
     "rank 0, main record 1 (copy at 'layer0') and rank 0, main record 0 (binary at 'layer0') touch the same bytes "
     "[64, 88) of activations; neither waits for the other",
     [](auto &p) { p.record(0, KernelId::copy, {f32(64, {2, 3})}, {f32(128, {2, 3})}).lane = fb::Lane_Copy; }},
    {"CollectivesOnTwoLanes",
     "main record 2 (all_reduce at 'layer0') is on lane communication and rank 0, main record 1 (all_reduce at "
     "'layer0') on lane compute: all collectives of an entry are on one lane",
     [](auto &p) {
       p.record(0, KernelId::all_reduce, {f32(128, {2})}, {f32(192, {2})}, {0}, {0});
       p.record(0, KernelId::all_reduce, {f32(256, {2})}, {f32(320, {2})}, {0}, {0}).lane = fb::Lane_Communication;
     }},
    {"Location", "location 9 of 2", [](auto &p) { first(p).location = 9; }},
    {"GroupOfAKernel", "has a group but is no collective", [](auto &p) { first(p).group = {0}; }},
    {"SliceOutside", "dimension 1: [1, +3) is outside of extent 3",
     [](auto &p) { p.table.ranks[0]->inputs[0]->starts = {0, 1}; }},
    {"SliceIndex", "index 4 of 1", [](auto &p) { p.table.ranks[0]->outputs[0]->io = 4; }},
    {"SliceType", "type i32, 'x' has f32",
     [](auto &p) { p.table.ranks[0]->inputs[0]->buffer->dtype = static_cast<uint8_t>(DType::I32); }},
    {"LoadFile", "file 0 of 0",
     [](auto &p) { p.load(0, 0, 0, {2}, {0}, TestProgram::buffer(fb::Arena_Weights, 0, DType::F32, {2})); }},
    {"LoadConstants", "8 bytes at offset 0 exceed the constants of 4 bytes",
     [](auto &p) {
       p.constants(std::vector<float>{1});
       p.load(0, -1, 0, {2}, {0}, TestProgram::buffer(fb::Arena_Weights, 0, DType::F32, {2}));
     }},
    {"LoadBeyondFile", "exceed file 'w.bin' of 4 bytes",
     [](auto &p) {
       p.file("w.bin", 4);
       p.load(0, 0, 0, {2}, {0}, TestProgram::buffer(fb::Arena_Weights, 0, DType::F32, {2}));
     }},
    {"Mesh", "the mesh has 3 ranks, the program 1", [](auto &p) { p.table.mesh[0]->size = 3; }},
    {"NoRanks", "0 ranks", [](auto &p) { p.table.ranks.clear(); }},
    {"NotAMember", "rank 0 is not in the group",
     [](auto &p) { p.record(0, KernelId::all_reduce, {f32(0, {2})}, {f32(64, {2})}, {0}, {}); }},
    {"UnknownMember", "member 5 of 1 ranks",
     [](auto &p) { p.record(0, KernelId::all_reduce, {f32(0, {2})}, {f32(64, {2})}, {0}, {5}); }},
    {"Matmul", "the contraction has extents 3 and 2",
     [](auto &p) { p.record(0, KernelId::matmul, {f32(0, {2, 3}), f32(0, {2, 3})}, {f32(64, {2, 3})}, {0, 0}); }},
    {"RotaryPairs", "3xf32 does not turn pairs of 2x4xf32",
     [](auto &p) { p.record(0, KernelId::rotary, {f32(0, {2, 4}), f32(0, {3}), f32(0, {3})}, {f32(64, {2, 4})}, {0}); }},
    {"RotaryRows", "3x2xf32 does not turn pairs of 2x4xf32",
     [](auto &p) { p.record(0, KernelId::rotary, {f32(0, {2, 4}), f32(0, {2}), f32(0, {3, 2})}, {f32(64, {2, 4})}, {0}); }},
    {"SliceKernel", "leave extent 3",
     [](auto &p) { p.record(0, KernelId::slice, {f32(0, {3})}, {f32(64, {3})}, {1, 1}); }},
    {"Permutation", "names axis 1 twice",
     [](auto &p) { p.record(0, KernelId::transpose, {f32(0, {2, 3})}, {f32(64, {3, 3})}, {1, 1}); }},
    {"ConvWindow", "must be positive",
     [](auto &p) {
       p.record(0, KernelId::conv, {f32(0, {1, 1, 4}), f32(64, {1, 1, 2})}, {f32(128, {1, 1, 3})}, {1, 0, 0, 0, 1});
     }},
};

INSTANTIATE_TEST_SUITE_P(Program, Rejects, testing::ValuesIn(rejections),
                         [](const auto &info) { return std::string(info.param.name); });

TEST(Program, AWaitOrdersWhatWouldBeARace) {
  TestProgram p = addProgram();
  fb::RecordT &copy = p.record(0, KernelId::copy, {f32(64, {2, 3})}, {f32(128, {2, 3})});
  copy.lane = fb::Lane_Copy;
  copy.waits = {0};
  std::shared_ptr<const Program> program;
  Status status = p.open(program);
  ASSERT_TRUE(status.ok()) << status.message();
  EXPECT_EQ(program->ranks[0].main[1].lane, Lane::Copy);
  EXPECT_EQ(program->ranks[0].main[1].waits, std::vector<uint32_t>{0});
  EXPECT_FALSE(program->ranks[0].mainOverlaps);
}

TEST(Program, CollectivesThatDoNotMeetAreFound) {
  auto open = [](TestProgram &p) {
    std::shared_ptr<const Program> program;
    return p.open(program).message();
  };
  B x = f32(0, {4}), y = f32(64, {4}), z = f32(128, {5});
  TestProgram differs(2);
  differs.record(0, KernelId::all_reduce, {x}, {y}, {0}, {0, 1});
  differs.record(1, KernelId::all_reduce, {x}, {y}, {1}, {0, 1});
  EXPECT_NE(open(differs).find("all_reduce(4xf32 -> 4xf32 {1}) against all_reduce(4xf32 -> 4xf32 {0})"),
            std::string::npos)
      << open(differs);
  TestProgram alone(2);
  alone.record(0, KernelId::all_reduce, {x}, {y}, {0}, {0, 1});
  EXPECT_NE(open(alone).find("rank 0, main record 0 (all_reduce at 'layer0') would wait forever for rank 1, which has "
                             "no further collective"),
            std::string::npos)
      << open(alone);
  TestProgram cycle(3);
  cycle.record(0, KernelId::all_reduce, {x}, {y}, {0}, {0, 1});
  cycle.record(0, KernelId::all_reduce, {x}, {y}, {0}, {0, 2});
  cycle.record(1, KernelId::all_reduce, {x}, {y}, {0}, {1, 2});
  cycle.record(1, KernelId::all_reduce, {x}, {y}, {0}, {0, 1});
  cycle.record(2, KernelId::all_reduce, {x}, {y}, {0}, {0, 2});
  cycle.record(2, KernelId::all_reduce, {x}, {y}, {0}, {1, 2});
  EXPECT_NE(open(cycle).find("would wait forever for rank 1, main record 0"), std::string::npos) << open(cycle);
  TestProgram good(3); // overlapping groups in one order
  for (uint32_t r : {0u, 1u})
    good.record(r, KernelId::all_reduce, {x}, {y}, {0}, {0, 1});
  for (uint32_t r : {1u, 2u})
    good.record(r, KernelId::all_reduce, {x}, {y}, {0}, {1, 2});
  EXPECT_EQ(open(good), "");
}

TEST(KernelSignature, FollowsFromKernelsDef) {
  static_assert(kernelSignature(KernelId::concat).inputs.contains(7));
  static_assert(!kernelSignature(KernelId::concat).inputs.contains(0));
  static_assert(kernelSignature(KernelId::conv).inputs.contains(2));
  static_assert(!kernelSignature(KernelId::conv).inputs.contains(4));
  static_assert(kernelSignature(KernelId::top_k).outputs.max == 2);
  static_assert(kernelSignature(KernelId::unary).floats.min == 2);
  static_assert(kernelSignature(KernelId::iota).inputs.max == 0);
  // Every kernel that is not a collective has a rule of its own.
  for (uint16_t id = 0; !isCollective(static_cast<KernelId>(id)); ++id) {
    KernelSignature signature = kernelSignature(static_cast<KernelId>(id));
    std::vector<TensorView> inputs(static_cast<size_t>(signature.inputs.min)),
        outputs(static_cast<size_t>(signature.outputs.min));
    std::vector<int64_t> ints(static_cast<size_t>(signature.ints.min));
    std::vector<double> floats(static_cast<size_t>(signature.floats.min));
    EXPECT_EQ(checkKernel(static_cast<KernelId>(id), {inputs, outputs, ints, floats}).find("has no rule"),
              std::string::npos)
        << kernelName(static_cast<KernelId>(id));
  }
}

} // namespace
} // namespace llmpar::rt::test
