//===- ParseCluster.cpp - Cluster files to clusters -------------------------===//
#include "ClusterFields.h"
#include "YamlTree.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FormatVariadic.h"
#include <cmath>
#include <type_traits>

namespace llmpar {
namespace {
using namespace cluster_file;

/// " (did you mean 'x'?)", or the list where nothing is near.
std::string suggestion(llvm::StringRef word, llvm::ArrayRef<std::string> known) {
  llvm::StringRef nearest;
  unsigned best = 4;
  for (llvm::StringRef candidate : known)
    if (unsigned distance = word.edit_distance_insensitive(candidate, /*AllowReplacements=*/true, best); distance < best) {
      best = distance;
      nearest = candidate;
    }
  if (!nearest.empty())
    return llvm::formatv("did you mean '{0}'?", nearest).str();
  return "choose one of " + llvm::join(known, ", ");
}

/// What is wrong with a file. The first wrong thing counts more than a missing one: a missing key is often a
/// misspelt one.
struct Complaints {
  llvm::SMLoc where, whereMissing;
  std::string wrong, missing;

  void add(llvm::SMLoc at, const std::string &message) {
    if (wrong.empty() || at.getPointer() < where.getPointer()) {
      where = at;
      wrong = message;
    }
  }
  void addMissing(llvm::SMLoc at, const std::string &message) {
    if (missing.empty()) {
      whereMissing = at;
      missing = message;
    }
  }
};

/// Reads the fields of one mapping; `finish` refuses the keys that nothing asked for.
class Reader {
public:
  Reader(const YamlNode &node, std::string what, Complaints &complaints)
      : node(node), what(std::move(what)), complaints(complaints) {
    if (node.kind != YamlNode::Mapping)
      complaints.add(node.where, this->what + " is a mapping of keys to values");
  }

  void finish() {
    if (node.kind != YamlNode::Mapping)
      return;
    for (const YamlNode &key : node.keys)
      if (!llvm::is_contained(asked, key.text))
        complaints.add(key.where, llvm::formatv("{0} has no '{1}': {2}", what, key.text, suggestion(key.text, asked)).str());
  }

  void text(llvm::StringRef key, std::string &value) {
    if (const YamlNode *found = scalar(key, /*isRequired=*/true))
      value = found->text;
  }

  template <typename T> void quantity(llvm::StringRef key, T &value, Range range) {
    if (range.fallback)
      value = static_cast<T>(*range.fallback);
    if (const YamlNode *found = scalar(key, !range.fallback))
      if (std::optional<double> number = parse(*found, key, range))
        value = static_cast<T>(*number);
  }

  void flag(llvm::StringRef key, bool &value, bool fallback) {
    value = fallback;
    const YamlNode *found = scalar(key, /*isRequired=*/false);
    if (!found)
      return;
    value = found->text == "true";
    if (!value && found->text != "false")
      complaints.add(found->where, llvm::formatv("'{0}' is '{1}': write true or false", key, found->text).str());
  }

  template <typename Enum, size_t n>
  void choice(llvm::StringRef key, Enum &value, const llvm::StringLiteral (&names)[n]) {
    if (const YamlNode *found = scalar(key, /*isRequired=*/true))
      value = enumerator<Enum>(*found, key, names).value_or(value);
  }

  template <typename Item, unsigned n> void list(llvm::StringRef key, llvm::SmallVector<Item, n> &items) {
    const YamlNode *found = find(key, /*isRequired=*/true);
    if (!found)
      return;
    if (found->kind != YamlNode::Sequence)
      return complaints.add(found->where, llvm::formatv("'{0}' is a list: begin each item with '- '", key).str());
    for (const YamlNode &item : found->values) {
      Reader reader(item, llvm::formatv("an item of '{0}'", key).str(), complaints);
      visitFields(reader, items.emplace_back());
      reader.finish();
    }
  }

