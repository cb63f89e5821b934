//===- GraphImporter.cpp - Nodes, scopes and functions --------------------===//
#include "GraphImporter.h"
#include "OnnxOps.h"
#include "llvm/ADT/StringSet.h"
#include <queue>

using namespace mlir;

namespace llmpar {
namespace {

constexpr int maxCallDepth = 64;

/// Names that a node reads, with those that its subgraphs take from around them.
void collectReads(const ::onnx::NodeProto &node, std::vector<std::string> &reads) {
  for (const std::string &name : node.input())
    if (!name.empty())
      reads.push_back(name);
  for (const auto &attribute : node.attribute()) {
    if (!attribute.has_g())
      continue;
    const ::onnx::GraphProto &body = attribute.g();
    llvm::StringSet<> own;
    for (const auto &input : body.input())
      own.insert(input.name());
    for (const auto &tensor : body.initializer())
      own.insert(tensor.name());
    for (const auto &inner : body.node())
      for (const std::string &output : inner.output())
        own.insert(output);
    std::vector<std::string> inner;
    for (const auto &innerNode : body.node())
      collectReads(innerNode, inner);
    for (const auto &output : body.output())
      inner.push_back(output.name());
    for (std::string &name : inner)
      if (!own.contains(name))
        reads.push_back(std::move(name));
  }
}

/// The dependences between the nodes of one graph.
struct NodeOrder {
  std::vector<std::vector<size_t>> producers; ///< nodes that a node waits for
  llvm::StringMap<size_t> producerOf;
  std::vector<bool> needed;

  void mark(const std::string &output) {
    auto found = producerOf.find(output);
    if (found == producerOf.end())
      return;
    std::vector<size_t> stack{found->second};
    while (!stack.empty()) {
      size_t node = stack.back();
      stack.pop_back();
      if (needed[node])
        continue;
      needed[node] = true;
      stack.insert(stack.end(), producers[node].begin(), producers[node].end());
    }
  }

