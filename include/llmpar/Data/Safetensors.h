//===- Safetensors.h - Files of named tensors -------------------*- C++ -*-===//
//
// The format of https://github.com/huggingface/safetensors: the size of a JSON header as u64, the header
//   {"wte.weight": {"dtype": "F32", "shape": [101, 48], "data_offsets": [0, 19392]}, ...}
// padded with spaces, and the tensors one behind the other, row-major and little endian.
//
//===----------------------------------------------------------------------===//
#ifndef LLMPAR_DATA_SAFETENSORS_H
#define LLMPAR_DATA_SAFETENSORS_H

#include "llmpar/Abi/DType.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/MemoryBuffer.h"
#include <memory>
#include <string>
#include <vector>

namespace llmpar {

/// A tensor's name and type.
struct NamedType {
  std::string name;
  DType dtype = DType::F32;
  std::vector<int64_t> shape;

  int64_t bytes() const;
  bool operator==(const NamedType &) const = default;
};
/// "2x3xf32"; "f32" of a scalar.
std::string describeType(const NamedType &type);

/// Writes tensors of distinct names; `read(i, bytes)` gives the i-th one's data, in order.
llvm::Error writeSafetensors(llvm::raw_ostream &os, llvm::ArrayRef<NamedType> tensors,
                             llvm::function_ref<llvm::Error(size_t, llvm::MutableArrayRef<char>)> read);

class SafetensorsFile {
public:
  struct Tensor {
    NamedType type;
    llvm::StringRef data;
  };
  /// Maps the file. Errors name what is damaged.
  static llvm::Expected<SafetensorsFile> open(llvm::StringRef path);

  /// Null if there is none of that name.
  const Tensor *find(llvm::StringRef name) const;
  size_t size() const { return tensors.size(); }

private:
  std::unique_ptr<llvm::MemoryBuffer> buffer;
  llvm::StringMap<Tensor> tensors;
};

} // namespace llmpar

#endif // LLMPAR_DATA_SAFETENSORS_H
