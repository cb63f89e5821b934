//===- Decompositions.cpp - Ops as primitive ones ---------------------------===//
#include "llmpar/Dialect/Decompositions.h"

#include "llmpar/Dialect/OpWriter.h"
#include "llvm/ADT/SmallVectorExtras.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace llmpar {
namespace {

RankedTensorType typeOf(Value value) { return tensorType(value); }

/// x in the type that kernels compute in.
Value widen(OpWriter &write, Value x) {
  Type type = typeOf(x).getElementType();
  return type.isF16() || type.isBF16() ? write.cast(x, write.builder.getF32Type()) : x;
}

struct ShiftedSoftmax {
  Value shifted; ///< x - m
  UndividedSoftmax parts;
};
ShiftedSoftmax shiftAndSum(OpWriter &write, SoftmaxOp op) {
  auto axis = static_cast<int64_t>(op.getAxis());
  Value x = widen(write, op.getX());
  Value shifted = write.binary("sub", x, write.reduce("max", x, axis));
  Value exponentials = write.unary("exp", shifted);
  return {shifted, {exponentials, write.reduce("sum", exponentials, axis)}};
}

Value decomposeSoftmax(OpWriter &write, SoftmaxOp op) {
  auto [shifted, parts] = shiftAndSum(write, op);
  Value y = op.getLog() ? write.binary("sub", shifted, write.unary("log", parts.sum))
                        : write.binary("div", parts.exponentials, parts.sum);
  return write.cast(y, typeOf(op.getX()).getElementType());
}

Value decomposeNorm(OpWriter &write, Operation *op, int64_t axis, double epsilon, bool centers) {
  Value x = widen(write, op->getOperand(0));
  RankedTensorType type = typeOf(x);
  auto axes = llvm::to_vector(llvm::seq<int64_t>(axis, type.getRank()));
  int64_t count = 1;
  for (int64_t dim : axes)
    count *= type.getDimSize(dim);
  auto mean = [&](Value value) {
    Value sum = write.reduce("sum", value, axes);
    return write.binary("div", sum, write.scalar(static_cast<double>(count), x));
  };
  Value centered = centers ? write.binary("sub", x, mean(x)) : x;
  Value variance = mean(write.binary("mul", centered, centered));
  Value factor = write.unary("rsqrt", write.binary("add", variance, write.scalar(epsilon, x)));
  Value y = write.binary("mul", centered, factor);
  y = write.binary("mul", y, write.cast(op->getOperand(1), type.getElementType()));
  if (op->getNumOperands() > 2)
    y = write.binary("add", y, write.cast(op->getOperand(2), type.getElementType()));
  return write.cast(y, typeOf(op->getResult(0)).getElementType());
}

/// NaN wins as in the kernel: then no element equals the extreme, and those that are NaN match.
Value decomposeArgReduce(OpWriter &write, ArgReduceOp op) {
  auto axis = static_cast<int64_t>(op.getAxis());
  Value x = op.getX();
  Value matches = write.binary("equal", x, write.reduce(op.getLargest() ? "max" : "min", x, axis));
  if (isa<FloatType>(typeOf(x).getElementType()))
    matches = write.binary("bit_or", matches, write.unary("is_nan", x));
  SmallVector<int64_t> shape(typeOf(x).getRank(), 1);
  shape[axis] = typeOf(x).getDimSize(axis);
  OpBuilder &builder = write.builder;
  Value index = IotaOp::create(builder, write.loc, RankedTensorType::get(shape, builder.getI64Type()), axis,
                               llvm::APFloat(0.0), llvm::APFloat(1.0));
  Value none = write.integer(op.getLast() ? -1 : shape[axis], builder.getI64Type()); // beyond every index
  Value candidates = SelectOp::create(builder, write.loc, matches, index, none);
  return write.reduce(op.getLast() ? "max" : "min", candidates, axis, op.getKeepDims());
}

/// The loss and lse. A rank finds a label among its columns, or adds 0.
SmallVector<Value, 2> decomposeCrossEntropy(OpWriter &write, CrossEntropyOp op) {
  Value x = widen(write, op.getLogits());
  ArrayRef<int64_t> shape = typeOf(x).getShape(), rows = shape.drop_back();
  int64_t last = static_cast<int64_t>(shape.size()) - 1, size = shape.back();
  Value highest = write.reduce("max", x, last);
  Value sum = write.reduce("sum", write.unary("exp", write.binary("sub", x, highest)), last);
  Value lse = write.reshape(write.binary("add", highest, write.unary("log", sum)), rows);
  SmallVector<int64_t> one(shape.size(), 1), column(rows);
  one.back() = size;
  column.push_back(1);
  Type indexType = typeOf(op.getLabels()).getElementType();
  Value classes = IotaOp::create(write.builder, write.loc, RankedTensorType::get(one, indexType), last,
                                 llvm::APFloat(0.0), llvm::APFloat(1.0));
  Value isLabel = write.binary("equal", write.reshape(op.getLabels(), column), classes);
  Value likelihood = write.reduce("sum", write.select(isLabel, x, write.scalar(0, x)), last, /*keepDims=*/false);
  if (double smoothing = op.getLabelSmoothing().convertToDouble(); smoothing != 0) {
    Value total = write.reduce("sum", x, last, /*keepDims=*/false);
    likelihood = write.binary("add", write.binary("mul", likelihood, write.scalar(1 - smoothing, x)),
                              write.binary("mul", total, write.scalar(smoothing / static_cast<double>(size), x)));
  }
  Value isIgnored = write.binary("equal", op.getLabels(), write.integer(op.getIgnoreIndex(), indexType));
  Value loss = write.select(isIgnored, write.scalar(0, x), write.binary("sub", lse, likelihood));
  return {loss, lse};
}

} // namespace

