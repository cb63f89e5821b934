//===- InferTypes.cpp - Result types from operands and attributes -----------===//
//
// Works on global and on local shapes alike: a shard's result follows from its operands.
//
//===----------------------------------------------------------------------===//
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
mlir::LogicalResult sameAs(Types &types, mlir::Value value) {
  types.push_back(value.getType());
  return mlir::success();
}

mlir::LogicalResult checkAxis(Loc loc, int64_t axis, int64_t rank) {
  if (rank == 0)
    return mlir::emitOptionalError(loc, "axis ", axis, " of a value without dimensions");
  if (axis < 0 || axis >= rank)
    return mlir::emitOptionalError(loc, "axis ", axis, " is outside 0..", rank - 1);
  return mlir::success();
}

mlir::LogicalResult checkSameElements(Loc loc, mlir::Value a, mlir::Value b) {
  if (typeOf(a).getElementType() != typeOf(b).getElementType())
    return mlir::emitOptionalError(loc, "operands of types ", a.getType(), " and ", b.getType(),
                                   ": element types must agree, cast one");
  return mlir::success();
}

mlir::LogicalResult checkIndices(Loc loc, mlir::Value indices) {
  mlir::Type type = typeOf(indices).getElementType();
  if (!type.isInteger(32) && !type.isInteger(64))
    return mlir::emitOptionalError(loc, "indices of type ", indices.getType(),
                                   ": their elements must be i32 or i64, cast them");
  return mlir::success();
}

/// NumPy broadcasting of `shape` into `result`.
mlir::LogicalResult broadcastInto(Loc loc, Shape &result, llvm::ArrayRef<int64_t> shape) {
  if (shape.size() > result.size())
    result.insert(result.begin(), shape.size() - result.size(), 1);
  for (size_t i = 0; i < shape.size(); ++i) {
    int64_t &out = result[result.size() - shape.size() + i];
    if (out == 1)
      out = shape[i];
    else if (shape[i] != 1 && shape[i] != out)
      return mlir::emitOptionalError(loc, "dimensions of sizes ", out, " and ", shape[i],
                                     " do not broadcast: one must be 1");
  }
  return mlir::success();
}

/// Output extent of a window: floor((in + pads - dilation * (kernel - 1) - 1) / stride) + 1.
mlir::LogicalResult windowExtent(Loc loc, int64_t in, int64_t pads, int64_t kernel, int64_t dilation, int64_t stride,
                                 int64_t &out) {
  if (stride < 1 || dilation < 1 || kernel < 1)
    return mlir::emitOptionalError(loc, "kernel, stride and dilation must be positive, got ", kernel, ", ", stride,
                                   ", ", dilation);
  int64_t span = in + pads - dilation * (kernel - 1) - 1;
  if (span < 0)
    return mlir::emitOptionalError(loc, "a kernel of ", kernel, " (dilation ", dilation, ") is larger than its input of ", in,
                                   " with ", pads, " of padding");
  out = span / stride + 1;
  return mlir::success();
}

mlir::LogicalResult reducedShape(Loc loc, mlir::Value x, llvm::ArrayRef<int64_t> axes, bool keepDims, Shape &result) {
  Shape shape = shapeOf(x);
  for (auto [at, axis] : llvm::enumerate(axes)) {
    if (mlir::failed(checkAxis(loc, axis, shape.size())))
      return mlir::failure();
    if (llvm::is_contained(axes.take_front(at), axis))
      return mlir::emitOptionalError(loc, "axis ", axis, " occurs twice");
  }
  for (auto [dim, size] : llvm::enumerate(shape)) {
    bool reduced = llvm::is_contained(axes, static_cast<int64_t>(dim));
    if (!reduced)
      result.push_back(size);
    else if (keepDims)
      result.push_back(1);
  }
  return mlir::success();
}

} // namespace

#define INFER(Op)                                                                                                      \
  mlir::LogicalResult Op::inferReturnTypes(mlir::MLIRContext *context, Loc loc, Op::Adaptor op, Types &types)

