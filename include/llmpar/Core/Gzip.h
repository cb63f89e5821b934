//===- Gzip.h - Text that may come compressed -------------------*- C++ -*-===//
#ifndef LLMPAR_CORE_GZIP_H
#define LLMPAR_CORE_GZIP_H

#include "llvm/ADT/StringRef.h"
#include <optional>
#include <string>

namespace llmpar {

/// Whether `bytes` begin as a gzip file does.
inline bool isGzip(llvm::StringRef bytes) { return bytes.starts_with("\x1f\x8b"); }

/// The content of a gzip file, of all its members; none if it is damaged or cut off.
std::optional<std::string> gunzip(llvm::StringRef bytes);

} // namespace llmpar

#endif // LLMPAR_CORE_GZIP_H