bool splitsCombineFactor(const FactorRule &rule, ArrayRef<Sharding> operands) {
  for (auto [tensor, sharding] : llvm::zip(rule.operands, operands))
    for (auto [list, dim] : llvm::zip(tensor, sharding.dims))
      if (!list.empty() && !dim.axes.empty() && rule.factors[list.front()].kind == FactorKind::Combine)
        return true;
  return false;
}

bool splitsCombineFactor(Operation *op, ArrayRef<Sharding> operands) {
  auto factorOp = dyn_cast<FactorOpInterface>(op);
  return factorOp && splitsCombineFactor(factorOp.getFactorRule(), operands);
}

SmallVector<Value, 2> decompose(OpBuilder &builder, Operation *op) {
  OpWriter write{builder, op->getLoc()};
  using Values = SmallVector<Value, 2>;
  return llvm::TypeSwitch<Operation *, Values>(op)
      .Case([&](SoftmaxOp softmax) { return Values{decomposeSoftmax(write, softmax)}; })
      .Case([&](LayerNormOp norm) {
        return Values{
            decomposeNorm(write, norm, norm.getAxis(), norm.getEpsilon().convertToDouble(), /*centers=*/true)};
      })
      .Case([&](RmsNormOp norm) {
        return Values{
            decomposeNorm(write, norm, norm.getAxis(), norm.getEpsilon().convertToDouble(), /*centers=*/false)};
      })
      .Case([&](CrossEntropyOp loss) { return decomposeCrossEntropy(write, loss); })
      .Case([&](ArgReduceOp reduce) { return Values{decomposeArgReduce(write, reduce)}; });
}

UndividedSoftmax exponentiate(OpBuilder &builder, SoftmaxOp op) {
  OpWriter write{builder, op.getLoc()};
  UndividedSoftmax parts = shiftAndSum(write, op).parts;
  return {write.cast(parts.exponentials, typeOf(op.getX()).getElementType()), parts.sum};
}

MatmulOp productOver(SoftmaxOp op) {
  if (op.getLog() || static_cast<int64_t>(op.getAxis()) + 1 != typeOf(op.getX()).getRank())
    return {};
  Value value = op.getResult();
  while (value.hasOneUse() && isa<CastOp>(*value.user_begin()))
    value = value.user_begin()->getResult(0);
  if (!value.hasOneUse())
    return {};
  auto product = dyn_cast<MatmulOp>(*value.user_begin());
  bool isLeft = product && product.getA() == value && !product.getTransposeA();
  return isLeft && !typeOf(product).getElementType().isF16() ? product : MatmulOp();
}

Value divide(OpBuilder &builder, Value product, Value sum) {
  OpWriter write{builder, product.getLoc()};
  Value quotient = write.binary("div", write.cast(product, typeOf(sum).getElementType()), sum);
  return write.cast(quotient, typeOf(product).getElementType());
}

FactorShardings followOperands(Operation *op, const FactorRule &rule, ArrayRef<Sharding> operands, const Mesh &mesh) {
  FactorShardings chosen(rule.factors.size());
  llvm::SmallDenseSet<AxisId> used;
  for (auto [index, sharding] : llvm::enumerate(operands))
    for (auto [dim, split] : llvm::enumerate(sharding.dims)) {
      const auto &list = rule.operands[index][dim];
      if (list.empty() || !rule.isShardable(list.front()) || !chosen[list.front()].axes.empty() ||
          llvm::any_of(split.axes, [&](AxisId axis) { return used.contains(axis); }))
        continue;
      int64_t size = typeOf(op->getOperand(index)).getDimSize(dim);
      std::optional<DimSharding> exact =
          split.axes.empty() ? std::nullopt
                             : factorOfDim(rule, rule.operands[index], static_cast<int>(dim), split, size, mesh);
      if (!exact)
        continue;
      chosen[list.front()] = *exact;
      used.insert(split.axes.begin(), split.axes.end());
    }
  return chosen;
}

} // namespace llmpar
