//===- ShardOptimizer.cpp - Each replica steps a part of the parameters -----===//
//
// ZeRO (Rajbhandari et al., SC'20), stages 1 and 2: gradients are reduced and scattered, every rank of the axis steps
// its part, with its part of the optimizer's states, and the new parameters are gathered.
//
//   %0:3 = adam %w, %g, %m, %v   all [-, tp]      ->      all [dp, tp]; InsertReshards does the rest
//
// Stage 3: parameters rest in these parts too, and each op that reads one gathers it for itself (`llmpar.rest`).
//
// Of a parameter that is read through a narrow copy (Dialect/MasterWeights.h) nobody needs the whole master, in any
// stage: the copy is made in parts, and gathered.
//
//===----------------------------------------------------------------------===//
#include "llmpar/Dialect/MasterWeights.h"
#include "llmpar/Partition/Passes.h"
#include "llvm/ADT/StringSet.h"

namespace llmpar {
#define GEN_PASS_DEF_SHARDOPTIMIZER
#include "llmpar/Partition/Passes.h.inc"

namespace {

/// `sharding` split over one more axis, along its largest shard; the same if every dimension is too short.
Sharding withAxis(Sharding sharding, llvm::ArrayRef<int64_t> shape, AxisId axis, const Mesh &mesh) {
  Shape local = localShape(sharding, shape, mesh);
  auto largest = std::max_element(local.begin(), local.end());
  if (largest == local.end() || *largest < mesh.axes[axis].size)
    return sharding;
  sharding.dims[largest - local.begin()].axes.push_back(axis);
  normalize(sharding, shape, mesh);
  return sharding;
}

/// The squares of the gradient, of which clipping needs the sum, are computed in parts too.
void shardSquares(mlir::Value gradient, const Sharding &parts, const Mesh &mesh) {
  for (mlir::Operation *square : gradient.getUsers()) {
    if (!mlir::isa<BinaryOp>(square) || square->getOperand(0) != gradient || square->getOperand(1) != gradient)
      continue;
    if (!llvm::all_of(square->getUsers(), [](mlir::Operation *user) {
          auto sum = mlir::dyn_cast<ReduceOp>(user);
          return sum && sum.getKind() == "sum" && mlir::cast<mlir::RankedTensorType>(sum.getType()).getRank() == 0;
        }))
      continue;
    setInShardings(square, {parts, parts}, mesh);
    setSharding(square->getResult(0), parts, mesh);
    Sharding sum;
    for (AxisId axis = 0; axis < static_cast<AxisId>(mesh.axes.size()); ++axis)
      if (parts.dimOfAxis(axis) >= 0)
        sum.partial.push_back({axis, FactorKind::Sum});
    for (mlir::Operation *user : square->getUsers()) {
      setInShardings(user, {parts}, mesh);
      setSharding(user->getResult(0), sum, mesh);
    }
  }
}

bool isStep(mlir::Operation *op) { return mlir::isa<AdamOp, SgdOp>(op); }

/// Whether `op` chooses between a state's new value and its old one: the step is skipped where gradients overflow.
bool isChoice(mlir::Operation *op, mlir::Operation *step) {
  auto select = mlir::dyn_cast<SelectOp>(op);
  return select && select.getA().getDefiningOp() == step;
}

/// All loads of a weight: propagation has made one for each sharding.
llvm::SmallVector<LoadWeightOp> loadsOf(LoadWeightOp load) {
  auto loads = llvm::to_vector(load->getBlock()->getOps<LoadWeightOp>());
  llvm::erase_if(loads, [&](LoadWeightOp other) { return other.getWeight() != load.getWeight(); });
  return loads;
}

/// The parameter of an optimizer's op that rests in parts. Not a vector: to gather it costs a latency and saves
/// nothing.
LoadWeightOp splitParameter(mlir::Operation *step) {
  auto load = step->getOperand(0).getDefiningOp<LoadWeightOp>();
  bool isSplit = load && mlir::cast<mlir::RankedTensorType>(load.getType()).getRank() >= 2;
  return isSplit ? load : LoadWeightOp();
}

/// What is computed from such parameters alone (a transposed one) is computed for each of its users, so that it does
/// not live from the forward to the backward.
void computeForEachUser(mlir::Block &body) {
  llvm::StringSet<> names;
  for (mlir::Operation &op : body)
    if (isStep(&op))
      if (LoadWeightOp load = splitParameter(&op))
        names.insert(load.getWeight());
  llvm::DenseSet<mlir::Operation *> sources;
  llvm::SmallVector<mlir::Operation *> derived;
  for (mlir::Operation &op : body) {
    auto load = mlir::dyn_cast<LoadWeightOp>(op);
    bool isCopy = isNarrowCopy(&op) && sources.contains(op.getOperand(0).getDefiningOp());
    bool isDerived = !isCopy && op.getNumOperands() > 0 && llvm::all_of(op.getOperands(), [&](mlir::Value operand) {
      return operand.getDefiningOp() && sources.contains(operand.getDefiningOp());
    });
    if (isDerived)
      derived.push_back(&op);
    if (isDerived || isCopy || (load && names.contains(load.getWeight())))
      sources.insert(&op);
  }
  for (mlir::Operation *op : llvm::reverse(derived)) {
    for (mlir::OpOperand &use : llvm::make_early_inc_range(op->getUses())) {
      mlir::OpBuilder builder(use.getOwner());
      use.set(builder.clone(*op)->getResult(mlir::cast<mlir::OpResult>(use.get()).getResultNumber()));
    }
    op->erase();
  }
}

/// Every op that reads a value which rests in `parts`, a weight or its narrow copy, gathers it for itself.
void gatherForEachUser(mlir::Value value, mlir::Operation *step, const Sharding &parts, const Mesh &mesh) {
  auto rests = [](mlir::Value operand) {
    mlir::Operation *op = operand.getDefiningOp();
    return op && (mlir::isa<LoadWeightOp>(op) || isNarrowCopy(op));
  };
  for (mlir::Operation *user : value.getUsers()) {
    if (user == step || isChoice(user, step))
      continue;
    if (isNarrowCopy(user)) {
      gatherForEachUser(user->getResult(0), step, parts, mesh);
      continue;
    }
    llvm::SmallVector<mlir::Attribute> rest;
    for (auto [operand, want] : llvm::zip(user->getOperands(), inShardings(user, mesh)))
      rest.push_back(toAttr(rests(operand) ? shardingOf(operand, mesh) : want, mesh, step->getContext()));
    user->setAttr(LlmparDialect::kRestShardings, mlir::ArrayAttr::get(step->getContext(), rest));
  }
}

/// A state of the step rests in parts, and so do its narrow copies.
void shardState(LoadWeightOp state, const Sharding &parts, const Mesh &mesh) {
  for (LoadWeightOp load : loadsOf(state)) {
    setSharding(load.getResult(), parts, mesh);
    for (mlir::Operation *user : load->getUsers())
      if (isNarrowCopy(user)) {
        setInShardings(user, {parts}, mesh);
        setSharding(user->getResult(0), parts, mesh);
      }
  }
}

/// Whether the step, and copies that may be made of parts, are all that reads a state.
bool isReadInParts(LoadWeightOp state, mlir::Operation *step) {
  return llvm::all_of(loadsOf(state), [&](LoadWeightOp load) {
    return llvm::all_of(load->getUsers(), [&](mlir::Operation *user) {
      return user == step || isChoice(user, step) || isNarrowCopy(user);
    });
  });
}

void shardStep(mlir::Operation *step, AxisId axis, bool alsoParameters, const Mesh &mesh) {
  mlir::Value result = step->getResult(0);
  auto shape = mlir::cast<mlir::RankedTensorType>(result.getType()).getShape();
  Sharding before = shardingOf(result, mesh);
  bool isUsed = llvm::any_of(before.dims, [&](const DimSharding &dim) { return llvm::is_contained(dim.axes, axis); });
  Sharding after = isUsed ? before : withAxis(before, shape, axis, mesh);
  llvm::SmallVector<Sharding> wanted = inShardings(step, mesh);
  for (auto [operand, want] : llvm::zip(step->getOperands(), wanted))
    if (operand.getType() == result.getType())
      want = after;
  setInShardings(step, wanted, mesh);
  for (mlir::Value value : step->getResults())
    setSharding(value, after, mesh);
  for (mlir::Value value : step->getResults())
    for (mlir::Operation *user : value.getUsers())
      if (isChoice(user, step)) {
        setInShardings(user, {inShardings(user, mesh)[0], after, after}, mesh);
        setSharding(user->getResult(0), after, mesh);
      }
  LoadWeightOp split = alsoParameters ? splitParameter(step) : LoadWeightOp();
  for (mlir::Value operand : step->getOperands())
    if (auto load = operand.getDefiningOp<LoadWeightOp>(); load && operand.getType() == result.getType())
      if (load == split || isReadInParts(load, step))
        shardState(load, after, mesh);
  shardSquares(step->getOperand(1), after, mesh);
  if (split)
    for (LoadWeightOp load : loadsOf(split))
      gatherForEachUser(load.getResult(), step, after, mesh);
}

struct ShardOptimizer : impl::ShardOptimizerBase<ShardOptimizer> {
  using Base::Base;
  void runOnOperation() override {
    mlir::func::FuncOp function = mainFunction(getOperation());
    if (!function)
      return signalPassFailure();
    Mesh mesh = meshOf(getOperation());
    mlir::FailureOr<AxisId> id = axisNamed(getOperation(), mesh, axis);
    if (failed(id))
      return signalPassFailure();
    if (parameters)
      computeForEachUser(function.getBody().front());
    for (mlir::Operation &op : function.getBody().front())
      if (isStep(&op))
        shardStep(&op, *id, parameters, mesh);
  }
};
} // namespace
} // namespace llmpar
