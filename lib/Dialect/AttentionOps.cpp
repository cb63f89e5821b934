//===- AttentionOps.cpp - Rules and types of attention and its gradient -----===//
#include "llmpar/Dialect/Llmpar.h"

namespace llmpar {
namespace {

using Loc = std::optional<mlir::Location>;
using Types = llvm::SmallVectorImpl<mlir::Type>;

mlir::RankedTensorType typeOf(mlir::Value value) { return mlir::cast<mlir::RankedTensorType>(value.getType()); }
Shape shapeOf(mlir::Value value) { return Shape(typeOf(value).getShape()); }

/// The factors of one leading dimension, major first: those of the fewest heads, then what others have more.
///   q 8, k 2, v 4 -> q (2 2 2), k 2, v (2 2)
struct LeadingFactors {
  llvm::SmallVector<int, 1> q, k, v;
};
LeadingFactors addLeading(FactorRule &rule, int64_t dim, int64_t q, int64_t k, int64_t v, FactorKind shared) {
  LeadingFactors factors;
  std::string name = "_" + std::to_string(dim);
  int64_t sizes[] = {std::min(k, v), std::max(k, v), q}, have = 1;
  for (auto [level, size] : llvm::enumerate(sizes)) {
    bool inK = size <= k, inV = size <= v;
    if (int64_t more = have == 0 ? 0 : size / have; more > 1) {
      int factor = rule.add(level == 0 ? name : name + (level == 1 ? "b" : "c"), more,
                            inK && inV ? FactorKind::PassThrough : shared);
      factors.q.push_back(factor);
      if (inK)
        factors.k.push_back(factor);
      if (inV)
        factors.v.push_back(factor);
    }
    have = size;
  }
  return factors;
}

/// Operands q k v, results and masks as they are in the rules of both ops.
struct AttentionRule {
  FactorRule rule;
  int64_t lead;
  TensorFactors q, k, v, y, rows; ///< rows: [.., m]
  int m = -1, n = -1;

  AttentionRule(mlir::Value qValue, mlir::Value kValue, mlir::Value vValue, bool transposeK, bool isGradient) {
    Shape qs = shapeOf(qValue), ks = shapeOf(kValue), vs = shapeOf(vValue);
    lead = static_cast<int64_t>(qs.size()) - 2;
    FactorKind reduced = isGradient ? FactorKind::Sum : FactorKind::PassThrough;
    for (int64_t dim = 0; dim < lead; ++dim) {
      LeadingFactors factors = addLeading(rule, dim, qs[dim], ks[dim], vs[dim], reduced);
      q.push_back(factors.q);
      k.push_back(factors.k);
      v.push_back(factors.v);
    }
    rows = y = q;
    auto add = [&](llvm::StringRef name, int64_t size, FactorKind kind) {
      return size > 1 ? rule.add(name, size, kind) : -1;
    };
    m = add("m", qs[lead], reduced);
    n = add("n", vs[lead], FactorKind::Whole);
    int d = add("d", qs[lead + 1], FactorKind::Whole), e = add("e", vs[lead + 1], reduced);
    auto append = [](TensorFactors &tensor, int factor) {
      tensor.emplace_back();
      if (factor >= 0)
        tensor.back().push_back(factor);
    };
    append(q, m), append(q, d);
    append(k, transposeK ? d : n), append(k, transposeK ? n : d);
    append(v, n), append(v, e);
    append(y, m), append(y, e);
    append(rows, m);
  }

