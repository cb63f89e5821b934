//===- GradientRules.cpp - What gradients are made of; contractions ---------===//
#include "GradientRules.h"

using namespace mlir;

namespace llmpar {

ArrayRef<int64_t> shapeOf(Value value) { return tensorType(value).getShape(); }
bool isFloat(Value value) { return isa<FloatType>(tensorType(value).getElementType()); }

void GradientContext::add(unsigned operand, Value gradient) {
  if (needs(operand))
    accumulate(op->getOperand(operand), sumTo(gradient, shapeOf(op->getOperand(operand))));
}

LogicalResult GradientContext::refuse(const Twine &why) const {
  return op->emitOpError() << "has no gradient: " << why;
}

/// y = a b: the gradient of one factor contracts dy with the other one, over the factors that it lacks itself. Of a
/// weight those are all leading dimensions of the activations.
static LogicalResult matmulGradients(MatmulOp op, GradientContext &g) {
  Value a = op.getA(), b = op.getB(), dy = g.dy();
  bool ta = op.getTransposeA(), tb = op.getTransposeB();
  auto product = [&](Value x, Value y, bool tx, bool ty) {
    return MatmulOp::create(g.builder, g.loc, x, y, tx, ty).getResult();
  };
  if (g.needs(0))
    g.add(0, ta ? product(b, dy, tb, true) : product(dy, b, false, !tb));
  if (!g.needs(1))
    return success();
  if (!ta && shapeOf(b).size() == 2)
    g.add(1, WeightGradOp::create(g.builder, g.loc, tb ? dy : a, tb ? a : dy));
  else
    g.add(1, tb ? product(dy, a, true, ta) : product(a, dy, !ta, false));
  return success();
}

static LogicalResult attentionGradients(AttentionOp op, GradientContext &g) {
  if (g.dy(1))
    return g.refuse("the loss depends on its second result");
  for (unsigned operand = 3; operand < op->getNumOperands(); ++operand)
    if (g.needs(operand))
      return g.refuse("a mask that is trained needs the scores: leave attention as it is");
  auto gradients = AttentionGradOp::create(g.builder, g.loc, op.getQ(), op.getK(), op.getV(), op.getResult(),
                                           op.getLse(), g.dy(), op.getMasks(), op.getScaleAttr(), op.getFillAttr(),
                                           op.getZeroEmptyAttr(), op.getTransposeKAttr());
  for (unsigned operand : {0, 1, 2})
    g.add(operand, gradients->getResult(operand));
  return success();
}

LogicalResult addGradients(Operation *op, GradientContext &g) {
  if (auto matmul = dyn_cast<MatmulOp>(op))
    return matmulGradients(matmul, g);
  if (auto attention = dyn_cast<AttentionOp>(op))
    return attentionGradients(attention, g);
  for (auto family : {elementwiseGradients, rowGradients, indexingGradients})
    if (std::optional<LogicalResult> result = family(op, g))
      return *result;
  return g.refuse("training through '" + op->getName().stripDialect() + "' is not supported");
}

} // namespace llmpar
