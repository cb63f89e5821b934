//===- DiffPlans.cpp - What differs between two plans -----------------------===//
#include "llmpar/Planning/PlanDocument.h"

#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/StringExtras.h"
#include <charconv>

namespace llmpar {

std::string namePattern(llvm::StringRef name) {
  std::string pattern;
  for (char c : name)
    if (!llvm::isDigit(c))
      pattern += c;
    else if (pattern.empty() || pattern.back() != '*')
      pattern += '*';
  return pattern;
}

namespace {

std::string textOf(const std::vector<ShardingWords> &shardings) {
  std::string text;
  for (const ShardingWords &words : shardings)
    text += (text.empty() ? "[" : " [") + llvm::join(words, ", ") + "]";
  return text.empty() ? "-" : text;
}

std::string numberText(double number) {
  char digits[40];
  return {digits, std::to_chars(digits, digits + sizeof(digits), number).ptr};
}

/// "n: y -> -; keep: [x] -> -"; empty if nothing differs.
std::string changeOf(const PlanDocument::Op &a, const PlanDocument::Op &b) {
  llvm::SmallVector<std::string> changes;
  std::map<std::string, std::pair<std::string, std::string>> factors;
  for (const auto &[factor, axes] : a.shard)
    factors[factor] = {axes, "-"};
  for (const auto &[factor, axes] : b.shard) {
    auto [entry, isNew] = factors.try_emplace(factor, "-", axes);
    entry->second.second = axes;
  }
  for (const auto &[factor, axes] : factors)
    if (axes.first != axes.second)
      changes.push_back(factor + ": " + axes.first + " -> " + axes.second);
  if (a.keep != b.keep)
    changes.push_back("keep: " + textOf(a.keep) + " -> " + textOf(b.keep));
  if (a.rest != b.rest)
    changes.push_back("rest: " + textOf(a.rest) + " -> " + textOf(b.rest));
  if (a.type != b.type)
    changes.push_back("type: " + a.type + " -> " + b.type);
  return llvm::join(changes, "; ");
}

class Differ {
public:
  Differ(const PlanDocument &a, const PlanDocument &b) : a(a), b(b) {}

  PlanDifferences run() {
    field("model", a.model, b.model);
    field("graph", a.digest, b.digest);
    field("cluster", a.cluster, b.cluster);
    if (a.cluster == b.cluster && a.clusterText != b.clusterText)
      field("cluster", a.cluster, b.cluster + " (of the same name, but another)");
    field("method", a.method, b.method);
    field("mesh", a.mesh, b.mesh);
    field("seconds", numberText(a.cost), numberText(b.cost));
    field("lower_bound_seconds", numberText(a.lowerBound), numberText(b.lowerBound));
    field("peak_bytes", std::to_string(a.peakBytes), std::to_string(b.peakBytes));
    compareInputs();
    compareOps();
    for (const auto &[group, number] : groups)
      differences.groups.push_back({number, std::get<0>(group), std::get<1>(group), std::get<2>(group)});
    return std::move(differences);
  }

private:
  const PlanDocument &a, &b;
  PlanDifferences differences;

  void field(const std::string &name, const std::string &inA, const std::string &inB) {
    if (inA != inB)
      differences.fields.push_back({name, inA, inB});
  }

  /// In order of first occurrence.
  using Groups = llvm::MapVector<std::tuple<std::string, std::string, std::string>, int64_t,
                                 std::map<std::tuple<std::string, std::string, std::string>, unsigned>>;
  Groups groups;
  void count(const std::string &op, llvm::StringRef name, const std::string &change) {
    if (!change.empty())
      ++groups[{op, namePattern(name), change}];
  }

  void compareInputs() {
    auto find = [](const PlanDocument &plan, const std::string &name) {
      auto found = llvm::find_if(plan.inputs, [&](const PlanDocument::Input &input) { return input.name == name; });
      return found == plan.inputs.end() ? nullptr : &*found;
    };
    auto text = [](const PlanDocument::Input &input) { return "[" + llvm::join(input.sharding, ", ") + "]"; };
    for (const PlanDocument::Input &input : a.inputs) {
      const PlanDocument::Input *other = find(b, input.name);
      if (!other)
        count("input", input.name, "only in the first");
      else if (input.type != other->type)
        count("input", input.name, text(input) + " " + input.type + " -> " + text(*other) + " " + other->type);
      else if (input.sharding != other->sharding)
        count("input", input.name, text(input) + " -> " + text(*other));
    }
    for (const PlanDocument::Input &input : b.inputs)
      if (!find(a, input.name))
        count("input", input.name, "only in the second");
  }

  /// An op's kind, node, and number among those of the same kind and node.
  using Key = std::tuple<std::string, std::string, int>;
  static llvm::SmallVector<Key> keysOf(const PlanDocument &plan) {
    std::map<std::pair<std::string, std::string>, int> counts;
    llvm::SmallVector<Key> keys;
    for (const PlanDocument::Op &op : plan.ops)
      keys.push_back({op.op, op.node, counts[{op.op, op.node}]++});
    return keys;
  }

  void compareOps() {
    std::map<Key, const PlanDocument::Op *> inB;
    for (auto [key, op] : llvm::zip(keysOf(b), b.ops))
      inB[key] = &op;
    for (auto [key, op] : llvm::zip(keysOf(a), a.ops)) {
      auto other = inB.find(key);
      count(op.op, op.node, other == inB.end() ? "only in the first" : changeOf(op, *other->second));
      if (other != inB.end())
        inB.erase(other);
    }
    for (auto [key, op] : llvm::zip(keysOf(b), b.ops))
      if (inB.contains(key))
        count(op.op, op.node, "only in the second");
  }
};

} // namespace

PlanDifferences diffPlans(const PlanDocument &a, const PlanDocument &b) { return Differ(a, b).run(); }

} // namespace llmpar
