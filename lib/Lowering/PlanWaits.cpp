//===- PlanWaits.cpp - What a record waits for on other lanes --------------===//
//
// Of each other lane the last record in conflict is enough: its lane ran the earlier ones before
// it. So the search goes backwards through a lane, and stops at what is known to have ended.
//
//===----------------------------------------------------------------------===//
#include "llmpar/Lowering/PlanWaits.h"

#include <algorithm>

namespace llmpar {
namespace {

using Known = std::array<int64_t, maxLanes>; ///< the last record of each lane that has ended, -1: none

bool touch(const std::vector<ByteRange> &a, const std::vector<ByteRange> &b) {
  for (const ByteRange &x : a)
    for (const ByteRange &y : b)
      if (x.arena == y.arena && std::max(x.begin, y.begin) < std::min(x.end, y.end))
        return true;
  return false;
}

bool conflict(const LaneRecord &a, const LaneRecord &b) {
  return touch(a.writes, b.reads) || touch(a.writes, b.writes) || touch(a.reads, b.writes);
}

void join(Known &known, const Known &other) {
  for (size_t lane = 0; lane < maxLanes; ++lane)
    known[lane] = std::max(known[lane], other[lane]);
}

} // namespace

void planWaits(std::vector<LaneRecord> &records) {
  std::array<std::vector<size_t>, maxLanes> recordsOf; // so far
  std::vector<Known> knownAfter(records.size());       // what who waits for record i knows
  Known nothing;
  nothing.fill(-1);
  for (size_t i = 0; i < records.size(); ++i) {
    LaneRecord &record = records[i];
    auto mine = static_cast<size_t>(record.lane);
    Known known = recordsOf[mine].empty() ? nothing : knownAfter[recordsOf[mine].back()];
    std::vector<size_t> needed;
    for (size_t lane = 0; lane < maxLanes; ++lane) {
      if (lane == mine)
        continue;
      for (size_t at = recordsOf[lane].size(); at-- > 0 && static_cast<int64_t>(recordsOf[lane][at]) > known[lane];)
        if (conflict(records[recordsOf[lane][at]], record)) {
          needed.push_back(recordsOf[lane][at]);
          break;
        }
    }
    // The latest first: it may have waited for the others.
    std::sort(needed.rbegin(), needed.rend());
    record.waits.clear();
    for (size_t other : needed) {
      if (static_cast<int64_t>(other) <= known[static_cast<size_t>(records[other].lane)])
        continue;
      record.waits.insert(record.waits.begin(), static_cast<uint32_t>(other));
      join(known, knownAfter[other]);
    }
    known[mine] = static_cast<int64_t>(i);
    knownAfter[i] = known;
    recordsOf[mine].push_back(i);
  }
}

} // namespace llmpar
