//===- FlopCount.h - Floating-point operations of an op ---------*- C++ -*-===//
//
// FLOPs follow from the op's factor rule and polynomial with the extents that a rank holds:
//
//   matmul "2 ... m n k" of [2,4,6] x [6,10]: 2 * 2 * 4 * 10 * 6 = 960
//
//===----------------------------------------------------------------------===//
#ifndef LLMPAR_DIALECT_FLOPCOUNT_H
#define LLMPAR_DIALECT_FLOPCOUNT_H

#include "llmpar/Dialect/Llmpar.h"

namespace llmpar {

/// Sum of products: terms separated by '+', numbers and factor names by spaces. `...` is the product of the
/// factors that stand for leading dimensions. None if a name is no factor of the rule.
std::optional<double> evaluatePolynomial(llvm::StringRef polynomial, const FactorRule &rule,
                                         llvm::ArrayRef<int64_t> factorSizes);

/// FLOPs of one op for any local extents; the rule is computed once.
class FlopCount {
public:
  explicit FlopCount(mlir::Operation *op);
  /// 0 for ops that only move data, the result's elements if the op states nothing.
  double at(llvm::ArrayRef<Shape> operands, llvm::ArrayRef<Shape> results) const;

private:
  mlir::Operation *op;
  std::optional<FactorRule> rule;
  llvm::StringRef polynomial;
};

} // namespace llmpar

#endif // LLMPAR_DIALECT_FLOPCOUNT_H
