//===- ShardingAttributes.cpp - Reading and writing llmpar.in ---------------===//
#include "llmpar/Partition/Passes.h"

namespace llmpar {

llvm::SmallVector<Sharding> inShardings(mlir::Operation *op, const Mesh &mesh) {
  llvm::SmallVector<Sharding> shardings;
  if (auto array = op->getAttrOfType<mlir::ArrayAttr>(LlmparDialect::kInShardings))
    for (mlir::Attribute attr : array)
      shardings.push_back(fromAttr(mlir::cast<ShardingAttr>(attr), mesh));
  return shardings;
}

void setInShardings(mlir::Operation *op, llvm::ArrayRef<Sharding> shardings, const Mesh &mesh) {
  llvm::SmallVector<mlir::Attribute> attrs;
  for (const Sharding &sharding : shardings)
    attrs.push_back(toAttr(sharding, mesh, op->getContext()));
  op->setAttr(LlmparDialect::kInShardings, mlir::ArrayAttr::get(op->getContext(), attrs));
}

mlir::func::FuncOp mainFunction(mlir::ModuleOp module) {
  auto function = module.lookupSymbol<mlir::func::FuncOp>("main");
  if (!function || function.isExternal()) {
    module.emitError("no function @main with a body");
    return {};
  }
  return function;
}

mlir::FailureOr<AxisId> axisNamed(mlir::ModuleOp module, const Mesh &mesh, llvm::StringRef name) {
  if (AxisId axis = mesh.find(name); axis >= 0)
    return axis;
  return module.emitError() << "mesh '" << mesh.str() << "' has no axis '" << name << "'";
}

} // namespace llmpar
