//===- ValueLayouts.cpp - What each rank holds of each value ---------------===//
#include "llmpar/Lowering/ValueLayouts.h"

using namespace mlir;

namespace llmpar {

LogicalResult ValueLayouts::add(Value value, Type globalType) {
  auto local = dyn_cast<RankedTensorType>(value.getType());
  auto global = dyn_cast<RankedTensorType>(globalType);
  std::optional<DType> dtype = local ? toDType(local.getElementType()) : std::nullopt;
  if (!dtype || !local.hasStaticShape())
    return emitError(value.getLoc()) << "type " << value.getType() << " has no form in a program file";
  ValueLayout layout;
  layout.sharding = shardingOf(value, theMesh);
  layout.elementType = local.getElementType();
  layout.elementBytes = static_cast<int64_t>(dtypeSize(*dtype));
  if (global)
    layout.global = Shape(global.getShape());
  if (!global || layout.sharding.dims.size() != layout.global.size() ||
      localShape(layout.sharding, layout.global, theMesh) != Shape(local.getShape()))
    return emitError(value.getLoc()) << "type " << local << " is not the largest shard of " << globalType
                                     << ": run llmpar-localize-shapes before llmpar-lower-to-runtime";
  layouts.try_emplace(value, std::move(layout));
  return success();
}

FailureOr<ValueLayouts> ValueLayouts::build(func::FuncOp func, Mesh mesh) {
  ValueLayouts result;
  result.theMesh = std::move(mesh);
  for (BlockArgument argument : func.getArguments()) {
    auto global = func.getArgAttrOfType<TypeAttr>(argument.getArgNumber(), LlmparDialect::kGlobalTypes);
    if (failed(result.add(argument, global ? global.getValue() : argument.getType())))
      return failure();
  }
  for (Operation &op : func.getBody().front()) {
    auto globals = op.getAttrOfType<ArrayAttr>(LlmparDialect::kGlobalTypes);
    if (globals && globals.size() != op.getNumResults())
      return op.emitOpError() << "has " << globals.size() << " global types for " << op.getNumResults() << " results";
    for (OpResult value : op.getResults()) {
      auto global = globals ? dyn_cast<TypeAttr>(globals[value.getResultNumber()]) : TypeAttr();
      if (failed(result.add(value, global ? global.getValue() : value.getType())))
        return failure();
    }
  }
  return result;
}

SmallVector<int64_t> ValueLayouts::starts(Value value, int64_t rank) const {
  SmallVector<int64_t> starts;
  for (size_t dim = 0; dim < of(value).global.size(); ++dim)
    starts.push_back(range(value, dim, rank).begin);
  return starts;
}

int64_t ValueLayouts::bytes(Value value, int64_t rank) const {
  int64_t bytes = of(value).elementBytes;
  for (int64_t extent : valid(value, rank))
    bytes *= extent;
  return bytes;
}

} // namespace llmpar
