//===- LowerReshards.cpp - Replace each reshard by collectives --------------===//
#include "llmpar/Core/Reshard.h"
#include "llmpar/Partition/Passes.h"

namespace llmpar {
#define GEN_PASS_DEF_LOWERRESHARDS
#include "llmpar/Partition/Passes.h.inc"

namespace {

mlir::Value createStep(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value x, const ReshardStep &step,
                       const Mesh &mesh) {
  mlir::Type type = x.getType();
  llvm::StringRef axis = mesh.axes[step.axis].name, reduction = reductionName(step.reduction);
  switch (step.kind) {
  case ReshardKind::AllReduce:
    return AllReduceOp::create(builder, loc, type, x, axis, reduction);
  case ReshardKind::ReduceScatter:
    return ReduceScatterOp::create(builder, loc, type, x, axis, reduction, step.dim);
  case ReshardKind::AllGather:
    return AllGatherOp::create(builder, loc, type, x, axis, step.dim);
  case ReshardKind::AllToAll:
    return AllToAllOp::create(builder, loc, type, x, axis, step.dim, step.concatDim);
  case ReshardKind::AllSlice:
    return AllSliceOp::create(builder, loc, type, x, axis, step.dim);
  }
  llvm_unreachable("reshard kind");
}

struct LowerReshards : impl::LowerReshardsBase<LowerReshards> {
  using Base::Base;
  void runOnOperation() override {
    Mesh mesh = meshOf(getOperation());
    mlir::WalkResult walk = getOperation().walk([&](ReshardOp op) {
      Sharding from = shardingOf(op.getX(), mesh), to = shardingOf(op.getResult(), mesh);
      auto shape = mlir::cast<mlir::RankedTensorType>(op.getType()).getShape();
      auto steps = planReshard(from, to, shape, mesh);
      if (!steps) {
        op.emitOpError() << llvm::toString(steps.takeError());
        return mlir::WalkResult::interrupt();
      }
      mlir::OpBuilder builder(op);
      mlir::Value value = op.getX();
      for (const ReshardStep &step : *steps) {
        value = createStep(builder, op.getLoc(), value, step, mesh);
        setSharding(value, step.after, mesh);
        if (mlir::Attribute use = op->getAttr(useAttribute))
          value.getDefiningOp()->setAttr(useAttribute, use);
      }
      op.replaceAllUsesWith(value);
      op.erase();
      return mlir::WalkResult::advance();
    });
    if (walk.wasInterrupted())
      signalPassFailure();
  }
};
} // namespace
} // namespace llmpar
