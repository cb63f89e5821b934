//===- Checkpoint.cpp - What a training run can go on from ------------------===//
#include "llmpar/Data/Checkpoint.h"

#include "DurableFile.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/xxhash.h"
#include <set>

namespace llmpar {
namespace path = llvm::sys::path;
namespace fs = llvm::sys::fs;

static constexpr llvm::StringLiteral manifestName = "manifest.json", latestName = "latest", prefix = "iter_",
                                     temporarySuffix = ".tmp";

static std::string join(llvm::StringRef folder, llvm::StringRef name) {
  llvm::SmallString<128> joined(folder);
  path::append(joined, name);
  return joined.str().str();
}

static llvm::Expected<llvm::StringRef> contents(llvm::StringRef file, std::unique_ptr<llvm::MemoryBuffer> &buffer) {
  auto mapped = llvm::MemoryBuffer::getFile(file, /*IsText=*/false, /*RequiresNullTerminator=*/false);
  if (!mapped)
    return llvm::createStringError(file + ": " + mapped.getError().message());
  buffer = std::move(*mapped);
  return buffer->getBuffer();
}

/// Names of the checkpoints below `root`, newest first.
static std::vector<std::string> checkpointNames(llvm::StringRef root) {
  std::vector<std::string> names;
  std::error_code code;
  for (fs::directory_iterator entry(root, code), end; entry != end && !code; entry.increment(code))
    if (llvm::StringRef name = path::filename(entry->path());
        name.starts_with(prefix) && !name.ends_with(temporarySuffix))
      names.push_back(name.str());
  llvm::sort(names, std::greater<>()); // steps have as many digits
  return names;
}

bool hasCheckpoints(llvm::StringRef root) { return !checkpointNames(root).empty(); }

std::vector<std::vector<StatePart>> withoutReplicas(std::vector<std::vector<StatePart>> partsOfRanks) {
  std::set<StatePart> seen;
  for (std::vector<StatePart> &parts : partsOfRanks)
    llvm::erase_if(parts, [&](const StatePart &part) { return !seen.insert(part).second; });
  return partsOfRanks;
}

//===-- Writing ---------------------------------------------------------------===//

static llvm::Error
writeFiles(llvm::StringRef folder, Manifest &manifest, llvm::ArrayRef<std::vector<StatePart>> partsOfRanks,
           llvm::function_ref<llvm::Error(size_t, const StatePart &, llvm::MutableArrayRef<char>)> read) {
  manifest.files.clear();
  for (auto [rank, parts] : llvm::enumerate(partsOfRanks)) {
    if (parts.empty())
      continue;
    std::vector<NamedType> tensors;
    for (size_t i = 0; i < parts.size(); ++i)
      tensors.push_back({partName(manifest.states, parts, i), manifest.states[parts[i].state].dtype, parts[i].shape});
    Manifest::File &file = manifest.files.emplace_back();
    file.name = llvm::formatv("rank_{0,0+3}.safetensors", rank).str();
    file.parts = parts;
    std::string name = join(folder, file.name);
    auto body = [&](llvm::raw_ostream &os) {
      return writeSafetensors(os, tensors, [&, rank = rank](size_t i, llvm::MutableArrayRef<char> bytes) {
        return read(rank, file.parts[i], bytes);
      });
    };
    if (llvm::Error error = writeDurably(name, body))
      return error;
    std::unique_ptr<llvm::MemoryBuffer> buffer;
    llvm::Expected<llvm::StringRef> written = contents(name, buffer);
    if (!written)
      return written.takeError();
    file.bytes = written->size();
    file.checksum = llvm::xxh3_64bits(*written);
  }
  auto body = [&](llvm::raw_ostream &os) { return os << writeManifest(manifest), llvm::Error::success(); };
  if (llvm::Error error = writeDurably(join(folder, manifestName), body))
    return error;
  return syncFolder(folder);
}

/// What a crash left, or an exchange.
static void removeTemporaries(llvm::StringRef root) {
  std::error_code code;
  for (fs::directory_iterator entry(root, code), end; entry != end && !code; entry.increment(code))
    if (llvm::StringRef name = path::filename(entry->path());
        name.starts_with(prefix) && name.ends_with(temporarySuffix))
      fs::remove_directories(entry->path());
}

llvm::Expected<std::string>
writeCheckpoint(llvm::StringRef root, Manifest manifest, llvm::ArrayRef<std::vector<StatePart>> partsOfRanks,
                llvm::function_ref<llvm::Error(size_t, const StatePart &, llvm::MutableArrayRef<char>)> read) {
  std::string name = llvm::formatv("{0}{1,0+7}", prefix, manifest.step).str();
  std::string folder = join(root, name), temporary = folder + temporarySuffix.str();
  if (std::error_code code = fs::create_directories(root))
    return fileError(root, code);
  removeTemporaries(root);
  llvm::Error error = fileError(temporary, fs::create_directory(temporary));
  if (!error)
    error = writeFiles(temporary, manifest, partsOfRanks, read);
  if (!error)
    error = renameOrExchange(temporary, folder);
  removeTemporaries(root);
  if (!error)
    error = syncFolder(root);
  if (!error)
    error = replaceFile(join(root, latestName),
                        [&](llvm::raw_ostream &os) { return os << name << "\n", llvm::Error::success(); });
  if (error)
    return error;
  return folder;
}

llvm::Error pruneCheckpoints(llvm::StringRef root, size_t keep) {
  std::vector<std::string> names = checkpointNames(root);
  for (const std::string &name : llvm::ArrayRef(names).drop_front(std::min(keep, names.size()))) {
    // Renamed first: one that is half deleted is no checkpoint any more.
    std::string folder = join(root, name), doomed = folder + temporarySuffix.str();
    if (std::error_code code = fs::rename(folder, doomed))
      return fileError(folder, code);
    if (std::error_code code = fs::remove_directories(doomed, /*IgnoreErrors=*/false))
      return fileError(doomed, code);
  }
  return llvm::Error::success();
}

//===-- Reading ---------------------------------------------------------------===//

llvm::Expected<Checkpoint> Checkpoint::openFolder(llvm::StringRef folder) {
  Checkpoint checkpoint;
  checkpoint.folder_ = folder.str();
  std::unique_ptr<llvm::MemoryBuffer> buffer;
  std::string name = join(folder, manifestName);
  llvm::Expected<llvm::StringRef> text = contents(name, buffer);
  if (!text)
    return text.takeError();
  llvm::Expected<Manifest> manifest = readManifest(*text);
  if (!manifest)
    return llvm::createStringError(name + ": " + llvm::toString(manifest.takeError()));
  checkpoint.manifest_ = std::move(*manifest);
  std::vector<int64_t> bytes(checkpoint.manifest_.states.size());
  for (const Manifest::File &file : checkpoint.manifest_.files) {
    std::string shard = join(folder, file.name);
    llvm::Expected<llvm::StringRef> data = contents(shard, buffer);
    if (!data)
      return data.takeError();
    if (uint64_t checksum = llvm::xxh3_64bits(*data); data->size() != file.bytes || checksum != file.checksum)
      return llvm::createStringError(
          llvm::formatv("{0}: damaged: {1} bytes with checksum {2:x-}, but {3} bytes with {4:x-} were written", shard,
                        data->size(), checksum, file.bytes, file.checksum)
              .str());
    llvm::Expected<SafetensorsFile> opened = SafetensorsFile::open(shard);
    if (!opened)
      return opened.takeError();
    for (size_t i = 0; i < file.parts.size(); ++i) {
      std::string part = partName(checkpoint.manifest_.states, file.parts, i);
      const SafetensorsFile::Tensor *tensor = opened->find(part);
      if (!tensor || tensor->type.shape != file.parts[i].shape)
        return llvm::createStringError(shard + ": damaged: no tensor '" + part + "' of the manifest's shape");
      bytes[file.parts[i].state] += tensor->type.bytes();
    }
    checkpoint.files.push_back(std::move(*opened));
  }
  for (auto [state, have] : llvm::zip(checkpoint.manifest_.states, bytes))
    if (have != state.bytes())
      return llvm::createStringError(
          llvm::formatv("{0}: state '{1}' has {2} bytes, its parts {3}", name, state.name, state.bytes(), have).str());
  return checkpoint;
}

llvm::Expected<Checkpoint> Checkpoint::open(llvm::StringRef where) {
  if (fs::exists(join(where, manifestName)))
    return openFolder(where);
  std::vector<std::string> names = checkpointNames(where);
  if (names.empty())
    return llvm::createStringError(where + ": no checkpoint there: neither manifest.json nor a folder iter_*");
  std::unique_ptr<llvm::MemoryBuffer> buffer;
  std::string newest = names.front(); // a crash before the first `latest` was written
  if (llvm::Expected<llvm::StringRef> latest = contents(join(where, latestName), buffer))
    newest = latest->trim().str();
  else
    llvm::consumeError(latest.takeError());
  llvm::Expected<Checkpoint> checkpoint = openFolder(join(where, newest));
  if (checkpoint)
    return checkpoint;
  std::string why = llvm::toString(checkpoint.takeError()),
              wayOut = "no other checkpoint below " + where.str() + " is whole";
  for (const std::string &name : names) {
    llvm::Expected<Checkpoint> other = openFolder(join(where, name));
    if (other) {
      wayOut = "the newest checkpoint that is whole is of step " + std::to_string(other->manifest().step) +
               ": --load " + other->folder();
      break;
    }
    llvm::consumeError(other.takeError());
  }
  return llvm::createStringError(why + "; " + wayOut);
}

/// Copies a dense box to its place [starts, starts + box) of a dense array.
static void copyBox(llvm::ArrayRef<int64_t> shape, llvm::ArrayRef<int64_t> starts, llvm::ArrayRef<int64_t> box,
                    int64_t elementBytes, const char *from, char *to) {
  if (shape.empty()) {
    std::memcpy(to, from, static_cast<size_t>(elementBytes));
    return;
  }
  int64_t inner = elementBytes, innerBox = elementBytes;
  for (size_t d = 1; d < shape.size(); ++d) {
    inner *= shape[d];
    innerBox *= box[d];
  }
  to += starts[0] * inner;
  if (inner == innerBox) { // rows are whole
    std::memcpy(to, from, static_cast<size_t>(box[0] * inner));
    return;
  }
  for (int64_t i = 0; i < box[0]; ++i)
    copyBox(shape.drop_front(), starts.drop_front(), box.drop_front(), elementBytes, from + i * innerBox,
            to + i * inner);
}

void Checkpoint::read(size_t state, llvm::MutableArrayRef<char> bytes) const {
  const NamedType &type = manifest_.states[state];
  for (auto [file, shard] : llvm::zip(manifest_.files, files))
    for (size_t i = 0; i < file.parts.size(); ++i)
      if (const StatePart &part = file.parts[i]; part.state == state)
        copyBox(type.shape, part.starts, part.shape, static_cast<int64_t>(dtypeSize(type.dtype)),
                shard.find(partName(manifest_.states, file.parts, i))->data.data(), bytes.data());
}

} // namespace llmpar
