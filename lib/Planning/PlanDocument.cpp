//===- PlanDocument.cpp - Describe what a plan chose ------------------------===//
#include "llmpar/Planning/PlanDocument.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/xxhash.h"

using namespace mlir;

namespace llmpar {

std::string wordOf(const DimSharding &dim, const Mesh &mesh) {
  std::string word;
  for (AxisId axis : dim.axes)
    word += (word.empty() ? "" : "+") + mesh.axes[axis].name;
  if (word.empty())
    return "-";
  return dim.unit == 1 ? word : word + ":" + std::to_string(dim.unit);
}

ShardingWords wordsOf(const Sharding &sharding, const Mesh &mesh) {
  ShardingWords words;
  for (const DimSharding &dim : sharding.dims)
    words.push_back(wordOf(dim, mesh));
  for (const PartialAxis &partial : sharding.partial)
    words.push_back((reductionName(partial.reduction) + "(" + mesh.axes[partial.axis].name + ")").str());
  return words;
}

llvm::Expected<DimSharding> parseWord(StringRef word, const Mesh &mesh) {
  DimSharding dim;
  if (word == "-")
    return dim;
  auto [axes, unit] = word.split(':');
  if (word.contains(':') && (unit.getAsInteger(10, dim.unit) || dim.unit < 1))
    return llvm::createStringError(llvm::formatv("'{0}': the unit '{1}' is no positive number", word, unit).str());
  SmallVector<StringRef> names;
  axes.split(names, '+');
  for (StringRef name : names) {
    AxisId axis = mesh.find(name);
    if (axis < 0)
      return llvm::createStringError(llvm::formatv("axis '{0}' is not of the mesh '{1}'", name, mesh.str()).str());
    if (llvm::is_contained(dim.axes, axis))
      return llvm::createStringError(llvm::formatv("axis '{0}' occurs twice", name).str());
    dim.axes.push_back(axis);
  }
  return dim;
}

/// "sum(x)"; none if it is something else.
static std::optional<PartialAxis> parsePartial(StringRef word, const Mesh &mesh) {
  for (FactorKind kind : {FactorKind::Sum, FactorKind::Max, FactorKind::Min, FactorKind::Prod}) {
    StringRef axis = word;
    if (axis.consume_front(reductionName(kind)) && axis.consume_front("(") && axis.consume_back(")") &&
        mesh.find(axis) >= 0)
      return PartialAxis{mesh.find(axis), kind};
  }
  return std::nullopt;
}

llvm::Expected<Sharding> parseWords(const ShardingWords &words, ArrayRef<int64_t> shape, const Mesh &mesh) {
  Sharding sharding = Sharding::replicated(shape.size());
  llvm::SmallDenseSet<AxisId> used;
  for (auto [index, word] : llvm::enumerate(words)) {
    SmallVector<AxisId, 2> axes;
    if (index < shape.size()) {
      llvm::Expected<DimSharding> parsed = parseWord(word, mesh);
      if (!parsed)
        return parsed.takeError();
      sharding.dims[index] = *parsed;
      axes = parsed->axes;
    } else if (std::optional<PartialAxis> partial = parsePartial(word, mesh)) {
      sharding.partial.push_back(*partial);
      axes = {partial->axis};
    } else {
      break;
    }
    for (AxisId axis : axes)
      if (!used.insert(axis).second)
        return llvm::createStringError("axis '" + mesh.axes[axis].name + "' occurs twice");
  }
  if (words.size() != shape.size() + sharding.partial.size())
    return llvm::createStringError(llvm::formatv("[{0}] has {1} entries: expected {2}, one for each dimension",
                                                 llvm::join(words, ", "), words.size(), shape.size())
                                       .str());
  normalize(sharding, shape, mesh);
  return sharding;
}

StringRef nodeNameOf(Operation *op) {
  auto name = op->getLoc()->findInstanceOf<NameLoc>();
  return name ? name.getName().getValue() : StringRef();
}

std::vector<uint64_t> digestOps(Block &body) {
  llvm::DenseMap<Value, uint64_t> digests;
  std::string text;
  llvm::raw_string_ostream os(text);
  auto take = [&] { return llvm::xxh3_64bits(std::exchange(text, {})); };
  for (BlockArgument argument : body.getArguments()) {
    os << "input " << argument.getArgNumber() << " " << argument.getType();
    digests[argument] = take();
  }
  std::vector<uint64_t> ops;
  for (Operation &op : body) {
    os << op.getName() << " " << op.getPropertiesAsAttribute();
    for (Value operand : op.getOperands())
      os << " " << digests.lookup(operand);
    for (Type type : op.getResultTypes())
      os << " " << type;
    ops.push_back(take());
    for (OpResult result : op.getResults())
      digests[result] = ops.back() + result.getResultNumber();
  }
  return ops;
}

namespace {

std::string textOf(Type type) {
  std::string text;
  llvm::raw_string_ostream(text) << type;
  return text;
}

class Documenter {
public:
  Documenter(func::FuncOp function, const Mesh &mesh, PlanDocument &document)
      : function(function), mesh(mesh), document(document) {}

