//===- GraphImporter.h - Nodes, scopes and functions ------------*- C++ -*-===//
#ifndef LLMPAR_LIB_FRONTEND_GRAPHIMPORTER_H
#define LLMPAR_LIB_FRONTEND_GRAPHIMPORTER_H

#include "NodeImporter.h"
#include "OnnxFile.h"
#include "OnnxWeights.h"
#include <map>

namespace llmpar {

using Opsets = std::map<std::string, int64_t>;

/// Names of one graph, branch or function body. A branch sees the names of its parent; a function does not.
struct Scope {
  Scope *parent = nullptr;
  const Opsets *opsets = nullptr;
  llvm::StringMap<mlir::Value> values;                              ///< null: an optional input that was not given
  llvm::StringMap<const ::onnx::TensorProto *> initializers;        ///< loaded when first used
  std::map<std::string, const ::onnx::AttributeProto *> attributes; ///< of the function call
  std::string prefix;                                               ///< of locations, "layer0/"
  int depth = 0;                                                    ///< of function calls

  const ::onnx::AttributeProto *attribute(const std::string &name) const {
    auto found = attributes.find(name);
    if (found != attributes.end())
      return found->second;
    return parent ? parent->attribute(name) : nullptr;
  }
};

class GraphImporter {
public:
  using Nodes = google::protobuf::RepeatedPtrField<::onnx::NodeProto>;

  GraphImporter(const OnnxFile &file, mlir::OpBuilder &builder, OnnxWeights &weights);

  const OnnxFile &file;
  mlir::OpBuilder &builder;
  OnnxWeights &weights;
  Opsets opsets;

  /// Imports the nodes that `outputs` need, in topological order; `outputs` are then in `scope`.
  mlir::LogicalResult importNodes(const Nodes &nodes, llvm::ArrayRef<std::string> outputs, Scope &scope);

  /// Imports a subgraph in place, its inputs bound to `arguments`, and returns its outputs; empty after a diagnostic.
  llvm::SmallVector<mlir::Value> importBranch(const ::onnx::GraphProto &branch, Scope &parent, llvm::StringRef name,
                                              llvm::ArrayRef<mlir::Value> arguments);

  /// The value of a name; none if nothing defines it. Fails only with a diagnostic (a bad initialiser).
  mlir::FailureOr<std::optional<mlir::Value>> lookup(llvm::StringRef name, Scope &scope, mlir::Location loc);

  /// Adds a graph's initialisers to a scope; reports duplicates.
  mlir::LogicalResult addInitializers(const ::onnx::GraphProto &graph, Scope &scope);

private:
  mlir::LogicalResult importNode(const ::onnx::NodeProto &node, Scope &scope, size_t index);
  void callFunction(NodeImporter &call, const ::onnx::FunctionProto &function);

  std::map<std::string, const ::onnx::FunctionProto *> functions; ///< by domain, name and overload
  std::map<const ::onnx::FunctionProto *, Opsets> functionOpsets;
};

/// "" for ai.onnx.
llvm::StringRef normalizeDomain(llvm::StringRef domain);
std::string functionKey(llvm::StringRef domain, llvm::StringRef name, llvm::StringRef overload);

} // namespace llmpar

#endif // LLMPAR_LIB_FRONTEND_GRAPHIMPORTER_H
