//===- ImportOnnx.h - ONNX file to llmpar module ----------------*- C++ -*-===//
//
// The importer turns a graph with symbolic dimensions into a static one:
//
//   model.onnx + {batch: 1, seq: 128}
//     -> module attributes {llmpar.model_dir, llmpar.model} {
//          llmpar.weight @w : tensor<64x64xf32> from #llmpar.external<"model.onnx", 4711, 16384>
//          func.func @main(%ids: tensor<1x128xi64> {llmpar.name = "ids", llmpar.dims = ["batch", "seq"]}) -> ...
//        }
//
// Functions and constant `If`s are inlined, shape arithmetic folds away while ops are
// built, and compound operators (attention, GELU, ...) become primitive ones. Weights are
// references: a model whose weight files are absent imports.
//
//===----------------------------------------------------------------------===//
#ifndef LLMPAR_FRONTEND_IMPORTONNX_H
#define LLMPAR_FRONTEND_IMPORTONNX_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/OwningOpRef.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringMap.h"
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace llmpar {

struct ImportOptions {
  /// `--dim name=value`. A key may also be a whole expression, "past + seq".
  llvm::StringMap<int64_t> dims;
  /// Shapes of given inputs, by input name; they bind the dimensions they meet.
  llvm::StringMap<llvm::SmallVector<int64_t>> inputShapes;
  /// Small float initializers are weights too, because they may be learnt. Of a single element those whose names end
  /// in "weight" or "bias" are: others are numbers of a formula, a scale or an epsilon.
  bool keepsSmallParameters = false;
};

/// Reads `path` (.onnx, or .onnx.gz) and returns its module, or null after one diagnostic that names the
/// node and the file. Its context needs the llmpar and func dialects; they are loaded here.
mlir::OwningOpRef<mlir::ModuleOp> importOnnx(mlir::MLIRContext &context, llvm::StringRef path,
                                             const ImportOptions &options);

/// What a model takes and gives, before any dimension is bound.
struct OnnxSignature {
  struct Dim {
    std::string name;  ///< "" for a static dimension; "<input>_dim_<i>" for an anonymous one
    int64_t size = -1; ///< of a static dimension
  };
  struct Tensor {
    std::string name;
    std::string elementType; ///< MLIR spelling, "f32"
    std::vector<Dim> dims;
    bool ranked = true;
  };
  struct Operator {
    int64_t count = 0;
    bool supported = false; ///< by a handler or by a function of the model
  };
  std::vector<Tensor> inputs, outputs;
  int64_t irVersion = 0;
  std::map<std::string, int64_t> opsets;     ///< by domain, "" for ai.onnx
  std::map<std::string, Operator> operators; ///< "MatMul", "com.microsoft.Attention": of the main graph
};

/// Reads the signature of a model; none after a diagnostic if the file cannot be read.
std::optional<OnnxSignature> readOnnxSignature(mlir::MLIRContext &context, llvm::StringRef path);

/// A row of the support table, `OnnxOps.def`.
struct SupportedOp {
  std::string domain, name; ///< "ai.onnx", "MatMul"
  std::string opsets;       ///< "6 to 28"
  std::string notes;
  std::string inputs, outputs, attributes; ///< the columns of the table, in its notation: "1<13 1-2", "axis!"
};
/// The rows of the table, in its order.
std::vector<SupportedOp> supportedOps();

} // namespace llmpar

#endif // LLMPAR_FRONTEND_IMPORTONNX_H
