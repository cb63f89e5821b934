//===- ShardOptimizer.cpp - Each replica steps a part of the parameters -----===//
//
// ZeRO (Rajbhandari et al., SC'20), stages 1 and 2: gradients are reduced and scattered, every rank of the axis steps
// its part, with its part of the optimizer's states, and the new parameters are gathered.
//
//   %0:3 = adam %w, %g, %m, %v   all [-, tp]      ->      all [dp, tp]; InsertReshards does the rest
//
//===----------------------------------------------------------------------===//
#include "llmpar/Partition/Passes.h"

namespace llmpar {
#define GEN_PASS_DEF_SHARDOPTIMIZER
#include "llmpar/Partition/Passes.h.inc"

namespace {

/// `sharding` split over one more axis, along its largest shard; the same if every dimension is too short.
Sharding withAxis(Sharding sharding, llvm::ArrayRef<int64_t> shape, AxisId axis, const Mesh &mesh) {
  Shape local = localShape(sharding, shape, mesh);
  auto largest = std::max_element(local.begin(), local.end());
  if (largest == local.end() || *largest < mesh.axes[axis].size)
    return sharding;
  sharding.dims[largest - local.begin()].axes.push_back(axis);
  normalize(sharding, shape, mesh);
  return sharding;
}

void shardStep(mlir::Operation *step, AxisId axis, const Mesh &mesh) {
  mlir::Value result = step->getResult(0);
  auto shape = mlir::cast<mlir::RankedTensorType>(result.getType()).getShape();
  Sharding before = shardingOf(result, mesh);
  bool isUsed = llvm::any_of(before.dims, [&](const DimSharding &dim) { return llvm::is_contained(dim.axes, axis); });
  Sharding after = isUsed ? before : withAxis(before, shape, axis, mesh);
  llvm::SmallVector<Sharding> wanted = inShardings(step, mesh);
  for (auto [operand, want] : llvm::zip(step->getOperands(), wanted))
    if (operand.getType() == result.getType())
      want = after;
  setInShardings(step, wanted, mesh);
  for (mlir::Value value : step->getResults())
    setSharding(value, after, mesh);
  // What only this step reads rests in parts.
  for (mlir::Value operand : step->getOperands())
    if (auto load = operand.getDefiningOp<LoadWeightOp>();
        load && load->hasOneUse() && operand.getType() == result.getType())
      setSharding(operand, after, mesh);
}

struct ShardOptimizer : impl::ShardOptimizerBase<ShardOptimizer> {
  using Base::Base;
  void runOnOperation() override {
    mlir::func::FuncOp function = mainFunction(getOperation());
    if (!function)
      return signalPassFailure();
    Mesh mesh = meshOf(getOperation());
    AxisId id = mesh.find(axis);
    if (id < 0) {
      getOperation().emitError() << "mesh '" << mesh.str() << "' has no axis '" << axis << "'";
      return signalPassFailure();
    }
    for (mlir::Operation &op : function.getBody().front())
      if (mlir::isa<AdamOp, SgdOp>(op))
        shardStep(&op, id, mesh);
  }
};
} // namespace
} // namespace llmpar