  template <typename Visit> void object(llvm::StringRef key, Visit &&visit) {
    const YamlNode *found = find(key, /*isRequired=*/false);
    if (!found)
      return;
    Reader reader(*found, llvm::formatv("'{0}'", key).str(), complaints);
    visit(reader);
    reader.finish();
  }
  template <typename T, typename Visit> void optionalObject(llvm::StringRef key, std::optional<T> &value, Visit &&visit) {
    object(key, [&](Reader &reader) { visit(reader, value.emplace()); });
  }

  void peaks(llvm::StringRef key, std::map<DType, double> &peaks) {
    const YamlNode *found = find(key, /*isRequired=*/true);
    if (!found || !isMapping(*found, key, "f32: 19.5 TFLOP/s"))
      return;
    constexpr int64_t count = dtypeCount;
    llvm::StringLiteral names[count] = {
#define LLMPAR_DTYPE(Name, Cpp, Mlir, Numpy) Mlir,
#include "llmpar/Abi/DTypes.def"
    };
    for (auto [name, value] : llvm::zip_equal(found->keys, found->values))
      if (auto type = enumerator<DType>(name, "element type", names))
        if (auto number = parse(value, name.text, positive(Measure::FlopsPerSecond)))
          peaks[*type] = *number;
    if (found->keys.empty())
      complaints.add(found->where, llvm::formatv("'{0}' is empty: write at least one type, as in {{f32: 19.5 TFLOP/s}", key).str());
  }

  void curve(llvm::StringRef key, EfficiencyCurve &curve, Measure size, Range fraction) {
    curve.points = {{1, *fraction.fallback}};
    if (const YamlNode *found = find(key, /*isRequired=*/false))
      parseCurve(*found, key, curve, size, fraction);
  }

  void curves(llvm::StringRef key, std::map<KernelClass, EfficiencyCurve> &curves, Range fraction) {
    for (size_t i = 0; i < std::size(kernelClassNames); ++i)
      curves[static_cast<KernelClass>(i)].points = {{1, *fraction.fallback}};
    const YamlNode *found = find(key, /*isRequired=*/false);
    if (!found)
      return;
    if (found->kind == YamlNode::Scalar) { // one for all
      for (auto &[kernel, curve] : curves)
        parseCurve(*found, key, curve, Measure::Bytes, fraction);
      return;
    }
    if (isMapping(*found, key, "elementwise: 80 %"))
      for (auto [name, value] : llvm::zip_equal(found->keys, found->values))
        if (auto kernel = enumerator<KernelClass>(name, "kernel class", kernelClassNames))
          parseCurve(value, name.text, curves[*kernel], Measure::Bytes, fraction);
  }

  void kernels(llvm::StringRef key, std::map<std::string, KernelSpeed> &kernels) {
    const YamlNode *found = find(key, /*isRequired=*/false);
    if (!found || !isMapping(*found, key, "softmax: {run: 20 ns}"))
      return;
    llvm::ArrayRef<std::string> known = measuredKernelNames();
    for (auto [name, value] : llvm::zip_equal(found->keys, found->values)) {
      if (!llvm::is_contained(known, name.text)) {
        std::string near = suggestion(name.text, known);
        complaints.add(name.where, llvm::formatv("unknown kernel '{0}'{1}", name.text,
                                                 near.starts_with("did") ? ": " + near : "; docs/clusters.md has their names").str());
        continue;
      }
      Reader reader(value, llvm::formatv("kernel '{0}'", name.text).str(), complaints);
      visitFields(reader, kernels[name.text]);
      reader.finish();
    }
  }

