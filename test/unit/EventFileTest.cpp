//===- EventFileTest.cpp - Scalars for TensorBoard --------------------------===//
#include "llmpar/Data/EventFile.h"

#include "llvm/Support/Endian.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include <gtest/gtest.h>

namespace llmpar {
namespace {

TEST(Crc32c, EqualsThePublishedExamples) { // RFC 3720, appendix B.4
  EXPECT_EQ(crc32c(llvm::StringRef(std::string(32, '\0'))), 0x8a9136aau);
  EXPECT_EQ(crc32c(llvm::StringRef(std::string(32, '\xff'))), 0x62a8ab43u);
  EXPECT_EQ(crc32c("123456789"), 0xe3069283u);
}

TEST(EventFile, RecordsFollowEachOther) {
  llvm::SmallString<64> folder;
  ASSERT_FALSE(llvm::sys::fs::createUniqueDirectory("llmpar-events", folder));
  auto file = EventFile::create((folder + "/runs/a").str());
  ASSERT_TRUE(bool(file));
  ASSERT_FALSE(file->add(7, {{"loss/training", 1.5}, {"rate", 0.25}}));
  auto buffer = llvm::MemoryBuffer::getFile(file->path(), /*IsText=*/false, /*RequiresNullTerminator=*/false);
  ASSERT_TRUE(bool(buffer));
  llvm::StringRef bytes = (*buffer)->getBuffer();
  std::vector<std::string> records;
  while (bytes.size() >= 16) {
    uint64_t size = llvm::support::endian::read64le(bytes.data());
    ASSERT_LE(size + 16, bytes.size());
    records.push_back(bytes.substr(12, size).str());
    bytes = bytes.drop_front(size + 16);
  }
  EXPECT_TRUE(bytes.empty());
  ASSERT_EQ(records.size(), 2u);
  EXPECT_NE(records[0].find("brain.Event:2"), std::string::npos);
  EXPECT_NE(records[1].find("loss/training"), std::string::npos);
  llvm::sys::fs::remove_directories(folder);
}

} // namespace
} // namespace llmpar
