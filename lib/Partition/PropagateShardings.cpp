//===- PropagateShardings.cpp - Decide each op's sharding from its operands -===//
#include "llmpar/Core/FactorSharding.h"
#include "llmpar/Dialect/ShardingUnits.h"
#include "llmpar/Partition/Passes.h"
#include "llvm/ADT/MapVector.h"
#include <map>

namespace llmpar {
#define GEN_PASS_DEF_PROPAGATESHARDINGS
#include "llmpar/Partition/Passes.h.inc"

namespace {

int64_t bytesOf(mlir::Value value) {
  auto type = mlir::cast<mlir::RankedTensorType>(value.getType());
  return std::max<int64_t>(1, type.getNumElements()) * std::max(1u, type.getElementTypeBitWidth() / 8);
}
llvm::ArrayRef<int64_t> shapeOf(mlir::Value value) {
  return mlir::cast<mlir::RankedTensorType>(value.getType()).getShape();
}

/// The most bytes that want a factor sharded in some way.
struct Vote {
  DimSharding sharding;
  double bytes = 0;
};

class Propagator {
public:
  Propagator(const Mesh &mesh, AxisId tensorAxis) : mesh(mesh), tensorAxis(tensorAxis) {}

  void run(mlir::func::FuncOp function) {
    mlir::Operation *ret = function.getBody().front().getTerminator();
    for (mlir::OpOperand &operand : ret->getOpOperands())
      if (auto symbol = function.getResultAttrOfType<mlir::FlatSymbolRefAttr>(operand.getOperandNumber(), LlmparDialect::kNext))
        nextOf[symbol.getValue()] = operand.get();
    // Values of weights and constants alone are free: each user gets them sharded as it likes.
    for (mlir::Operation &op : llvm::make_early_inc_range(function.getBody().front()))
      visit(&op);
    // Free chains whose users took sharded copies.
    for (mlir::Operation &op : llvm::make_early_inc_range(llvm::reverse(function.getBody().front())))
      if (op.use_empty() && op.getNumResults() > 0 && free.contains(op.getResult(0)))
        op.erase();
  }

private:
  const Mesh &mesh;
  AxisId tensorAxis;
  llvm::DenseSet<mlir::Value> free;          ///< depends on no function argument and is not pinned
  llvm::DenseSet<mlir::Value> weightDerived; ///< free, and depends on a weight
  std::map<std::pair<void *, std::string>, mlir::Value> materialized;
  llvm::StringMap<mlir::Value> nextOf; ///< by state, its next value
  RuleCache rules;
  ShardingUnits units{rules};

  void visit(mlir::Operation *op) {
    if (mlir::isa<mlir::func::ReturnOp>(op)) {
      llvm::SmallVector<Sharding> wanted;
      for (mlir::OpOperand &operand : op->getOpOperands()) {
        Sharding sharding = shardingOf(operand.get(), mesh);
        sharding.partial.clear();
        if (free.contains(operand.get()))
          operand.set(materialize(operand.get(), sharding));
        wanted.push_back(sharding);
      }
      setInShardings(op, wanted, mesh);
      return;
    }
    if (!mlir::isa<FactorOpInterface>(op))
      return;
    if (auto load = mlir::dyn_cast<LoadWeightOp>(op))
      keepAsItComes(load);
    bool pinned = op->hasAttr(LlmparDialect::kOutShardings);
    if (!pinned && llvm::all_of(op->getOperands(), [&](mlir::Value v) { return free.contains(v); })) {
      bool fromWeight = mlir::isa<LoadWeightOp>(op) ||
                        llvm::any_of(op->getOperands(), [&](mlir::Value v) { return weightDerived.contains(v); });
      for (mlir::Value result : op->getResults()) {
        free.insert(result);
        if (fromWeight)
          weightDerived.insert(result);
      }
      return;
    }
    const FactorRule &rule = rules.of(op);
    std::optional<FactorShardings> planned = factorShardingsOf(op, rule, mesh);
    apply(op, rule, planned ? *planned : decide(op, rule));
    op->removeAttr(LlmparDialect::kFactors);
  }

  /// A state whose next value is known where it is read (a held gradient) rests as that one comes, but reduced.
  void keepAsItComes(LoadWeightOp load) {
    mlir::Value next = nextOf.lookup(load.getWeight());
    mlir::Operation *source = next ? next.getDefiningOp() : nullptr;
    if (!source || !source->hasAttr(LlmparDialect::kOutShardings) || load->hasAttr(LlmparDialect::kOutShardings))
      return;
    Sharding sharding = shardingOf(next, mesh);
    sharding.partial.clear();
    setSharding(load.getResult(), sharding, mesh);
  }

