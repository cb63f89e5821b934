//===- SplitPackedProjections.cpp - One product per slice of packed columns -===//
#include "llmpar/Dialect/MasterWeights.h"
#include "llmpar/Partition/Passes.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace llmpar {
#define GEN_PASS_DEF_SPLITPACKEDPROJECTIONS
#include "llmpar/Partition/Passes.h.inc"

namespace {

/// A weight, or its narrow copy.
bool isWeight(mlir::Value value) {
  mlir::Operation *op = value.getDefiningOp();
  return op && (mlir::isa<LoadWeightOp>(op) || isNarrowCopy(op));
}

/// True if the slice takes part of the last dimension, and nothing else.
bool slicesColumns(SliceOp slice) {
  auto x = mlir::cast<mlir::RankedTensorType>(slice.getX().getType());
  auto y = mlir::cast<mlir::RankedTensorType>(slice.getType());
  int64_t last = x.getRank() - 1;
  for (int64_t dim = 0; dim < last; ++dim)
    if (x.getDimSize(dim) != y.getDimSize(dim) || slice.getStarts()[dim] != 0 || slice.getSteps()[dim] != 1)
      return false;
  return last >= 1 && x.getDimSize(last) > 1 && slice.getSteps()[last] == 1 && x.getDimSize(last) != y.getDimSize(last);
}

/// `value`'s dimension `dim` cut as the slice cuts its last one; a size of 1 broadcasts and stays.
mlir::Value cut(mlir::PatternRewriter &rewriter, SliceOp slice, mlir::Value value, int64_t dim) {
  auto type = mlir::cast<mlir::RankedTensorType>(value.getType());
  if (dim < 0 || type.getDimSize(dim) == 1)
    return value;
  llvm::SmallVector<int64_t> shape(type.getShape()), starts(shape.size(), 0), steps(shape.size(), 1);
  shape[dim] = mlir::cast<mlir::RankedTensorType>(slice.getType()).getShape().back();
  starts[dim] = slice.getStarts().back();
  return SliceOp::create(rewriter, slice.getLoc(), type.clone(shape), value, starts, steps);
}
int64_t lastDim(mlir::Value value) { return mlir::cast<mlir::RankedTensorType>(value.getType()).getRank() - 1; }

struct SliceOfMatmul : mlir::OpRewritePattern<SliceOp> {
  using OpRewritePattern::OpRewritePattern;
  mlir::LogicalResult matchAndRewrite(SliceOp slice, mlir::PatternRewriter &rewriter) const override {
    auto matmul = slice.getX().getDefiningOp<MatmulOp>();
    if (!matmul || !slicesColumns(slice))
      return mlir::failure();
    // Only a weight: slicing an activation would cost each step.
    if (!isWeight(matmul.getB()))
      return mlir::failure();
    mlir::Value weight = cut(rewriter, slice, matmul.getB(), lastDim(matmul.getB()) - matmul.getTransposeB());
    rewriter.replaceOpWithNewOp<MatmulOp>(slice, slice.getType(), matmul.getA(), weight, matmul.getTransposeA(),
                                          matmul.getTransposeB());
    return mlir::success();
  }
};

struct SliceOfBias : mlir::OpRewritePattern<SliceOp> {
  using OpRewritePattern::OpRewritePattern;
  mlir::LogicalResult matchAndRewrite(SliceOp slice, mlir::PatternRewriter &rewriter) const override {
    auto add = slice.getX().getDefiningOp<BinaryOp>();
    if (!add || add.getKind() != "add" || !slicesColumns(slice))
      return mlir::failure();
    auto isProduct = [](mlir::Value value) {
      auto matmul = value.getDefiningOp<MatmulOp>();
      return matmul && isWeight(matmul.getB());
    };
    bool first = isProduct(add.getA()) && isWeight(add.getB());
    bool second = isProduct(add.getB()) && isWeight(add.getA());
    if (!first && !second)
      return mlir::failure();
    mlir::Value a = cut(rewriter, slice, add.getA(), lastDim(add.getA()));
    mlir::Value b = cut(rewriter, slice, add.getB(), lastDim(add.getB()));
    rewriter.replaceOpWithNewOp<BinaryOp>(slice, slice.getType(), add.getKind(), a, b);
    return mlir::success();
  }
};

/// Flattening leading dimensions does not touch columns: slice(reshape(x)) -> reshape(slice(x)).
struct SliceOfReshape : mlir::OpRewritePattern<SliceOp> {
  using OpRewritePattern::OpRewritePattern;
  mlir::LogicalResult matchAndRewrite(SliceOp slice, mlir::PatternRewriter &rewriter) const override {
    auto reshape = slice.getX().getDefiningOp<ReshapeOp>();
    if (!reshape || !slicesColumns(slice))
      return mlir::failure();
    auto from = mlir::cast<mlir::RankedTensorType>(reshape.getX().getType());
    auto to = mlir::cast<mlir::RankedTensorType>(reshape.getType());
    if (from.getRank() < 2 || from.getShape().back() != to.getShape().back() ||
        !mlir::isa_and_nonnull<MatmulOp, BinaryOp>(reshape.getX().getDefiningOp()))
      return mlir::failure();
    mlir::Value columns = cut(rewriter, slice, reshape.getX(), from.getRank() - 1);
    rewriter.replaceOpWithNewOp<ReshapeOp>(slice, slice.getType(), columns);
    return mlir::success();
  }
};

struct SplitPackedProjections : impl::SplitPackedProjectionsBase<SplitPackedProjections> {
  using Base::Base;
  void runOnOperation() override {
    mlir::RewritePatternSet patterns(&getContext());
    patterns.add<SliceOfMatmul, SliceOfBias, SliceOfReshape>(&getContext());
    if (mlir::failed(mlir::applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};
} // namespace
} // namespace llmpar
