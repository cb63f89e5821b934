//===- MemoryCost.cpp - Bytes that a device holds --------------------------===//
#include "llmpar/Cost/MemoryCost.h"

#include "llvm/ADT/STLExtras.h"
#include <tuple>
#include <vector>

namespace llmpar {

int64_t &MemoryByKind::operator[](MemoryKind kind) {
  switch (kind) {
  case MemoryKind::Weights:
    return weights;
  case MemoryKind::States:
    return states;
  case MemoryKind::Activations:
    return activations;
  case MemoryKind::Communication:
    return communication;
  case MemoryKind::Workspace:
    return workspace;
  }
  return workspace;
}

MemoryPeak peakMemory(llvm::ArrayRef<MemoryHold> holds, int64_t alignment) {
  struct Change {
    int64_t step, bytes;
    MemoryKind kind;
  };
  std::vector<Change> changes;
  for (const MemoryHold &hold : holds) {
    int64_t bytes = (hold.bytes + alignment - 1) / alignment * alignment;
    if (hold.begin >= hold.end)
      continue;
    changes.push_back({hold.begin, bytes, hold.kind});
    changes.push_back({hold.end, -bytes, hold.kind});
  }
  // What ends at a step is gone before anything begins there.
  llvm::sort(changes, [](const Change &a, const Change &b) {
    return std::tie(a.step, a.bytes, a.kind) < std::tie(b.step, b.bytes, b.kind);
  });

  MemoryPeak peak;
  MemoryByKind held;
  for (const Change &change : changes) {
    held[change.kind] += change.bytes;
    if (held.total() > peak.held.total())
      peak = {.step = change.step, .held = held};
  }
  return peak;
}

double stateBytesPerParameter(StateBytes state, StateSplit split, double dataParallel) {
  auto share = [&](StateSplit from) { return split >= from ? 1 / dataParallel : 1; };
  return state.weight * share(StateSplit::Parameters) + state.gradient * share(StateSplit::Gradients) +
         state.optimizer * share(StateSplit::Optimizer);
}

double stateTrafficPerParameter(StateSplit split) { return split == StateSplit::Parameters ? 3 : 2; }

} // namespace llmpar
