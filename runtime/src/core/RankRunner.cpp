//===- RankRunner.cpp - One rank of an instance ----------------------------===//
#include "core/RankRunner.h"

#include "core/Box.h"
#include "core/KernelSignature.h"
#include "core/Memory.h"

#include <algorithm>
#include <chrono>
#include <exception>

namespace llmpar::rt {
namespace {

double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

/// One byte more than nothing: empty tensors have an address too.
size_t mappedBytes(uint64_t arenaBytes) { return std::max<uint64_t>(arenaBytes, 1); }

bool overlaps(const BufferRef &a, const BufferRef &b) {
  return a.arena == b.arena && a.offset < b.offset + b.view.bytes() && b.offset < a.offset + a.view.bytes();
}

/// No exception of a library leaves a rank's thread.
template <typename Body> Status guarded(Body &&body) {
  try {
    return body();
  } catch (const std::bad_alloc &) {
    return outOfMemory();
  } catch (const std::exception &exception) {
    return Status::device(exception.what());
  }
}

} // namespace

RankRunner::RankRunner(const Program &program, uint32_t rank, std::unique_ptr<Device> device,
                       Communicator &communicator, std::unique_ptr<LaneRunner> lanes)
    : program(program), def(program.ranks[rank]), rank(rank), device(std::move(device)), communicator(communicator),
      lanes(std::move(lanes)) {}

RankRunner::~RankRunner() {
  lanes.reset();
  main.clear(); // thunks before the memory that they point to
  for (size_t i = 0; i < arenas.size(); ++i)
    device->release(arenas[i], mappedBytes(def.arenaBytes[i]));
}

void *RankRunner::addressOf(const BufferRef &buffer) const {
  auto *base = static_cast<std::byte *>(arenas[static_cast<size_t>(buffer.arena)]);
  return base ? base + buffer.offset : nullptr;
}

Status RankRunner::prefixed(const Status &status, const Step &step) const {
  if (status.code() == Code::Aborted)
    return status;
  return status.prefixed(describeRecord(rank, step.bound.entry, step.bound.index, *step.bound.record) + ": ");
}

Status RankRunner::allocateArenas() {
  if (!device->executes())
    return Status::success();
  for (size_t i = 0; i < arenas.size(); ++i) {
    if (Status status = device->allocate(mappedBytes(def.arenaBytes[i]), arenas[i]); !status.ok())
      return Status::doesNotFit("rank " + std::to_string(rank) + ", " +
                                std::string(arenaName(static_cast<ArenaId>(i))) + " arena: " + status.message());
  }
  return Status::success();
}

Status RankRunner::setUp(const std::string &baseDirectory) {
  return guarded([&]() -> Status {
    if (Status status = allocateArenas(); !status.ok())
      return status;
    if (Status status = loadWeights(baseDirectory); !status.ok())
      return status;
    std::vector<Step> init;
    if (Status status = prepareEntry(Entry::Init, def.init, init); !status.ok())
      return status;
    if (Status status = runInOrder(init, false); !status.ok())
      return status;
    init.clear();
    if (Status status = prepareEntry(Entry::Main, def.main, main); !status.ok())
      return status;
    recordTimes.resize(main.size());
    loader.reset();
    releaseStaging();
    // Peers may still read a Staging operand of an init collective until they are here too.
    return device->executes() ? communicator.barrier() : Status::success();
  });
}

bool RankRunner::touchesOnlyMain(const BufferRef &buffer) const {
  auto touched = [&](const std::vector<BufferRef> &others) {
    return std::any_of(others.begin(), others.end(), [&](const BufferRef &other) { return overlaps(buffer, other); });
  };
  for (const RecordDef &record : def.init)
    if (touched(record.inputs) || touched(record.outputs))
      return false;
  for (const auto *slices : {&def.inputs, &def.outputs})
    for (const SliceDef &slice : *slices)
      if (overlaps(buffer, slice.buffer))
        return false;
  return std::none_of(def.main.begin(), def.main.end(),
                      [&](const RecordDef &record) { return touched(record.outputs); });
}

Status RankRunner::loadWeights(const std::string &baseDirectory) {
  if (!device->executes())
    return Status::success();
  loader = std::make_unique<WeightLoader>(program, def.loads, baseDirectory, *device,
                                          [this](const BufferRef &buffer) { return addressOf(buffer); });
  if (Status status = loader->open(); !status.ok())
    return status.prefixed("rank " + std::to_string(rank) + ": ");
  for (const LoadDef &load : def.loads) {
    if (load.target.arena == ArenaId::Staging && load.target.view.bytes() > 0 && touchesOnlyMain(load.target)) {
      staged[load.target.offset] = {&load};
      continue;
    }
    if (load.target.arena == ArenaId::Staging)
      stagingPeak = stagingNow += load.target.view.bytes();
    if (Status status = loader->load(load); !status.ok())
      return Status::invalid("rank " + std::to_string(rank) + ": " + status.message());
  }
  for (size_t i = 0; i < def.main.size(); ++i)
    for (const BufferRef &input : def.main[i].inputs)
      if (auto it = staged.find(input.offset); input.arena == ArenaId::Staging && it != staged.end())
        it->second.lastReader = i;
  return Status::success();
}

Status RankRunner::loadJustInTime(const Step &step) {
  for (const BufferRef &input : step.bound.record->inputs) {
    if (input.arena != ArenaId::Staging)
      continue;
    for (auto &[offset, weight] : staged) {
      if (weight.loaded || !overlaps(weight.load->target, input))
        continue;
      if (Status status = loader->load(*weight.load); !status.ok())
        return Status::invalid("rank " + std::to_string(rank) + ": " + status.message());
      weight.loaded = true;
      stagingPeak = std::max(stagingPeak, stagingNow += weight.load->target.view.bytes());
    }
  }
  return Status::success();
}

void RankRunner::discardPacked(const Step &step) {
  const std::vector<bool> &released = step.prepared.releasedInputs;
  for (size_t k = 0; k < released.size(); ++k) {
    const BufferRef &input = step.bound.record->inputs[k];
    auto it = staged.find(input.offset);
    if (!released[k] || input.arena != ArenaId::Staging || it == staged.end() ||
        it->second.lastReader != step.bound.index || input.view.bytes() != it->second.load->target.view.bytes())
      continue;
    device->discard(step.inputs[k].data, input.view.bytes());
    stagingNow -= input.view.bytes();
  }
}

Status RankRunner::prepareEntry(Entry entry, const std::vector<RecordDef> &records, std::vector<Step> &steps) {
  steps.resize(records.size());
  for (size_t i = 0; i < records.size(); ++i) {
    Step &step = steps[i];
    auto bind = [&](const std::vector<BufferRef> &buffers, std::vector<TensorView> &views) {
      for (const BufferRef &buffer : buffers)
        views.emplace_back(buffer.view).data = addressOf(buffer);
    };
    bind(records[i].inputs, step.inputs);
    bind(records[i].outputs, step.outputs);
    step.bound = {.record = &records[i],
                  .call = {step.inputs, step.outputs, records[i].ints, records[i].floats},
                  .rank = rank,
                  .entry = entry,
                  .index = i,
                  .constantInputs = std::vector<bool>(step.inputs.size())};
  }
  if (entry == Entry::Main)
    findConstantInputs(steps);
  for (Step &step : steps)
    if (Status status = guarded([&] { return prepareRecord(step); }); !status.ok())
      return prefixed(status, step);
  return Status::success();
}

void RankRunner::findConstantInputs(std::vector<Step> &steps) const {
  std::vector<BufferRef> written; // of the arenas that are constant by convention: usually none
  auto add = [&](const BufferRef &buffer) {
    if (buffer.arena != ArenaId::Activations)
      written.push_back(buffer);
  };
  for (const RecordDef &record : def.main)
    for (const BufferRef &buffer : record.outputs)
      add(buffer);
  for (const SliceDef &slice : def.inputs)
    add(slice.buffer);
  for (const SliceDef &slice : def.states) // writeStates may change those that no step does
    add(slice.buffer);
  for (Step &step : steps)
    for (size_t k = 0; k < step.inputs.size(); ++k) {
      const BufferRef &input = step.bound.record->inputs[k];
      bool constant = input.arena != ArenaId::Activations;
      for (const BufferRef &buffer : written)
        constant &= !overlaps(input, buffer);
      step.bound.constantInputs[k] = constant;
    }
}

Status RankRunner::prepareRecord(Step &step) {
  const RecordDef &record = *step.bound.record;
  if (step.bound.entry == Entry::Main)
    if (Status status = loadJustInTime(step); !status.ok())
      return status;
  if (!isCollective(record.kernel)) {
    Status status = device->prepare(step.bound, step.prepared);
    if (status.ok() && step.bound.entry == Entry::Main)
      discardPacked(step);
    return status;
  }
  CollectiveCall call{.kernel = record.kernel,
                      .group = record.group,
                      .x = step.inputs[0],
                      .y = step.outputs[0],
                      .routing = step.inputs.size() > 1 ? step.inputs[1] : TensorView{},
                      .ints = record.ints};
  if (step.bound.entry == Entry::Main)
    bytesSent += collectiveBytesSent(call, rank) / record.every; // a step's share
  return device->executes() ? communicator.prepare(call, step.prepared.thunk)
                            : device->prepare(step.bound, step.prepared);
}

void RankRunner::releaseStaging() {
  auto inStaging = [](const BufferRef &buffer) { return buffer.arena == ArenaId::Staging; };
  bool needed = false;
  for (const Step &step : main) {
    const std::vector<bool> &released = step.prepared.releasedInputs;
    for (size_t k = 0; k < step.inputs.size(); ++k)
      needed |= inStaging(step.bound.record->inputs[k]) && !(k < released.size() && released[k]);
    for (const BufferRef &buffer : step.bound.record->outputs)
      needed |= inStaging(buffer);
  }
  for (const auto *slices : {&def.inputs, &def.outputs})
    for (const SliceDef &slice : *slices)
      needed |= inStaging(slice.buffer);
  if (needed || !device->executes())
    return;
  void *&staging = arenas[static_cast<size_t>(ArenaId::Staging)];
  device->release(staging, mappedBytes(def.arenaBytes[static_cast<size_t>(ArenaId::Staging)]));
  staging = nullptr;
}

Status RankRunner::runRecord(Step &step, bool profile) {
  if ((stepsRun + 1) % step.bound.record->every != 0)
    return Status::success();
  double begin = profile ? now() : 0;
  if (Status status = guarded([&] { return step.prepared.thunk->run(); }); !status.ok())
    return prefixed(status, step);
  if (profile) {
    RecordTime &time = recordTimes[step.bound.index];
    time.calls += 1;
    time.seconds += now() - begin;
  }
  return Status::success();
}

Status RankRunner::runInOrder(std::vector<Step> &steps, bool profile) {
  for (Step &step : steps)
    if (Status status = runRecord(step, profile); !status.ok())
      return status;
  return Status::success();
}

Status RankRunner::runMain(bool profile) {
  Status status = lanes ? runLanes(profile) : runInOrder(main, profile);
  ++stepsRun;
  return status;
}

Status RankRunner::runLanes(bool profile) {
  return lanes->run([&](size_t index) {
    Status status = runRecord(main[index], profile);
    if (!status.ok() && status.code() != Code::Aborted)
      communicator.abort(status); // now: this rank's other lane may wait inside of a collective
    return status;
  });
}

Status RankRunner::step(std::span<const void *const> inputs, std::span<void *const> outputs, bool profile) {
  if (!device->executes())
    return runMain(profile);
  if (Status status = copyIn(def.inputs, program.inputs, inputs); !status.ok())
    return status;
  if (Status status = runMain(profile); !status.ok())
    return status;
  // An output array may be an input array too: nobody writes before all have read.
  if (Status status = communicator.barrier(); !status.ok())
    return status;
  return copyOut(def.outputs, program.outputs, outputs);
}

Status RankRunner::copyIn(const std::vector<SliceDef> &slices, const std::vector<IoDef> &ios,
                          std::span<const void *const> arrays) {
  for (const SliceDef &slice : slices) {
    const IoDef &io = ios[slice.io];
    auto *target = static_cast<std::byte *>(addressOf(slice.buffer));
    const auto *source = static_cast<const std::byte *>(arrays[slice.io]);
    if (!source)
      continue;
    Status status = forEachRun(io.shape, slice.starts, slice.buffer.view.shape(), dtypeSize(io.dtype),
                               [&](size_t offset, size_t bytes) {
                                 Status written = device->write(target, source + offset, bytes);
                                 target += bytes;
                                 return written;
                               });
    if (!status.ok())
      return status;
  }
  return Status::success();
}

Status RankRunner::copyOut(const std::vector<SliceDef> &slices, const std::vector<IoDef> &ios,
                           std::span<void *const> arrays) {
  for (const SliceDef &slice : slices) {
    const IoDef &io = ios[slice.io];
    const auto *source = static_cast<const std::byte *>(addressOf(slice.buffer));
    auto *target = static_cast<std::byte *>(arrays[slice.io]);
    if (!target)
      continue;
    Status status = forEachRun(io.shape, slice.starts, slice.buffer.view.shape(), dtypeSize(io.dtype),
                               [&](size_t offset, size_t bytes) {
                                 Status read = device->read(target + offset, source, bytes);
                                 source += bytes;
                                 return read;
                               });
    if (!status.ok())
      return status;
  }
  return Status::success();
}

Status RankRunner::readStatePart(size_t index, void *data) {
  const BufferRef &buffer = def.states[index].buffer;
  return device->read(data, addressOf(buffer), buffer.view.bytes());
}

} // namespace llmpar::rt
