//===- TokenFileTest.cpp - Files of tokens ----------------------------------===//
#include "llmpar/Data/TokenFile.h"

#include "llvm/Support/FileSystem.h"
#include <gtest/gtest.h>

namespace llmpar {
namespace {

struct TokenFileTest : testing::Test {
  llvm::SmallString<64> path;
  void SetUp() override { ASSERT_FALSE(llvm::sys::fs::createTemporaryFile("llmpar", "bin", path)); }
  void TearDown() override { llvm::sys::fs::remove(path); }
};

TEST_F(TokenFileTest, ATokenTakesTheBytesThatItsClassesNeed) {
  for (auto [classes, bytes] : {std::pair(256u, 1u), {257u, 2u}, {65536u, 2u}, {65537u, 4u}}) {
    uint32_t tokens[] = {0, classes - 1, 7};
    ASSERT_FALSE(TokenFile::write(path, tokens, classes));
    uint64_t size;
    ASSERT_FALSE(llvm::sys::fs::file_size(path, size));
    EXPECT_EQ(size, 16 + 3 * bytes);
    auto file = TokenFile::open(path);
    ASSERT_TRUE(bool(file));
    EXPECT_EQ(file->size(), 3);
    EXPECT_EQ(file->classes(), classes);
    EXPECT_EQ((*file)[1], classes - 1);
    EXPECT_EQ((*file)[2], 7);
  }
}

TEST_F(TokenFileTest, TheFirstTokenBeyondTheVocabularyIsFound) {
  uint32_t tokens[] = {3, 4, 5, 9, 2, 9};
  ASSERT_FALSE(TokenFile::write(path, tokens, 10));
  auto file = TokenFile::open(path);
  ASSERT_TRUE(bool(file));
  EXPECT_EQ(file->findBeyond(9), 3);
  EXPECT_EQ(file->findBeyond(10), 6);
}

TEST_F(TokenFileTest, ASampleNeedsTheTokenBehindIt) {
  uint32_t tokens[] = {1, 2, 3, 4};
  ASSERT_FALSE(TokenFile::write(path, tokens, 10));
  auto file = TokenFile::open(path);
  ASSERT_TRUE(bool(file));
  EXPECT_EQ(file->samples(2), 1);
  EXPECT_EQ(file->samples(3), 1);
  EXPECT_EQ(file->samples(4), 0);
}

} // namespace
} // namespace llmpar
