//===- FuseAttention.cpp - Attention without its scores in memory ------------===//
//
//   scores = scale * q k'                then masks: + bias, or select(allowed, scores, fill)
//   y = p v                              p = softmax(scores), or 0 where that is NaN
//
// Behind llmpar-localize-shapes all of that is one rank's own work on the parts that it holds, so that the one op
// is right for it too; where a collective stands between, it is not recognised. k and v that are repeated for each head
// of q are taken from before they are.
//
//===----------------------------------------------------------------------===//
#include "llmpar/Fusion/Fusions.h"
#include "llmpar/Fusion/Passes.h"

#include "Algebra.h"
#include <cmath>

using namespace mlir;

namespace llmpar {
#define GEN_PASS_DEF_FUSEATTENTION
#include "llmpar/Fusion/Passes.h.inc"

namespace {

struct Mask {
  Value value;
  enum { Added, Subtracted, Allowed, Forbidden } kind;
};

struct Attention {
  Value q, k, v;
  SmallVector<Mask> masks;
  double scale = 1, fill = -std::numeric_limits<double>::infinity();
  bool zeroEmpty = false, transposeK = false;
  MatmulOp product; ///< that gives y
  Algebra::Operations ops;
};

bool isFloatCast(Operation *op) {
  auto cast = dyn_cast_or_null<CastOp>(op);
  return cast && isa<FloatType>(tensorType(cast.getX()).getElementType()) &&
         isa<FloatType>(tensorType(cast.getResult()).getElementType());
}

/// A value that is the same along a dimension that it is repeated over: [.., h, 1, ..] broadcast to [.., h, g, ..] and
/// merged to [.., h g, ..]. Gives [.., h, ..], or the value itself.
Value beforeRepetition(Value value) {
  auto merge = value.getDefiningOp<ReshapeOp>();
  auto broadcast = merge ? merge.getX().getDefiningOp<BroadcastOp>() : BroadcastOp();
  auto split = broadcast ? broadcast.getX().getDefiningOp<ReshapeOp>() : ReshapeOp();
  if (!split)
    return value;
  ArrayRef<int64_t> merged = tensorType(merge).getShape(), repeated = tensorType(broadcast).getShape();
  ArrayRef<int64_t> single = tensorType(split).getShape(), source = tensorType(split.getX()).getShape();
  size_t rank = merged.size();
  if (rank < 3 || repeated.size() != rank + 1 || single.size() != rank + 1 || source.size() != rank)
    return value;
  for (size_t dim = 0; dim + 2 < rank; ++dim) {
    bool isIt = single[dim + 1] == 1 && merged[dim] == repeated[dim] * repeated[dim + 1] && source[dim] == single[dim];
    for (size_t other = 0; isIt && other < rank; ++other)
      if (other != dim) {
        size_t at = other < dim ? other : other + 1;
        isIt = merged[other] == repeated[at] && repeated[at] == single[at] && single[at] == source[other];
      }
    if (isIt && repeated[dim] == single[dim])
      return split.getX();
  }
  return value;
}

class AttentionMatcher {
public:
  explicit AttentionMatcher(SoftmaxOp softmax) : softmax(softmax) {}
  Attention found;
  std::string missing; ///< why not, of what is attention otherwise

  /// Whether a product of activations leads to the softmax, or one of them with values behind it.
  bool run() {
    if (softmax.getLog() || static_cast<int64_t>(softmax.getAxis()) + 1 != tensorType(softmax.getX()).getRank())
      return false;
    found.ops.insert(softmax);
    bool hasScores = matchScores(softmax.getX());
    if (!hasScores && missing.empty())
      return false;
    return matchProduct() && (hasScores ? matchShapes() : true);
  }

private:
  SoftmaxOp softmax;

  bool miss(const Twine &why) {
    if (missing.empty())
      missing = why.str();
    return false;
  }
  static std::string quoted(Operation *op) {
    return "'" + nodeName(op) + "' (" + op->getName().stripDialect().str() + ")";
  }

