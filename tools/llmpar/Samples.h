//===- Samples.h - What a model learns from, or is measured on --*- C++ -*-===//
//
// A file of tokens (llmpar/Data/TokenFile.h), or an .npz with an array for each input of the model and one of labels,
// all with the samples as their first dimension.
//
//===----------------------------------------------------------------------===//
#ifndef LLMPAR_TOOLS_SAMPLES_H
#define LLMPAR_TOOLS_SAMPLES_H

#include "core/TensorIo.h"
#include "llmpar/Data/TokenFile.h"
#include "llvm/Support/JSON.h"

namespace llmpar::tool {

class Samples {
public:
  /// Errors say what is wrong with the file or its arrays.
  static llvm::Expected<Samples> open(const std::string &path);

  /// Null if there are arrays.
  const TokenFile *tokens() const { return tokens_ ? &*tokens_ : nullptr; }
  /// Null if there is none of that name.
  const rt::HostTensor *array(llvm::StringRef name) const;
  llvm::ArrayRef<rt::HostTensor> arrays() const { return arrays_; }
  const std::string &path() const { return path_; }

  /// Their number: of tokens, that of samples of so many.
  int64_t size(int64_t length) const;
  /// "1,024 tokens, and 64 samples of 16", "64 samples".
  std::string describe(int64_t samples, int64_t length) const;
  /// What must be the same for a run that goes on.
  llvm::json::Object identity(int64_t length) const;

private:
  std::string path_;
  std::optional<TokenFile> tokens_;
  std::vector<rt::HostTensor> arrays_;

  std::string checksum() const;
};

} // namespace llmpar::tool

#endif // LLMPAR_TOOLS_SAMPLES_H
