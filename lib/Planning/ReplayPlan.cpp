//===- ReplayPlan.cpp - Write a plan file's choice into a module ------------===//
#include "llmpar/Planning/PlanDocument.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/SmallVectorExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FormatVariadic.h"

using namespace mlir;

namespace llmpar {
namespace {

std::string describe(StringRef op, StringRef node, const llvm::Twine &type) {
  return llvm::formatv("'{0}'{1} : {2}", op, node.empty() ? "" : (" of node '" + node + "'").str(), type.str()).str();
}
std::string describe(Operation &op) {
  std::string type;
  llvm::raw_string_ostream os(type);
  if (op.getNumResults())
    os << op.getResult(0).getType();
  else
    os << "no result";
  return describe(op.getName().stripDialect(), nodeNameOf(&op), type);
}

/// What an op will get; nothing is written before all of it is known to be right.
struct Choice {
  Operation *op = nullptr;
  FactorShardings factors;
  std::vector<Sharding> keep, rest;
};

class Replayer {
public:
  Replayer(ModuleOp module, const PlanDocument &document) : module(module), document(document) {}

  llvm::Error run(const Cluster &cluster) {
    function = module.lookupSymbol<func::FuncOp>("main");
    if (!function || function.isExternal())
      return llvm::createStringError("no function @main with a body");
    if (llvm::Error error = checkModel())
      return error;
    if (llvm::Error error = checkCluster(cluster))
      return error;
    if (llvm::Error error = readMesh(cluster))
      return error;
    if (llvm::Error error = readInputs())
      return error;
    for (auto [position, entry] : llvm::enumerate(document.ops))
      if (llvm::Error error = readOp(entry, position))
        return error;
    if (llvm::Error error = checkComplete())
      return error;
    write();
    return llvm::Error::success();
  }

private:
  ModuleOp module;
  const PlanDocument &document;
  func::FuncOp function;
  Mesh mesh;
  RuleCache rules;
  std::vector<Operation *> ops; ///< of the body, by position
  std::vector<Sharding> inputs;
  std::vector<Choice> choices; ///< by entry of document.ops
  llvm::DenseMap<Operation *, size_t> choiceOf;

  llvm::Error stale(const llvm::Twine &why) {
    return llvm::createStringError("the plan is for another " + why + ": plan the model again with `llmpar plan`");
  }

  llvm::Error checkModel() {
    Block &body = function.getBody().front();
    for (Operation &op : body)
      ops.push_back(&op);
    for (auto [index, argument] : llvm::enumerate(function.getArguments())) {
      std::string type;
      llvm::raw_string_ostream(type) << argument.getType();
      if (index < document.inputs.size() && document.inputs[index].type != type)
        return stale(llvm::formatv("model or other dimensions: its input '{0}' is {1}, the model's is {2}",
                                   document.inputs[index].name, document.inputs[index].type, type)
                         .str());
    }
    if (document.inputs.size() != function.getNumArguments())
      return stale(
          llvm::formatv("model: it has {0} inputs, the model {1}", document.inputs.size(), function.getNumArguments())
              .str());
    std::vector<uint64_t> digests = digestOps(body);
    for (size_t i = 0; i < std::min(digests.size(), document.opDigests.size()); ++i)
      if (llvm::formatv("{0:x-8}", static_cast<uint32_t>(digests[i])).str() != document.opDigests[i])
        return stale(
            llvm::formatv("model: op {0} is {1} in the model, {2} in the plan", i, describe(*ops[i]), planned(i))
                .str());
    if (digests.size() != document.opDigests.size())
      return stale(
          llvm::formatv("model: it has {0} ops, the model {1}", document.opDigests.size(), digests.size()).str());
    return llvm::Error::success();
  }

  /// What the plan says of its op `index`; it lists only ops that a plan decides.
  std::string planned(size_t index) {
    auto *entry = llvm::find_if(llvm::ArrayRef(document.ops),
                                [&](const PlanDocument::Op &op) { return op.index == int64_t(index); });
    return entry == llvm::ArrayRef(document.ops).end() ? "a weight or constant"
                                                       : describe(entry->op, entry->node, entry->type);
  }