  void measured(llvm::StringRef key, llvm::SmallVector<MeasuredCollective, 0> &all) {
    const YamlNode *found = find(key, /*isRequired=*/false);
    if (!found || !isMapping(*found, key, "all_reduce: {2: {4 KiB: 3 us}}"))
      return;
    for (auto [name, byMembers] : llvm::zip_equal(found->keys, found->values)) {
      auto kind = enumerator<CollectiveKind>(name, "collective", collectiveNames);
      if (!kind || !isMapping(byMembers, name.text, "2: {4 KiB: 3 us}"))
        continue;
      for (auto [members, points] : llvm::zip_equal(byMembers.keys, byMembers.values)) {
        MeasuredCollective &collective = all.emplace_back();
        collective.kind = *kind;
        collective.members = static_cast<int64_t>(
            parse(members, "members", Range{Measure::Count, 1, false, maxRanks}).value_or(2));
        forEachPoint(points, name.text, Measure::Bytes, positive(Measure::Seconds),
                     [&](double bytes, double seconds) { collective.points.push_back({bytes, seconds}); });
      }
    }
  }

  void steps(llvm::StringRef key, llvm::SmallVectorImpl<StepOverhead> &steps) {
    const YamlNode *found = find(key, /*isRequired=*/false);
    if (!found)
      return;
    forEachPoint(*found, key, Measure::Count, positive(Measure::Seconds), [&](double ranks, double seconds) {
      steps.push_back({static_cast<int64_t>(ranks), seconds});
    });
  }

private:
  const YamlNode &node;
  std::string what;
  Complaints &complaints;
  llvm::SmallVector<std::string> asked;

  const YamlNode *find(llvm::StringRef key, bool isRequired) {
    asked.push_back(key.str());
    for (size_t i = 0; i < node.keys.size(); ++i)
      if (node.keys[i].text == key)
        return &node.values[i];
    if (isRequired)
      complaints.addMissing(node.where, llvm::formatv("{0} needs '{1}'", what, key).str());
    return nullptr;
  }

  const YamlNode *scalar(llvm::StringRef key, bool isRequired) {
    const YamlNode *found = find(key, isRequired);
    if (!found || (found->kind == YamlNode::Scalar && !found->text.empty()))
      return found;
    complaints.add(found->where, llvm::formatv("'{0}' is one value", key).str());
    return nullptr;
  }

  bool isMapping(const YamlNode &value, llvm::StringRef key, const char *example) {
    if (value.kind != YamlNode::Mapping)
      complaints.add(value.where, llvm::formatv("'{0}' is a mapping, as in {{{1}}", key, example).str());
    return value.kind == YamlNode::Mapping;
  }

  template <typename Enum, size_t n>
  std::optional<Enum> enumerator(const YamlNode &name, llvm::StringRef what, const llvm::StringLiteral (&names)[n]) {
    for (size_t i = 0; i < n; ++i)
      if (names[i] == name.text)
        return static_cast<Enum>(i);
    llvm::SmallVector<std::string> known(names, names + n);
    complaints.add(name.where, llvm::formatv("unknown {0} '{1}': {2}", what, name.text, suggestion(name.text, known)).str());
    return std::nullopt;
  }

  std::optional<double> parse(const YamlNode &value, llvm::StringRef key, Range range) {
    auto refuse = [&](const std::string &why) {
      complaints.add(value.where, llvm::formatv("'{0}': {1}", key, why).str());
      return std::nullopt;
    };
    llvm::Expected<double> number = parseQuantity(value.text, range.measure);
    if (!number)
      return refuse(llvm::toString(number.takeError()));
    if (*number < range.above || (*number == range.above && !range.inclusive))
      return refuse(llvm::formatv("{0} is too small: it must be {1} {2}", value.text, range.inclusive ? "at least" : "above",
                                  writeQuantity(range.above, range.measure)).str());
    if (*number > range.atMost)
      return refuse(llvm::formatv("{0} is too large: at most {1}", value.text, writeQuantity(range.atMost, range.measure)).str());
    if (range.measure == Measure::Count && *number != std::floor(*number))
      return refuse(llvm::formatv("{0} is no whole number", value.text).str());
    return *number;
  }

