//===- Eval.cpp - llmpar eval -----------------------------------------------===//
#include "Evaluator.h"
#include "TrainOptions.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/raw_ostream.h"
#include <cmath>

namespace llmpar::tool {
namespace {

struct Part {
  llvm::StringRef name;
  SampleRange range;
  Evaluation result{};
};

/// The whole file; of a split one its validation and test samples.
llvm::Expected<std::vector<Part>> partsOf(const Options &options, int64_t samples) {
  std::vector<Part> parts{{"all", {0, samples}}};
  if (!options.split.empty()) {
    auto split = splitSamples(options.split, samples);
    if (!split)
      return llvm::createStringError("--split " + llvm::toString(split.takeError()));
    parts = {{"validation", (*split)[1]}, {"test", (*split)[2]}};
  }
  llvm::erase_if(parts, [](const Part &part) { return part.range.size() == 0; });
  if (parts.empty())
    return llvm::createStringError(options.data + ": " + std::to_string(samples) +
                                   " samples, and none of them to evaluate: give more, or another --split");
  return parts;
}

bool evaluate(const Options &options, std::vector<Part> &parts, Failure &failure) {
  if (options.data.empty())
    return failure.set(Usage, "what should it predict? add --data tokens.bin (`llmpar data text.txt -o tokens.bin` "
                              "makes one), or an .npz with arrays of the inputs and of 'labels'");
  if (llvm::StringRef(options.model).ends_with(".llmpar"))
    return failure.set(Usage, "eval takes an .onnx model: a program has no loss");
  if (options.device == "trace")
    return failure.set(Usage, "--device=trace computes nothing to evaluate");
  if (std::string problem = problemWithLoss(options); !problem.empty())
    return failure.set(Usage, problem);
  if (options.evalIters < 0)
    return failure.set(Usage, "--eval-iters is at least 0");
  llvm::Expected<Samples> samples = Samples::open(options.data);
  if (!samples)
    return failure.set(Usage, llvm::toString(samples.takeError()));
  std::optional<Checkpoint> checkpoint;
  if (!options.load.empty()) {
    llvm::Expected<Checkpoint> opened = Checkpoint::open(options.load);
    if (!opened)
      return failure.set(CompileError, llvm::toString(opened.takeError()));
    checkpoint = std::move(*opened);
  }
  Given given;
  Evaluator evaluator;
  if (!readInputs(options, given, failure) || !evaluator.open(options, given, *samples, failure) ||
      (checkpoint && !evaluator.takeWeights(*checkpoint, failure)))
    return false;
  llvm::Expected<std::vector<Part>> found = partsOf(options, samples->size(evaluator.length()));
  if (!found)
    return failure.set(Usage, llvm::toString(found.takeError()));
  parts = std::move(*found);
  return llvm::all_of(parts,
                      [&](Part &part) { return evaluator.run(part.range, options.evalIters, part.result, failure); });
}

} // namespace

int evalCommand(const Options &options) {
  Failure failure;
  std::vector<Part> parts;
  if (!evaluate(options, parts, failure))
    return failure.report(options);
  llvm::json::Object report{{"ok", true}};
  for (const Part &part : parts) {
    const Evaluation &e = part.result;
    if (options.json)
      report[part.name] = toJson(e);
    else
      llvm::outs() << llvm::formatv("{0,-10}  {1} samples, {2} {3}   {4}\n", part.name, e.samples, e.labels,
                                    e.ofTokens ? "tokens" : "labels", describe(e));
  }
  if (options.json)
    llvm::outs() << llvm::formatv("{0:2}", llvm::json::Value(std::move(report))) << "\n";
  return Ok;
}

} // namespace llmpar::tool
