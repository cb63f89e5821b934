//===- Instance.cpp - A program on devices, ready to step ------------------===//
#include "core/Instance.h"

#include "comm/Barrier.h"

#include <chrono>
#include <fstream>
#include <functional>
#include <sched.h>
#include <unistd.h>

namespace llmpar::rt {
namespace {

constexpr int spinsBeforeSleep = 2000;

double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

/// Memory that this process may use: of the machine, or of its control group.
uint64_t availableMemory() {
  uint64_t bytes = static_cast<uint64_t>(::sysconf(_SC_PHYS_PAGES)) * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
  uint64_t limit = 0;
  if (std::ifstream file("/sys/fs/cgroup/memory.max"); file >> limit) // "max" does not parse
    bytes = std::min(bytes, limit);
  return bytes;
}

/// Returns when `value` is no longer `old`.
void waitWhile(const std::atomic<uint32_t> &value, uint32_t old) {
  for (int i = 0; i < spinsBeforeSleep; ++i) {
    if (value.load(std::memory_order_acquire) != old)
      return;
    cpuPause();
  }
  value.wait(old, std::memory_order_acquire);
}

} // namespace

Instance::Instance(std::shared_ptr<const Program> program, const InstanceOptions &options)
    : program_(std::move(program)), options(options) {}

Status Instance::create(std::shared_ptr<const Program> program, const InstanceOptions &options,
                        std::unique_ptr<Instance> &instance) {
  std::unique_ptr<Instance> created(new Instance(std::move(program), options));
  try {
    if (Status status = created->setUp(); !status.ok())
      return status;
  } catch (const std::exception &exception) { // no thread, no memory
    return Status::device(std::string("cannot create an instance: ") + exception.what());
  }
  instance = std::move(created);
  return Status::success();
}

Status Instance::setUp() {
  double begin = now();
  auto rankCount = static_cast<uint32_t>(program_->ranks.size());
  world = makeThreadWorld(rankCount);
  for (uint32_t rank = 0; rank < rankCount; ++rank) {
    std::unique_ptr<Device> device;
    if (Status status = makeDevice(options.device, options.deviceOptions, device); !status.ok())
      return status;
    threaded = device->executes();
    ranks.push_back(std::make_unique<RankRunner>(*program_, rank, std::move(device), world->communicator(rank)));
  }
  if (threaded)
    if (Status status = checkFits(); !status.ok())
      return status;
  for (uint32_t rank = 0; threaded && rank < rankCount; ++rank)
    threads.emplace_back([this, rank] { threadMain(rank); });
  Status status = runOnAllRanks([this](RankRunner &runner) { return runner.setUp(options.baseDirectory); });
  setUpSeconds = now() - begin;
  return status;
}

Status Instance::checkFits() const {
  uint64_t needed = 0, available = availableMemory();
  for (const RankDef &rank : program_->ranks)
    for (uint64_t bytes : rank.arenaBytes)
      needed += bytes;
  if (needed <= available)
    return Status::success();
  return Status::doesNotFit("the program's " + std::to_string(program_->ranks.size()) + " ranks need " +
                            std::to_string(needed) + " bytes on this machine, which has " + std::to_string(available) +
                            ": compile for more machines or a smaller model");
}

Instance::~Instance() {
  stopping = true;
  jobNumber.fetch_add(1, std::memory_order_release);
  jobNumber.notify_all();
  for (std::thread &thread : threads)
    thread.join();
}

void Instance::pin(uint32_t rank) const {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  if (!options.pinThreads || ranks.size() < 2 || ::sched_getaffinity(0, sizeof(allowed), &allowed) != 0 ||
      ranks.size() > static_cast<size_t>(CPU_COUNT(&allowed)))
    return;
  for (int core = 0, left = static_cast<int>(rank); core < CPU_SETSIZE; ++core)
    if (CPU_ISSET(core, &allowed) && left-- == 0) {
      cpu_set_t one;
      CPU_ZERO(&one);
      CPU_SET(core, &one);
      ::sched_setaffinity(0, sizeof(one), &one);
      return;
    }
}

void Instance::threadMain(uint32_t rank) {
  pin(rank);
  for (uint32_t seen = 0;; ++seen) {
    waitWhile(jobNumber, seen);
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

Status Instance::run(std::span<const void *const> inputs, std::span<void *const> outputs) {
  if (threaded) {
    auto check = [](const char *what, size_t given, const std::vector<IoDef> &expected, auto &&isNull) -> Status {
      if (given != expected.size())
        return Status::invalid(std::to_string(given) + " " + what + "s, the program has " +
                               std::to_string(expected.size()));
      for (size_t i = 0; i < given; ++i)
        if (isNull(i) && expected[i].bytes > 0)
          return Status::invalid(std::string(what) + " '" + expected[i].name + "' is a null pointer");
      return Status::success();
    };
    if (Status status = check("input", inputs.size(), program_->inputs, [&](size_t i) { return !inputs[i]; });
        !status.ok())
      return status;
    if (Status status = check("output", outputs.size(), program_->outputs, [&](size_t i) { return !outputs[i]; });
        !status.ok())
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
  InstanceStats stats{
      .steps = steps, .setUpSeconds = setUpSeconds, .lastStepSeconds = lastStepSeconds, .totalSeconds = totalSeconds};
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
