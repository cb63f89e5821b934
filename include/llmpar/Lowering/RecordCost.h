//===- RecordCost.h - Predicted work of a record ----------------*- C++ -*-===//
//
// FLOPs follow from the op's factor rule and polynomial with this rank's extents:
//
//   matmul "2 ... m n k" of [2,4,6] x [6,10]: 2 * 2 * 4 * 10 * 6 = 960
//
//===----------------------------------------------------------------------===//
#ifndef LLMPAR_LOWERING_RECORDCOST_H
#define LLMPAR_LOWERING_RECORDCOST_H

#include "llmpar/Lowering/ValueLayouts.h"

namespace llmpar {

/// Sum of products: terms separated by '+', numbers and factor names by spaces. `...` is the product of the
/// factors that stand for leading dimensions. None if a name is no factor of the rule.
std::optional<double> evaluatePolynomial(llvm::StringRef polynomial, const FactorRule &rule,
                                         llvm::ArrayRef<int64_t> factorSizes);

/// Cost of an op on any rank; the rule is computed once.
class RecordCost {
public:
  explicit RecordCost(mlir::Operation *op);
  /// Floating-point operations; 0 for ops that only move data, the result's elements if the op states nothing.
  double flops(const ValueLayouts &layouts, int64_t rank) const;
  /// Bytes of operands and results; for a collective with n members the bytes this rank sends:
  /// all_reduce 2 (n-1)/n S, the others (n-1)/n of the gathered or scattered tensor.
  double bytes(const ValueLayouts &layouts, int64_t rank) const;

private:
  mlir::Operation *op;
  std::optional<FactorRule> rule;
  llvm::StringRef polynomial;
};

} // namespace llmpar

#endif // LLMPAR_LOWERING_RECORDCOST_H
