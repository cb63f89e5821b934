//===- Recompute.cpp - Activations again, where the backward needs them ----===//
//
//   %h = matmul %x, %w                        %h = matmul %x, %w
//   %a = unary "gelu" %h                      %a = unary "gelu" %h
//   %y = matmul %a, %v              ->        %y = matmul %a, %v
//   ...                                       ...
//   %0 = weight_grad %a, %dy                  %b = unary "gelu" %h {llmpar.recompute}
//                                             %0 = weight_grad %b, %dy
//
// What is kept is chosen for each loss (each micro-batch) by itself. All others of its values that later ops read are
// computed again in front of the first that does, from what is kept.
//
//===----------------------------------------------------------------------===//
#include "MinCut.h"
#include "llmpar/Dialect/OpWriter.h"
#include "llmpar/Training/Passes.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

using namespace mlir;

namespace llmpar {
#define GEN_PASS_DEF_RECOMPUTE
#include "llmpar/Training/Passes.h.inc"

namespace {

int64_t bytesOf(Value value) {
  RankedTensorType type = tensorType(value);
  return type.getNumElements() * std::max<int64_t>(1, type.getElementTypeBitWidth() / 8);
}
int64_t bytesOf(Operation *op) {
  int64_t bytes = 0;
  for (Value result : op->getResults())
    bytes += bytesOf(result);
  return isa<ReshapeOp>(op) ? 0 : bytes; // the same bytes as its operand
}

/// The ops of a loss's forward that depend on parameters and on inputs, in order.
struct Forward {
  SmallVector<Operation *> ops;
  llvm::DenseMap<Operation *, int> indexOf;

