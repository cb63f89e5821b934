//===- OpWriter.h - Ops by short names --------------------------*- C++ -*-===//
//
//   OpWriter write{builder, loc};
//   Value mean = write.binary("mul", write.sum(x, {1}), write.scalar(1.0 / n, x));
//
//===----------------------------------------------------------------------===//
#ifndef LLMPAR_DIALECT_OPWRITER_H
#define LLMPAR_DIALECT_OPWRITER_H

#include "llmpar/Dialect/Llmpar.h"

namespace llmpar {

/// Appends ops at the builder's place, all with one location, and returns their results.
struct OpWriter {
  mlir::OpBuilder &builder;
  mlir::Location loc;

  mlir::Value unary(llvm::StringRef kind, mlir::Value x);
  mlir::Value binary(llvm::StringRef kind, mlir::Value a, mlir::Value b);
  mlir::Value select(mlir::Value condition, mlir::Value a, mlir::Value b);
  /// x itself if it has that element type already.
  mlir::Value cast(mlir::Value x, mlir::Type elementType);
  mlir::Value reduce(llvm::StringRef kind, mlir::Value x, llvm::ArrayRef<int64_t> axes, bool keepDims = true);
  /// x itself if it has that shape already.
  mlir::Value reshape(mlir::Value x, llvm::ArrayRef<int64_t> shape);
  mlir::Value broadcast(mlir::Value x, llvm::ArrayRef<int64_t> shape);
  /// A number without dimensions, of the element type of `like`, which is a float.
  mlir::Value scalar(double value, mlir::Value like);
  mlir::Value integer(int64_t value, mlir::Type elementType);
  mlir::Value zeros(mlir::Value like);
  /// Sums the dimensions that NumPy broadcasting from `shape` to x's shape has made larger.
  mlir::Value sumTo(mlir::Value x, llvm::ArrayRef<int64_t> shape);
};

mlir::RankedTensorType tensorType(mlir::Value value);

} // namespace llmpar

#endif // LLMPAR_DIALECT_OPWRITER_H
