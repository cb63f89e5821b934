//===- ProbeProgram.cpp - Kernels timed as programs run them ----------------===//
#include "ProbeProgram.h"

#include "llmpar/Exec/ProgramFile.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/raw_ostream.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/Parser/Parser.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <utility>

namespace llmpar::tool {

static double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

double lowerDecile(std::vector<double> values) {
  size_t at = values.size() / 10;
  std::nth_element(values.begin(), values.begin() + static_cast<ptrdiff_t>(at), values.end());
  return values[at];
}

ProbeProgram::~ProbeProgram() {
  llmpar_rt_instance_destroy(instance);
  llmpar_rt_program_close(program);
}

int64_t ProbeProgram::bytesOf(const std::string &type) {
  llvm::SmallVector<llvm::StringRef> parts;
  llvm::StringRef(type).split(parts, 'x');
  int64_t bytes = 0;
  for (int i = 0; i < dtypeCount; ++i)
    if (dtypeName(static_cast<DType>(i)) == std::string_view(parts.back()))
      bytes = static_cast<int64_t>(dtypeSize(static_cast<DType>(i)));
  for (llvm::StringRef extent : llvm::drop_end(parts)) {
    int64_t size = 0;
    extent.getAsInteger(10, size);
    bytes *= size;
  }
  return bytes;
}

ProbeBuffer ProbeProgram::place(const char *arena, int64_t &end, const std::string &type) {
  ProbeBuffer buffer{arena, end, bytesOf(type), type};
  end += (buffer.bytes + 255) / 256 * 256;
  return buffer;
}

ProbeBuffer ProbeProgram::viewOf(ProbeBuffer buffer, const std::string &type) {
  buffer.type = type;
  buffer.bytes = bytesOf(type);
  return buffer;
}

ProbeBuffer ProbeProgram::filled(const std::string &type, int64_t start, int64_t step) {
  return fills.emplace_back(Filled{activation(type), start, step}).buffer;
}

void ProbeProgram::disturb() {
  for (ProbeBuffer &buffer : disturbing)
    if (buffer.bytes == 0)
      buffer = activation("65536xf32"); // 256 KiB on each side
  record({"reshape", {disturbing[0]}, {disturbing[1]}});
  auto part = [&](int i) { return viewOf(disturbing[i], "16x64xf32"); };
  record({"softmax", {part(0)}, {part(1)}, {1, 0}});
  record({"transpose", {part(0)}, {viewOf(disturbing[1], "64x16xf32")}, {1, 0}});
}

size_t ProbeProgram::record(ProbeRecord record) {
  records.push_back(std::move(record));
  return records.size() - 1;
}

std::string ProbeProgram::text() const {
  std::string text;
  llvm::raw_string_ostream os(text);
  auto list = [&](const auto &items, auto &&print) { llvm::interleaveComma(items, os, print); };
  auto buffer = [&](const ProbeBuffer &b) { os << b.arena << "+" << b.offset << " : tensor<" << b.type << ">"; };
  os << "llmpar_rt.program @main mesh [" << (ranks > 1 ? "\"x\" = " + std::to_string(ranks) : "")
     << "] model \"\" layout \"\" compiler \"\" {\n";
  for (int64_t rank = 0; rank < ranks; ++rank) {
    os << "llmpar_rt.rank " << rank << " arenas [0, " << activationBytes << ", " << weightBytes << "] {\n";
    // Pages that nobody wrote would all be the same one.
    int64_t floats = activationBytes / 4;
    os << "llmpar_rt.init {\nllmpar_rt.kernel \"iota\" ins() outs(activations+0 : tensor<" << floats
       << "xf32>) ints [0, 0, 0, 0] floats [-2.0, " << llvm::format("%.6e", 4.0 / static_cast<double>(floats)) << "]\n";
    for (const Filled &fill : fills) {
      os << "llmpar_rt.kernel \"iota\" ins() outs(";
      buffer(fill.buffer);
      os << ") ints [0, 0, " << fill.start << ", " << fill.step << "] floats [" << fill.start << ".0, " << fill.step << ".0]\n";
    }
    os << "}\nllmpar_rt.main {\n";
    for (const ProbeRecord &record : records) {
      os << "llmpar_rt.kernel \"" << record.kernel << "\" ins(";
      list(record.inputs, buffer);
      os << ") outs(";
      list(record.outputs, buffer);
      os << ")";
      if (!record.ints.empty()) {
        os << " ints [";
        list(record.ints, [&](int64_t value) { os << value; });
        os << "]";
      }
      if (!record.floats.empty()) {
        os << " floats [";
        list(record.floats, [&](double value) { os << llvm::format("%.6e", value); });
        os << "]";
      }
      if (record.groupSize > 0) {
        os << " group [";
        int64_t first = rank / record.groupSize * record.groupSize;
        list(llvm::seq(first, first + record.groupSize), [&](int64_t member) { os << member; });
        os << "]";
      }
      os << "\n";
    }
    os << "}\n}\n";
  }
  os << "}\n";
  return text;
}

bool ProbeProgram::open(Failure &failure) {
  if (instance)
    return true;
  addCanary();
  before.assign(static_cast<size_t>(ranks), std::vector<double>(records.size(), 0));
  mlir::MLIRContext context;
  prepareContext(context);
  mlir::OwningOpRef<mlir::ModuleOp> module = mlir::parseSourceString<mlir::ModuleOp>(text(), &context);
  if (!module)
    return failure.set(Internal, "the probe's program does not parse");
  exec::ProgramOp op = *module->getOps<exec::ProgramOp>().begin();
  llvm::Expected<std::vector<char>> bytes = exec::exportProgram(op);
  if (!bytes)
    return failure.set(Internal, llvm::toString(bytes.takeError()));
  if (llmpar_rt_code code = llmpar_rt_program_open_memory(bytes->data(), bytes->size(), &program); code != LLMPAR_RT_OK)
    return failure.setRuntime(code);
  llmpar_rt_options options{};
  options.device = "cpu";
  llmpar_rt_code code = llmpar_rt_instance_create(program, &options, &instance);
  return code == LLMPAR_RT_OK || failure.setRuntime(code);
}

bool ProbeProgram::step(Failure &failure) {
  llmpar_rt_code code = llmpar_rt_run(instance, nullptr, 0, nullptr, 0);
  return code == LLMPAR_RT_OK || failure.setRuntime(code);
}

double clockSeconds() {
  std::vector<double> pairs;
  for (int i = 0; i < 1000; ++i) {
    double first = now();
    pairs.push_back(now() - first);
  }
  return lowerDecile(pairs);
}

/// Hyper-threads and virtual machines share a core: for seconds at a time arithmetic is slower by almost half.
void ProbeProgram::addCanary() {
  ProbeBuffer x = activation("64x64xf32"), w = weight("64x64xf32"), y = activation("64x64xf32");
  record({"matmul", {x, w}, {y}, {0, 0}});
}

/// The least time of the canary so far, on this machine with so many ranks at once.
static double &leastCanary(int64_t ranks) {
  static std::map<int64_t, double> least;
  return least.try_emplace(ranks, 1.0).first->second;
}

/// Of the step that just ended.
ProbeProgram::Sample ProbeProgram::takeSample() {
  Sample sample{std::vector<double>(records.size(), 0), 0, 0};
  double longest = 0;
  for (int64_t rank = 0; rank < ranks; ++rank) {
    double sum = 0;
    for (size_t i = 0; i < records.size(); ++i) {
      llmpar_rt_profile_entry entry;
      llmpar_rt_profile(instance, static_cast<uint32_t>(rank), i, &entry);
      double seconds = entry.seconds - std::exchange(before[static_cast<size_t>(rank)][i], entry.seconds);
      sample.records[i] += seconds / static_cast<double>(ranks);
      sum += seconds;
      if (i + 1 == records.size())
        sample.canary = std::max(sample.canary, seconds);
    }
    longest = std::max(longest, sum);
  }
  llmpar_rt_stats stats{};
  llmpar_rt_get_stats(instance, &stats);
  sample.overhead = stats.last_step_seconds - longest;
  return sample;
}

bool ProbeProgram::timeRecords(Effort effort, Failure &failure) {
  if (!open(failure))
    return false;
  constexpr double patience = 1.5;
  double &least = leastCanary(ranks);
  std::vector<Sample> samples;
  llmpar_rt_set_profile(instance, 0);
  bool ok = step(failure);
  llmpar_rt_set_profile(instance, 1);
  auto isUndisturbed = [&](const Sample &sample) { return sample.canary <= tolerance * least; };
  double begin = now();
  for (int good = 0; ok;) {
    double spent = now() - begin;
    auto taken = static_cast<int>(samples.size());
    bool isEnough = good >= effort.most || (good >= effort.least && spent > effort.seconds);
    if (isEnough || (taken >= effort.least && spent > patience * effort.seconds))
      break;
    if ((ok = step(failure))) {
      samples.push_back(takeSample());
      if (samples.back().canary < least) {
        least = samples.back().canary;
        good = static_cast<int>(llvm::count_if(samples, isUndisturbed));
      } else {
        good += isUndisturbed(samples.back());
      }
    }
  }
  if (!ok)
    return false;
  if (llvm::count_if(samples, isUndisturbed) >= effort.least)
    llvm::erase_if(samples, [&](const Sample &sample) { return !isUndisturbed(sample); });
  auto values = [&](auto &&of) { return llvm::to_vector<0>(llvm::map_range(samples, of)); };
  double clock = clockSeconds();
  recordSeconds.clear();
  for (size_t i = 0; i < records.size(); ++i) {
    auto of = values([&](const Sample &sample) { return sample.records[i]; });
    recordSeconds.push_back(std::max(lowerDecile({of.begin(), of.end()}) - clock, 1e-9));
  }
  auto overheads = values([](const Sample &sample) { return sample.overhead; });
  llvm::sort(overheads);
  overhead = std::max(overheads[overheads.size() / 2], 1e-9);
  return true;
}

bool ProbeProgram::measureSlowdown(std::optional<double> expected, double &slowdown, Failure &failure) {
  if (!open(failure))
    return false;
  llmpar_rt_set_profile(instance, 1);
  double seconds = 1;
  for (int i = 0; i < 3; ++i) { // the first finds the caches full of something else
    if (!step(failure))
      return false;
    seconds = std::min(seconds, takeSample().canary);
  }
  double &least = leastCanary(ranks);
  least = std::min(least, seconds);
  slowdown = seconds / expected.value_or(least);
  return true;
}

} // namespace llmpar::tool