  bool contains(Value value) const { return value.getDefiningOp() && indexOf.contains(value.getDefiningOp()); }
  int indexOfOp(Value value) const { return indexOf.lookup(value.getDefiningOp()); }
  int size() const { return static_cast<int>(ops.size()); }
  void add(Operation *op) {
    indexOf[op] = size();
    ops.push_back(op);
  }
  bool isRead(Operation *op, bool inside) const {
    return llvm::any_of(op->getUsers(), [&](Operation *user) { return indexOf.contains(user) == inside; });
  }
  /// The last op of the forward that reads a result; one behind all if the loss does.
  int lastRead(Operation *op) const {
    int last = indexOf.lookup(op);
    for (Operation *user : op->getUsers())
      last = std::max(last, isLoss(user) ? size() : indexOf.contains(user) ? indexOf.lookup(user) : -1);
    return last;
  }
};

using Kept = llvm::DenseSet<Operation *>;

//===-- none ----------------------------------------------------------------===//

Operation *withoutReshapes(Operation *op) {
  while (auto reshape = dyn_cast_or_null<ReshapeOp>(op))
    op = reshape.getX().getDefiningOp();
  return op;
}

/// All but copies of what is kept anyway: values that the backward reads in another order of their dimensions, too.
void keepOneOrder(const Forward &forward, Kept &kept) {
  llvm::DenseSet<Operation *> read; // by the backward, as they are or reshaped
  for (Operation *op : forward.ops)
    if (forward.isRead(op, /*inside=*/false))
      read.insert(withoutReshapes(op));
  for (Operation *op : forward.ops) {
    Operation *source = isa<TransposeOp>(op) ? withoutReshapes(op->getOperand(0).getDefiningOp()) : nullptr;
    bool ofCopy =
        isa<ReshapeOp>(op) && forward.contains(op->getOperand(0)) && !kept.contains(op->getOperand(0).getDefiningOp());
    if (!(source && read.contains(source)) && !ofCopy)
      kept.insert(op);
  }
}

//===-- full ----------------------------------------------------------------===//

/// A place behind which only one value of the blocks is read: op `at` is the last in front of it.
struct CutPoint {
  int at;
  Operation *live;
};

/// Values that more than half of the forward is between their op and their last reader belong to no block.
SmallVector<CutPoint> cutPoints(const Forward &forward, Kept &kept) {
  SmallVector<int> live(forward.size() + 1, 0), sum(forward.size() + 1, 0); // their number, and that of their indices
  for (auto [index, op] : llvm::enumerate(forward.ops)) {
    int begin = static_cast<int>(index), end = forward.lastRead(op);
    if (end - begin > forward.size() / 2)
      kept.insert(op);
    else
      for (int at = begin; at < end; ++at) {
        ++live[at];
        sum[at] += begin;
      }
  }
  SmallVector<CutPoint> points;
  for (int at = 0; at < forward.size(); ++at)
    if (live[at] == 1)
      points.push_back({at, forward.ops[sum[at]]});
  return points;
}

/// Blocks end at some of the cut points, so that what is kept and the largest block need least.
void keepBetweenBlocks(const Forward &forward, Kept &kept) {
  SmallVector<CutPoint> points = cutPoints(forward, kept);
  SmallVector<int64_t> before{0}; // bytes that the backward reads of the ops in front of each one
  for (Operation *op : forward.ops)
    before.push_back(before.back() + (kept.contains(op) || !forward.isRead(op, /*inside=*/false) ? 0 : bytesOf(op)));
  auto choose = [&](int64_t largest) { // blocks of at most that many bytes, if they can be cut so far
    SmallVector<CutPoint> chosen;
    int begin = 0;
    for (auto [index, point] : llvm::enumerate(points)) {
      bool isLast = index + 1 == points.size();
      if (!isLast && before[points[index + 1].at] - before[begin] <= largest)
        continue;
      chosen.push_back(point);
      begin = point.at + 1;
    }
    return chosen;
  };
  SmallVector<CutPoint> best;
  int64_t least = INT64_MAX;
  for (size_t count = 1; count <= points.size(); ++count) {
    SmallVector<CutPoint> chosen = choose(before.back() / static_cast<int64_t>(count));
    int64_t keeps = 0, largest = 0;
    int begin = 0;
    for (const CutPoint &point : chosen) {
      keeps += bytesOf(point.live->getResult(0));
      largest = std::max(largest, before[point.at] - before[begin]);
      begin = point.at + 1;
    }
    if (keeps + largest < least) {
      least = keeps + largest;
      best = chosen;
    }
  }
  for (const CutPoint &point : best)
    kept.insert(point.live);
  // Behind the last one the backward begins: nothing ends that could be computed again.
  for (int index = best.empty() ? 0 : best.back().at + 1; index < forward.size(); ++index)
    kept.insert(forward.ops[index]);
}

//===-- selective -------------------------------------------------------------===//

/// Longest contraction of a product that is computed again: the features of a head. A product of activations over
/// a whole sequence, or with a weight, costs too much.
constexpr int64_t longestContraction = 256;

bool isCheap(Operation *op, const Forward &forward) {
  if (auto matmul = dyn_cast<MatmulOp>(op)) {
    ArrayRef<int64_t> a = tensorType(matmul.getA()).getShape();
    return forward.contains(matmul.getA()) && forward.contains(matmul.getB()) &&
           a[a.size() - (matmul.getTransposeA() ? 2 : 1)] <= longestContraction;
  }
  return isa<UnaryOp, BinaryOp, SelectOp, CastOp, SoftmaxOp, LayerNormOp, RmsNormOp, RotaryOp, ReduceOp, ReshapeOp,
             TransposeOp, BroadcastOp, SliceOp, ConcatOp, PadOp>(op);
}

void keepFewestBytes(const Forward &forward, Kept &kept) {
  NodeCut cut(forward.size());
  for (auto [index, op] : llvm::enumerate(forward.ops)) {
    int node = static_cast<int>(index);
    int64_t bytes = 0; // a reshape may be kept as well as its operand
    for (Value result : op->getResults())
      bytes += bytesOf(result);
    cut.setWeight(node, bytes);
    if (forward.isRead(op, /*inside=*/false))
      cut.connectSink(node);
    if (!isCheap(op, forward))
      cut.connectSource(node);
    else
      for (Value operand : op->getOperands())
        if (forward.contains(operand))
          cut.addEdge(forward.indexOfOp(operand), node);
  }
  for (int node : cut.solve())
    kept.insert(forward.ops[node]);
}

//===-- The pass ----------------------------------------------------------------===//

struct Recompute : impl::RecomputeBase<Recompute> {
  using Base::Base;
  void runOnOperation() override {
    auto function = getOperation().lookupSymbol<func::FuncOp>("main");
    if (!llvm::is_contained({"none", "selective", "full"}, granularity.getValue())) {
      getOperation().emitError() << "granularity '" << granularity << "' is unknown: choose none, selective, full";
      return signalPassFailure();
    }
    if (!function || llvm::none_of(function.getBody().front(), [](Operation &op) { return isLoss(&op); })) {
      getOperation().emitError("recomputation needs a training step: run llmpar-build-training-step first");
      return signalPassFailure();
    }
    Block &body = function.getBody().front();
    findActivations(body);
    SmallVector<Operation *> losses; // first: a run adds ops
    for (Operation &op : body)
      if (isLoss(&op))
        losses.push_back(&op);
    for (Operation *loss : losses)
      run(loss);
  }

private:
  llvm::DenseSet<Operation *> activations; ///< ops that depend on parameters and on inputs
  llvm::DenseSet<Operation *> taken;       ///< of an earlier loss too

