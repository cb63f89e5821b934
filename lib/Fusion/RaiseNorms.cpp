//===- RaiseNorms.cpp - Layer and RMS normalisation as they are written ------===//
//
//   variance = mean of c^2 over the last dimensions     c = x - mean x (layer_norm), or x (rms_norm)
//   y = c (variance + epsilon)^-1/2 [* scale] [+ bias]
//
// The root may be rsqrt, 1 / sqrt, a quotient or a power; scale may be applied to it first. TensorFlow writes
// x r + (bias - mean r) with r = scale (variance + epsilon)^-1/2.
//
//===----------------------------------------------------------------------===//
#include "llmpar/Fusion/Fusions.h"
#include "llmpar/Fusion/Passes.h"

#include "Algebra.h"

using namespace mlir;

namespace llmpar {
#define GEN_PASS_DEF_RAISENORMS
#include "llmpar/Fusion/Passes.h.inc"

namespace {

/// x of a mean over dimensions that stay, with size 1.
struct Mean {
  Value x;
  ArrayRef<int64_t> axes;
};
std::optional<Mean> matchMean(Value value, Algebra::Operations &ops) {
  Algebra algebra;
  Monomial monomial = algebra.monomial(value);
  if (monomial.powers.size() != 1 || monomial.powers[0].second != 1)
    return std::nullopt;
  auto sum = monomial.powers[0].first.getDefiningOp<ReduceOp>();
  if (!sum || sum.getKind() != "sum" || !sum.getKeepDims())
    return std::nullopt;
  double count = 1;
  for (int64_t axis : sum.getAxes())
    count *= static_cast<double>(tensorType(sum.getX()).getDimSize(axis));
  if (!isAbout(monomial.coefficient * count, 1, tensorType(value).getElementType()))
    return std::nullopt;
  ops.insert_range(algebra.operations());
  ops.insert(sum);
  return Mean{sum.getX(), sum.getAxes()};
}

/// (variance + epsilon)^-1/2 and where it comes from.
struct Deviation {
  Value x, centered; ///< equal in rms_norm
  Value mean;        ///< of layer_norm
  Value variance;    ///< + epsilon
  SmallVector<int64_t> axes;
  double epsilon;
  Algebra::Operations ops;
};

std::optional<Deviation> matchDeviation(Value plusEpsilon) {
  Deviation found{};
  found.variance = plusEpsilon;
  Algebra algebra;
  SmallVector<Monomial> terms = algebra.sum(plusEpsilon);
  auto *constant = llvm::find_if(terms, [](const Monomial &term) { return term.powers.empty(); });
  auto add = plusEpsilon.getDefiningOp<BinaryOp>();
  if (terms.size() != 2 || constant == terms.end() || constant->coefficient < 0 || !add || add.getKind() != "add")
    return std::nullopt;
  found.epsilon = constant->coefficient;
  found.ops.insert(add);
  std::optional<Mean> mean = matchMean(constantNumber(add.getA()) ? add.getB() : add.getA(), found.ops);
  if (!mean)
    return std::nullopt;
  found.axes.assign(mean->axes.begin(), mean->axes.end());
  llvm::sort(found.axes);

  // c * c, or c^2.
  auto square = mean->x.getDefiningOp<BinaryOp>();
  bool isSquare = square && ((square.getKind() == "mul" && square.getA() == square.getB()) ||
                             (square.getKind() == "pow" && constantNumber(square.getB()) == 2.0));
  if (!isSquare)
    return std::nullopt;
  found.ops.insert(square);
  found.x = found.centered = square.getA();

  auto centered = found.x.getDefiningOp<BinaryOp>();
  if (!centered || centered.getKind() != "sub")
    return found;
  Algebra::Operations ops;
  std::optional<Mean> shift = matchMean(centered.getB(), ops);
  if (!shift || shift->x != centered.getA() || !llvm::equal(shift->axes, mean->axes))
    return found; // of what is centered in another way
  found.x = shift->x;
  found.mean = centered.getB();
  found.ops.insert_range(ops);
  found.ops.insert(centered);
  return found;
}

struct Norm {
  Operation *root = nullptr;
  Value scale, bias; ///< null: 1, 0
  double factor = 1; ///< of a scale that is one number
  Algebra::Operations ops;
};

/// Whether a value is the same for every row of the type's dimensions axis...
bool isRow(Value value, RankedTensorType type, int64_t axis) {
  ArrayRef<int64_t> shape = tensorType(value).getShape();
  int64_t leading = static_cast<int64_t>(shape.size()) - (type.getRank() - axis);
  return static_cast<int64_t>(shape.size()) <= type.getRank() &&
         llvm::all_of(shape.take_front(std::max<int64_t>(leading, 0)), [](int64_t size) { return size == 1; });
}

class NormMatcher {
public:
  NormMatcher(Value deviation, const Deviation &parts)
      : parts(parts), type(tensorType(parts.x)), axis(parts.axes.front()), atoms{parts.centered, parts.variance} {
    follow(deviation);
  }
  Norm best;

private:
  const Deviation &parts;
  RankedTensorType type;
  int64_t axis;
  SmallVector<Value, 2> atoms;

