//===- DelayReductions.cpp - Reduce a sum, not its terms ---------------------===//
//
//   %a, %b                 partial {dp: sum}          %a, %b            partial {dp: sum}
//   %s = add %a, %b        in [whole, whole]     ->   %s = add %a, %b   in, out partial {dp: sum}
//
// In training: the gradients of micro-batches, of tied weights, of biases behind a reshape. A sum of numbers that are
// partial over different axes (the squares of all gradients) is regrouped: those of the same axes first.
//
//===----------------------------------------------------------------------===//
#include "LinearOps.h"
#include "llmpar/Partition/Passes.h"
#include "llvm/ADT/MapVector.h"

namespace llmpar {
#define GEN_PASS_DEF_DELAYREDUCTIONS
#include "llmpar/Partition/Passes.h.inc"

namespace {

bool isSum(mlir::Operation *op) {
  auto add = mlir::dyn_cast<BinaryOp>(op);
  return add && add.getKind() == "add";
}

/// Linear, and the result has not more bytes to reduce than the operands.
bool mayDelay(mlir::Operation *op) {
  if (mlir::isa<SliceGradOp>(op)) // one of the parts of a packed weight, which are added
    return op->hasOneUse() && isSum(*op->user_begin());
  return isLinear(op) && !mlir::isa<GatherGradOp>(op);
}

class ReductionDelayer {
public:
  explicit ReductionDelayer(const Mesh &mesh) : mesh(mesh) {}

  void run(mlir::Block &body) {
    for (mlir::Operation &op : llvm::make_early_inc_range(body)) {
      delay(&op);
      if (isSum(&op) && !isTermOfSum(&op))
        regroup(mlir::cast<BinaryOp>(op));
    }
  }

private:
  const Mesh &mesh;

  /// Lets the operands' partial sums pass through the op, if all are partial over the same axes and as it needs them
  /// otherwise, and nobody else needs them reduced.
  void delay(mlir::Operation *op) {
    if (!mayDelay(op) || op->getNumOperands() == 0)
      return;
    llvm::SmallVector<Sharding> wanted = inShardings(op, mesh), have;
    for (mlir::Value operand : op->getOperands())
      have.push_back(shardingOf(operand, mesh));
    const auto partial = have.front().partial;
    Sharding result = shardingOf(op->getResult(0), mesh);
    bool isSumOver = !partial.empty() && llvm::all_of(partial, [&](const PartialAxis &axis) {
      return axis.reduction == FactorKind::Sum && !result.usesAxis(axis.axis);
    });
    if (!isSumOver || wanted.size() != have.size())
      return;
    for (auto [operand, has, wants] : llvm::zip(op->getOperands(), have, wanted))
      if (!operand.hasOneUse() || has.partial != partial || has.dims != wants.dims || !wants.partial.empty())
        return;
    setInShardings(op, have, mesh);
    llvm::append_range(result.partial, partial);
    llvm::sort(result.partial, [](const PartialAxis &a, const PartialAxis &b) { return a.axis < b.axis; });
    setSharding(op->getResult(0), result, mesh);
  }

  static bool isTermOfSum(mlir::Operation *op) { return op->hasOneUse() && isSum(*op->user_begin()); }

  /// Numbers only: of larger values the order of a sum decides how long its terms live.
  void regroup(BinaryOp sum) {
    if (mlir::cast<mlir::RankedTensorType>(sum.getType()).getRank() > 0)
      return;
    llvm::MapVector<mlir::Attribute, llvm::SmallVector<mlir::Value>> terms; // by their sharding
    llvm::SmallVector<mlir::Value> stack{sum.getB(), sum.getA()};
    while (!stack.empty()) {
      mlir::Value value = stack.pop_back_val();
      if (auto inner = value.getDefiningOp<BinaryOp>(); inner && isSum(inner) && value.hasOneUse()) {
        stack.append({inner.getB(), inner.getA()});
        continue;
      }
      terms[toAttr(shardingOf(value, mesh), mesh, sum.getContext())].push_back(value);
    }
    if (terms.size() < 2 || llvm::all_of(terms, [](const auto &group) { return group.second.size() == 1; }))
      return;
    mlir::OpBuilder builder(sum);
    auto add = [&](mlir::Value a, mlir::Value b, const Sharding &sharding) {
      auto op = BinaryOp::create(builder, sum.getLoc(), "add", a, b);
      setInShardings(op, {sharding, sharding}, mesh);
      setSharding(op.getResult(), sharding, mesh);
      return op.getResult();
    };
    mlir::Value total;
    for (auto &[attribute, values] : terms) {
      Sharding sharding = fromAttr(mlir::cast<ShardingAttr>(attribute), mesh);
      mlir::Value group = values.front();
      for (mlir::Value value : llvm::drop_begin(values))
        group = add(group, value, sharding);
      sharding.partial.clear();
      total = total ? add(total, group, sharding) : group;
    }
    mlir::Operation *root = sum;
    llvm::SmallVector<mlir::Operation *> dead{root};
    root->replaceAllUsesWith(mlir::ValueRange(total));
    while (!dead.empty()) {
      mlir::Operation *op = dead.pop_back_val();
      for (mlir::Value operand : op->getOperands())
        if (mlir::Operation *term = operand.getDefiningOp(); term && isSum(term) && term->hasOneUse())
          dead.push_back(term);
      op->erase();
    }
  }
};

struct DelayReductions : impl::DelayReductionsBase<DelayReductions> {
  using Base::Base;
  void runOnOperation() override {
    mlir::func::FuncOp function = mainFunction(getOperation());
    if (!function)
      return signalPassFailure();
    Mesh mesh = meshOf(getOperation());
    ReductionDelayer(mesh).run(function.getBody().front());
  }
};
} // namespace
} // namespace llmpar