  llvm::Error checkCluster(const Cluster &cluster) {
    std::string text = writeCluster(cluster);
    SmallVector<StringRef> ours, theirs;
    StringRef(text).rtrim().split(ours, '\n');
    StringRef(document.clusterText).rtrim().split(theirs, '\n');
    for (size_t i = 0; i < std::max(ours.size(), theirs.size()); ++i) {
      auto line = [&](ArrayRef<StringRef> lines) {
        return i < lines.size() ? ("'" + lines[i].trim() + "'").str() : "missing";
      };
      if (line(ours) != line(theirs))
        return stale(llvm::formatv("cluster, '{0}' instead of '{1}': line {2} of it is {3} in the plan, {4} here",
                                   document.cluster, cluster.name, i + 1, line(theirs), line(ours))
                         .str());
    }
    return llvm::Error::success();
  }

  llvm::Error readMesh(const Cluster &cluster) {
    llvm::Expected<Mesh> parsed = Mesh::parse(document.mesh);
    if (!parsed)
      return parsed.takeError();
    mesh = *parsed;
    if (Mesh own = meshOf(module); !own.axes.empty() && own.str() != mesh.str())
      return llvm::createStringError(
          llvm::formatv("the plan's mesh is '{0}', not '{1}': leave out --mesh, or plan again for it", mesh.str(),
                        own.str())
              .str());
    if (!mesh.axes.empty() && mesh.ranks() != cluster.ranks())
      return llvm::createStringError(
          llvm::formatv("the plan's mesh '{0}' has {1} ranks, but cluster '{2}' has {3} devices", mesh.str(),
                        mesh.ranks(), cluster.name, cluster.ranks())
              .str());
    return llvm::Error::success();
  }

  /// `where` names the entry in messages.
  llvm::Expected<Sharding> readSharding(const ShardingWords &words, Value value, const std::string &where) {
    llvm::Expected<Sharding> sharding = parseWords(words, cast<RankedTensorType>(value.getType()).getShape(), mesh);
    if (!sharding)
      return llvm::createStringError(where + ": " + llvm::toString(sharding.takeError()));
    return sharding;
  }

  llvm::Error readInputs() {
    for (auto [input, argument] : llvm::zip(document.inputs, function.getArguments())) {
      llvm::Expected<Sharding> sharding = readSharding(input.sharding, argument, "plan.inputs: '" + input.name + "'");
      if (!sharding)
        return sharding.takeError();
      inputs.push_back(std::move(*sharding));
    }
    return llvm::Error::success();
  }

  llvm::Error readOp(const PlanDocument::Op &entry, size_t position) {
    std::string where = llvm::formatv("plan.ops[{0}]", position).str();
    auto fail = [&](const llvm::Twine &why) { return llvm::createStringError(where + ": " + why); };
    if (entry.index >= static_cast<int64_t>(ops.size()) || !isa<FactorOpInterface>(ops[entry.index]))
      return fail(llvm::formatv("index {0} is no op that can be sharded", entry.index).str());
    Operation *op = ops[entry.index];
    where += ", op " + std::to_string(entry.index) + " " + describe(*op);
    if (!choiceOf.try_emplace(op, choices.size()).second)
      return fail("the op has two entries");
    Choice choice{.op = op, .factors = {}, .keep = {}, .rest = {}};
    if (llvm::Error error = readFactors(entry, op, where, choice.factors))
      return error;
    auto readAll = [&](const std::vector<ShardingWords> &all, auto values, StringRef key,
                       std::vector<Sharding> &result) -> llvm::Error {
      if (!all.empty() && all.size() != values.size())
        return fail(llvm::formatv("'{0}' has {1} entries, expected {2}", key, all.size(), values.size()).str());
      for (auto [words, value] : llvm::zip(all, values)) {
        llvm::Expected<Sharding> sharding = readSharding(words, value, where + ", '" + key.str() + "'");
        if (!sharding)
          return sharding.takeError();
        result.push_back(std::move(*sharding));
      }
      return llvm::Error::success();
    };
    if (llvm::Error error = readAll(entry.keep, op->getResults(), "keep", choice.keep))
      return error;
    if (llvm::Error error = readAll(entry.rest, op->getOperands(), "rest", choice.rest))
      return error;
    choices.push_back(std::move(choice));
    return llvm::Error::success();
  }

