//===- ElementwiseGradients.cpp - Gradients of elementwise ops --------------===//
#include "GradientRules.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace llmpar {
namespace {

LogicalResult unaryGradients(UnaryOp op, GradientContext &g) {
  if (isDifferentiable(op.getKind())) // else piecewise constant
    g.add(0, UnaryGradOp::create(g.builder, g.loc, op.getKind(), op.getX(), g.dy(), op.getAlpha(), op.getBeta()));
  return success();
}

/// Where both are equal, each gets half.
void extremumGradients(BinaryOp op, GradientContext &g) {
  Value dy = g.dy(), half = g.binary("mul", dy, g.scalar(0.5, dy)), zero = g.scalar(0, dy);
  Value isTie = g.binary("equal", op.getA(), op.getB());
  Value isFirst = g.binary(op.getKind() == "max" ? "greater" : "less", op.getA(), op.getB());
  g.add(0, g.select(isTie, half, g.select(isFirst, dy, zero)));
  g.add(1, g.select(isTie, half, g.select(isFirst, zero, dy)));
}

/// d a^b / da = b a^(b-1), 0 where b is 0 (a may be 0 too); d a^b / db = a^b log a, taken as 0 where a is not positive.
void powerGradients(BinaryOp op, GradientContext &g) {
  Value a = op.getA(), b = op.getB(), dy = g.dy();
  if (g.needs(0)) {
    Value slope = g.binary("mul", b, g.binary("pow", a, g.binary("sub", b, g.scalar(1, b))));
    slope = g.select(g.binary("equal", b, g.scalar(0, b)), g.scalar(0, b), slope);
    g.add(0, g.binary("mul", dy, slope));
  }
  if (!g.needs(1))
    return;
  Value isPositive = g.binary("greater", a, g.scalar(0, a));
  Value log = g.unary("log", g.select(isPositive, a, g.scalar(1, a)));
  g.add(1, g.binary("mul", dy, g.binary("mul", op.getResult(), log)));
}

LogicalResult binaryGradients(BinaryOp op, GradientContext &g) {
  StringRef kind = op.getKind();
  Value a = op.getA(), b = op.getB(), dy = g.dy();
  if (kind == "add" || kind == "sub") {
    g.add(0, dy);
    if (g.needs(1))
      g.add(1, kind == "add" ? dy : g.unary("neg", dy));
  } else if (kind == "mul") {
    if (g.needs(0))
      g.add(0, g.binary("mul", dy, b));
    if (g.needs(1))
      g.add(1, g.binary("mul", dy, a));
  } else if (kind == "div") {
    Value quotient = g.binary("div", dy, b);
    g.add(0, quotient);
    if (g.needs(1))
      g.add(1, g.unary("neg", g.binary("mul", quotient, op.getResult())));
  } else if (kind == "pow") {
    powerGradients(op, g);
  } else if (kind == "min" || kind == "max") {
    extremumGradients(op, g);
  } else if (kind == "prelu") {
    Value isNegative = g.binary("less", a, g.scalar(0, a));
    g.add(0, g.select(isNegative, g.binary("mul", dy, b), dy));
    if (g.needs(1))
      g.add(1, g.select(isNegative, g.binary("mul", dy, a), g.scalar(0, dy)));
  } else if ((kind == "mod" || kind == "fmod") && !g.needs(1)) {
    g.add(0, dy);
  } else {
    return g.refuse("binary '" + kind + "' is not differentiable in its second operand");
  }
  return success();
}

LogicalResult selectGradients(SelectOp op, GradientContext &g) {
  Value zero = g.scalar(0, g.dy());
  if (g.needs(1))
    g.add(1, g.select(op.getCondition(), g.dy(), zero));
  if (g.needs(2))
    g.add(2, g.select(op.getCondition(), zero, g.dy()));
  return success();
}

} // namespace

std::optional<LogicalResult> elementwiseGradients(Operation *op, GradientContext &g) {
  return llvm::TypeSwitch<Operation *, std::optional<LogicalResult>>(op)
      .Case([&](UnaryOp o) { return unaryGradients(o, g); })
      .Case([&](BinaryOp o) { return binaryGradients(o, g); })
      .Case([&](SelectOp o) { return selectGradients(o, g); })
      .Case([&](CastOp o) {
        g.add(0, g.cast(g.dy(), tensorType(o.getX()).getElementType()));
        return success();
      })
      .Default([](Operation *) { return std::nullopt; });
}

} // namespace llmpar
