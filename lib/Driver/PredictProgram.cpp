//===- PredictProgram.cpp - What a step of a program will cost --------------===//
#include "llmpar/Driver/PredictProgram.h"

#include "llmpar/Cost/CollectiveCost.h"
#include "llmpar/Cost/OpCost.h"
#include "llmpar/Dialect/Llmpar.h"
#include "llvm/Support/FormatVariadic.h"
#include <map>

using namespace mlir;

namespace llmpar {
namespace {

std::optional<CollectiveKind> collectiveOf(StringRef kernel) {
  if (kernel == "all_reduce")
    return CollectiveKind::AllReduce;
  if (kernel == "reduce_scatter")
    return CollectiveKind::ReduceScatter;
  if (kernel == "all_gather")
    return CollectiveKind::AllGather;
  if (kernel == "all_to_all" || kernel == "dispatch" || kernel == "combine")
    return CollectiveKind::AllToAll;
  return std::nullopt;
}

double bytesOf(exec::BufferAttr buffer) {
  return static_cast<double>(buffer.getType().getNumElements() * ((buffer.getType().getElementTypeBitWidth() + 7) / 8));
}

/// What decides the class of an elementwise kernel: its first attribute.
StringRef kindName(exec::KernelOp record) {
  if (!record.getInts() || record.getInts()->empty())
    return "";
  int64_t kind = record.getInts()->front();
  return record.getKernel() == "unary" ? unaryName(kind) : record.getKernel() == "binary" ? binaryName(kind) : "";
}

class Predictor {
public:
  Predictor(exec::ProgramOp program, const Cluster &cluster, int64_t ranks)
      : program(program), cluster(whenBusy(cluster, ranks)), overlaps(overlapsCommunication(cluster, ranks)) {}

  llvm::Expected<ProgramPrediction> run() {
    StepModel model;
    for (auto rank : program.getBody().getOps<exec::RankOp>())
      addRank(rank, model);
    llvm::Expected<StepTime> step = simulateStep(model);
    if (!step)
      return step.takeError();
    result.step = std::move(*step);
    Seconds overhead = cluster.stepSeconds(static_cast<int64_t>(model.ranks.size()));
    result.step.seconds += overhead;
    for (RankTime &rank : result.step.ranks)
      rank.idle += overhead;
    if (result.step.seconds > 0)
      result.utilisation = atPeak / (result.step.seconds * static_cast<double>(model.ranks.size()));
    return std::move(result);
  }

private:
  exec::ProgramOp program;
  Cluster cluster;
  bool overlaps; ///< lanes run at the same time
  ProgramPrediction result;
  double mostSent = -1;
  Seconds atPeak = 0; ///< of all ranks, if every FLOP ran at the peak of its type

  /// The axis whose groups these ranks are.
  std::string axisOf(ArrayRef<int64_t> members) {
    int64_t stride = 1;
    ArrayRef<int64_t> sizes = program.getSizes();
    for (size_t axis = sizes.size(); axis-- > 0; stride *= sizes[axis])
      if (members.size() == static_cast<size_t>(sizes[axis]) && (members.size() < 2 || members[1] - members[0] == stride))
        return cast<StringAttr>(program.getAxes()[axis]).str();
    return "?";
  }

  Seconds collectiveSeconds(exec::KernelOp record, CollectiveKind kind) {
    ArrayRef<int64_t> members = *record.getGroup();
    auto buffers = kind == CollectiveKind::AllGather ? record.getOutputs() : record.getInputs();
    Bytes bytes = bytesOf(cast<exec::BufferAttr>(buffers[0]));
    auto ranks = static_cast<double>(members.size());
    if (record.getKernel() != "all_to_all" && kind == CollectiveKind::AllToAll) // of tokens: what is sent is not a shape's
      bytes = ranks > 1 ? static_cast<double>(record.getBytes().value_or(0)) * ranks / (ranks - 1) : 0;
    GroupShape group{static_cast<int64_t>(members.size()), members.size() > 1 ? members[1] - members[0] : 1};
    return collectiveTime(cluster, kind, bytes, group).seconds;
  }

