//===- MemoryCost.h - Bytes that a device holds -----------------*- C++ -*-===//
#ifndef LLMPAR_COST_MEMORYCOST_H
#define LLMPAR_COST_MEMORYCOST_H

#include "llmpar/Cost/Cluster.h"
#include "llvm/ADT/ArrayRef.h"

namespace llmpar {

/// What memory is for. The order is that of reports.
enum class MemoryKind : uint8_t { Weights, States, Activations, Communication, Workspace };

/// Bytes of one device by kind, at one moment.
struct MemoryByKind {
  int64_t weights = 0;
  int64_t states = 0;        ///< gradients and optimizer
  int64_t activations = 0;   ///< inputs, outputs and everything between
  int64_t communication = 0; ///< buffers that collectives need beside operands and results
  int64_t workspace = 0;     ///< scratch of kernels: packed operands, partial sums
  int64_t total() const { return weights + states + activations + communication + workspace; }
  int64_t &operator[](MemoryKind kind);
};

/// Bytes that a plan holds during steps [begin, end).
struct MemoryHold {
  MemoryKind kind = MemoryKind::Activations;
  int64_t begin = 0, end = 0;
  int64_t bytes = 0;
};

/// The step with the most bytes, and what they are. Every hold is rounded up to `alignment`; a hold with begin >= end
/// takes none. A packing of the holds into one arena needs at least this much, and in practice this much.
///
///   weights [0, 9) 100, activations [0, 2) 10, [1, 3) 20, [3, 4) 25 -> step 1: weights 100, activations 30
struct MemoryPeak {
  int64_t step = 0;
  MemoryByKind held;
};
MemoryPeak peakMemory(llvm::ArrayRef<MemoryHold> holds, int64_t alignment = 1);

/// Training state of one parameter. Mixed-precision Adam: 2-byte weight and gradient, 12 bytes of f32 weight,
/// momentum and variance. Megatron-LM accumulates gradients in f32: 4.
struct StateBytes {
  double weight = 2, gradient = 2, optimizer = 12;
};

/// What data-parallel ranks share of it: ZeRO stage 0, 1, 2, 3.
enum class StateSplit : uint8_t { None, Optimizer, Gradients, Parameters };

/// Bytes for each parameter on one of n data-parallel ranks (Rajbhandari et al., SC'20, Figure 1):
///   16, 4 + 12/n, 2 + 14/n, 16/n; Megatron-LM with its distributed optimizer 6 + 12/n.
double stateBytesPerParameter(StateBytes state, StateSplit split, double dataParallel);

/// Elements that a rank sends for each parameter and step, for many ranks: 2, and 3 if parameters are split (SC'20,
/// section 7).
double stateTrafficPerParameter(StateSplit split);

} // namespace llmpar

#endif // LLMPAR_COST_MEMORYCOST_H
