//===- RaiseActivations.cpp - GELU and SiLU as they are written --------------===//
//
// coefficient * x * gate, where gate is f(p(x)), 1 + f(p(x)) or their inverse, f a function and p a polynomial: the
// table says which of them are one kind of llmpar.unary.
//
//===----------------------------------------------------------------------===//
#include "llmpar/Fusion/Fusions.h"
#include "llmpar/Fusion/Passes.h"

#include "Algebra.h"
#include <cmath>

using namespace mlir;

namespace llmpar {
#define GEN_PASS_DEF_RAISEACTIVATIONS
#include "llmpar/Fusion/Passes.h.inc"

namespace {

constexpr double tanhFactor = 0.7978845608028654; // sqrt(2 / pi)
constexpr double cubic = 0.044715;

struct Form {
  StringRef function;
  bool addsOne;
  double exponent; ///< of the gate
  double coefficient;
  double linear, third; ///< p(x) = linear x + third x^3
  StringRef kind;
};
constexpr Form forms[] = {
    {"erf", true, 1, 0.5, 0.7071067811865476, 0, "gelu"},
    {"tanh", true, 1, 0.5, tanhFactor, cubic * tanhFactor, "gelu_tanh"},
    {"sigmoid", false, 1, 1, 2 * tanhFactor, 2 * cubic * tanhFactor, "gelu_tanh"},
    {"sigmoid", false, 1, 1, 1, 0, "silu"},
    {"tanh", true, 1, 0.5, 0.5, 0, "silu"},
    {"exp", true, -1, 1, -1, 0, "silu"},
};

/// One use of a gate: coefficient x gate = root.
struct Gated {
  Operation *root;
  Value x;
  double coefficient, exponent;
  Polynomial argument;
  Algebra::Operations ops;
};

/// 1 + f, or a multiple of it; f itself if it is not added to.
struct Gate {
  Value value;
  bool addsOne = false;
  double factor = 1;
};
Gate gateOf(UnaryOp function) {
  Value value = function.getResult();
  BinaryOp sum;
  for (Value term = value; term.hasOneUse(); term = sum.getResult()) { // a multiple of it may be added
    sum = dyn_cast<BinaryOp>(*term.user_begin());
    if (!sum || !(constantNumber(sum.getA()) || constantNumber(sum.getB())))
      return {value};
    if (sum.getKind() == "add" || sum.getKind() == "sub")
      break;
  }
  if (!sum)
    return {value};
  Algebra algebra({value});
  SmallVector<Monomial> terms = algebra.sum(sum.getResult());
  if (terms.size() != 2)
    return {value};
  if (terms[0].powers.empty())
    std::swap(terms[0], terms[1]);
  bool isGate = terms[1].powers.empty() && terms[0].powers.size() == 1 && terms[0].exponentOf(value) == 1 &&
                terms[0].coefficient == terms[1].coefficient;
  return isGate ? Gate{sum.getResult(), true, terms[1].coefficient} : Gate{value};
}

std::optional<Gated> matchProduct(UnaryOp function, const Gate &gate, Operation *root, Value x) {
  Algebra product({x, gate.value});
  Monomial monomial = product.monomial(root->getResult(0));
  if (monomial.powers.size() != 2 || monomial.exponentOf(x) != 1)
    return std::nullopt;
  Algebra argument({x});
  std::optional<Polynomial> polynomial = argument.polynomial(function.getX());
  if (!polynomial || (*polynomial)[0] != 0 || (*polynomial)[2] != 0)
    return std::nullopt;
  Algebra inner({function.getResult()});
  inner.sum(gate.value);
  Gated gated{root, x, 0, monomial.exponentOf(gate.value), *polynomial, product.operations()};
  gated.coefficient = monomial.coefficient * std::pow(gate.factor, gated.exponent);
  gated.ops.insert_range(argument.operations());
  gated.ops.insert_range(inner.operations());
  gated.ops.insert(function);
  return gated;
}

/// The products x f(..) that the function gates, innermost first.
SmallVector<Gated> gatedProducts(UnaryOp function) {
  Gate gate = gateOf(function);
  SmallVector<Gated> found;
  SmallVector<Value> candidates;
  Value value = gate.value;
  while (Operation *user = multiplyingUser(value)) {
    if (auto binary = dyn_cast<BinaryOp>(user))
      if (Value other = stripConstantFactors(binary.getA() == value ? binary.getB() : binary.getA());
          !constantNumber(other))
        candidates.push_back(other);
    value = user->getResult(0);
    for (Value x : candidates)
      if (value.getType() == x.getType())
        if (std::optional<Gated> gated = matchProduct(function, gate, user, x))
          found.push_back(std::move(*gated));
  }
  return found;
}

struct Activation {
  StringRef kind;
  double alpha = 1;
};
std::optional<Activation> activationOf(StringRef function, bool addsOne, const Gated &gated) {
  Type type = tensorType(gated.x).getElementType();
  auto [constant, linear, square, third] = gated.argument;
  for (const Form &form : forms) {
    if (form.function != function || form.addsOne != addsOne || form.exponent != gated.exponent ||
        !isAbout(gated.coefficient, form.coefficient, type))
      continue;
    bool isSilu = form.kind == "silu" && third == 0;
    if (isSilu ? linear / form.linear > 0 : isAbout(linear, form.linear, type) && isAbout(third, form.third, type))
      return Activation{form.kind, isSilu ? linear / form.linear : 1};
  }
  return std::nullopt;
}

/// What a gate with other constants was meant to be: its first form, if it has one.
const Form *nearestForm(StringRef function, bool addsOne) {
  if (function == "sigmoid" || function == "exp")
    return nullptr; // any multiple of x is a silu
  const Form *form =
      llvm::find_if(forms, [&](const Form &f) { return f.function == function && f.addsOne == addsOne; });
  return form == std::end(forms) ? nullptr : form;
}

std::string constantsMissed(const Form &form, const Gated &gated) {
  std::string text =
      numberText(gated.coefficient) + " x (1 + " + form.function.str() + "(" + numberText(gated.argument[1]) + " x";
  if (gated.argument[3] != 0)
    text += " + " + numberText(gated.argument[3]) + " x^3";
  text += ")) has other constants: " + numberText(form.coefficient) + " and " + numberText(form.linear);
  return form.third == 0 ? text + " are needed" : text + " and " + numberText(form.third) + " are needed";
}

void raise(UnaryOp function, FusionReport *report) {
  SmallVector<Gated> products = gatedProducts(function);
  bool addsOne = gateOf(function).addsOne;
  for (Gated &gated : products) {
    std::optional<Activation> activation = activationOf(function.getKind(), addsOne, gated);
    if (!activation)
      continue;
    Fusion fusion{activation->kind.str(), nodeNames(gated.ops, gated.root), ""};
    if (Operation *user = userOutside(gated.ops, gated.root)) {
      fusion.missing = "'" + nodeName(user) + "' uses a value inside of it too";
    } else {
      OpBuilder builder(gated.root);
      Value y = UnaryOp::create(builder, gated.root->getLoc(), activation->kind, gated.x,
                                llvm::APFloat(activation->alpha), llvm::APFloat(0.0));
      gated.root->getResult(0).replaceAllUsesWith(y);
      eraseUnused(gated.ops, gated.root);
    }
    if (report)
      report->push_back(std::move(fusion));
    return;
  }
  const Form *form = products.empty() ? nullptr : nearestForm(function.getKind(), addsOne);
  if (form && report)
    report->push_back({form->kind.str(), nodeNames(products.back().ops, products.back().root),
                       constantsMissed(*form, products.back())});
}

struct RaiseActivations : impl::RaiseActivationsBase<RaiseActivations> {
  using Base::Base;
  void runOnOperation() override {
    for (auto function : getOperation().getOps<func::FuncOp>())
      if (!function.isExternal())
        raiseActivations(function);
  }
};

} // namespace

void raiseActivations(func::FuncOp function, FusionReport *report) {
  SmallVector<UnaryOp> functions;
  for (auto unary : function.getBody().front().getOps<UnaryOp>())
    if (llvm::any_of(forms, [&](const Form &form) { return form.function == unary.getKind(); }))
      functions.push_back(unary);
  for (UnaryOp unary : functions)
    raise(unary, report);
}

} // namespace llmpar
