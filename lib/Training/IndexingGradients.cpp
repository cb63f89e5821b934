//===- IndexingGradients.cpp - Gradients of ops that move elements ----------===//
#include "GradientRules.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace llmpar {
namespace {

LogicalResult gatherNdGradients(GatherNdOp op, GradientContext &g) {
  if (op.getBatchDims() != 0)
    return g.refuse("gather_nd with batch dimensions is not supported: gather along one axis");
  g.add(0, ScatterNdOp::create(g.builder, g.loc, g.zeros(op.getData()), op.getIndices(), g.dy(), "add"));
  return success();
}

/// What was replaced has no gradient; what replaced it (once: indices are distinct) has that of its place.
LogicalResult scatterGradients(StringRef reduction, Value updates, function_ref<Value(Value)> pick,
                               function_ref<Value(Value, Value)> put, GradientContext &g) {
  if (reduction != "none" && reduction != "add")
    return g.refuse("a scatter that reduces by '" + reduction + "' is not supported");
  if (g.needs(0))
    g.add(0, reduction == "add" ? g.dy() : put(g.dy(), g.zeros(updates)));
  if (g.needs(2))
    g.add(2, pick(g.dy()));
  return success();
}

LogicalResult concatGradients(ConcatOp op, GradientContext &g) {
  SmallVector<int64_t> starts(shapeOf(op.getResult()).size(), 0), steps(starts.size(), 1);
  for (auto [index, input] : llvm::enumerate(op.getInputs())) {
    if (g.needs(index))
      g.add(index, SliceOp::create(g.builder, g.loc, input.getType(), g.dy(), starts, steps));
    starts[op.getAxis()] += shapeOf(input)[op.getAxis()];
  }
  return success();
}

LogicalResult padGradients(PadOp op, GradientContext &g) {
  if (op.getMode() != 0)
    return g.refuse("only padding with a constant is supported");
  g.add(0, SliceOp::create(g.builder, g.loc, op.getX().getType(), g.dy(), op.getLow(),
                           SmallVector<int64_t>(op.getLow().size(), 1)));
  return success();
}

LogicalResult transposeGradients(TransposeOp op, GradientContext &g) {
  SmallVector<int64_t> inverse(op.getPermutation().size());
  for (auto [to, from] : llvm::enumerate(op.getPermutation()))
    inverse[from] = to;
  g.add(0, TransposeOp::create(g.builder, g.loc, g.dy(), inverse));
  return success();
}

} // namespace

std::optional<LogicalResult> indexingGradients(Operation *op, GradientContext &g) {
  OpBuilder &b = g.builder;
  return llvm::TypeSwitch<Operation *, std::optional<LogicalResult>>(op)
      .Case([&](GatherOp o) {
        g.add(0, GatherGradOp::create(b, g.loc, o.getData().getType(), o.getIndices(), g.dy(), o.getAxis()));
        return success();
      })
      .Case([&](GatherElementsOp o) {
        g.add(0, ScatterElementsOp::create(b, g.loc, g.zeros(o.getData()), o.getIndices(), g.dy(), o.getAxis(), "add"));
        return success();
      })
      .Case([&](GatherNdOp o) { return gatherNdGradients(o, g); })
      .Case([&](ScatterNdOp o) {
        return scatterGradients(
            o.getReduction(), o.getUpdates(),
            [&](Value dy) { return GatherNdOp::create(b, g.loc, dy, o.getIndices(), 0).getResult(); },
            [&](Value dy, Value zeros) {
              return ScatterNdOp::create(b, g.loc, dy, o.getIndices(), zeros, "none").getResult();
            },
            g);
      })
      .Case([&](ScatterElementsOp o) {
        return scatterGradients(
            o.getReduction(), o.getUpdates(),
            [&](Value dy) { return GatherElementsOp::create(b, g.loc, dy, o.getIndices(), o.getAxis()).getResult(); },
            [&](Value dy, Value zeros) {
              return ScatterElementsOp::create(b, g.loc, dy, o.getIndices(), zeros, o.getAxis(), "none").getResult();
            },
            g);
      })
      .Case([&](TransposeOp o) { return transposeGradients(o, g); })
      .Case([&](ReshapeOp o) {
        g.add(0, g.reshape(g.dy(), shapeOf(o.getX())));
        return success();
      })
      .Case([&](BroadcastOp) {
        g.add(0, g.dy());
        return success();
      })
      .Case([&](SliceOp o) {
        g.add(0, SliceGradOp::create(b, g.loc, o.getX().getType(), g.dy(), o.getStarts(), o.getSteps()));
        return success();
      })
      .Case([&](ConcatOp o) { return concatGradients(o, g); })
      .Case([&](PadOp o) { return padGradients(o, g); })
      .Default([](Operation *) { return std::nullopt; });
}

} // namespace llmpar
