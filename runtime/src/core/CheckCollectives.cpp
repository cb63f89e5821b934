//===- CheckCollectives.cpp - Do the ranks' collectives meet? --------------===//
#include "core/CheckCollectives.h"

#include "comm/CollectiveCall.h"
#include "core/KernelSignature.h"

namespace llmpar::rt {
namespace {

struct Pending {
  std::vector<size_t> records; ///< indices of the collectives, in order
  size_t next = 0;
  bool done() const { return next == records.size(); }
};

CollectiveCall callOf(const RecordDef &record) {
  return {.kernel = record.kernel,
          .group = record.group,
          .x = record.inputs[0].view,
          .y = record.outputs[0].view,
          .routing = record.inputs.size() > 1 ? record.inputs[1].view : TensorView{},
          .ints = record.ints};
}

} // namespace

Status checkCollectivesMeet(const Program &program, Entry entry) {
  auto recordsOf = [&](size_t rank) -> const std::vector<RecordDef> & {
    return entry == Entry::Init ? program.ranks[rank].init : program.ranks[rank].main;
  };
  std::vector<Pending> pending(program.ranks.size());
  std::vector<size_t> work;
  for (size_t rank = 0; rank < pending.size(); ++rank) {
    for (size_t i = 0; i < recordsOf(rank).size(); ++i)
      if (isCollective(recordsOf(rank)[i].kernel))
        pending[rank].records.push_back(i);
    work.push_back(rank);
  }
  auto nextOf = [&](size_t rank) -> const RecordDef & {
    return recordsOf(rank)[pending[rank].records[pending[rank].next]];
  };
  auto describe = [&](size_t rank) {
    return pending[rank].done() ? "rank " + std::to_string(rank) + ", which has no further collective"
                                : describeRecord(rank, entry, pending[rank].records[pending[rank].next], nextOf(rank));
  };

  while (!work.empty()) {
    size_t rank = work.back();
    work.pop_back();
    if (pending[rank].done())
      continue;
    const RecordDef &mine = nextOf(rank);
    bool ready = true;
    for (uint32_t member : mine.group)
      ready &= !pending[member].done() && nextOf(member).group == mine.group;
    if (!ready) // a member that gets there later puts this rank back on the list
      continue;
    for (uint32_t member : mine.group)
      if (collectiveSignature(callOf(mine)) != collectiveSignature(callOf(nextOf(member))))
        return Status::invalid(describe(rank) + " meets " + describe(member) + ": " + describeCollective(callOf(mine)) +
                               " against " + describeCollective(callOf(nextOf(member))));
    for (uint32_t member : mine.group)
      if (nextOf(member).every != mine.every)
        return Status::invalid(describe(rank) + ", which runs every " + std::to_string(mine.every) + " steps, meets " +
                               describe(member) + ", which runs every " + std::to_string(nextOf(member).every));
    std::vector<uint32_t> group = mine.group;
    for (uint32_t member : group) {
      ++pending[member].next;
      work.push_back(member);
    }
  }
  for (size_t rank = 0; rank < pending.size(); ++rank) {
    if (pending[rank].done())
      continue;
    for (uint32_t member : nextOf(rank).group)
      if (pending[member].done() || nextOf(member).group != nextOf(rank).group)
        return Status::invalid(describe(rank) + " would wait forever for " + describe(member));
  }
  return Status::success();
}

} // namespace llmpar::rt
