//===- Reductions.cpp - ONNX reductions and softmax -----------------------===//
#include "Handlers.h"

using namespace mlir;

namespace llmpar {
namespace {

// Subtracting the maximum keeps exp in range; it is subtracted again as a log.
Value logSumExp(NodeImporter &n, Value x, llvm::ArrayRef<int64_t> axes) {
  Value top = n.reduce("max", x, axes);
  return n.add(n.unary("log", n.reduce("sum", n.unary("exp", n.sub(x, top)), axes)), top);
}

Value reduceBy(NodeImporter &n, llvm::StringRef kind, Value x, llvm::ArrayRef<int64_t> axes) {
  if (kind == "mean")
    return n.mean(x, axes);
  if (kind == "l1")
    return n.reduce("sum", n.unary("abs", x), axes);
  if (kind == "sum_square")
    return n.reduce("sum", n.mul(x, x), axes);
  if (kind == "l2") {
    Value squares = n.reduce("sum", n.mul(x, x), axes);
    Type type = n.elementType(x);
    return n.isFloat(x) ? n.unary("sqrt", squares)
                        : n.cast(n.unary("sqrt", n.cast(squares, n.builder.getF64Type())), type);
  }
  if (kind == "log_sum")
    return n.unary("log", n.reduce("sum", x, axes));
  if (kind == "log_sum_exp")
    return axes.empty() ? x : logSumExp(n, x, axes);
  return n.reduce(kind, x, axes);
}

} // namespace

void importReduce(NodeImporter &n) {
  Value x = n.input(0);
  int64_t rank = n.rank(x);
  Ints axes = n.integersFrom("axes", 1).value_or(Ints());
  if (n.failed())
    return;
  axes = n.normalizeAxes(axes, rank);
  if (n.failed())
    return;
  llvm::sort(axes);
  if (axes.empty() && n.integer("noop_with_empty_axes", 0) == 0)
    for (int64_t i = 0; i < rank; ++i)
      axes.push_back(i);
  bool isBool = n.isBool(x);
  Value reduced = reduceBy(n, n.kind, isBool ? n.cast(x, toMlirType(DType::U8, n.builder.getContext())) : x, axes);
  Ints shape;
  for (int64_t i = 0; i < rank; ++i)
    if (!llvm::is_contained(axes, i))
      shape.push_back(n.dim(x, i));
    else if (n.integer("keepdims", 1) != 0)
      shape.push_back(1);
  n.result(0, n.reshape(isBool ? n.cast(reduced, n.i1()) : reduced, shape));
}

// Before opset 13 softmax runs over all dimensions from axis on.
void importSoftmax(NodeImporter &n) {
  Value x = n.input(0);
  bool log = n.kind == "log", flat = n.opset < 13;
  int64_t rank = n.rank(x), axis = n.axis("axis", flat ? 1 : -1, rank);
  if (n.failed() || !flat || axis == rank - 1)
    return n.result(0, n.softmax(x, axis, log));
  Ints original(n.shape(x)), joined(n.shape(x).take_front(axis));
  int64_t columns = 1;
  for (int64_t i = axis; i < rank; ++i)
    columns *= n.dim(x, i);
  joined.push_back(columns);
  n.result(0, n.reshape(n.softmax(n.reshape(x, joined), axis, log), original));
}

} // namespace llmpar
