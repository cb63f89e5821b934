//===- CombineCollectives.cpp - all_reduce + all_slice = reduce_scatter -----===//
#include "llmpar/Partition/Passes.h"

namespace llmpar {
#define GEN_PASS_DEF_COMBINECOLLECTIVES
#include "llmpar/Partition/Passes.h.inc"

namespace {
/// The slice that every use of `reduce` takes over its own axis, or null.
AllSliceOp commonSlice(AllReduceOp reduce) {
  AllSliceOp first;
  if (reduce.getReduction() == "mean") // there is no reduce-scatter of it
    return {};
  for (mlir::Operation *user : reduce->getUsers()) {
    auto slice = mlir::dyn_cast<AllSliceOp>(user);
    if (!slice || slice.getAxis() != reduce.getAxis() || (first && slice.getDim() != first.getDim()) ||
        (first && slice->getAttr(LlmparDialect::kOutShardings) != first->getAttr(LlmparDialect::kOutShardings)))
      return {};
    first = first ? first : slice;
  }
  return first;
}

struct CombineCollectives : impl::CombineCollectivesBase<CombineCollectives> {
  using Base::Base;
  void runOnOperation() override {
    llvm::SmallVector<AllReduceOp> reduces; // first: a rewrite erases the op that a walk would visit next
    getOperation().walk([&](AllReduceOp reduce) { reduces.push_back(reduce); });
    for (AllReduceOp reduce : reduces)
      if (AllSliceOp slice = commonSlice(reduce))
        combine(reduce, slice);
  }

  static void combine(AllReduceOp reduce, AllSliceOp slice) {
    mlir::OpBuilder builder(reduce);
    auto scatter = ReduceScatterOp::create(builder, reduce.getLoc(), reduce.getType(), reduce.getX(), reduce.getAxis(),
                                           reduce.getReduction(), slice.getDim());
    scatter->setAttr(LlmparDialect::kOutShardings, slice->getAttr(LlmparDialect::kOutShardings));
    for (mlir::Operation *user : llvm::to_vector(reduce->getUsers())) {
      user->replaceAllUsesWith(scatter->getResults());
      user->erase();
    }
    reduce.erase();
  }
};
} // namespace
} // namespace llmpar
