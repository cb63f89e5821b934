//===- TokenFile.cpp - Files of tokens --------------------------------------===//
#include "llmpar/Data/TokenFile.h"

#include "llvm/Support/Endian.h"
#include "llvm/Support/raw_ostream.h"

namespace llmpar {

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

int64_t TokenFile::findBeyond(int64_t classes) const {
  int64_t index = 0;
  while (index < count && (*this)[index] < classes)
    ++index;
  return index;
}

/// `body` writes what comes behind the header.
static llvm::Error writeFile(llvm::StringRef path, uint32_t width, uint32_t classes,
                             llvm::function_ref<void(llvm::raw_ostream &)> body) {
  llvm::Error error = llvm::writeToOutput(path, [&](llvm::raw_ostream &os) {
    char header[8];
    llvm::support::endian::write32le(header, width);
    llvm::support::endian::write32le(header + 4, classes);
    os << magic << llvm::StringRef(header, 8);
    body(os);
    return llvm::Error::success();
  });
  return error ? llvm::createStringError(path + ": " + llvm::toString(std::move(error))) : llvm::Error::success();
}

llvm::Error TokenFile::write(llvm::StringRef path, llvm::ArrayRef<uint32_t> tokens, uint32_t classes) {
  uint32_t width = classes <= 1u << 8 ? 1 : classes <= 1u << 16 ? 2 : 4;
  return writeFile(path, width, classes, [&](llvm::raw_ostream &os) {
    for (uint32_t token : tokens) {
      char bytes[4];
      llvm::support::endian::write32le(bytes, token);
      os.write(bytes, width);
    }
  });
}

llvm::Error TokenFile::writeBytes(llvm::StringRef path, llvm::StringRef text) {
  return writeFile(path, 1, 256, [&](llvm::raw_ostream &os) { os << text; });
}

} // namespace llmpar
