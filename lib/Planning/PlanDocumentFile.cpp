//===- PlanDocumentFile.cpp - Plans as JSON ---------------------------------===//
//
//   {"plan": {"version": 1, "model": {...}, "cluster": {...}, "method": "auto", "mesh": "x=2,y=4", "predicted": {...},
//    "inputs": [{"name": "ids", "type": "tensor<2x64xi64>", "shard": ["x", "-"]}],
//    "ops": [{"index": 12, "op": "matmul", "node": "h.0.mlp", "type": "tensor<2x64x10xf32>", "shard": {"n": "y"}}],
//    "op_digests": [...]}}
//
//===----------------------------------------------------------------------===//
#include "../Planner/JsonReader.h"
#include "llmpar/Planning/PlanDocument.h"

#include <charconv>

namespace llmpar {
namespace {

class Writer {
public:
  std::string text;

  Writer &operator<<(llvm::StringRef raw) { return text += raw, *this; }
  Writer &operator<<(int64_t number) { return text += std::to_string(number), *this; }
  /// The shortest digits that read back as the same number.
  Writer &operator<<(double number) {
    char digits[40];
    return *this << llvm::StringRef(digits, std::to_chars(digits, digits + sizeof(digits), number).ptr - digits);
  }
  Writer &quoted(llvm::StringRef string) {
    return *this << llvm::formatv("{0}", llvm::json::Value(llvm::json::fixUTF8(string))).str();
  }
  /// [each(first), each(second), ...]
  template <typename List, typename Each> Writer &list(const List &items, llvm::StringRef separator, Each each) {
    *this << "[";
    for (auto [index, item] : llvm::enumerate(items)) {
      *this << (index ? separator : "");
      each(item);
    }
    return *this << "]";
  }
  Writer &words(const ShardingWords &words) {
    return list(words, ", ", [&](const std::string &word) { quoted(word); });
  }
  Writer &shardings(const std::vector<ShardingWords> &all) {
    return list(all, ", ", [&](const ShardingWords &sharding) { words(sharding); });
  }
};

void writeOp(Writer &out, const PlanDocument::Op &op) {
  out << "{\"index\": " << op.index << ", \"op\": ";
  out.quoted(op.op) << ", \"node\": ";
  out.quoted(op.node) << ", \"type\": ";
  out.quoted(op.type) << ", \"shard\": {";
  bool isFirst = true;
  for (const auto &[factor, axes] : op.shard) {
    out << (std::exchange(isFirst, false) ? "" : ", ");
    out.quoted(factor) << ": ";
    out.quoted(axes);
  }
  out << "}";
  if (!op.keep.empty())
    (out << ", \"keep\": ").shardings(op.keep);
  if (!op.rest.empty())
    (out << ", \"rest\": ").shardings(op.rest);
  out << "}";
}

llvm::SmallVector<llvm::StringRef> linesOf(llvm::StringRef text) {
  llvm::SmallVector<llvm::StringRef> lines;
  text.split(lines, '\n');
  if (!lines.empty() && lines.back().empty())
    lines.pop_back();
  return lines;
}

class Reader : JsonReader {
public:
  llvm::Expected<PlanDocument> read(const Value &file) {
    if (!readDocument(file))
      return takeError();
    return std::move(document);
  }

private:
  PlanDocument document;

  bool readDocument(const Value &file) {
    Place top{.key = "the file"}, place{.key = "plan"};
    const Object *outer = object(file, top, {"plan"});
    const Value *inner = outer ? member(*outer, "plan", top) : nullptr;
    const Object *plan =
        inner ? object(*inner, place,
                       {"version", "model", "cluster", "method", "mesh", "predicted", "inputs", "ops", "op_digests"})
              : nullptr;
    int64_t version = 0;
    if (!plan || !readInteger(*plan, place, "version", version))
      return false;
    if (version != PlanDocument::currentVersion)
      return fail(llvm::formatv("plan.version is {0}: this llmpar reads version {1}; plan the model again", version,
                                PlanDocument::currentVersion));
    return readModel(*plan, place) && readCluster(*plan, place) && readText(*plan, place, "method", document.method) &&
           readText(*plan, place, "mesh", document.mesh) && readPredicted(*plan, place) &&
           readList(*plan, place, "inputs", document.inputs, &Reader::readInput) &&
           readList(*plan, place, "ops", document.ops, &Reader::readOp) &&
           readTexts(*plan, place, "op_digests", document.opDigests);
  }

  const Object *member(const Object &from, const Place &place, llvm::StringRef key,
                       llvm::ArrayRef<llvm::StringRef> known) {
    const Value *value = JsonReader::member(from, key, place);
    return value ? object(*value, place[key], known) : nullptr;
  }
  using JsonReader::member;

  bool readModel(const Object &plan, const Place &place) {
    const Object *model = member(plan, place, "model", {"name", "digest"});
    Place here = place["model"];
    return model && readText(*model, here, "name", document.model) && readText(*model, here, "digest", document.digest);
  }

  bool readCluster(const Object &plan, const Place &place) {
    const Object *cluster = member(plan, place, "cluster", {"name", "text"});
    Place here = place["cluster"];
    std::vector<std::string> lines;
    if (!cluster || !readText(*cluster, here, "name", document.cluster) || !readTexts(*cluster, here, "text", lines))
      return false;
    for (const std::string &line : lines)
      document.clusterText += line + "\n";
    return true;
  }

