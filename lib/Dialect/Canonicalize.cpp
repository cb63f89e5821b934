//===- Canonicalize.cpp - Rewrites that need more than a fold ---------------===//
#include "llmpar/Dialect/Llmpar.h"
#include "mlir/IR/PatternMatch.h"

namespace llmpar {
namespace {

/// x of a transpose that swaps the last two dimensions and nothing else; null for any other value.
mlir::Value swappedOperand(mlir::Value value) {
  auto transpose = value.getDefiningOp<TransposeOp>();
  if (!transpose || transpose->hasAttr(LlmparDialect::kOutShardings))
    return {};
  llvm::SmallVector<int64_t> swap = llvm::to_vector(llvm::seq<int64_t>(0, transpose.getPermutation().size()));
  if (swap.size() < 2)
    return {};
  std::swap(swap[swap.size() - 1], swap[swap.size() - 2]);
  return llvm::equal(transpose.getPermutation(), swap) ? transpose.getX() : mlir::Value();
}

/// matmul(a, transpose(b)) -> matmul(a, b) {transpose_b}, and likewise for a: the kernel reads b in place.
struct FoldTransposeIntoMatmul : mlir::OpRewritePattern<MatmulOp> {
  using OpRewritePattern::OpRewritePattern;

  mlir::LogicalResult matchAndRewrite(MatmulOp op, mlir::PatternRewriter &rewriter) const override {
    mlir::Value a = swappedOperand(op.getA()), b = swappedOperand(op.getB());
    if ((!a && !b) || op->hasAttr(LlmparDialect::kOutShardings))
      return mlir::failure();
    rewriter.modifyOpInPlace(op, [&] {
      if (a) {
        op.getAMutable().assign(a);
        op.setTransposeA(!op.getTransposeA());
      }
      if (b) {
        op.getBMutable().assign(b);
        op.setTransposeB(!op.getTransposeB());
      }
    });
    return mlir::success();
  }
};

} // namespace

void MatmulOp::getCanonicalizationPatterns(mlir::RewritePatternSet &patterns, mlir::MLIRContext *context) {
  patterns.add<FoldTransposeIntoMatmul>(context);
}

} // namespace llmpar
