//===- PredictProgram.h - What a step of a program will cost ----*- C++ -*-===//
//
// From the records of the lowered program: their kernels with this rank's extents, their lanes and waits, the
// arenas as they are packed. The same model of kernels and collectives plans with (Cost/).
//
//===----------------------------------------------------------------------===//
#ifndef LLMPAR_DRIVER_PREDICTPROGRAM_H
#define LLMPAR_DRIVER_PREDICTPROGRAM_H

#include "llmpar/Cost/MemoryCost.h"
#include "llmpar/Exec/Exec.h"
#include "llmpar/Planner/SimulateStep.h"

namespace llmpar {

/// Bytes that one rank sends in a step, by kernel ("all_reduce") and mesh axis ("tp").
struct CollectiveTraffic {
  std::string collective, axis;
  int64_t calls = 0;
  double bytes = 0;
  Seconds seconds = 0; ///< of the calls themselves, not of waiting
};

/// What a record is predicted to take, once it runs.
struct PredictedRecord {
  std::string kernel; ///< as in measuredKernelNames ("unary gelu", "matmul weight"), or the collective's
  Seconds seconds = 0;
};

struct ProgramPrediction {
  StepTime step;
  std::vector<std::vector<PredictedRecord>> records; ///< of each rank, in file order
  std::vector<CollectiveTraffic> traffic; ///< of the rank that sends most
  MemoryByKind memory;                    ///< of the rank that holds most
  int64_t totalBytes = 0;                 ///< of all ranks
  double flops = 0;                       ///< of all ranks
  double utilisation = 0;                 ///< of the devices' peak for each FLOP's type
  bool fits = true;                       ///< into every device's memory
};

/// `program` has as many ranks as the cluster has devices, or fewer: then the first ones run it.
/// Fails if it has more, or if its waits form a circle.
llvm::Expected<ProgramPrediction> predictProgram(exec::ProgramOp program, const Cluster &cluster);

} // namespace llmpar

#endif // LLMPAR_DRIVER_PREDICTPROGRAM_H
