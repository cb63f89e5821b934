//===- VerifyShardings.cpp - `llmpar.out` and `llmpar.in` are well formed ----===//
//
// One sharding per result (operand), one dimension per dimension of the value, every
// axis of the mesh at most once.
//
//===----------------------------------------------------------------------===//
#include "llmpar/Dialect/Llmpar.h"
#include "llvm/ADT/StringSet.h"

namespace llmpar {
namespace {

/// `what` names the value in messages: "result 0".
mlir::LogicalResult verifySharding(mlir::Operation *op, mlir::Attribute attribute, mlir::Type type,
                                   const llvm::Twine &what) {
  auto sharding = mlir::dyn_cast<ShardingAttr>(attribute);
  if (!sharding)
    return op->emitOpError() << "sharding of " << what << " is " << attribute << ", expected #llmpar.sharding<...>";
  auto shaped = mlir::dyn_cast<mlir::ShapedType>(type);
  if (!shaped || shaped.getRank() != static_cast<int64_t>(sharding.getDims().size()))
    return op->emitOpError() << "sharding of " << what << " has " << sharding.getDims().size()
                             << " dimensions, but its type is " << type;
  auto mesh = mlir::SymbolTable::lookupNearestSymbolFrom<MeshOp>(op, sharding.getMesh());
  llvm::StringSet<llvm::MallocAllocator> seen;
  auto use = [&](llvm::StringRef axis) -> mlir::LogicalResult {
    if (!mesh)
      return op->emitOpError() << "sharding of " << what << " uses mesh " << sharding.getMesh()
                               << ", which is not defined: add `llmpar.mesh " << sharding.getMesh() << "`";
    if (!llvm::is_contained(mesh.getAxes().getAsValueRange<mlir::StringAttr>(), axis))
      return op->emitOpError() << "sharding of " << what << " uses axis '" << axis << "', which mesh "
                               << sharding.getMesh() << " does not have";
    if (!seen.insert(axis).second)
      return op->emitOpError() << "sharding of " << what << " uses axis '" << axis << "' twice";
    return mlir::success();
  };
  for (DimShardingAttr dim : sharding.getDims()) {
    if (dim.getUnit() < 1)
      return op->emitOpError() << "sharding of " << what << " has unit " << dim.getUnit() << ": units are positive";
    for (mlir::StringAttr axis : dim.getAxes())
      if (mlir::failed(use(axis.getValue())))
        return mlir::failure();
  }
  for (mlir::NamedAttribute entry : sharding.getPartial())
    if (mlir::failed(use(entry.getName().getValue())))
      return mlir::failure();
  return mlir::success();
}

mlir::LogicalResult verifyShardings(mlir::Operation *op, mlir::NamedAttribute attribute, mlir::TypeRange types,
                                    llvm::StringRef what) {
  auto shardings = mlir::dyn_cast<mlir::ArrayAttr>(attribute.getValue());
  if (!shardings || shardings.size() != types.size())
    return op->emitOpError() << "'" << attribute.getName().getValue() << "' needs an array of one sharding for each of "
                             << types.size() << " " << what << "s";
  for (auto [index, type] : llvm::enumerate(types))
    if (mlir::failed(verifySharding(op, shardings[index], type, what + llvm::Twine(" ") + llvm::Twine(index))))
      return mlir::failure();
  return mlir::success();
}

/// Every name is a factor that may be sharded, every axis is the mesh's and serves one factor.
mlir::LogicalResult verifyFactors(mlir::Operation *op, mlir::NamedAttribute attribute) {
  auto chosen = mlir::dyn_cast<mlir::DictionaryAttr>(attribute.getValue());
  auto factorOp = mlir::dyn_cast<FactorOpInterface>(op);
  if (!chosen || !factorOp)
    return op->emitOpError() << "'llmpar.factors' needs a dictionary of axes by factor, on an op with a factor rule";
  FactorRule rule = factorOp.getFactorRule();
  auto mesh = mlir::SymbolTable::lookupNearestSymbolFrom<MeshOp>(op, mlir::StringAttr::get(op->getContext(), "mesh"));
  llvm::StringSet<llvm::MallocAllocator> seen;
  for (mlir::NamedAttribute entry : chosen) {
    llvm::StringRef name = entry.getName().getValue();
    auto *factor = llvm::find_if(rule.factors, [&](const Factor &f) { return f.name == name; });
    if (factor == rule.factors.end() || !rule.isShardable(static_cast<int>(factor - rule.factors.begin())))
      return op->emitOpError() << "'llmpar.factors' shards '" << name << "', which is no shardable factor of its rule "
                               << rule.str();
    auto dim = mlir::dyn_cast<DimShardingAttr>(entry.getValue());
    if (!dim || dim.getUnit() < 1)
      return op->emitOpError() << "'llmpar.factors' gives '" << name << "' " << entry.getValue() << ", expected #llmpar.dim<...> with a positive unit";
    for (mlir::StringAttr axis : dim.getAxes()) {
      if (!mesh || !llvm::is_contained(mesh.getAxes().getAsValueRange<mlir::StringAttr>(), axis.getValue()))
        return op->emitOpError() << "'llmpar.factors' uses axis '" << axis.getValue() << "', which @mesh does not have";
      if (!seen.insert(axis.getValue()).second)
        return op->emitOpError() << "'llmpar.factors' uses axis '" << axis.getValue() << "' twice";
    }
  }
  return mlir::success();
}

} // namespace

mlir::LogicalResult LlmparDialect::verifyOperationAttribute(mlir::Operation *op, mlir::NamedAttribute attribute) {
  if (attribute.getName() == kOutShardings)
    return verifyShardings(op, attribute, op->getResultTypes(), "result");
  if (attribute.getName() == kInShardings || attribute.getName() == kRestShardings)
    return verifyShardings(op, attribute, op->getOperandTypes(), "operand");
  if (attribute.getName() == kFactors)
    return verifyFactors(op, attribute);
  return mlir::success();
}

mlir::LogicalResult LlmparDialect::verifyRegionArgAttribute(mlir::Operation *op, unsigned region, unsigned argument,
                                                            mlir::NamedAttribute attribute) {
  if (attribute.getName() != kOutShardings || op->getRegion(region).empty())
    return mlir::success();
  return verifySharding(op, attribute.getValue(), op->getRegion(region).getArgument(argument).getType(),
                        "argument " + llvm::Twine(argument));
}

} // namespace llmpar
