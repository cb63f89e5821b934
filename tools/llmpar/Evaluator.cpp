//===- Evaluator.cpp - Loss and accuracy on samples -------------------------===//
#include "Evaluator.h"

#include "llvm/ADT/STLExtras.h"

namespace llmpar::tool {

llvm::json::Object toJson(const Evaluation &e) {
  auto number = [](double x) { return std::isfinite(x) ? llvm::json::Value(x) : llvm::json::Value(nullptr); };
  return llvm::json::Object{{"samples", e.samples},
                            {"tokens", e.tokens},
                            {"loss", number(e.loss)},
                            {"perplexity", number(e.perplexity())},
                            {"accuracy", number(e.accuracy)}};
}

bool Evaluator::open(const Options &options, const Given &given, const TokenFile &tokens, Failure &failure) {
  Method method{.mesh = options.mesh, .layout = options.layout, .missing = rt::Missing::StaysNull};
  method.evaluation.emplace();
  method.evaluation->logits = options.logits;
  return session.open(options, given, method, failure) && inputs.find(session, tokens, failure);
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
  double loss = 0, hits = 0, count = 0;
  int64_t end = batches > 0 ? std::min(range.end, range.begin + batches * rows()) : range.end;
  for (int64_t begin = range.begin; begin < end; begin += rows()) {
    inputs.put(inputs.read(llvm::map_to_vector(llvm::seq(begin, begin + rows()),
                                               [&](int64_t sample) { return sample < end ? sample : -1; })));
    if (!session.step(failure))
      return false;
    for (const rt::HostTensor &output : session.outputs()) {
      double &sum = output.name == "loss" ? loss : output.name == "hits" ? hits : count;
      sum += output.as<float>()[0];
    }
  }
  result = {
      .samples = end - range.begin, .tokens = std::llround(count), .loss = loss / count, .accuracy = hits / count};
  return true;
}

} // namespace llmpar::tool
