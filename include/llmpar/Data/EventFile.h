//===- EventFile.h - Scalars for TensorBoard --------------------*- C++ -*-===//
//
// An event file is a TFRecord file: for each record its length as u64, the masked CRC-32C of that, the record, and the
// masked CRC-32C of the record, little endian. Records are Event messages (lib/Data/Event.proto).
//
//===----------------------------------------------------------------------===//
#ifndef LLMPAR_DATA_EVENTFILE_H
#define LLMPAR_DATA_EVENTFILE_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/raw_ostream.h"
#include <memory>

namespace llmpar {

struct Scalar {
  std::string tag; ///< "loss/training"; a slash makes a group
  double value = 0;
};

class EventFile {
public:
  /// Makes the folder if needed, and a new file in it, of the name that TensorBoard looks for.
  static llvm::Expected<EventFile> create(llvm::StringRef folder);
  /// Appends an event; it is in the file when this returns.
  llvm::Error add(int64_t step, llvm::ArrayRef<Scalar> scalars);

  const std::string &path() const { return path_; }

private:
  llvm::Error append(const std::string &record);

  std::string path_;
  std::unique_ptr<llvm::raw_fd_ostream> os;
};

/// CRC-32 with Castagnoli's polynomial (RFC 3720, appendix B.4).
uint32_t crc32c(llvm::StringRef bytes);

} // namespace llmpar

#endif // LLMPAR_DATA_EVENTFILE_H