INFER(UnaryOp) {
  bool test = op.getKind() == "is_nan" || op.getKind() == "is_inf";
  return done(types, shapeOf(op.getX()),
              test ? mlir::IntegerType::get(context, 1) : typeOf(op.getX()).getElementType());
}

INFER(BinaryOp) {
  Shape shape = shapeOf(op.getA());
  if (mlir::failed(broadcastInto(loc, shape, shapeOf(op.getB()))))
    return mlir::failure();
  return done(types, shape,
              isComparison(op.getKind()) ? mlir::IntegerType::get(context, 1) : typeOf(op.getA()).getElementType());
}

INFER(SelectOp) {
  Shape shape = shapeOf(op.getCondition());
  if (mlir::failed(broadcastInto(loc, shape, shapeOf(op.getA()))) ||
      mlir::failed(broadcastInto(loc, shape, shapeOf(op.getB()))))
    return mlir::failure();
  return done(types, shape, typeOf(op.getA()).getElementType());
}

INFER(MatmulOp) {
  Shape a = shapeOf(op.getA()), b = shapeOf(op.getB());
  if (a.size() < 2 || b.size() < 2)
    return mlir::emitOptionalError(loc, "operands need at least 2 dimensions, got ", a.size(), " and ", b.size());
  if (mlir::failed(checkSameElements(loc, op.getA(), op.getB())))
    return mlir::failure();
  if (op.getTransposeA())
    std::swap(a[a.size() - 1], a[a.size() - 2]);
  if (op.getTransposeB())
    std::swap(b[b.size() - 1], b[b.size() - 2]);
  if (a.back() != b[b.size() - 2])
    return mlir::emitOptionalError(loc, "contraction sizes differ: ", a.back(), " and ", b[b.size() - 2]);
  Shape shape(llvm::ArrayRef(a).drop_back(2));
  if (mlir::failed(broadcastInto(loc, shape, llvm::ArrayRef(b).drop_back(2))))
    return mlir::failure();
  shape.push_back(a[a.size() - 2]);
  shape.push_back(b.back());
  return done(types, shape, typeOf(op.getA()).getElementType());
}

INFER(ExpertsOp) {
  Shape x = shapeOf(op.getX()), routing = shapeOf(op.getRouting()), up = shapeOf(op.getUp()), down = shapeOf(op.getDown());
  if (x.empty() || routing.size() != x.size() || up.size() != 3 || down.size() != 3)
    return mlir::emitOptionalError(loc, "x and routing of ", x.size(), " and ", routing.size(), " dimensions, weights of ",
                                   up.size(), " and ", down.size(), ": expected as many, at least 1, and 3");
  for (mlir::Value other : {op.getRouting(), op.getUp(), op.getDown()})
    if (mlir::failed(checkSameElements(loc, op.getX(), other)))
      return mlir::failure();
  if (op.getGate() && op.getGate().getType() != op.getUp().getType())
    return mlir::emitOptionalError(loc, "gate of type ", op.getGate().getType(), ", but up of type ", op.getUp().getType());
  if (llvm::ArrayRef(x).drop_back() != llvm::ArrayRef(routing).drop_back())
    return mlir::emitOptionalError(loc, "routing of type ", op.getRouting().getType(), " is not of the tokens of x, of type ",
                                   op.getX().getType());
  if (up[0] != routing.back() || down[0] != up[0] || up[2] != x.back() || down[2] != up[1])
    return mlir::emitOptionalError(loc, "weights of types ", op.getUp().getType(), " and ", op.getDown().getType(),
                                   " do not fit ", x.back(), " features and ", routing.back(), " experts: expected [experts, "
                                   "inner, features] and [experts, result, inner]");
  x.back() = down[1];
  return done(types, x, typeOf(op.getX()).getElementType());
}

