//===- CheckRecord.h - Is this a legal call of its kernel? ------*- C++ -*-===//
//
// Kernels trust their operands: shapes, types and attributes are compared here, once,
// when a program is opened. `Kernels.def` has the meaning of each kernel; this file
// has one rule per line of it.
//
//   matmul 4x6xf32, 5x8xf32 -> 4x8xf32
//     error: "input 1 is 5x8xf32: the contraction has extents 6 and 5"
//
//===----------------------------------------------------------------------===//
#ifndef LLMPAR_RUNTIME_CORE_CHECKRECORD_H
#define LLMPAR_RUNTIME_CORE_CHECKRECORD_H

#include "core/Program.h"

namespace llmpar::rt {

/// Counts, shapes, types, attributes and (of a collective) the group, as rank `rank` of `ranks` calls it.
Status checkRecord(const RecordDef &record, size_t rank, size_t ranks);

/// The part of `checkRecord` about one kernel that is not a collective; counts were checked.
/// Returns an empty string if all is well.
std::string checkKernel(KernelId kernel, const KernelCall &call);

/// The same for kernels that move or index data (gather ... cumsum); called by `checkKernel`.
std::string checkIndexingKernel(KernelId kernel, const KernelCall &call);

/// The same for gradients, losses and optimizer steps.
std::string checkTrainingKernel(KernelId kernel, const KernelCall &call);

/// The same for attention and its gradient.
std::string checkAttention(KernelId kernel, const KernelCall &call);

/// The same for convolution and pooling.
std::string checkWindowKernel(KernelId kernel, const KernelCall &call);

} // namespace llmpar::rt

#endif // LLMPAR_RUNTIME_CORE_CHECKRECORD_H
