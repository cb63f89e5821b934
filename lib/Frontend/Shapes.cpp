//===- Shapes.cpp - ONNX operators whose result follows from shapes -------===//
#include "GraphImporter.h"
#include "Handlers.h"
#include "mlir/IR/Matchers.h"
#include <cmath>

using namespace mlir;

namespace llmpar {

void importConstant(NodeImporter &n) {
  if (const auto *tensor = n.attribute("value")) {
    llvm::StringRef name = n.node.output_size() ? llvm::StringRef(n.node.output(0)) : "constant";
    Value value = n.graph.weights.load(n.builder, tensor->t(), TensorHolder::Node, name, n.loc);
    return value ? n.result(0, value) : n.setFailed();
  }
  auto vectorOf = [&](int64_t size, Type type) { return RankedTensorType::get({size}, type); };
  if (n.hasAttribute("value_int"))
    return n.result(0,
                    n.constant(DenseElementsAttr::get(RankedTensorType::get({}, n.i64()), n.integer("value_int", 0))));
  if (const auto *real = n.attribute("value_float"))
    return n.result(0, n.constant(DenseElementsAttr::get(RankedTensorType::get({}, n.f32()), real->f())));
  if (auto integers = n.integers("value_ints"))
    return n.result(0, n.integerVector(*integers));
  if (const auto *reals = n.attribute("value_floats")) {
    llvm::SmallVector<float> values(reals->floats().begin(), reals->floats().end());
    auto type = vectorOf(static_cast<int64_t>(values.size()), n.f32());
    return n.result(0, n.constant(DenseElementsAttr::get(type, llvm::ArrayRef<float>(values))));
  }
  n.error("only tensors, numbers and lists of numbers are supported");
}

void importIdentity(NodeImporter &n) { n.result(0, n.input(0)); }

void importShape(NodeImporter &n) {
  llvm::ArrayRef<int64_t> shape = n.shape(n.input(0));
  int64_t rank = static_cast<int64_t>(shape.size());
  auto clamp = [&](int64_t i) { return std::clamp<int64_t>(i < 0 ? i + rank : i, 0, rank); };
  int64_t start = clamp(n.integer("start", 0)), end = clamp(n.integer("end", rank));
  n.result(0, n.integerVector(shape.slice(start, std::max<int64_t>(end - start, 0))));
}

void importSize(NodeImporter &n) {
  auto type = RankedTensorType::get({}, n.i64());
  n.result(0, n.constant(DenseElementsAttr::get(type, n.numElements(n.input(0)))));
}

// 0 copies the input's extent (unless allowzero), -1 is inferred.
void importReshape(NodeImporter &n) {
  Value x = n.input(0);
  Ints shape = n.requireIntegers(1, "shape");
  if (n.failed())
    return;
  int64_t known = 1, inferred = -1;
  for (auto [i, extent] : llvm::enumerate(shape)) {
    if (extent == 0 && n.integer("allowzero", 0) == 0) {
      if (static_cast<int64_t>(i) >= n.rank(x))
        return void(
            n.error("shape copies dimension " + Twine(i) + " of an input of " + Twine(n.rank(x)) + " dimensions"));
      extent = n.dim(x, static_cast<int64_t>(i));
    } else if (extent == 0 && llvm::is_contained(shape, -1)) {
      return void(n.error("shape has both 0 and -1 with allowzero: -1 could be anything"));
    }
    if (extent == -1 && inferred >= 0)
      return void(n.error("shape has -1 twice"));
    if (extent == -1)
      inferred = static_cast<int64_t>(i);
    else
      known *= extent;
  }
  if (inferred >= 0)
    shape[inferred] = known == 0 ? 0 : n.numElements(x) / known;
  n.result(0, n.reshape(x, shape));
}

void importFlatten(NodeImporter &n) {
  Value x = n.input(0);
  int64_t rank = n.rank(x), axis = n.integer("axis", 1);
  if (axis < -rank || axis > rank)
    return void(n.error("axis " + Twine(axis) + " is outside rank " + Twine(rank)));
  axis = axis < 0 ? axis + rank : axis;
  int64_t rows = 1, columns = 1;
  for (int64_t i = 0; i < rank; ++i)
    (i < axis ? rows : columns) *= n.dim(x, i);
  n.result(0, n.reshape(x, {rows, columns}));
}

void importSqueeze(NodeImporter &n) {
  Value x = n.input(0);
  std::optional<Ints> axes = n.integersFrom("axes", 1);
  if (n.failed())
    return;
  int64_t rank = n.rank(x);
  llvm::SmallVector<bool> drop(rank, false);
  if (axes) {
    Ints normal = n.normalizeAxes(*axes, rank);
    if (n.failed())
      return;
    for (int64_t axis : normal)
      drop[axis] = true;
  }
  Ints shape;
  for (int64_t i = 0; i < rank; ++i) {
    if (axes ? !drop[i] : n.dim(x, i) != 1)
      shape.push_back(n.dim(x, i));
    else if (n.dim(x, i) != 1)
      n.error("dimension " + Twine(i) + " has extent " + Twine(n.dim(x, i)) + ", not 1");
  }
  n.result(0, n.reshape(x, shape));
}

void importUnsqueeze(NodeImporter &n) {
  Value x = n.input(0);
  std::optional<Ints> axes = n.integersFrom("axes", 1);
  if (n.failed())
    return;
  if (!axes)
    return void(n.error("has no axes"));
  int64_t rank = n.rank(x) + static_cast<int64_t>(axes->size());
  Ints normal = n.normalizeAxes(*axes, rank);
  llvm::sort(normal);
  n.result(0, n.unsqueeze(x, normal));
}

void importExpand(NodeImporter &n) {
  Value x = n.input(0);
  Ints shape = n.requireIntegers(1, "shape");
  if (n.failed())
    return;
  int64_t rank = std::max<int64_t>(n.rank(x), static_cast<int64_t>(shape.size()));
  shape.insert(shape.begin(), rank - shape.size(), 1);
  for (int64_t i = 1; i <= n.rank(x); ++i)
    if (shape[rank - i] == 1)
      shape[rank - i] = n.dim(x, -i);
  n.result(0, n.broadcast(x, shape));
}

void importConstantOfShape(NodeImporter &n) {
  Ints shape = n.requireIntegers(0, "shape");
  Value fill = n.scalar(0, n.f32());
  if (const auto *value = n.attribute("value")) {
    fill = n.graph.weights.load(n.builder, value->t(), TensorHolder::Node, "fill", n.loc);
    if (!fill)
      return n.setFailed();
  }
  if (!n.failed())
    n.result(0, n.broadcast(n.reshape(fill, {}), shape));
}

void importRange(NodeImporter &n) {
  double start = n.requireReal(0, "start"), limit = n.requireReal(1, "limit"), delta = n.requireReal(2, "delta");
  if (n.failed())
    return;
  if (delta == 0)
    return void(n.error("delta is 0"));
  double length = std::max(std::ceil((limit - start) / delta), 0.0);
  if (!(length <= static_cast<double>(maxElements)))
    return void(n.error("its length is " + std::to_string(length) + ", more than a program can hold"));
  if (n.integer("stash_type", 1) != ::onnx::TensorProto::FLOAT)
    return void(n.error("stash_type " + Twine(n.integer("stash_type", 1)) + " is not supported, only 1 (FLOAT)"));
  auto count = static_cast<int64_t>(length);
  n.result(0, n.iota(n.elementType(n.input(0)), {count}, 0, start, delta));
}

/// column - row >= k, or <= k, for the last two dimensions of a shape.
static Value compareDiagonal(NodeImporter &n, llvm::StringRef comparison, int64_t rows, int64_t columns, int64_t k) {
  Value row = n.iota(n.i64(), {rows, 1}, 0, static_cast<double>(k));
  return n.binary(comparison, n.iota(n.i64(), {1, columns}, 1), row);
}

void importEyeLike(NodeImporter &n) {
  Value x = n.input(0);
  Type type = n.hasAttribute("dtype") ? n.onnxType(n.integer("dtype", 1)) : n.elementType(x);
  if (n.rank(x) != 2)
    n.error("needs a matrix");
  n.result(0, n.cast(compareDiagonal(n, "equal", n.dim(x, 0), n.dim(x, 1), n.integer("k", 0)), type));
}

void importTrilu(NodeImporter &n) {
  Value x = n.input(0);
  int64_t k = n.has(1) ? n.requireInteger(1, "k") : 0;
  llvm::StringRef comparison = n.integer("upper", 1) ? "greater_equal" : "less_equal";
  n.result(0, n.select(compareDiagonal(n, comparison, n.dim(x, -2), n.dim(x, -1), k), x, n.scalarLike(0, x)));
}

// TorchScript exports take the indices of a constant's elements this way.
void importNonZero(NodeImporter &n) {
  Value x = n.input(0);
  auto values = n.constantReals(x);
  if (!values)
    return void(n.error("the result's shape depends on data: only a constant input is supported"));
  int64_t rank = std::max<int64_t>(n.rank(x), 1);
  std::vector<Ints> found(rank);
  for (auto [linear, value] : llvm::enumerate(*values)) {
    if (value == 0)
      continue;
    int64_t rest = static_cast<int64_t>(linear);
    for (int64_t i = rank - 1; i >= 0; --i) {
      found[i].push_back(rest % n.dim(x, i));
      rest /= n.dim(x, i);
    }
  }
  Ints flat;
  for (const Ints &indices : found)
    flat.append(indices);
  n.result(0, n.reshape(n.integerVector(flat), {rank, static_cast<int64_t>(found.front().size())}));
}

} // namespace llmpar