INFER(ConvOp) {
  Shape x = shapeOf(op.getX()), w = shapeOf(op.getW());
  size_t spatial = x.size() < 2 ? 0 : x.size() - 2;
  if (spatial == 0 || w.size() != x.size() || op.getStrides().size() != spatial ||
      op.getPadsBegin().size() != spatial || op.getPadsEnd().size() != spatial || op.getDilations().size() != spatial)
    return mlir::emitOptionalError(loc, "input of rank ", x.size(), ", weight of rank ", w.size(), ": ranks and the ",
                                   "lengths of strides, pads and dilations must agree");
  if (mlir::failed(checkSameElements(loc, op.getX(), op.getW())))
    return mlir::failure();
  if (op.getBias() && mlir::failed(checkSameElements(loc, op.getX(), op.getBias())))
    return mlir::failure();
  if (op.getBias() && shapeOf(op.getBias()) != Shape{w[0]})
    return mlir::emitOptionalError(loc, "bias of type ", op.getBias().getType(), ": it needs one element for each of ",
                                   w[0], " output channels");
  if (op.getGroup() < 1 || x[1] != w[1] * static_cast<int64_t>(op.getGroup()))
    return mlir::emitOptionalError(loc, "input has ", x[1], " channels, but the weight takes ", w[1], " x ",
                                   op.getGroup(), " groups");
  Shape shape{x[0], w[0]};
  for (size_t i = 0; i < spatial; ++i)
    if (mlir::failed(windowExtent(loc, x[2 + i], op.getPadsBegin()[i] + op.getPadsEnd()[i], w[2 + i],
                                  op.getDilations()[i], op.getStrides()[i], shape.emplace_back())))
      return mlir::failure();
  return done(types, shape, typeOf(op.getX()).getElementType());
}

INFER(PoolOp) {
  Shape x = shapeOf(op.getX());
  size_t spatial = op.getKernel().size();
  if (x.size() != spatial + 2 || op.getStrides().size() != spatial || op.getPadsBegin().size() != spatial ||
      op.getPadsEnd().size() != spatial || op.getDilations().size() != spatial)
    return mlir::emitOptionalError(loc, "input of rank ", x.size(), " does not fit a kernel of ", spatial,
                                   " dimensions");
  Shape shape{x[0], x[1]};
  for (size_t i = 0; i < spatial; ++i)
    if (mlir::failed(windowExtent(loc, x[2 + i], op.getPadsBegin()[i] + op.getPadsEnd()[i], op.getKernel()[i],
                                  op.getDilations()[i], op.getStrides()[i], shape.emplace_back())))
      return mlir::failure();
  return done(types, shape, typeOf(op.getX()).getElementType());
}

INFER(ReduceOp) {
  Shape shape;
  if (mlir::failed(reducedShape(loc, op.getX(), op.getAxes(), op.getKeepDims(), shape)))
    return mlir::failure();
  return done(types, shape, typeOf(op.getX()).getElementType());
}

INFER(ArgReduceOp) {
  Shape shape;
  int64_t axis = op.getAxis();
  if (mlir::failed(reducedShape(loc, op.getX(), axis, op.getKeepDims(), shape)))
    return mlir::failure();
  return done(types, shape, mlir::IntegerType::get(context, 64));
}

INFER(SoftmaxOp) {
  if (mlir::failed(checkAxis(loc, op.getAxis(), shapeOf(op.getX()).size())))
    return mlir::failure();
  return sameAs(types, op.getX());
}
INFER(CumsumOp) {
  if (mlir::failed(checkAxis(loc, op.getAxis(), shapeOf(op.getX()).size())))
    return mlir::failure();
  return sameAs(types, op.getX());
}

static mlir::LogicalResult inferNorm(Loc loc, mlir::Value x, int64_t axis, llvm::ArrayRef<mlir::Value> parameters,
                                     Types &types) {
  Shape shape = shapeOf(x), whole = shape;
  if (mlir::failed(checkAxis(loc, axis, shape.size())))
    return mlir::failure();
  for (mlir::Value parameter : parameters)
    if (parameter && (mlir::failed(broadcastInto(std::nullopt, whole, shapeOf(parameter))) || whole != shape))
      return mlir::emitOptionalError(loc, "scale or bias of type ", parameter.getType(), " does not broadcast to ",
                                     x.getType());
  return sameAs(types, x);
}
INFER(LayerNormOp) { return inferNorm(loc, op.getX(), op.getAxis(), {op.getScale(), op.getBias()}, types); }
INFER(RmsNormOp) { return inferNorm(loc, op.getX(), op.getAxis(), {op.getScale()}, types); }

