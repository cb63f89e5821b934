//===- MemoryPlan.cpp - Offsets of storages in a rank's arenas -------------===//
#include "llmpar/Lowering/MemoryPlan.h"

namespace llmpar {

static constexpr int64_t alignment = 64;

exec::Arena arenaOf(Home home) {
  switch (home) {
  case Home::Weights:
    return exec::Arena::Weights;
  case Home::Staging:
    return exec::Arena::Staging;
  case Home::Init:
  case Home::Main:
    break;
  }
  return exec::Arena::Activations;
}

llvm::Error MemoryPlanner::pack(Home home, llvm::ArrayRef<int64_t> sizes, MemoryPlan &memory) const {
  std::vector<Buffer> buffers;
  std::vector<size_t> ids;
  for (size_t id = 0; id < plan.storages.size(); ++id)
    if (plan.storages[id].home == home && plan.group[id] == static_cast<int>(id)) {
      buffers.push_back({.lifetime = plan.storages[id].lifetime, .size = sizes[id]});
      ids.push_back(id);
    }
  Packing packing = packBuffers(buffers, alignment);
  if (llvm::Error error = verifyPacking(buffers, packing, alignment))
    return error;
  for (auto [id, offset] : llvm::zip(ids, packing.offsets))
    memory.offsets[id] = offset;
  int64_t &arena = memory.arenas[static_cast<int>(arenaOf(home))];
  arena = std::max(arena, packing.size);
  return llvm::Error::success();
}

llvm::Expected<MemoryPlan> MemoryPlanner::run(int64_t rank) {
  std::vector<int64_t> sizes;
  for (const Storage &storage : plan.storages)
    sizes.push_back(layouts.bytes(storage.value, rank));
  auto [it, inserted] = known.try_emplace(sizes);
  if (!inserted)
    return it->second;

  MemoryPlan &memory = it->second;
  memory.offsets.assign(plan.storages.size(), 0);
  for (size_t id = 0; id < plan.storages.size(); ++id)
    if (Home home = plan.storages[id].home;
        plan.group[id] == static_cast<int>(id) && (home == Home::Weights || home == Home::Staging)) {
      int64_t &end = memory.arenas[static_cast<int>(arenaOf(home))];
      memory.offsets[id] = end;
      end += (sizes[id] + alignment - 1) / alignment * alignment;
    }
  for (Home home : {Home::Init, Home::Main})
    if (llvm::Error error = pack(home, sizes, memory))
      return std::move(error);
  for (size_t id = 0; id < plan.storages.size(); ++id)
    memory.offsets[id] = memory.offsets[plan.group[id]];
  return memory;
}

} // namespace llmpar
