//===- Devices.cpp - The table of devices, and memory of the host ----------===//
#include "core/Device.h"
#include "core/HostDevice.h"
#include "core/Memory.h"
#include "trace/TraceDevice.h"

#include <cstring>
#include <sys/mman.h>
#include <unistd.h>

namespace llmpar::rt {
namespace {

struct DeviceEntry {
  std::string_view name;
  std::unique_ptr<Device> (*make)(const DeviceOptions &options);
};
constexpr DeviceEntry devices[] = {
    {"reference", [](const DeviceOptions &) { return makeReferenceDevice(); }},
    {"cpu", [](const DeviceOptions &) { return makeCpuDevice(); }},
    {"trace", [](const DeviceOptions &options) { return makeTraceDevice(options.trace); }},
};

} // namespace

Status Device::allocate(size_t bytes, void *&memory) {
  // Pages exist when they are first touched, by the thread that uses them.
  memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory != MAP_FAILED)
    return Status::success();
  memory = nullptr;
  return outOfMemory().prefixed("cannot allocate " + std::to_string(bytes) + " bytes: ");
}

void Device::release(void *memory, size_t bytes) {
  if (memory)
    ::munmap(memory, bytes);
}

void Device::discard(void *memory, size_t bytes) {
  // Whole pages only: neighbours share the first and the last one.
  auto page = static_cast<uintptr_t>(::sysconf(_SC_PAGESIZE));
  uintptr_t begin = (reinterpret_cast<uintptr_t>(memory) + page - 1) / page * page;
  uintptr_t end = (reinterpret_cast<uintptr_t>(memory) + bytes) / page * page;
  if (begin < end)
    ::madvise(reinterpret_cast<void *>(begin), end - begin, MADV_DONTNEED);
}

Status Device::write(void *device, const void *host, size_t bytes) {
  std::memcpy(device, host, bytes);
  return Status::success();
}

Status Device::read(void *host, const void *device, size_t bytes) {
  std::memcpy(host, device, bytes);
  return Status::success();
}

Status makeDevice(std::string_view name, const DeviceOptions &options, std::unique_ptr<Device> &device) {
  for (const DeviceEntry &entry : devices)
    if (entry.name == name) {
      device = entry.make(options);
      return Status::success();
    }
  return Status::invalid("no device '" + std::string(name) + "'; there are: " + deviceNames());
}

std::string deviceNames() {
  std::string names;
  for (const DeviceEntry &entry : devices)
    names += (names.empty() ? "" : " ") + std::string(entry.name);
  return names;
}

} // namespace llmpar::rt
