//===- LoadPlan.cpp - Reads a rank's shard of the weights ------------------===//
#include "core/LoadPlan.h"

#include "core/Box.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <map>
#include <sys/stat.h>
#include <unistd.h>

namespace llmpar::rt {
namespace {

constexpr size_t windowBytes = 1 << 20, shortRun = 16 << 10;

class OpenFile {
public:
  OpenFile() = default;
  OpenFile(const OpenFile &) = delete;
  ~OpenFile() {
    if (descriptor >= 0)
      ::close(descriptor);
  }

  Status open(const WeightFile &file, const std::string &baseDirectory) {
    path = file.path.starts_with('/') || baseDirectory.empty() ? file.path : baseDirectory + "/" + file.path;
    descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    struct stat info{};
    if (descriptor < 0 || ::fstat(descriptor, &info) != 0)
      return Status::invalid("weights file '" + path + "': " + std::strerror(errno) +
                             (file.size ? " (" + std::to_string(file.size) + " bytes needed)" : "") +
                             "; name the model's folder, e.g. --weights=DIR");
    size = static_cast<uint64_t>(info.st_size);
    if (file.size && size != file.size)
      return Status::invalid("weights file '" + path + "' has " + std::to_string(size) + " bytes, the program needs " +
                             std::to_string(file.size) + ": " +
                             (size < file.size ? "it is truncated" : "it is not the file that was compiled"));
    return Status::success();
  }

  Status expectBytes(uint64_t end, std::string_view name) const {
    if (end <= size)
      return Status::success();
    return Status::invalid("weights file '" + path + "' has " + std::to_string(size) + " bytes, '" + std::string(name) +
                           "' needs " + std::to_string(end) + ": it is truncated");
  }

  Status read(std::byte *target, size_t bytes, uint64_t offset) const {
    while (bytes > 0) {
      ssize_t got = ::pread(descriptor, target, std::min<size_t>(bytes, 1 << 30), static_cast<off_t>(offset));
      if (got < 0 && errno == EINTR)
        continue;
      if (got <= 0)
        return Status::invalid("weights file '" + path +
                               "': " + (got < 0 ? std::strerror(errno) : "it ended while it was read"));
      target += got, bytes -= static_cast<size_t>(got), offset += static_cast<uint64_t>(got);
    }
    return Status::success();
  }

private:
  std::string path;
  int descriptor = -1;
  uint64_t size = 0;
};

void normalizeBools(std::byte *data, size_t bytes) {
  for (size_t i = 0; i < bytes; ++i)
    data[i] = data[i] == std::byte(0) ? std::byte(0) : std::byte(1);
}

/// Delivers dense bytes to the device; the host is written directly. What is stored narrower is converted to f32.
class Sink {
public:
  Sink(Device &device, void *target, const LoadDef &load)
      : device(device), target(static_cast<std::byte *>(target)), stored(load.stored),
        isBool(load.target.view.dtype == DType::Bool), isWidened(load.stored != load.target.view.dtype) {}

  Status put(const std::byte *source, size_t bytes) {
    if (isWidened)
      return putWidened(source, bytes);
    if (Status status = device.write(target, source, bytes); !status.ok())
      return status;
    if (isBool)
      normalizeBools(target, bytes);
    target += bytes;
    return Status::success();
  }
  Status fill(const OpenFile &file, size_t bytes, uint64_t offset) {
    if (isWidened)
      return fillWidened(file, bytes, offset);
    if (Status status = file.read(target, bytes, offset); !status.ok())
      return status;
    if (isBool)
      normalizeBools(target, bytes);
    target += bytes;
    return Status::success();
  }

private:
  Device &device;
  std::byte *target;
  DType stored;
  bool isBool, isWidened;
  std::vector<float> floats;
  std::vector<std::byte> part;

  Status putWidened(const std::byte *source, size_t bytes) {
    dispatch(stored, [&](auto zero) {
      floats.resize(bytes / sizeof(zero));
      for (size_t i = 0; i < floats.size(); ++i) {
        std::memcpy(&zero, source + i * sizeof(zero), sizeof(zero));
        floats[i] = static_cast<float>(zero);
      }
    });
    size_t size = floats.size() * sizeof(float);
    Status status = device.write(target, floats.data(), size);
    target += size;
    return status;
  }
  Status fillWidened(const OpenFile &file, size_t bytes, uint64_t offset) {
    for (size_t size = 0; bytes > 0; bytes -= size, offset += size) {
      part.resize(size = std::min(bytes, windowBytes));
      if (Status status = file.read(part.data(), size, offset); !status.ok())
        return status;
      if (Status status = putWidened(part.data(), size); !status.ok())
        return status;
    }
    return Status::success();
  }
};

/// Of the whole tensor in its file.
uint64_t tensorBytesOf(const LoadDef &load) {
  uint64_t bytes = dtypeSize(load.stored);
  for (int64_t dim : load.shape)
    bytes *= static_cast<uint64_t>(dim);
  return bytes;
}

Status loadFromFile(const LoadDef &load, const OpenFile &file, Sink &sink, std::vector<std::byte> &window) {
  size_t width = dtypeSize(load.stored);
  uint64_t tensorBytes = tensorBytesOf(load);
  uint64_t windowBegin = 0, windowEnd = 0;
  return forEachRun(load.shape, load.starts, load.target.view.shape(), width, [&](size_t offset, size_t bytes) {
    if (bytes >= shortRun)
      return sink.fill(file, bytes, load.offset + offset);
    if (offset < windowBegin || offset + bytes > windowEnd) {
      window.resize(windowBytes);
      windowBegin = offset, windowEnd = std::min<uint64_t>(tensorBytes, offset + windowBytes);
      if (Status status = file.read(window.data(), windowEnd - windowBegin, load.offset + windowBegin); !status.ok())
        return status;
    }
    return sink.put(window.data() + (offset - windowBegin), bytes);
  });
}

} // namespace

struct WeightLoader::Files {
  std::map<int, OpenFile> open;
  std::vector<std::byte> window;
};

WeightLoader::WeightLoader(const Program &program, std::span<const LoadDef> loads, const std::string &baseDirectory,
                           Device &device, AddressOf addressOf)
    : program(program), loads(loads), baseDirectory(baseDirectory), device(device), addressOf(std::move(addressOf)),
      files(std::make_unique<Files>()) {}

WeightLoader::~WeightLoader() = default;

Status WeightLoader::open() {
  for (const LoadDef &load : loads) {
    if (load.file < 0)
      continue;
    auto [entry, isNew] = files->open.try_emplace(load.file);
    OpenFile &file = entry->second;
    if (isNew)
      if (Status status = file.open(program.files[static_cast<size_t>(load.file)], baseDirectory); !status.ok())
        return status;
    if (Status status = file.expectBytes(load.offset + tensorBytesOf(load), load.name); !status.ok())
      return status;
  }
  return Status::success();
}

Status WeightLoader::load(const LoadDef &load) {
  Sink sink(device, addressOf(load.target), load);
  if (load.file < 0) {
    const std::byte *source = program.constants.data() + load.offset;
    return forEachRun(load.shape, load.starts, load.target.view.shape(), dtypeSize(load.stored),
                      [&](size_t offset, size_t bytes) { return sink.put(source + offset, bytes); });
  }
  return loadFromFile(load, files->open.at(load.file), sink, files->window);
}

} // namespace llmpar::rt
