//===- ComputedFactorRules.cpp - Rules that depend on attributes or shapes --===//
//
// Each op without a rule in TableGen states it here. A dimension without a factor
// is whole; dimensions of size 1 never carry one.
//
//===----------------------------------------------------------------------===//
#include "llmpar/Dialect/Llmpar.h"

namespace llmpar {
namespace {

Shape shapeOf(mlir::Value value) { return Shape(mlir::cast<mlir::ShapedType>(value.getType()).getShape()); }

/// A rule with the shapes of `op`'s operands and results and no factors yet.
FactorRule emptyRule(mlir::Operation *op) {
  FactorRule rule;
  for (const Shape &shape : operandShapes(op))
    rule.operands.emplace_back(shape.size());
  for (const Shape &shape : resultShapes(op))
    rule.results.emplace_back(shape.size());
  return rule;
}

std::string nameAt(int64_t dim) { return "d" + std::to_string(dim); }

/// One factor for a dimension of several tensors; those with size 1 there (broadcast) go without.
int addShared(FactorRule &rule, llvm::StringRef name, int64_t size,
              std::initializer_list<std::pair<TensorFactors *, int64_t>> places, FactorKind kind = FactorKind::PassThrough,
              bool offset = false) {
  if (size <= 1)
    return -1;
  int factor = rule.add(name, size, kind, offset);
  for (auto [tensor, dim] : places)
    (*tensor)[dim] = {factor};
  return factor;
}

/// x and the results have the same rank: a dimension has a factor of the kind that `kindOf` says.
template <typename KindOf> FactorRule alignedRuleOfKinds(mlir::Operation *op, KindOf kindOf) {
  FactorRule rule = emptyRule(op);
  Shape x = shapeOf(op->getOperand(0));
  for (int64_t dim = 0, rank = x.size(); dim < rank; ++dim) {
    FactorKind kind = kindOf(dim);
    if (kind == FactorKind::Whole || x[dim] <= 1)
      continue;
    int factor = rule.add(nameAt(dim), x[dim], kind);
    rule.operands[0][dim] = {factor};
    for (TensorFactors &result : rule.results)
      result[dim] = {factor};
  }
  return rule;
}

/// Every dimension for which `isFree` holds passes through.
template <typename IsFree> FactorRule alignedRule(mlir::Operation *op, IsFree isFree) {
  return alignedRuleOfKinds(op, [&](int64_t dim) { return isFree(dim) ? FactorKind::PassThrough : FactorKind::Whole; });
}

/// Dimensions from `axis` on need statistics over all of them. Scale and bias broadcast from the right and share the
/// factors of x.
FactorRule normRule(mlir::Operation *op, int64_t axis) {
  FactorRule rule =
      alignedRuleOfKinds(op, [&](int64_t dim) { return dim < axis ? FactorKind::PassThrough : FactorKind::Combine; });
  int64_t rank = rule.operands[0].size();
  for (size_t operand = 1; operand < rule.operands.size(); ++operand) {
    Shape shape = shapeOf(op->getOperand(operand));
    int64_t own = shape.size();
    for (int64_t dim = 0; dim < own; ++dim)
      if (int64_t at = rank - own + dim; shape[dim] != 1 && !rule.operands[0][at].empty())
        rule.operands[operand][dim] = rule.operands[0][at];
  }
  return rule;
}

FactorKind reduceFactorKind(llvm::StringRef kind) {
  if (kind == "max")
    return FactorKind::Max;
  if (kind == "min")
    return FactorKind::Min;
  return kind == "prod" ? FactorKind::Prod : FactorKind::Sum;
}

/// Sources have no operands: every dimension of the result may be sharded.
FactorRule sourceRule(mlir::Operation *op, int64_t offsetAxis = -1) {
  FactorRule rule = emptyRule(op);
  for (auto [dim, size] : llvm::enumerate(resultShapes(op)[0]))
    addShared(rule, nameAt(dim), size, {{&rule.results[0], dim}}, FactorKind::PassThrough,
              static_cast<int64_t>(dim) == offsetAxis);
  return rule;
}

} // namespace

llvm::SmallVector<Shape> operandShapes(mlir::Operation *op) {
  return llvm::to_vector(llvm::map_range(op->getOperands(), shapeOf));
}
llvm::SmallVector<Shape> resultShapes(mlir::Operation *op) {
  return llvm::to_vector(llvm::map_range(op->getResults(), [](mlir::Value v) { return shapeOf(v); }));
}

FactorRule LoadWeightOp::getFactorRule() { return sourceRule(*this); }
FactorRule ConstantOp::getFactorRule() { return sourceRule(*this); }
FactorRule IotaOp::getFactorRule() { return sourceRule(*this, getAxis()); }

FactorRule MatmulOp::getFactorRule() {
  std::string rule = std::string(getTransposeA() ? "... k m, " : "... m k, ") +
                     (getTransposeB() ? "... n k" : "... k n") + " -> ... m n ; sum(k)";
  return parseFactorRule(rule, operandShapes(*this), resultShapes(*this));
}

FactorRule ExpertsOp::getFactorRule() {
  std::string rule = std::string("... h, ... e, e f h, e g f") + (getGate() ? ", e f h" : "") +
                     " -> ... g ; sum(e) sum(f) whole(h)";
  return parseFactorRule(rule, operandShapes(*this), resultShapes(*this));
}

// n, output channels and (without groups) input channels; space is whole: a shard would need a halo.
FactorRule ConvOp::getFactorRule() {
  FactorRule rule = emptyRule(*this);
  Shape x = shapeOf(getX()), w = shapeOf(getW());
  addShared(rule, "n", x[0], {{&rule.operands[0], 0}, {&rule.results[0], 0}});
  if (getGroup() != 1)
    return rule;
  int out = addShared(rule, "o", w[0], {{&rule.operands[1], 0}, {&rule.results[0], 1}});
  if (!getBias())
    addShared(rule, "c", x[1], {{&rule.operands[0], 1}, {&rule.operands[1], 1}}, FactorKind::Sum);
  else if (out >= 0) // a partial sum would add the bias once per shard: channels stay whole
    rule.operands[2][0] = {out};
  return rule;
}

FactorRule PoolOp::getFactorRule() {
  return alignedRule(*this, [](int64_t dim) { return dim < 2; });
}

FactorRule ReduceOp::getFactorRule() {
  FactorRule rule = emptyRule(*this);
  Shape x = shapeOf(getX());
  int64_t out = 0;
  for (int64_t dim = 0, rank = x.size(); dim < rank; ++dim) {
    bool reduced = llvm::is_contained(getAxes(), dim);
    if (reduced)
      addShared(rule, nameAt(dim), x[dim], {{&rule.operands[0], dim}}, reduceFactorKind(getKind()));
    else
      addShared(rule, nameAt(dim), x[dim], {{&rule.operands[0], dim}, {&rule.results[0], out}});
    out += !reduced || getKeepDims();
  }
  return rule;
}

FactorRule SoftmaxOp::getFactorRule() {
  return alignedRuleOfKinds(*this, [&](int64_t dim) {
    return dim == static_cast<int64_t>(getAxis()) ? FactorKind::Combine : FactorKind::PassThrough;
  });
}
FactorRule LayerNormOp::getFactorRule() { return normRule(*this, getAxis()); }
FactorRule RmsNormOp::getFactorRule() { return normRule(*this, getAxis()); }
FactorRule CumsumOp::getFactorRule() {
  return alignedRule(*this, [&](int64_t dim) { return dim != static_cast<int64_t>(getAxis()); });
}
FactorRule TopKOp::getFactorRule() {
  return alignedRule(*this, [&](int64_t dim) { return dim != static_cast<int64_t>(getAxis()); });
}

FactorRule ArgReduceOp::getFactorRule() {
  FactorRule rule = emptyRule(*this);
  Shape x = shapeOf(getX());
  int64_t out = 0;
  for (int64_t dim = 0, rank = x.size(); dim < rank; ++dim) {
    bool reduced = dim == static_cast<int64_t>(getAxis());
    if (reduced)
      addShared(rule, nameAt(dim), x[dim], {{&rule.operands[0], dim}}, FactorKind::Combine);
    else
      addShared(rule, nameAt(dim), x[dim], {{&rule.operands[0], dim}, {&rule.results[0], out}});
    out += !reduced || getKeepDims();
  }
  return rule;
}

// The gathered axis may be sharded: a rank gives 0 for indices that it does not hold, and the sum is the result.
FactorRule GatherOp::getFactorRule() {
  FactorRule rule = emptyRule(*this);
  Shape data = shapeOf(getData()), indices = shapeOf(getIndices());
  int64_t axis = getAxis(), count = indices.size();
  bool summable = mlir::cast<mlir::ShapedType>(getData().getType()).getElementTypeBitWidth() > 1;
  for (int64_t dim = 0, rank = data.size(); dim < rank; ++dim) {
    if (dim == axis)
      addShared(rule, "v", data[dim], {{&rule.operands[0], dim}}, summable ? FactorKind::Sum : FactorKind::Whole,
                /*offset=*/true);
    else
      addShared(rule, nameAt(dim), data[dim], {{&rule.operands[0], dim}, {&rule.results[0], dim < axis ? dim : dim + count - 1}});
  }
  for (int64_t dim = 0; dim < count; ++dim)
    addShared(rule, "i" + std::to_string(dim), indices[dim], {{&rule.operands[1], dim}, {&rule.results[0], axis + dim}});
  return rule;
}

FactorRule GatherElementsOp::getFactorRule() {
  FactorRule rule = emptyRule(*this);
  Shape data = shapeOf(getData()), indices = shapeOf(getIndices());
  for (int64_t dim = 0, rank = data.size(); dim < rank; ++dim) {
    if (dim == static_cast<int64_t>(getAxis()))
      addShared(rule, "i", indices[dim], {{&rule.operands[1], dim}, {&rule.results[0], dim}});
    else if (data[dim] == indices[dim])
      addShared(rule, nameAt(dim), data[dim], {{&rule.operands[0], dim}, {&rule.operands[1], dim}, {&rule.results[0], dim}});
  }
  return rule;
}

// data [batch.., looked up.., slice..], indices [batch.., i.., tuple] -> [batch.., i.., slice..]
FactorRule GatherNdOp::getFactorRule() {
  FactorRule rule = emptyRule(*this);
  Shape data = shapeOf(getData()), indices = shapeOf(getIndices());
  int64_t batch = getBatchDims(), tuple = indices.back(), outer = indices.size() - 1;
  for (int64_t dim = 0; dim < batch; ++dim)
    addShared(rule, "b" + std::to_string(dim), data[dim], {{&rule.operands[0], dim}, {&rule.operands[1], dim}, {&rule.results[0], dim}});
  for (int64_t dim = batch; dim < outer; ++dim)
    addShared(rule, "i" + std::to_string(dim), indices[dim], {{&rule.operands[1], dim}, {&rule.results[0], dim}});
  for (int64_t dim = batch + tuple, rank = data.size(); dim < rank; ++dim)
    addShared(rule, nameAt(dim), data[dim], {{&rule.operands[0], dim}, {&rule.results[0], outer + dim - batch - tuple}});
  return rule;
}

// Only the dimensions behind the looked-up ones are independent.
FactorRule ScatterNdOp::getFactorRule() {
  FactorRule rule = emptyRule(*this);
  Shape data = shapeOf(getData()), indices = shapeOf(getIndices());
  int64_t tuple = indices.back(), outer = indices.size() - 1;
  for (int64_t dim = tuple, rank = data.size(); dim < rank; ++dim)
    addShared(rule, nameAt(dim), data[dim],
              {{&rule.operands[0], dim}, {&rule.operands[2], outer + dim - tuple}, {&rule.results[0], dim}});
  return rule;
}

FactorRule ScatterElementsOp::getFactorRule() {
  FactorRule rule = emptyRule(*this);
  Shape data = shapeOf(getData()), indices = shapeOf(getIndices());
  for (int64_t dim = 0, rank = data.size(); dim < rank; ++dim)
    if (dim != static_cast<int64_t>(getAxis()) && data[dim] == indices[dim])
      addShared(rule, nameAt(dim), data[dim],
                {{&rule.operands[0], dim}, {&rule.operands[1], dim}, {&rule.operands[2], dim}, {&rule.results[0], dim}});
  return rule;
}

FactorRule TransposeOp::getFactorRule() {
  FactorRule rule = emptyRule(*this);
  Shape x = shapeOf(getX());
  for (auto [out, in] : llvm::enumerate(getPermutation()))
    addShared(rule, nameAt(in), x[in], {{&rule.operands[0], in}, {&rule.results[0], static_cast<int64_t>(out)}});
  return rule;
}

FactorRule ReshapeOp::getFactorRule() { return reshapeFactorRule(shapeOf(getX()), shapeOf(getResult())); }

/// A dimension that is taken whole and in order passes through; others are whole.
FactorRule SliceOp::getFactorRule() {
  Shape x = shapeOf(getX()), y = shapeOf(getResult());
  return alignedRule(*this, [&](int64_t dim) {
    return x[dim] == y[dim] && getStarts()[dim] == 0 && getSteps()[dim] == 1;
  });
}

FactorRule PadOp::getFactorRule() {
  Shape x = shapeOf(getX()), y = shapeOf(getResult());
  return alignedRule(*this, [&](int64_t dim) { return x[dim] == y[dim] && getLow()[dim] == 0; });
}

FactorRule ConcatOp::getFactorRule() {
  FactorRule rule = emptyRule(*this);
  Shape out = shapeOf(getResult());
  for (int64_t dim = 0, rank = out.size(); dim < rank; ++dim) {
    if (dim == static_cast<int64_t>(getAxis()) || out[dim] <= 1)
      continue;
    int factor = rule.add(nameAt(dim), out[dim]);
    rule.results[0][dim] = {factor};
    for (TensorFactors &operand : rule.operands)
      operand[dim] = {factor};
  }
  return rule;
}

} // namespace llmpar
