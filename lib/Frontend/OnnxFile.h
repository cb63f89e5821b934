//===- OnnxFile.h - A parsed ONNX file and where its tensors lie -*- C++ -*-===//
#ifndef LLMPAR_LIB_FRONTEND_ONNXFILE_H
#define LLMPAR_LIB_FRONTEND_ONNXFILE_H

#include "llmpar/Abi/DType.h"
#include "mlir/IR/Location.h"
#include "onnx/onnx.pb.h"
#include "llvm/ADT/DenseMap.h"
#include <memory>
#include <optional>
#include <string>

namespace llmpar {

struct OnnxFile {
  /// Bytes of a tensor's payload inside the file.
  struct Span {
    int64_t offset = 0, size = 0;
  };

  std::string path, directory, name; ///< name: without the directory
  bool compressed = false;
  ::onnx::ModelProto model;
  /// Tensors whose payload is contiguous little-endian data in the (uncompressed) file.
  llvm::DenseMap<const ::onnx::TensorProto *, Span> payloads;

  mlir::Location location(mlir::MLIRContext *context) const;

  /// Parses `path`; null after a diagnostic.
  static std::unique_ptr<OnnxFile> load(mlir::MLIRContext *context, llvm::StringRef path);
};

/// The element type of an ONNX tensor; none for strings, complex numbers and types below one byte.
std::optional<DType> onnxDType(int32_t dataType);
/// "FLOAT8E4M3FN"
std::string onnxTypeName(int32_t dataType);

/// Elements of a tensor whose data lies in the message, as little-endian bytes; none if it has too few.
std::optional<std::string> tensorBytes(const ::onnx::TensorProto &tensor, DType dtype);

/// Its shape's element count.
int64_t elementCount(const ::onnx::TensorProto &tensor);

} // namespace llmpar

#endif // LLMPAR_LIB_FRONTEND_ONNXFILE_H
