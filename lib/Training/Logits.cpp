//===- Logits.cpp - Where the loss of a step comes from ---------------------===//
#include "Logits.h"

#include "GradientRules.h"
#include "llmpar/Dialect/MasterWeights.h"

using namespace mlir;

namespace llmpar {

FailureOr<Value> findLogits(func::FuncOp function, StringRef wanted) {
  for (auto [index, value] : llvm::enumerate(function.getBody().front().getTerminator()->getOperands())) {
    auto name = function.getResultAttrOfType<StringAttr>(index, LlmparDialect::kName);
    bool matches = wanted.empty() ? isFloat(value) : name && name.getValue() == wanted;
    if (!matches)
      continue;
    if (!isFloat(value) || shapeOf(value).empty())
      return function.emitError() << "result '" << wanted << "' of type " << value.getType()
                                  << " cannot be logits: floats with a dimension of classes are needed";
    return value;
  }
  return function.emitError() << "has no " << (wanted.empty() ? "float result" : "result '" + wanted.str() + "'")
                              << ": name the logits";
}

Value withoutWidening(Value logits) {
  auto cast = logits.getDefiningOp<CastOp>();
  bool isWidening =
      cast && isNarrowFloat(tensorType(cast.getX()).getElementType()) && tensorType(logits).getElementType().isF32();
  return isWidening ? cast.getX() : logits;
}

BlockArgument addLabels(func::FuncOp function, RankedTensorType logits) {
  OpBuilder builder(function.getContext());
  auto type = RankedTensorType::get(logits.getShape().drop_back(), builder.getI64Type());
  auto name = builder.getNamedAttr(LlmparDialect::kName, builder.getStringAttr("labels"));
  (void)function.insertArgument(function.getNumArguments(), type, builder.getDictionaryAttr(name), function.getLoc());
  return function.getArguments().back();
}

} // namespace llmpar