  /// Needed nodes, each after its producers, otherwise in file order. Shorter than the needed ones if they are cyclic.
  std::vector<size_t> sorted() const {
    std::vector<size_t> waiting(producers.size(), 0), order;
    std::vector<std::vector<size_t>> readers(producers.size());
    std::priority_queue<size_t, std::vector<size_t>, std::greater<>> ready;
    for (size_t node = 0; node < producers.size(); ++node) {
      if (!needed[node])
        continue;
      waiting[node] = producers[node].size();
      for (size_t producer : producers[node])
        readers[producer].push_back(node);
      if (waiting[node] == 0)
        ready.push(node);
    }
    while (!ready.empty()) {
      size_t node = ready.top();
      ready.pop();
      order.push_back(node);
      for (size_t reader : readers[node])
        if (--waiting[reader] == 0)
          ready.push(reader);
    }
    return order;
  }
};

Opsets readOpsets(const google::protobuf::RepeatedPtrField<::onnx::OperatorSetIdProto> &imports) {
  Opsets opsets;
  for (const auto &import : imports) {
    int64_t &version = opsets[normalizeDomain(import.domain()).str()];
    version = std::max(version, import.version());
  }
  return opsets;
}

} // namespace

llvm::StringRef normalizeDomain(llvm::StringRef domain) { return domain == "ai.onnx" ? "" : domain; }

std::string functionKey(llvm::StringRef domain, llvm::StringRef name, llvm::StringRef overload) {
  return (normalizeDomain(domain) + "\n" + name + "\n" + overload).str();
}

GraphImporter::GraphImporter(const OnnxFile &file, OpBuilder &builder, OnnxWeights &weights)
    : file(file), builder(builder), weights(weights), opsets(readOpsets(file.model.opset_import())) {
  for (const auto &function : file.model.functions()) {
    functions[functionKey(function.domain(), function.name(), function.overload())] = &function;
    functionOpsets[&function] = readOpsets(function.opset_import());
  }
}

LogicalResult GraphImporter::addInitializers(const ::onnx::GraphProto &graph, Scope &scope) {
  for (const auto &tensor : graph.initializer())
    if (!scope.initializers.try_emplace(tensor.name(), &tensor).second)
      return emitError(file.location(builder.getContext()))
             << file.name << ": initializer '" << tensor.name() << "' is defined twice";
  if (graph.sparse_initializer_size())
    return emitError(file.location(builder.getContext())) << file.name << ": sparse initializers are not supported";
  return success();
}

FailureOr<std::optional<Value>> GraphImporter::lookup(llvm::StringRef name, Scope &scope, Location loc) {
  for (Scope *current = &scope; current; current = current->parent) {
    if (auto found = current->values.find(name); found != current->values.end())
      return std::optional<Value>(found->second);
    if (auto found = current->initializers.find(name); found != current->initializers.end()) {
      Value value = weights.load(builder, *found->second, TensorHolder::Initializer, name, loc);
      if (!value)
        return failure();
      current->values[name] = value;
      return std::optional<Value>(value);
    }
  }
  return std::optional<Value>();
}

LogicalResult GraphImporter::importNodes(const Nodes &nodes, llvm::ArrayRef<std::string> outputs, Scope &scope) {
  Location fileLoc = file.location(builder.getContext());
  NodeOrder order;
  order.needed.resize(nodes.size());
  order.producers.resize(nodes.size());
  for (int i = 0; i < nodes.size(); ++i)
    for (const std::string &output : nodes[i].output()) {
      if (output.empty())
        continue;
      auto [producer, isNew] = order.producerOf.try_emplace(output, i);
      bool taken = scope.values.contains(output) || scope.initializers.contains(output);
      if (isNew && !taken)
        continue;
      // Tools that shrink exported graphs append a constant to override one: the last counts.
      bool overrides = nodes[i].op_type() == "Constant" &&
                       nodes[static_cast<int>(producer->second)].op_type() == "Constant" && !taken;
      if (!overrides)
        return emitError(fileLoc) << file.name << ": node '" << nodes[i].name() << "' (" << nodes[i].op_type()
                                  << "): value '" << output << "' is defined twice";
      producer->second = i;
    }
  for (int i = 0; i < nodes.size(); ++i) {
    std::vector<std::string> reads;
    collectReads(nodes[i], reads);
    for (const std::string &name : reads)
      if (auto producer = order.producerOf.find(name); producer != order.producerOf.end())
        order.producers[i].push_back(producer->second);
  }
  for (const std::string &output : outputs)
    order.mark(output);

  std::vector<size_t> sorted = order.sorted();
  if (static_cast<ptrdiff_t>(sorted.size()) < llvm::count(order.needed, true)) {
    llvm::DenseSet<size_t> placed(sorted.begin(), sorted.end());
    for (size_t node = 0; node < order.needed.size(); ++node)
      if (order.needed[node] && !placed.contains(node))
        return emitError(fileLoc) << file.name << ": node '" << nodes[static_cast<int>(node)].name() << "' ("
                                  << nodes[static_cast<int>(node)].op_type()
                                  << ") needs its own output: the graph is cyclic";
  }
  for (size_t index : sorted)
    if (failed(importNode(nodes[static_cast<int>(index)], scope, index)))
      return failure();
  return success();
}

LogicalResult GraphImporter::importNode(const ::onnx::NodeProto &node, Scope &scope, size_t index) {
  std::string name = node.name().empty() ? node.op_type() + "_" + std::to_string(index) : node.name();
  Location loc = NameLoc::get(builder.getStringAttr(scope.prefix + name), file.location(builder.getContext()));
  NodeImporter importer(*this, scope, node, loc);
  for (const std::string &inputName : node.input()) {
    if (inputName.empty()) {
      importer.inputs.push_back(nullptr);
      continue;
    }
    auto value = lookup(inputName, scope, loc);
    if (failed(value))
      return failure();
    if (!*value)
      return importer.error("input '" + Twine(inputName) + "' is defined by no node, input or initializer"), failure();
    importer.inputs.push_back(**value);
  }

  llvm::StringRef domain = normalizeDomain(node.domain());
  auto function = functions.find(functionKey(domain, node.op_type(), node.overload()));
  if (function != functions.end()) {
    callFunction(importer, *function->second);
  } else {
    auto version = scope.opsets->find(domain.str());
    importer.opset = version == scope.opsets->end() ? 1 : version->second;
    const OnnxOp *other = nullptr;
    const OnnxOp *op = findOnnxOp(domain, node.op_type(), importer.opset, &other);
    if (!op && other)
      return importer.error("opset " + Twine(importer.opset) + " is not supported, only " + Twine(other->since()) +
                            " to " + Twine(other->until) + ": convert the model to another opset"),
             failure();
    if (!op)
      return importer.error("operator not supported; see `llmpar inspect --ops`"), failure();
    checkSignature(importer, *op);
    if (importer.failed())
      return failure();
    importer.kind = op->kind;
    op->handler(importer);
  }
  for (auto [i, output] : llvm::enumerate(node.output())) {
    if (importer.failed())
      return failure();
    if (output.empty())
      continue;
    if (Value value = importer.getResults()[i])
      scope.values[output] = value;
    else
      importer.error("its output " + Twine(i) + " ('" + output + "') is not supported");
  }
  return failure(importer.failed());
}

void GraphImporter::callFunction(NodeImporter &call, const ::onnx::FunctionProto &function) {
  Scope body;
  body.opsets = &functionOpsets[&function];
  body.prefix = call.scope.prefix + (call.node.name().empty() ? call.node.op_type() : call.node.name()) + "/";
  body.depth = call.scope.depth + 1;
  if (body.depth > maxCallDepth) {
    call.error("the model's functions call themselves");
    return;
  }
  checkFunctionCall(call, function);
  if (call.failed())
    return;
  for (auto [i, name] : llvm::enumerate(function.input()))
    body.values[name] = call.optional(i);
  for (const auto &defaulted : function.attribute_proto()) {
    const auto *given = call.attribute(defaulted.name());
    body.attributes[defaulted.name()] = given ? given : &defaulted;
  }
  for (const std::string &name : function.attribute())
    if (const auto *given = call.attribute(name))
      body.attributes[name] = given;

  std::vector<std::string> outputs;
  for (auto [i, name] : llvm::enumerate(function.output()))
    if (call.wants(static_cast<int>(i)))
      outputs.push_back(name);
  if (failed(importNodes(function.node(), outputs, body)))
    return call.setFailed();
  for (auto [i, name] : llvm::enumerate(function.output())) {
    if (!call.wants(static_cast<int>(i)))
      continue;
    auto value = lookup(name, body, call.loc);
    if (failed(value))
      return call.setFailed();
    if (*value)
      call.result(i, **value);
  }
}

llvm::SmallVector<Value> GraphImporter::importBranch(const ::onnx::GraphProto &branch, Scope &parent,
                                                     llvm::StringRef name, llvm::ArrayRef<Value> arguments) {
  Scope body;
  body.parent = &parent;
  body.opsets = parent.opsets;
  body.prefix = parent.prefix + name.str() + "/";
  body.depth = parent.depth;
  for (auto [input, argument] : llvm::zip_equal(branch.input(), arguments))
    body.values[input.name()] = argument;
  std::vector<std::string> outputs;
  for (const auto &output : branch.output())
    outputs.push_back(output.name());
  if (failed(addInitializers(branch, body)) || failed(importNodes(branch.node(), outputs, body)))
    return {};
  llvm::SmallVector<Value> results;
  Location loc = file.location(builder.getContext());
  for (const std::string &output : outputs) {
    auto value = lookup(output, body, loc);
    if (failed(value))
      return {};
    if (!*value || !**value) {
      emitError(loc) << file.name << ": branch output '" << output << "' is computed by no node";
      return {};
    }
    results.push_back(**value);
  }
  return results;
}

} // namespace llmpar
