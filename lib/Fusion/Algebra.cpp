//===- Algebra.cpp - Values as products, sums and polynomials ---------------===//
#include "Algebra.h"

#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "llvm/Support/Format.h"
#include <cmath>

using namespace mlir;

namespace llmpar {

double Monomial::exponentOf(Value value) const {
  for (auto [base, exponent] : powers)
    if (base == value)
      return exponent;
  return 0;
}

void Monomial::multiply(Value value, double exponent) {
  for (auto &[base, sum] : powers)
    if (base == value) {
      sum += exponent;
      return;
    }
  powers.emplace_back(value, exponent);
}

std::optional<double> constantNumber(Value value) {
  auto constant = value.getDefiningOp<ConstantOp>();
  auto elements = constant ? dyn_cast<DenseFPElementsAttr>(constant.getValue()) : DenseFPElementsAttr();
  if (!elements || !elements.isSplat())
    return std::nullopt;
  bool loses;
  llvm::APFloat number = elements.getSplatValue<llvm::APFloat>();
  number.convert(llvm::APFloat::IEEEdouble(), llvm::APFloat::rmNearestTiesToEven, &loses);
  return number.convertToDouble();
}

Value stripConstantFactors(Value value) {
  while (auto op = value.getDefiningOp<BinaryOp>()) {
    if (op.getKind() == "mul" && constantNumber(op.getA()))
      value = op.getB();
    else if ((op.getKind() == "mul" || op.getKind() == "div") && constantNumber(op.getB()))
      value = op.getA();
    else
      break;
  }
  return value;
}

bool isAbout(double value, double number, Type elementType) {
  double tolerance = elementType.isF16() || elementType.isBF16() ? 4e-3 : 1e-4;
  return std::abs(value - number) <= tolerance * std::abs(number);
}

/// x of a conversion between floats; null otherwise.
static Value convertedFloat(Value value) {
  auto cast = value.getDefiningOp<CastOp>();
  bool isFloat = cast && isa<FloatType>(tensorType(cast.getX()).getElementType()) &&
                 isa<FloatType>(tensorType(value).getElementType());
  return isFloat ? cast.getX() : Value();
}

void Algebra::multiply(Monomial &product, Value value, double exponent) {
  if (llvm::is_contained(atoms, value))
    return product.multiply(value, exponent);
  if (std::optional<double> number = constantNumber(value); number && (*number > 0 || exponent == 1)) {
    product.coefficient *= std::pow(*number, exponent);
    return;
  }
  Operation *op = value.getDefiningOp();
  auto into = [&](Value operand, double power) {
    ops.insert(op);
    multiply(product, operand, exponent * power);
  };
  if (Value x = convertedFloat(value))
    return into(x, 1);
  if (auto binary = dyn_cast_or_null<BinaryOp>(op)) {
    if (binary.getKind() == "mul" || binary.getKind() == "div") {
      into(binary.getA(), 1);
      return into(binary.getB(), binary.getKind() == "mul" ? 1 : -1);
    }
    // (x^2)^0.5 is |x|: what has a fractional power is not taken apart.
    if (std::optional<double> power = constantNumber(binary.getB()); power && binary.getKind() == "pow") {
      ops.insert(op);
      return product.multiply(binary.getA(), exponent * *power);
    }
  }
  if (auto unary = dyn_cast_or_null<UnaryOp>(op)) {
    if (unary.getKind() == "reciprocal")
      return into(unary.getX(), -1);
    if (unary.getKind() == "sqrt" || unary.getKind() == "rsqrt") {
      ops.insert(op);
      return product.multiply(unary.getX(), unary.getKind() == "sqrt" ? exponent / 2 : -exponent / 2);
    }
    if (unary.getKind() == "neg" && std::abs(exponent) == 1) {
      product.coefficient = -product.coefficient;
      return into(unary.getX(), 1);
    }
  }
  product.multiply(value, exponent);
}

Monomial Algebra::monomial(Value value) {
  Monomial product;
  multiply(product, value, 1);
  return product;
}

void Algebra::add(SmallVectorImpl<Monomial> &terms, Value value, double factor) {
  auto binary = value.getDefiningOp<BinaryOp>();
  if (binary && !llvm::is_contained(atoms, value) && (binary.getKind() == "add" || binary.getKind() == "sub")) {
    ops.insert(binary);
    add(terms, binary.getA(), factor);
    add(terms, binary.getB(), binary.getKind() == "add" ? factor : -factor);
    return;
  }
  terms.push_back(monomial(value));
  terms.back().coefficient *= factor;
}

SmallVector<Monomial> Algebra::sum(Value value) {
  SmallVector<Monomial> terms;
  add(terms, value, 1);
  return terms;
}

static std::optional<Polynomial> times(const Polynomial &a, const Polynomial &b) {
  Polynomial product{};
  for (size_t i = 0; i < a.size(); ++i)
    for (size_t j = 0; j < b.size(); ++j) {
      if (a[i] == 0 || b[j] == 0)
        continue;
      if (i + j >= product.size())
        return std::nullopt;
      product[i + j] += a[i] * b[j];
    }
  return product;
}

std::optional<Polynomial> Algebra::polynomial(Value value) {
  if (value == atoms.front())
    return Polynomial{0, 1};
  if (std::optional<double> number = constantNumber(value))
    return Polynomial{*number};
  Operation *op = value.getDefiningOp();
  if (op)
    ops.insert(op);
  if (Value x = convertedFloat(value))
    return polynomial(x);
  if (auto unary = dyn_cast_or_null<UnaryOp>(op); unary && unary.getKind() == "neg") {
    std::optional<Polynomial> x = polynomial(unary.getX());
    return x ? times(*x, {-1}) : std::nullopt;
  }
  auto binary = dyn_cast_or_null<BinaryOp>(op);
  std::optional<Polynomial> a = binary ? polynomial(binary.getA()) : std::nullopt;
  if (!a)
    return std::nullopt;
  std::optional<double> number = constantNumber(binary.getB());
  if (binary.getKind() == "div")
    return number ? times(*a, {1 / *number}) : std::nullopt;
  if (binary.getKind() == "pow") {
    if (number == 2.0)
      return times(*a, *a);
    std::optional<Polynomial> square = number == 3.0 ? times(*a, *a) : std::nullopt;
    return square ? times(*square, *a) : std::nullopt;
  }
  std::optional<Polynomial> b = polynomial(binary.getB());
  if (!b)
    return std::nullopt;
  if (binary.getKind() == "mul")
    return times(*a, *b);
  if (binary.getKind() != "add" && binary.getKind() != "sub")
    return std::nullopt;
  for (size_t i = 0; i < a->size(); ++i)
    (*a)[i] += binary.getKind() == "add" ? (*b)[i] : -(*b)[i];
  return a;
}

Operation *multiplyingUser(Value value) {
  auto multiplies = [](Operation *user) {
    if (auto binary = dyn_cast<BinaryOp>(user))
      return binary.getKind() == "mul" || binary.getKind() == "div";
    auto unary = dyn_cast<UnaryOp>(user);
    return isa<CastOp>(user) || (unary && unary.getKind() == "reciprocal");
  };
  Operation *first = nullptr; // users are listed last first
  for (Operation *user : value.getUsers())
    if (multiplies(user))
      first = user;
  return first;
}

Operation *userOutside(const Algebra::Operations &ops, Operation *root) {
  for (Operation *op : ops)
    if (op != root)
      for (Operation *user : op->getUsers())
        if (user != root && !ops.contains(user))
          return user;
  return nullptr;
}

std::string numberText(double value) {
  std::string text;
  llvm::raw_string_ostream(text) << llvm::format("%.6g", value);
  return text;
}

std::string nodeName(Operation *op) {
  auto name = op->getLoc()->findInstanceOf<NameLoc>();
  return name && !name.getName().empty() ? name.getName().str() : op->getName().stripDialect().str();
}

SmallVector<std::string> nodeNames(const Algebra::Operations &ops, Operation *root) {
  SmallVector<Operation *> sorted(ops.begin(), ops.end());
  if (!ops.contains(root))
    sorted.push_back(root);
  llvm::sort(sorted, [](Operation *a, Operation *b) { return a != b && a->isBeforeInBlock(b); });
  SmallVector<std::string> names;
  for (Operation *op : sorted)
    if (std::string name = nodeName(op); !isa<ConstantOp>(op) && !llvm::is_contained(names, name))
      names.push_back(std::move(name));
  return names;
}

void eraseUnused(const Algebra::Operations &ops, Operation *root) {
  SmallVector<Operation *> sorted(ops.begin(), ops.end());
  if (!ops.contains(root))
    sorted.push_back(root);
  llvm::sort(sorted, [](Operation *a, Operation *b) { return a != b && b->isBeforeInBlock(a); });
  for (Operation *op : sorted)
    if (isOpTriviallyDead(op))
      op->erase();
}

} // namespace llmpar