  bool matchScores(Value value) {
    Operation *op = value.getDefiningOp();
    if (!op)
      return false;
    if (auto matmul = dyn_cast<MatmulOp>(op)) {
      if (tensorType(matmul.getB()).getRank() < 3) // a product with a weight: no attention
        return false;
      if (!value.hasOneUse())
        return miss("the scores of " + quoted(op) + " have another user");
      if (matmul.getTransposeA())
        return miss("queries are transposed in " + quoted(op));
      found.q = matmul.getA();
      found.k = matmul.getB();
      found.transposeK = !matmul.getTransposeB();
      found.ops.insert(op);
      std::reverse(found.masks.begin(), found.masks.end());
      return true;
    }
    auto into = [&](Value operand) {
      found.ops.insert(op);
      if (!matchScores(operand)) {
        found.ops.remove(op);
        return false;
      }
      return value.hasOneUse() || miss("the scores of " + quoted(op) + " have another user");
    };
    if (isFloatCast(op))
      return into(op->getOperand(0));
    if (auto select = dyn_cast<SelectOp>(op))
      return matchSelect(select, into);
    auto binary = dyn_cast<BinaryOp>(op);
    if (!binary)
      return leadsToScores(op) && miss("its scores pass " + quoted(op));
    StringRef kind = binary.getKind();
    for (auto [scores, other] : {std::pair(binary.getA(), binary.getB()), std::pair(binary.getB(), binary.getA())}) {
      bool isFirst = scores == binary.getA();
      if (scores.getType() != value.getType() || !leadsToScores(scores.getDefiningOp()))
        continue;
      std::optional<double> number = constantNumber(other);
      if (number && (kind == "mul" || (kind == "div" && isFirst))) {
        size_t masks = found.masks.size();
        if (!into(scores))
          return false;
        if (found.masks.size() != masks)
          return miss("its scores are masked before " + quoted(op) + " scales them");
        found.scale *= kind == "mul" ? *number : 1 / *number;
        return true;
      }
      if (kind == "add" || (kind == "sub" && isFirst)) {
        found.masks.push_back({other, kind == "add" ? Mask::Added : Mask::Subtracted});
        return into(scores);
      }
      return miss("its scores pass " + quoted(op));
    }
    return false;
  }

  template <typename Into> bool matchSelect(SelectOp select, Into into) {
    bool allows = constantNumber(select.getB()).has_value();
    std::optional<double> fill = constantNumber(allows ? select.getB() : select.getA());
    Value scores = allows ? select.getA() : select.getB();
    if (!fill || scores.getType() != select.getType())
      return leadsToScores(select) && miss("its scores pass " + quoted(select));
    for (const Mask &mask : found.masks)
      if ((mask.kind == Mask::Allowed || mask.kind == Mask::Forbidden) && found.fill != *fill)
        return miss("two masks of its scores fill with " + numberText(found.fill) + " and " + numberText(*fill));
    found.fill = *fill;
    found.masks.push_back({select.getCondition(), allows ? Mask::Allowed : Mask::Forbidden});
    return into(scores);
  }

  /// Whether a product of two activations is behind ops of one float operand of this shape.
  static bool leadsToScores(Operation *op) {
    while (op) {
      if (auto matmul = dyn_cast<MatmulOp>(op))
        return tensorType(matmul.getB()).getRank() >= 3;
      if (auto reshape = dyn_cast<ReshapeOp>(op)) {
        op = reshape.getX().getDefiningOp();
        continue;
      }
      if (!isa<BinaryOp, SelectOp, UnaryOp, CastOp>(op))
        return false;
      Operation *next = nullptr;
      for (Value operand : op->getOperands())
        if (tensorType(operand).getShape() == tensorType(op->getResult(0)).getShape() &&
            isa<FloatType>(tensorType(operand).getElementType()) && operand.getDefiningOp() &&
            isa<MatmulOp, BinaryOp, SelectOp, UnaryOp, CastOp, ReshapeOp>(operand.getDefiningOp()) &&
            (!next || isa<MatmulOp>(operand.getDefiningOp())))
          next = operand.getDefiningOp();
      op = next;
    }
    return false;
  }

