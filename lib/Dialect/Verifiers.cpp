//===- Verifiers.cpp - What result inference does not check -----------------===//
#include "llmpar/Dialect/Llmpar.h"
#include "llmpar/Dialect/WeightParts.h"

namespace llmpar {
namespace {

Shape shapeOf(mlir::Value value) { return Shape(mlir::cast<mlir::RankedTensorType>(value.getType()).getShape()); }
mlir::Type elementOf(mlir::Value value) { return mlir::cast<mlir::RankedTensorType>(value.getType()).getElementType(); }

int64_t count(llvm::ArrayRef<int64_t> shape) {
  int64_t elements = 1;
  for (int64_t size : shape)
    elements *= size;
  return elements;
}

/// The names of a list of Abi/Kinds.def, for messages.
constexpr llvm::StringLiteral unaryList =
#define LLMPAR_UNARY(name) " " #name
#include "llmpar/Abi/Kinds.def"
    ;
constexpr llvm::StringLiteral binaryList =
#define LLMPAR_BINARY(name) " " #name
#include "llmpar/Abi/Kinds.def"
    ;
constexpr llvm::StringLiteral reduceList =
#define LLMPAR_REDUCE(name) " " #name
#include "llmpar/Abi/Kinds.def"
    ;

mlir::LogicalResult checkKind(mlir::Operation *op, llvm::StringRef kind, bool known, llvm::StringRef all) {
  if (!known)
    return op->emitOpError() << "kind '" << kind << "' is unknown: choose one of" << all;
  return mlir::success();
}

mlir::LogicalResult checkReduction(mlir::Operation *op, llvm::StringRef reduction) {
  if (!scatterReduction(reduction))
    return op->emitOpError() << "reduction '" << reduction << "' is unknown: choose none, add, mul, min or max";
  return mlir::success();
}

/// `llmpar.part` names a tensor, and a box of it.
mlir::LogicalResult checkPart(WeightOp weight) {
  mlir::Attribute attribute = weight->getAttr(partAttribute);
  if (!attribute)
    return mlir::success();
  auto part = mlir::dyn_cast<mlir::DictionaryAttr>(attribute);
  auto shape = part ? part.getAs<mlir::DenseI64ArrayAttr>("shape") : nullptr;
  auto starts = part ? part.getAs<mlir::DenseI64ArrayAttr>("starts") : nullptr;
  if (!shape || !starts || !part.getAs<mlir::StringAttr>("of"))
    return weight.emitOpError() << "'llmpar.part' is " << attribute
                                << ": expected {of = name, shape = array, starts = array}";
  llvm::ArrayRef<int64_t> extents = mlir::cast<mlir::RankedTensorType>(weight.getType()).getShape();
  bool isInside = shape.size() == static_cast<int64_t>(extents.size()) && starts.size() == shape.size();
  for (int64_t dim = 0; isInside && dim < shape.size(); ++dim)
    isInside = starts[dim] >= 0 && starts[dim] <= shape[dim] - extents[dim];
  if (!isInside)
    return weight.emitOpError() << "of type " << weight.getType() << " at " << starts
                                << " is no box of a tensor of shape " << shape;
  return mlir::success();
}

} // namespace

mlir::LogicalResult verifyInferredTypes(mlir::Operation *op) {
  llvm::SmallVector<mlir::Type> types;
  if (mlir::failed(mlir::cast<mlir::InferTypeOpInterface>(op).inferReturnTypes(
          op->getContext(), op->getLoc(), op->getOperands(), op->getRawDictionaryAttrs(), op->getPropertiesStorage(),
          op->getRegions(), types)))
    return mlir::failure();
  if (mlir::TypeRange(types) != op->getResultTypes())
    return op->emitOpError() << "result type " << op->getResultTypes() << ", but its operands give " << types;
  return mlir::success();
}

mlir::LogicalResult WeightOp::verify() {
  if (mlir::failed(checkPart(*this)))
    return mlir::failure();
  auto type = mlir::cast<mlir::RankedTensorType>(getType());
  Shape shape = boxOf(*this).shape;
  int64_t parts = getSources().size();
  if (parts == 1 || (parts == 0 && (*this)->hasAttr(LlmparDialect::kMutable))) // none: begins as zeros
    return mlir::success();
  if (parts == 0 || shape.empty() || shape[0] % parts != 0)
    return emitOpError() << "of type " << type << " has " << parts
                         << " sources: each is an equal part of dimension 0, so their number must divide it";
  for (ExternalAttr source : getSources().getAsRange<ExternalAttr>())
    if (int64_t first = mlir::cast<ExternalAttr>(getSources()[0]).getSize(); source.getSize() != first)
      return emitOpError() << "has sources of " << first << " and of " << source.getSize() << " bytes: they must be equal";
  return mlir::success();
}

mlir::LogicalResult LoadWeightOp::verifySymbolUses(mlir::SymbolTableCollection &symbols) {
  auto weight = symbols.lookupNearestSymbolFrom<WeightOp>(*this, getWeightAttr());
  if (!weight)
    return emitOpError() << "weight " << getWeightAttr() << " is not defined: add `llmpar.weight " << getWeightAttr()
                         << "`";
  mlir::Type expected = getType();
  if (auto global = (*this)->getAttrOfType<mlir::ArrayAttr>(LlmparDialect::kGlobalTypes)) // the op gives a shard
    expected = mlir::cast<mlir::TypeAttr>(global[0]).getValue();
  if (weight.getType() != expected)
    return emitOpError() << "of type " << expected << ", but weight " << getWeightAttr() << " has type "
                         << weight.getType();
  return mlir::success();
}

mlir::LogicalResult ConstantOp::verify() {
  mlir::Type expected = getType();
  if (auto global =
          (*this)->getAttrOfType<mlir::ArrayAttr>(LlmparDialect::kGlobalTypes)) // a shard keeps the whole value
    expected = mlir::cast<mlir::TypeAttr>(global[0]).getValue();
  if (getValue().getShapedType() != expected)
    return emitOpError() << "value of type " << getValue().getShapedType() << ", result of type " << expected;
  return mlir::success();
}

mlir::LogicalResult IotaOp::verify() {
  int64_t rank = getType().getShape().size(), axis = getAxis();
  if (axis < 0 || axis >= rank)
    return emitOpError() << "axis " << axis << " is outside 0.." << rank - 1;
  return mlir::success();
}

mlir::LogicalResult ExpertsOp::verify() {
  if (mlir::failed(checkKind(*this, getKind(), unaryKind(getKind()).has_value(), unaryList)))
    return mlir::failure();
  if (!mlir::isa<mlir::FloatType>(elementOf(getX())))
    return emitOpError() << "of type " << getX().getType() << ": experts compute with floats";
  if (getK() < 1 || getK() > getExperts())
    return emitOpError() << "gives a token to " << getK() << " of " << getExperts() << " experts: k is 1 to their number";
  if (int64_t here = shapeOf(getUp())[0]; here > static_cast<int64_t>(getExperts()))
    return emitOpError() << "has weights of " << here << " experts, but experts = " << getExperts();
  return mlir::success();
}

mlir::LogicalResult UnaryOp::verify() {
  if (mlir::failed(checkKind(*this, getKind(), unaryKind(getKind()).has_value(), unaryList)))
    return mlir::failure();
  bool isFloat = mlir::isa<mlir::FloatType>(elementOf(getX()));
  if (getKind() == "logical_not" && !elementOf(getX()).isInteger(1))
    return emitOpError() << "'logical_not' of type " << getX().getType() << ": it takes i1";
  if (getKind() == "bitwise_not" && isFloat)
    return emitOpError() << "'bitwise_not' of type " << getX().getType() << ": it takes integers";
  if ((getKind() == "is_nan" || getKind() == "is_inf") && !isFloat)
    return emitOpError() << "'" << getKind() << "' of type " << getX().getType() << ": it takes floats";
  return mlir::success();
}

mlir::LogicalResult BinaryOp::verify() {
  if (elementOf(getA()) != elementOf(getB()))
    return emitOpError() << "operands of types " << getA().getType() << " and " << getB().getType()
                         << ": element types must agree, cast one";
  if (mlir::failed(checkKind(*this, getKind(), binaryKind(getKind()).has_value(), binaryList)))
    return mlir::failure();
  bool isBitwise = getKind().starts_with("bit_") || getKind().starts_with("shift_");
  if (isBitwise && mlir::isa<mlir::FloatType>(elementOf(getA())))
    return emitOpError() << "'" << getKind() << "' of type " << getA().getType() << ": it takes integers";
  return mlir::success();
}

mlir::LogicalResult SelectOp::verify() {
  if (!elementOf(getCondition()).isInteger(1))
    return emitOpError() << "condition of type " << getCondition().getType() << ": its elements must be i1";
  if (elementOf(getA()) != elementOf(getB()))
    return emitOpError() << "branches of types " << getA().getType() << " and " << getB().getType()
                         << ": element types must agree";
  return mlir::success();
}

mlir::LogicalResult CastOp::verify() {
  if (shapeOf(getX()) != shapeOf(getResult()))
    return emitOpError() << "from " << getX().getType() << " to " << getType() << ": a cast keeps the shape";
  return mlir::success();
}

mlir::LogicalResult ReduceOp::verify() {
  return checkKind(*this, getKind(), reduceKind(getKind()).has_value(), reduceList);
}

mlir::LogicalResult ReshapeOp::verify() {
  if (elementOf(getX()) != elementOf(getResult()) || count(shapeOf(getX())) != count(shapeOf(getResult())))
    return emitOpError() << "from " << getX().getType() << " (" << count(shapeOf(getX())) << " elements) to "
                         << getType() << " (" << count(shapeOf(getResult())) << " elements)";
  return mlir::success();
}

mlir::LogicalResult BroadcastOp::verify() {
  Shape x = shapeOf(getX()), y = shapeOf(getResult());
  bool fits = x.size() <= y.size() && elementOf(getX()) == elementOf(getResult());
  for (size_t i = 0; fits && i < x.size(); ++i)
    fits = x[i] == 1 || x[i] == y[y.size() - x.size() + i];
  if (!fits)
    return emitOpError() << getX().getType() << " does not broadcast to " << getType();
  return mlir::success();
}

mlir::LogicalResult SliceOp::verify() {
  Shape x = shapeOf(getX()), y = shapeOf(getResult());
  if (y.size() != x.size() || getStarts().size() != x.size() || getSteps().size() != x.size())
    return emitOpError() << "needs one start, one step and one result dimension for each of " << x.size()
                         << " dimensions";
  for (size_t dim = 0; dim < x.size(); ++dim) {
    int64_t first = getStarts()[dim], last = first + (y[dim] - 1) * getSteps()[dim];
    if (getSteps()[dim] == 0 || (y[dim] > 0 && (first < 0 || first >= x[dim] || last < 0 || last >= x[dim])))
      return emitOpError() << "takes elements " << first << ".." << last << " with step " << getSteps()[dim]
                           << " of dimension " << dim << ", which has " << x[dim];
  }
  return mlir::success();
}

mlir::LogicalResult PadOp::verify() {
  Shape x = shapeOf(getX()), y = shapeOf(getResult());
  if (y.size() != x.size() || getLow().size() != x.size() || static_cast<int64_t>(getMode()) < 0 ||
      static_cast<int64_t>(getMode()) > 3)
    return emitOpError() << "needs one low padding and one result dimension for each of " << x.size()
                         << " dimensions, and a mode of 0..3";
  for (size_t dim = 0; dim < x.size(); ++dim)
    if (getLow()[dim] < 0 || x[dim] + getLow()[dim] > y[dim])
      return emitOpError() << "dimension " << dim << ": " << x[dim] << " elements behind " << getLow()[dim]
                           << " of padding do not fit " << y[dim];
  return mlir::success();
}

mlir::LogicalResult ScatterNdOp::verify() { return checkReduction(*this, getReduction()); }
mlir::LogicalResult ScatterElementsOp::verify() { return checkReduction(*this, getReduction()); }

} // namespace llmpar
