//===- RankRunner.h - One rank of an instance -------------------*- C++ -*-===//
//
// Owns the rank's arenas and its flat list of thunks. All methods run on the rank's
// thread; `init` runs in file order there, `main` too unless lanes have threads. Life of a rank:
//
//   setUp    allocate arenas -> load plan -> prepare and run `init` -> prepare `main`
//            (packs weights) -> release the Staging arena if nothing reads it any more
//   step     copy input boxes in -> run the thunks -> wait for all ranks -> copy output boxes out
//
//===----------------------------------------------------------------------===//
#ifndef LLMPAR_RUNTIME_CORE_RANKRUNNER_H
#define LLMPAR_RUNTIME_CORE_RANKRUNNER_H

#include "comm/Communicator.h"
#include "core/LaneRunner.h"
#include "core/LoadPlan.h"

#include <map>

namespace llmpar::rt {

/// How often and how long a record of `main` ran.
struct RecordTime {
  uint64_t calls = 0;
  double seconds = 0;
};

class RankRunner {
public:
  /// With `lanes`, lanes of `main` but the first run on threads of it; null: all in file order on the rank's thread.
  RankRunner(const Program &program, uint32_t rank, std::unique_ptr<Device> device, Communicator &communicator,
             std::unique_ptr<LaneRunner> lanes);
  ~RankRunner();
  RankRunner(const RankRunner &) = delete;

  Status setUp(const std::string &baseDirectory);
  Status step(std::span<const void *const> inputs, std::span<void *const> outputs, bool profile);

  /// One whole array, or null, for each state of the program. Ranks may hold the same parts: one rank at a time.
  Status readStates(std::span<void *const> states) { return copyOut(def.states, program.states, states); }
  Status writeStates(std::span<const void *const> states) { return copyIn(def.states, program.states, states); }
  Status readStatePart(size_t index, void *data);

  const std::array<void *, arenaCount> &memory() const { return arenas; }
  uint64_t packedBytes() const { return device->packedBytes(); }
  uint64_t bytesSentPerStep() const { return bytesSent; }
  /// Bytes of Staging that were in use at once while setting up.
  uint64_t peakStagingBytes() const { return stagingPeak; }
  bool keepsStaging() const { return arenas[static_cast<size_t>(ArenaId::Staging)] != nullptr; }
  std::span<const RecordTime> times() const { return recordTimes; }

private:
  struct Step {
    BoundRecord bound;
    std::vector<TensorView> inputs, outputs;
    PreparedRecord prepared;
  };

  Status allocateArenas();
  Status copyIn(const std::vector<SliceDef> &slices, const std::vector<IoDef> &ios, std::span<const void *const> arrays);
  Status copyOut(const std::vector<SliceDef> &slices, const std::vector<IoDef> &ios, std::span<void *const> arrays);
  Status loadWeights(const std::string &baseDirectory);
  Status prepareEntry(Entry entry, const std::vector<RecordDef> &records, std::vector<Step> &steps);
  Status prepareRecord(Step &step);
  Status runRecord(Step &step, bool profile);
  Status runInOrder(std::vector<Step> &steps, bool profile);
  Status runMain(bool profile);
  Status runLanes(bool profile);
  void findConstantInputs(std::vector<Step> &steps) const;
  bool touchesOnlyMain(const BufferRef &buffer) const;
  Status loadJustInTime(const Step &step);
  void discardPacked(const Step &step);
  void releaseStaging();
  void *addressOf(const BufferRef &buffer) const;
  Status prefixed(const Status &status, const Step &step) const;

  const Program &program;
  const RankDef &def;
  const uint32_t rank;
  std::unique_ptr<Device> device;
  Communicator &communicator;
  std::array<void *, arenaCount> arenas{};
  std::vector<Step> main;
  std::unique_ptr<LaneRunner> lanes; ///< after `main`: its threads end first
  std::vector<RecordTime> recordTimes;
  uint64_t bytesSent = 0;
  uint64_t stepsRun = 0;

  /// A weight that only `main` reads, from Staging: loaded when its first reader is prepared, discarded when all
  /// its readers have packed it. So a rank never holds all weights twice.
  struct StagedWeight {
    const LoadDef *load = nullptr;
    size_t lastReader = 0;
    bool loaded = false;
  };
  std::unique_ptr<WeightLoader> loader;    ///< while setting up
  std::map<uint64_t, StagedWeight> staged; ///< by offset in Staging
  uint64_t stagingNow = 0, stagingPeak = 0;
};

} // namespace llmpar::rt

#endif // LLMPAR_RUNTIME_CORE_RANKRUNNER_H
