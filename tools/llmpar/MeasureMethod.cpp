//===- MeasureMethod.cpp - A compared method on this machine's devices --------===//
#include "Compare.h"
#include "ProbeProgram.h"
#include "core/Memory.h"
#include "llmpar/Cost/OpCost.h"

#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/FormatVariadic.h"

#include <chrono>
#include <thread>

namespace llmpar::tool {
namespace {

double medianOf(std::vector<double> values) {
  llvm::sort(values);
  return values[values.size() / 2];
}

/// Steps with a clock at every record: by kernel, the median over the steps.
bool profile(const Options &options, Session &session, const ProgramPrediction &predicted, Measured &measured, Failure &failure) {
  struct Kernel {
    KernelTime time;
    std::vector<double> samples;
  };
  llvm::MapVector<llvm::StringRef, Kernel> kernels;
  const double ranks = static_cast<double>(predicted.records.size());
  auto forEachRecord = [&](auto &&visit) {
    for (auto [rank, records] : llvm::enumerate(predicted.records))
      for (auto [index, record] : llvm::enumerate(records))
        visit(static_cast<uint32_t>(rank), index, record);
  };
  forEachRecord([&](uint32_t, size_t, const PredictedRecord &record) {
    KernelTime &time = kernels[record.kernel].time;
    time.kernel = record.kernel;
    time.calls += 1;
    time.predicted += record.seconds / ranks;
  });
  llmpar_rt_set_profile(session.instance(), 1);
  llvm::MapVector<llvm::StringRef, double> before; // the runtime reports sums over the steps
  for (int i = 0; i < options.repeat; ++i) {
    if (!session.step(failure))
      return false;
    llvm::MapVector<llvm::StringRef, double> sums;
    forEachRecord([&](uint32_t rank, size_t index, const PredictedRecord &record) {
      llmpar_rt_profile_entry entry;
      if (llmpar_rt_profile(session.instance(), rank, index, &entry) == LLMPAR_RT_OK)
        sums[record.kernel] += entry.seconds;
    });
    for (auto &[name, kernel] : kernels)
      kernel.samples.push_back((sums[name] - before[name]) / ranks);
    before = std::move(sums);
  }
  double clock = clockSeconds();
  for (auto &[name, kernel] : kernels) {
    kernel.time.measured = std::max(medianOf(kernel.samples) - static_cast<double>(kernel.time.calls) / ranks * clock, 1e-9);
    measured.kernels.push_back(kernel.time);
  }
  llvm::sort(measured.kernels, [](const KernelTime &a, const KernelTime &b) { return a.measured > b.measured; });
  return true;
}

} // namespace

bool MeasuredMethod::open(const Options &options, const Given &given, const Samples *samples, Failure &failure) {
  Method running = method;
  running.missing = rt::Missing::StaysNull;
  session = std::make_unique<Session>();
  if (!session->open(options, given, running, failure))
    return false;
  if (!samples)
    return true;
  inputs = std::make_unique<SampleInputs>();
  if (!inputs->find(*session, *samples, failure))
    return false;
  SampleRange all{0, samples->size(inputs->length())};
  if (all.size() < inputs->rows())
    return failure.set(Usage, llvm::formatv("{0} has {1}: a step takes {2}", options.data, samples->describe(all.size(), inputs->length()),
                                            inputs->rows()).str());
  batches = std::make_unique<BatchQueue>(*inputs, SampleOrder(all, {inputs->rows()}, 0), 0);
  return true;
}

bool MeasuredMethod::step(Failure &failure) {
  if (batches)
    inputs->put(batches->next());
  return session->step(failure);
}

namespace {

/// Hyper-threads and virtual machines share cores, for seconds at a time: turns wait for them.
class Turns {
public:
  Turns(const Options &options, const Cluster &cluster) : canary(cluster.ranks()) {
    count = std::min(options.repeat, 5);
    steps = (options.repeat + count - 1) / count;
    const DeviceSpec &device = cluster.devices.front().device;
    double flops = ProbeProgram::canaryFlops, peak = peakFlops(device, DType::F32);
    if (!device.kernels.empty() && peak > 0) // measured here
      expected = flops / (peak * device.matmulEfficiency.at(flops));
  }

