//===- TokenData.h - Token files and the order of their samples -*- C++ -*-===//
//
// A token file is "LLMPTOK1", the bytes of a token (1, 2 or 4) and the number of classes as u32, then the tokens,
// little endian. A sample is `length` tokens and the `length` that follow each of them: sample i begins at token i *
// length.
//
//===----------------------------------------------------------------------===//
#ifndef LLMPAR_TOOLS_TOKENDATA_H
#define LLMPAR_TOOLS_TOKENDATA_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/MemoryBuffer.h"
#include <cstdint>
#include <memory>

namespace llmpar::tool {

class TokenFile {
public:
  /// Maps the file. Errors say what the file is instead.
  static llvm::Expected<TokenFile> open(llvm::StringRef path);
  /// Writes the bytes of `text`, one token each.
  static llvm::Error writeBytes(llvm::StringRef path, llvm::StringRef text);

  int64_t size() const { return count; }
  uint32_t classes() const { return classCount; }
  int64_t operator[](int64_t index) const;

private:
  std::shared_ptr<llvm::MemoryBuffer> buffer;
  const unsigned char *tokens = nullptr;
  uint32_t width = 1, classCount = 0;
  int64_t count = 0;
};

/// Samples [begin, end) of a file in the order of training: every epoch visits each of them once, in an order that
/// depends on the seed and the number of the epoch alone. A batch may begin in one epoch and end in the next.
class SampleOrder {
public:
  SampleOrder(int64_t begin, int64_t end, uint64_t seed) : begin(begin), end(end), seed(seed) {}
  /// The sample at a position counted from the first batch on.
  int64_t at(int64_t position);

private:
  int64_t begin, end;
  uint64_t seed;
  int64_t epoch = -1;
  std::vector<int64_t> order;
};

} // namespace llmpar::tool

#endif // LLMPAR_TOOLS_TOKENDATA_H
