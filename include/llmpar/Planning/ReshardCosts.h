//===- ReshardCosts.h - Shardings by number, and the cost between them -*- C++ -*-===//
#ifndef LLMPAR_PLANNING_RESHARDCOSTS_H
#define LLMPAR_PLANNING_RESHARDCOSTS_H

#include "llmpar/Core/Reshard.h"
#include "llmpar/Cost/CollectiveCost.h"
#include "llmpar/Cost/OpCost.h"
#include "mlir/IR/BuiltinTypes.h"
#include <map>

namespace llmpar {

/// Index of a sharding in a ReshardCosts; equal shardings have equal numbers.
using ShardingId = int;

/// Of a reshard of tokens (rows of the last dimension) to or from llmpar.experts: over the axes that experts are split
/// over, as bits, a row goes to `copies` of the ranks at most. Then it is a dispatch or combine (llmpar-route-tokens).
struct TokenRouting {
  unsigned axes = 0;
  int64_t copies = 0;
  auto operator<=>(const TokenRouting &) const = default;
};

/// A mesh on a cluster: what moving between two shardings of a tensor costs.
class ReshardCosts {
public:
  ReshardCosts(const Mesh &mesh, const Cluster &cluster) : mesh_(mesh), cluster_(cluster) {}

  const Mesh &mesh() const { return mesh_; }
  const Cluster &cluster() const { return cluster_; }
  ShardingId intern(const Sharding &sharding);
  const Sharding &operator[](ShardingId id) const { return shardings[id]; }

  /// Picoseconds; kForbidden where `to` is partial over an axis that `from` is not.
  int64_t between(ShardingId from, ShardingId to, mlir::RankedTensorType type, TokenRouting routing = {});

private:
  using Key = std::vector<int64_t>;
  const Mesh mesh_;
  const Cluster cluster_;
  std::vector<Sharding> shardings;
  std::map<Key, ShardingId> ids;
  std::map<std::tuple<ShardingId, ShardingId, const void *, TokenRouting>, int64_t> known;
  std::map<std::tuple<int, AxisId, int64_t>, Seconds> collectives;

  Seconds stepTime(const ReshardStep &step, const Sharding &before, mlir::RankedTensorType type, TokenRouting routing);
};

/// Bytes of an element of `type`; an i1 takes one.
int64_t elementBytes(mlir::RankedTensorType type);
/// Bytes of the largest shard.
int64_t localBytes(const Sharding &sharding, mlir::RankedTensorType type, const Mesh &mesh);
/// The ranks of an axis; meshes are row-major, so the last axis has stride 1.
GroupShape groupOf(AxisId axis, const Mesh &mesh);
int64_t toPicoseconds(Seconds seconds);

} // namespace llmpar

#endif // LLMPAR_PLANNING_RESHARDCOSTS_H
