//===- RecordCost.cpp - Predicted work of a record -------------------------===//
#include "llmpar/Lowering/RecordCost.h"

#include "llmpar/Lowering/KernelAttributes.h"
#include "llvm/ADT/SmallVectorExtras.h"
#include <algorithm>

using namespace mlir;

namespace llmpar {

double RecordCost::flops(const ValueLayouts &layouts, int64_t rank) const {
  auto shapes = [&](ValueRange values) {
    return llvm::map_to_vector(values, [&](Value value) { return layouts.valid(value, rank); });
  };
  return count.at(shapes(op->getOperands()), shapes(op->getResults()));
}

double RecordCost::bytes(const ValueLayouts &layouts, int64_t rank) const {
  if (std::optional<AxisId> axis = collectiveAxis(op, layouts.mesh()); axis && !isa<AllSliceOp>(op)) {
    double n = static_cast<double>(layouts.mesh().axes[*axis].size);
    Value whole = isa<AllGatherOp, DispatchOp>(op) ? op->getResult(0) : op->getOperand(0);
    double sent = (n - 1) / n * static_cast<double>(layouts.bytes(whole, rank));
    if (isa<DispatchOp, CombineOp>(op)) // a token's row goes to (comes from) k of the ranks at most
      return sent * std::min(1.0, static_cast<double>(op->getAttrOfType<IntegerAttr>("k").getInt()) / n);
    return isa<AllReduceOp>(op) ? 2 * sent : sent;
  }
  double total = 0;
  for (Value value : op->getOperands())
    total += static_cast<double>(layouts.bytes(value, rank));
  for (Value value : op->getResults())
    total += static_cast<double>(layouts.bytes(value, rank));
  return total;
}

} // namespace llmpar