  /// Adds the wish of one tensor's sharding to the votes of its factors.
  void collectVotes(const FactorRule &rule, const TensorFactors &tensor, const Sharding &sharding, mlir::Value value,
                    llvm::SmallVectorImpl<Vote> &votes) {
    for (auto [dim, dimSharding] : llvm::enumerate(sharding.dims)) {
      if (dimSharding.axes.empty() || tensor[dim].empty() || !rule.isShardable(tensor[dim].front()))
        continue;
      auto exact = factorOfDim(rule, tensor, dim, dimSharding, shapeOf(value)[dim], mesh);
      // A split that cuts minor factors must move anyway; it may still say which axis fits.
      Vote vote{exact.value_or(DimSharding{dimSharding.axes, 1}), bytesOf(value) * (exact ? 1.0 : 0.25)};
      Vote &best = votes[tensor[dim].front()];
      if (vote.bytes > best.bytes)
        best = vote;
    }
  }

  FactorShardings decide(mlir::Operation *op, const FactorRule &rule) {
    llvm::SmallVector<Vote> votes(rule.factors.size());
    for (auto [index, operand] : llvm::enumerate(op->getOperands()))
      if (!free.contains(operand))
        collectVotes(rule, rule.operands[index], shardingOf(operand, mesh), operand, votes);
    if (op->hasAttr(LlmparDialect::kOutShardings))
      for (mlir::OpResult result : op->getResults())
        collectVotes(rule, rule.results[result.getResultNumber()], shardingOf(result, mesh), result, votes);

    // Each axis serves one factor: the one with more bytes behind it.
    llvm::SmallVector<int> order = llvm::to_vector(llvm::seq<int>(rule.factors.size()));
    llvm::sort(order, [&](int a, int b) { return std::pair(-votes[a].bytes, a) < std::pair(-votes[b].bytes, b); });
    llvm::SmallDenseSet<AxisId> used;
    FactorShardings chosen(rule.factors.size());
    for (int factor : order) {
      DimSharding &sharding = votes[factor].sharding;
      auto *end = llvm::find_if(sharding.axes, [&](AxisId axis) { return used.contains(axis); });
      sharding.axes.erase(end, sharding.axes.end());
      used.insert(sharding.axes.begin(), sharding.axes.end());
      if (!sharding.axes.empty())
        chosen[factor] = sharding;
    }
    if (tensorAxis >= 0 && !used.contains(tensorAxis))
      shardWeight(op, rule, chosen);
    return chosen;
  }

  /// Tensor parallelism by rule: a product with a weight whose activation has not used the axis becomes
  /// column-parallel, a convolution shards its output channels, an embedding its vocabulary, experts what is inside. (If the activation's
  /// contraction is already sharded, its vote has made the product row-parallel.)
  void shardWeight(mlir::Operation *op, const FactorRule &rule, FactorShardings &chosen) {
    int factor = -1;
    auto isWeight = [&](unsigned index) { return weightDerived.contains(op->getOperand(index)); };
    if (mlir::isa<MatmulOp>(op) && isWeight(1) && !rule.results[0].back().empty())
      factor = rule.results[0].back().front();
    else if (mlir::isa<ConvOp>(op) && isWeight(1) && !rule.results[0][1].empty())
      factor = rule.results[0][1].front();
    else if (auto gather = mlir::dyn_cast<GatherOp>(op); gather && isWeight(0) && !rule.operands[0][gather.getAxis()].empty())
      factor = rule.operands[0][gather.getAxis()].front();
    else if (mlir::isa<ExpertsOp>(op) && isWeight(2) && !rule.operands[2][1].empty()) // inside of every expert
      factor = rule.operands[2][1].front();
    if (factor < 0 || !rule.isShardable(factor) || !chosen[factor].axes.empty())
      return;
    chosen[factor].axes.push_back(tensorAxis);
    if (int dim = FactorRule::dimOf(rule.results[0], factor); dim >= 0)
      chosen[factor].unit = units.below(op->getResult(0), dim);
  }

