//===- RecordCost.h - Predicted work of a record ----------------*- C++ -*-===//
//===----------------------------------------------------------------------===//
#ifndef LLMPAR_LOWERING_RECORDCOST_H
#define LLMPAR_LOWERING_RECORDCOST_H

#include "llmpar/Dialect/FlopCount.h"
#include "llmpar/Lowering/ValueLayouts.h"

namespace llmpar {

/// Cost of an op on any rank; the rule is computed once.
class RecordCost {
public:
  explicit RecordCost(mlir::Operation *op) : op(op), count(op) {}
  /// Floating-point operations; 0 for ops that only move data, the result's elements if the op states nothing.
  double flops(const ValueLayouts &layouts, int64_t rank) const;
  /// Bytes of operands and results; for a collective with n members the bytes this rank sends:
  /// all_reduce 2 (n-1)/n S, the others (n-1)/n of the gathered or scattered tensor.
  double bytes(const ValueLayouts &layouts, int64_t rank) const;

private:
  mlir::Operation *op;
  FlopCount count;
};

} // namespace llmpar

#endif // LLMPAR_LOWERING_RECORDCOST_H
