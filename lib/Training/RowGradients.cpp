//===- RowGradients.cpp - Gradients of reductions, norms, rotary and losses -===//
#include "GradientRules.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace llmpar {
namespace {

/// The value of a reduction at every element that it was computed from.
Value spread(ReduceOp op, Value value, GradientContext &g) {
  SmallVector<int64_t> kept(shapeOf(op.getX()));
  for (int64_t axis : op.getAxes())
    kept[axis] = 1;
  return g.broadcast(g.reshape(value, kept), shapeOf(op.getX()));
}

LogicalResult reduceGradients(ReduceOp op, GradientContext &g) {
  if (op.getKind() == "sum") {
    g.add(0, spread(op, g.dy(), g));
    return success();
  }
  if (op.getKind() == "prod")
    return g.refuse("a product over a dimension is not supported: multiply its slices");
  // The elements that are equal to the extremum share its gradient.
  Value isExtremum = g.binary("equal", op.getX(), spread(op, op.getResult(), g));
  Value mask = g.cast(isExtremum, tensorType(op.getX()).getElementType());
  Value count = g.reduce("sum", mask, op.getAxes(), op.getKeepDims());
  g.add(0, g.binary("mul", mask, spread(op, g.binary("div", g.dy(), count), g)));
  return success();
}

/// The gradient of a rotation is turned back.
LogicalResult rotaryGradients(RotaryOp op, GradientContext &g) {
  if (g.needs(0))
    g.add(0, RotaryOp::create(g.builder, g.loc, g.dy(), op.getCos(), g.unary("neg", op.getSin()),
                              op.getInterleavedAttr()));
  if (!g.needs(1) && !g.needs(2))
    return success();
  int64_t last = static_cast<int64_t>(shapeOf(op.getX()).size()) - 1, pairs = shapeOf(op.getCos()).back();
  auto half = [&](Value value, int64_t second, Value like) { // of each pair
    SmallVector<int64_t> shape(shapeOf(value)), starts(shape.size(), 0), steps(shape.size(), 1);
    shape[last] = pairs;
    starts[last] = op.getInterleaved() ? second : second * pairs;
    steps[last] = op.getInterleaved() ? 2 : 1;
    Value part = SliceOp::create(g.builder, g.loc, tensorType(value).clone(shape), value, starts, steps);
    return g.cast(part, tensorType(like).getElementType());
  };
  auto product = [&](int64_t ofX, int64_t ofDy, Value like) {
    return g.binary("mul", half(op.getX(), ofX, like), half(g.dy(), ofDy, like));
  };
  if (g.needs(1))
    g.add(1, g.binary("add", product(0, 0, op.getCos()), product(1, 1, op.getCos())));
  if (g.needs(2))
    g.add(2, g.binary("sub", product(0, 1, op.getSin()), product(1, 0, op.getSin())));
  return success();
}

/// Scale with the shape of a row; null if it is not the same for every row.
Value rowScale(Value scale, ArrayRef<int64_t> row, GradientContext &g) {
  ArrayRef<int64_t> shape = shapeOf(scale);
  while (shape.size() > row.size() && shape.front() == 1)
    shape = shape.drop_front();
  return shape.size() > row.size() ? Value() : g.broadcast(g.reshape(scale, shape), row);
}

template <typename Op> LogicalResult normGradients(Op op, bool centered, GradientContext &g) {
  ArrayRef<int64_t> row = shapeOf(op.getX()).drop_front(op.getAxis());
  Value scale = rowScale(op.getScale(), row, g);
  if (!scale)
    return g.refuse("its scale differs from row to row");
  auto axis = g.builder.getI64IntegerAttr(op.getAxis());
  if (g.needs(0))
    g.add(0, NormGradOp::create(g.builder, g.loc, op.getX(), scale, g.dy(), axis, op.getEpsilonAttr(),
                                g.builder.getBoolAttr(centered)));
  if (g.needs(1)) {
    Value gradient = NormScaleGradOp::create(g.builder, g.loc, op.getX(), g.dy(), axis, op.getEpsilonAttr(),
                                             g.builder.getBoolAttr(centered));
    SmallVector<int64_t> shape(shapeOf(op.getScale()).take_back(row.size())); // without leading dimensions of 1
    g.add(1, g.reshape(g.sumTo(gradient, shape), shapeOf(op.getScale())));
  }
  if (op->getNumOperands() > 2)
    g.add(2, g.dy());
  return success();
}

LogicalResult crossEntropyGradients(CrossEntropyOp op, GradientContext &g) {
  if (g.dy(1))
    return g.refuse("the loss depends on its second result");
  g.add(0, CrossEntropyGradOp::create(g.builder, g.loc, op.getLogits(), op.getLabels(), op.getLse(), g.dy(0),
                                      op.getIgnoreIndexAttr(), op.getLabelSmoothingAttr()));
  return success();
}

LogicalResult topKGradients(TopKOp op, GradientContext &g) {
  g.add(0,
        ScatterElementsOp::create(g.builder, g.loc, g.zeros(op.getX()), op.getIndices(), g.dy(0), op.getAxis(), "add"));
  return success();
}

} // namespace

std::optional<LogicalResult> rowGradients(Operation *op, GradientContext &g) {
  return llvm::TypeSwitch<Operation *, std::optional<LogicalResult>>(op)
      .Case([&](ReduceOp o) { return reduceGradients(o, g); })
      .Case([&](SoftmaxOp o) {
        g.add(0, SoftmaxGradOp::create(g.builder, g.loc, o.getResult(), g.dy(), o.getAxisAttr(), o.getLogAttr()));
        return success();
      })
      .Case([&](LayerNormOp o) { return normGradients(o, /*centered=*/true, g); })
      .Case([&](RmsNormOp o) { return normGradients(o, /*centered=*/false, g); })
      .Case([&](RotaryOp o) { return rotaryGradients(o, g); })
      .Case([&](CumsumOp o) {
        g.add(0, CumsumOp::create(g.builder, g.loc, g.dy(), o.getAxis(), o.getExclusive(), !o.getReverse()));
        return success();
      })
      .Case([&](CrossEntropyOp o) { return crossEntropyGradients(o, g); })
      .Case([&](TopKOp o) { return topKGradients(o, g); })
      .Default([](Operation *) { return std::nullopt; });
}

} // namespace llmpar
