//===- Lanes.h - Which records may run at the same time ---------*- C++ -*-===//
//
// The records of an entry (`init` or `main`) run on lanes. Of two records the earlier one in
// the file has ended before the later one begins if both are on one lane, if the later one
// waits for it, or if a chain of these leads from one to the other. All others are unordered: they
// may run at the same time, and in any order.
//
//   #0 compute        matmul  -> a
//   #1 communication  all_reduce a, waits [0]
//   #2 compute        matmul  -> b              unordered with #1
//   #3 compute        add a b,      waits [1]   after all of them
//
// Waits name earlier records only. Hence file order on one thread is always a legal schedule.
//
// `findLaneRace` is the independent check of a compiler's waits, and what the runtime checks of
// a file: unordered records never touch the same bytes, unless both only read them.
//
//===----------------------------------------------------------------------===//
#ifndef LLMPAR_ABI_LANES_H
#define LLMPAR_ABI_LANES_H

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string_view>
#include <vector>

namespace llmpar {

/// Numbers as in Program.fbs.
enum class Lane : uint8_t { Compute, Communication, Copy };
inline constexpr std::array<std::string_view, 3> laneNames = {"compute", "communication", "copy"};
inline constexpr size_t maxLanes = laneNames.size();

/// Bytes [begin, end) of an arena; those of an empty tensor are none.
struct ByteRange {
  int arena = 0;
  uint64_t begin = 0, end = 0;
};

/// What of a record decides when it may run.
struct LaneRecord {
  Lane lane = Lane::Compute;
  std::vector<uint32_t> waits; ///< indices of earlier records
  std::vector<ByteRange> reads, writes;
};

/// Which records have ended when a record begins. Waits must name earlier records.
class LaneOrder {
public:
  explicit LaneOrder(const std::vector<LaneRecord> &records) : ended(records.size()) {
    Clock start;
    start.fill(-1);
    std::array<Clock, maxLanes> atEndOf; // of a lane so far
    atEndOf.fill(start);
    for (size_t i = 0; i < records.size(); ++i) {
      auto lane = static_cast<size_t>(records[i].lane);
      ended[i] = atEndOf[lane];
      for (uint32_t wait : records[i].waits) {
        for (size_t other = 0; other < maxLanes; ++other)
          ended[i][other] = std::max(ended[i][other], ended[wait][other]);
        int64_t &last = ended[i][static_cast<size_t>(records[wait].lane)];
        last = std::max(last, static_cast<int64_t>(wait));
      }
      atEndOf[lane] = ended[i];
      atEndOf[lane][lane] = static_cast<int64_t>(i);
      for (size_t other = 0; other < maxLanes; ++other)
        overlaps |= other != lane && lastOf(atEndOf, other) > ended[i][other];
    }
  }
  /// The last record of a lane that has ended when record `i` begins; -1: none.
  int64_t lastEnded(size_t i, Lane lane) const { return ended[i][static_cast<size_t>(lane)]; }
  /// Whether some records are unordered. If not, lanes cannot save time.
  bool hasOverlap() const { return overlaps; }

private:
  using Clock = std::array<int64_t, maxLanes>; // last record of each lane, -1: none
  static int64_t lastOf(const std::array<Clock, maxLanes> &clocks, size_t lane) { return clocks[lane][lane]; }

  std::vector<Clock> ended;
  bool overlaps = false;
};

struct LaneRace {
  size_t first, second; ///< records, in file order
  ByteRange bytes;      ///< some that both touch, at least one of them writing
};

/// The first pair of unordered records of which one writes bytes that the other touches; none if the waits
/// suffice. O(n log n) for operands that overlap few others.
inline std::optional<LaneRace> findLaneRace(const std::vector<LaneRecord> &records) {
  struct Touched {
    std::array<int64_t, maxLanes> reader, writer; // the last one of each lane, -1: none
  };
  Touched untouched;
  untouched.reader.fill(-1);
  untouched.writer.fill(-1);
  LaneOrder order(records);
  std::map<int, std::map<uint64_t, Touched>> arenas; // segments by begin; each reaches to the next one
  for (size_t i = 0; i < records.size(); ++i) {
    auto mine = static_cast<size_t>(records[i].lane);
    for (bool isWrite : {false, true})
      for (const ByteRange &range : isWrite ? records[i].writes : records[i].reads) {
        if (range.begin >= range.end)
          continue;
        auto &segments = arenas.try_emplace(range.arena, std::map<uint64_t, Touched>{{0, untouched}}).first->second;
        for (uint64_t edge : {range.begin, range.end}) {
          Touched around = std::prev(segments.upper_bound(edge))->second;
          segments.try_emplace(edge, around);
        }
        auto end = segments.find(range.end);
        for (auto it = segments.find(range.begin); it != end; ++it) {
          Touched &touched = it->second;
          for (size_t lane = 0; lane < maxLanes; ++lane) {
            int64_t other = std::max(touched.writer[lane], isWrite ? touched.reader[lane] : -1);
            if (lane != mine && other > order.lastEnded(i, static_cast<Lane>(lane)))
              return LaneRace{static_cast<size_t>(other), i, {range.arena, it->first, std::next(it)->first}};
          }
          (isWrite ? touched.writer : touched.reader)[mine] = static_cast<int64_t>(i);
        }
      }
  }
  return std::nullopt;
}

} // namespace llmpar

#endif // LLMPAR_ABI_LANES_H