  void follow(Value value) {
    if (!value.hasOneUse())
      matchDistributed(value);
    while (!best.root) {
      Operation *user = multiplyingUser(value);
      if (!user)
        return;
      value = user->getResult(0);
      if (!matchScaled(value) && !value.hasOneUse())
        matchDistributed(value);
    }
    // Scale and bias, if nothing else uses the norm without.
    for (value = best.root->getResult(0); value.hasOneUse(); value = best.root->getResult(0)) {
      Operation *user = *value.user_begin(), *before = best.root;
      if (user->getNumResults() == 1 && !matchScaled(user->getResult(0)))
        matchBias(user->getResult(0), value);
      if (best.root == before || best.bias)
        return;
    }
  }

  bool fits(Value value) const { return tensorType(value).getShape() == type.getShape(); }

  /// c (variance + epsilon)^-1/2 scale
  bool matchScaled(Value value) {
    Algebra algebra(atoms);
    Monomial monomial = algebra.monomial(value);
    Value scale;
    for (auto [base, exponent] : monomial.powers) {
      if (base == parts.centered || base == parts.variance)
        continue;
      if (scale || exponent != 1 || !isRow(base, type, axis))
        return false;
      scale = base;
    }
    if (monomial.exponentOf(parts.centered) != 1 || monomial.exponentOf(parts.variance) != -0.5 || !fits(value) ||
        (scale && monomial.coefficient != 1))
      return false;
    best = {value.getDefiningOp(), scale, Value(), monomial.coefficient, algebra.operations()};
    return true;
  }

  void matchBias(Value sum, Value norm) {
    auto add = sum.getDefiningOp<BinaryOp>();
    if (!add || add.getKind() != "add" || !fits(sum) || !parts.mean)
      return;
    Value bias = add.getA() == norm ? add.getB() : add.getA();
    if (bias == norm || !isRow(bias, type, axis))
      return;
    best.ops.insert(best.root);
    best.root = add;
    best.bias = bias;
  }

