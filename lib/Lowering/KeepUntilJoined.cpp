//===- KeepUntilJoined.cpp - Lifetimes of what collectives touch -----------===//
//
// A collective is joined by the first compute record that reads a result of it, or of a later
// collective: its lane ends them in order. One that nobody joins ends with the entry.
//
// The other way round nothing is kept: a collective that gets the memory of a compute record
// before it waits for that record (PlanWaits), which ran before it in file order anyway.
//
//===----------------------------------------------------------------------===//
#include "llmpar/Lowering/RecordPlan.h"

namespace llmpar {

static void keepUntilJoined(std::vector<Storage> &storages, llvm::ArrayRef<RecordPlan> records) {
  auto count = static_cast<int64_t>(records.size());
  std::vector<int64_t> firstReader(storages.size(), count); // on the compute lane
  int64_t join = count;
  for (int64_t index = count; index-- > 0;) {
    const RecordPlan &record = records[index];
    if (record.lane == Lane::Compute) {
      for (int id : record.inputs)
        firstReader[id] = index;
      continue;
    }
    for (int id : record.outputs)
      join = std::min(join, firstReader[id]);
    for (const auto &touched : {llvm::ArrayRef<int>(record.inputs), llvm::ArrayRef<int>(record.outputs)})
      for (int id : touched)
        storages[id].lifetime.end = std::max(storages[id].lifetime.end, join);
  }
}

void keepUntilJoined(FunctionPlan &plan) {
  keepUntilJoined(plan.storages, plan.init);
  keepUntilJoined(plan.storages, plan.main);
}

} // namespace llmpar
