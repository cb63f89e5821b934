//===- SynchronizeReplicas.cpp - Steps that do not wait for a sum ------------===//
//
// Local SGD (Stich, 2019): a replica steps by its own rows, and states are averaged now and then.
//
//   %g = all_reduce %p over dp               %g = mul %p, 2           the mean over its rows
//   %w1 = adam %w, %g, ...             ->    %w1 = adam %w, %g, ...
//   return %w1 {next of @w}                  return %w1 {next of @w, average over dp every 8 steps}
//
// Held gradients (`staleness`; Pipe-SGD, Li et al., 2018): the sum of an earlier step's depends on nothing of this one.
//
//   %w1 = adam %w, %held, ...                %m = all_reduce %held (mean) ; ... ; %w1 = adam %w, %m, ...
//   %g = all_reduce %p over dp         ->    %g = mul %p, 2
//   return %w1, %g {next of @w.gradient}     return %w1, %g
//
// Values whose shardings say that replicas share them are then a replica's own.
//
//===----------------------------------------------------------------------===//
#include "LinearOps.h"
#include "llmpar/Dialect/OpWriter.h"
#include "llmpar/Partition/Passes.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/TypeSwitch.h"

namespace llmpar {
#define GEN_PASS_DEF_SYNCHRONIZEREPLICAS
#include "llmpar/Partition/Passes.h.inc"

namespace {

mlir::Value gradientOf(mlir::Operation *op) {
  return llvm::TypeSwitch<mlir::Operation *, mlir::Value>(op)
      .Case<AdamOp, SgdOp>([](auto optimizer) { return optimizer.getGrad(); })
      .Default(mlir::Value());
}

class Synchronizer {
public:
  Synchronizer(mlir::func::FuncOp function, const Mesh &mesh, AxisId axis, int64_t every)
      : function(function), body(function.getBody().front()), mesh(mesh), axis(axis), every(every) {}

  mlir::LogicalResult run() {
    llvm::SmallVector<mlir::Operation *> optimizers;
    for (mlir::Operation &op : body)
      if (gradientOf(&op))
        optimizers.push_back(&op);
    for (mlir::Operation *op : optimizers) {
      if (auto held = mlir::dyn_cast<mlir::BlockArgument>(gradientOf(op))) {
        keepOwn(ageOf(held));
      } else {
        if (failed(checkRows()))
          return mlir::failure();
        keepOwn(gradientOf(op));
        for (mlir::Value result : op->getResults())
          average(result);
      }
    }
    for (mlir::Operation *op : optimizers)
      if (auto held = mlir::dyn_cast<mlir::BlockArgument>(gradientOf(op)))
        reduceHeld(held);
    return checkOthers();
  }

private:
  mlir::func::FuncOp function;
  mlir::Block &body;
  const Mesh &mesh;
  AxisId axis;
  int64_t every;
  llvm::SmallPtrSet<mlir::Operation *, 16> heldMeans;

  /// The gradient of this step that a held one begins as: its next value, or the next of that state, and so on.
  mlir::Value ageOf(mlir::BlockArgument held) {
    while (true) {
      auto symbol = function.getArgAttrOfType<mlir::FlatSymbolRefAttr>(held.getArgNumber(), LlmparDialect::kState);
      mlir::Value next;
      for (mlir::OpOperand &operand : body.getTerminator()->getOpOperands())
        if (function.getResultAttr(operand.getOperandNumber(), LlmparDialect::kNext) == symbol && symbol) {
          next = operand.get();
          if (every > 0)
            markAverage(operand.getOperandNumber());
        }
      auto older = mlir::dyn_cast_if_present<mlir::BlockArgument>(next);
      if (!older)
        return next;
      held = older;
    }
  }

  /// The sums over the axis that a gradient is made of.
  llvm::SmallVector<AllReduceOp> reductionsOf(mlir::Value gradient) const {
    llvm::SmallVector<AllReduceOp> found;
    llvm::SetVector<mlir::Operation *> ops;
    if (mlir::Operation *op = gradient.getDefiningOp())
      ops.insert(op);
    for (size_t i = 0; i < ops.size(); ++i) {
      auto reduce = mlir::dyn_cast<AllReduceOp>(ops[i]);
      if (reduce && mesh.find(reduce.getAxis()) == axis)
        found.push_back(reduce);
      else if (isLinear(ops[i]) || mlir::isa<AllReduceOp, AllGatherOp, AllSliceOp, ReduceScatterOp>(ops[i]))
        for (mlir::Value operand : ops[i]->getOperands())
          if (mlir::Operation *op = operand.getDefiningOp())
            ops.insert(op);
    }
    return found;
  }