  /// A mapping of ascending sizes to values.
  template <typename Add>
  void forEachPoint(const YamlNode &value, llvm::StringRef key, Measure size, Range range, Add &&add) {
    const char *example = size == Measure::Flops ? "1 MFLOP: 30 %, 1 GFLOP: 70 %" : size == Measure::Count ? "1: 10 us, 2: 15 us" : "4 KiB: ..., 1 MiB: ...";
    if (!isMapping(value, key, example))
      return;
    double last = 0;
    for (auto [at, ordinate] : llvm::zip_equal(value.keys, value.values)) {
      std::optional<double> x = parse(at, key, positive(size)), y = parse(ordinate, key, range);
      if (!x || !y)
        continue;
      if (*x <= last)
        complaints.add(at.where, llvm::formatv("'{0}': {1} stands behind {2}: sort the points by size", key, at.text,
                                               writeQuantity(last, size)).str());
      last = *x;
      add(*x, *y);
    }
    if (value.keys.empty())
      complaints.add(value.where, llvm::formatv("'{0}' has no points", key).str());
  }

  void parseCurve(const YamlNode &value, llvm::StringRef key, EfficiencyCurve &curve, Measure size, Range fraction) {
    curve.points.clear();
    if (value.kind == YamlNode::Scalar) {
      if (std::optional<double> flat = parse(value, key, fraction))
        curve.points.push_back({1, *flat});
      return;
    }
    forEachPoint(value, key, size, fraction, [&](double x, double y) { curve.points.push_back({x, y}); });
  }
};

/// What no single field can know.
llvm::Error checkCounts(const Cluster &cluster, const YamlTree &tree) {
  auto placeOf = [&](llvm::StringRef key) {
    for (auto [name, value] : llvm::zip_equal(tree.root().keys, tree.root().values))
      if (name.text == key)
        return name.where;
    return tree.root().where;
  };
  int64_t devices = 0, members = 1; // each count is at most maxRanks; so is what `members` saturates at, but for one factor
  for (const DeviceGroup &group : cluster.devices)
    devices += group.count;
  std::string sizes;
  for (const NetworkDimension &dimension : cluster.network) {
    members = std::min(members, maxRanks) * dimension.size;
    sizes += (sizes.empty() ? "" : " x ") + std::to_string(dimension.size);
  }
  if (cluster.devices.empty())
    return tree.error(placeOf("devices"), "'devices' is empty: a cluster has at least one device");
  if (devices > maxRanks)
    return tree.error(placeOf("devices"), llvm::formatv("{0} devices are too many: at most {1}", devices, maxRanks));
  if (devices != members)
    return tree.error(placeOf("network"), llvm::formatv("the network joins {0} devices{1}, but 'devices' counts {2}", members,
                                                        sizes.empty() ? "" : " (" + sizes + ")", devices));
  for (const NetworkDimension &dimension : cluster.network)
    for (const MeasuredCollective &collective : dimension.measured)
      if (collective.members > dimension.size)
        return tree.error(placeOf("network"), llvm::formatv("'{0}' has {1} members, but a measurement of {2}", dimension.name,
                                                            dimension.size, collective.members));
  return llvm::Error::success();
}

} // namespace

llvm::Expected<Cluster> parseCluster(llvm::StringRef text, llvm::StringRef fileName) {
  llvm::Expected<YamlTree> tree = YamlTree::parse(text, fileName);
  if (!tree)
    return tree.takeError();
  Complaints complaints;
  Cluster cluster;
  Reader reader(tree->root(), "a cluster", complaints);
  visitFields(reader, cluster);
  reader.finish();
  if (!complaints.wrong.empty())
    return tree->error(complaints.where, complaints.wrong);
  if (!complaints.missing.empty())
    return tree->error(complaints.whereMissing, complaints.missing);
  if (llvm::Error error = checkCounts(cluster, *tree))
    return error;
  return cluster;
}

} // namespace llmpar