  void findActivations(Block &body) {
    llvm::DenseSet<Value> parameters, inputs;
    inputs.insert(body.args_begin(), body.args_end());
    SymbolTable symbols(getOperation());
    for (Operation &op : body) {
      auto load = dyn_cast<LoadWeightOp>(op);
      bool isParameter = load && symbols.lookup(load.getWeight())->hasAttr(LlmparDialect::kMutable);
      auto depends = [&](const llvm::DenseSet<Value> &on) {
        return llvm::any_of(op.getOperands(), [&](Value operand) { return on.contains(operand); });
      };
      if (isParameter || depends(parameters))
        parameters.insert(op.result_begin(), op.result_end());
      if (depends(inputs))
        inputs.insert(op.result_begin(), op.result_end());
      if (op.getNumResults() > 0 && parameters.contains(op.getResult(0)) && inputs.contains(op.getResult(0)))
        activations.insert(&op);
    }
  }

  Forward forwardOf(Operation *loss) {
    llvm::DenseSet<Operation *> ancestors;
    SmallVector<Operation *> stack{loss};
    while (!stack.empty())
      for (Value operand : stack.pop_back_val()->getOperands())
        if (Operation *op = operand.getDefiningOp();
            op && activations.contains(op) && !taken.contains(op) && ancestors.insert(op).second)
          stack.push_back(op);
    Forward forward;
    for (Operation &op : *loss->getBlock())
      if (ancestors.contains(&op))
        forward.add(&op);
    taken.insert(ancestors.begin(), ancestors.end());
    return forward;
  }

  void run(Operation *loss) {
    Forward forward = forwardOf(loss);
    Kept kept;
    for (Value operand : loss->getOperands())
      if (forward.contains(operand))
        kept.insert(operand.getDefiningOp());
    if (granularity == "none")
      keepOneOrder(forward, kept);
    else if (granularity == "full")
      keepBetweenBlocks(forward, kept);
    else
      keepFewestBytes(forward, kept);
    IRMapping again;
    for (Operation &op : llvm::make_early_inc_range(*loss->getBlock()))
      if (!forward.indexOf.contains(&op))
        for (OpOperand &operand : op.getOpOperands())
          operand.set(compute(operand.get(), &op, forward, kept, again));
    for (Operation *op : llvm::reverse(forward.ops)) // that the backward alone has read
      if (isOpTriviallyDead(op))
        op->erase();
  }

  /// A value of the forward for `reader`, which is behind it.
  static Value compute(Value value, Operation *reader, const Forward &forward, const Kept &kept, IRMapping &again) {
    Operation *op = value.getDefiningOp();
    if (!forward.contains(value) || kept.contains(op) || again.contains(value))
      return again.lookupOrDefault(value);
    for (Value operand : op->getOperands())
      compute(operand, reader, forward, kept, again);
    OpBuilder builder(reader);
    builder.clone(*op, again)->setAttr(recomputeAttribute, builder.getUnitAttr());
    return again.lookup(value);
  }
};

} // namespace
} // namespace llmpar
