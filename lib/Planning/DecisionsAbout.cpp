//===- DecisionsAbout.cpp - Nodes of a problem by name ----------------------===//
#include "llmpar/Dialect/WeightParts.h"
#include "llmpar/Planning/ExplainPlan.h"
#include "llmpar/Planning/PlanDocument.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/FormatVariadic.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

using namespace mlir;

namespace llmpar {
namespace {

/// What every name of the model stands for.
class NodesByName {
public:
  explicit NodesByName(ShardingProblem &problem) {
    for (auto [index, node] : llvm::enumerate(problem.nodes())) {
      nodesOf[node.op ? node.op : node.value.getDefiningOp()].push_back(static_cast<int>(index));
      if (auto argument = dyn_cast_or_null<BlockArgument>(node.value))
        inputs[argument.getArgNumber()] = static_cast<int>(index);
    }
    Operation *any = nullptr;
    for (const ShardingProblem::Node &node : problem.nodes())
      any = node.op ? node.op : any;
    if (!any) // nothing but inputs: their owner is the body
      for (const ShardingProblem::Node &node : problem.nodes())
        addAll(cast<func::FuncOp>(cast<BlockArgument>(node.value).getOwner()->getParentOp()));
    else
      addAll(any->getParentOfType<func::FuncOp>());
  }

  llvm::Expected<std::vector<int>> find(StringRef name) const {
    auto known = byName.find(name);
    if (known == byName.end())
      return llvm::createStringError(llvm::formatv("'{0}' is no input, weight, output or node of the model{1}", name, nearest(name)).str());
    if (known->second.empty())
      return llvm::createStringError(llvm::formatv("'{0}' is no decision: it is computed from weights and constants alone, so that every user gets it as it likes", name).str());
    return std::vector<int>(known->second.begin(), known->second.end());
  }

private:
  llvm::DenseMap<Operation *, std::vector<int>> nodesOf; ///< of an op and its kept results
  llvm::DenseMap<unsigned, int> inputs;
  llvm::StringMap<llvm::SetVector<int>> byName;

  void addAll(func::FuncOp function) {
    for (BlockArgument argument : function.getArguments())
      if (auto name = function.getArgAttrOfType<StringAttr>(argument.getArgNumber(), LlmparDialect::kName))
        byName[name].insert(inputs.lookup(argument.getArgNumber()));
    for (Operation &op : function.getBody().front()) {
      if (auto load = dyn_cast<LoadWeightOp>(op))
        addUsers(byName[tensorNameOf(load)], load.getResult());
      if (StringRef name = nodeNameOf(&op); !name.empty())
        addNodes(byName[name], &op);
      if (auto end = dyn_cast<func::ReturnOp>(op))
        for (auto [number, value] : llvm::enumerate(end.getOperands()))
          if (auto name = function.getResultAttrOfType<StringAttr>(static_cast<unsigned>(number), LlmparDialect::kName); name && value.getDefiningOp())
            addNodes(byName[name], value.getDefiningOp());
    }
  }

  void addNodes(llvm::SetVector<int> &to, Operation *op) const {
    auto known = nodesOf.find(op);
    if (known != nodesOf.end())
      to.insert(known->second.begin(), known->second.end());
  }

  /// The ops that a weight reaches through what is computed from weights alone.
  void addUsers(llvm::SetVector<int> &to, Value value) const {
    for (Operation *user : value.getUsers()) {
      auto known = nodesOf.find(user);
      if (known != nodesOf.end())
        to.insert(known->second.front());
      else
        for (Value result : user->getResults())
          addUsers(to, result);
    }
  }

  /// ": did you mean 'a', 'b' or 'c'?"
  std::string nearest(StringRef name) const {
    std::vector<std::tuple<bool, unsigned, StringRef>> candidates; // names that contain it come first
    for (const auto &entry : byName)
      candidates.push_back({!entry.first().contains_insensitive(name), entry.first().edit_distance_insensitive(name), entry.first()});
    llvm::sort(candidates);
    if (candidates.size() > 3)
      candidates.resize(3);
    auto names = llvm::map_range(candidates, [](const auto &c) { return "'" + std::get<2>(c).str() + "'"; });
    return candidates.empty() ? "" : ": did you mean " + llvm::join(names, ", ") + "?";
  }
};

} // namespace

llvm::Expected<std::vector<int>> decisionsAbout(ShardingProblem &problem, StringRef name) {
  return NodesByName(problem).find(name);
}

} // namespace llmpar