  /// From the probabilities to y.
  bool matchProduct() {
    Value p = softmax.getResult();
    while (true) {
      SmallVector<Operation *> users(p.user_begin(), p.user_end());
      if (users.size() == 2) { // select(is_nan p, 0, p)
        if (isa<SelectOp>(users[1]))
          std::swap(users[0], users[1]);
        auto select = dyn_cast<SelectOp>(users[0]);
        auto isNan = dyn_cast<UnaryOp>(users[1]);
        if (select && isNan && isNan.getKind() == "is_nan" && select.getCondition() == isNan.getResult() &&
            isNan->hasOneUse() && select.getB() == p && constantNumber(select.getA()) == 0.0) {
          found.ops.insert(select);
          found.ops.insert(isNan);
          found.zeroEmpty = true;
          p = select.getResult();
          continue;
        }
      }
      if (users.size() != 1)
        return miss("its probabilities, of '" + nodeName(softmax) + "', have another user");
      if (isFloatCast(users[0])) {
        found.ops.insert(users[0]);
        p = users[0]->getResult(0);
        continue;
      }
      found.product = dyn_cast<MatmulOp>(users[0]);
      if (!found.product || found.product.getA() != p || found.product.getTransposeA() || found.product.getTransposeB())
        return miss("its probabilities go to " + quoted(users[0]) + ", not to a product with values");
      found.v = found.product.getB();
      return true;
    }
  }

  bool matchShapes() {
    if (!found.transposeK)
      found.k = beforeRepetition(found.k);
    found.v = beforeRepetition(found.v);
    RankedTensorType q = tensorType(found.q), k = tensorType(found.k), v = tensorType(found.v),
                     y = tensorType(found.product);
    auto types = [&] {
      std::string text;
      llvm::raw_string_ostream(text) << q << ", " << k << " and " << v;
      return text;
    };
    int64_t lead = q.getRank() - 2;
    bool fits = k.getRank() == q.getRank() && v.getRank() == q.getRank() && y.getRank() == q.getRank();
    auto divides = [](int64_t a, int64_t b) { return a == b || (a > 0 && b % a == 0); };
    for (int64_t dim = 0; fits && dim < lead; ++dim) {
      auto [few, many] = std::minmax(k.getDimSize(dim), v.getDimSize(dim));
      fits = divides(few, many) && divides(many, q.getDimSize(dim)) && y.getDimSize(dim) == q.getDimSize(dim);
    }
    if (!fits)
      return miss("its queries, keys and values are " + types() + ": heads do not match");
    if (k.getElementType() != q.getElementType() || v.getElementType() != q.getElementType())
      return miss("its queries, keys and values are " + types() + ": one element type is needed");
    return true;
  }
};

/// Whether a gradient is wanted of what a value is computed from.
bool dependsOnWeight(Value value) {
  SmallVector<Value> open{value};
  llvm::SmallPtrSet<Operation *, 16> seen;
  while (!open.empty()) {
    Operation *op = open.pop_back_val().getDefiningOp();
    if (!op || !seen.insert(op).second || !isa<FloatType>(tensorType(op->getResult(0)).getElementType()))
      continue;
    if (isa<LoadWeightOp>(op))
      return true;
    llvm::append_range(open, op->getOperands());
  }
  return false;
}

/// Says what a rank holds of a new op's results, if that is decided already: the same of the leading dimensions of
/// `like`.
class Layouts {
public:
  explicit Layouts(MatmulOp product) : mesh(meshOf(product->getParentOfType<ModuleOp>())), product(product) {}

