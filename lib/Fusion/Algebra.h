//===- Algebra.h - Values as products, sums and polynomials -----*- C++ -*-===//
//
// Exporters write one formula in many ways: 0.5 (x (1 + y)), (x / 2) (y + 1), x / sqrt(v), x * (1 / sqrt(v)). Here they
// are equal. Constants are numbers, casts between floats are looked through, and what is no arithmetic stands for
// itself.
//
//   Algebra algebra({x, y});              // x and y are not taken apart
//   algebra.monomial(value)               // 0.5 x y  ->  {0.5, {x: 1, y: 1}}
//   algebra.operations()                  // what was taken apart
//
//===----------------------------------------------------------------------===//
#ifndef LLMPAR_LIB_FUSION_ALGEBRA_H
#define LLMPAR_LIB_FUSION_ALGEBRA_H

#include "llmpar/Dialect/OpWriter.h"
#include "llvm/ADT/SetVector.h"
#include <array>

namespace llmpar {

/// coefficient * product of value ^ exponent.
struct Monomial {
  double coefficient = 1;
  llvm::SmallVector<std::pair<mlir::Value, double>, 4> powers;

  double exponentOf(mlir::Value value) const;
  void multiply(mlir::Value value, double exponent);
};

/// Coefficients of x^0 .. x^3.
using Polynomial = std::array<double, 4>;

class Algebra {
public:
  explicit Algebra(llvm::ArrayRef<mlir::Value> atoms = {}) : atoms(atoms) {}

  Monomial monomial(mlir::Value value);
  /// The terms of a sum; a constant one has no powers.
  llvm::SmallVector<Monomial> sum(mlir::Value value);
  /// `value` in the one atom; none if it is no polynomial of degree 3 or less in it.
  std::optional<Polynomial> polynomial(mlir::Value value);

  using Operations = llvm::SetVector<mlir::Operation *>;
  Operations &operations() { return ops; }

private:
  llvm::SmallVector<mlir::Value, 2> atoms;
  Operations ops;

  void multiply(Monomial &product, mlir::Value value, double exponent);
  void add(llvm::SmallVectorImpl<Monomial> &terms, mlir::Value value, double factor);
};

/// The number that every element of a float constant is.
std::optional<double> constantNumber(mlir::Value value);
/// x of c x and x / c, through any number of them.
mlir::Value stripConstantFactors(mlir::Value value);
/// Whether a constant of this type stands for the number: within its rounding, and that of short decimals.
bool isAbout(double value, double number, mlir::Type elementType);

/// The first user that multiplies with, divides or converts a value; null if there is none.
mlir::Operation *multiplyingUser(mlir::Value value);

/// An op outside of `ops` and `root` that uses one of them; null if none does.
mlir::Operation *userOutside(const Algebra::Operations &ops, mlir::Operation *root);
/// A number as messages print it.
std::string numberText(double value);
/// ONNX node of an op, or what op it is.
std::string nodeName(mlir::Operation *op);
/// Those of the ops and `root`, each once.
llvm::SmallVector<std::string> nodeNames(const Algebra::Operations &ops, mlir::Operation *root);

/// Erases what of the ops nothing uses any more.
void eraseUnused(const Algebra::Operations &ops, mlir::Operation *root);

} // namespace llmpar

#endif // LLMPAR_LIB_FUSION_ALGEBRA_H
