//===- BatchQueue.h - The batches of a training run -------------*- C++ -*-===//
#ifndef LLMPAR_TOOLS_BATCHQUEUE_H
#define LLMPAR_TOOLS_BATCHQUEUE_H

#include "SampleInputs.h"
#include "llmpar/Data/SampleOrder.h"
#include <future>

namespace llmpar::tool {

/// Reads the next batch in a thread while a step runs.
class BatchQueue {
public:
  /// `inputs` outlives it. `position`: samples that were trained before.
  BatchQueue(const SampleInputs &inputs, SampleOrder order, int64_t position);

  SampleInputs::Batch next();
  /// Samples of all batches that were given, and of those before.
  int64_t position() const { return given; }

private:
  void readAhead();

  const SampleInputs &inputs;
  SampleOrder order; ///< the thread's while there is one
  int64_t given;
  std::future<SampleInputs::Batch> ahead; ///< last: its end waits for the thread
};

} // namespace llmpar::tool

#endif // LLMPAR_TOOLS_BATCHQUEUE_H
