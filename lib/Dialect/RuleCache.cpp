//===- RuleCache.cpp - Factor rules of equal ops, once ----------------------===//
#include "llmpar/Dialect/RuleCache.h"

namespace llmpar {

int RuleCache::kindOf(mlir::Operation *op) {
  auto [kind, isNewOp] = kinds.try_emplace(op, -1);
  if (!isNewOp)
    return kind->second;
  std::vector<const void *> key = {op->getName().getAsOpaquePointer(), op->getPropertiesAsAttribute().getAsOpaquePointer()};
  for (mlir::Type type : op->getOperandTypes())
    key.push_back(type.getAsOpaquePointer());
  for (mlir::Type type : op->getResultTypes())
    key.push_back(type.getAsOpaquePointer());
  auto [it, isNew] = known.try_emplace(std::move(key), static_cast<int>(rules.size()));
  if (isNew)
    rules.push_back(std::make_unique<FactorRule>(mlir::cast<FactorOpInterface>(op).getFactorRule()));
  return kind->second = it->second;
}

} // namespace llmpar
