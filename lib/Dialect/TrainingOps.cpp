//===- TrainingOps.cpp - Rules and types of gradients, losses, optimizers ---===//
#include "llmpar/Dialect/Llmpar.h"

namespace llmpar {
namespace {

using Loc = std::optional<mlir::Location>;
using Types = llvm::SmallVectorImpl<mlir::Type>;

mlir::RankedTensorType typeOf(mlir::Value value) { return mlir::cast<mlir::RankedTensorType>(value.getType()); }
Shape shapeOf(mlir::Value value) { return Shape(typeOf(value).getShape()); }

mlir::LogicalResult done(Types &types, llvm::ArrayRef<int64_t> shape, mlir::Type elementType) {
  types.push_back(mlir::RankedTensorType::get(shape, elementType));
  return mlir::success();
}

mlir::LogicalResult checkType(Loc loc, llvm::StringRef what, mlir::Value value, llvm::ArrayRef<int64_t> shape,
                              mlir::Type elementType) {
  mlir::Type expected = mlir::RankedTensorType::get(shape, elementType);
  if (value.getType() != expected)
    return mlir::emitOptionalError(loc, what, " of type ", value.getType(), ", expected ", expected);
  return mlir::success();
}
mlir::LogicalResult checkLike(Loc loc, llvm::StringRef what, mlir::Value value, mlir::Value like) {
  return checkType(loc, what, value, shapeOf(like), typeOf(like).getElementType());
}
mlir::LogicalResult checkFloat(Loc loc, mlir::Value value) {
  if (!mlir::isa<mlir::FloatType>(typeOf(value).getElementType()))
    return mlir::emitOptionalError(loc, "operand of type ", value.getType(), ": only floats have gradients");
  return mlir::success();
}
mlir::LogicalResult checkAxis(Loc loc, int64_t axis, int64_t rank) {
  if (axis < 0 || axis >= rank)
    return mlir::emitOptionalError(loc, "axis ", axis, " is outside 0..", rank - 1);
  return mlir::success();
}
mlir::LogicalResult checkIndices(Loc loc, llvm::StringRef what, mlir::Value indices) {
  mlir::Type type = typeOf(indices).getElementType();
  if (!type.isInteger(32) && !type.isInteger(64))
    return mlir::emitOptionalError(loc, what, " of type ", indices.getType(),
                                   ": their elements must be i32 or i64, cast them");
  return mlir::success();
}

/// "_0 _1 _2 " for dimensions [begin, end).
std::string names(llvm::StringRef prefix, int64_t begin, int64_t end) {
  std::string text;
  for (int64_t dim = begin; dim < end; ++dim)
    text += (prefix + llvm::Twine(dim) + " ").str();
  return text;
}
/// "sum(_0) sum(_1) ", to stand behind the `;` of a rule.
std::string each(llvm::StringRef kind, llvm::StringRef prefix, int64_t begin, int64_t end) {
  std::string text;
  for (int64_t dim = begin; dim < end; ++dim)
    text += (kind + "(" + prefix + llvm::Twine(dim) + ") ").str();
  return text;
}
int64_t rankOf(mlir::Value value) { return typeOf(value).getRank(); }

} // namespace

//===-- Factor rules -----------------------------------------------------------===//

FactorRule WeightGradOp::getFactorRule() {
  int64_t rows = rankOf(getA()) - 1;
  std::string row = names("_", 0, rows);
  return parseFactorRule(row + "m, " + row + "n -> m n ; " + each("sum", "_", 0, rows), operandShapes(*this),
                         resultShapes(*this));
}

FactorRule SoftmaxGradOp::getFactorRule() {
  std::string dims = names("_", 0, rankOf(getY()));
  int64_t axis = getAxis();
  return parseFactorRule(dims + ", " + dims + " -> " + dims + " ; " + each("whole", "_", axis, axis + 1),
                         operandShapes(*this), resultShapes(*this));
}

FactorRule NormGradOp::getFactorRule() {
  int64_t axis = getAxis(), rank = rankOf(getX());
  std::string row = names("_", axis, rank), dims = names("_", 0, axis) + row;
  return parseFactorRule(dims + ", " + row + ", " + dims + " -> " + dims + " ; " + each("whole", "_", axis, rank),
                         operandShapes(*this), resultShapes(*this));
}
FactorRule NormScaleGradOp::getFactorRule() {
  int64_t axis = getAxis(), rank = rankOf(getX());
  std::string row = names("_", axis, rank), dims = names("_", 0, axis) + row;
  return parseFactorRule(dims + ", " + dims + " -> " + row + " ; " + each("sum", "_", 0, axis) +
                             each("whole", "_", axis, rank),
                         operandShapes(*this), resultShapes(*this));
}

// The mirror of gather: a rank adds the slices whose indices it holds, to the rows that it holds.
FactorRule GatherGradOp::getFactorRule() {
  int64_t axis = getAxis(), count = rankOf(getIndices()), rank = rankOf(getResult());
  std::string before = names("d", 0, axis), indices = names("i", 0, count), behind = names("d", axis + 1, rank);
  std::string text = (count ? indices : "... ") + ", " + before + indices + behind + " -> " + before + "v " + behind +
                     " ; " + each("sum", "i", 0, count) + "offset(v)";
  return parseFactorRule(text, operandShapes(*this), resultShapes(*this));
}

/// As of slice: a dimension that is taken whole and in order passes through; others are whole.
FactorRule SliceGradOp::getFactorRule() {
  Shape from = shapeOf(getDy()), to = shapeOf(getResult());
  std::string operand, result, whole;
  for (int64_t dim = 0, rank = to.size(); dim < rank; ++dim) {
    bool passes = from[dim] == to[dim] && getStarts()[dim] == 0 && getSteps()[dim] == 1;
    operand += names("d", dim, dim + 1);
    result += names(passes ? "d" : "w", dim, dim + 1);
    if (!passes)
      whole += each("whole", "d", dim, dim + 1) + each("whole", "w", dim, dim + 1);
  }
  return parseFactorRule(operand + " -> " + result + " ; " + whole, operandShapes(*this), resultShapes(*this));
}

FactorRule CrossEntropyOp::getFactorRule() {
  return parseFactorRule("... v, ... -> ..., ... ; combine(v)", operandShapes(*this), resultShapes(*this));
}
FactorRule CrossEntropyGradOp::getFactorRule() {
  return parseFactorRule("... v, ..., ..., ... -> ... v ; offset(v)", operandShapes(*this), resultShapes(*this));
}

//===-- Result types -------------------------------------------------------------===//

#define INFER(Op) mlir::LogicalResult Op::inferReturnTypes(mlir::MLIRContext *, Loc loc, Op::Adaptor op, Types &types)

INFER(UnaryGradOp) {
  if (mlir::failed(checkFloat(loc, op.getX())) || mlir::failed(checkLike(loc, "dy", op.getDy(), op.getX())))
    return mlir::failure();
  return done(types, shapeOf(op.getX()), typeOf(op.getX()).getElementType());
}

INFER(WeightGradOp) {
  Shape a = shapeOf(op.getA()), b = shapeOf(op.getB());
  if (a.empty() || a.size() != b.size() || llvm::ArrayRef(a).drop_back() != llvm::ArrayRef(b).drop_back() ||
      typeOf(op.getA()).getElementType() != typeOf(op.getB()).getElementType())
    return mlir::emitOptionalError(loc, "operands of types ", op.getA().getType(), " and ", op.getB().getType(),
                                   ": all dimensions but the last and the element types must agree");
  return done(types, {a.back(), b.back()}, typeOf(op.getA()).getElementType());
}

INFER(SoftmaxGradOp) {
  if (mlir::failed(checkFloat(loc, op.getY())) || mlir::failed(checkAxis(loc, op.getAxis(), rankOf(op.getY()))) ||
      mlir::failed(checkLike(loc, "dy", op.getDy(), op.getY())))
    return mlir::failure();
  return done(types, shapeOf(op.getY()), typeOf(op.getY()).getElementType());
}

INFER(NormGradOp) {
  Shape x = shapeOf(op.getX());
  if (mlir::failed(checkFloat(loc, op.getX())) || mlir::failed(checkAxis(loc, op.getAxis(), x.size())) ||
      mlir::failed(checkLike(loc, "dy", op.getDy(), op.getX())) ||
      mlir::failed(checkType(loc, "scale", op.getScale(), llvm::ArrayRef(x).drop_front(op.getAxis()),
                             typeOf(op.getX()).getElementType())))
    return mlir::failure();
  return done(types, x, typeOf(op.getX()).getElementType());
}
INFER(NormScaleGradOp) {
  Shape x = shapeOf(op.getX());
  if (mlir::failed(checkFloat(loc, op.getX())) || mlir::failed(checkAxis(loc, op.getAxis(), x.size())) ||
      mlir::failed(checkLike(loc, "dy", op.getDy(), op.getX())))
    return mlir::failure();
  return done(types, llvm::ArrayRef(x).drop_front(op.getAxis()), typeOf(op.getX()).getElementType());
}

static mlir::LogicalResult checkLabels(Loc loc, mlir::Value logits, mlir::Value labels) {
  if (mlir::failed(checkFloat(loc, logits)) || mlir::failed(checkIndices(loc, "labels", labels)))
    return mlir::failure();
  Shape shape = shapeOf(logits);
  if (shape.empty() || llvm::ArrayRef(shape).drop_back() != typeOf(labels).getShape())
    return mlir::emitOptionalError(loc, "labels of type ", labels.getType(), " for logits of type ", logits.getType(),
                                   ": one is needed for each row");
  return mlir::success();
}
/// Of the loss and the logarithm of each row's sum.
static mlir::Type lossElement(mlir::Value logits) {
  mlir::Type element = typeOf(logits).getElementType();
  return element.isF64() ? element : mlir::Float32Type::get(element.getContext());
}
INFER(CrossEntropyOp) {
  if (mlir::failed(checkLabels(loc, op.getLogits(), op.getLabels())))
    return mlir::failure();
  mlir::Type element = lossElement(op.getLogits());
  (void)done(types, shapeOf(op.getLabels()), element);
  return done(types, shapeOf(op.getLabels()), element);
}
INFER(CrossEntropyGradOp) {
  mlir::Type element = lossElement(op.getLogits());
  if (mlir::failed(checkLabels(loc, op.getLogits(), op.getLabels())) ||
      mlir::failed(checkType(loc, "lse", op.getLse(), shapeOf(op.getLabels()), element)) ||
      mlir::failed(checkType(loc, "dloss", op.getDloss(), shapeOf(op.getLabels()), element)))
    return mlir::failure();
  return done(types, shapeOf(op.getLogits()), typeOf(op.getLogits()).getElementType());
}

/// A parameter, and what is like it; scalars.
static mlir::LogicalResult inferStep(Loc loc, mlir::Value param, llvm::ArrayRef<mlir::Value> states,
                                     mlir::ValueRange scalars, Types &types) {
  mlir::Type element = typeOf(param).getElementType();
  if (mlir::failed(checkFloat(loc, param)))
    return mlir::failure();
  for (mlir::Value state : states)
    if (mlir::failed(checkLike(loc, "gradient or state", state, param)))
      return mlir::failure();
  for (mlir::Value scalar : scalars)
    if (mlir::failed(checkType(loc, "scalar", scalar, {}, element)))
      return mlir::failure();
  for (size_t i = 0; i < states.size(); ++i) // the parameter and each state; the gradient gives none
    types.push_back(param.getType());
  return mlir::success();
}
INFER(AdamOp) {
  return inferStep(loc, op.getParam(), {op.getGrad(), op.getM(), op.getV()},
                   mlir::ValueRange{op.getRate(), op.getGradScale(), op.getStep()}, types);
}
INFER(SgdOp) {
  return inferStep(loc, op.getParam(), {op.getGrad(), op.getVelocity()},
                   mlir::ValueRange{op.getRate(), op.getGradScale()}, types);
}

//===-- Verifiers ----------------------------------------------------------------===//

mlir::LogicalResult UnaryGradOp::verify() {
  if (!unaryKind(getKind()))
    return emitOpError() << "kind '" << getKind() << "' is unknown: choose one of Abi/Kinds.def";
  if (!isDifferentiable(getKind()))
    return emitOpError() << "kind '" << getKind() << "' has no derivative";
  return mlir::success();
}

mlir::LogicalResult GatherGradOp::verify() {
  Shape indices = shapeOf(getIndices()), data = shapeOf(getResult()), expected;
  int64_t axis = getAxis(), rank = data.size();
  if (mlir::failed(checkFloat(getLoc(), getDy())) || mlir::failed(checkIndices(getLoc(), "indices", getIndices())) ||
      mlir::failed(checkAxis(getLoc(), axis, rank)))
    return mlir::failure();
  expected.append(data.begin(), data.begin() + axis);
  llvm::append_range(expected, indices);
  expected.append(data.begin() + axis + 1, data.end());
  return checkType(getLoc(), "dy", getDy(), expected, typeOf(getResult()).getElementType());
}

mlir::LogicalResult SliceGradOp::verify() {
  Shape from = shapeOf(getDy()), to = shapeOf(getResult());
  size_t rank = from.size();
  if (to.size() != rank || getStarts().size() != rank || getSteps().size() != rank)
    return emitOpError() << "dy of type " << getDy().getType() << ", result of type " << getType()
                         << ": ranks and the lengths of starts and steps must agree";
  if (typeOf(getDy()).getElementType() != typeOf(getResult()).getElementType())
    return emitOpError() << "dy of type " << getDy().getType() << ", result of type " << getType()
                         << ": element types must agree";
  for (size_t dim = 0; dim < rank; ++dim) {
    int64_t start = getStarts()[dim], last = start + (from[dim] - 1) * getSteps()[dim];
    if (from[dim] > 0 && (getSteps()[dim] == 0 || start < 0 || start >= to[dim] || last < 0 || last >= to[dim]))
      return emitOpError() << "dimension " << dim << ": start " << start << ", step " << getSteps()[dim] << ", "
                           << from[dim] << " elements leave extent " << to[dim];
  }
  return mlir::success();
}

} // namespace llmpar
