//===- LoadPlanTest.cpp - A rank reads its boxes of the weight files -------===//
#include "TestProgram.h"
#include "core/Box.h"
#include "core/Instance.h"
#include "core/TensorIo.h"

#include <filesystem>
#include <gtest/gtest.h>
#include <unistd.h>

namespace llmpar::rt::test {
namespace {

class LoadPlan : public testing::Test {
protected:
  std::string folder = testing::TempDir() + "llmpar-loadplan-" + std::to_string(::getpid());
  void SetUp() override { std::filesystem::create_directories(folder); }
  void TearDown() override { std::filesystem::remove_all(folder); }

  /// `count` int32 0, 1, 2 ... after a header of 20 bytes.
  void writeWeights(int count) {
    std::vector<std::byte> bytes(20 + static_cast<size_t>(count) * 4);
    for (int i = 0; i < count; ++i)
      std::memcpy(bytes.data() + 20 + i * 4, &i, 4);
    ASSERT_TRUE(writeFile(folder + "/w.bin", bytes).ok());
  }

  /// Loads box [starts, starts + box) of `shape` and returns it.
  Status loadBox(Shape shape, Shape starts, Shape box, std::vector<int32_t> &y, uint64_t fileSize = 0) {
    TestProgram p(1, {1 << 20, 1 << 20});
    p.file("w.bin", fileSize);
    auto w = TestProgram::buffer(fb::Arena_Weights, 64, DType::I32, box);
    p.load(0, 0, 20, shape, starts, w);
    p.output("y", DType::I32, box);
    p.outputSlice(0, 0, Shape(box.size()), w);
    return runInto(p, y);
  }

