//===- StepSummary.cpp - What a training step computes ----------------------===//
#include "llmpar/Training/StepSummary.h"

#include "GradientRules.h"
#include "llmpar/Dialect/FlopCount.h"
#include "llmpar/Dialect/WeightParts.h"
#include "llmpar/Training/Passes.h"
#include "llvm/ADT/StringSet.h"

using namespace mlir;

namespace llmpar {

static double productFlops(Operation *op) {
  auto shapes = [](auto values) { return llvm::map_to_vector(values, [](Value v) { return Shape(shapeOf(v)); }); };
  return isa<MatmulOp, WeightGradOp, AttentionOp, AttentionGradOp>(op) ? FlopCount(op).at(shapes(op->getOperands()), shapes(op->getResults())) : 0;
}

StepSummary summarizeStep(ModuleOp module) {
  StepSummary summary;
  llvm::StringSet<> known; // of several parts one tensor
  for (WeightOp weight : module.getOps<WeightOp>())
    if (weight->hasAttr(LlmparDialect::kMutable) && !weight.getSources().empty())
      if (std::string name = boxOf(weight).tensor; known.insert(name).second)
        summary.parameters.push_back(std::move(name));
  module.walk([&](Operation *op) {
    if (auto loss = dyn_cast<CrossEntropyOp>(op))
      summary.classes = shapeOf(loss.getLogits()).back();
    if (!op->hasAttr(recomputeAttribute)) // what is computed again teaches nothing
      summary.flops += productFlops(op);
  });
  return summary;
}

} // namespace llmpar