  /// factor = scale (variance + epsilon)^-1/2, with x factor + (bias - mean factor).
  void matchDistributed(Value factor) {
    SmallVector<Operation *> users(factor.user_begin(), factor.user_end());
    if (!parts.mean || users.size() != 2)
      return;
    auto productWith = [&](Value other) -> Value {
      for (Operation *user : users)
        if (auto mul = dyn_cast<BinaryOp>(user);
            mul && mul.getKind() == "mul" && llvm::is_contained(mul->getOperands(), other))
          return mul.getResult();
      return Value();
    };
    Value scaled = productWith(parts.x), shift = productWith(parts.mean);
    if (!scaled || !shift || !scaled.hasOneUse())
      return;
    Operation *root = *scaled.user_begin();
    if (root->getNumResults() != 1 || !fits(root->getResult(0)))
      return;
    Algebra algebra({scaled, shift});
    Value bias;
    for (const Monomial &term : algebra.sum(root->getResult(0))) {
      if (term.powers.size() != 1 || term.powers[0].second != 1)
        return;
      Value value = term.powers[0].first;
      double expected = value == shift ? -1 : 1;
      if (term.coefficient != expected || (value != shift && value != scaled && (bias || !isRow(value, type, axis))))
        return;
      if (value != shift && value != scaled)
        bias = value;
    }
    Algebra inner({parts.variance});
    Monomial monomial = inner.monomial(factor);
    if (monomial.powers.size() > 2 || monomial.exponentOf(parts.variance) != -0.5)
      return;
    Value scale;
    for (auto [base, exponent] : monomial.powers)
      if (base != parts.variance) {
        if (exponent != 1 || monomial.coefficient != 1 || !isRow(base, type, axis))
          return;
        scale = base;
      }
    best = {root, scale, bias, monomial.coefficient, algebra.operations()};
    best.ops.insert_range(inner.operations());
    best.ops.insert(scaled.getDefiningOp());
    best.ops.insert(shift.getDefiningOp());
  }
};

void createNorm(const Deviation &parts, const Norm &norm) {
  OpBuilder builder(norm.root);
  OpWriter write{builder, norm.root->getLoc()};
  Value result = norm.root->getResult(0), x = parts.x;
  Type type = tensorType(result).getElementType();
  // Kernels compute narrow floats in f32.
  if (auto cast = x.getDefiningOp<CastOp>(); cast && tensorType(cast.getX()).getElementType() == type)
    x = cast.getX();
  Type element = tensorType(x).getElementType();
  Value scale = norm.scale ? write.cast(norm.scale, element) : write.reshape(write.scalar(norm.factor, x), {1});
  Value bias = norm.bias ? write.cast(norm.bias, element) : Value();
  auto axis = builder.getI64IntegerAttr(parts.axes.front());
  auto epsilon = builder.getF64FloatAttr(parts.epsilon);
  Value y = parts.mean ? LayerNormOp::create(builder, write.loc, x, scale, bias, axis, epsilon).getResult()
                       : RmsNormOp::create(builder, write.loc, x, scale, axis, epsilon).getResult();
  result.replaceAllUsesWith(write.cast(y, type));
}

void raise(Operation *root, Value plusEpsilon, FusionReport *report) {
  std::optional<Deviation> parts = matchDeviation(plusEpsilon);
  if (!parts)
    return;
  auto give = [&](Operation *last, const Algebra::Operations &ops, std::string missing) {
    if (report)
      report->push_back({parts->mean ? "layer_norm" : "rms_norm", nodeNames(ops, last), std::move(missing)});
  };
  int64_t rank = tensorType(parts->x).getRank();
  auto last = llvm::seq<int64_t>(rank - static_cast<int64_t>(parts->axes.size()), rank);
  if (!llvm::equal(parts->axes, last)) {
    std::string axes;
    llvm::raw_string_ostream os(axes);
    llvm::interleaveComma(parts->axes, os);
    return give(root, parts->ops,
                "it is over dimensions " + axes + " of " + std::to_string(rank) + ", not over the last ones");
  }
  Norm norm = NormMatcher(root->getResult(0), *parts).best;
  if (!norm.root)
    return;
  norm.ops.insert_range(parts->ops);
  if (Operation *user = userOutside(norm.ops, norm.root))
    return give(norm.root, norm.ops, "'" + nodeName(user) + "' uses a value inside of it too");
  give(norm.root, norm.ops, "");
  createNorm(*parts, norm);
  eraseUnused(norm.ops, norm.root);
}

struct RaiseNorms : impl::RaiseNormsBase<RaiseNorms> {
  using Base::Base;
  void runOnOperation() override {
    for (auto function : getOperation().getOps<func::FuncOp>())
      if (!function.isExternal())
        raiseNorms(function);
  }
};

} // namespace

void raiseNorms(func::FuncOp function, FusionReport *report) {
  SmallVector<std::pair<Operation *, Value>> roots; ///< of variance + epsilon
  for (Operation &op : function.getBody().front()) {
    if (auto unary = dyn_cast<UnaryOp>(op); unary && (unary.getKind() == "sqrt" || unary.getKind() == "rsqrt"))
      roots.emplace_back(&op, unary.getX());
    else if (auto power = dyn_cast<BinaryOp>(op);
             power && power.getKind() == "pow" &&
             (constantNumber(power.getB()) == 0.5 || constantNumber(power.getB()) == -0.5))
      roots.emplace_back(&op, power.getA());
  }
  for (auto [root, variance] : roots)
    raise(root, variance, report);
}

} // namespace llmpar