  llvm::Error readFactors(const PlanDocument::Op &entry, Operation *op, const std::string &where,
                          FactorShardings &factors) {
    const FactorRule &rule = rules.of(op);
    auto fail = [&](const llvm::Twine &why) { return llvm::createStringError(where + ": " + why); };
    factors.resize(rule.factors.size());
    llvm::SmallDenseSet<AxisId> used;
    for (const auto &[name, word] : entry.shard) {
      auto *found = llvm::find_if(rule.factors, [&](const Factor &factor) { return factor.name == name; });
      int factor = static_cast<int>(found - rule.factors.begin());
      if (found == rule.factors.end() || !rule.isShardable(factor)) {
        SmallVector<StringRef> shardable;
        for (auto [index, known] : llvm::enumerate(rule.factors))
          if (rule.isShardable(static_cast<int>(index)))
            shardable.push_back(known.name);
        return fail(llvm::formatv("'{0}' is no factor of its rule '{1}' that can be sharded: choose from {2}", name,
                                  rule.str(), shardable.empty() ? "none" : llvm::join(shardable, ", "))
                        .str());
      }
      llvm::Expected<DimSharding> dim = parseWord(word, mesh);
      if (!dim)
        return fail("factor '" + name + "': " + llvm::toString(dim.takeError()));
      for (AxisId axis : dim->axes)
        if (!used.insert(axis).second)
          return fail("axis '" + mesh.axes[axis].name + "' occurs twice");
      factors[factor] = *dim;
    }
    return llvm::Error::success();
  }

  /// Ops that depend on an input, or on a kept weight, need an entry.
  llvm::Error checkComplete() {
    llvm::DenseSet<Value> free;
    for (auto [index, op] : llvm::enumerate(ops)) {
      if (!isa<FactorOpInterface>(op))
        continue;
      auto found = choiceOf.find(op);
      const Choice *choice = found == choiceOf.end() ? nullptr : &choices[found->second];
      if (llvm::all_of(op->getOperands(), [&](Value v) { return free.contains(v); }) &&
          !(choice && !choice->keep.empty()))
        free.insert(op->result_begin(), op->result_end());
      else if (!choice)
        return llvm::createStringError(
            llvm::formatv("the plan has no entry for op {0}, {1}: write one with \"shard\": {{} to keep it whole",
                          index, describe(*op))
                .str());
    }
    return llvm::Error::success();
  }

  static ArrayAttr shardingsAttr(ArrayRef<Sharding> shardings, const Mesh &mesh, MLIRContext *context) {
    return ArrayAttr::get(context, llvm::map_to_vector(shardings, [&](const Sharding &sharding) -> Attribute {
                            return toAttr(sharding, mesh, context);
                          }));
  }

  void write() {
    setMesh(module, mesh);
    for (auto [argument, sharding] : llvm::zip(function.getArguments(), inputs))
      setSharding(argument, sharding, mesh);
    for (Operation *op : ops)
      for (StringRef name : {LlmparDialect::kOutShardings, LlmparDialect::kFactors, LlmparDialect::kRestShardings})
        op->removeAttr(name);
    for (const Choice &choice : choices) {
      setFactorShardings(choice.op, rules.of(choice.op), choice.factors, mesh);
      if (!choice.keep.empty())
        choice.op->setAttr(LlmparDialect::kOutShardings, shardingsAttr(choice.keep, mesh, module.getContext()));
      if (!choice.rest.empty())
        choice.op->setAttr(LlmparDialect::kRestShardings, shardingsAttr(choice.rest, mesh, module.getContext()));
    }
  }
};

} // namespace

llvm::Error replayPlan(ModuleOp module, const PlanDocument &document, const Cluster &cluster) {
  return Replayer(module, document).run(cluster);
}

} // namespace llmpar
