//===- StepSummary.h - What a training step computes ------------*- C++ -*-===//
#ifndef LLMPAR_TRAINING_STEPSUMMARY_H
#define LLMPAR_TRAINING_STEPSUMMARY_H

#include "llmpar/Dialect/Llmpar.h"
#include "mlir/IR/BuiltinOps.h"

namespace llmpar {

/// Of a graph that build-training-step or build-evaluation-step has made, before it is partitioned.
struct StepSummary {
  int64_t classes = 0;                 ///< of the logits
  double flops = 0;                    ///< of matrix products, forward and backward; not of what is computed again
  std::vector<std::string> parameters; ///< tensors that become state and begin as a file says
};

StepSummary summarizeStep(mlir::ModuleOp module);

} // namespace llmpar

#endif // LLMPAR_TRAINING_STEPSUMMARY_H
