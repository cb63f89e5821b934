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

/// Reads boxes of weight files into a rank's memory, one load at a time; files stay open between loads.
class WeightLoader {
public:
  /// `loads` are the rank's.
  WeightLoader(const Program &program, std::span<const LoadDef> loads, const std::string &baseDirectory, Device &device,
               AddressOf addressOf);
  ~WeightLoader();

  /// Opens the files that the loads name. Fails with one line that names the file: missing, of another size than the
  /// one compiled, too short for a load. First of all: a truncated file should not cost the time to read the others.
  Status open();

  /// After `open`. Fails with one line that names a file that cannot be read.
  Status load(const LoadDef &load);

private:
  struct Files;
  const Program &program;
  std::span<const LoadDef> loads;
  const std::string &baseDirectory;
  Device &device;
  AddressOf addressOf;
  std::unique_ptr<Files> files;
};

} // namespace llmpar::rt

#endif // LLMPAR_RUNTIME_CORE_LOADPLAN_H
