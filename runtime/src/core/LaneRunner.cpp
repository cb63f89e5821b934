//===- LaneRunner.cpp - A rank's records on a thread for each lane ---------===//
#include "core/LaneRunner.h"

#include "core/Spin.h"

#include <algorithm>

namespace llmpar::rt {

size_t LaneRunner::lanesOf(const std::vector<RecordDef> &records) {
  std::array<bool, maxLanes> used{};
  for (const RecordDef &record : records)
    used[static_cast<size_t>(record.lane)] = true;
  return static_cast<size_t>(std::count(used.begin(), used.end(), true));
}

LaneRunner::LaneRunner(const std::vector<RecordDef> &records, int spins,
                       const std::function<void(size_t thread)> &onThreadStart)
    : records(records), spins(spins), isAwaited(records.size()) {
  for (size_t lane = 0; lane < maxLanes; ++lane) {
    auto state = std::make_unique<LaneState>();
    for (size_t i = 0; i < records.size(); ++i)
      if (static_cast<size_t>(records[i].lane) == lane)
        state->records.push_back(i);
    if (state->records.empty())
      continue;
    laneOf[lane] = state.get();
    lanes.push_back(std::move(state));
  }
  for (const RecordDef &record : records)
    for (uint32_t wait : record.waits)
      isAwaited[wait] = true;
  try {
    for (size_t lane = 1; lane < lanes.size(); ++lane)
      threads.emplace_back([this, lane, onThreadStart] {
        onThreadStart(lane);
        threadMain(lane);
      });
  } catch (...) { // no thread: those that there are must not outlive this
    endThreads();
    throw;
  }
}

LaneRunner::~LaneRunner() { endThreads(); }

void LaneRunner::endThreads() {
  stopping.store(true, std::memory_order_relaxed);
  stepNumber.fetch_add(1, std::memory_order_release);
  stepNumber.notify_all();
  for (std::thread &thread : threads)
    thread.join();
}

void LaneRunner::threadMain(size_t lane) {
  for (uint32_t seen = 0;; ++seen) {
    waitUntil(stepNumber, spins, [&](uint32_t step) { return step != seen; });
    if (stopping.load(std::memory_order_relaxed))
      return;
    runLane(*lanes[lane]);
    if (lanesBusy.fetch_sub(1, std::memory_order_acq_rel) == 1)
      lanesBusy.notify_all();
  }
}

Status LaneRunner::run(const RunRecord &runRecord) {
  current = &runRecord;
  failed.store(false, std::memory_order_relaxed);
  for (const auto &lane : lanes)
    lane->ended.store(0, std::memory_order_relaxed);
  lanesBusy.store(static_cast<uint32_t>(threads.size()), std::memory_order_relaxed);
  stepNumber.fetch_add(1, std::memory_order_release); // publishes all of the above
  stepNumber.notify_all();
  if (!lanes.empty())
    runLane(*lanes[0]);
  waitUntil(lanesBusy, spins, [](uint32_t busy) { return busy == 0; });
  Status result;
  for (const auto &lane : lanes)
    if (!lane->status.ok() && (result.ok() || result.code() == Code::Aborted))
      result = lane->status;
  return result;
}

void LaneRunner::runLane(LaneState &lane) {
  lane.status = Status::success();
  for (size_t index : lane.records)
    if (lane.status = runNext(lane, index); !lane.status.ok()) {
      failed.store(true, std::memory_order_relaxed);
      lane.ended.store(stopped, std::memory_order_release);
      lane.ended.notify_all();
      return;
    }
}

Status LaneRunner::runNext(LaneState &lane, size_t index) {
  for (uint32_t wait : records[index].waits)
    if (!waitFor(wait))
      return Status::aborted("another lane failed");
  if (failed.load(std::memory_order_relaxed))
    return Status::aborted("another lane failed");
  if (Status status = (*current)(index); !status.ok())
    return status;
  lane.ended.store(static_cast<uint32_t>(index) + 1, std::memory_order_release);
  if (isAwaited[index])
    lane.ended.notify_all();
  return Status::success();
}

bool LaneRunner::waitFor(size_t index) const {
  const LaneState &lane = *laneOf[static_cast<size_t>(records[index].lane)];
  return waitUntil(lane.ended, spins, [&](uint32_t ended) { return ended > index; }) != stopped;
}

} // namespace llmpar::rt
