//===- TraceDevice.h - Prints what a rank would do --------------*- C++ -*-===//
//
//   rank 0 #12 matmul(4x8xf32@activations+256, 8x8xf32@weights+0) -> 4x8xf32@activations+384 {0, 0} 'layer0/q'
//   rank 0 #13 all_reduce(4x8xf32@activations+384) -> 4x8xf32@activations+384 {0} group [0, 1]
//
// Needs no weights and no inputs. Records of `init` print as `init #0`.
//
//===----------------------------------------------------------------------===//
#ifndef LLMPAR_RUNTIME_TRACE_TRACEDEVICE_H
#define LLMPAR_RUNTIME_TRACE_TRACEDEVICE_H

#include "core/Device.h"

namespace llmpar::rt {

/// Prints to `out`, or to standard output if it is null.
std::unique_ptr<Device> makeTraceDevice(std::ostream *out);

} // namespace llmpar::rt

#endif // LLMPAR_RUNTIME_TRACE_TRACEDEVICE_H
