//===- UnrolledExperts.cpp - A mixture with one subgraph for each expert ---===//
//
//   sum over e of down_e(f(gate_e x) * up_e x) * column_e
//   column_e = sum over j of weights[.., j] * (indices[.., j] == e)     keeping the dimension
//
// The sum may have other terms, which stay.
//
//===----------------------------------------------------------------------===//
#include "llmpar/Fusion/Passes.h"

#include "ExpertMatch.h"
#include "llvm/ADT/DenseSet.h"

using namespace mlir;

namespace llmpar {
namespace {

/// x times a weight of two dimensions.
std::optional<Product> matchWeightProduct(Value value, ExpertMatcher::Operations &ops) {
  auto matmul = value.getDefiningOp<MatmulOp>();
  if (!matmul || matmul.getTransposeA())
    return std::nullopt;
  auto weight = matmul.getB().getDefiningOp<LoadWeightOp>();
  if (!weight || tensorType(weight).getRank() != 2)
    return std::nullopt;
  ops.push_back(matmul);
  return Product{.x = matmul.getA(), .weight = weight, .isTransposed = !matmul.getTransposeB(),
                 .size = tensorType(value).getShape().back()};
}

/// The one integer that a constant holds.
std::optional<int64_t> constantInteger(Value value) {
  auto constant = value.getDefiningOp<ConstantOp>();
  auto elements = constant ? dyn_cast<DenseIntElementsAttr>(constant.getValue()) : DenseIntElementsAttr();
  if (!elements || elements.getNumElements() != 1)
    return std::nullopt;
  return (*elements.begin()).getSExtValue();
}

struct Column {
  Choice choice;
  int64_t expert;
};

std::optional<Column> matchColumn(Value value) {
  auto sum = value.getDefiningOp<ReduceOp>();
  if (!sum || sum.getKind() != "sum" || !sum.getKeepDims() || sum.getAxes().size() != 1 ||
      sum.getAxes()[0] != tensorType(value).getRank() - 1)
    return std::nullopt;
  auto masked = sum.getX().getDefiningOp<BinaryOp>();
  if (!masked || masked.getKind() != "mul")
    return std::nullopt;
  for (auto [weights, mask] : {std::pair(masked.getA(), masked.getB()), std::pair(masked.getB(), masked.getA())}) {
    auto cast = mask.getDefiningOp<CastOp>();
    auto equal = cast ? cast.getX().getDefiningOp<BinaryOp>() : BinaryOp();
    if (!equal || equal.getKind() != "equal")
      continue;
    for (auto [indices, number] : {std::pair(equal.getA(), equal.getB()), std::pair(equal.getB(), equal.getA())}) {
      std::optional<int64_t> expert = constantInteger(number);
      std::optional<Choice> choice = expert ? matchChoice(weights, indices) : std::nullopt;
      if (choice)
        return Column{*choice, *expert};
    }
  }
  return std::nullopt;
}

struct Term {
  Expert expert;
  Column column;
};

/// expert(x) * column
std::optional<Term> matchTerm(Value value) {
  auto multiply = value.getDefiningOp<BinaryOp>();
  if (!multiply || multiply.getKind() != "mul" || !value.hasOneUse())
    return std::nullopt;
  for (auto [result, scale] : {std::pair(multiply.getA(), multiply.getB()), std::pair(multiply.getB(), multiply.getA())}) {
    std::optional<Column> column = matchColumn(scale);
    if (!column)
      continue;
    ExpertMatcher matcher(matchWeightProduct);
    std::optional<Expert> expert = matcher.match(result);
    if (!expert || !matcher.isClosed(multiply))
      continue;
    if (tensorType(column->choice.weights).getShape().drop_back() == tensorType(expert->up.x).getShape().drop_back())
      return Term{*expert, *column};
  }
  return std::nullopt;
}

bool isAlike(Product a, Product b) {
  return a.weight.getType() == b.weight.getType() && a.isTransposed == b.isTransposed;
}
bool isAlike(const Term &a, const Term &b) {
  const Expert &x = a.expert, &y = b.expert;
  return a.column.choice == b.column.choice && x.up.x == y.up.x && x.kind == y.kind && x.alpha == y.alpha && x.beta == y.beta &&
         x.gate.has_value() == y.gate.has_value() && (!x.gate || isAlike(*x.gate, *y.gate)) && isAlike(x.up, y.up) &&
         isAlike(x.down, y.down);
}

/// "h.0.up", "h.1.up" -> "h.*.up"
std::string commonName(MutableArrayRef<WeightOp> weights) {
  StringRef first = weights[0].getSymName();
  size_t prefix = first.size(), suffix = first.size();
  for (WeightOp weight : weights) {
    StringRef name = weight.getSymName();
    auto same = [](auto begin, auto end, auto other, auto otherEnd) {
      return static_cast<size_t>(std::mismatch(begin, end, other, otherEnd).first - begin);
    };
    prefix = std::min(prefix, same(first.begin(), first.end(), name.begin(), name.end()));
    suffix = std::min(suffix, same(first.rbegin(), first.rend(), name.rbegin(), name.rend()));
  }
  return (first.take_front(prefix) + "*" + first.take_back(std::min(suffix, first.size() - prefix))).str();
}

class Raiser {
public:
  explicit Raiser(func::FuncOp function) : symbols(function->getParentOfType<ModuleOp>()) {}

