//===- MasterWeights.cpp - Which weights are learnt, and in what type -------===//
#include "MasterWeights.h"

#include "llmpar/Dialect/OpWriter.h"
#include "llvm/Support/GlobPattern.h"

using namespace mlir;

namespace llmpar {

bool isTable(StringRef name) {
  static constexpr StringLiteral tables[] = {"*cos_cache*", "*sin_cache*", "*cos_cached*", "*sin_cached*",
                                             "*inv_freq*",  "*mask*",      "const_*"};
  return llvm::any_of(
      tables, [&](StringRef pattern) { return llvm::cantFail(llvm::GlobPattern::create(pattern)).match(name); });
}

void keepMaster(WeightOp weight, ArrayRef<LoadWeightOp> loads) {
  auto type = cast<RankedTensorType>(weight.getType());
  Type narrow = type.getElementType();
  if (!isNarrowFloat(narrow))
    return;
  OpBuilder builder(weight.getContext());
  RankedTensorType wide = type.clone(builder.getF32Type());
  weight.setType(wide);
  weight->setAttr(LlmparDialect::kStored, TypeAttr::get(narrow));
  for (LoadWeightOp load : loads) {
    load.getResult().setType(wide);
    for (OpOperand &use : llvm::make_early_inc_range(load->getUses())) {
      builder.setInsertionPoint(use.getOwner());
      use.set(OpWriter{builder, load.getLoc()}.cast(load, narrow));
    }
  }
}

} // namespace llmpar
