//===- LaneRunner.h - A rank's records on a thread for each lane -*- C++ -*-===//
//
// A lane runs its records in file order. The event of a record is the count of its lane: it has
// ended when the count is above its index. A lane that needs an event spins, then sleeps.
//
//   LaneRunner lanes(def.main, spins, [](size_t thread) { pinToCore(...); });
//   Status status = lanes.run([&](size_t record) { return ...; });   // each step
//
// The calling thread runs the first lane, each other lane has a thread that lives as long as
// the object and sleeps between steps. When a record fails, its lane ends, and so does every
// lane that needs an event of it; others stop at their next record. A lane that is inside of a
// record is not interrupted: if it may be blocked there (in a collective whose peers do not come),
// `run`'s argument must see to it that it wakes.
//
//===----------------------------------------------------------------------===//
#ifndef LLMPAR_RUNTIME_CORE_LANERUNNER_H
#define LLMPAR_RUNTIME_CORE_LANERUNNER_H

#include "core/Program.h"

#include <atomic>
#include <functional>
#include <thread>

namespace llmpar::rt {

class LaneRunner {
public:
  using RunRecord = std::function<Status(size_t record)>;

  /// `records` must outlive it; their waits were checked. `onThreadStart(1)`, `(2)`... run on the threads. Throws
  /// std::system_error if there is no thread.
  LaneRunner(const std::vector<RecordDef> &records, int spins, const std::function<void(size_t thread)> &onThreadStart);
  ~LaneRunner();
  LaneRunner(const LaneRunner &) = delete;

  /// Runs all records and returns when every lane has ended. The failure of a record if there was one, which is
  /// not Aborted if any is not.
  Status run(const RunRecord &runRecord);

  /// Lanes that have records.
  static size_t lanesOf(const std::vector<RecordDef> &records);

private:
  /// One for each lane that has records.
  struct LaneState {
    std::vector<size_t> records;
    Status status{};
    alignas(64) std::atomic<uint32_t> ended{0}; ///< 1 + index of the last record that has ended
  };
  static constexpr uint32_t stopped = ~uint32_t(0); ///< value of `ended` of a lane that failed

  void endThreads();
  void threadMain(size_t lane);
  void runLane(LaneState &lane);
  Status runNext(LaneState &lane, size_t index);
  bool waitFor(size_t index) const;

  const std::vector<RecordDef> &records;
  const int spins;
  std::vector<std::unique_ptr<LaneState>> lanes;
  std::array<LaneState *, maxLanes> laneOf{}; ///< by Lane; null: has no records
  std::vector<bool> isAwaited;                ///< by record

  const RunRecord *current = nullptr;
  std::atomic<bool> failed{false}, stopping{false};
  std::atomic<uint32_t> stepNumber{0}, lanesBusy{0};
  std::vector<std::thread> threads; ///< of lanes[1..]
};

} // namespace llmpar::rt

#endif // LLMPAR_RUNTIME_CORE_LANERUNNER_H
