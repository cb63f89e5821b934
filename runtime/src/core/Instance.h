//===- Instance.h - A program on devices, ready to step ---------*- C++ -*-===//
//
// One thread per rank, all in this process. Creating an instance loads the weights and
// runs `init`; every `run` is one step of `main`.
//
//   std::unique_ptr<Instance> instance;
//   Status status = Instance::create(program, {.device = "cpu", .baseDirectory = "models"}, instance);
//   status = instance->run(inputs, outputs);
//
//===----------------------------------------------------------------------===//
#ifndef LLMPAR_RUNTIME_CORE_INSTANCE_H
#define LLMPAR_RUNTIME_CORE_INSTANCE_H

#include "core/RankRunner.h"

#include <atomic>
#include <functional>
#include <thread>

namespace llmpar::rt {

/// How a rank's lanes run (Abi/Lanes.h); results are the same bit for bit.
enum class LaneMode : uint8_t {
  Auto,    ///< Threads if that can save time: records may overlap, and there are two cores for each rank
  Inline,  ///< in file order on the rank's thread
  Threads, ///< a thread for each lane of `main` that has records
};
/// "auto", "inline" or "threads"; Code::Invalid for another name.
Status parseLaneMode(std::string_view name, LaneMode &mode);

struct InstanceOptions {
  std::string device = "cpu";
  std::string baseDirectory{}; ///< where relative weight files are
  bool pinThreads = true;      ///< rank r on core r, if there is more than one rank and a core for each; lanes too
  LaneMode lanes = LaneMode::Auto;
  bool profile = false; ///< time every record
  DeviceOptions deviceOptions{};
};

struct InstanceStats {
  uint64_t steps = 0;
  uint32_t threads = 0; ///< that run records: one for each rank, or for each lane of each rank
  double setUpSeconds = 0, lastStepSeconds = 0, totalSeconds = 0;
  uint64_t bytesSentPerStep = 0;                 ///< by all ranks, see collectiveBytesSent
  std::array<uint64_t, arenaCount> arenaBytes{}; ///< of all ranks
  uint64_t packedBytes = 0;                      ///< weights in a layout of the device's own, all ranks
  uint64_t peakBytes = 0;                        ///< while setting up: arenas and packed weights, all ranks
  uint64_t residentBytes = 0;                    ///< afterwards: without Staging where it was released
};

class Instance {
public:
  /// Fails with Code::DoesNotFit if the arenas are larger than the memory that is available.
  static Status create(std::shared_ptr<const Program> program, const InstanceOptions &options,
                       std::unique_ptr<Instance> &instance);
  ~Instance();
  Instance(const Instance &) = delete;

  /// One step. `inputs[i]` and `outputs[i]` are dense arrays of the program's i-th global
  /// input and output. On failure returns the first failing rank's message; outputs are then
  /// unspecified, and the instance may be used again.
  Status run(std::span<const void *const> inputs, std::span<void *const> outputs);

  /// Copies states out of the instance, or into it: `states[i]` is a dense array of the program's i-th state, or null.
  Status readStates(std::span<void *const> states);
  Status writeStates(std::span<const void *const> states);
  /// Copies what `rank` holds by its `index`-th slice of states; both exist.
  Status readStatePart(uint32_t rank, size_t index, void *data) { return ranks[rank]->readStatePart(index, data); }

  const Program &program() const { return *program_; }
  InstanceStats stats() const;
  void setProfile(bool on) { options.profile = on; }
  std::span<const RecordTime> recordTimes(uint32_t rank) const { return ranks[rank]->times(); }

private:
  Instance(std::shared_ptr<const Program> program, const InstanceOptions &options);
  Status setUp();
  Status checkMemory() const;
  Status runOnAllRanks(std::function<Status(RankRunner &)> job);
  void threadMain(uint32_t rank);
  bool lanesHaveThreads() const;
  std::unique_ptr<LaneRunner> makeLanes(uint32_t rank) const;
  void pin(uint32_t core, uint32_t pinned) const;

  std::shared_ptr<const Program> program_;
  InstanceOptions options;
  std::unique_ptr<World> world;
  std::vector<std::unique_ptr<RankRunner>> ranks;
  bool threaded = true;
  uint32_t threadCount = 0; ///< of all ranks and lanes

  std::vector<std::thread> threads;
  std::function<Status(RankRunner &)> currentJob;
  std::atomic<uint32_t> jobNumber{0}, ranksBusy{0};
  bool stopping = false;

  uint64_t steps = 0;
  double setUpSeconds = 0, lastStepSeconds = 0, totalSeconds = 0;
};

} // namespace llmpar::rt

#endif // LLMPAR_RUNTIME_CORE_INSTANCE_H
