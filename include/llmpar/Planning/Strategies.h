//===- Strategies.h - The ways to shard an op, and their cost ---*- C++ -*-===//
//
//   matmul [4,6] x w[6,10] on tp=2, any method:
//     m -> tp: operands [{tp},{}] [{},{}]  result [{tp},{}]            half the FLOPs, the whole weight
//     n -> tp: operands [{},{}]   [{},{tp}] result [{},{tp}]           half the FLOPs, half the weight
//     k -> tp: operands [{},{tp}] [{tp},{}] result partial {tp: sum}   the same, and a reduction to come
//     whole
//
//===----------------------------------------------------------------------===//
#ifndef LLMPAR_PLANNING_STRATEGIES_H
#define LLMPAR_PLANNING_STRATEGIES_H

#include "llmpar/Dialect/ShardingUnits.h"
#include "llmpar/Planning/Method.h"
#include "llmpar/Planning/ReshardCosts.h"
#include "llvm/ADT/DenseSet.h"

namespace llmpar {

struct Strategy {
  FactorShardings factors;
  llvm::SmallVector<ShardingId, 3> operands;
  llvm::SmallVector<ShardingId, 1> results;
  int64_t cost = 0;        ///< picoseconds of the kernel on the slowest device (of an op that is computed by parts, of
                           ///< all its kernels and reductions), and of gathering weights
  int64_t gatherCost = 0;  ///< of them, those of gathering weights
  std::vector<Sharding> rest; ///< of each operand, if weights are split further at rest; else empty
  int64_t weightBytes = 0;    ///< of the shards of weights at rest, and of what is computed from weights alone
  int64_t gatheredBytes = 0;  ///< of weights that are gathered for use
  int64_t scratchBytes = 0;   ///< inside an op that is computed by parts
};
/// Weights below this stay whole: gathering a bias costs a latency and saves nothing.
inline constexpr int64_t smallestGatheredBytes = 1 << 16;

using StrategySet = std::vector<Strategy>;

/// Values that depend on no input and on nothing that steps change: each user gets them sharded as it likes, at no cost
/// in a step. A weight that steps change (`llmpar.mutable`) rests in one sharding: it has a node of its own.
struct FreeValues {
  explicit FreeValues(mlir::Block &body);
  bool contains(mlir::Value value) const { return all.contains(value); }
  /// Computed from weights alone, free or not.
  bool isOfWeights(mlir::Value value) const { return weights.contains(value); }
  bool isWeight(mlir::Value value) const { return contains(value) && isOfWeights(value); }
  /// The load of a weight that steps change.
  bool isState(mlir::Value value) const { return states.contains(value); }

private:
  llvm::DenseSet<mlir::Value> all, weights, states;
};

/// Ops with the same ways to be split, on every mesh.
struct OpClass {
  const FactorRule *rule;
  llvm::SmallVector<DimRole> roles;       ///< by factor
  llvm::SmallVector<bool> isWeightFactor; ///< by factor: a weight has it
  llvm::SmallVector<int64_t> units;       ///< by factor: elements that must stay together
};

/// What strategies need to know of a graph, whatever the mesh: a search makes it once for all meshes.
class GraphFacts {
public:
  explicit GraphFacts(mlir::Block &body) : free(body), roles(body, rules), units(rules) {}
  RuleCache rules;
  FreeValues free;
  DimRoles roles;
  ShardingUnits units;

  /// The class of an op that implements FactorOpInterface, as an index.
  int classOf(mlir::Operation *op);
  const OpClass &operator[](int index) const { return *classes[index]; }

private:
  llvm::DenseMap<mlir::Operation *, int> classOf_;
  std::map<std::vector<int64_t>, int> known;
  std::vector<std::unique_ptr<OpClass>> classes;

  int64_t unitOf(mlir::Operation *op, const FactorRule &rule, int factor);
};

/// Strategies of a function's ops; equal ops share a set.
class Strategies {
public:
  Strategies(std::shared_ptr<GraphFacts> facts, Method method, ReshardCosts &costs, bool splitAtRest = false);

  /// All ways to split the op's factors that the method allows, whole included. Never empty. Under Gathered every
  /// weight is split at rest over the axes that do not split it in use; under Auto with `splitAtRest` it may be.
  const StrategySet &of(mlir::Operation *op);
  /// The same for an input: any split of its dimensions that its role allows.
  std::vector<ShardingId> ofArgument(mlir::BlockArgument argument);

  const FreeValues &free() const { return facts->free; }
  RuleCache &rules() { return facts->rules; }

private:
  Method method;
  bool splitAtRest;
  ReshardCosts &costs;
  std::shared_ptr<GraphFacts> facts;
  std::vector<std::unique_ptr<StrategySet>> sets; ///< by class

  StrategySet makeSet(mlir::Operation *op, const OpClass &kind);
  struct Pricing;
  Strategy strategyFor(mlir::Operation *op, const FactorRule &rule, const FactorShardings &factors, Pricing &pricing);
  std::optional<Strategy> gathered(mlir::Operation *op, const Strategy &whole, unsigned axes);
  void addGathered(mlir::Operation *op, StrategySet &set);
};

} // namespace llmpar

#endif // LLMPAR_PLANNING_STRATEGIES_H