  void run() {
    for (BlockArgument argument : function.getArguments())
      addInput(argument);
    for (auto [index, op] : llvm::enumerate(function.getBody().front()))
      if (isa<FactorOpInterface>(&op) &&
          (op.hasAttr(LlmparDialect::kFactors) || op.hasAttr(LlmparDialect::kOutShardings)))
        addOp(op, static_cast<int64_t>(index));
    std::vector<uint64_t> digests = digestOps(function.getBody().front());
    document.digest =
        llvm::formatv("{0:x-16}", llvm::xxh3_64bits(llvm::ArrayRef(reinterpret_cast<const uint8_t *>(digests.data()),
                                                                   digests.size() * 8)))
            .str();
    for (uint64_t digest : digests)
      document.opDigests.push_back(llvm::formatv("{0:x-8}", static_cast<uint32_t>(digest)).str());
  }

private:
  func::FuncOp function;
  const Mesh &mesh;
  PlanDocument &document;
  RuleCache rules;

  void addInput(BlockArgument argument) {
    auto name = function.getArgAttrOfType<StringAttr>(argument.getArgNumber(), LlmparDialect::kName);
    document.inputs.push_back({.name = name ? name.str() : "input " + std::to_string(argument.getArgNumber()),
                               .type = textOf(argument.getType()),
                               .sharding = wordsOf(shardingOf(argument, mesh), mesh)});
  }

  void addOp(Operation &op, int64_t index) {
    const FactorRule &rule = rules.of(&op);
    PlanDocument::Op entry{.index = index,
                           .op = op.getName().stripDialect().str(),
                           .node = nodeNameOf(&op).str(),
                           .type = textOf(op.getResult(0).getType()),
                           .shard = {},
                           .keep = {},
                           .rest = {}};
    if (std::optional<FactorShardings> factors = factorShardingsOf(&op, rule, mesh))
      for (auto [factor, dim] : llvm::zip(rule.factors, *factors))
        if (!dim.axes.empty())
          entry.shard[factor.name] = wordOf(dim, mesh);
    if (op.hasAttr(LlmparDialect::kOutShardings))
      for (Value result : op.getResults())
        entry.keep.push_back(wordsOf(shardingOf(result, mesh), mesh));
    if (auto rest = op.getAttrOfType<ArrayAttr>(LlmparDialect::kRestShardings))
      for (ShardingAttr attr : rest.getAsRange<ShardingAttr>())
        entry.rest.push_back(wordsOf(fromAttr(attr, mesh), mesh));
    document.ops.push_back(std::move(entry));
  }
};

} // namespace

PlanDocument documentPlan(ModuleOp module, const ShardingPlan &plan, const Cluster &cluster, Method method) {
  constexpr double picosecond = 1e-12;
  PlanDocument document;
  if (auto name = module->getAttrOfType<StringAttr>(LlmparDialect::kModel))
    document.model = name.str();
  document.cluster = cluster.name;
  document.clusterText = writeCluster(cluster);
  document.method = nameOf(method).str();
  document.mesh = meshOf(module).str();
  document.cost = static_cast<double>(plan.chosen().plan.cost) * picosecond;
  document.lowerBound = static_cast<double>(plan.lowerBound) * picosecond;
  document.peakBytes = plan.chosen().plan.peakBytes;
  Mesh mesh = meshOf(module);
  Documenter(module.lookupSymbol<func::FuncOp>("main"), mesh, document).run();
  return document;
}

} // namespace llmpar