  void set(Operation *op, ArrayRef<Value> like) const {
    MLIRContext *context = op->getContext();
    if (product->hasAttr(LlmparDialect::kGlobalTypes)) {
      SmallVector<Attribute> types;
      for (auto [result, x] : llvm::zip(op->getResults(), like))
        types.push_back(TypeAttr::get(RankedTensorType::get(globalShape(x).take_front(tensorType(result).getRank()),
                                                            tensorType(result).getElementType())));
      op->setAttr(LlmparDialect::kGlobalTypes, ArrayAttr::get(context, types));
    }
    if (!product->hasAttr(LlmparDialect::kOutShardings))
      return;
    for (auto [result, x] : llvm::zip(op->getResults(), like)) {
      Sharding sharding = shardingOf(x, mesh);
      sharding.dims.truncate(tensorType(result).getRank());
      setSharding(result, sharding, mesh);
    }
  }

private:
  Mesh mesh;
  MatmulOp product;

  ArrayRef<int64_t> globalShape(Value value) const {
    Attribute type;
    if (auto argument = dyn_cast<BlockArgument>(value))
      type = cast<func::FuncOp>(argument.getOwner()->getParentOp())
                 .getArgAttr(argument.getArgNumber(), LlmparDialect::kGlobalTypes);
    else if (auto all = value.getDefiningOp()->getAttrOfType<ArrayAttr>(LlmparDialect::kGlobalTypes))
      type = all[cast<OpResult>(value).getResultNumber()];
    return type ? cast<RankedTensorType>(cast<TypeAttr>(type).getValue()).getShape() : tensorType(value).getShape();
  }
};

void create(const Attention &found) {
  MatmulOp product = found.product;
  OpBuilder builder(product);
  OpWriter write{builder, product.getLoc()};
  SmallVector<Value> masks;
  Layouts layouts(product);
  auto unary = [&](StringRef kind, Value x) {
    Value y = write.unary(kind, x);
    layouts.set(y.getDefiningOp(), {x});
    return y;
  };
  for (const Mask &mask : found.masks)
    masks.push_back(mask.kind == Mask::Subtracted  ? unary("neg", mask.value)
                    : mask.kind == Mask::Forbidden ? unary("logical_not", mask.value)
                                                   : mask.value);
  auto attention = AttentionOp::create(builder, write.loc, found.q, found.k, found.v, masks,
                                       builder.getF64FloatAttr(found.scale), builder.getF64FloatAttr(found.fill),
                                       builder.getBoolAttr(found.zeroEmpty), builder.getBoolAttr(found.transposeK));
  layouts.set(attention, {product.getResult(), product.getResult()});
  product.replaceAllUsesWith(attention.getResult());
  eraseUnused(found.ops, product);
}

struct FuseAttention : impl::FuseAttentionBase<FuseAttention> {
  using Base::Base;
  void runOnOperation() override {
    for (auto function : getOperation().getOps<func::FuncOp>())
      if (!function.isExternal())
        fuseAttention(function, forTraining);
  }
};

} // namespace

void fuseAttention(func::FuncOp function, bool forTraining, FusionReport *report) {
  for (SoftmaxOp softmax : llvm::to_vector(function.getBody().front().getOps<SoftmaxOp>())) {
    AttentionMatcher matcher(softmax);
    bool isAttention = matcher.run() && matcher.missing.empty();
    for (const Mask &mask : matcher.found.masks)
      if (isAttention && forTraining && dependsOnWeight(mask.value)) {
        matcher.missing = "a mask of its scores is trained";
        isAttention = false;
      }
    if (!isAttention && matcher.missing.empty())
      continue;
    Operation *last = matcher.found.product ? matcher.found.product.getOperation() : softmax.getOperation();
    if (report)
      report->push_back({"attention", nodeNames(matcher.found.ops, last), matcher.missing});
    if (isAttention)
      create(matcher.found);
  }
}

} // namespace llmpar