  /// A mask broadcasts to [.., m, n].
  TensorFactors mask(mlir::Value value) const {
    TensorFactors scores(rows);
    scores.emplace_back();
    if (n >= 0)
      scores.back().push_back(n);
    Shape shape = shapeOf(value);
    TensorFactors own(shape.size());
    for (auto [dim, size] : llvm::enumerate(shape))
      if (size != 1)
        own[dim] = scores[scores.size() - shape.size() + dim];
    return own;
  }
};

mlir::LogicalResult checkMask(Loc loc, mlir::Value mask, llvm::ArrayRef<int64_t> scores) {
  mlir::RankedTensorType type = typeOf(mask);
  llvm::ArrayRef<int64_t> shape = type.getShape();
  bool fits = shape.size() <= scores.size() &&
              (mlir::isa<mlir::FloatType>(type.getElementType()) || type.getElementType().isInteger(1));
  for (size_t i = 0; fits && i < shape.size(); ++i)
    fits = shape[i] == 1 || shape[i] == scores[scores.size() - shape.size() + i];
  if (!fits)
    return mlir::emitOptionalError(loc, "mask of type ", type, ": floats or i1 that broadcast to ", type.clone(scores),
                                   " are needed");
  return mlir::success();
}

/// The types of y and lse.
mlir::LogicalResult inferAttention(Loc loc, mlir::Value q, mlir::Value k, mlir::Value v, mlir::ValueRange masks,
                                   bool transposeK, Types &types) {
  Shape qs = shapeOf(q), ks = shapeOf(k), vs = shapeOf(v);
  mlir::Type element = typeOf(q).getElementType();
  bool fits = qs.size() >= 2 && ks.size() == qs.size() && vs.size() == qs.size() &&
              mlir::isa<mlir::FloatType>(element) && typeOf(k).getElementType() == element &&
              typeOf(v).getElementType() == element;
  if (fits) {
    size_t lead = qs.size() - 2;
    if (transposeK)
      std::swap(ks[lead], ks[lead + 1]);
    fits = qs[lead + 1] == ks[lead + 1] && ks[lead] == vs[lead];
    auto divides = [](int64_t a, int64_t b) { return a == b || (a > 0 && b % a == 0); };
    for (size_t dim = 0; fits && dim < lead; ++dim) {
      auto [few, many] = std::minmax(ks[dim], vs[dim]);
      fits = divides(few, many) && divides(many, qs[dim]);
    }
  }
  if (!fits)
    return mlir::emitOptionalError(loc, "operands of types ", q.getType(), ", ", k.getType(), " and ", v.getType(),
                                   ": q [.., m, d], k [.., n, d] and v [.., n, e] of one float type are needed, whose "
                                   "leading dimensions in k and v divide those of q");
  Shape rows(llvm::ArrayRef(qs).drop_back()), scores = rows, y = rows;
  scores.push_back(vs[vs.size() - 2]);
  y.push_back(vs.back());
  for (mlir::Value mask : masks)
    if (mlir::failed(checkMask(loc, mask, scores)))
      return mlir::failure();
  types.push_back(mlir::RankedTensorType::get(y, element));
  types.push_back(
      mlir::RankedTensorType::get(rows, element.isF64() ? element : mlir::Float32Type::get(element.getContext())));
  return mlir::success();
}

} // namespace

FactorRule AttentionOp::getFactorRule() {
  AttentionRule attention(getQ(), getK(), getV(), getTransposeK(), /*isGradient=*/false);
  FactorRule &rule = attention.rule;
  rule.operands = {attention.q, attention.k, attention.v};
  for (mlir::Value mask : getMasks())
    rule.operands.push_back(attention.mask(mask));
  rule.results = {attention.y, attention.rows};
  return rule;
}

// Sums over m (and over heads that share a key) are partial in dk and dv, sums over e in dq and dk.
FactorRule AttentionGradOp::getFactorRule() {
  AttentionRule attention(getQ(), getK(), getV(), getTransposeK(), /*isGradient=*/true);
  FactorRule &rule = attention.rule;
  rule.operands = {attention.q, attention.k, attention.v, attention.y, attention.rows, attention.y};
  for (mlir::Value mask : getMasks())
    rule.operands.push_back(attention.mask(mask));
  rule.results = {attention.q, attention.k, attention.v};
  return rule;
}

#define INFER(Op) mlir::LogicalResult Op::inferReturnTypes(mlir::MLIRContext *, Loc loc, Op::Adaptor op, Types &types)

INFER(AttentionOp) {
  return inferAttention(loc, op.getQ(), op.getK(), op.getV(), op.getMasks(), op.getTransposeK(), types);
}
INFER(AttentionGradOp) {
  llvm::SmallVector<mlir::Type> results;
  if (mlir::failed(inferAttention(loc, op.getQ(), op.getK(), op.getV(), op.getMasks(), op.getTransposeK(), results)))
    return mlir::failure();
  for (auto [value, type] : {std::pair(op.getY(), results[0]), {op.getLse(), results[1]}, {op.getDy(), results[0]}})
    if (value.getType() != type)
      return mlir::emitOptionalError(loc, "y, lse or dy of type ", value.getType(), ", expected ", type);
  types.assign({op.getQ().getType(), op.getK().getType(), op.getV().getType()});
  return mlir::success();
}

} // namespace llmpar
