//===- Memory.h - How much memory there is ----------------------*- C++ -*-===//
#ifndef LLMPAR_RUNTIME_CORE_MEMORY_H
#define LLMPAR_RUNTIME_CORE_MEMORY_H

#include "core/Status.h"

#include <cstdint>

namespace llmpar::rt {

/// Bytes that this process could still use: MemAvailable and SwapFree of /proc/meminfo, less where its control
/// group (v2: memory.max, memory.current) or RLIMIT_AS allows less.
uint64_t availableMemory();

/// "512 B", "1.5 KiB", "12.0 GiB".
std::string bytesText(uint64_t bytes);

/// Code::DoesNotFit if `bytes` are more than `availableMemory`:
///   "<what>: 206158430208 bytes (192.0 GiB) are needed, 23622320128 (22.0 GiB) are available: <wayOut>"
Status checkFits(const std::string &what, uint64_t bytes, const std::string &wayOut);

/// What to say when an allocation of unknown size failed.
Status outOfMemory();

} // namespace llmpar::rt

#endif // LLMPAR_RUNTIME_CORE_MEMORY_H
