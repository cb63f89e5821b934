//===- VerifyCollectives.cpp - A collective fits its mesh and its shapes ----===//
//
// The axis is one of the mesh, dimensions exist, and nothing but the dimensions that the
// op names changes. Before llmpar-localize-shapes (no `llmpar.global`) operand and result
// have the global type. Then both have the shape of their largest shard: with n ranks along
// the axis, a dimension that the op splits goes from d to at least d / n and at most d.
//
//===----------------------------------------------------------------------===//
#include "llmpar/Dialect/Llmpar.h"

namespace llmpar {
namespace {

mlir::RankedTensorType typeOf(mlir::Value value) { return mlir::cast<mlir::RankedTensorType>(value.getType()); }

/// What every collective obeys; `ranks` is set to the size of its axis.
mlir::LogicalResult checkAxis(mlir::Operation *op, llvm::StringRef axis, int64_t &ranks) {
  Mesh mesh = meshOf(op->getParentOfType<mlir::ModuleOp>());
  AxisId id = mesh.find(axis);
  if (id < 0) {
    mlir::InFlightDiagnostic error = op->emitOpError() << "axis '" << axis << "' is not one of the mesh";
    if (mesh.axes.empty())
      return error << ": add `llmpar.mesh @mesh <[\"" << axis << "\"=2]>`";
    error << ", which has";
    for (const MeshAxis &known : mesh.axes)
      error << " '" << known.name << "'";
    return error;
  }
  ranks = mesh.axes[id].size;
  return mlir::success();
}

mlir::LogicalResult checkDim(mlir::Operation *op, llvm::StringRef role, int64_t dim) {
  int64_t rank = typeOf(op->getOperand(0)).getRank();
  if (dim < 0 || dim >= rank)
    return op->emitOpError() << role << " " << dim << " of a value of " << rank << " dimensions";
  return mlir::success();
}

mlir::LogicalResult checkReduction(mlir::Operation *op, llvm::StringRef reduction) {
  if (!reduceKind(reduction))
    return op->emitOpError() << "reduction '" << reduction << "' is unknown: choose sum, max, min or prod";
  return mlir::success();
}

/// Dimensions that the op splits over, and joins from, the ranks of its axis; -1: none.
struct Moves {
  int64_t split = -1, join = -1;
};

mlir::LogicalResult checkTypes(mlir::Operation *op, Moves moves, int64_t ranks) {
  mlir::RankedTensorType x = typeOf(op->getOperand(0)), y = typeOf(op->getResult(0));
  bool isLocal = op->hasAttr(LlmparDialect::kGlobalTypes);
  bool fits = x.getRank() == y.getRank() && x.getElementType() == y.getElementType();
  for (int64_t dim = 0; fits && dim < x.getRank(); ++dim) {
    int64_t from = x.getDimSize(dim), to = y.getDimSize(dim);
    if (isLocal && dim == moves.split)
      fits = to <= from && from <= to * ranks;
    else if (isLocal && dim == moves.join)
      fits = from <= to && to <= from * ranks;
    else
      fits = from == to;
  }
  if (!fits)
    return op->emitOpError() << "over " << ranks << " ranks cannot make " << y << " of " << x
                             << (isLocal ? "" : ": both are the global type before llmpar-localize-shapes");
  return mlir::success();
}

} // namespace

mlir::LogicalResult AllReduceOp::verify() {
  int64_t ranks = 1;
  bool isMean = getReduction() == "mean";
  if (mlir::failed(checkAxis(*this, getAxis(), ranks)) || (!isMean && mlir::failed(checkReduction(*this, getReduction()))))
    return mlir::failure();
  if (mlir::Type type = getX().getType().getElementType(); isMean && !mlir::isa<mlir::FloatType>(type))
    return emitOpError() << "a mean is of floats, not of " << type << ": choose sum, max, min or prod";
  return checkTypes(*this, {}, ranks);
}

mlir::LogicalResult AllGatherOp::verify() {
  int64_t ranks = 1, dim = getDim();
  if (mlir::failed(checkAxis(*this, getAxis(), ranks)) || mlir::failed(checkDim(*this, "dim", dim)))
    return mlir::failure();
  return checkTypes(*this, {.join = dim}, ranks);
}

mlir::LogicalResult ReduceScatterOp::verify() {
  int64_t ranks = 1, dim = getDim();
  if (mlir::failed(checkAxis(*this, getAxis(), ranks)) || mlir::failed(checkReduction(*this, getReduction())) ||
      mlir::failed(checkDim(*this, "dim", dim)))
    return mlir::failure();
  return checkTypes(*this, {.split = dim}, ranks);
}

mlir::LogicalResult AllToAllOp::verify() {
  int64_t ranks = 1, split = getSplitDim(), concat = getConcatDim();
  if (mlir::failed(checkAxis(*this, getAxis(), ranks)) || mlir::failed(checkDim(*this, "split_dim", split)) ||
      mlir::failed(checkDim(*this, "concat_dim", concat)))
    return mlir::failure();
  if (split == concat)
    return emitOpError() << "splits and concatenates dimension " << split << ": choose two dimensions";
  return checkTypes(*this, {.split = split, .join = concat}, ranks);
}

/// x or the result, whichever has all tokens, has one row of the last dimension for each row of routing.
static mlir::LogicalResult checkTokens(mlir::Operation *op, int64_t dim, mlir::Value tokens, mlir::Value routing, int64_t k) {
  mlir::RankedTensorType x = typeOf(tokens), weights = typeOf(routing);
  if (k < 1)
    return op->emitOpError() << "sends a token to " << k << " experts: k is positive";
  if (dim == x.getRank() - 1)
    return op->emitOpError() << "dim " << dim << " is the features of a token: choose one before";
  if (weights.getRank() != x.getRank() || weights.getShape().drop_back() != x.getShape().drop_back())
    return op->emitOpError() << "routing of type " << weights << " is not of the tokens of " << x;
  return mlir::success();
}

mlir::LogicalResult DispatchOp::verify() {
  int64_t ranks = 1, dim = getDim();
  if (mlir::failed(checkAxis(*this, getAxis(), ranks)) || mlir::failed(checkDim(*this, "dim", dim)) ||
      mlir::failed(checkTokens(*this, dim, getResult(), getRouting(), getK())))
    return mlir::failure();
  return checkTypes(*this, {.join = dim}, ranks);
}

mlir::LogicalResult CombineOp::verify() {
  int64_t ranks = 1, dim = getDim();
  if (mlir::failed(checkAxis(*this, getAxis(), ranks)) || mlir::failed(checkDim(*this, "dim", dim)) ||
      mlir::failed(checkTokens(*this, dim, getX(), getRouting(), getK())))
    return mlir::failure();
  return checkTypes(*this, {.split = dim}, ranks);
}

mlir::LogicalResult AllSliceOp::verify() {
  int64_t ranks = 1, dim = getDim();
  if (mlir::failed(checkAxis(*this, getAxis(), ranks)) || mlir::failed(checkDim(*this, "dim", dim)))
    return mlir::failure();
  return checkTypes(*this, {.split = dim}, ranks);
}

} // namespace llmpar
