//===- EventFile.cpp - Scalars for TensorBoard ------------------------------===//
#include "llmpar/Data/EventFile.h"

#include "DurableFile.h"
#include "Event.pb.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Process.h"
#include <array>
#include <chrono>
#include <unistd.h>

namespace llmpar {

uint32_t crc32c(llvm::StringRef bytes) {
  static const std::array<uint32_t, 256> table = [] {
    std::array<uint32_t, 256> entries{};
    for (uint32_t byte = 0; byte < 256; ++byte) {
      uint32_t crc = byte;
      for (int bit = 0; bit < 8; ++bit)
        crc = crc & 1 ? (crc >> 1) ^ 0x82f63b78u : crc >> 1;
      entries[byte] = crc;
    }
    return entries;
  }();
  uint32_t crc = ~0u;
  for (char byte : bytes)
    crc = table[(crc ^ static_cast<uint8_t>(byte)) & 0xff] ^ (crc >> 8);
  return ~crc;
}

/// TFRecord's: data that holds a checksum of itself would be found whole.
static uint32_t masked(uint32_t crc) { return ((crc >> 15) | (crc << 17)) + 0xa282ead8u; }

static double now() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

llvm::Expected<EventFile> EventFile::create(llvm::StringRef folder) {
  if (std::error_code code = llvm::sys::fs::create_directories(folder))
    return fileError(folder, code);
  char host[256] = "localhost";
  (void)::gethostname(host, sizeof(host) - 1);
  llvm::SmallString<128> path(folder);
  llvm::sys::path::append(path, "events.out.tfevents." + llvm::Twine(static_cast<int64_t>(now())) + "." + host + "." +
                                    llvm::Twine(llvm::sys::Process::getProcessId()));
  EventFile file;
  file.path_ = path.str().str();
  std::error_code code;
  file.os = std::make_unique<llvm::raw_fd_ostream>(path, code);
  if (code)
    return fileError(path, code);
  tensorboard::Event event;
  event.set_wall_time(now());
  event.set_file_version("brain.Event:2");
  if (llvm::Error error = file.append(event.SerializeAsString()))
    return error;
  return file;
}

llvm::Error EventFile::add(int64_t step, llvm::ArrayRef<Scalar> scalars) {
  tensorboard::Event event;
  event.set_wall_time(now());
  event.set_step(step);
  for (const Scalar &scalar : scalars) {
    tensorboard::Summary::Value *value = event.mutable_summary()->add_value();
    value->set_tag(scalar.tag);
    value->set_simple_value(static_cast<float>(scalar.value));
  }
  return append(event.SerializeAsString());
}

llvm::Error EventFile::append(const std::string &record) {
  char head[12], tail[4];
  llvm::support::endian::write64le(head, record.size());
  llvm::support::endian::write32le(head + 8, masked(crc32c(llvm::StringRef(head, 8))));
  llvm::support::endian::write32le(tail, masked(crc32c(record)));
  *os << llvm::StringRef(head, sizeof(head)) << record << llvm::StringRef(tail, sizeof(tail));
  os->flush();
  std::error_code code = os->error();
  os->clear_error();
  return fileError(path_, code);
}

} // namespace llmpar