  bool readPredicted(const Object &plan, const Place &place) {
    const Object *predicted = member(plan, place, "predicted", {"seconds", "lower_bound_seconds", "peak_bytes"});
    Place here = place["predicted"];
    return predicted && readNumber(*predicted, here, "seconds", document.cost) &&
           readNumber(*predicted, here, "lower_bound_seconds", document.lowerBound) &&
           readInteger(*predicted, here, "peak_bytes", document.peakBytes);
  }

  bool readInput(const Value &value, const Place &place, PlanDocument::Input &input) {
    const Object *entry = object(value, place, {"name", "type", "shard"});
    return entry && readText(*entry, place, "name", input.name) && readText(*entry, place, "type", input.type) &&
           readTexts(*entry, place, "shard", input.sharding);
  }

  bool readOp(const Value &value, const Place &place, PlanDocument::Op &op) {
    const Object *entry = object(value, place, {"index", "op", "node", "type", "shard", "keep", "rest"});
    if (!entry || !readInteger(*entry, place, "index", op.index) || !readText(*entry, place, "op", op.op) ||
        !readText(*entry, place, "node", op.node) || !readText(*entry, place, "type", op.type))
      return false;
    const Value *shard = member(*entry, "shard", place);
    Place here = place["shard"];
    const Object *factors = shard ? shard->getAsObject() : nullptr;
    if (!factors)
      return shard && fail(here, *shard, "an object of axes by factor, {\"n\": \"y\"}");
    for (const auto &[factor, axes] : *factors)
      if (!text(axes, here[llvm::StringRef(factor)], op.shard[factor.str()]))
        return false;
    return (!entry->get("keep") || readList(*entry, place, "keep", op.keep, &Reader::texts)) &&
           (!entry->get("rest") || readList(*entry, place, "rest", op.rest, &Reader::texts));
  }

  template <typename T>
  bool readList(const Object &from, const Place &place, llvm::StringRef key, std::vector<T> &items,
                bool (Reader::*readItem)(const Value &, const Place &, T &)) {
    const Value *value = member(from, key, place);
    Place here = place[key];
    const Array *list = value ? array(*value, here) : nullptr;
    if (!list)
      return false;
    items.resize(list->size());
    for (auto [index, item] : llvm::enumerate(items))
      if (!(this->*readItem)((*list)[index], here[index], item))
        return false;
    return true;
  }

  bool text(const Value &value, const Place &place, std::string &result) {
    std::optional<llvm::StringRef> string = value.getAsString();
    if (!string)
      return fail(place, value, "a string");
    result = string->str();
    return true;
  }
  bool texts(const Value &value, const Place &place, std::vector<std::string> &result) {
    const Array *list = array(value, place);
    result.resize(list ? list->size() : 0);
    for (auto [index, item] : llvm::enumerate(result))
      if (!text((*list)[index], place[index], item))
        return false;
    return list;
  }
  bool readText(const Object &from, const Place &place, llvm::StringRef key, std::string &result) {
    const Value *value = member(from, key, place);
    return value && text(*value, place[key], result);
  }
  bool readTexts(const Object &from, const Place &place, llvm::StringRef key, std::vector<std::string> &result) {
    const Value *value = member(from, key, place);
    return value && texts(*value, place[key], result);
  }
  bool readInteger(const Object &from, const Place &place, llvm::StringRef key, int64_t &result) {
    const Value *value = member(from, key, place);
    return value && integer(*value, place[key], Unit::Bytes, result);
  }
  bool readNumber(const Object &from, const Place &place, llvm::StringRef key, double &result) {
    const Value *value = member(from, key, place);
    std::optional<double> number = value ? value->getAsNumber() : std::nullopt;
    result = number.value_or(0);
    return number || (value && fail(place[key], *value, "a number"));
  }
};

} // namespace

std::string writePlanDocument(const PlanDocument &document) {
  Writer out;
  auto field = [&](llvm::StringRef key, llvm::StringRef value) {
    out << ",\n  \"" << key << "\": ";
    out.quoted(value);
  };
  out << "{\"plan\": {\n  \"version\": " << PlanDocument::currentVersion << ",\n  \"model\": {\"name\": ";
  out.quoted(document.model) << ", \"digest\": ";
  out.quoted(document.digest) << "},\n  \"cluster\": {\"name\": ";
  out.quoted(document.cluster) << ", \"text\": ";
  out.list(linesOf(document.clusterText), ",\n    ", [&](llvm::StringRef line) { out.quoted(line); }) << "}";
  field("method", document.method);
  field("mesh", document.mesh);
  out << ",\n  \"predicted\": {\"seconds\": " << document.cost << ", \"lower_bound_seconds\": " << document.lowerBound
      << ", \"peak_bytes\": " << document.peakBytes << "},\n  \"inputs\": ";
  out.list(document.inputs, ",\n    ", [&](const PlanDocument::Input &input) {
    out << "{\"name\": ";
    out.quoted(input.name) << ", \"type\": ";
    out.quoted(input.type) << ", \"shard\": ";
    out.words(input.sharding) << "}";
  }) << ",\n  \"ops\": ";
  out.list(document.ops, ",\n    ", [&](const PlanDocument::Op &op) { writeOp(out, op); }) << ",\n  \"op_digests\": ";
  size_t written = 0;
  out.list(document.opDigests, ",", [&](const std::string &digest) {
    out << (written++ % 8 == 7 ? "\n    " : " ");
    out.quoted(digest);
  }) << "\n}}\n";
  return std::move(out.text);
}

llvm::Expected<PlanDocument> readPlanDocument(llvm::StringRef text) {
  llvm::Expected<llvm::json::Value> file = parseJson(text);
  if (!file)
    return file.takeError();
  return Reader().read(*file);
}

} // namespace llmpar
