//===- DecomposeSplitReductions.cpp - A split softmax or norm by parts ------===//
#include "llmpar/Dialect/Decompositions.h"
#include "llmpar/Partition/Passes.h"
#include "llvm/ADT/SmallVectorExtras.h"

namespace llmpar {
#define GEN_PASS_DEF_DECOMPOSESPLITREDUCTIONS
#include "llmpar/Partition/Passes.h.inc"

namespace {

mlir::RankedTensorType typeOf(mlir::Value value) { return mlir::cast<mlir::RankedTensorType>(value.getType()); }

class Decomposer {
public:
  Decomposer(mlir::Operation *op, const Mesh &mesh) : op(op), mesh(mesh), builder(op) {
    for (auto [value, sharding] : llvm::zip(op->getOperands(), inShardings(op, mesh)))
      outside.try_emplace(value, sharding);
  }

  void run() {
    if (MatmulOp product = productThatCanBeDivided())
      divideBehind(product);
    else
      for (auto [result, value] : llvm::zip(op->getResults(), emit([&] { return decompose(builder, op); })))
        replace(result, value);
    op->erase();
  }

private:
  using Values = llvm::SmallVector<mlir::Value, 2>;
  mlir::Operation *op;
  const Mesh &mesh;
  mlir::OpBuilder builder;
  llvm::DenseMap<mlir::Value, Sharding> outside; ///< the op's operands, as it wants them

  Sharding sharding(mlir::Value value) const {
    auto known = outside.find(value);
    return known == outside.end() ? shardingOf(value, mesh) : known->second;
  }

  /// Every op that `build` inserts gets the shardings that follow from its operands'.
  Values emit(llvm::function_ref<Values()> build) {
    mlir::Operation *before = builder.getInsertionPoint()->getPrevNode();
    Values built = build();
    mlir::Block::iterator first = before ? std::next(before->getIterator()) : builder.getBlock()->begin();
    for (mlir::Operation &added : llvm::make_range(first, builder.getInsertionPoint()))
      follow(&added);
    return built;
  }

  void follow(mlir::Operation *added) {
    FactorRule rule = mlir::cast<FactorOpInterface>(added).getFactorRule();
    llvm::SmallVector<Sharding> have =
        llvm::map_to_vector(added->getOperands(), [&](mlir::Value value) { return sharding(value); });
    FactorShardings factors = followOperands(added, rule, have, mesh);
    llvm::SmallVector<Sharding> wanted;
    for (mlir::OpOperand &operand : added->getOpOperands())
      wanted.push_back(
          operandSharding(rule, operand.getOperandNumber(), typeOf(operand.get()).getShape(), factors, mesh));
    setInShardings(added, wanted, mesh);
    for (mlir::OpResult value : added->getResults())
      setSharding(value, resultSharding(rule, value.getResultNumber(), typeOf(value).getShape(), factors, mesh), mesh);
  }

  /// An index that is still a partial minimum is reduced here: users were told that it is complete.
  void replace(mlir::OpResult result, mlir::Value value) {
    Sharding have = shardingOf(value, mesh), want = shardingOf(result, mesh);
    if (have != want) {
      auto reshard = ReshardOp::create(builder, op->getLoc(), value.getType(), value);
      setInShardings(reshard, {have}, mesh);
      setSharding(reshard.getResult(), want, mesh);
      value = reshard.getResult();
    }
    result.replaceAllUsesWith(value);
  }

  /// The product over a softmax's axis, if both are split alike: what is between them is then one reduction.
  MatmulOp productThatCanBeDivided() const {
    auto softmax = mlir::dyn_cast<SoftmaxOp>(op);
    MatmulOp product = softmax ? productOver(softmax) : MatmulOp();
    if (!product)
      return {};
    mlir::OpResult result = op->getResult(0);
    Sharding have = shardingOf(result, mesh);
    for (mlir::Operation *user = *result.user_begin(); user != product; user = *user->getResult(0).user_begin())
      if (inShardings(user, mesh)[0] != have)
        return {};
    return inShardings(product, mesh)[0] == have ? product : MatmulOp();
  }

  void divideBehind(MatmulOp product) {
    mlir::Value sum;
    replace(op->getResult(0), emit([&]() -> Values {
      UndividedSoftmax parts = exponentiate(builder, mlir::cast<SoftmaxOp>(op));
      sum = parts.sum;
      return {parts.exponentials};
    })[0]);
    builder.setInsertionPointAfter(product);
    mlir::OpResult undivided = product->getResult(0);
    llvm::SmallPtrSet<mlir::Operation *, 4> added;
    mlir::Value quotient = emit([&] { return Values{divide(builder, undivided, sum)}; })[0];
    for (mlir::Operation *at = product->getNextNode(); &*builder.getInsertionPoint() != at; at = at->getNextNode()) {
      added.insert(at);
      keepPartial(at, shardingOf(undivided, mesh));
    }
    undivided.replaceAllUsesExcept(quotient, added);
  }

  /// A cast or quotient of a partial sum is a partial sum of the same shape.
  void keepPartial(mlir::Operation *linear, const Sharding &partial) {
    llvm::SmallVector<Sharding> wanted = inShardings(linear, mesh);
    wanted[0] = partial;
    setInShardings(linear, wanted, mesh);
    setSharding(linear->getResult(0), partial, mesh);
  }
};

struct DecomposeSplitReductions : impl::DecomposeSplitReductionsBase<DecomposeSplitReductions> {
  using Base::Base;
  void runOnOperation() override {
    mlir::func::FuncOp function = mainFunction(getOperation());
    if (!function)
      return signalPassFailure();
    Mesh mesh = meshOf(getOperation());
    for (mlir::Operation &op : llvm::make_early_inc_range(function.getBody().front()))
      if (splitsCombineFactor(&op, inShardings(&op, mesh)))
        Decomposer(&op, mesh).run();
  }
};
} // namespace
} // namespace llmpar
