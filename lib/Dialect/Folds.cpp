//===- Folds.cpp - Shape arithmetic folds away ------------------------------===//
//
// Ops on constants of at most maxFoldedElements elements are computed here: the shape
// arithmetic of exporters, never data. Ops that change nothing give their operand.
//
// A sharded op (it has `llmpar.out` or local shapes) does not fold: its constant would
// be another one on each rank, and its operand may lie otherwise.
//
//===----------------------------------------------------------------------===//
#include "HostTensor.h"

#include "mlir/IR/TypeUtilities.h"

namespace llmpar {
namespace {

bool isSharded(mlir::Operation *op) {
  return op->hasAttr(LlmparDialect::kOutShardings) || op->hasAttr(LlmparDialect::kGlobalTypes);
}

/// True if every element of the constant is `value`; false if it is none.
bool isAll(mlir::Attribute attribute, int64_t value) {
  auto splat = mlir::dyn_cast_or_null<mlir::SplatElementsAttr>(attribute);
  if (!splat)
    return false;
  if (mlir::isa<mlir::FloatType>(splat.getElementType()))
    return splat.getSplatValue<llvm::APFloat>().isExactlyValue(static_cast<double>(value));
  return splat.getSplatValue<llvm::APInt>() == static_cast<uint64_t>(value);
}

/// The constant of `result`'s type whose element at each index is that of `x` at `position(index)`.
template <typename Position>
mlir::OpFoldResult rearrange(mlir::Operation *op, mlir::Attribute operand, Position position) {
  mlir::Type type = op->getResult(0).getType();
  std::optional<HostTensor> out = HostTensor::zeros(type);
  if (isSharded(op) || !out)
    return {};
  std::optional<HostTensor> x = HostTensor::read(operand);
  if (!x)
    return {};
  forEachIndex(out->shape, [&](size_t flat, llvm::ArrayRef<int64_t> index) {
    out->values[flat] = x->values[position(x->shape, index)];
  });
  return out->write(type);
}

} // namespace

//===-- Sources ------------------------------------------------------------------===//

mlir::OpFoldResult ConstantOp::fold(FoldAdaptor) { return getValue(); }

mlir::OpFoldResult IotaOp::fold(FoldAdaptor) {
  std::optional<HostTensor> out = HostTensor::zeros(getType());
  if (isSharded(*this) || !out)
    return {};
  double start = getStart().convertToDouble(), step = getStep().convertToDouble();
  auto integer = [](double value) { return store(DType::I64, value).integer; };
  forEachIndex(out->shape, [&](size_t flat, llvm::ArrayRef<int64_t> index) {
    int64_t i = index[getAxis()];
    uint64_t exact =
        static_cast<uint64_t>(integer(start)) + static_cast<uint64_t>(integer(step)) * static_cast<uint64_t>(i);
    out->values[flat] = isFloat(out->dtype) ? store(out->dtype, start + step * static_cast<double>(i))
                                            : convert(DType::I64, out->dtype, {0, static_cast<int64_t>(exact)});
  });
  return out->write(getType());
}

//===-- Elementwise ----------------------------------------------------------------===//

mlir::OpFoldResult UnaryOp::fold(FoldAdaptor adaptor) {
  std::optional<HostTensor> x = HostTensor::read(adaptor.getX()), out = HostTensor::zeros(getType());
  std::optional<int64_t> kind = unaryKind(getKind());
  if (isSharded(*this) || !x || !out || !kind)
    return {};
  double alpha = getAlpha().convertToDouble(), beta = getBeta().convertToDouble();
  for (auto [to, from] : llvm::zip(out->values, x->values))
    to = evaluateUnary(*kind, x->dtype, out->dtype, from, alpha, beta);
  return out->write(getType());
}

/// x * 1, x / 1, x - 0, and x + 0 of integers (-0.0 + 0.0 is not -0.0).
static bool isNeutral(llvm::StringRef kind, mlir::Type type, mlir::Attribute other, bool otherIsRight) {
  bool isInteger = !mlir::isa<mlir::FloatType>(mlir::getElementTypeOrSelf(type));
  if (kind == "mul" || (kind == "div" && otherIsRight))
    return isAll(other, 1);
  return ((kind == "add" && isInteger) || (kind == "sub" && otherIsRight)) && isAll(other, 0);
}

mlir::OpFoldResult BinaryOp::fold(FoldAdaptor adaptor) {
  if (isSharded(*this))
    return {};
  if (getA().getType() == getType() && isNeutral(getKind(), getType(), adaptor.getB(), true))
    return getA();
  if (getB().getType() == getType() && isNeutral(getKind(), getType(), adaptor.getA(), false))
    return getB();
  std::optional<HostTensor> a = HostTensor::read(adaptor.getA()), b = HostTensor::read(adaptor.getB());
  std::optional<HostTensor> out = HostTensor::zeros(getType());
  std::optional<int64_t> kind = binaryKind(getKind());
  if (!a || !b || !out || !kind)
    return {};
  forEachIndex(out->shape, [&](size_t flat, llvm::ArrayRef<int64_t> index) {
    out->values[flat] = evaluateBinary(*kind, a->dtype, out->dtype, a->values[flatten(a->shape, index)],
                                       b->values[flatten(b->shape, index)]);
  });
  return out->write(getType());
}

mlir::OpFoldResult SelectOp::fold(FoldAdaptor adaptor) {
  if (isSharded(*this))
    return {};
  if (getA().getType() == getType() && (isAll(adaptor.getCondition(), 1) || getA() == getB()))
    return getA();
  if (getB().getType() == getType() && isAll(adaptor.getCondition(), 0))
    return getB();
  std::optional<HostTensor> condition = HostTensor::read(adaptor.getCondition()), a = HostTensor::read(adaptor.getA()),
                            b = HostTensor::read(adaptor.getB()), out = HostTensor::zeros(getType());
  if (!condition || !a || !b || !out)
    return {};
  forEachIndex(out->shape, [&](size_t flat, llvm::ArrayRef<int64_t> index) {
    const HostTensor &chosen = condition->values[flatten(condition->shape, index)].integer ? *a : *b;
    out->values[flat] = chosen.values[flatten(chosen.shape, index)];
  });
  return out->write(getType());
}

mlir::OpFoldResult CastOp::fold(FoldAdaptor adaptor) {
  if (isSharded(*this))
    return {};
  if (getX().getType() == getType())
    return getX();
  std::optional<HostTensor> x = HostTensor::read(adaptor.getX()), out = HostTensor::zeros(getType());
  if (!x || !out)
    return {};
  for (auto [to, from] : llvm::zip(out->values, x->values))
    to = convert(x->dtype, out->dtype, from);
  return out->write(getType());
}

//===-- Reductions -----------------------------------------------------------------===//

mlir::OpFoldResult ReduceOp::fold(FoldAdaptor adaptor) {
  std::optional<HostTensor> x = HostTensor::read(adaptor.getX()), out = HostTensor::zeros(getType());
  if (isSharded(*this) || !x || !out || !reduceKind(getKind()))
    return {};
  Shape kept = x->shape; // the result with all dimensions
  for (int64_t axis : getAxes())
    kept[axis] = 1;
  std::vector<std::vector<Number>> groups(out->values.size());
  forEachIndex(x->shape, [&](size_t flat, llvm::ArrayRef<int64_t> index) {
    groups[flatten(kept, index)].push_back(x->values[flat]);
  });
  for (auto [to, group] : llvm::zip(out->values, groups))
    to = evaluateReduce(getKind(), out->dtype, group);
  return out->write(getType());
}

mlir::OpFoldResult CumsumOp::fold(FoldAdaptor adaptor) {
  std::optional<HostTensor> x = HostTensor::read(adaptor.getX()), out = HostTensor::zeros(getType());
  if (isSharded(*this) || !x || !out)
    return {};
  int64_t axis = getAxis(), extent = x->shape[axis];
  forEachIndex(out->shape, [&](size_t flat, llvm::ArrayRef<int64_t> index) {
    // Elements begin..end of the line through `index`.
    int64_t begin = getReverse() ? index[axis] + getExclusive() : 0;
    int64_t end = getReverse() ? extent : index[axis] + !getExclusive();
    llvm::SmallVector<int64_t> at(index);
    std::vector<Number> summands;
    for (at[axis] = begin; at[axis] < end; ++at[axis])
      summands.push_back(x->values[flatten(x->shape, at)]);
    if (getReverse())
      std::reverse(summands.begin(), summands.end());
    out->values[flat] = evaluateReduce("sum", out->dtype, summands);
  });
  return out->write(getType());
}

//===-- Indexing and layout -----------------------------------------------------------===//

mlir::OpFoldResult GatherOp::fold(FoldAdaptor adaptor) {
  std::optional<HostTensor> indices = HostTensor::read(adaptor.getIndices());
  if (!indices)
    return {};
  int64_t axis = getAxis(), count = indices->shape.size();
  int64_t size = mlir::cast<mlir::ShapedType>(getData().getType()).getDimSize(axis);
  if (llvm::any_of(indices->values, [&](Number i) { return i.integer < -size || i.integer >= size; }))
    return {}; // the kernel reports it
  return rearrange(*this, adaptor.getData(), [&](const Shape &data, llvm::ArrayRef<int64_t> index) {
    int64_t at = indices->values[flatten(indices->shape, index.slice(axis, count))].integer;
    llvm::SmallVector<int64_t> source(index.take_front(axis));
    source.push_back(at < 0 ? at + size : at);
    llvm::append_range(source, index.drop_front(axis + count));
    return flatten(data, source);
  });
}

mlir::OpFoldResult TransposeOp::fold(FoldAdaptor adaptor) {
  if (isSharded(*this))
    return {};
  if (llvm::equal(getPermutation(), llvm::seq<int64_t>(0, getPermutation().size())))
    return getX();
  if (auto inner = getX().getDefiningOp<TransposeOp>(); inner && !isSharded(inner)) {
    llvm::SmallVector<int64_t> permutation;
    for (int64_t dim : getPermutation())
      permutation.push_back(inner.getPermutation()[dim]);
    setPermutation(permutation);
    getXMutable().assign(inner.getX());
    return getResult();
  }
  return rearrange(*this, adaptor.getX(), [&](const Shape &x, llvm::ArrayRef<int64_t> index) {
    llvm::SmallVector<int64_t> source(index.size());
    for (auto [to, from] : llvm::enumerate(getPermutation()))
      source[from] = index[to];
    return flatten(x, source);
  });
}

mlir::OpFoldResult ReshapeOp::fold(FoldAdaptor adaptor) {
  if (isSharded(*this))
    return {};
  if (getX().getType() == getType())
    return getX();
  if (auto inner = getX().getDefiningOp<ReshapeOp>(); inner && !isSharded(inner)) {
    getXMutable().assign(inner.getX());
    return getResult();
  }
  if (auto elements = mlir::dyn_cast_or_null<mlir::DenseElementsAttr>(adaptor.getX()))
    if (elements.getNumElements() <= maxFoldedElements)
      return elements.reshape(getType());
  return {};
}

mlir::OpFoldResult BroadcastOp::fold(FoldAdaptor adaptor) {
  if (!isSharded(*this) && getX().getType() == getType())
    return getX();
  return rearrange(*this, adaptor.getX(), flatten);
}

mlir::OpFoldResult SliceOp::fold(FoldAdaptor adaptor) {
  // With steps of 1 and all elements, the starts are 0.
  if (!isSharded(*this) && getX().getType() == getType() &&
      llvm::all_of(getSteps(), [](int64_t step) { return step == 1; }))
    return getX();
  return rearrange(*this, adaptor.getX(), [&](const Shape &x, llvm::ArrayRef<int64_t> index) {
    size_t source = 0;
    for (size_t dim = 0; dim < index.size(); ++dim)
      source = source * x[dim] + getStarts()[dim] + index[dim] * getSteps()[dim];
    return source;
  });
}

mlir::OpFoldResult ConcatOp::fold(FoldAdaptor adaptor) {
  if (isSharded(*this))
    return {};
  if (getInputs().size() == 1)
    return getInputs().front();
  std::optional<HostTensor> out = HostTensor::zeros(getType());
  if (!out)
    return {};
  std::vector<HostTensor> inputs;
  for (mlir::Attribute attribute : adaptor.getInputs()) {
    std::optional<HostTensor> input = HostTensor::read(attribute);
    if (!input)
      return {};
    inputs.push_back(std::move(*input));
  }
  int64_t axis = getAxis();
  forEachIndex(out->shape, [&](size_t flat, llvm::ArrayRef<int64_t> index) {
    llvm::SmallVector<int64_t> source(index);
    auto input = inputs.begin();
    for (; source[axis] >= input->shape[axis]; ++input)
      source[axis] -= input->shape[axis];
    out->values[flat] = input->values[flatten(input->shape, source)];
  });
  return out->write(getType());
}

} // namespace llmpar