  void apply(mlir::Operation *op, const FactorRule &rule, const FactorShardings &chosen) {
    llvm::SmallVector<Sharding> wanted;
    auto rest = op->getAttrOfType<mlir::ArrayAttr>(LlmparDialect::kRestShardings);
    for (mlir::OpOperand &operand : op->getOpOperands()) {
      unsigned index = operand.getOperandNumber();
      wanted.push_back(operandSharding(rule, index, shapeOf(operand.get()), chosen, mesh));
      if (free.contains(operand.get())) // a weight that rests in smaller shards: InsertReshards gathers it
        operand.set(materialize(operand.get(), rest ? fromAttr(mlir::cast<ShardingAttr>(rest[index]), mesh) : wanted.back()));
    }
    setInShardings(op, wanted, mesh);
    bool pinned = op->hasAttr(LlmparDialect::kOutShardings);
    for (mlir::OpResult result : op->getResults()) {
      Sharding pin = shardingOf(result, mesh);
      Sharding natural = resultSharding(rule, result.getResultNumber(), shapeOf(result), chosen, mesh);
      setSharding(result, natural, mesh);
      if (pinned && pin != natural)
        insertPin(result, natural, pin);
    }
  }

  /// A pinned result that the op does not produce by itself is resharded at once.
  void insertPin(mlir::Value result, const Sharding &natural, const Sharding &pin) {
    mlir::OpBuilder builder(result.getContext());
    builder.setInsertionPointAfterValue(result);
    auto reshard = ReshardOp::create(builder, result.getLoc(), result.getType(), result);
    setInShardings(reshard, {natural}, mesh);
    setSharding(reshard.getResult(), pin, mesh);
    result.replaceAllUsesExcept(reshard.getResult(), reshard);
  }

  /// A copy of a free value (with all it depends on) that computes only the shard. Where the rule cannot say that,
  /// the copy is sharded less and InsertReshards slices it.
  mlir::Value materialize(mlir::Value value, const Sharding &wanted) {
    std::string key;
    llvm::raw_string_ostream(key) << toAttr(wanted, mesh, value.getContext());
    auto cached = materialized.find({value.getAsOpaquePointer(), key});
    if (cached != materialized.end())
      return cached->second;
    mlir::Operation *op = value.getDefiningOp();
    const FactorRule &rule = rules.of(op);
    FactorShardings chosen(rule.factors.size());
    unsigned index = mlir::cast<mlir::OpResult>(value).getResultNumber();
    const TensorFactors &tensor = rule.results[index];
    if (!mlir::isa<ConstantOp>(op)) // a constant is small: slice it
      for (auto [dim, sharding] : llvm::enumerate(wanted.dims))
        if (!sharding.axes.empty() && !tensor[dim].empty() && rule.isShardable(tensor[dim].front()) &&
            rule.factors[tensor[dim].front()].kind != FactorKind::Combine) // no collectives before the first step
          if (auto exact = factorOfDim(rule, tensor, dim, sharding, shapeOf(value)[dim], mesh))
            chosen[tensor[dim].front()] = *exact;
    mlir::OpBuilder builder(op->getContext());
    builder.setInsertionPointAfter(op);
    llvm::SmallVector<Sharding> inputs;
    llvm::SmallVector<mlir::Value> operands;
    for (auto [number, operand] : llvm::enumerate(op->getOperands())) {
      inputs.push_back(operandSharding(rule, number, shapeOf(operand), chosen, mesh));
      operands.push_back(materialize(operand, inputs.back()));
    }
    mlir::Operation *copy = builder.clone(*op);
    copy->setOperands(operands);
    setInShardings(copy, inputs, mesh);
    for (mlir::OpResult result : copy->getResults())
      setSharding(result, resultSharding(rule, result.getResultNumber(), shapeOf(result), chosen, mesh), mesh);
    return materialized[{value.getAsOpaquePointer(), key}] = copy->getResult(index);
  }
};

struct PropagateShardings : impl::PropagateShardingsBase<PropagateShardings> {
  using Base::Base;
  void runOnOperation() override {
    mlir::func::FuncOp function = mainFunction(getOperation());
    if (!function)
      return signalPassFailure();
    Mesh mesh = meshOf(getOperation());
    mlir::FailureOr<AxisId> axis = tensorAxis.empty() ? AxisId(-1) : axisNamed(getOperation(), mesh, tensorAxis);
    if (failed(axis))
      return signalPassFailure();
    Propagator(mesh, *axis).run(function);
  }
};
} // namespace
} // namespace llmpar
