//===- Train.cpp - llmpar train, data ----------------------------------------===//
#include "Session.h"
#include "TokenData.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"
#include <chrono>
#include <cmath>

namespace llmpar::tool {

int dataCommand(const Options &options) {
  Failure failure;
  auto text = llvm::MemoryBuffer::getFile(options.model, /*IsText=*/false, /*RequiresNullTerminator=*/false);
  if (!text)
    failure.set(Usage, options.model + ": " + text.getError().message());
  else if (options.output.empty())
    failure.set(Usage, "where should the tokens go? add -o tokens.bin");
  else if (llvm::Error error = TokenFile::writeBytes(options.output, (*text)->getBuffer()))
    failure.set(Usage, llvm::toString(std::move(error)));
  if (failure.code != Ok)
    return failure.report(options);
  if (options.json)
    print(rt::JsonObject().add("ok", true).add("tokens", (*text)->getBufferSize()).add("file", options.output));
  else
    llvm::outs() << (*text)->getBufferSize() << " tokens of 1 byte: " << options.output << "\n";
  return Ok;
}

namespace {

using Clock = std::chrono::steady_clock;
double secondsSince(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

class Trainer {
public:
  Trainer(const Options &options, Failure &failure) : options(options), failure(failure), order(0, 1, 0) {}

  bool run() {
    Given given;
    if (options.data.empty())
      return failure.set(
          Usage, "what should it learn? add --data tokens.bin (`llmpar data text.txt -o tokens.bin` makes one)");
    if (options.zero < 0 || options.zero > 2)
      return failure.set(Usage, "--zero is 0, 1 or 2 (gradients and optimizer states; 1 and 2 are the same here): "
                                "weights stay whole between steps");
    if (std::string problem = problemWithOptions(); !problem.empty())
      return failure.set(Usage, problem);
    llvm::Expected<TokenFile> opened = TokenFile::open(options.data);
    if (!opened)
      return failure.set(Usage, llvm::toString(opened.takeError()));
    tokens = std::move(*opened);
    Method method{.mesh = options.mesh, .layout = options.layout, .missing = rt::Missing::StaysNull};
    method.training = trainingOptions();
    method.shardOptimizer = options.zero > 0;
    if (!failure.check(options.output.empty() ? rt::Status() : rt::checkWritable(options.output, 2)) ||
        !readInputs(options, given, failure) || !session.open(options, given, method, failure) || !findInputs() ||
        !openLog())
      return false;
    for (int64_t step = 0; step < options.trainSteps; ++step) {
      Clock::time_point begin = Clock::now();
      fillBatch(step * batch);
      if (!session.step(failure) || !report(step, secondsSince(begin)))
        return false;
    }
    return writeStates();
  }

private:
  const Options &options;
  Failure &failure;

  /// What is wrong with the numbers of the command line; "" if nothing.
  std::string problemWithOptions() const {
    auto isShare = [](double x) { return x >= 0 && x < 1; };
    llvm::StringRef folder = llvm::sys::path::parent_path(options.output);
    if (llvm::StringRef(options.model).ends_with(".llmpar"))
      return "train takes an .onnx model: a program has no gradients";
    if (!options.planFile.empty())
      return "--plan replays a plan of inference: choose a --layout";
    if (options.device == "trace")
      return "--device=trace computes nothing to learn from";
    if (options.trainSteps < 1 || options.logInterval < 1)
      return "--train-iters and --log-interval are at least 1";
    if (options.schedule != "constant" && options.warmup >= options.trainSteps)
      return "--lr-warmup-iters " + std::to_string(options.warmup) + " leaves no steps of --train-iters " +
             std::to_string(options.trainSteps) + " to decay in: raise --train-iters";
    if (options.warmup < 0 || !(options.rate >= 0) || !(options.clip >= 0) || !(options.weightDecay >= 0))
      return "--lr, --lr-warmup-iters, --clip-grad and --weight-decay are numbers of at least 0";
    if (!(options.minRate >= 0 && options.minRate <= options.rate))
      return "--min-lr lies between 0 and --lr";
    if (!isShare(options.beta1) || !isShare(options.beta2) || !isShare(options.momentum) ||
        !isShare(options.labelSmoothing))
      return "--adam-beta1, --adam-beta2, --sgd-momentum and --label-smoothing are at least 0 and below 1";
    if (!folder.empty() && !llvm::sys::fs::is_directory(folder))
      return options.output + ": there is no folder '" + folder.str() + "'";
    return "";
  }

  TokenFile tokens;
  Session session;
  SampleOrder order;
  rt::HostTensor *ids = nullptr, *labels = nullptr;
  int64_t batch = 0, length = 0;
  double totalSeconds = 0; ///< without the first step
  std::unique_ptr<llvm::raw_fd_ostream> log;

  BuildTrainingStepOptions trainingOptions() const {
    BuildTrainingStepOptions training;
    training.logits = options.logits;
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
    training.labelSmoothing = options.labelSmoothing;
    training.frozen.assign(options.frozen.begin(), options.frozen.end());
    return training;
  }

  /// The tokens go to `input_ids`, else to the only i64 input of the labels' shape; positions count from 0; masks are
  /// ones. What else a model takes must be given, or be empty.
  bool findInputs() {
    labels = session.madeUp("labels");
    if (!labels || labels->shape.size() != 2)
      return failure.set(CompileError, "the logits are not [batch, sequence, classes]: name them with --logits");
    batch = labels->shape[0];
    length = labels->shape[1];
    std::vector<std::string> candidates;
    for (const rt::HostTensor *input : session.inputs()) {
      rt::HostTensor *own = session.madeUp(input->name);
      if (own && isFloat(own->dtype) && own->elements() > 0 && !llvm::StringRef(own->name).contains("mask"))
        return failure.set(Usage, "input '" + own->name + "' of type " + rt::describeTensor(*own) +
                                      " is not given: add --input=" + own->name + "=...");
      if (!own || own == labels || own->shape != labels->shape || own->dtype != DType::I64)
        continue;
      llvm::StringRef name = own->name;
      if (name.contains("position"))
        for (int64_t i = 0; i < own->elements(); ++i)
          own->as<int64_t>()[i] = i % length;
      else if (!name.contains("mask") && !name.contains("token_type")) {
        candidates.push_back(own->name);
        if (!ids || name == "input_ids")
          ids = own;
      } else if (name.contains("token_type"))
        std::fill(own->data.begin(), own->data.end(), std::byte(0));
    }
    if (candidates.size() > 1 && ids->name != "input_ids")
      return failure.set(Usage, "tokens could go to any of the inputs " + llvm::join(candidates, ", ") +
                                    ": give the others with --input");
    if (!ids)
      return failure.set(CompileError,
                         "no input of tokens: an i64 input of the labels' shape is needed, e.g. 'input_ids'");
    int64_t samples = (tokens.size() - 1) / length;
    if (samples < batch)
      return failure.set(Usage, options.data + " has " + std::to_string(tokens.size()) + " tokens: a step takes " +
                                    std::to_string(batch) + " samples of " + std::to_string(length));
    order = SampleOrder(0, samples, static_cast<uint64_t>(options.seed));
    return true;
  }

  void fillBatch(int64_t position) {
    for (int64_t row = 0; row < batch; ++row) {
      int64_t start = order.at(position + row) * length;
      for (int64_t i = 0; i < length; ++i) {
        ids->as<int64_t>()[row * length + i] = tokens[start + i];
        labels->as<int64_t>()[row * length + i] = tokens[start + i + 1];
      }
    }
  }

  bool openLog() {
    if (options.log.empty())
      return true;
    std::error_code code;
    log = std::make_unique<llvm::raw_fd_ostream>(options.log, code);
    return !code || failure.set(Usage, options.log + ": " + code.message());
  }

  bool report(int64_t step, double seconds) {
    llvm::json::Object line{{"step", step + 1}};
    double loss = 0;
    for (const rt::HostTensor &output : session.outputs()) { // the loss, and the norm if it is clipped
      double value = output.as<float>()[0];
      line[output.name] = std::isfinite(value) ? llvm::json::Value(value) : llvm::json::Value(nullptr);
      if (output.name == "loss")
        loss = value;
    }
    // The mean since the first step, which is slower: it touches memory for the first time.
    totalSeconds += step > 0 ? seconds : 0;
    double perStep = step > 0 ? totalSeconds / static_cast<double>(step) : seconds;
    double tokensPerSecond = static_cast<double>(batch * length) / perStep;
    line["seconds"] = seconds;
    line["tokens_per_second"] = tokensPerSecond;
    llvm::json::Value text(std::move(line));
    if (log) { // whole lines, however it ends
      *log << text << "\n";
      log->flush();
      if (std::error_code code = log->error()) {
        log->clear_error();
        return failure.set(Usage, options.log + ": " + code.message());
      }
    }
    bool isLast = step + 1 == options.trainSteps;
    if (!std::isfinite(loss))
      return failure.set(CompileError, "step " + std::to_string(step + 1) + ": the loss is " + std::to_string(loss) +
                                           ": lower --lr, or clip with --clip-grad 1");
    if (options.json) {
      if (isLast)
        llvm::outs() << llvm::formatv("{0:2}", text) << "\n";
      return true;
    }
    if (isLast || (step + 1) % options.logInterval == 0)
      llvm::outs() << llvm::format("step %6lld   loss %.4f   %.0f tokens/s\n", static_cast<long long>(step + 1), loss,
                                   tokensPerSecond);
    return true;
  }

  /// The trained weights, in the order of the program's states, as one .npz.
  bool writeStates() {
    if (options.output.empty())
      return true;
    const llmpar_rt_program *program = session.program();
    std::vector<rt::HostTensor> states;
    std::vector<void *> data;
    for (size_t i = 0, n = llmpar_rt_state_count(program); i < n; ++i) {
      llmpar_rt_tensor info;
      llmpar_rt_state(program, i, &info);
      rt::HostTensor &tensor = states.emplace_back(
          rt::HostTensor{info.name, static_cast<DType>(info.dtype_code), {info.shape, info.shape + info.rank}, {}});
      if (!failure.check(rt::allocateTensor(tensor)))
        return false;
    }
    for (rt::HostTensor &tensor : states)
      data.push_back(tensor.data.data());
    if (llmpar_rt_code code = llmpar_rt_read_states(session.instance(), data.data(), data.size()); code != LLMPAR_RT_OK)
      return failure.setRuntime(code);
    return failure.check(rt::writeTensors(options.output, states));
  }
};

} // namespace

int trainCommand(const Options &options) {
  Failure failure;
  return Trainer(options, failure).run() ? Ok : failure.report(options);
}

} // namespace llmpar::tool
