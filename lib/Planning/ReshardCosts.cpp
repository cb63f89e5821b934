//===- ReshardCosts.cpp - Shardings by number, and the cost between them ----===//
#include "llmpar/Planning/ReshardCosts.h"

#include "llmpar/Planner/PlanProblem.h"
#include <cmath>

namespace llmpar {

int64_t elementBytes(mlir::RankedTensorType type) { return (type.getElementTypeBitWidth() + 7) / 8; }

int64_t localBytes(const Sharding &sharding, mlir::RankedTensorType type, const Mesh &mesh) {
  int64_t bytes = elementBytes(type);
  for (int64_t extent : localShape(sharding, type.getShape(), mesh))
    bytes *= extent;
  return bytes;
}

GroupShape groupOf(AxisId axis, const Mesh &mesh) {
  return {mesh.axes[axis].size, mesh.stride(axis)};
}

int64_t toPicoseconds(Seconds seconds) { return std::llround(seconds * 1e12); }

ShardingId ReshardCosts::intern(const Sharding &sharding) {
  Key key;
  for (const DimSharding &dim : sharding.dims) {
    key.insert(key.end(), dim.axes.begin(), dim.axes.end());
    key.insert(key.end(), {-1, dim.axes.empty() ? 1 : dim.unit});
  }
  for (const PartialAxis &partial : sharding.partial)
    key.insert(key.end(), {partial.axis, static_cast<int64_t>(partial.reduction)});
  auto [it, isNew] = ids.try_emplace(key, static_cast<ShardingId>(shardings.size()));
  if (isNew)
    shardings.push_back(sharding);
  return it->second;
}

Seconds ReshardCosts::stepTime(const ReshardStep &step, const Sharding &before, mlir::RankedTensorType type,
                               TokenRouting routing) {
  if (step.kind == ReshardKind::AllSlice) {
    // A copy of the shard; lowering often makes it a view.
    double bytes = 2.0 * static_cast<double>(localBytes(step.after, type, mesh_));
    return opTime(cluster_.device(0), {.kernel = KernelClass::Move, .bytes = bytes});
  }
  const Sharding &whole = step.kind == ReshardKind::AllGather ? step.after : before;
  CollectiveKind kind = step.kind == ReshardKind::AllReduce       ? CollectiveKind::AllReduce
                        : step.kind == ReshardKind::ReduceScatter ? CollectiveKind::ReduceScatter
                        : step.kind == ReshardKind::AllGather     ? CollectiveKind::AllGather
                                                                  : CollectiveKind::AllToAll;
  int64_t bytes = localBytes(whole, type, mesh_);
  bool ofTokens = (kind == CollectiveKind::AllGather || kind == CollectiveKind::ReduceScatter) && step.dim < type.getRank() - 1;
  if (int64_t ranks = mesh_.axes[step.axis].size; ofTokens && (routing.axes >> step.axis & 1)) {
    kind = CollectiveKind::AllToAll;
    bytes = bytes / ranks * std::min(routing.copies, ranks);
  }
  auto [it, isNew] = collectives.try_emplace({static_cast<int>(kind), step.axis, bytes}, 0);
  if (isNew)
    it->second = collectiveTime(cluster_, kind, static_cast<Bytes>(bytes), groupOf(step.axis, mesh_)).seconds;
  return it->second;
}

int64_t ReshardCosts::between(ShardingId from, ShardingId to, mlir::RankedTensorType type, TokenRouting routing) {
  if (from == to)
    return 0;
  auto [it, isNew] = known.try_emplace({from, to, type.getAsOpaquePointer(), routing}, kForbidden);
  if (!isNew)
    return it->second;
  llvm::Expected<llvm::SmallVector<ReshardStep>> steps = planReshard(shardings[from], shardings[to], type.getShape(), mesh_);
  if (!steps) {
    llvm::consumeError(steps.takeError());
    return it->second;
  }
  Seconds seconds = 0;
  const Sharding *before = &shardings[from];
  for (const ReshardStep &step : *steps) {
    seconds += stepTime(step, *before, type, routing);
    before = &step.after;
  }
  return it->second = toPicoseconds(seconds);
}

} // namespace llmpar
