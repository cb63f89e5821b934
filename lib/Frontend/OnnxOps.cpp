//===- OnnxOps.cpp - The table of ONNX operators --------------------------===//
#include "OnnxOps.h"
#include "GraphImporter.h"
#include "Handlers.h"
#include "llmpar/Frontend/ImportOnnx.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSet.h"

using namespace mlir;

namespace llmpar {
namespace {

/// A word of a column, without the opsets it is bound to: "axes!<13" is "axes!" for opsets [0, 13).
struct Word {
  llvm::StringRef text;
  int64_t first = 0, end = std::numeric_limits<int64_t>::max();

  bool covers(int64_t opset) const { return opset >= first && opset < end; }
};

llvm::SmallVector<Word> readWords(llvm::StringRef column) {
  llvm::SmallVector<Word> words;
  for (llvm::StringRef token : llvm::split(column, ' ')) {
    if (token.empty())
      continue;
    Word &word = words.emplace_back(Word{token});
    llvm::StringRef bound;
    if (token.contains(">=")) {
      std::tie(word.text, bound) = token.split(">=");
      bound.getAsInteger(10, word.first);
    } else if (token.contains('<')) {
      std::tie(word.text, bound) = token.split('<');
      bound.getAsInteger(10, word.end);
    }
  }
  return words;
}

struct AttributeRule {
  llvm::StringRef name, only; ///< only: the one supported value, "" for any
  bool isRequired = false;
};

llvm::SmallVector<AttributeRule> readAttributes(llvm::StringRef column, int64_t opset) {
  llvm::SmallVector<AttributeRule> rules;
  for (const Word &word : readWords(column)) {
    if (!word.covers(opset))
      continue;
    AttributeRule &rule = rules.emplace_back();
    std::tie(rule.name, rule.only) = word.text.split('=');
    rule.isRequired = rule.name.consume_back("!");
  }
  return rules;
}

struct CountRange {
  int least = 0, most = std::numeric_limits<int>::max();
};

/// "1<13 1-2": one before opset 13, then one or two; "2-*": two or more.
CountRange readCount(llvm::StringRef column, int64_t opset) {
  CountRange range;
  for (const Word &word : readWords(column)) {
    if (!word.covers(opset))
      continue;
    auto [least, most] = word.text.split('-');
    least.getAsInteger(10, range.least);
    if (most != "*")
      (most.empty() ? least : most).getAsInteger(10, range.most);
    break;
  }
  return range;
}

std::string valueText(const ::onnx::AttributeProto &attribute) {
  return attribute.type() == ::onnx::AttributeProto::STRING ? attribute.s() : std::to_string(attribute.i());
}

void checkAttributes(NodeImporter &n, const OnnxOp &op) {
  llvm::SmallVector<AttributeRule> rules = readAttributes(op.attributes, n.opset);
  llvm::StringSet<> seen;
  for (const auto &attribute : n.node.attribute()) {
    const std::string &name = attribute.name();
    auto *rule = llvm::find_if(rules, [&](const AttributeRule &known) { return known.name == name; });
    if (rule == rules.end()) {
      std::string known = llvm::join(llvm::map_range(rules, [](const AttributeRule &r) { return r.name; }), ", ");
      return void(n.error("attribute '" + Twine(name) + "' is not known; in opset " + Twine(n.opset) +
                          " the operator has " + (known.empty() ? "none" : known)));
    }
    if (!seen.insert(name).second)
      return void(n.error("attribute '" + Twine(name) + "' is given twice"));
    const auto *given = n.attribute(name);
    if (given && !rule->only.empty() && valueText(*given) != rule->only)
      return void(n.error(Twine(name) + " = " + valueText(*given) + " is not supported, only " + rule->only));
  }
  for (const AttributeRule &rule : rules)
    if (rule.isRequired && !n.hasAttribute(rule.name))
      return void(n.error("attribute '" + rule.name + "' is missing"));
}

/// Trailing names may be empty: an optional input or output that is not there.
void checkCount(NodeImporter &n, const google::protobuf::RepeatedPtrField<std::string> &names, llvm::StringRef column,
                llvm::StringRef what) {
  CountRange range = readCount(column, n.opset);
  int count = names.size();
  while (count > 0 && names[count - 1].empty())
    --count;
  if (count >= range.least && count <= range.most)
    return;
  std::string allowed = std::to_string(range.least);
  if (range.most == std::numeric_limits<int>::max())
    allowed += " or more";
  else if (range.most > range.least)
    allowed += " to " + std::to_string(range.most);
  n.error("has " + Twine(count) + " " + what + "s; supported are " + allowed + " in opset " + Twine(n.opset));
}

} // namespace

int64_t OnnxOp::since() const {
  int64_t first = 1;
  llvm::StringRef(versions).split(' ').first.getAsInteger(10, first);
  return first;
}

llvm::ArrayRef<OnnxOp> onnxOps() {
  static const OnnxOp table[] = {
#define ONNX_OP(domain, name, versions, until, handler, kind, inputs, outputs, attributes, notes)                      \
  {domain, name, versions, until, handler, kind, inputs, outputs, attributes, notes},
#include "llmpar/Frontend/OnnxOps.def"
  };
  return table;
}

const OnnxOp *findOnnxOp(llvm::StringRef domain, llvm::StringRef name, int64_t opset, const OnnxOp **anyVersion) {
  static const auto *index = [] {
    auto *map = new llvm::StringMap<std::vector<const OnnxOp *>>;
    for (const OnnxOp &op : onnxOps())
      (*map)[functionKey(op.domain, op.name, "")].push_back(&op);
    return map;
  }();
  auto rows = index->find(functionKey(domain, name, ""));
  if (rows == index->end())
    return nullptr;
  for (const OnnxOp *op : rows->second) {
    if (anyVersion)
      *anyVersion = op;
    if (opset >= op->since() && opset <= op->until)
      return op;
  }
  return nullptr;
}

std::vector<SupportedOp> supportedOps() {
  std::vector<SupportedOp> ops;
  for (const OnnxOp &op : onnxOps()) {
    std::string opsets = std::to_string(op.since());
    if (op.until != op.since())
      opsets += " to " + std::to_string(op.until);
    ops.push_back(
        {*op.domain ? op.domain : "ai.onnx", op.name, opsets, op.notes, op.inputs, op.outputs, op.attributes});
  }
  return ops;
}

void checkSignature(NodeImporter &n, const OnnxOp &op) {
  checkAttributes(n, op);
  checkCount(n, n.node.input(), op.inputs, "input");
  checkCount(n, n.node.output(), op.outputs, "output");
}

void checkFunctionCall(NodeImporter &call, const ::onnx::FunctionProto &function) {
  llvm::SmallVector<llvm::StringRef> known(function.attribute().begin(), function.attribute().end());
  for (const auto &defaulted : function.attribute_proto())
    known.push_back(defaulted.name());
  for (const auto &attribute : call.node.attribute())
    if (!llvm::is_contained(known, attribute.name()))
      return void(call.error("attribute '" + Twine(attribute.name()) + "' is not known; the function has " +
                             (known.empty() ? "none" : llvm::join(known, ", "))));
  if (call.node.input_size() > function.input_size())
    call.error("has " + Twine(call.node.input_size()) + " inputs; the function takes " + Twine(function.input_size()));
  if (call.node.output_size() > function.output_size())
    call.error("has " + Twine(call.node.output_size()) + " outputs; the function gives " +
               Twine(function.output_size()));
}

} // namespace llmpar
