//===- OnnxOps.h - The table of ONNX operators ------------------*- C++ -*-===//
//
// OnnxOps.def says what each operator takes. A node is held against its row before its
// handler runs, so that a handler sees neither an attribute nor an input that it would ignore.
//
//===----------------------------------------------------------------------===//
#ifndef LLMPAR_LIB_FRONTEND_ONNXOPS_H
#define LLMPAR_LIB_FRONTEND_ONNXOPS_H

#include "NodeImporter.h"

namespace llmpar {

/// A row of OnnxOps.def; its head explains the columns.
struct OnnxOp {
  const char *domain, *name, *versions;
  int64_t until;
  void (*handler)(NodeImporter &);
  const char *kind, *inputs, *outputs, *attributes, *notes;

  int64_t since() const; ///< the first of `versions`
};
llvm::ArrayRef<OnnxOp> onnxOps();

/// The row for an operator of an opset, or null. `anyVersion` is set to a row of that name, if there is one.
const OnnxOp *findOnnxOp(llvm::StringRef domain, llvm::StringRef name, int64_t opset,
                         const OnnxOp **anyVersion = nullptr);

/// Reports the first thing that the row does not allow: an attribute that is unknown, missing or of a value that is
/// not supported, or a wrong number of inputs or outputs.
void checkSignature(NodeImporter &n, const OnnxOp &op);

/// The same for a call of one of the model's functions.
void checkFunctionCall(NodeImporter &call, const ::onnx::FunctionProto &function);

} // namespace llmpar

#endif // LLMPAR_LIB_FRONTEND_ONNXOPS_H
