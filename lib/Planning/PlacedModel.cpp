//===- PlacedModel.cpp - Where tensors that have a name lie -----------------===//
#include "llmpar/Planning/ExportPlan.h"
#include "llmpar/Planning/PlanDocument.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FormatVariadic.h"

using namespace mlir;

namespace llmpar {
namespace {

Shape shapeOf(Value value) { return Shape(cast<RankedTensorType>(value.getType()).getShape()); }

std::string text(const Sharding &sharding, const Mesh &mesh) {
  return "[" + llvm::join(wordsOf(sharding, mesh), ", ") + "]";
}

class Placer {
public:
  Placer(func::FuncOp function, PlacedModel &model) : function(function), model(model), mesh(model.mesh) {}

  llvm::Error run() {
    addNamed(function.getArguments(), true);
    for (Operation &op : function.getBody().front()) {
      if (isa<func::ReturnOp>(op)) {
        addNamed(op.getOperands(), false);
        continue;
      }
      if (!isa<FactorOpInterface>(&op))
        continue;
      if (!op.hasAttr(LlmparDialect::kOutShardings) || !op.hasAttr(LlmparDialect::kInShardings))
        return llvm::createStringError(
            llvm::formatv("'{0}' of node '{1}' has no sharding: run llmpar-propagate-shardings first", op.getName(),
                          nodeNameOf(&op))
                .str());
      if (auto load = dyn_cast<LoadWeightOp>(op))
        loads[load.getWeight().str()].push_back(shardingOf(load, mesh));
      // A weight, or what is computed from weights alone.
      if (llvm::all_of(op.getOperands(), [&](Value v) { return static_.contains(v); }))
        static_.insert(op.result_begin(), op.result_end());
      else
        addUses(op);
    }
    for (auto &[name, shardings] : loads)
      addWeight(name, shardings);
    return llvm::Error::success();
  }

private:
  func::FuncOp function;
  PlacedModel &model;
  const Mesh &mesh;
  llvm::DenseSet<Value> static_; ///< depend on no input
  llvm::MapVector<std::string, llvm::SmallVector<Sharding>, std::map<std::string, unsigned>> loads;

  Sharding inSharding(OpOperand &operand) const {
    auto all = operand.getOwner()->getAttrOfType<ArrayAttr>(LlmparDialect::kInShardings);
    return fromAttr(cast<ShardingAttr>(all[operand.getOperandNumber()]), mesh);
  }

  void addNamed(ValueRange values, bool areInputs) {
    for (auto [index, value] : llvm::enumerate(values)) {
      auto number = static_cast<unsigned>(index);
      auto name = areInputs ? function.getArgAttrOfType<StringAttr>(number, LlmparDialect::kName)
                            : function.getResultAttrOfType<StringAttr>(number, LlmparDialect::kName);
      Sharding sharding = shardingOf(value, mesh);
      sharding.partial.clear(); // the caller gets sums
      (areInputs ? model.inputs : model.outputs)
          .push_back({name ? name.str() : (areInputs ? "input_" : "output_") + std::to_string(index), shapeOf(value),
                      sharding});
    }
  }

  void addWeight(const std::string &name, ArrayRef<Sharding> shardings) {
    auto weight = cast<ModuleOp>(function->getParentOp()).lookupSymbol<WeightOp>(name);
    model.weights.push_back({name, Shape(cast<RankedTensorType>(weight.getType()).getShape()), shardings.front(),
                             static_cast<int64_t>(weight.getSources().size())});
    for (const Sharding &other : llvm::drop_begin(shardings))
      if (other != shardings.front())
        model.lost.push_back({name, "is used as " + text(shardings.front(), mesh) + " and as " + text(other, mesh) +
                                        ": only the first is exported"});
  }

  /// The weights that a value is computed from.
  static llvm::SmallSetVector<LoadWeightOp, 2> weightsOf(Value value) {
    llvm::SmallSetVector<LoadWeightOp, 2> weights;
    llvm::SmallSetVector<Operation *, 4> ops;
    ops.insert(value.getDefiningOp());
    for (size_t i = 0; i < ops.size(); ++i) {
      if (auto load = dyn_cast<LoadWeightOp>(ops[i]))
        weights.insert(load);
      for (Value operand : ops[i]->getOperands())
        ops.insert(operand.getDefiningOp());
    }
    return weights;
  }

