//===- DurableFile.cpp - Files that a crash cannot tear ---------------------===//
#include "DurableFile.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <unistd.h>

namespace llmpar {

llvm::Error fileError(const llvm::Twine &path, std::error_code code) {
  return code ? llvm::createStringError(path + ": " + code.message()) : llvm::Error::success();
}

static std::error_code lastError() { return std::error_code(errno, std::generic_category()); }

llvm::Error writeDurably(llvm::StringRef path, llvm::function_ref<llvm::Error(llvm::raw_ostream &)> body) {
  int file;
  if (std::error_code code = llvm::sys::fs::openFileForWrite(path, file))
    return fileError(path, code);
  llvm::raw_fd_ostream os(file, /*shouldClose=*/true);
  llvm::Error error = body(os);
  os.flush();
  std::error_code code = os.error();
  os.clear_error(); // its destructor ends the process
  if (!code && ::fsync(file) != 0)
    code = lastError();
  return error ? std::move(error) : fileError(path, code);
}

llvm::Error syncFolder(llvm::StringRef path) {
  int folder = ::open(path.str().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  std::error_code code = folder < 0 || ::fsync(folder) != 0 ? lastError() : std::error_code();
  if (folder >= 0)
    ::close(folder);
  return fileError(path, code);
}

llvm::Error replaceFile(llvm::StringRef path, llvm::function_ref<llvm::Error(llvm::raw_ostream &)> body) {
  std::string temporary = (path + ".tmp").str();
  llvm::StringRef folder = llvm::sys::path::parent_path(path);
  llvm::Error error = writeDurably(temporary, body);
  if (!error)
    error = fileError(path, llvm::sys::fs::rename(temporary, path));
  if (error) {
    llvm::sys::fs::remove(temporary);
    return error;
  }
  return syncFolder(folder.empty() ? "." : folder);
}

llvm::Error renameOrExchange(llvm::StringRef from, llvm::StringRef to) {
  if (!llvm::sys::fs::exists(to))
    return fileError(to, llvm::sys::fs::rename(from, to));
  int result = ::renameat2(AT_FDCWD, from.str().c_str(), AT_FDCWD, to.str().c_str(), RENAME_EXCHANGE);
  return fileError(to, result == 0 ? std::error_code() : lastError());
}

} // namespace llmpar
