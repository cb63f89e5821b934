//===- SimulateStep.cpp - Time of one step of all ranks ---------------------===//
#include "llmpar/Planner/SimulateStep.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/FormatVariadic.h"
#include <map>

namespace llmpar {
namespace {

struct Interval {
  Seconds begin, end;
};

/// The n-th collective of a group: who has come, and when the last did.
struct Meeting {
  size_t arrived = 0;
  Seconds ready = 0;
};

struct RankState {
  std::map<int, std::vector<int>> lanes; ///< records of each lane, in order
  std::map<int, size_t> next;            ///< in that list
  std::map<int, Seconds> free;           ///< when the lane ends its last record
  std::vector<Seconds> end;              ///< of records, -1: not yet
  std::vector<int> meeting;              ///< of collectives that have arrived: their number in the group
  std::map<std::vector<int64_t>, int> calls;
  std::vector<Interval> computing, communicating;
};

class Simulator {
public:
  explicit Simulator(const StepModel &model) : model(model), ranks(model.ranks.size()) {
    for (auto [state, records] : llvm::zip(ranks, model.ranks)) {
      state.end.assign(records.size(), -1);
      state.meeting.assign(records.size(), -1);
      for (auto [index, record] : llvm::enumerate(records))
        state.lanes[record.lane].push_back(static_cast<int>(index));
    }
  }

  llvm::Expected<StepTime> run() {
    for (bool moved = true; moved;) {
      moved = false;
      for (size_t rank = 0; rank < ranks.size(); ++rank)
        while (advance(rank))
          moved = true;
    }
    for (auto [rank, state] : llvm::enumerate(ranks))
      for (auto [index, end] : llvm::enumerate(state.end))
        if (end < 0)
          return llvm::createStringError(
              llvm::formatv("rank {0} never runs its record {1}: it waits for another rank's collective", rank, index).str());
    StepTime result;
    for (const RankState &state : ranks)
      for (Seconds end : state.end)
        result.seconds = std::max(result.seconds, end);
    for (const RankState &state : ranks)
      result.ranks.push_back(split(state, result.seconds));
    return result;
  }

private:
  const StepModel &model;
  std::vector<RankState> ranks;
  std::map<std::pair<std::vector<int64_t>, int>, Meeting> meetings;

  /// Runs at most one record of each lane; true if any ran or newly arrived.
  bool advance(size_t rank) {
    RankState &state = ranks[rank];
    bool moved = false;
    for (auto &[lane, list] : state.lanes)
      if (size_t &next = state.next[lane]; next < list.size())
        if (step(rank, list[next], lane, moved))
          ++next;
    return moved;
  }

  /// True if the record ended.
  bool step(size_t rank, int index, int lane, bool &moved) {
    RankState &state = ranks[rank];
    const StepRecord &record = model.ranks[rank][index];
    Seconds ready = state.free[lane];
    for (int wait : record.waits) {
      if (state.end[wait] < 0)
        return false;
      ready = std::max(ready, state.end[wait]);
    }
    if (!record.members.empty()) {
      if (state.meeting[index] < 0) {
        state.meeting[index] = state.calls[record.members]++;
        Meeting &meeting = meetings[{record.members, state.meeting[index]}];
        ++meeting.arrived;
        meeting.ready = std::max(meeting.ready, ready);
        moved = true;
      }
      const Meeting &meeting = meetings[{record.members, state.meeting[index]}];
      if (meeting.arrived < record.members.size())
        return false;
      ready = meeting.ready;
    }
    Seconds end = ready + record.seconds;
    (record.members.empty() && lane == 0 ? state.computing : state.communicating).push_back({ready, end});
    state.end[index] = end;
    state.free[lane] = end;
    moved = true;
    return true;
  }

  /// How much of [0, total) computes, and how much only communicates. Intervals of one lane do not overlap.
  static RankTime split(const RankState &state, Seconds total) {
    RankTime time;
    for (const Interval &interval : state.computing)
      time.compute += interval.end - interval.begin;
    std::vector<Interval> moves = state.communicating;
    llvm::sort(moves, [](const Interval &a, const Interval &b) { return a.begin < b.begin; });
    Seconds covered = 0;
    size_t first = 0;
    for (Interval move : moves) {
      move.begin = std::max(move.begin, covered);
      if (move.end <= move.begin)
        continue;
      covered = move.end;
      Seconds hidden = 0;
      while (first < state.computing.size() && state.computing[first].end <= move.begin)
        ++first;
      for (size_t i = first; i < state.computing.size() && state.computing[i].begin < move.end; ++i)
        hidden += std::min(move.end, state.computing[i].end) - std::max(move.begin, state.computing[i].begin);
      time.exposedCommunication += move.end - move.begin - hidden;
    }
    time.idle = std::max(0.0, total - time.compute - time.exposedCommunication);
    return time;
  }
};

} // namespace

RankTime StepTime::mean() const {
  RankTime mean;
  double count = static_cast<double>(std::max<size_t>(1, ranks.size()));
  for (const RankTime &rank : ranks) {
    mean.compute += rank.compute / count;
    mean.exposedCommunication += rank.exposedCommunication / count;
    mean.idle += rank.idle / count;
  }
  return mean;
}

llvm::Expected<StepTime> simulateStep(const StepModel &model) { return Simulator(model).run(); }

} // namespace llmpar