  mlir::Value scaled(mlir::OpBuilder &builder, mlir::Value x, double factor) {
    OpWriter write{builder, x.getLoc()};
    mlir::Value number = write.scalar(factor, x);
    auto product = BinaryOp::create(builder, x.getLoc(), "mul", x, number);
    Sharding sharding = shardingOf(x, mesh);
    sharding.partial.clear();
    setInShardings(product, {sharding, shardingOf(number, mesh)}, mesh);
    setSharding(product.getResult(), sharding, mesh);
    return product.getResult();
  }

  /// A replica's share of a mean is the mean over its own rows only if all have as many.
  mlir::LogicalResult checkRows() {
    for (mlir::BlockArgument argument : body.getArguments()) {
      int dim = shardingOf(argument, mesh).dimOfAxis(axis);
      int64_t size = mesh.axes[axis].size, extent = dim < 0 ? 0 : mlir::cast<mlir::RankedTensorType>(argument.getType()).getDimSize(dim);
      if (extent % size != 0)
        return function.emitError() << "replicas over axis '" << mesh.axes[axis].name << "' have unequal parts of an input: "
                                    << extent << " rows for " << size << "; choose a multiple of " << size;
    }
    return mlir::success();
  }

  /// Of a mean over all rows each replica has its rows' part: times the replicas, it is the mean over its own.
  void keepOwn(mlir::Value gradient) {
    for (AllReduceOp reduce : reductionsOf(gradient)) {
      mlir::OpBuilder builder(reduce);
      reduce->getResult(0).replaceAllUsesWith(scaled(builder, reduce.getX(), static_cast<double>(mesh.axes[axis].size)));
      reduce.erase();
    }
  }

  void reduceHeld(mlir::BlockArgument held) {
    mlir::OpBuilder builder = mlir::OpBuilder::atBlockBegin(&body);
    auto mean = AllReduceOp::create(builder, held.getLoc(), held.getType(), held, mesh.axes[axis].name, "mean");
    heldMeans.insert(mean);
    setSharding(mean.getResult(), shardingOf(held, mesh), mesh);
    held.replaceUsesWithIf(mean.getResult(), [&](mlir::OpOperand &use) {
      return use.getOwner() != mean && use.getOwner() != body.getTerminator();
    });
  }

  /// What the optimizer gives may be brought to the state's shards first.
  void average(mlir::Value result) {
    for (mlir::OpOperand &use : result.getUses()) {
      if (mlir::isa<AllSliceOp, AllGatherOp, AllToAllOp, CastOp>(use.getOwner()))
        average(use.getOwner()->getResult(0));
      else if (use.getOwner() == body.getTerminator() && function.getResultAttr(use.getOperandNumber(), LlmparDialect::kNext))
        markAverage(use.getOperandNumber());
    }
  }
  void markAverage(unsigned result) {
    mlir::Builder b(function.getContext());
    function.setResultAttr(result, LlmparDialect::kAverage,
                           b.getDictionaryAttr({b.getNamedAttr("axis", b.getStringAttr(mesh.axes[axis].name)),
                                                b.getNamedAttr("every", b.getI64IntegerAttr(every))}));
  }

  /// Numbers, the loss and the count of its rows, may be reduced in every step; what else is would make replicas wait, or
  /// mix values of their own.
  mlir::LogicalResult checkOthers() {
    for (mlir::Operation &op : body) {
      auto name = op.getAttrOfType<mlir::StringAttr>("axis");
      bool isOurs = mlir::isa<AllReduceOp, AllGatherOp, ReduceScatterOp, AllToAllOp>(op) && name && mesh.find(name) == axis;
      if (!isOurs || heldMeans.contains(&op) ||
          mlir::cast<mlir::RankedTensorType>(op.getResult(0).getType()).getNumElements() <= 1)
        continue;
      return op.emitError() << "replicas over axis '" << mesh.axes[axis].name << "' exchange " << op.getResult(0).getType()
                            << " in every step: only gradients can wait; choose a layout that splits nothing but the "
                               "batch over it";
    }
    return mlir::success();
  }
};

struct SynchronizeReplicas : impl::SynchronizeReplicasBase<SynchronizeReplicas> {
  using Base::Base;
  void runOnOperation() override {
    mlir::func::FuncOp function = mainFunction(getOperation());
    if (!function)
      return signalPassFailure();
    Mesh mesh = meshOf(getOperation());
    mlir::FailureOr<AxisId> id = axisNamed(getOperation(), mesh, axis);
    if (failed(id))
      return signalPassFailure();
    if (mesh.axes[*id].size > 1 && failed(Synchronizer(function, mesh, *id, every).run()))
      signalPassFailure();
  }
};
} // namespace
} // namespace llmpar
