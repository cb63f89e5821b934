//===- TokenFile.h - Files of tokens ----------------------------*- C++ -*-===//
//
// A token file is "LLMPTOK1", the bytes of a token (1, 2 or 4) and the number of classes as u32, then the tokens,
// little endian. A sample is `length` tokens and the `length` that follow each of them: sample i begins at token i *
// length.
//
//===----------------------------------------------------------------------===//
#ifndef LLMPAR_DATA_TOKENFILE_H
#define LLMPAR_DATA_TOKENFILE_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/MemoryBuffer.h"
#include <cstdint>
#include <memory>

namespace llmpar {

class TokenFile {
public:
  /// Maps the file. Errors say what the file is instead.
  static llvm::Expected<TokenFile> open(llvm::StringRef path);
  /// Writes `tokens` with as few bytes for each as `classes` needs; each token is below it.
  static llvm::Error write(llvm::StringRef path, llvm::ArrayRef<uint32_t> tokens, uint32_t classes);
  /// Writes the bytes of `text`, one token each.
  static llvm::Error writeBytes(llvm::StringRef path, llvm::StringRef text);

  int64_t size() const { return count; }
  uint32_t classes() const { return classCount; }
  int64_t operator[](int64_t index) const;
  /// Samples of that length in the file.
  int64_t samples(int64_t length) const { return count > 0 ? (count - 1) / length : 0; }
  /// The index of the first token of `classes` or more; size() if there is none.
  int64_t findBeyond(int64_t classes) const;

private:
  std::shared_ptr<llvm::MemoryBuffer> buffer;
  const unsigned char *tokens = nullptr;
  uint32_t width = 1, classCount = 0;
  int64_t count = 0;
};

} // namespace llmpar

#endif // LLMPAR_DATA_TOKENFILE_H
