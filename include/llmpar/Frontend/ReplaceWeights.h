//===- ReplaceWeights.h - A model with other weights ------------*- C++ -*-===//
#ifndef LLMPAR_FRONTEND_REPLACEWEIGHTS_H
#define LLMPAR_FRONTEND_REPLACEWEIGHTS_H

#include "llmpar/Abi/DType.h"
#include "mlir/IR/MLIRContext.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <string>
#include <vector>

namespace llmpar {

/// New data of an initializer.
struct WeightValue {
  std::string name;
  DType dtype = DType::F32;
  std::vector<int64_t> shape;
  llvm::StringRef data; ///< dense, row-major, little endian
};

/// Writes the model file `model` to `output` with other values of some of its initializers; all else is as it was. What
/// was external data, replaced or not, goes to the one file `output`.data; the rest stays in the model file.
///
/// Values in f32 for an initializer in bf16 or f16 are rounded to it.
///
///   gpt.onnx (wte in gpt.onnx.data, ln in itself)  ->  trained.onnx (wte in trained.onnx.data, ln in itself)
///
/// Errors: a weight that is no initializer of the main graph of that type, because the importer has renamed it or found
/// it in a function; `output` is the model or one of its files; a file cannot be read or written.
llvm::Error replaceWeights(mlir::MLIRContext &context, llvm::StringRef model, llvm::StringRef output,
                           llvm::ArrayRef<WeightValue> weights);

/// The errors of replaceWeights that show before any data is there; writes nothing.
llvm::Error checkReplaceWeights(mlir::MLIRContext &context, llvm::StringRef model, llvm::StringRef output,
                                llvm::ArrayRef<WeightValue> weights);

} // namespace llmpar

#endif // LLMPAR_FRONTEND_REPLACEWEIGHTS_H
