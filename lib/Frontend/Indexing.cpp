//===- Indexing.cpp - ONNX gathers, scatters and orderings ----------------===//
#include "Handlers.h"

using namespace mlir;

namespace llmpar {

static llvm::StringRef reductionOf(NodeImporter &n) {
  static const llvm::StringRef names[] = {"none", "add", "mul", "min", "max"};
  return names[n.choice("reduction", names)];
}

void importGather(NodeImporter &n) {
  Value data = n.input(0);
  n.result(0, n.gather(data, n.input(1), n.axis("axis", 0, n.rank(data))));
}

void importGatherElements(NodeImporter &n) {
  Value data = n.input(0);
  n.result(0, n.gatherElements(data, n.input(1), n.axis("axis", 0, n.rank(data))));
}

void importGatherNd(NodeImporter &n) {
  n.result(0, n.emit<GatherNdOp>({n.input(0), n.input(1)}, {n.named("batch_dims", n.integer("batch_dims", 0))}));
}

void importScatterElements(NodeImporter &n) {
  Value data = n.input(0);
  n.result(0,
           n.emit<ScatterElementsOp>({data, n.input(1), n.input(2)}, {n.named("axis", n.axis("axis", 0, n.rank(data))),
                                                                      n.word("reduction", reductionOf(n))}));
}

void importScatterNd(NodeImporter &n) {
  n.result(0, n.emit<ScatterNdOp>({n.input(0), n.input(1), n.input(2)}, {n.word("reduction", reductionOf(n))}));
}

// present[t] = update[t - start] where that exists, else past[t]; modulo the cache's length if circular.
void importTensorScatter(NodeImporter &n) {
  Value past = n.input(0), update = n.input(1);
  int64_t axis = n.axis("axis", -2, n.rank(past)), length = n.dim(past, axis), count = n.dim(update, axis);
  Ints along(n.rank(past), 1), perBatch(n.rank(past), 1);
  if (n.failed() || along.empty())
    return;
  along[axis] = length, perBatch[0] = n.dim(past, 0);
  Value position = n.iota(n.i64(), along, axis);
  if (n.has(2))
    position = n.sub(position, n.reshape(n.cast(n.input(2), n.i64()), perBatch));
  auto integer = [&](int64_t value) { return n.scalar(static_cast<double>(value), n.i64()); };
  if (n.choice("mode", {"linear", "circular"}) == 1)
    position = n.binary("mod", position, integer(length));
  Value isNew =
      n.binary("bit_and", n.binary("greater_equal", position, integer(0)), n.binary("less", position, integer(count)));
  Value source = n.binary("max", n.binary("min", position, integer(count - 1)), integer(0));
  Value moved = count == 1 ? update : n.gatherElements(update, n.broadcast(source, n.shape(past)), axis);
  n.result(0, count == 0 ? past : n.select(isNew, moved, past));
}

void importOneHot(NodeImporter &n) {
  Value indices = n.cast(n.input(0), n.i64()), values = n.input(2);
  int64_t depth = static_cast<int64_t>(n.requireReal(1, "depth"));
  int64_t axis = n.axis("axis", -1, n.rank(indices) + 1);
  if (depth < 0)
    n.error("depth is " + Twine(depth) + "; it must not be negative");
  if (n.failed())
    return;
  Value limit = n.scalar(static_cast<double>(depth), n.i64());
  Value wrapped = n.select(n.binary("less", indices, n.scalar(0, n.i64())), n.add(indices, limit), indices);
  Ints along(n.rank(indices) + 1, 1);
  along[axis] = depth;
  Value isHot = n.binary("equal", n.unsqueeze(wrapped, {axis}), n.iota(n.i64(), along, axis));
  Value off = n.reshape(n.sliceAxis(values, 0, 0, 1), {}), on = n.reshape(n.sliceAxis(values, 0, 1, 1), {});
  n.result(0, n.select(isHot, on, off));
}

void importTopK(NodeImporter &n) {
  Value x = n.input(0);
  int64_t axis = n.axis("axis", -1, n.rank(x));
  int64_t k = n.hasAttribute("k") ? n.integer("k", 1) : n.requireInteger(1, "k");
  if (n.failed())
    return;
  if (k < 0 || k > n.dim(x, axis))
    return void(n.error("k = " + Twine(k) + " is outside an extent of " + Twine(n.dim(x, axis))));
  auto results =
      n.emitAll<TopKOp>({x}, {n.named("k", k), n.named("axis", axis), n.flag("largest", n.integer("largest", 1) != 0)});
  for (auto [i, value] : llvm::enumerate(results))
    n.result(i, value);
}

void importArgReduce(NodeImporter &n) {
  Value x = n.input(0);
  n.result(0, n.argReduce(x, n.axis("axis", 0, n.rank(x)), n.integer("keepdims", 1) != 0, n.kind == "max",
                          n.integer("select_last_index", 0) != 0));
}

void importCumSum(NodeImporter &n) {
  Value x = n.input(0);
  int64_t axis = n.normalizeAxis(n.requireInteger(1, "axis"), n.rank(x));
  n.result(0, n.emit<CumsumOp>({x}, {n.named("axis", axis), n.flag("exclusive", n.integer("exclusive", 0) != 0),
                                     n.flag("reverse", n.integer("reverse", 0) != 0)}));
}

// Before opset 13 the input counts as a matrix, split at axis.
void importHardmax(NodeImporter &n) {
  Value x = n.input(0);
  int64_t axis = n.axis("axis", n.opset < 13 ? 1 : -1, n.rank(x));
  Ints original(n.shape(x));
  if (n.opset < 13) {
    int64_t columns = 1;
    for (int64_t i = axis; i < n.rank(x); ++i)
      columns *= n.dim(x, i);
    x = n.reshape(x, {columns == 0 ? 0 : n.numElements(x) / columns, columns});
    axis = 1;
  }
  if (n.failed())
    return;
  Ints along(n.rank(x), 1);
  along[axis] = n.dim(x, axis);
  Value best = n.argReduce(x, axis, /*keepDims=*/true, /*largest=*/true);
  Value isBest = n.binary("equal", best, n.iota(n.i64(), along, axis));
  n.result(0, n.reshape(n.cast(isBest, n.elementType(x)), original));
}

} // namespace llmpar
