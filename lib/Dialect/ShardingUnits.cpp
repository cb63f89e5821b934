//===- ShardingUnits.cpp - Elements that must stay together -----------------===//
#include "llmpar/Dialect/ShardingUnits.h"

using namespace mlir;

namespace llmpar {

/// The unit of a dimension with `minor` elements behind its factor, from that of the same factor elsewhere.
static int64_t carried(int64_t unitThere, int64_t minorThere, int64_t minorHere) {
  return (unitThere + minorThere - 1) / minorThere * minorHere;
}

static int64_t extentOf(Value value, int dim) { return cast<RankedTensorType>(value.getType()).getDimSize(dim); }

int64_t ShardingUnits::below(Value value, int dim, int depth) {
  if (depth == 0)
    return 1;
  auto [it, inserted] = below_.try_emplace({value, dim}, 1);
  if (!inserted)
    return it->second;
  int64_t unit = 1;
  for (OpOperand &use : value.getUses()) {
    if (!isa<FactorOpInterface>(use.getOwner()))
      continue;
    const FactorRule &rule = rules.of(use.getOwner());
    const TensorFactors &here = rule.operands[use.getOperandNumber()];
    if (here[dim].empty() || !rule.isShardable(here[dim].front()))
      continue;
    int factor = here[dim].front();
    int64_t minor = rule.minorSize(here, factor);
    unit = std::max(unit, minor);
    for (auto [index, there] : llvm::enumerate(rule.results))
      if (int next = FactorRule::dimOf(there, factor); next >= 0)
        unit = std::max(unit, carried(below(use.getOwner()->getResult(index), next, depth - 1),
                                      rule.minorSize(there, factor), minor));
  }
  return below_[{value, dim}] = std::min(unit, extentOf(value, dim));
}

int64_t ShardingUnits::above(Value value, int dim, int depth) {
  Operation *op = value.getDefiningOp();
  if (depth == 0 || !isa_and_nonnull<FactorOpInterface>(op))
    return 1;
  auto [it, inserted] = above_.try_emplace({value, dim}, 1);
  if (!inserted)
    return it->second;
  const FactorRule &rule = rules.of(op);
  const TensorFactors &here = rule.results[cast<OpResult>(value).getResultNumber()];
  if (here[dim].empty() || !rule.isShardable(here[dim].front()))
    return 1;
  int factor = here[dim].front();
  int64_t minor = rule.minorSize(here, factor), unit = minor;
  for (auto [index, there] : llvm::enumerate(rule.operands))
    if (int next = FactorRule::dimOf(there, factor); next >= 0)
      unit = std::max(unit, carried(above(op->getOperand(index), next, depth - 1), rule.minorSize(there, factor), minor));
  return above_[{value, dim}] = std::min(unit, extentOf(value, dim));
}

} // namespace llmpar
