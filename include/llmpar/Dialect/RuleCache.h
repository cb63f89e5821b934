//===- RuleCache.h - Factor rules of equal ops, once ------------*- C++ -*-===//
#ifndef LLMPAR_DIALECT_RULECACHE_H
#define LLMPAR_DIALECT_RULECACHE_H

#include "llmpar/Dialect/Llmpar.h"
#include "llvm/ADT/DenseMap.h"
#include <map>
#include <memory>

namespace llmpar {

/// A model repeats its blocks: ops of the same kind, attributes and types share a rule, and a number.
class RuleCache {
public:
  /// `op` implements FactorOpInterface. The reference stays valid.
  const FactorRule &of(mlir::Operation *op) { return *rules[kindOf(op)]; }
  /// Equal for ops that differ in their operands only.
  int kindOf(mlir::Operation *op);

private:
  llvm::DenseMap<mlir::Operation *, int> kinds;
  std::map<std::vector<const void *>, int> known;
  std::vector<std::unique_ptr<FactorRule>> rules;
};

} // namespace llmpar

#endif // LLMPAR_DIALECT_RULECACHE_H
