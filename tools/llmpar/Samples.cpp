//===- Samples.cpp - What a model learns from, or is measured on ------------===//
#include "Samples.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/xxhash.h"

namespace llmpar::tool {

llvm::Expected<Samples> Samples::open(const std::string &path) {
  Samples samples;
  samples.path_ = path;
  if (!llvm::StringRef(path).ends_with(".npz")) {
    llvm::Expected<TokenFile> file = TokenFile::open(path);
    if (!file)
      return file.takeError();
    samples.tokens_ = std::move(*file);
    return samples;
  }
  if (rt::Status status = rt::readTensors(path, samples.arrays_); !status.ok())
    return llvm::createStringError(status.message());
  const rt::HostTensor *labels = samples.array("labels");
  if (!labels)
    return llvm::createStringError(
        path + ": no array 'labels': what should be learnt? Each array has the samples as its first dimension");
  for (const rt::HostTensor &array : samples.arrays_)
    if (array.shape.empty() || labels->shape.empty() || array.shape[0] != labels->shape[0])
      return llvm::createStringError(path + ": array '" + array.name + "' of type " + rt::describeTensor(array) +
                                     " does not have the samples of 'labels' of type " + rt::describeTensor(*labels) +
                                     " as its first dimension");
  return samples;
}

const rt::HostTensor *Samples::array(llvm::StringRef name) const {
  const auto *it =
      llvm::find_if(llvm::ArrayRef(arrays_), [&](const rt::HostTensor &array) { return array.name == name; });
  return it == llvm::ArrayRef(arrays_).end() ? nullptr : it;
}

int64_t Samples::size(int64_t length) const { return tokens_ ? tokens_->samples(length) : array("labels")->shape[0]; }

std::string Samples::describe(int64_t samples, int64_t length) const {
  if (!tokens_)
    return llvm::formatv("{0} samples", samples).str();
  return llvm::formatv("{0} tokens, and {1} samples of {2}", tokens_->size(), samples, length).str();
}

/// Of all arrays, in the order of the file.
std::string Samples::checksum() const {
  auto digestOf = [](const auto &bytes) {
    return llvm::xxh3_64bits(
        llvm::ArrayRef(reinterpret_cast<const uint8_t *>(bytes.data()), bytes.size() * sizeof(bytes[0])));
  };
  std::vector<uint64_t> digests;
  for (const rt::HostTensor &array : arrays_) {
    digests.push_back(digestOf(array.name + " " + rt::describeTensor(array)));
    digests.push_back(digestOf(array.data));
  }
  return llvm::formatv("{0:x-16}", digestOf(digests)).str();
}

llvm::json::Object Samples::identity(int64_t length) const {
  if (!tokens_)
    return llvm::json::Object{{"samples", size(length)}, {"checksum", checksum()}};
  return llvm::json::Object{{"tokens", tokens_->size()}, {"sequence length", length}};
}

} // namespace llmpar::tool