  int count;

  bool take(MeasuredMethod &at, Failure &failure) {
    double before = 1, after = 1;
    std::vector<double> seconds;
    if (!awaitQuiet(before, failure))
      return false;
    for (int i = 0; i <= steps; ++i) { // the first one warms the caches, which another method may have used
      if (!at.step(failure))
        return false;
      if (i > 0)
        seconds.push_back(at.session->stats().last_step_seconds);
    }
    if (!canary.measureSlowdown(expected, after, failure))
      return false;
    at.turns.push_back({(before + after) / 2, std::move(seconds)});
    return true;
  }

private:
  ProbeProgram canary;
  int steps;
  std::optional<double> expected;
  double patience = 1; ///< seconds that all turns together may wait

  bool awaitQuiet(double &slowdown, Failure &failure) {
    using Clock = std::chrono::steady_clock;
    while (true) {
      if (!canary.measureSlowdown(expected, slowdown, failure))
        return false;
      if (slowdown <= ProbeProgram::tolerance || patience <= 0)
        return true;
      Clock::time_point begin = Clock::now();
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
      patience -= std::chrono::duration<double>(Clock::now() - begin).count();
    }
  }
};

} // namespace

static bool finish(const Options &options, MeasuredMethod &at, Failure &failure) {
  llmpar_rt_stats stats = at.session->stats();
  auto isQuiet = [](const MeasuredMethod::Turn &turn) { return turn.slowdown <= ProbeProgram::tolerance; };
  if (llvm::any_of(at.turns, isQuiet))
    llvm::erase_if(at.turns, [&](const MeasuredMethod::Turn &turn) { return !isQuiet(turn); });
  std::vector<double> seconds, slowdowns;
  for (const MeasuredMethod::Turn &turn : at.turns) {
    llvm::append_range(seconds, turn.seconds);
    slowdowns.push_back(turn.slowdown);
  }
  at.row->measured = Measured{.seconds = medianOf(std::move(seconds)),
                              .slowdown = medianOf(std::move(slowdowns)),
                              .bytesSent = static_cast<double>(stats.bytes_sent_per_step),
                              .heldBytes = static_cast<int64_t>(stats.resident_bytes),
                              .loss = std::nullopt,
                              .kernels = {}};
  if (at.batches)
    for (const rt::HostTensor &output : at.session->outputs())
      if (output.name == "loss")
        at.row->measured->loss = output.as<float>()[0];
  bool ok = !options.profile || profile(options, *at.session, at.row->predicted, *at.row->measured, failure);
  at.batches.reset(); // it reads for the inputs, which lie in the session
  at.inputs.reset();
  at.session.reset();
  return ok;
}

bool measureMethods(const Options &options, const Given &given, const Cluster &cluster, const Samples *samples,
                    llvm::MutableArrayRef<MeasuredMethod> methods, Failure &failure) {
  int64_t bytes = 0;
  for (const MeasuredMethod &at : methods)
    bytes += at.row->predicted.totalBytes;
  bool together = static_cast<uint64_t>(bytes) <= rt::availableMemory() / 2;
  Turns turns(options, cluster);
  for (MeasuredMethod &at : methods) {
    if (!at.open(options, given, samples, failure) || !at.step(failure)) // the first one touches its memory
      return false;
    for (int turn = 0; !together && turn < turns.count; ++turn)
      if (!turns.take(at, failure))
        return false;
    if (!together && !finish(options, at, failure))
      return false;
  }
  for (int turn = 0; together && turn < turns.count; ++turn)
    for (MeasuredMethod &at : methods)
      if (!turns.take(at, failure))
        return false;
  return !together || llvm::all_of(methods, [&](MeasuredMethod &at) { return finish(options, at, failure); });
}

} // namespace llmpar::tool
