//===- BatchQueue.cpp - The batches of a training run -----------------------===//
#include "BatchQueue.h"

#include "llvm/ADT/STLExtras.h"

namespace llmpar::tool {

BatchQueue::BatchQueue(const SampleInputs &inputs, SampleOrder order, int64_t position)
    : inputs(inputs), order(std::move(order)), given(position) {
  readAhead();
}

void BatchQueue::readAhead() {
  ahead = std::async(std::launch::async, [this, position = given] {
    return inputs.read(
        llvm::map_to_vector(llvm::seq(inputs.rows()), [&](int64_t row) { return order.at(position, row); }));
  });
}

SampleInputs::Batch BatchQueue::next() {
  SampleInputs::Batch batch = ahead.get();
  given += inputs.rows();
  readAhead();
  return batch;
}

} // namespace llmpar::tool
