//===- Loss.cpp - What the loss of a step is, and where it comes from ---------===//
#include "Loss.h"

#include "GradientRules.h"
#include "llmpar/Dialect/MasterWeights.h"
#include "llmpar/Training/Passes.h"
#include "llvm/ADT/StringExtras.h"

using namespace mlir;

namespace llmpar {

FailureOr<Value> findLogits(func::FuncOp function, StringRef wanted) {
  for (unsigned index = 0; index < function.getNumArguments(); ++index)
    if (auto name = function.getArgAttrOfType<StringAttr>(index, LlmparDialect::kName);
        name && name.getValue() == "labels")
      return function.emitError() << "has an input 'labels' of its own, which a step adds: give it another name";
  SmallVector<std::string> floats;
  for (auto [index, value] : llvm::enumerate(function.getBody().front().getTerminator()->getOperands())) {
    auto name = function.getResultAttrOfType<StringAttr>(index, LlmparDialect::kName);
    bool matches = wanted.empty() ? isFloat(value) : name && name.getValue() == wanted;
    if (isFloat(value) && name)
      floats.push_back(name.str());
    if (!matches)
      continue;
    if (!isFloat(value) || shapeOf(value).empty())
      return function.emitError() << "result '" << (name ? name.getValue() : wanted) << "' of type " << value.getType()
                                  << " cannot be logits: floats with a dimension are needed";
    return value;
  }
  return function.emitError() << "has no " << (wanted.empty() ? "float result" : "result '" + wanted.str() + "'")
                              << ": name the logits" << (floats.empty() ? "" : ", one of " + llvm::join(floats, ", "));
}

bool isLoss(Operation *op) { return op->hasAttr(lossAttribute); }

Value sumOf(OpWriter &write, Value x) {
  return write.reduce("sum", x, llvm::to_vector(llvm::seq<int64_t>(0, tensorType(x).getRank())), /*keepDims=*/false);
}

LogicalResult Loss::check(ModuleOp module) const {
  if (!ofClasses() && kind != "mse")
    return module.emitError() << "loss '" << kind << "' is unknown: choose cross-entropy, mse";
  if (!ofClasses() && labelSmoothing != 0)
    return module.emitError() << "label-smoothing " << labelSmoothing << " is of loss 'cross-entropy', not of '" << kind
                              << "'";
  return success();
}

BlockArgument Loss::addLabels(func::FuncOp function, RankedTensorType logits) const {
  OpBuilder builder(function.getContext());
  auto type = ofClasses() ? RankedTensorType::get(logits.getShape().drop_back(), builder.getI64Type())
                          : RankedTensorType::get(logits.getShape(), builder.getF32Type());
  auto name = builder.getNamedAttr(LlmparDialect::kName, builder.getStringAttr("labels"));
  (void)function.insertArgument(function.getNumArguments(), type, builder.getDictionaryAttr(name), function.getLoc());
  return function.getArguments().back();
}

Value Loss::isIgnored(OpWriter &write, Value labels) const {
  return ofClasses() ? write.binary("equal", labels, write.integer(ignoreIndex, write.builder.getI64Type()))
                     : write.unary("is_nan", labels);
}

Value Loss::count(OpWriter &write, Value labels) const {
  return sumOf(write, write.cast(write.unary("logical_not", isIgnored(write, labels)), write.builder.getF32Type()));
}

/// Logits in bf16 or f16 where `logits` are a cast of them to f32: cross_entropy computes in f32 anyhow.
static Value withoutWidening(Value logits) {
  auto cast = logits.getDefiningOp<CastOp>();
  bool isWidening =
      cast && isNarrowFloat(tensorType(cast.getX()).getElementType()) && tensorType(logits).getElementType().isF32();
  return isWidening ? cast.getX() : logits;
}

Value Loss::of(OpWriter &write, Value logits, Value labels) const {
  Value losses;
  if (ofClasses()) {
    logits = withoutWidening(logits);
    if (!isNarrowFloat(tensorType(logits).getElementType()))
      logits = write.cast(logits, write.builder.getF32Type());
    losses =
        CrossEntropyOp::create(write.builder, write.loc, logits, labels, ignoreIndex, llvm::APFloat(labelSmoothing))
            .getLoss();
  } else {
    Value distance = write.binary("sub", write.cast(logits, write.builder.getF32Type()), labels);
    distance = write.select(isIgnored(write, labels), write.zeros(distance), distance);
    losses = write.binary("mul", distance, distance);
  }
  losses.getDefiningOp()->setAttr(lossAttribute, write.builder.getUnitAttr());
  return losses;
}

} // namespace llmpar
