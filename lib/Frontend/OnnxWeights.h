//===- OnnxWeights.h - Tensors of a model: constants or references -*- C++ -*-===//
//
// A small tensor is a `llmpar.constant`, so that shape arithmetic folds (but for what may be learnt, see
// ImportOptions::keepsSmallParameters). Any other is a `llmpar.weight` that points into the file that has it:
//
//   external data                 -> that file, offset and size as stated; never opened
//   raw data in model.onnx        -> model.onnx itself, at the payload's offset
//   varint data, or a .gz model   -> model.onnx.llmpar-weights, written once, 64-byte aligned
//
//===----------------------------------------------------------------------===//
#ifndef LLMPAR_LIB_FRONTEND_ONNXWEIGHTS_H
#define LLMPAR_LIB_FRONTEND_ONNXWEIGHTS_H

#include "OnnxFile.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/SymbolTable.h"
#include <string>

namespace llmpar {

/// The elements of `bytes` (little-endian, one byte per bool) as an attribute.
mlir::DenseElementsAttr denseFromBytes(mlir::RankedTensorType type, llvm::StringRef bytes);

/// Where a model has a tensor: among its initializers, or as an attribute of a node.
enum class TensorHolder : uint8_t { Initializer, Node };

class OnnxWeights {
public:
  OnnxWeights(const OnnxFile &file, mlir::ModuleOp module, bool keepsSmallParameters);

  /// The value of `tensor` at the builder's insertion point; null after a diagnostic at `loc`.
  mlir::Value load(mlir::OpBuilder &builder, const ::onnx::TensorProto &tensor, TensorHolder holder,
                   llvm::StringRef name, mlir::Location loc);

  /// Drops weights that nothing loads and writes the side file, if one is needed.
  mlir::LogicalResult finish();

private:
  struct Source {
    std::string path;
    int64_t offset = 0, size = 0;
  };
  mlir::FailureOr<Source> locate(const ::onnx::TensorProto &tensor, DType dtype, int64_t size, mlir::Location loc);

  const OnnxFile &file;
  mlir::ModuleOp module;
  bool keepsSmallParameters;
  mlir::SymbolTable symbols;
  mlir::Block::iterator insertPoint;
  std::string spilled;
};

} // namespace llmpar

#endif // LLMPAR_LIB_FRONTEND_ONNXWEIGHTS_H
