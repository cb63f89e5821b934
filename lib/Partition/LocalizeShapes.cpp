//===- LocalizeShapes.cpp - Give every value its largest shard's shape ------===//
#include "llmpar/Dialect/Decompositions.h"
#include "llmpar/Partition/Passes.h"

namespace llmpar {
#define GEN_PASS_DEF_LOCALIZESHAPES
#include "llmpar/Partition/Passes.h.inc"

namespace {
struct LocalizeShapes : impl::LocalizeShapesBase<LocalizeShapes> {
  using Base::Base;
  void runOnOperation() override {
    mlir::func::FuncOp function = mainFunction(getOperation());
    if (!function)
      return signalPassFailure();
    Mesh mesh = meshOf(getOperation());
    // Before any type is local: a factor rule is of global shapes.
    for (mlir::Operation &op : function.getBody().front())
      if (splitsCombineFactor(&op, inShardings(&op, mesh))) {
        op.emitOpError() << "is split over an axis that it reduces over: run llmpar-decompose-split-reductions first";
        return signalPassFailure();
      }
    auto localize = [&](mlir::Value value) {
      auto type = mlir::cast<mlir::RankedTensorType>(value.getType());
      value.setType(type.clone(localShape(shardingOf(value, mesh), type.getShape(), mesh)));
      return mlir::TypeAttr::get(type);
    };
    for (mlir::BlockArgument argument : function.getArguments())
      function.setArgAttr(argument.getArgNumber(), LlmparDialect::kGlobalTypes, localize(argument));
    for (mlir::Operation &op : function.getBody().front()) {
      llvm::SmallVector<mlir::Attribute> types;
      for (mlir::Value result : op.getResults())
        types.push_back(localize(result));
      if (!types.empty())
        op.setAttr(LlmparDialect::kGlobalTypes, mlir::ArrayAttr::get(&getContext(), types));
      op.removeAttr(LlmparDialect::kInShardings); // done with
    }
    mlir::Operation *terminator = function.getBody().front().getTerminator();
    function.setFunctionType(mlir::FunctionType::get(
        &getContext(), function.getBody().front().getArgumentTypes(), terminator->getOperandTypes()));
  }
};
} // namespace
} // namespace llmpar
