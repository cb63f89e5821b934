//===- ShardInputs.cpp - Shard the batch dimension of the inputs ------------===//
#include "llmpar/Dialect/ShardingUnits.h"
#include "llmpar/Partition/Passes.h"

namespace llmpar {
#define GEN_PASS_DEF_SHARDINPUTS
#include "llmpar/Partition/Passes.h.inc"

namespace {

/// Symbolic name of a dimension of an argument; empty for a static one.
llvm::StringRef dimName(mlir::func::FuncOp function, unsigned argument, int64_t dim) {
  auto names = function.getArgAttrOfType<mlir::ArrayAttr>(argument, LlmparDialect::kDims);
  if (!names || dim >= static_cast<int64_t>(names.size()))
    return {};
  return mlir::cast<mlir::StringAttr>(names[dim]).getValue();
}

struct ShardInputs : impl::ShardInputsBase<ShardInputs> {
  using Base::Base;
  void runOnOperation() override {
    mlir::func::FuncOp function = mainFunction(getOperation());
    if (!function)
      return signalPassFailure();
    Mesh mesh = meshOf(getOperation());
    mlir::FailureOr<AxisId> id = axisNamed(getOperation(), mesh, axis);
    if (failed(id))
      return signalPassFailure();
    llvm::StringRef batch;
    int64_t size = -1;
    RuleCache rules;
    ShardingUnits units(rules);
    for (mlir::BlockArgument argument : function.getArguments()) {
      auto type = mlir::cast<mlir::RankedTensorType>(argument.getType());
      if (type.getRank() == 0)
        continue;
      if (size < 0) {
        batch = dimName(function, argument.getArgNumber(), 0);
        size = type.getDimSize(0);
      }
      int64_t dim = batchDim(function, argument, batch, size);
      if (dim < 0 || function.getArgAttr(argument.getArgNumber(), LlmparDialect::kOutShardings))
        continue;
      Sharding sharding = Sharding::replicated(type.getRank());
      sharding.dims[dim] = {{*id}, units.below(argument, static_cast<int>(dim))}; // one row of each micro-batch
      normalize(sharding, type.getShape(), mesh);
      setSharding(argument, sharding, mesh);
    }
  }

  /// The dimension with the batch's symbolic name, else a first dimension of its size; -1 if neither.
  static int64_t batchDim(mlir::func::FuncOp function, mlir::BlockArgument argument, llvm::StringRef batch,
                          int64_t size) {
    auto type = mlir::cast<mlir::RankedTensorType>(argument.getType());
    if (!batch.empty())
      for (int64_t dim = 0; dim < type.getRank(); ++dim)
        if (dimName(function, argument.getArgNumber(), dim) == batch)
          return dim;
    bool isStatic = dimName(function, argument.getArgNumber(), 0).empty();
    return type.getDimSize(0) == size && isStatic == batch.empty() ? 0 : -1;
  }
};
} // namespace
} // namespace llmpar
