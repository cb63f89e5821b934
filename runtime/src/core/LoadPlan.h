//===- LoadPlan.h - Reads a rank's shard of the weights ---------*- C++ -*-===//
//
// Only the boxes that the rank's load plan names are read, straight into their arena.
// Boxes with short runs (columns of a matrix) are read through a window of 1 MiB, so
// that a run of 16 bytes does not cost a system call.
//
//===----------------------------------------------------------------------===//
#ifndef LLMPAR_RUNTIME_CORE_LOADPLAN_H
#define LLMPAR_RUNTIME_CORE_LOADPLAN_H

#include "core/Device.h"

#include <functional>

namespace llmpar::rt {

/// Where a load's target lies in the device's memory.
using AddressOf = std::function<void *(const BufferRef &buffer)>;

/// Runs all loads of `rank`. Relative file names start at `baseDirectory` (empty: the working
/// directory). Bytes of i1 tensors become 0 or 1. A missing or too short file is
/// Code::Invalid with its name, the bytes needed and the bytes there.
Status runLoadPlan(const Program &program, const RankDef &rank, const std::string &baseDirectory, Device &device,
                   const AddressOf &addressOf);

} // namespace llmpar::rt

#endif // LLMPAR_RUNTIME_CORE_LOADPLAN_H
