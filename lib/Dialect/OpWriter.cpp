//===- OpWriter.cpp - Ops by short names ------------------------------------===//
#include "llmpar/Dialect/OpWriter.h"

using namespace mlir;

namespace llmpar {

RankedTensorType tensorType(Value value) { return cast<RankedTensorType>(value.getType()); }

Value OpWriter::unary(StringRef kind, Value x) {
  return UnaryOp::create(builder, loc, kind, x, /*alpha=*/llvm::APFloat(1.0), /*beta=*/llvm::APFloat(0.0));
}
Value OpWriter::binary(StringRef kind, Value a, Value b) { return BinaryOp::create(builder, loc, kind, a, b); }
Value OpWriter::select(Value condition, Value a, Value b) { return SelectOp::create(builder, loc, condition, a, b); }

Value OpWriter::cast(Value x, Type elementType) {
  RankedTensorType type = tensorType(x);
  return type.getElementType() == elementType ? x
                                              : CastOp::create(builder, loc, type.clone(elementType), x).getResult();
}
Value OpWriter::reduce(StringRef kind, Value x, ArrayRef<int64_t> axes, bool keepDims) {
  return ReduceOp::create(builder, loc, kind, x, axes, keepDims);
}
Value OpWriter::reshape(Value x, ArrayRef<int64_t> shape) {
  RankedTensorType type = tensorType(x);
  return type.getShape() == shape ? x : ReshapeOp::create(builder, loc, type.clone(shape), x).getResult();
}
Value OpWriter::broadcast(Value x, ArrayRef<int64_t> shape) {
  RankedTensorType type = tensorType(x);
  return type.getShape() == shape ? x : BroadcastOp::create(builder, loc, type.clone(shape), x).getResult();
}

static Value constant(OpBuilder &builder, Location loc, Type elementType, Attribute value) {
  auto type = RankedTensorType::get({}, elementType);
  return ConstantOp::create(builder, loc, type, DenseElementsAttr::get(type, value));
}
Value OpWriter::scalar(double value, Value like) {
  Type type = tensorType(like).getElementType();
  return constant(builder, loc, type, builder.getFloatAttr(type, value));
}
Value OpWriter::integer(int64_t value, Type elementType) {
  return constant(builder, loc, elementType, builder.getIntegerAttr(elementType, value));
}
Value OpWriter::zeros(Value like) { return broadcast(scalar(0, like), tensorType(like).getShape()); }

Value OpWriter::sumTo(Value x, ArrayRef<int64_t> shape) {
  ArrayRef<int64_t> from = tensorType(x).getShape();
  int64_t missing = from.size() - shape.size();
  SmallVector<int64_t> axes;
  for (auto [dim, size] : llvm::enumerate(from))
    if (int64_t at = static_cast<int64_t>(dim) - missing; at < 0 || (shape[at] == 1 && size != 1))
      axes.push_back(dim);
  return reshape(axes.empty() ? x : reduce("sum", x, axes), shape);
}

} // namespace llmpar
