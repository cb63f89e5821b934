//===- LinearOps.cpp - Through which ops a sum may pass ---------------------===//
#include "LinearOps.h"

#include "mlir/IR/TypeUtilities.h"

namespace llmpar {

static bool isWidening(CastOp cast) {
  auto from = mlir::dyn_cast<mlir::FloatType>(mlir::getElementTypeOrSelf(cast.getX()));
  auto to = mlir::dyn_cast<mlir::FloatType>(mlir::getElementTypeOrSelf(cast.getResult()));
  return from && to && from.getWidth() <= to.getWidth();
}

bool isLinear(mlir::Operation *op) {
  if (auto binary = mlir::dyn_cast<BinaryOp>(op))
    return binary.getKind() == "add" || binary.getKind() == "sub";
  if (auto unary = mlir::dyn_cast<UnaryOp>(op))
    return unary.getKind() == "neg";
  if (auto reduce = mlir::dyn_cast<ReduceOp>(op))
    return reduce.getKind() == "sum";
  if (auto cast = mlir::dyn_cast<CastOp>(op))
    return isWidening(cast);
  return mlir::isa<ReshapeOp, TransposeOp, SliceOp, ConcatOp, SliceGradOp, GatherGradOp>(op);
}

} // namespace llmpar
