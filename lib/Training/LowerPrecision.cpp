//===- LowerPrecision.cpp - An f32 graph in bf16 or f16 ---------------------===//
//
//   %w = load_weight @w : 6x10xf32               %w = load_weight @w : 6x10xf32
//   %0 = matmul %x, %w : 2x10xf32         ->     %1 = cast %x : bf16 ; %2 = cast %w : bf16
//   %3 = unary "exp" %0                          %0 = matmul %1, %2 : 2x10xbf16
//                                                %4 = cast %0 : f32 ; %3 = unary "exp" %4 : f32
//
//===----------------------------------------------------------------------===//
#include "MasterWeights.h"
#include "llmpar/Dialect/OpWriter.h"
#include "llmpar/Training/Passes.h"
#include "llvm/ADT/DenseSet.h"

using namespace mlir;

namespace llmpar {
#define GEN_PASS_DEF_LOWERPRECISION
#include "llmpar/Training/Passes.h.inc"

namespace {

Type elementOf(Value value) { return tensorType(value).getElementType(); }

/// Overflows, or loses digits that matter, where its result is rounded to 8 or 11 bits.
bool needsFloat(Operation *op) {
  if (auto unary = dyn_cast<UnaryOp>(op))
    return llvm::is_contained({"exp", "log", "sqrt", "rsqrt", "reciprocal"}, unary.getKind());
  if (auto binary = dyn_cast<BinaryOp>(op))
    return binary.getKind() == "pow";
  if (auto reduce = dyn_cast<ReduceOp>(op))
    return reduce.getKind() == "sum" || reduce.getKind() == "prod";
  return isa<CumsumOp>(op);
}

/// Computes in f32 inside, so that it takes operands in the lower type even if they come in f32.
bool sumsInFloat(Operation *op) {
  return isa<MatmulOp, AttentionOp, ExpertsOp, ConvOp, LayerNormOp, RmsNormOp, RotaryOp>(op);
}

/// Adds or chooses numbers that may be as large as the type has them, as masks do.
bool takesMasks(Operation *op) {
  auto binary = dyn_cast<BinaryOp>(op);
  return isa<SelectOp>(op) || (binary && llvm::is_contained({"add", "sub", "min", "max"}, binary.getKind()));
}

/// A mask of attention, or angles: may be in f32 where the rest is in the lower type.
bool mayStayWide(OpOperand &operand) {
  Operation *op = operand.getOwner();
  return isa<AttentionOp>(op) ? operand.getOperandNumber() >= 3 : isa<RotaryOp>(op) && operand.getOperandNumber() >= 1;
}

class PrecisionLowerer {
public:
  PrecisionLowerer(func::FuncOp function, FloatType narrow)
      : function(function), narrow(narrow), wide(Float32Type::get(function.getContext())) {}

  void run() {
    for (Operation &op : llvm::make_early_inc_range(function.getBody().front())) {
      auto load = dyn_cast<LoadWeightOp>(op);
      bool reads = llvm::any_of(op.getOperands(), [&](Value operand) { return learnt.contains(operand); });
      if (load ? isa<FloatType>(elementOf(load)) && !isTable(load.getWeight()) : reads)
        insertFloats(learnt, &op);
      if (load && learnt.contains(load) && elementOf(load) == wide)
        lowered.insert(load);
      if (llvm::any_of(op.getOperands(), [&](Value operand) { return lowered.contains(operand); }))
        lower(&op);
    }
  }

private:
  func::FuncOp function;
  FloatType narrow;
  Type wide;
  llvm::DenseSet<Value> learnt;  ///< floats that depend on weights
  llvm::DenseSet<Value> lowered; ///< those that were f32 and depend on f32 weights, in either type now

  static void insertFloats(llvm::DenseSet<Value> &set, Operation *op) {
    for (Value result : op->getResults())
      if (isa<FloatType>(elementOf(result)))
        set.insert(result);
  }

  /// In f32 on purpose: not a weight, of which there is a narrow copy.
  bool isWide(Value value) const {
    return lowered.contains(value) && elementOf(value) == wide && !value.getDefiningOp<LoadWeightOp>();
  }

