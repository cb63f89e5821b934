//===- Device.h - What executes the records of one rank ---------*- C++ -*-===//
//
// The first of the two interfaces of a backend (the other is `Communicator`). There is
// one object per rank, used by that rank's thread only; but its thunks
// run on the thread of their lane, two lanes' at the same time.
//
//   reference   naive kernels: the specification
//   cpu         fast kernels; matmuls with a constant 2-D weight are packed once
//   trace       prints the records and computes nothing: the one to copy for a new device
//
// To add a device: implement this interface in `runtime/src/<name>/`, add a line to the
// table in `Devices.cpp`, and let the conformance tests in `runtime/test` run on it.
//
//===----------------------------------------------------------------------===//
#ifndef LLMPAR_RUNTIME_CORE_DEVICE_H
#define LLMPAR_RUNTIME_CORE_DEVICE_H

#include "core/Program.h"
#include "core/Thunk.h"

#include <iosfwd>
#include <memory>

namespace llmpar::rt {

/// A record with its operands bound to memory. All of it outlives the thunk.
struct BoundRecord {
  const RecordDef *record = nullptr;
  KernelCall call;
  uint32_t rank = 0;
  Entry entry = Entry::Main;
  size_t index = 0;
  /// Per input: nothing changes it after preparation (a weight that `main` never writes).
  std::vector<bool> constantInputs;
};

struct PreparedRecord {
  std::unique_ptr<Thunk> thunk;
  /// Per input: the thunk has a copy of its own; the operand may be released. Empty: none.
  std::vector<bool> releasedInputs;
};

class Device {
public:
  virtual ~Device() = default;
  virtual std::string_view name() const = 0;

  /// False for a device that computes nothing: it gets no memory, no weights, no threads
  /// and no communicator, and `prepare` is called for collectives too.
  virtual bool executes() const { return true; }

  /// `bytes` of zeroed memory, aligned to a page; Code::DoesNotFit if there are none.
  virtual Status allocate(size_t bytes, void *&memory);
  virtual void release(void *memory, size_t bytes);

  /// The contents of this part of an allocation are no longer needed; its memory may go back at once.
  virtual void discard(void *memory, size_t bytes);

  /// Copies between host memory and this device's.
  virtual Status write(void *device, const void *host, size_t bytes);
  virtual Status read(void *host, const void *device, size_t bytes);

  /// Returns the thunk that runs a record. Records of `init` are prepared and run before
  /// those of `main` are prepared, so that constant inputs have their final values here.
  virtual Status prepare(const BoundRecord &record, PreparedRecord &prepared) = 0;

  /// Bytes that `prepare` allocated beside the arenas (packed weights).
  virtual uint64_t packedBytes() const { return 0; }
};

struct DeviceOptions {
  std::ostream *trace = nullptr; ///< where `trace` prints; null: standard output
};

/// Fails with the list of devices if there is none of that name.
Status makeDevice(std::string_view name, const DeviceOptions &options, std::unique_ptr<Device> &device);

/// "reference cpu trace".
std::string deviceNames();

} // namespace llmpar::rt

#endif // LLMPAR_RUNTIME_CORE_DEVICE_H
