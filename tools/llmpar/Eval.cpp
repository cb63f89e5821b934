//===- Eval.cpp - llmpar eval -----------------------------------------------===//
#include "Evaluator.h"

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
                                   " samples, and none of them to evaluate: give more tokens, or another --split");
  return parts;
}

bool evaluate(const Options &options, std::vector<Part> &parts, Failure &failure) {
  if (options.data.empty())
    return failure.set(
        Usage, "what should it predict? add --data tokens.bin (`llmpar data text.txt -o tokens.bin` makes one)");
  if (llvm::StringRef(options.model).ends_with(".llmpar"))
    return failure.set(Usage, "eval takes an .onnx model: a program has no loss");
  if (options.device == "trace")
    return failure.set(Usage, "--device=trace computes nothing to evaluate");
  if (options.evalIters < 0)
    return failure.set(Usage, "--eval-iters is at least 0");
  llvm::Expected<TokenFile> tokens = TokenFile::open(options.data);
  if (!tokens)
    return failure.set(Usage, llvm::toString(tokens.takeError()));
  std::optional<Checkpoint> checkpoint;
  if (!options.load.empty()) {
    llvm::Expected<Checkpoint> opened = Checkpoint::open(options.load);
    if (!opened)
      return failure.set(CompileError, llvm::toString(opened.takeError()));
    checkpoint = std::move(*opened);
  }
  Given given;
  Evaluator evaluator;
  if (!readInputs(options, given, failure) || !evaluator.open(options, given, *tokens, failure) ||
      (checkpoint && !evaluator.takeWeights(*checkpoint, failure)))
    return false;
  llvm::Expected<std::vector<Part>> found = partsOf(options, tokens->samples(evaluator.length()));
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
      llvm::outs() << llvm::formatv(
          "{0,-10}  {1} samples, {2} tokens   loss {3:f4}   perplexity {4:f4}   accuracy {5:P2}\n", part.name,
          e.samples, e.tokens, e.loss, e.perplexity(), e.accuracy);
  }
  if (options.json)
    llvm::outs() << llvm::formatv("{0:2}", llvm::json::Value(std::move(report))) << "\n";
  return Ok;
}

} // namespace llmpar::tool