INFER(RotaryOp) {
  Shape x = shapeOf(op.getX()), angles = shapeOf(op.getCos());
  mlir::Type type = typeOf(op.getX()).getElementType();
  if (!mlir::isa<mlir::FloatType>(type))
    return mlir::emitOptionalError(loc, "x of type ", op.getX().getType(), ": floats are turned");
  if (x.empty() || angles.empty() || 2 * angles.back() > x.back())
    return mlir::emitOptionalError(loc, "cos of type ", op.getCos().getType(),
                                   " turns more pairs of the last dimension than ", op.getX().getType(), " has");
  Shape rows(llvm::ArrayRef(x).drop_back());
  for (mlir::Value angle : {op.getCos(), op.getSin()}) {
    Shape own = shapeOf(angle), whole = rows;
    if (own.empty() || own.back() != angles.back() ||
        mlir::failed(broadcastInto(std::nullopt, whole, llvm::ArrayRef(own).drop_back())) || whole != rows)
      return mlir::emitOptionalError(loc, "cos and sin of types ", op.getCos().getType(), " and ",
                                     op.getSin().getType(), " are not angles of the same pairs, for rows of ",
                                     op.getX().getType());
    if (typeOf(angle).getElementType() != type && !typeOf(angle).getElementType().isF32())
      return mlir::emitOptionalError(loc, "angles of type ", angle.getType(), " for x of type ", op.getX().getType(),
                                     ": they have its element type, or f32");
  }
  return sameAs(types, op.getX());
}

INFER(TopKOp) {
  Shape shape = shapeOf(op.getX());
  int64_t axis = op.getAxis(), k = op.getK();
  if (mlir::failed(checkAxis(loc, axis, shape.size())))
    return mlir::failure();
  if (k < 0 || k > shape[axis])
    return mlir::emitOptionalError(loc, "k = ", k, " is outside 0..", shape[axis], ", the size of axis ", axis);
  shape[axis] = k;
  (void)done(types, shape, typeOf(op.getX()).getElementType());
  return done(types, shape, mlir::IntegerType::get(context, 64));
}

INFER(GatherOp) {
  Shape data = shapeOf(op.getData()), shape;
  int64_t axis = op.getAxis();
  if (mlir::failed(checkIndices(loc, op.getIndices())) || mlir::failed(checkAxis(loc, axis, data.size())))
    return mlir::failure();
  shape.append(data.begin(), data.begin() + axis);
  llvm::append_range(shape, shapeOf(op.getIndices()));
  shape.append(data.begin() + axis + 1, data.end());
  return done(types, shape, typeOf(op.getData()).getElementType());
}

INFER(GatherElementsOp) {
  if (mlir::failed(checkIndices(loc, op.getIndices())) ||
      mlir::failed(checkAxis(loc, op.getAxis(), shapeOf(op.getData()).size())))
    return mlir::failure();
  if (shapeOf(op.getData()).size() != shapeOf(op.getIndices()).size())
    return mlir::emitOptionalError(loc, "data of type ", op.getData().getType(), " and indices of type ",
                                   op.getIndices().getType(), " need the same rank");
  return done(types, shapeOf(op.getIndices()), typeOf(op.getData()).getElementType());
}

