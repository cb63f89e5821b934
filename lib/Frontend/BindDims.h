//===- BindDims.h - Extents for symbolic dimensions -------------*- C++ -*-===//
//
//   input ids ["batch", "seq"], mask ["batch", "past + seq"]
//   --dim batch=1 --dim seq=4, mask given as [1, 12]  ->  ids 1x4, mask 1x12
//
// Names are opaque: two names may mean one extent and are bound separately. An expression
// (+ - * // and parentheses) is evaluated if its names are bound, or bound as a whole.
//
//===----------------------------------------------------------------------===//
#ifndef LLMPAR_LIB_FRONTEND_BINDDIMS_H
#define LLMPAR_LIB_FRONTEND_BINDDIMS_H

#include "OnnxFile.h"
#include "llmpar/Frontend/ImportOnnx.h"

namespace llmpar {

/// Shape and element type as the file states them.
OnnxSignature::Tensor describeTensor(const ::onnx::ValueInfoProto &value);

/// Static shapes of `inputs`, in order. Fails after one diagnostic: all unbound names with the inputs that
/// have them, a conflict between a given shape and the model or `--dim`, or a `--dim` that no tensor has.
mlir::FailureOr<std::vector<llvm::SmallVector<int64_t>>> bindDims(const std::vector<OnnxSignature::Tensor> &inputs,
                                                                  const std::vector<OnnxSignature::Tensor> &outputs,
                                                                  const ImportOptions &options, mlir::Location loc);

} // namespace llmpar

#endif // LLMPAR_LIB_FRONTEND_BINDDIMS_H
