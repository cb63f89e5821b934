//===- DurableFile.h - Files that a crash cannot tear -----------*- C++ -*-===//
#ifndef LLMPAR_LIB_DATA_DURABLEFILE_H
#define LLMPAR_LIB_DATA_DURABLEFILE_H

#include "llvm/Support/Error.h"
#include "llvm/Support/raw_ostream.h"

namespace llmpar {

/// An error with the path in front, or success.
llvm::Error fileError(const llvm::Twine &path, std::error_code code);

/// Writes a file and waits until it is on the disk. Its name is so only behind syncFolder.
llvm::Error writeDurably(llvm::StringRef path, llvm::function_ref<llvm::Error(llvm::raw_ostream &)> body);

/// Waits until the entries of a folder are on the disk.
llvm::Error syncFolder(llvm::StringRef path);

/// Writes to a file beside `path` and renames it: whoever reads sees the old file or the new one.
llvm::Error replaceFile(llvm::StringRef path, llvm::function_ref<llvm::Error(llvm::raw_ostream &)> body);

/// Gives the folder `from` the name `to`. If there is a folder of that name, the two change names.
llvm::Error renameOrExchange(llvm::StringRef from, llvm::StringRef to);

} // namespace llmpar

#endif // LLMPAR_LIB_DATA_DURABLEFILE_H