  /// `root`: an add that is no term of another one.
  bool raise(BinaryOp root) {
    terms.clear();
    rest.clear();
    collect(root.getA());
    collect(root.getB());
    if (!isComplete() || typeOfTerms() != root.getType())
      return false;
    OpBuilder builder(root);
    Expert stacked = terms[0].expert;
    auto stack = [&](auto of) { return createStack(builder, of); };
    stacked.up.weight = stack([](const Expert &e) { return e.up.weight; });
    stacked.down.weight = stack([](const Expert &e) { return e.down.weight; });
    if (stacked.gate)
      stacked.gate->weight = stack([](const Expert &e) { return e.gate->weight; });
    Value sum = createExperts(builder, root.getLoc(), stacked.up.x, stacked, terms[0].column.choice);
    for (Value other : rest)
      sum = BinaryOp::create(builder, root.getLoc(), "add", other, sum);
    root.replaceAllUsesWith(sum);
    return true;
  }

private:
  SymbolTable symbols;
  SmallVector<Term> terms;
  SmallVector<Value> rest; ///< what else is summed

  void collect(Value value) {
    auto add = value.getDefiningOp<BinaryOp>();
    if (add && add.getKind() == "add" && value.hasOneUse()) {
      collect(add.getA());
      collect(add.getB());
    } else if (std::optional<Term> term = matchTerm(value)) {
      terms.push_back(std::move(*term));
    } else {
      rest.push_back(value);
    }
  }

  Type typeOfTerms() {
    const Expert &expert = terms[0].expert;
    Shape shape(tensorType(expert.up.x).getShape());
    shape.back() = expert.down.size;
    return tensorType(expert.up.x).clone(shape);
  }

  /// Every expert of one top-k once, all alike, each weight from one place.
  bool isComplete() {
    if (terms.size() < 2 || static_cast<int64_t>(terms.size()) != terms[0].column.choice.experts)
      return false;
    llvm::sort(terms, [](const Term &a, const Term &b) { return a.column.expert < b.column.expert; });
    for (auto [index, term] : llvm::enumerate(terms))
      if (term.column.expert != static_cast<int64_t>(index) || !isAlike(terms[0], term))
        return false;
    return true;
  }

  /// One weight whose sources are those of the experts.
  template <typename Of> LoadWeightOp createStack(OpBuilder &builder, Of of) {
    SmallVector<WeightOp> weights;
    SmallVector<Attribute> sources;
    for (const Term &term : terms) {
      weights.push_back(symbols.lookup<WeightOp>(of(term.expert).getWeight()));
      llvm::append_range(sources, weights.back().getSources());
    }
    auto one = mlir::cast<RankedTensorType>(weights[0].getType());
    Shape shape{static_cast<int64_t>(terms.size())};
    llvm::append_range(shape, one.getShape());
    OpBuilder top(weights[0]);
    auto stack = WeightOp::create(top, weights[0].getLoc(), commonName(weights), one.clone(shape), top.getArrayAttr(sources));
    symbols.insert(stack);
    return LoadWeightOp::create(builder, of(terms[0].expert).getLoc(), one.clone(shape), FlatSymbolRefAttr::get(stack.getSymNameAttr()));
  }
};

} // namespace

bool raiseUnrolledExperts(func::FuncOp function) {
  Raiser raiser(function);
  bool any = false;
  auto isTerm = [](BinaryOp add) {
    auto user = add->hasOneUse() ? dyn_cast<BinaryOp>(*add->user_begin()) : BinaryOp();
    return user && user.getKind() == "add";
  };
  for (Operation &op : llvm::make_early_inc_range(function.getBody().front()))
    if (auto add = dyn_cast<BinaryOp>(op); add && add.getKind() == "add" && !isTerm(add))
      any |= raiser.raise(add);
  return any;
}

} // namespace llmpar