  void addUses(Operation &op) {
    auto layer = isa<LayerNormOp, RmsNormOp>(op) ? shardingOf(op.getResult(0), mesh) : Sharding();
    if (layer.dims.size() == 3)
      for (AxisId axis : layer.dims[1].axes)
        if (!llvm::is_contained(model.sequenceAxes, axis))
          model.sequenceAxes.push_back(axis);
    for (OpOperand &operand : op.getOpOperands()) {
      if (!static_.contains(operand.get()))
        continue;
      WeightUse use = describe(op, operand);
      for (LoadWeightOp load : weightsOf(operand.get())) {
        use.weight = load.getWeight().str();
        model.uses.push_back(use);
        notePart(load, operand);
      }
    }
  }

  /// A weight whose parts are split although it is not.
  void notePart(LoadWeightOp load, OpOperand &operand) {
    Sharding used = inSharding(operand), rests = shardingOf(load, mesh);
    if (!rests.isReplicated() || used.isReplicated())
      return;
    Loss loss{load.getWeight().str(), "is whole, though what is computed from it is used as " + text(used, mesh)};
    if (!llvm::is_contained(model.lost, loss))
      model.lost.push_back(std::move(loss));
  }

  WeightUse describe(Operation &op, OpOperand &operand) {
    WeightUse use;
    FactorRule rule = cast<FactorOpInterface>(&op).getFactorRule();
    Sharding sharding = inSharding(operand);
    use.isProduct = isa<MatmulOp, ExpertsOp>(op);
    use.isNormalization = isa<LayerNormOp, RmsNormOp>(op);
    auto gather = dyn_cast<GatherOp>(op);
    use.isEmbedding = gather && operand.getOperandNumber() == 0;
    if (use.isEmbedding)
      use.rows = shapeOf(operand.get())[gather.getAxis()];
    for (auto [dim, split] : llvm::enumerate(sharding.dims)) {
      if (split.axes.empty())
        continue;
      bool isMixed = !use.axes.empty();
      use.axes.append(split.axes.begin(), split.axes.end());
      int factor = rule.operands[operand.getOperandNumber()][dim].front();
      use.split = isMixed ? WeightSplit::Other : splitOf(use, rule, factor, static_cast<int64_t>(dim), op);
    }
    if (isa<MatmulOp>(op))
      use.inputAxes = resharded(op.getOpOperand(1 - operand.getOperandNumber()));
    return use;
  }

  static WeightSplit splitOf(const WeightUse &use, const FactorRule &rule, int factor, int64_t dim, Operation &op) {
    if (use.isEmbedding)
      return dim == static_cast<int64_t>(cast<GatherOp>(op).getAxis()) ? WeightSplit::Vocabulary : WeightSplit::Other;
    if (!use.isProduct)
      return WeightSplit::Other;
    if (isa<ExpertsOp>(op) && dim == 0)
      return WeightSplit::Expert;
    if (isa<ExpertsOp>(op)) // what is inside of an expert: columns of up and gate, rows of down
      return dim == 1 ? WeightSplit::Column : WeightSplit::Row;
    if (rule.factors[factor].kind == FactorKind::Sum)
      return WeightSplit::Row;
    bool isBatch = FactorRule::dimOf(rule.operands[0], factor) >= 0 && FactorRule::dimOf(rule.operands[1], factor) >= 0;
    return isBatch ? WeightSplit::Expert : WeightSplit::Column;
  }

  /// Axes that split a value as it is computed, in another dimension than the sequence, but not as it is taken.
  llvm::SmallVector<AxisId, 2> resharded(OpOperand &operand) {
    Value value = operand.get();
    while (auto reshard = value.getDefiningOp<ReshardOp>())
      value = reshard.getX();
    Sharding from = shardingOf(value, mesh), to = inSharding(operand);
    llvm::SmallVector<AxisId, 2> axes;
    for (auto [dim, split] : llvm::enumerate(from.dims))
      for (AxisId axis : split.axes)
        if (!to.usesAxis(axis) && !(dim == 1 && from.dims.size() == 3))
          axes.push_back(axis);
    return axes;
  }
};

} // namespace

llvm::Expected<PlacedModel> placedModel(ModuleOp module) {
  auto function = module.lookupSymbol<func::FuncOp>("main");
  if (!function || function.isExternal())
    return llvm::createStringError("no function @main with a body");
  PlacedModel model;
  if (auto name = module->getAttrOfType<StringAttr>(LlmparDialect::kModel))
    model.name = name.str();
  model.mesh = meshOf(module);
  if (llvm::Error error = Placer(function, model).run())
    return error;
  return model;
}

} // namespace llmpar