INFER(GatherNdOp) {
  Shape data = shapeOf(op.getData()), indices = shapeOf(op.getIndices());
  int64_t batch = op.getBatchDims();
  if (mlir::failed(checkIndices(loc, op.getIndices())))
    return mlir::failure();
  if (indices.empty() || batch < 0 || batch >= static_cast<int64_t>(indices.size()) ||
      batch + indices.back() > static_cast<int64_t>(data.size()))
    return mlir::emitOptionalError(loc, "indices of type ", op.getIndices().getType(), " with ", batch,
                                   " batch dimensions do not fit data of type ", op.getData().getType());
  if (llvm::ArrayRef(indices).take_front(batch) != llvm::ArrayRef(data).take_front(batch))
    return mlir::emitOptionalError(loc, "data of type ", op.getData().getType(), " and indices of type ",
                                   op.getIndices().getType(), " differ in their ", batch, " batch dimensions");
  Shape shape(llvm::ArrayRef(indices).drop_back());
  shape.append(data.begin() + batch + indices.back(), data.end());
  return done(types, shape, typeOf(op.getData()).getElementType());
}

INFER(ScatterNdOp) {
  Shape data = shapeOf(op.getData()), indices = shapeOf(op.getIndices()), updates = shapeOf(op.getUpdates());
  if (mlir::failed(checkIndices(loc, op.getIndices())) ||
      mlir::failed(checkSameElements(loc, op.getData(), op.getUpdates())))
    return mlir::failure();
  if (indices.empty() || indices.back() > static_cast<int64_t>(data.size()))
    return mlir::emitOptionalError(loc, "indices of type ", op.getIndices().getType(), " do not fit data of type ",
                                   op.getData().getType());
  Shape expected(llvm::ArrayRef(indices).drop_back());
  expected.append(data.begin() + indices.back(), data.end());
  if (updates != expected)
    return mlir::emitOptionalError(loc, "updates of type ", op.getUpdates().getType(), " do not fit indices of type ",
                                   op.getIndices().getType(), " into ", op.getData().getType());
  return sameAs(types, op.getData());
}

INFER(ScatterElementsOp) {
  Shape data = shapeOf(op.getData()), indices = shapeOf(op.getIndices());
  if (mlir::failed(checkIndices(loc, op.getIndices())) ||
      mlir::failed(checkSameElements(loc, op.getData(), op.getUpdates())) ||
      mlir::failed(checkAxis(loc, op.getAxis(), data.size())))
    return mlir::failure();
  if (indices.size() != data.size() || shapeOf(op.getUpdates()) != indices)
    return mlir::emitOptionalError(loc, "indices of type ", op.getIndices().getType(), " and updates of type ",
                                   op.getUpdates().getType(), " need one shape, of the data's rank");
  return sameAs(types, op.getData());
}

INFER(TransposeOp) {
  Shape x = shapeOf(op.getX()), shape;
  llvm::SmallVector<bool> seen(x.size(), false);
  for (int64_t dim : op.getPermutation()) {
    if (dim < 0 || dim >= static_cast<int64_t>(x.size()) || seen[dim])
      return mlir::emitOptionalError(loc, "the permutation is not one of ", x.size(), " dimensions");
    seen[dim] = true;
    shape.push_back(x[dim]);
  }
  if (shape.size() != x.size())
    return mlir::emitOptionalError(loc, "the permutation has ", shape.size(), " entries for ", x.size(), " dimensions");
  return done(types, shape, typeOf(op.getX()).getElementType());
}

INFER(ConcatOp) {
  if (op.getInputs().empty())
    return mlir::emitOptionalError(loc, "needs at least one input");
  Shape shape = shapeOf(op.getInputs().front());
  int64_t axis = op.getAxis();
  if (mlir::failed(checkAxis(loc, axis, shape.size())))
    return mlir::failure();
  for (mlir::Value input : llvm::drop_begin(op.getInputs())) {
    Shape other = shapeOf(input);
    int64_t extent = axis < static_cast<int64_t>(other.size()) ? other[axis] : 0;
    if (other.size() == shape.size())
      other[axis] = shape[axis];
    if (other != shape || typeOf(input).getElementType() != typeOf(op.getInputs().front()).getElementType())
      return mlir::emitOptionalError(loc, "cannot join ", input.getType(), " with ", op.getInputs().front().getType(),
                                     " along axis ", axis);
    shape[axis] += extent;
  }
  return done(types, shape, typeOf(op.getInputs().front()).getElementType());
}

} // namespace llmpar