  /// Runs a program with one output of 4-byte elements.
  template <typename T> Status runInto(TestProgram &p, std::vector<T> &y) {
    std::shared_ptr<const Program> program;
    if (Status status = p.open(program); !status.ok())
      return status;
    std::unique_ptr<Instance> instance;
    if (Status status = Instance::create(program, {.device = "cpu", .baseDirectory = folder}, instance); !status.ok())
      return status;
    y.assign(program->outputs[0].bytes / 4, T(-1));
    void *outputs[] = {y.data()};
    return instance->run({}, outputs);
  }
};

TEST_F(LoadPlan, RowsColumnsAndInnerBoxes) {
  writeWeights(4 * 6);
  std::vector<int32_t> y;
  ASSERT_TRUE(loadBox({4, 6}, {1, 0}, {2, 6}, y).ok());
  EXPECT_EQ(y, (std::vector<int32_t>{6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17}));
  ASSERT_TRUE(loadBox({4, 6}, {0, 4}, {4, 2}, y).ok());
  EXPECT_EQ(y, (std::vector<int32_t>{4, 5, 10, 11, 16, 17, 22, 23}));
  ASSERT_TRUE(loadBox({2, 2, 6}, {1, 0, 2}, {1, 2, 3}, y).ok());
  EXPECT_EQ(y, (std::vector<int32_t>{14, 15, 16, 20, 21, 22}));
  ASSERT_TRUE(loadBox({4, 6}, {4, 0}, {0, 6}, y).ok());
  EXPECT_TRUE(y.empty());
}

TEST_F(LoadPlan, ColumnsOfALargeMatrixGoThroughTheWindow) {
  writeWeights(1000 * 900);
  std::vector<int32_t> y;
  ASSERT_TRUE(loadBox({1000, 900}, {0, 897}, {1000, 3}, y).ok());
  for (int i = 0; i < 3000; ++i)
    ASSERT_EQ(y[static_cast<size_t>(i)], i / 3 * 900 + 897 + i % 3);
}

TEST_F(LoadPlan, NarrowFloatsAreWidened) {
  std::vector<BFloat16> stored; // 64 x 9000: rows are read directly, columns through the window
  for (int i = 0; i < 64 * 9000; ++i)
    stored.push_back(BFloat16(static_cast<float>(i % 251) - 100.0f));
  ASSERT_TRUE(writeFile(folder + "/w.bin", std::as_bytes(std::span(stored))).ok());
  auto load = [&](Shape starts, Shape box, DType target, DType dtype, std::vector<float> &y) -> Status {
    TestProgram p(1, {4 << 20, 4 << 20});
    p.file("w.bin", stored.size() * 2);
    auto w = TestProgram::buffer(fb::Arena_Weights, 64, target, box);
    p.load(0, 0, 0, {64, 9000}, starts, w, static_cast<uint8_t>(dtype));
    p.output("y", target, box);
    p.outputSlice(0, 0, Shape(box.size()), w);
    return runInto(p, y);
  };
  std::vector<float> y;
  for (const auto &[starts, box] : {std::pair(Shape{1, 0}, Shape{63, 9000}), {Shape{0, 8997}, Shape{64, 3}}}) {
    ASSERT_TRUE(load(starts, box, DType::F32, DType::BF16, y).ok());
    for (size_t i = 0; i < y.size(); ++i) {
      int64_t row = starts[0] + static_cast<int64_t>(i) / box[1], column = starts[1] + static_cast<int64_t>(i) % box[1];
      ASSERT_EQ(y[i], static_cast<float>(stored[static_cast<size_t>(row * 9000 + column)]));
    }
  }
  EXPECT_NE(load({0, 0}, {1, 4}, DType::I32, DType::BF16, y).message().find("only f16 and bf16 are converted, to f32"),
            std::string::npos);
}

TEST_F(LoadPlan, AMissingFileIsNamedWithItsSize) {
  std::vector<int32_t> y;
  Status status = loadBox({4, 6}, {0, 0}, {4, 6}, y, 116);
  EXPECT_EQ(status.code(), Code::Invalid);
  EXPECT_EQ(status.message(), "rank 0: weights file '" + folder +
                                  "/w.bin': No such file or directory (116 bytes needed); name the model's folder, "
                                  "e.g. --weights=DIR");
}

TEST_F(LoadPlan, ATruncatedFileIsNamedWithBothSizes) {
  writeWeights(10);
  std::vector<int32_t> y;
  EXPECT_EQ(loadBox({4, 6}, {0, 0}, {4, 6}, y, 116).message(),
            "rank 0: weights file '" + folder + "/w.bin' has 60 bytes, the program needs 116: it is truncated");
  EXPECT_EQ(loadBox({4, 6}, {0, 0}, {4, 6}, y).message(),
            "rank 0: weights file '" + folder + "/w.bin' has 60 bytes, 'w' needs 116: it is truncated");
}

TEST(Box, RunsAreAsLongAsPossible) {
  std::vector<std::pair<size_t, size_t>> runs;
  auto collect = [&](Shape shape, Shape starts, Shape box) {
    runs.clear();
    Status status = forEachRun(shape, starts, box, 1, [&](size_t offset, size_t bytes) {
      runs.emplace_back(offset, bytes);
      return Status::success();
    });
    EXPECT_TRUE(status.ok());
    return runs;
  };
  using Runs = std::vector<std::pair<size_t, size_t>>;
  EXPECT_EQ(collect({4, 3}, {1, 0}, {2, 3}), (Runs{{3, 6}}));
  EXPECT_EQ(collect({4, 3}, {1, 1}, {2, 2}), (Runs{{4, 2}, {7, 2}}));
  EXPECT_EQ(collect({2, 3, 5}, {0, 1, 0}, {2, 2, 5}), (Runs{{5, 10}, {20, 10}}));
  EXPECT_EQ(collect({}, {}, {}), (Runs{{0, 1}}));
  EXPECT_EQ(collect({4, 0}, {0, 0}, {4, 0}), (Runs{}));
}

} // namespace
} // namespace llmpar::rt::test
