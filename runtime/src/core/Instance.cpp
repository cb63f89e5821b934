//===- Instance.cpp - A program on devices, ready to step ------------------===//
#include "core/Instance.h"

#include "core/Cores.h"
#include "core/Memory.h"
#include "core/Spin.h"

#include <chrono>
#include <functional>

namespace llmpar::rt {
namespace {

constexpr std::string_view laneModes[] = {"auto", "inline", "threads"}; // in the order of LaneMode

double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

} // namespace

Status parseLaneMode(std::string_view name, LaneMode &mode) {
  const auto *found = std::find(std::begin(laneModes), std::end(laneModes), name);
  if (found == std::end(laneModes))
    return Status::invalid("no lane mode '" + std::string(name) + "': auto, inline or threads expected");
  mode = static_cast<LaneMode>(found - std::begin(laneModes));
  return Status::success();
}

Instance::Instance(std::shared_ptr<const Program> program, const InstanceOptions &options)
    : program_(std::move(program)), options(options) {}

Status Instance::create(std::shared_ptr<const Program> program, const InstanceOptions &options,
                        std::unique_ptr<Instance> &instance) {
  std::unique_ptr<Instance> created(new Instance(std::move(program), options));
  try {
    if (Status status = created->setUp(); !status.ok())
      return status;
  } catch (const std::bad_alloc &) {
    return outOfMemory();
  } catch (const std::exception &exception) { // no thread
    return Status::device(std::string("cannot create an instance: ") + exception.what());
  }
  instance = std::move(created);
  return Status::success();
}

Status Instance::setUp() {
  double begin = now();
  auto rankCount = static_cast<uint32_t>(program_->ranks.size());
  threadCount = rankCount;
  if (lanesHaveThreads())
    for (const RankDef &rank : program_->ranks)
      threadCount += static_cast<uint32_t>(std::max<size_t>(LaneRunner::lanesOf(rank.main), 1)) - 1;
  world = makeThreadWorld(rankCount, threadCount);
  for (uint32_t rank = 0; rank < rankCount; ++rank) {
    std::unique_ptr<Device> device;
    if (Status status = makeDevice(options.device, options.deviceOptions, device); !status.ok())
      return status;
    threaded = device->executes();
    ranks.push_back(std::make_unique<RankRunner>(*program_, rank, std::move(device), world->communicator(rank),
                                                 threaded ? makeLanes(rank) : nullptr));
  }
  if (threaded)
    if (Status status = checkMemory(); !status.ok())
      return status;
  for (uint32_t rank = 0; threaded && rank < rankCount; ++rank)
    threads.emplace_back([this, rank] { threadMain(rank); });
  Status status = runOnAllRanks([this](RankRunner &runner) { return runner.setUp(options.baseDirectory); });
  setUpSeconds = now() - begin;
  return status;
}

Status Instance::checkMemory() const {
  uint64_t needed = 0;
  for (const RankDef &rank : program_->ranks)
    for (uint64_t bytes : rank.arenaBytes)
      needed += bytes;
  size_t ranks = program_->ranks.size();
  return checkFits("the program's " + std::to_string(ranks) + (ranks == 1 ? " rank" : " ranks"), needed,
                   "compile for smaller dimensions, or take a machine with more memory; device 'trace' needs none");
}

Instance::~Instance() {
  stopping = true;
  jobNumber.fetch_add(1, std::memory_order_release);
  jobNumber.notify_all();
  for (std::thread &thread : threads)
    thread.join();
}

bool Instance::lanesHaveThreads() const {
  const std::vector<RankDef> &defs = program_->ranks;
  bool overlaps = std::any_of(defs.begin(), defs.end(), [](const RankDef &rank) { return rank.mainOverlaps; });
  return options.lanes == LaneMode::Threads ||
         (options.lanes == LaneMode::Auto && overlaps && coreCount() >= 2 * defs.size());
}

std::unique_ptr<LaneRunner> Instance::makeLanes(uint32_t rank) const {
  const std::vector<RecordDef> &records = program_->ranks[rank].main;
  if (!lanesHaveThreads() || LaneRunner::lanesOf(records) < 2)
    return nullptr;
  auto rankCount = static_cast<uint32_t>(program_->ranks.size());
  return std::make_unique<LaneRunner>(records, spinsBeforeSleep(threadCount), [=, this](size_t thread) {
    pin(rank + rankCount * static_cast<uint32_t>(thread), threadCount);
  });
}

/// If each of `pinned` threads can have a core of its own.
void Instance::pin(uint32_t core, uint32_t pinned) const {
  if (options.pinThreads && program_->ranks.size() > 1 && pinned <= coreCount())
    pinToCore(core);
}

void Instance::threadMain(uint32_t rank) {
  pin(rank, static_cast<uint32_t>(program_->ranks.size()));
  // The caller is a thread too: where it has no core of its own, a rank that spins keeps it from the next step.
  int spins = spinsBeforeSleep(threadCount + 1);
  for (uint32_t seen = 0;; ++seen) {
    waitUntil(jobNumber, spins, [&](uint32_t job) { return job != seen; });
    if (stopping)
      return;
    Status status = currentJob(*ranks[rank]);
    // Aborted: the first failure is already known.
    if (!status.ok() && status.code() != Code::Aborted)
      world->communicator(rank).abort(status);
    if (ranksBusy.fetch_sub(1, std::memory_order_acq_rel) == 1)
      ranksBusy.notify_all();
  }
}

Status Instance::runOnAllRanks(std::function<Status(RankRunner &)> job) {
  if (!threaded) {
    for (const std::unique_ptr<RankRunner> &rank : ranks)
      if (Status status = job(*rank); !status.ok())
        return status;
    return Status::success();
  }
  currentJob = std::move(job);
  ranksBusy.store(static_cast<uint32_t>(ranks.size()), std::memory_order_relaxed);
  jobNumber.fetch_add(1, std::memory_order_release);
  jobNumber.notify_all();
  for (uint32_t busy; (busy = ranksBusy.load(std::memory_order_acquire)) != 0;)
    ranksBusy.wait(busy, std::memory_order_acquire);
  Status failure = world->failure();
  world->reset();
  return failure;
}

namespace {
Status checkCount(const char *what, size_t given, size_t expected) {
  return given == expected ? Status::success()
                           : Status::invalid(std::to_string(given) + " " + what + "s, the program has " +
                                             std::to_string(expected));
}

template <typename Pointer>
Status checkArrays(const char *what, std::span<Pointer const> given, const std::vector<IoDef> &expected) {
  if (Status status = checkCount(what, given.size(), expected.size()); !status.ok())
    return status;
  for (size_t i = 0; i < given.size(); ++i)
    if (!given[i] && expected[i].bytes > 0)
      return Status::invalid(std::string(what) + " '" + expected[i].name + "' is a null pointer");
  return Status::success();
}
} // namespace

Status Instance::readStates(std::span<void *const> states) {
  Status status = checkCount("state", states.size(), program_->states.size());
  for (size_t rank = 0; rank < ranks.size() && status.ok(); ++rank)
    status = ranks[rank]->readStates(states);
  return status;
}
Status Instance::writeStates(std::span<const void *const> states) {
  Status status = checkCount("state", states.size(), program_->states.size());
  for (size_t rank = 0; rank < ranks.size() && status.ok(); ++rank)
    status = ranks[rank]->writeStates(states);
  return status;
}

Status Instance::run(std::span<const void *const> inputs, std::span<void *const> outputs) {
  if (threaded) {
    if (Status status = checkArrays("input", inputs, program_->inputs); !status.ok())
      return status;
    if (Status status = checkArrays("output", outputs, program_->outputs); !status.ok())
      return status;
  }
  double begin = now();
  Status status = runOnAllRanks([&](RankRunner &runner) { return runner.step(inputs, outputs, options.profile); });
  lastStepSeconds = now() - begin;
  if (status.ok()) {
    totalSeconds += lastStepSeconds;
    ++steps;
  }
  return status;
}

InstanceStats Instance::stats() const {
  InstanceStats stats{.steps = steps,
                      .threads = threaded ? threadCount : 0,
                      .setUpSeconds = setUpSeconds,
                      .lastStepSeconds = lastStepSeconds,
                      .totalSeconds = totalSeconds};
  for (size_t rank = 0; rank < ranks.size(); ++rank) {
    const std::array<uint64_t, arenaCount> &bytes = program_->ranks[rank].arenaBytes;
    uint64_t packed = ranks[rank]->packedBytes(), all = packed;
    for (size_t i = 0; i < arenaCount; ++i) {
      stats.arenaBytes[i] += bytes[i];
      all += bytes[i];
    }
    uint64_t withoutStaging = all - bytes[static_cast<size_t>(ArenaId::Staging)];
    stats.packedBytes += packed;
    uint64_t resident = ranks[rank]->keepsStaging() ? all : withoutStaging;
    stats.residentBytes += resident;
    stats.peakBytes += std::max(resident, withoutStaging + ranks[rank]->peakStagingBytes());
    stats.bytesSentPerStep += ranks[rank]->bytesSentPerStep();
  }
  return stats;
}

} // namespace llmpar::rt