  PredictedRecord kernelTime(exec::KernelOp record, const DeviceSpec &device) {
    SmallVector<Shape> inputs, outputs;
    KernelCall call{.kernel = record.getKernel(), .kind = kindName(record)};
    for (auto buffer : record.getInputs().getAsRange<exec::BufferAttr>()) {
      inputs.emplace_back(buffer.getType().getShape());
      call.inputBytes += bytesOf(buffer);
    }
    for (auto buffer : record.getOutputs().getAsRange<exec::BufferAttr>()) {
      outputs.emplace_back(buffer.getType().getShape());
      call.outputBytes += bytesOf(buffer);
    }
    call.inputs = inputs;
    call.outputs = outputs;
    auto first = cast<exec::BufferAttr>((inputs.empty() ? record.getOutputs() : record.getInputs())[0]);
    call.type = exec::elementDType(first.getType().getElementType()).value_or(DType::F32);
    call.flops = static_cast<double>(record.getFlops().value_or(0));
    if (record.getKernel() == "matmul") {
      call.transposesLeft = record.getInts() && record.getInts()->front() != 0;
      call.rightIsWeight = cast<exec::BufferAttr>(record.getInputs()[1]).getArena() != exec::Arena::Activations;
    }
    if (double peak = peakFlops(device, call.type); peak > 0)
      atPeak += call.flops / peak;
    OpWork work = workOf(call);
    return {work.measured, opTime(device, work)};
  }

  void addRank(exec::RankOp rank, StepModel &model) {
    std::vector<StepRecord> &records = model.ranks.emplace_back();
    std::vector<PredictedRecord> &predicted = result.records.emplace_back();
    std::map<std::pair<std::string, std::string>, CollectiveTraffic> traffic;
    const DeviceSpec &device = cluster.device(rank.getRank());
    double sent = 0;
    for (auto main : rank.getBody().getOps<exec::MainOp>())
      for (auto record : main.getBody().getOps<exec::KernelOp>()) {
        StepRecord out;
        if (std::optional<Lane> lane = exec::laneNamed(record.getLane().value_or("compute")); lane && overlaps)
          out.lane = static_cast<int>(*lane);
        if (record.getWaits())
          out.waits.assign(record.getWaits()->begin(), record.getWaits()->end());
        std::optional<CollectiveKind> kind = collectiveOf(record.getKernel());
        if (kind && record.getGroup()) {
          out.members.assign(record.getGroup()->begin(), record.getGroup()->end());
          double every = static_cast<double>(record.getEvery().value_or(1)); // a step's share
          out.seconds = collectiveSeconds(record, *kind) / every;
          predicted.push_back({record.getKernel().str(), out.seconds});
          CollectiveTraffic &entry = traffic[{record.getKernel().str(), axisOf(*record.getGroup())}];
          double bytes = static_cast<double>(record.getBytes().value_or(0)) / every;
          entry.calls += 1;
          entry.bytes += bytes;
          entry.seconds += out.seconds;
          sent += bytes;
        } else {
          predicted.push_back(kernelTime(record, device));
          out.seconds = predicted.back().seconds;
          result.flops += static_cast<double>(record.getFlops().value_or(0));
        }
        records.push_back(std::move(out));
      }
    if (sent > mostSent) {
      mostSent = sent;
      result.traffic.clear();
      for (auto &[key, entry] : traffic) {
        entry.collective = key.first;
        entry.axis = key.second;
        result.traffic.push_back(entry);
      }
    }
    MemoryByKind memory;
    memory.weights = rank.getArenas()[0];
    memory.activations = rank.getArenas()[1];
    memory.workspace = rank.getArenas()[2];
    result.totalBytes += memory.total();
    if (memory.total() > result.memory.total())
      result.memory = memory;
    result.fits &= memory.total() <= device.memoryBytes;
  }
};

} // namespace

llvm::Expected<ProgramPrediction> predictProgram(exec::ProgramOp program, const Cluster &cluster) {
  int64_t ranks = llvm::range_size(program.getBody().getOps<exec::RankOp>());
  if (ranks > cluster.ranks())
    return llvm::createStringError(llvm::formatv("the program has {0} ranks, but cluster '{1}' has {2} devices: choose a larger cluster",
                                                 ranks, cluster.name, cluster.ranks()).str());
  return Predictor(program, cluster, ranks).run();
}

} // namespace llmpar
