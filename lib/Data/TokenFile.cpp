//===- TokenData.cpp - Token files and the order of their samples -----------===//
#include "TokenData.h"

#include "llvm/Support/Endian.h"
#include "llvm/Support/raw_ostream.h"
#include <numeric>
#include <random>

namespace llmpar::tool {

static constexpr llvm::StringLiteral magic = "LLMPTOK1";
static constexpr size_t headerBytes = 16;

llvm::Expected<TokenFile> TokenFile::open(llvm::StringRef path) {
  auto fail = [&](const llvm::Twine &why) { return llvm::createStringError(path + ": " + why); };
  auto mapped = llvm::MemoryBuffer::getFile(path, /*IsText=*/false, /*RequiresNullTerminator=*/false);
  if (!mapped)
    return fail(mapped.getError().message());
  llvm::StringRef bytes = (*mapped)->getBuffer();
  if (!bytes.starts_with(magic) || bytes.size() < headerBytes)
    return fail("not a token file: make one with `llmpar data " + path + " -o tokens.bin`");
  TokenFile file;
  file.width = llvm::support::endian::read32le(bytes.data() + 8);
  file.classCount = llvm::support::endian::read32le(bytes.data() + 12);
  size_t rest = bytes.size() - headerBytes;
  if ((file.width != 1 && file.width != 2 && file.width != 4) || rest % file.width != 0)
    return fail("a damaged token file: tokens of " + llvm::Twine(file.width) + " bytes in " + llvm::Twine(rest));
  file.tokens = reinterpret_cast<const unsigned char *>(bytes.data()) + headerBytes;
  file.count = static_cast<int64_t>(rest / file.width);
  file.buffer = std::move(*mapped);
  return file;
}

int64_t TokenFile::operator[](int64_t index) const {
  const unsigned char *at = tokens + index * width;
  if (width == 1)
    return *at;
  return width == 2 ? llvm::support::endian::read16le(at) : llvm::support::endian::read32le(at);
}

llvm::Error TokenFile::writeBytes(llvm::StringRef path, llvm::StringRef text) {
  llvm::Error error = llvm::writeToOutput(path, [&](llvm::raw_ostream &os) {
    char header[8];
    llvm::support::endian::write32le(header, 1);
    llvm::support::endian::write32le(header + 4, 256);
    os << magic << llvm::StringRef(header, 8) << text;
    return llvm::Error::success();
  });
  return error ? llvm::createStringError(path + ": " + llvm::toString(std::move(error))) : llvm::Error::success();
}

int64_t SampleOrder::at(int64_t position) {
  int64_t count = end - begin;
  if (position / count != epoch) {
    epoch = position / count;
    order.resize(static_cast<size_t>(count));
    std::iota(order.begin(), order.end(), begin);
    std::mt19937_64 random(seed ^ (0x9e3779b97f4a7c15ull * static_cast<uint64_t>(epoch + 1)));
    for (size_t i = order.size(); i > 1; --i) // std::shuffle's order is the library's own affair
      std::swap(order[i - 1], order[random() % i]);
  }
  return order[static_cast<size_t>(position % count)];
}

} // namespace llmpar::tool
