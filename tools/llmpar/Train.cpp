//===- Train.cpp - llmpar train ----------------------------------------------===//
#include "BatchQueue.h"
#include "RowGroups.h"
#include "TrainLog.h"
#include "TrainOptions.h"
#include "TrainOutput.h"

#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/Signals.h"
#include <atomic>
#include <chrono>

namespace llmpar::tool {
namespace {

using Clock = std::chrono::steady_clock;
double secondsSince(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

std::atomic<bool> interrupted{false};

class Trainer {
public:
  Trainer(const Options &options, Failure &failure)
      : options(options), failure(failure), output(options, session), log(options, failure) {}

  bool run() {
    if (!prepare())
      return false;
    llvm::sys::SetInterruptFunction([] { interrupted = true; }); // the step ends first; a second signal kills
    if (!train())
      return leaveWhatThereIs();
    if (!save() || !writeOutput())
      return false;
    return step == options.trainSteps ||
           failure.set(
               Interrupted,
               llvm::formatv("interrupted after step {0} of {1}{2}", step, options.trainSteps, whereToGoOn()).str());
  }

private:
  const Options &options;
  Failure &failure;
  Samples samples;
  Given given;
  Session session;
  SampleInputs inputs;
  std::optional<Evaluator> evaluator;
  std::optional<TrainingStates> states;
  std::optional<BatchQueue> batches;
  TrainOutput output;
  TrainLog log;
  std::vector<int64_t> groups; ///< of rows, SampleOrder's
  SampleRange training, validation;
  int64_t step = 0, lastSaved = -1;
  std::string lastCheckpoint; ///< its folder

  //===-- Before the first step ------------------------------------------------===//

  bool prepare() {
    if (std::string problem = problemWithTrainOptions(options); !problem.empty())
      return failure.set(Usage, problem);
    llvm::Expected<Samples> opened = Samples::open(options.data);
    if (!opened)
      return failure.set(Usage, llvm::toString(opened.takeError()));
    samples = std::move(*opened);
    std::optional<Checkpoint> checkpoint;
    Method method{.mesh = options.mesh, .layout = options.layout, .missing = rt::Missing::StaysNull};
    method.training = trainingOptions(options, options.layout);
    if (!output.checkName(failure) || !openCheckpoint(checkpoint) || !readInputs(options, given, failure) ||
        !session.open(options, given, method, failure) || !inputs.find(session, samples, failure) || !splitData())
      return false;
    states.emplace(session);
    int64_t position = 0;
    if (!output.check(*states, failure) || !openEvaluator() || (checkpoint && !resume(*checkpoint, position)) ||
        !log.open(session, step, inputs.unit(), inputs.unitsOfStep()))
      return false;
    batches.emplace(inputs, SampleOrder(training, groups, static_cast<uint64_t>(options.seed)), position);
    return true;
  }

  bool openCheckpoint(std::optional<Checkpoint> &checkpoint) {
    bool isOwn = options.load == options.save; // one command line for the first start and for every other
    if (options.load.empty() && !options.save.empty() && hasCheckpoints(options.save))
      return failure.set(Usage, options.save + " has checkpoints of another run: go on with --load " + options.save +
                                    ", or give --save another folder");
    if (options.load.empty() || (isOwn && !hasCheckpoints(options.load)))
      return true;
    llvm::Expected<Checkpoint> opened = Checkpoint::open(options.load);
    if (!opened)
      return failure.set(CompileError, llvm::toString(opened.takeError()));
    checkpoint = std::move(*opened);
    return true;
  }

  std::string split() const {
    return !options.split.empty() ? options.split : options.evalInterval > 0 ? "969,30,1" : "1";
  }

  bool splitData() {
    int64_t count = samples.size(inputs.length());
    auto ranges = splitSamples(split(), count);
    if (!ranges)
      return failure.set(Usage, "--split " + llvm::toString(ranges.takeError()));
    training = (*ranges)[0];
    validation = (*ranges)[1];
    if (training.size() < inputs.rows())
      return failure.set(Usage, llvm::formatv("{0} has {1} for training: a step takes {2}", options.data,
                                              samples.describe(training.size(), inputs.length()), inputs.rows())
                                    .str());
    if (options.evalInterval > 0 && validation.size() == 0)
      return failure.set(Usage, llvm::formatv("--split {0} leaves no sample of {1} for validation: give more, or "
                                              "another --split",
                                              split(), count)
                                    .str());
    llvm::Expected<std::vector<int64_t>> found = rowGroups(session, inputs.name(), options.dataSharding, inputs.rows());
    if (!found)
      return failure.set(Usage, llvm::toString(found.takeError()));
    groups = std::move(*found);
    return true;
  }

  bool openEvaluator() {
    return options.evalInterval == 0 || evaluator.emplace().open(options, given, samples, failure);
  }

  /// Which samples there are, and in which order: what must be the same for a run that goes on.
  llvm::json::Object describeData() const {
    llvm::json::Object data = samples.identity(inputs.length());
    if (!samples.tokens())
      data["loss"] = options.loss;
    data["split"] = split();
    data["seed"] = options.seed;
    data["data sharding"] = options.dataSharding;
    if (groups.size() > 1) // one group has an order of its own, whatever its rows
      data["rows of groups"] = llvm::json::Array(groups);
    return data;
  }

  bool resume(const Checkpoint &checkpoint, int64_t &position) {
    const Manifest &manifest = checkpoint.manifest();
    for (const auto &[key, here] : describeData())
      if (const llvm::json::Value *there = manifest.data.get(key); !there || *there != here)
        return failure.set(Usage,
                           llvm::formatv("{0}: {1} was {2}, and is {3} here: the samples would be others; to begin "
                                         "anew with its weights, write them with -o and train that model",
                                         checkpoint.folder(), llvm::StringRef(key), there ? *there : nullptr, here)
                               .str());
    if (manifest.step > options.trainSteps)
      return failure.set(
          Usage,
          llvm::formatv("{0} is behind --train-iters {1}: raise it", checkpoint.folder(), options.trainSteps).str());
    if (llvm::Error error = states->load(checkpoint))
      return failure.set(Usage, llvm::toString(std::move(error)));
    step = manifest.step;
    if (int64_t interval = synchronizationInterval(options); step % interval != 0)
      return failure.set(
          Usage, llvm::formatv(
                     "{0} is of step {1}, no multiple of the {2} steps between means of the replicas: choose another "
                     "--sync-interval or --save-interval",
                     checkpoint.folder(), step, interval)
                     .str());
    position = manifest.data.getInteger("position").value_or(0);
    if (options.load == options.save)
      lastSaved = step;
    lastCheckpoint = checkpoint.folder();
    llvm::errs() << "goes on behind step " << step << ": " << checkpoint.folder() << "\n";
    return true;
  }

  //===-- Steps ------------------------------------------------------------------===//

  bool train() {
    const int64_t interval = synchronizationInterval(options);
    while (step < options.trainSteps && !(interrupted && step % interval == 0)) {
      Clock::time_point begin = Clock::now();
      inputs.put(batches->next());
      if (!session.step(failure))
        return false;
      double seconds = secondsSince(begin);
      ++step;
      std::optional<Evaluation> evaluation;
      if (!evaluate(evaluation) || !log.add(step, session.outputs(), seconds, evaluation) ||
          (options.saveInterval > 0 && step % options.saveInterval == 0 && !save()))
        return false;
    }
    return true;
  }

  bool evaluate(std::optional<Evaluation> &result) {
    bool isDue = evaluator && (step % options.evalInterval == 0 || step == options.trainSteps);
    return !isDue || (evaluator->takeWeights(session, failure) &&
                      evaluator->run(validation, options.evalIters, result.emplace(), failure));
  }

  /// A checkpoint of this step, if there is none.
  bool save() {
    if (options.save.empty() || lastSaved == step)
      return true;
    Manifest manifest{.step = step, .data = describeData()};
    manifest.data["position"] = batches->position();
    llvm::Expected<std::string> folder =
        states->save(options.save, std::move(manifest), static_cast<size_t>(options.saveTotalLimit));
    if (!folder)
      return failure.set(DeviceFailure, "the checkpoint of step " + std::to_string(step) +
                                            " cannot be written: " + llvm::toString(folder.takeError()));
    lastCheckpoint = *folder;
    lastSaved = step;
    return true;
  }

  //===-- Behind the last one ----------------------------------------------------===//

  std::string whereToGoOn() const { return lastCheckpoint.empty() ? "" : "; to go on: --load " + lastCheckpoint; }

  bool writeOutput() {
    std::vector<rt::HostTensor> tensors;
    return !output.isWanted() || (states->read(tensors, failure) && output.write(tensors, failure));
  }

  /// After a failure: the last checkpoint stays, and -o gets the states as they are.
  bool leaveWhatThereIs() {
    failure.message += whereToGoOn();
    std::vector<rt::HostTensor> tensors;
    Failure later;
    if (!output.isWanted() || !states->read(tensors, later) || !output.write(tensors, later))
      return false;
    failure.message += "; " + options.output + " has the states as they are";
    if (size_t count = countNotFinite(tensors))
      failure.message += llvm::formatv(" ({0} of {1} are not finite)", count, tensors.size()).str();
    return false;
  }
};

} // namespace

int trainCommand(const Options &options) {
  Failure failure;
  return Trainer(options, failure).run() ? Ok : failure.report(options);
}

} // namespace llmpar::tool