  void lower(Operation *op) {
    if (isa<CastOp>(op)) // to another type, from whatever its operand has now
      return;
    if (isa<func::ReturnOp>(op)) {
      for (auto [operand, type] : llvm::zip(op->getOpOperands(), function.getResultTypes()))
        if (lowered.contains(operand.get()))
          operand.set(cast(operand, getElementTypeOrSelf(type)));
      return;
    }
    bool hasWide = llvm::any_of(op->getOperands(), [&](Value operand) { return isWide(operand); });
    if (needsFloat(op) || (hasWide && !sumsInFloat(op)))
      return computeWide(op, /*isNarrowAgain=*/!needsFloat(op));
    for (OpOperand &operand : op->getOpOperands())
      if (elementOf(operand.get()) == wide && !mayStayWide(operand))
        operand.set(cast(operand, narrow));
    for (Value result : op->getResults())
      if (elementOf(result) == wide && !(isa<AttentionOp>(op) && result == op->getResult(1))) {
        result.setType(tensorType(result).clone(narrow));
        lowered.insert(result);
      }
  }

  /// All operands in f32. If one came in the lower type, the result goes on in it.
  void computeWide(Operation *op, bool isNarrowAgain) {
    bool hasNarrow = false;
    for (OpOperand &operand : op->getOpOperands())
      if (lowered.contains(operand.get()) && elementOf(operand.get()) == narrow) {
        operand.set(cast(operand, wide));
        hasNarrow = true;
      }
    for (Value result : op->getResults()) {
      if (elementOf(result) != wide)
        continue;
      lowered.insert(result);
      if (!hasNarrow || !isNarrowAgain)
        continue;
      OpBuilder builder(op->getContext());
      builder.setInsertionPointAfter(op);
      Value again = OpWriter{builder, op->getLoc()}.cast(result, narrow);
      result.replaceAllUsesExcept(again, again.getDefiningOp());
      lowered.insert(again);
      learnt.insert(again);
    }
  }

  /// The operand in another type, for this use alone: gradients of weights are summed in f32.
  Value cast(OpOperand &operand, Type type) {
    OpBuilder builder(operand.getOwner());
    Value value = operand.get();
    OpWriter write{builder, value.getLoc()};
    if (type == narrow && !learnt.contains(value) && takesMasks(operand.getOwner()))
      value = withinRange(write, value);
    return write.cast(value, type);
  }

  Value withinRange(OpWriter &write, Value value) {
    double largest = llvm::APFloat::getLargest(narrow.getFloatSemantics()).convertToDouble();
    auto constant = value.getDefiningOp<ConstantOp>();
    auto elements = constant ? dyn_cast<DenseFPElementsAttr>(constant.getValue()) : DenseFPElementsAttr();
    if (elements && llvm::all_of(elements, [&](const llvm::APFloat &x) { return abs(x).convertToDouble() <= largest; }))
      return value;
    return write.binary("max", write.binary("min", value, write.scalar(largest, value)), write.scalar(-largest, value));
  }
};

struct LowerPrecision : impl::LowerPrecisionBase<LowerPrecision> {
  using Base::Base;
  void runOnOperation() override {
    auto function = getOperation().lookupSymbol<func::FuncOp>("main");
    if (!function || !function.getBody().hasOneBlock()) {
      getOperation().emitError("lower precision needs a function @main of one block");
      return signalPassFailure();
    }
    OpBuilder builder(&getContext());
    FloatType narrow = type == "bf16" ? FloatType(builder.getBF16Type()) : FloatType(builder.getF16Type());
    if (type != "bf16" && type != "f16") {
      getOperation().emitError() << "type '" << type << "' is unknown: choose bf16, f16";
      return signalPassFailure();
    }
    bool hasWeights = false;
    for (auto load : function.getBody().front().getOps<LoadWeightOp>()) {
      Type element = elementOf(load);
      hasWeights |= element.isF32() || element == narrow;
      if (!isNarrowFloat(element) || element == narrow)
        continue;
      load.emitOpError() << "of type " << load.getType() << ": the model does not compute in " << type
                         << ", but in a type that is as narrow; export it in float32";
      return signalPassFailure();
    }
    if (!hasWeights) {
      function.emitError() << "has no weights in f32 or " << type << ": there is nothing to compute in " << type;
      return signalPassFailure();
    }
    PrecisionLowerer(function, narrow).run();
  }
};

} // namespace
} // namespace llmpar
