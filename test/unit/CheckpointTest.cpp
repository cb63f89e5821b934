//===- CheckpointTest.cpp - Checkpoints on the disk -------------------------===//
#include "llmpar/Data/Checkpoint.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/FileSystem.h"
#include <gtest/gtest.h>
#include <numeric>

namespace llmpar {
namespace {
namespace fs = llvm::sys::fs;

struct CheckpointTest : testing::Test {
  llvm::SmallString<64> folder;
  void SetUp() override { ASSERT_FALSE(fs::createUniqueDirectory("llmpar-checkpoint", folder)); }
  void TearDown() override { fs::remove_directories(folder); }

  std::string at(llvm::StringRef name) const { return (folder + "/" + name).str(); }
  static std::string contents(const std::string &path) {
    auto buffer = llvm::MemoryBuffer::getFile(path);
    return buffer ? (*buffer)->getBuffer().str() : "";
  }
  static void overwrite(const std::string &path, llvm::StringRef text) {
    std::error_code code;
    llvm::raw_fd_ostream(path, code) << text;
  }
};

std::string errorOf(auto result) { return result ? "" : llvm::toString(result.takeError()); }

/// Two states over two ranks: `w` split along both dimensions in turn, `step` on both.
const std::vector<NamedType> states{{"w", DType::F32, {3, 4}}, {"step", DType::F32, {}}};
const std::vector<std::vector<StatePart>> parts{{{0, {0, 0}, {3, 1}}, {0, {0, 3}, {3, 1}}, {1, {}, {}}},
                                                {{0, {0, 1}, {3, 2}}, {1, {}, {}}}};

/// Element i of a state is i + `first`.
auto readFrom(float first) {
  return [first](size_t, const StatePart &part, llvm::MutableArrayRef<char> bytes) -> llvm::Error {
    auto *out = reinterpret_cast<float *>(bytes.data());
    if (part.state == 1)
      *out = first;
    else
      for (int64_t row = 0; row < part.shape[0]; ++row)
        for (int64_t column = 0; column < part.shape[1]; ++column)
          *out++ = first + static_cast<float>((part.starts[0] + row) * 4 + part.starts[1] + column);
    return llvm::Error::success();
  };
}

std::string save(llvm::StringRef root, int64_t step) {
  Manifest manifest{.step = step, .data = llvm::json::Object{{"position", step * 8}}, .model = "m.onnx"};
  manifest.states = states;
  auto written = writeCheckpoint(root, std::move(manifest), withoutReplicas(parts), readFrom(static_cast<float>(step)));
  return written ? *written : "error: " + llvm::toString(written.takeError());
}

std::vector<float> wholeOf(const Checkpoint &checkpoint, size_t state) {
  std::vector<float> values(static_cast<size_t>(states[state].bytes()) / 4);
  checkpoint.read(state, {reinterpret_cast<char *>(values.data()), values.size() * 4});
  return values;
}

TEST_F(CheckpointTest, StatesComeBackWholeFromTheirParts) {
  ASSERT_EQ(save(folder, 20), at("iter_0000020"));
  auto checkpoint = Checkpoint::open(folder);
  ASSERT_TRUE(bool(checkpoint)) << llvm::toString(checkpoint.takeError());
  EXPECT_EQ(checkpoint->manifest().step, 20);
  EXPECT_EQ(checkpoint->manifest().model, "m.onnx");
  EXPECT_EQ(checkpoint->manifest().data.getInteger("position"), 160);
  EXPECT_EQ(checkpoint->manifest().states, states);
  std::vector<float> expected(12);
  std::iota(expected.begin(), expected.end(), 20.0f);
  EXPECT_EQ(wholeOf(*checkpoint, 0), expected);
  EXPECT_EQ(wholeOf(*checkpoint, 1), std::vector<float>{20});
}

TEST_F(CheckpointTest, ReplicasAreWrittenOnce) {
  auto owned = withoutReplicas(parts);
  EXPECT_EQ(owned[0].size(), 3u);
  ASSERT_EQ(owned[1].size(), 1u);
  EXPECT_EQ(owned[1][0].starts, (std::vector<int64_t>{0, 1}));
}

TEST_F(CheckpointTest, TheNewestIsLatestAndAnyCanBeNamed) {
  save(folder, 20), save(folder, 30);
  EXPECT_EQ(contents(at("latest")), "iter_0000030\n");
  EXPECT_EQ(Checkpoint::open(folder)->manifest().step, 30);
  EXPECT_EQ(Checkpoint::open(at("iter_0000020"))->manifest().step, 20);
  fs::remove(at("latest")); // a crash before the first one was written
  EXPECT_EQ(Checkpoint::open(folder)->manifest().step, 30);
}

TEST_F(CheckpointTest, ACheckpointReplacesThatOfTheSameStep) {
  save(folder, 20);
  overwrite(at("iter_0000020/rank_000.safetensors"), "damaged");
  ASSERT_EQ(save(folder, 20), at("iter_0000020"));
  EXPECT_EQ(errorOf(Checkpoint::open(folder)), "");
  EXPECT_FALSE(fs::exists(at("iter_0000020.tmp")));
}

TEST_F(CheckpointTest, WhatACrashLeftIsNoCheckpointAndGoes) {
  save(folder, 20);
  fs::create_directory(at("iter_0000030.tmp"));
  overwrite(at("iter_0000030.tmp/manifest.json"), "{");
  EXPECT_EQ(Checkpoint::open(folder)->manifest().step, 20);
  save(folder, 40);
  EXPECT_FALSE(fs::exists(at("iter_0000030.tmp")));
}

TEST_F(CheckpointTest, ADamagedOneNamesTheNewestThatIsWhole) {
  save(folder, 20), save(folder, 30), save(folder, 40);
  std::string file = at("iter_0000040/rank_001.safetensors"), text = contents(file);
  text.back() ^= 1;
  overwrite(file, text);
  std::string error = errorOf(Checkpoint::open(folder));
  EXPECT_NE(error.find("iter_0000040/rank_001.safetensors: damaged"), std::string::npos) << error;
  EXPECT_NE(error.find("whole is of step 30: --load " + at("iter_0000030")), std::string::npos) << error;
  fs::remove(at("iter_0000030/rank_000.safetensors"));
  fs::remove_directories(at("iter_0000020"));
  EXPECT_NE(errorOf(Checkpoint::open(folder)).find("no other checkpoint below"), std::string::npos);
}

TEST_F(CheckpointTest, AnyChangedByteIsFound) {
  save(folder, 20);
  for (const char *name : {"iter_0000020/manifest.json", "iter_0000020/rank_000.safetensors"}) {
    std::string text = contents(at(name));
    for (size_t i = 0; i < text.size() - (llvm::StringRef(name).ends_with("json") ? 1 : 0); i += 7) {
      std::string changed = text;
      changed[i] ^= 4;
      overwrite(at(name), changed);
      EXPECT_NE(errorOf(Checkpoint::open(folder)), "") << name << " byte " << i;
    }
    overwrite(at(name), text);
  }
  EXPECT_EQ(errorOf(Checkpoint::open(folder)), "");
}

TEST_F(CheckpointTest, OnlyTheNewestAreKept) {
  for (int64_t step : {20, 30, 40, 100000})
    save(folder, step);
  ASSERT_FALSE(pruneCheckpoints(folder, 2));
  EXPECT_TRUE(fs::exists(at("iter_0100000")) && fs::exists(at("iter_0000040")));
  EXPECT_FALSE(fs::exists(at("iter_0000030")) || fs::exists(at("iter_0000020")));
}

TEST_F(CheckpointTest, AFailureToReadLeavesTheLastOne) {
  save(folder, 20);
  Manifest manifest{.step = 30};
  manifest.states = states;
  auto fails = [](size_t, const StatePart &, llvm::MutableArrayRef<char>) { return llvm::createStringError("lost"); };
  EXPECT_EQ(errorOf(writeCheckpoint(folder, std::move(manifest), parts, fails)), "lost");
  EXPECT_EQ(Checkpoint::open(folder)->manifest().step, 20);
  EXPECT_FALSE(fs::exists(at("iter_0000030.tmp")));
}

TEST_F(CheckpointTest, NothingThereIsSaidSo) {
  EXPECT_NE(errorOf(Checkpoint::open(folder)).find("no checkpoint there"), std::string::npos);
  EXPECT_FALSE(hasCheckpoints(folder));
}

TEST_F(CheckpointTest, SafetensorsThatLieAreRefused) {
  auto file = [&](llvm::StringRef header, llvm::StringRef data = "01234567", int64_t size = -1) {
    char bytes[8];
    llvm::support::endian::write64le(bytes, size < 0 ? header.size() : static_cast<uint64_t>(size));
    overwrite(at("t"), (llvm::StringRef(bytes, 8) + header + data).str());
    return errorOf(SafetensorsFile::open(at("t")));
  };
  EXPECT_EQ(file(R"({"__metadata__": {"a": "b"}, "x": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}})"), "");
  EXPECT_NE(file("{}", "", 3).find("cut off"), std::string::npos);
  EXPECT_NE(file("{}", "", std::numeric_limits<int64_t>::max()).find("cut off"), std::string::npos);
  EXPECT_NE(file("[]").find("no JSON object"), std::string::npos);
  for (const char *entry : {R"("dtype": "F32", "shape": [2], "data_offsets": [0, 12])",
                            R"("dtype": "F32", "shape": [3], "data_offsets": [0, 8])",
                            R"("dtype": "F32", "shape": [-2], "data_offsets": [0, 8])",
                            R"("dtype": "F32", "shape": [4611686018427387904, 4], "data_offsets": [0, 0])",
                            R"("dtype": "F4", "shape": [2], "data_offsets": [0, 8])",
                            R"("dtype": "F32", "shape": [2], "data_offsets": [8, 0])", R"("dtype": "F32")"})
    EXPECT_NE(file((llvm::Twine("{\"x\": {") + entry + "}}").str()).find("tensor 'x' is damaged"), std::string::npos)
        << entry;
}

} // namespace
} // namespace llmpar
