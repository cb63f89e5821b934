//===- Evaluator.cpp - Loss and accuracy on samples -------------------------===//
#include "Evaluator.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/FormatVariadic.h"

namespace llmpar::tool {

llvm::json::Object toJson(const Evaluation &e) {
  auto number = [](double x) { return std::isfinite(x) ? llvm::json::Value(x) : llvm::json::Value(nullptr); };
  llvm::json::Object object{
      {"samples", e.samples}, {e.ofTokens ? "tokens" : "labels", e.labels}, {"loss", number(e.loss)}};
  if (e.accuracy) {
    object["perplexity"] = number(e.perplexity());
    object["accuracy"] = number(*e.accuracy);
  }
  return object;
}

std::string describe(const Evaluation &e) {
  std::string text = llvm::formatv("loss {0:f4}", e.loss).str();
  if (e.accuracy)
    text += llvm::formatv("   perplexity {0:f4}   accuracy {1:P2}", e.perplexity(), *e.accuracy).str();
  return text;
}

bool Evaluator::open(const Options &options, const Given &given, const Samples &samples, Failure &failure) {
  Method method{.mesh = options.mesh, .layout = options.layout, .missing = rt::Missing::StaysNull};
  method.evaluation.emplace();
  method.evaluation->logits = options.logits;
  method.evaluation->loss = options.loss;
  return session.open(options, given, method, failure) && inputs.find(session, samples, failure);
}

bool Evaluator::takeWeights(const Session &from, Failure &failure) {
  TrainingStates states(session), trained(from);
  if (llvm::Error error = states.copyFrom(
          trained.types(), [&](size_t index, llvm::MutableArrayRef<char> bytes) { return trained.read(index, bytes); }))
    return failure.set(DeviceFailure, llvm::toString(std::move(error)));
  return true;
}

bool Evaluator::takeWeights(const Checkpoint &from, Failure &failure) {
  TrainingStates states(session);
  llvm::Error error = states.copyFrom(from.manifest().states, [&](size_t index, llvm::MutableArrayRef<char> bytes) {
    from.read(index, bytes);
    return llvm::Error::success();
  });
  return !error || failure.set(Usage, from.folder() + ": " + llvm::toString(std::move(error)));
}

bool Evaluator::run(SampleRange range, int64_t batches, Evaluation &result, Failure &failure) {
  double loss = 0, count = 0;
  std::optional<double> hits;
  int64_t end = batches > 0 ? std::min(range.end, range.begin + batches * rows()) : range.end;
  for (int64_t begin = range.begin; begin < end; begin += rows()) {
    inputs.put(inputs.read(llvm::map_to_vector(llvm::seq(begin, begin + rows()),
                                               [&](int64_t sample) { return sample < end ? sample : -1; })));
    if (!session.step(failure))
      return false;
    for (const rt::HostTensor &output : session.outputs()) {
      double &sum = output.name == "loss" ? loss : output.name == "hits" ? (hits ? *hits : hits.emplace(0)) : count;
      sum += output.as<float>()[0];
    }
  }
  result = {.samples = end - range.begin,
            .labels = std::llround(count),
            .ofTokens = inputs.areTokens(),
            .loss = loss / count};
  if (hits)
    result.accuracy = *hits / count;
  return true;
}

} // namespace llmpar::tool
