//===- TrainOptions.cpp - The options of llmpar train -----------------------===//
#include "TrainOptions.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/GlobPattern.h"
#include <cmath>

namespace llmpar::tool {

/// The first option given that only a training step has; "" if none. Its defaults are those of llmpar.cpp.
static llvm::StringRef stepOption(const Options &options) {
  if (options.optimizer != "adamw")
    return "--optimizer";
  if (options.clip != 0)
    return "--clip-grad";
  if (options.accumulation != 1)
    return "--gradient-accumulation-steps";
  if (options.syncInterval != 1)
    return "--sync-interval";
  if (options.staleness != 0)
    return "--staleness";
  if (!options.recompute.empty())
    return "--recompute";
  if (options.bf16)
    return "--bf16";
  if (options.fp16)
    return "--fp16";
  if (options.loss != "cross-entropy")
    return "--loss";
  if (!options.logits.empty())
    return "--logits";
  return options.frozen.empty() ? "" : "--freeze";
}

/// The first option given that only a loss scale has; "" if none.
static llvm::StringRef lossScaleOption(const Options &options) {
  if (options.lossScale != 65536)
    return "--initial-loss-scale";
  if (options.lossScaleWindow != 1000)
    return "--loss-scale-window";
  if (options.minLossScale != 1)
    return "--min-loss-scale";
  return options.hysteresis == 2 ? "" : "--hysteresis";
}

std::string problemOutsideTraining(const Options &options) {
  llvm::StringRef option = stepOption(options);
  return option.empty() ? "" : (option + " is of a training step: add --train").str();
}

std::string problemWithLoss(const Options &options) {
  return llvm::is_contained({"cross-entropy", "mse"}, options.loss)
             ? ""
             : "--loss '" + options.loss + "' is unknown: choose cross-entropy or mse";
}

std::string problemWithStepOptions(const Options &options) {
  if (llvm::StringRef(options.model).ends_with(".llmpar"))
    return "training takes an .onnx model: a program has no gradients";
  if (options.accumulation < 1)
    return "--gradient-accumulation-steps is at least 1";
  if (!llvm::is_contained({"", "none", "selective", "full", "auto"}, options.recompute))
    return "--recompute '" + options.recompute + "' is unknown: choose none, selective, full or auto";
  if (options.bf16 && options.fp16)
    return "--bf16 and --fp16: choose one";
  if (options.syncInterval < 1 || options.staleness < 0)
    return "--sync-interval is at least 1, --staleness at least 0";
  if (!(options.clip >= 0))
    return "--clip-grad is a number of at least 0";
  if (std::string problem = problemWithLoss(options); !problem.empty())
    return problem;
  if (!llvm::is_contained({"adamw", "adam", "sgd"}, options.optimizer))
    return "--optimizer '" + options.optimizer + "' is unknown: choose adamw, adam or sgd";
  for (const std::string &pattern : options.frozen)
    if (llvm::Expected<llvm::GlobPattern> glob = llvm::GlobPattern::create(pattern); !glob)
      return "--freeze '" + pattern + "': " + llvm::toString(glob.takeError());
  return "";
}

int64_t synchronizationInterval(const Options &options) {
  if (options.syncInterval > 1)
    return options.syncInterval;
  if (options.staleness == 0 || options.save.empty())
    return 1;
  return options.saveInterval > 0 ? options.saveInterval : options.trainSteps;
}

/// Between means, states are one replica's: what reads them does so behind a mean.
static std::string problemWithSynchronization(const Options &options) {
  if (options.syncInterval > 1 && options.staleness > 0)
    return "--sync-interval lets replicas take steps of their own, whose gradients --staleness has nothing to wait "
           "for: choose one";
  if (options.fp16 && (options.syncInterval > 1 || options.staleness > 0))
    return "--fp16 skips steps whose gradients overflow on some replica, of which the others know nothing with "
           "--sync-interval or "
           "--staleness: choose --bf16";
  int64_t interval = synchronizationInterval(options);
  for (auto [name, steps] :
       {std::pair("--train-iters", options.trainSteps), std::pair("--save-interval", options.saveInterval),
        std::pair("--eval-interval", options.syncInterval > 1 ? options.evalInterval : 0)})
    if (steps % interval != 0)
      return llvm::formatv("{0} {1} is no multiple of the {2} steps between means of the replicas ({3}): choose {4}",
                           name, steps, interval,
                           options.syncInterval > 1 ? "--sync-interval" : "--save-interval, with --staleness",
                           (steps / interval + 1) * interval)
          .str();
  return "";
}

std::string problemWithTrainOptions(const Options &options) {
  auto isShare = [](double x) { return x >= 0 && x < 1; };
  auto isPowerOfTwo = [](double x) {
    int exponent;
    return x > 0 && std::isfinite(x) && std::frexp(x, &exponent) == 0.5;
  };
  if (options.data.empty())
    return "what should it learn? add --data tokens.bin (`llmpar data text.txt -o tokens.bin` makes one), or an .npz "
           "with arrays of the inputs and of 'labels'";
  if (options.zero < 0 || options.zero > 3)
    return "--zero is 0, 1, 2 (optimizer states and gradients; 1 and 2 are the same here) or 3 (parameters too)";
  if (std::string problem = problemWithStepOptions(options); !problem.empty())
    return problem;
  if (!options.planFile.empty())
    return "--plan replays a plan of inference: choose a --layout";
  if (options.device == "trace")
    return "--device=trace computes nothing to learn from";
  if (options.trainSteps < 1 || options.logInterval < 1)
    return "--train-iters and --log-interval are at least 1";
  if (options.evalInterval < 0 || options.evalIters < 0)
    return "--eval-interval and --eval-iters are at least 0";
  if (options.evalIters > 0 && options.evalInterval == 0)
    return "--eval-iters is of evaluations while training: add --eval-interval";
  if (options.saveInterval < 0 || options.saveTotalLimit < 0)
    return "--save-interval and --save-total-limit are at least 0";
  if (options.save.empty() && (options.saveInterval > 0 || options.saveTotalLimit > 0))
    return "where should checkpoints go? add --save DIR";
  if (std::string problem = problemWithSynchronization(options); !problem.empty())
    return problem;
  if (options.schedule != "constant" && options.warmup >= options.trainSteps)
    return "--lr-warmup-iters " + std::to_string(options.warmup) + " leaves no steps of --train-iters " +
           std::to_string(options.trainSteps) + " to decay in: raise --train-iters";
  if (llvm::StringRef option = lossScaleOption(options); !options.fp16 && !option.empty())
    return (option + " is of a loss scale: add --fp16").str();
  if (!isPowerOfTwo(options.lossScale) || !isPowerOfTwo(options.minLossScale) ||
      options.lossScale < options.minLossScale)
    return "--initial-loss-scale and --min-loss-scale are powers of two, and the second is not above the first";
  if (options.lossScaleWindow < 1 || options.hysteresis < 1)
    return "--loss-scale-window and --hysteresis are at least 1";
  if (options.warmup < 0 || !(options.rate >= 0) || !(options.weightDecay >= 0))
    return "--lr, --lr-warmup-iters and --weight-decay are numbers of at least 0";
  if (!(options.minRate >= 0 && options.minRate <= options.rate))
    return "--min-lr lies between 0 and --lr";
  if (options.loss == "mse" && options.labelSmoothing != 0)
    return "--label-smoothing is of cross-entropy, not of --loss mse";
  if (!isShare(options.beta1) || !isShare(options.beta2) || !isShare(options.momentum) ||
      !isShare(options.labelSmoothing))
    return "--adam-beta1, --adam-beta2, --sgd-momentum and --label-smoothing are at least 0 and below 1";
  return "";
}

static BuildTrainingStepOptions stepOptions(const Options &options) {
  BuildTrainingStepOptions training;
  training.logits = options.logits;
  training.loss = options.loss;
  training.optimizer = options.optimizer;
  training.rate = options.rate;
  training.minRate = options.minRate;
  training.schedule = options.schedule;
  training.warmup = options.warmup;
  training.steps = options.trainSteps;
  training.beta1 = options.beta1;
  training.beta2 = options.beta2;
  training.epsilon = options.adamEpsilon;
  training.momentum = options.momentum;
  training.weightDecay = options.weightDecay;
  training.clip = options.clip;
  training.accumulation = options.accumulation;
  training.staleness = options.staleness;
  training.labelSmoothing = options.labelSmoothing;
  training.lossScale = options.fp16 ? options.lossScale : 0;
  training.lossScaleWindow = options.lossScaleWindow;
  training.minLossScale = options.minLossScale;
  training.hysteresis = options.hysteresis;
  training.frozen.assign(options.frozen.begin(), options.frozen.end());
  return training;
}

TrainingOptions trainingOptions(const Options &options, llvm::StringRef layout) {
  std::string recompute = !options.recompute.empty() ? options.recompute : layout == "auto" ? "auto" : "none";
  std::optional<int64_t> every;
  if (options.syncInterval > 1 || options.staleness > 0)
    every = synchronizationInterval(options) > 1 ? synchronizationInterval(options) : 0;
  return {.step = stepOptions(options), .recompute = recompute, .zeroStage = options.zero, .synchronizeEvery = every};
}

} // namespace llmpar::tool
