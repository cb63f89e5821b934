//===- InsertReshards.cpp - Make every change of sharding an op -------------===//
#include "llmpar/Partition/Passes.h"
#include <map>

namespace llmpar {
#define GEN_PASS_DEF_INSERTRESHARDS
#include "llmpar/Partition/Passes.h.inc"

namespace {

class ReshardInserter {
public:
  explicit ReshardInserter(const Mesh &mesh) : mesh(mesh) {}

  void run(mlir::func::FuncOp function) {
    for (mlir::BlockArgument argument : function.getArguments())
      adoptUsersSharding(function, argument);
    for (mlir::Operation &op : llvm::make_early_inc_range(function.getBody().front())) {
      if (mlir::isa<ReshardOp>(op))
        continue;
      llvm::SmallVector<Sharding> wanted = inShardings(&op, mesh);
      auto rest = op.getAttrOfType<mlir::ArrayAttr>(LlmparDialect::kRestShardings);
      for (auto [operand, want] : llvm::zip(op.getOpOperands(), wanted)) {
        Sharding have = shardingOf(operand.get(), mesh);
        if (have == want)
          continue;
        bool rests = rest && fromAttr(mlir::cast<ShardingAttr>(rest[operand.getOperandNumber()]), mesh) != want;
        operand.set(rests ? gather(&op, operand.get(), want) : reshard(&op, operand.get(), want));
      }
      op.removeAttr(LlmparDialect::kRestShardings); // done with
    }
  }

private:
  const Mesh &mesh;
  std::map<std::pair<void *, std::string>, mlir::Value> cache;
  int64_t uses = 0; ///< of weights, gathered each for itself

  /// The shardings that users want of a value, each once.
  llvm::SmallVector<Sharding> targets(mlir::Value value) {
    llvm::SmallVector<Sharding> result;
    for (mlir::OpOperand &use : value.getUses()) {
      llvm::SmallVector<Sharding> wanted = inShardings(use.getOwner(), mesh);
      if (auto other = mlir::dyn_cast<ReshardOp>(use.getOwner())) // of users that have got it
        wanted = {shardingOf(other.getResult(), mesh)};
      if (use.getOperandNumber() < wanted.size() && !llvm::is_contained(result, wanted[use.getOperandNumber()]))
        result.push_back(wanted[use.getOperandNumber()]);
    }
    return result;
  }

  /// An input that nobody has placed and all users want alike (a key cache) arrives sharded.
  void adoptUsersSharding(mlir::func::FuncOp function, mlir::BlockArgument argument) {
    if (function.getArgAttr(argument.getArgNumber(), LlmparDialect::kOutShardings))
      return;
    llvm::SmallVector<Sharding> wanted = targets(argument);
    setSharding(argument, wanted.size() == 1 ? wanted[0] : shardingOf(argument, mesh), mesh);
  }

  mlir::Value reshard(mlir::Operation *user, mlir::Value value, const Sharding &want) {
    Sharding have = shardingOf(value, mesh);
    if (have == want)
      return value;
    // Several users of a partial sum share one reduction; a single one may take a reduce-scatter.
    if (!have.partial.empty() && targets(value).size() > 1) {
      Sharding reduced = have;
      reduced.partial.clear();
      if (reduced != want)
        return reshard(user, reshard(user, value, reduced), want);
    }
    std::string key;
    llvm::raw_string_ostream(key) << toAttr(want, mesh, value.getContext());
    mlir::Value &cached = cache[{value.getAsOpaquePointer(), key}];
    if (cached)
      return cached;
    mlir::OpBuilder builder(user);
    if (!have.partial.empty()) // reduced it may be smaller, and other work hides the time
      builder.setInsertionPointAfterValue(value);
    return cached = create(builder, value, have, want).getResult();
  }

  ReshardOp create(mlir::OpBuilder &builder, mlir::Value value, const Sharding &have, const Sharding &want) {
    auto op = ReshardOp::create(builder, value.getLoc(), value.getType(), value);
    setInShardings(op, {have}, mesh);
    setSharding(op.getResult(), want, mesh);
    return op;
  }

  /// For one use of a weight.
  mlir::Value gather(mlir::Operation *user, mlir::Value weight, const Sharding &want) {
    mlir::OpBuilder builder(user);
    ReshardOp op = create(builder, weight, shardingOf(weight, mesh), want);
    op->setAttr(useAttribute, builder.getI64IntegerAttr(uses++));
    return op.getResult();
  }
};

struct InsertReshards : impl::InsertReshardsBase<InsertReshards> {
  using Base::Base;
  void runOnOperation() override {
    mlir::func::FuncOp function = mainFunction(getOperation());
    if (!function)
      return signalPassFailure();
    Mesh mesh = meshOf(getOperation());
    ReshardInserter(mesh).run(function);
  }
};
} // namespace
} // namespace llmpar
