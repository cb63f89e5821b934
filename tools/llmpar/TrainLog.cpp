//===- TrainLog.cpp - What a training run says of its steps -----------------===//
#include "TrainLog.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/MemoryBuffer.h"
#include <cmath>

namespace llmpar::tool {

bool TrainLog::open(const Session &session, int64_t done, llvm::StringRef unitName, int64_t units) {
  unit = unitName.str();
  unitsPerStep = static_cast<double>(units);
  flopsPerStep = session.summary().flops;
  if (const std::optional<Cluster> &cluster = session.cluster())
    for (int64_t rank = 0; rank < llmpar_rt_rank_count(session.program()); ++rank) {
      const std::map<DType, double> &peaks = cluster->device(rank).peakFlopsPerSecond;
      auto peak = peaks.find(options.bf16 ? DType::BF16 : options.fp16 ? DType::F16 : DType::F32);
      if (peak == peaks.end()) // a device that computes narrow types in f32
        peak = peaks.find(DType::F32);
      if (peak != peaks.end())
        peakFlopsPerSecond += peak->second;
    }
  if (!options.tensorboard.empty()) {
    llvm::Expected<EventFile> file = EventFile::create(options.tensorboard);
    if (!file)
      return failure.set(Usage, "--tensorboard: " + llvm::toString(file.takeError()));
    events = std::move(*file);
  }
  return options.log.empty() || openLines(done);
}

bool TrainLog::openLines(int64_t done) {
  std::string kept;
  if (auto old = llvm::MemoryBuffer::getFile(options.log); done > 0 && old)
    for (llvm::StringRef rest = (*old)->getBuffer(), line; !rest.empty();) {
      std::tie(line, rest) = rest.split('\n');
      llvm::Expected<llvm::json::Value> value = llvm::json::parse(line);
      if (!value)
        llvm::consumeError(value.takeError()); // the line that a crash cut off
      else if (const llvm::json::Object *object = value->getAsObject();
               object && object->getInteger("step").value_or(0) <= done)
        kept += line.str() + "\n";
    }
  std::error_code code;
  lines = std::make_unique<llvm::raw_fd_ostream>(options.log, code);
  if (code)
    return failure.set(Usage, options.log + ": " + code.message());
  *lines << kept;
  return true;
}

bool TrainLog::add(int64_t step, llvm::ArrayRef<rt::HostTensor> outputs, double seconds,
                   const std::optional<Evaluation> &validation) {
  auto number = [](double x) { return std::isfinite(x) ? llvm::json::Value(x) : llvm::json::Value(nullptr); };
  llvm::json::Object line{{"step", step}};
  std::vector<Scalar> scalars;
  double loss = 0, lossScale = 0;
  bool isSkipped = false;
  for (const rt::HostTensor &output : outputs) {
    double value = output.as<float>()[0];
    if (output.name == "skipped") {
      line["skipped"] = isSkipped = value != 0;
      continue;
    }
    line[output.name] = number(value);
    if (output.name == "loss_scale")
      lossScale = value;
    scalars.push_back({output.name == "loss" ? "loss/training" : output.name, value});
    if (output.name == "loss")
      loss = value;
  }
  double perStep = meanSeconds(seconds);
  line["seconds"] = seconds;
  line[unit + "_per_second"] = unitsPerStep / perStep;
  line["flops_per_second"] = flopsPerStep / perStep;
  if (peakFlopsPerSecond > 0)
    line["utilization"] = flopsPerStep / perStep / peakFlopsPerSecond;
  scalars.push_back({unit + "_per_second", unitsPerStep / perStep});
  if (validation) {
    line["validation"] = toJson(*validation);
    scalars.push_back({"loss/validation", validation->loss});
    if (validation->accuracy)
      scalars.push_back({"accuracy/validation", *validation->accuracy});
  }
  llvm::json::Value text(std::move(line));
  if (!writeLine(text) || !writeEvent(step, scalars))
    return false;
  if (isSkipped && lossScale <= options.minLossScale)
    return failure.set(CompileError, llvm::formatv("step {0}: gradients are not finite at the least loss scale, {1}: "
                                                   "lower --lr, clip with --clip-grad 1, or compute in --bf16",
                                                   step, lossScale)
                                         .str());
  if (!std::isfinite(loss) && !isSkipped)
    return failure.set(CompileError, "step " + std::to_string(step) + ": the loss is " + std::to_string(loss) +
                                         ": lower --lr, or clip with --clip-grad 1");
  bool isLast = step == options.trainSteps;
  if (isLast && options.json)
    llvm::outs() << llvm::formatv("{0:2}", text) << "\n";
  if (!options.json && isSkipped) {
    status.erase();
    llvm::outs() << llvm::formatv("step {0,6}   skipped: gradients overflow at loss scale {1}\n", step, lossScale);
  }
  if (!options.json && (isLast || validation || step % options.logInterval == 0))
    printLine(step, loss, perStep, validation);
  if (!isLast)
    showStatus(step, loss, perStep);
  return true;
}

bool TrainLog::writeLine(const llvm::json::Value &line) {
  if (!lines)
    return true;
  *lines << line << "\n"; // whole lines, however it ends
  lines->flush();
  std::error_code code = lines->error();
  lines->clear_error();
  return !code || failure.set(Usage, options.log + ": " + code.message());
}

bool TrainLog::writeEvent(int64_t step, llvm::ArrayRef<Scalar> scalars) {
  llvm::Error error = events ? events->add(step, scalars) : llvm::Error::success();
  return !error || failure.set(Usage, "--tensorboard: " + llvm::toString(std::move(error)));
}

/// Of a step, since the first one of this run, which is slower: it touches memory for the first time.
double TrainLog::meanSeconds(double seconds) {
  totalSeconds += steps > 0 ? seconds : 0;
  return ++steps > 1 ? totalSeconds / static_cast<double>(steps - 1) : seconds;
}

void TrainLog::printLine(int64_t step, double loss, double perStep, const std::optional<Evaluation> &validation) {
  status.erase();
  llvm::outs() << llvm::formatv("step {0,6}   loss {1:f4}   {2:f0} {3}/s", step, loss, unitsPerStep / perStep, unit);
  if (validation)
    llvm::outs() << "   validation: " << describe(*validation);
  llvm::outs() << "\n";
  llvm::outs().flush();
}

/// "step 12/500   loss 3.2104   5230 tokens/s   1.24 GFLOP/s (3.1 % of the peak)   0:12:33 left"
void TrainLog::showStatus(int64_t step, double loss, double perStep) {
  auto left = static_cast<int64_t>(static_cast<double>(options.trainSteps - step) * perStep);
  std::string use = peakFlopsPerSecond > 0
                        ? llvm::formatv(" ({0:P1} of the peak)", flopsPerStep / perStep / peakFlopsPerSecond).str()
                        : "";
  status.show(llvm::formatv("step {0}/{1}   loss {2:f4}   {3:f0} {4}/s   {5:f2} GFLOP/s{6}   {7}:{8,0+2}:{9,0+2} left",
                            step, options.trainSteps, loss, unitsPerStep / perStep, unit, flopsPerStep / perStep / 1e9,
                            use, left / 3600, left / 60 % 60, left % 60)
                  .str());
}

} // namespace llmpar::tool
