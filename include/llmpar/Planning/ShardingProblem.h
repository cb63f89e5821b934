//===- ShardingProblem.h - A graph as a PlanProblem, and back ---*- C++ -*-===//
//
//   node of an input       its shardings, at no cost
//   node of an op          its strategies: kernel time; weights live always, results until their last use
//   node of a value        the sharding it is kept in, where several ops (or the caller) use it
//   node of a state        the sharding in which a weight that steps change rests between them
//   edges                  collectives between the sharding that is there and the one that is needed; a state's next
//                          value comes back to its node
//
// Memory is counted in steps of two per op: at 2i op i runs, at 2i + 1 its kept results are resharded. What every block
// returns, as its cache, counts in all steps; the next value of a state takes the state's place.
//
//===----------------------------------------------------------------------===//
#ifndef LLMPAR_PLANNING_SHARDINGPROBLEM_H
#define LLMPAR_PLANNING_SHARDINGPROBLEM_H

#include "llmpar/Planner/PlanProblem.h"
#include "llmpar/Planning/Strategies.h"
#include <set>

namespace llmpar {

class ShardingProblem {
public:
  /// `body` is the block of a function in canonical form, with pins as `llmpar.out`. The memory limit is the
  /// smallest device's memory. `facts`: of that block; null: this makes them.
  ShardingProblem(mlir::Block &body, Method method, const Mesh &mesh, const Cluster &cluster, bool splitAtRest = false,
                  std::shared_ptr<GraphFacts> facts = nullptr);

  const PlanProblem &problem() const { return problem_; }
  void setMemoryLimit(int64_t bytes) { problem_.memoryLimit = bytes; }
  /// Shardings by strategy. Equal lists have equal addresses.
  using ShardingList = const std::vector<ShardingId> *;
  /// What a node stands for.
  struct Node {
    mlir::Value value;                      ///< an input's or a kept value's node
    mlir::Operation *op = nullptr;          ///< an op's node
    const StrategySet *strategies = nullptr;
    ShardingList shardings = nullptr;       ///< by strategy, of an input or a kept value
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
  Method method;
  ReshardCosts costs_;
  Strategies strategies;
  PlanProblem problem_;
  std::vector<Node> nodes_;
  llvm::DenseMap<mlir::Operation *, int64_t> position_;
  llvm::StringMap<int> stateOf;            ///< by the weight's symbol
  llvm::DenseMap<mlir::Value, int> nodeOf; ///< input, or op of a result, or kept value: where users take it from
  std::set<std::vector<ShardingId>> lists;
  ShardingList intern(std::vector<ShardingId> ids) { return &*lists.insert(std::move(ids)).first; }

  /// Of all ops that share a set of strategies, what their nodes and edges are made of; arrays by strategy.
  struct OpTable {
    std::vector<int64_t> costs, weightBytes, gatheredBytes, scratchBytes; ///< bytes: empty if all are 0
    llvm::SmallVector<ShardingList, 3> operands;
    llvm::SmallVector<ShardingList, 1> results;
    std::vector<TokenRouting> routing; ///< of the tokens that experts take and give; empty for any other op
  };
  std::map<const StrategySet *, OpTable> tables;
  const OpTable &tableOf(mlir::Operation *op, const StrategySet &set);

  /// By lists and type, and the routing of tokens by strategy of the edge's source or target; null: none.
  llvm::DenseMap<std::tuple<ShardingList, ShardingList, const void *, const void *, unsigned>, int> matrices;
  std::map<std::pair<ShardingList, const void *>, std::vector<int64_t>> bytesOf_;
  std::map<std::vector<ShardingList>, ShardingList> keptLists; ///< by that of the result, and those of its users

  const std::vector<int64_t> &bytesOf(ShardingList list, mlir::RankedTensorType type);
  void addArgument(mlir::BlockArgument argument);
  void addState(LoadWeightOp load);
  std::vector<ShardingId> smallest(llvm::ArrayRef<ShardingId> ids, mlir::RankedTensorType type);
  ShardingList stateListOf(mlir::Value state);
  void addOp(mlir::Operation &op, int64_t position);
  void addKept(mlir::OpResult value, int opNode, const OpTable &producer, int64_t position);
  ShardingList keptListOf(mlir::OpResult value, ShardingList natural);
  void addEdge(int from, int to, ShardingList have, ShardingList want, mlir::RankedTensorType type,
               const std::vector<TokenRouting> *routing, bool isOfTarget);
  int64_t lastUse(mlir::Value value) const;
};

} // namespace llmpar

#endif // LLMPAR_PLANNING_SHARDINGPROBLEM_H
