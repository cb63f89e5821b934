//===- Manifest.cpp - The table of contents of a checkpoint -----------------===//
#include "llmpar/Data/Checkpoint.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/xxhash.h"

namespace llmpar {

static constexpr llvm::StringLiteral format = "llmpar checkpoint";
static constexpr int64_t version = 1;

static std::string serialize(const llvm::json::Value &value) { return llvm::formatv("{0:2}", value).str(); }

static std::string checksumOf(llvm::json::Object fields) {
  fields.erase("checksum");
  return llvm::utohexstr(llvm::xxh3_64bits(serialize(std::move(fields))), /*LowerCase=*/true);
}

std::string partName(llvm::ArrayRef<NamedType> states, llvm::ArrayRef<StatePart> parts, size_t index) {
  const StatePart &part = parts[index];
  const std::string &name = states[part.state].name;
  if (llvm::none_of(parts.take_front(index), [&](const StatePart &other) { return other.state == part.state; }))
    return name;
  return name + "@" + llvm::join(llvm::map_range(part.starts, [](int64_t x) { return std::to_string(x); }), ",");
}

std::string writeManifest(const Manifest &manifest) {
  llvm::json::Array states, files;
  for (const NamedType &state : manifest.states)
    states.push_back(llvm::json::Object{{"name", state.name},
                                        {"dtype", llvm::StringRef(dtypeName(state.dtype))},
                                        {"shape", llvm::json::Array(state.shape)}});
  for (const Manifest::File &file : manifest.files) {
    llvm::json::Array parts;
    for (const StatePart &part : file.parts)
      parts.push_back(llvm::json::Object{{"state", static_cast<int64_t>(part.state)},
                                         {"starts", llvm::json::Array(part.starts)},
                                         {"shape", llvm::json::Array(part.shape)}});
    files.push_back(llvm::json::Object{{"name", file.name},
                                       {"bytes", static_cast<int64_t>(file.bytes)},
                                       {"xxh3", llvm::utohexstr(file.checksum, /*LowerCase=*/true)},
                                       {"parts", std::move(parts)}});
  }
  llvm::json::Object fields{{"format", format},          {"version", version},
                            {"step", manifest.step},     {"data", llvm::json::Object(manifest.data)},
                            {"model", manifest.model},   {"mesh", manifest.mesh},
                            {"layout", manifest.layout}, {"states", std::move(states)},
                            {"files", std::move(files)}};
  fields["checksum"] = checksumOf(fields);
  return serialize(std::move(fields)) + "\n";
}

namespace {
bool fromJSON(const llvm::json::Value &value, StatePart &part, llvm::json::Path path) {
  llvm::json::ObjectMapper map(value, path);
  int64_t state = 0;
  bool ok = map && map.map("state", state) && map.map("starts", part.starts) && map.map("shape", part.shape);
  part.state = static_cast<size_t>(state);
  return ok && part.starts.size() == part.shape.size();
}
} // namespace

static bool readState(const llvm::json::Value &value, NamedType &state) {
  llvm::json::Path::Root root;
  llvm::json::ObjectMapper map(value, root);
  std::string dtype;
  if (!map || !map.map("name", state.name) || !map.map("dtype", dtype) || !map.map("shape", state.shape))
    return false;
  for (int code = 0; code < dtypeCount; ++code)
    if (state.dtype = static_cast<DType>(code); llvm::StringRef(dtypeName(state.dtype)) == dtype)
      return llvm::all_of(state.shape, [](int64_t extent) { return extent >= 0; });
  return false;
}

static bool readFile(const llvm::json::Value &value, llvm::ArrayRef<NamedType> states, Manifest::File &file) {
  llvm::json::Path::Root root;
  llvm::json::ObjectMapper map(value, root);
  std::string checksum;
  int64_t bytes = 0;
  if (!map || !map.map("name", file.name) || !map.map("bytes", bytes) || !map.map("xxh3", checksum) ||
      llvm::StringRef(checksum).getAsInteger(16, file.checksum))
    return false;
  file.bytes = static_cast<uint64_t>(bytes);
  const llvm::json::Array *parts = value.getAsObject()->getArray("parts");
  for (const llvm::json::Value &entry : parts ? *parts : llvm::json::Array()) {
    StatePart &part = file.parts.emplace_back();
    if (!fromJSON(entry, part, root) || part.state >= states.size())
      return false;
    const std::vector<int64_t> &whole = states[part.state].shape;
    if (part.starts.size() != whole.size())
      return false;
    for (size_t d = 0; d < whole.size(); ++d)
      if (part.starts[d] < 0 || part.shape[d] < 0 || part.starts[d] > whole[d] - part.shape[d])
        return false;
  }
  return parts != nullptr;
}

llvm::Expected<Manifest> readManifest(llvm::StringRef text) {
  llvm::Expected<llvm::json::Value> parsed = llvm::json::parse(text);
  if (!parsed)
    return llvm::createStringError("damaged: " + llvm::toString(parsed.takeError()));
  llvm::json::Object *fields = parsed->getAsObject();
  if (!fields || fields->getString("format") != format)
    return llvm::createStringError("not the manifest of a checkpoint");
  if (fields->getInteger("version") != version)
    return llvm::createStringError(llvm::formatv("version {0} of the format, but this llmpar reads version {1}",
                                                 fields->getInteger("version").value_or(0), version)
                                       .str());
  if (fields->getString("checksum") != checksumOf(*fields))
    return llvm::createStringError("damaged: it has the checksum " + checksumOf(*fields) + ", and says '" +
                                   fields->getString("checksum").value_or("") + "'");
  Manifest manifest;
  auto textOf = [&](llvm::StringRef key) { return fields->getString(key).value_or("").str(); };
  manifest.step = fields->getInteger("step").value_or(0);
  manifest.model = textOf("model");
  manifest.mesh = textOf("mesh");
  manifest.layout = textOf("layout");
  bool ok = fields->getObject("data") && fields->getArray("states") && fields->getArray("files");
  if (ok) {
    manifest.data = *fields->getObject("data");
    for (const llvm::json::Value &entry : *fields->getArray("states"))
      ok = ok && readState(entry, manifest.states.emplace_back());
    for (const llvm::json::Value &entry : *fields->getArray("files"))
      ok = ok && readFile(entry, manifest.states, manifest.files.emplace_back());
  }
  if (!ok)
    return llvm::createStringError("damaged: its states or files are not as this llmpar writes them");
  return manifest;
}

} // namespace llmpar
