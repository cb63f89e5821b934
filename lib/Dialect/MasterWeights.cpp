//===- MasterWeights.cpp - f32 weights that are read in fewer bits ----------===//
#include "llmpar/Dialect/MasterWeights.h"

#include "mlir/IR/TypeUtilities.h"

namespace llmpar {

bool isNarrowFloat(mlir::Type elementType) { return mlir::isa<mlir::BFloat16Type, mlir::Float16Type>(elementType); }

bool isNarrowCopy(mlir::Operation *op) {
  auto cast = mlir::dyn_cast<CastOp>(op);
  return cast && cast.getX().getDefiningOp<LoadWeightOp>() && mlir::getElementTypeOrSelf(cast.getX()).isF32() &&
         isNarrowFloat(mlir::getElementTypeOrSelf(cast.getResult()));
}

} // namespace llmpar
