//===- BuildEvaluationStep.cpp - Loss and accuracy ---------------------------===//
#include "Loss.h"
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
    const Loss measure{loss.getValue(), ignoreIndex};
    FailureOr<Value> found = findLogits(function, logits);
    if (failed(measure.check(getOperation())) || failed(found))
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
    addSums(write, function, measure, *found, measure.addLabels(function, tensorType(*found)));
  }

private:
  /// Sums over all rows that count, so that batches may be added.
  void addSums(OpWriter &write, func::FuncOp function, const Loss &measure, Value logits, Value labels) {
    OpBuilder &b = write.builder;
    Value wide = write.cast(logits, b.getF32Type());
    SmallVector<std::pair<StringRef, Value>> results{{"loss", sumOf(write, measure.of(write, wide, labels))}};
    if (measure.ofClasses()) {
      int64_t classes = tensorType(wide).getRank() - 1;
      Value best =
          ArgReduceOp::create(b, write.loc, wide, classes, /*keepDims=*/false, /*largest=*/true, /*last=*/false);
      Value isHit = write.binary("equal", best, labels); // ignored ones are no class
      results.push_back({"hits", sumOf(write, write.cast(isHit, b.getF32Type()))});
    }
    results.push_back({"count", measure.count(write, labels)});
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
