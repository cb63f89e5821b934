//===- ShardingProblem.h - A graph as a PlanProblem, and back ---*- C++ -*-===//
//
//   node of an input       its shardings, at no cost
//   node of an op          its strategies: kernel time; weights live always, results until their last use
//   node of a value        the sharding it is kept in, where several ops (or the caller) use it
//   edges                  collectives between the sharding that is there and the one that is needed
//
// Memory is counted in steps of two per op: at 2i op i runs, at 2i + 1 its kept results are resharded.
//
//===----------------------------------------------------------------------===//
#ifndef LLMPAR_PLANNING_SHARDINGPROBLEM_H
#define LLMPAR_PLANNING_SHARDINGPROBLEM_H

#include "llmpar/Planner/PlanProblem.h"
#include "llmpar/Planning/Strategies.h"

namespace llmpar {

class ShardingProblem {
public:
  /// `body` is the block of a function in canonical form, with pins as `llmpar.out`. The memory limit is the
  /// smallest device's memory. `facts`: of that block; null: this makes them.
  ShardingProblem(mlir::Block &body, Method method, const Mesh &mesh, const Cluster &cluster, bool splitAtRest = false,
                  std::shared_ptr<GraphFacts> facts = nullptr);

  const PlanProblem &problem() const { return problem_; }
  void setMemoryLimit(int64_t bytes) { problem_.memoryLimit = bytes; }
  /// What a node stands for.
  struct Node {
    mlir::Value value;                      ///< an input's or a kept value's node
    mlir::Operation *op = nullptr;          ///< an op's node
    const StrategySet *strategies = nullptr;
    std::vector<ShardingId> shardings;      ///< by strategy, of an input or a kept value
  };
  llvm::ArrayRef<Node> nodes() const { return nodes_; }
  const ReshardCosts &costs() const { return costs_; }
  const FactorRule &ruleOf(mlir::Operation *op) { return strategies.rules().of(op); }
  /// Steps of memory; only weights live in all of them.
  int64_t steps() const { return 2 * static_cast<int64_t>(position_.size()); }

  /// Writes the plan's choices as `llmpar.factors` on ops and `llmpar.out` on inputs and kept values.
  void apply(const Plan &plan);

private:
  mlir::Block &body;
  ReshardCosts costs_;
  Strategies strategies;
  PlanProblem problem_;
  std::vector<Node> nodes_;
  llvm::DenseMap<mlir::Operation *, int64_t> position_;
  llvm::DenseMap<mlir::Value, int> nodeOf; ///< input, or op of a result, or kept value: where users take it from
  /// What tokens an edge carries, by strategy of its first or second node; both empty: none.
  struct EdgeRouting {
    std::vector<TokenRouting> from, to;
    auto operator<=>(const EdgeRouting &) const = default;
  };
  std::map<std::tuple<std::vector<ShardingId>, std::vector<ShardingId>, const void *, EdgeRouting>, int> matrices;

  void addArgument(mlir::BlockArgument argument);
  void addOp(mlir::Operation &op, int64_t position);
  void addKept(mlir::OpResult value, int opNode, int64_t position);
  void addEdge(int from, int to, const std::vector<ShardingId> &have, const std::vector<ShardingId> &want,
               mlir::RankedTensorType type, const EdgeRouting &routing = {});
  std::vector<TokenRouting> routingOf(mlir::Operation *op, const StrategySet &set) const;
  int64_t lastUse(mlir::Value value) const;
};

} // namespace llmpar

#endif // LLMPAR_PLANNING_SHARDINGPROBLEM_H
