//===- ReuseInPlace.cpp - Results in the place of operands that end --------===//
//
// Legal for kernels that read each element, or each row, before they write it: the operand's
// storage ends at this record (for a collective: nobody reads it later; its lane ran what touched it before), both are
// temporary in the same entry, and both have the same extents on every rank. Others of the record's operands must not
// be in that storage, unless the kernel is elementwise and they have the result's extents too.
//
//===----------------------------------------------------------------------===//
#include "llmpar/Lowering/RecordPlan.h"

using namespace mlir;

namespace llmpar {
namespace {

bool isElementwise(Operation *op) {
  return isa<UnaryOp, UnaryGradOp, BinaryOp, SelectOp, CastOp, AllReduceOp>(op);
}

/// Operands in whose place the result may go, best first.
SmallVector<unsigned> candidates(Operation *op) {
  if (isa<UnaryOp, CastOp, SoftmaxOp, LayerNormOp, RmsNormOp, RotaryOp, CrossEntropyGradOp, AllReduceOp>(op))
    return {0};
  if (isa<BinaryOp>(op))
    return {0, 1};
  if (isa<UnaryGradOp, SoftmaxGradOp>(op))
    return {1, 0};
  if (isa<NormGradOp>(op))
    return {2, 0};
  if (isa<SelectOp>(op))
    return {1, 2};
  return {};
}

int find(std::vector<int> &group, int id) {
  while (group[id] != id)
    id = group[id] = group[group[id]];
  return id;
}

bool canReuse(FunctionPlan &plan, const ValueLayouts &layouts, const RecordPlan &record, int64_t index,
              unsigned operand) {
  const ValueLayout &result = layouts.of(record.op->getResult(0));
  auto fits = [&](unsigned position) {
    const ValueLayout &layout = layouts.of(record.op->getOperand(position));
    return layout.elementBytes == result.elementBytes && layout.sameShards(result);
  };
  int group = find(plan.group, record.inputs[operand]);
  const Storage &from = plan.storages[group], &to = plan.storages[record.outputs[0]];
  bool isTemporary = to.home == from.home && (to.home == Home::Init || to.home == Home::Main);
  bool isLast = from.lifetime.end == index + 1 || (record.lane != Lane::Compute && from.lastUse() == index);
  if (!isTemporary || !isLast || !fits(operand))
    return false;
  for (unsigned other = 0; other < record.inputs.size(); ++other)
    if (other != operand && find(plan.group, record.inputs[other]) == group &&
        !(isElementwise(record.op) && fits(other)))
      return false;
  return true;
}

} // namespace

void reuseInPlace(FunctionPlan &plan, const ValueLayouts &layouts) {
  plan.group.resize(plan.storages.size());
  for (size_t id = 0; id < plan.group.size(); ++id)
    plan.group[id] = plan.storages[id].nextOf >= 0 ? plan.storages[id].nextOf : static_cast<int>(id);
  for (auto *records : {&plan.init, &plan.main})
    for (auto [index, record] : llvm::enumerate(*records)) {
      if (!record.op)
        continue;
      for (unsigned operand : candidates(record.op))
        if (canReuse(plan, layouts, record, static_cast<int64_t>(index), operand)) {
          int group = find(plan.group, record.inputs[operand]);
          plan.group[record.outputs[0]] = group;
          Storage &from = plan.storages[group];
          const Storage &to = plan.storages[record.outputs[0]];
          from.lifetime.end = std::max(from.lifetime.end, to.lifetime.end);
          from.lastInit = to.lastInit;
          from.lastMain = to.lastMain;
          break;
        }
    }
  for (size_t id = 0; id < plan.group.size(); ++id)
    plan.group[id] = find(plan.group, static_cast<int>(id));
}

} // namespace llmpar
