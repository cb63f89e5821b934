//===- Method.cpp - Parallelization methods as limits of the search ---------===//
#include "llmpar/Planning/Method.h"

#include "llmpar/Dialect/MasterWeights.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

using namespace mlir;

namespace llmpar {

llvm::StringRef nameOf(Method method) {
  return llvm::find_if(methodNames, [&](const MethodName &m) { return m.method == method; })->name;
}

std::optional<Method> methodOf(llvm::StringRef name) {
  for (const MethodName &entry : methodNames)
    if (entry.name == name)
      return entry.method;
  return std::nullopt;
}

static RankedTensorType typeOf(Value value) { return cast<RankedTensorType>(value.getType()); }

/// Symbolic name of an argument's dimension; empty for a static one.
static StringRef dimName(func::FuncOp function, unsigned argument, int64_t dim) {
  auto names = function.getArgAttrOfType<ArrayAttr>(argument, LlmparDialect::kDims);
  return names && dim < static_cast<int64_t>(names.size()) ? cast<StringAttr>(names[dim]).getValue() : StringRef();
}

DimRoles::DimRoles(Block &body, RuleCache &rules) {
  auto function = cast<func::FuncOp>(body.getParentOp());
  StringRef batchName, sequenceName;
  int64_t batch = -1, sequence = -1;
  for (BlockArgument argument : body.getArguments()) {
    RankedTensorType type = typeOf(argument);
    if (type.getRank() > 0 && batch < 0) {
      batch = type.getDimSize(0);
      batchName = dimName(function, argument.getArgNumber(), 0);
    }
    if (type.getRank() >= 2 && sequence < 0) {
      sequence = type.getDimSize(1);
      sequenceName = dimName(function, argument.getArgNumber(), 1);
    }
  }
  for (BlockArgument argument : body.getArguments()) {
    auto &dims = roles[argument];
    for (int64_t dim = 0, rank = typeOf(argument).getRank(); dim < rank; ++dim) {
      StringRef name = dimName(function, argument.getArgNumber(), dim);
      bool isBatch = batchName.empty() ? dim == 0 && typeOf(argument).getDimSize(0) == batch : name == batchName;
      bool isSequence = sequenceName.empty() ? dim == 1 && typeOf(argument).getDimSize(1) == sequence : name == sequenceName;
      dims.push_back(isBatch ? DimRole::Batch : isSequence ? DimRole::Sequence : DimRole::Other);
    }
  }
  for (Operation &op : body) {
    if (!isa<FactorOpInterface>(&op))
      continue;
    const FactorRule &rule = rules.of(&op);
    SmallVector<DimRole> factors = ofFactors(&op, rule);
    for (auto [value, tensor] : llvm::zip(op.getResults(), rule.results)) {
      auto &dims = roles[value];
      for (const auto &list : tensor)
        dims.push_back(list.empty() ? DimRole::Other : factors[list.front()]);
    }
  }
}

DimRole DimRoles::of(Value value, int dim) const {
  auto known = roles.find(value);
  return known == roles.end() ? DimRole::Other : known->second[dim];
}

SmallVector<DimRole> DimRoles::ofFactors(Operation *op, const FactorRule &rule) const {
  SmallVector<DimRole> factors(rule.factors.size(), DimRole::Other);
  for (auto [operand, tensor] : llvm::zip(op->getOperands(), rule.operands))
    for (auto [dim, list] : llvm::enumerate(tensor))
      if (!list.empty() && factors[list.front()] == DimRole::Other)
        factors[list.front()] = of(operand, static_cast<int>(dim));
  if (auto experts = dyn_cast<ExpertsOp>(op)) // by what they are, not by where the router's scores come from
    if (const auto &list = rule.operands[experts.getUpMutable().getOperandNumber()][0]; !list.empty())
      factors[list.front()] = DimRole::Expert;
  return factors;
}

bool hasExperts(Block &body) { return !body.getOps<ExpertsOp>().empty(); }

bool isOptimizer(Operation *op) { return isa<AdamOp, SgdOp>(op); }

bool followsOptimizer(Operation *op) {
  auto select = dyn_cast<SelectOp>(op);
  bool isChoice = select && select.getA().getDefiningOp() && isOptimizer(select.getA().getDefiningOp());
  return isOptimizer(op) || isNarrowCopy(op) || isChoice;
}

bool isTraining(Block &body) { return llvm::any_of(body, [](Operation &op) { return isOptimizer(&op); }); }

bool allows(Method method, AxisId axis, DimRole role, bool isWeightFactor) {
  switch (method) {
  case Method::Single:
    return false;
  case Method::Data:
  case Method::Zero:
  case Method::Gathered:
    return role == DimRole::Batch;
  case Method::Tensor:
    return role == DimRole::Other;
  case Method::Sequence:
    return role != DimRole::Batch && !isWeightFactor;
  case Method::Expert:
    return role != DimRole::Other;
  case Method::Hybrid:
    return role == (axis == 0 ? DimRole::Batch : DimRole::Other);
  case Method::Auto:
    return true;
  }
  return false;
}

} // namespace llmpar
