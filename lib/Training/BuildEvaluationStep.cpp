//===- BuildEvaluationStep.cpp - Loss and accuracy ---------------------------===//
#include "Logits.h"
#include "MasterWeights.h"
#include "llmpar/Dialect/OpWriter.h"
#include "llmpar/Training/Passes.h"

using namespace mlir;

namespace llmpar {
#define GEN_PASS_DEF_BUILDEVALUATIONSTEP
#include "llmpar/Training/Passes.h.inc"

namespace {

struct BuildEvaluationStep : impl::BuildEvaluationStepBase<BuildEvaluationStep> {
  using Base::Base;
  void runOnOperation() override {
    auto function = getOperation().lookupSymbol<func::FuncOp>("main");
    if (!function || !function.getBody().hasOneBlock()) {
      getOperation().emitError("evaluation needs a function @main of one block");
      return signalPassFailure();
    }
    FailureOr<Value> found = findLogits(function, logits);
    if (failed(found))
      return signalPassFailure();
    llvm::StringMap<SmallVector<LoadWeightOp>> loads;
    for (auto load : function.getBody().front().getOps<LoadWeightOp>())
      loads[load.getWeight()].push_back(load);
    for (WeightOp weight : getOperation().getOps<WeightOp>())
      if (isa<FloatType>(cast<RankedTensorType>(weight.getType()).getElementType())) {
        weight->setAttr(LlmparDialect::kMutable, UnitAttr::get(&getContext()));
        if (!isTable(weight.getSymName())) // in the type in which it is trained
          keepMaster(weight, loads.lookup(weight.getSymName()));
      }
    Operation *ret = function.getBody().front().getTerminator();
    OpBuilder builder(ret);
    OpWriter write{builder, ret->getLoc()};
    Value labels = addLabels(function, tensorType(*found));
    addSums(write, function, write.cast(*found, builder.getF32Type()), labels);
  }

private:
  /// Sums over all rows that count, so that batches may be added.
  void addSums(OpWriter &write, func::FuncOp function, Value wide, Value labels) {
    OpBuilder &b = write.builder;
    SmallVector<int64_t> rows = llvm::to_vector(llvm::seq<int64_t>(0, tensorType(labels).getRank()));
    auto sum = [&](Value x) { return write.reduce("sum", write.cast(x, b.getF32Type()), rows, /*keepDims=*/false); };
    Value counts =
        write.unary("logical_not", write.binary("equal", labels, write.integer(ignoreIndex, b.getI64Type())));
    auto crossEntropy = CrossEntropyOp::create(b, write.loc, wide, labels, ignoreIndex, llvm::APFloat(0.0));
    int64_t classes = tensorType(wide).getRank() - 1;
    Value best = ArgReduceOp::create(b, write.loc, wide, classes, /*keepDims=*/false, /*largest=*/true, /*last=*/false);
    Value isHit = write.binary("equal", best, labels); // ignored ones are no class
    std::pair<StringRef, Value> results[] = {
        {"loss", sum(crossEntropy.getLoss())}, {"hits", sum(isHit)}, {"count", sum(counts)}};
    SmallVector<Attribute> names;
    SmallVector<Value> values;
    for (auto [name, value] : results) {
      names.push_back(b.getDictionaryAttr(b.getNamedAttr(LlmparDialect::kName, b.getStringAttr(name))));
      values.push_back(value);
    }
    function.getBody().front().getTerminator()->setOperands(values);
    function.setType(b.getFunctionType(function.getBody().front().getArgumentTypes(), ValueRange(values).getTypes()));
    function.setAllResultAttrs(names);
  }
};

} // namespace
} // namespace llmpar
