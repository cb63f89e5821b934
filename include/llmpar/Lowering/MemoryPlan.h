//===- MemoryPlan.h - Offsets of storages in a rank's arenas ----*- C++ -*-===//
//
// Weights and Staging are filled one after the other; temporaries of init and of main are packed
// by lifetime, each into the Activations arena, which init leaves before main begins.
//
//===----------------------------------------------------------------------===//
#ifndef LLMPAR_LOWERING_MEMORYPLAN_H
#define LLMPAR_LOWERING_MEMORYPLAN_H

#include "llmpar/Exec/Exec.h"
#include "llmpar/Lowering/RecordPlan.h"
#include <map>

namespace llmpar {

struct MemoryPlan {
  std::vector<int64_t> offsets; ///< bytes, one for each storage
  std::array<int64_t, exec::arenaCount> arenas = {};
};

exec::Arena arenaOf(Home home);

/// Plans memory rank by rank; ranks with equal sizes share a plan.
class MemoryPlanner {
public:
  MemoryPlanner(const FunctionPlan &plan, const ValueLayouts &layouts) : plan(plan), layouts(layouts) {}
  /// Fails only if the packing does not pass its verifier: a bug of ours.
  llvm::Expected<MemoryPlan> run(int64_t rank);

private:
  llvm::Error pack(Home home, llvm::ArrayRef<int64_t> sizes, MemoryPlan &memory) const;

  const FunctionPlan &plan;
  const ValueLayouts &layouts;
  std::map<std::vector<int64_t>, MemoryPlan> known;
};

} // namespace llmpar

#endif // LLMPAR_LOWERING_MEMORYPLAN_H
