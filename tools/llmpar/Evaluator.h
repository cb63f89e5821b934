//===- Evaluator.h - Loss and accuracy on samples ---------------*- C++ -*-===//
#ifndef LLMPAR_TOOLS_EVALUATOR_H
#define LLMPAR_TOOLS_EVALUATOR_H

#include "SampleInputs.h"
#include "TrainingStates.h"
#include "llmpar/Data/SampleOrder.h"
#include <cmath>

namespace llmpar::tool {

/// Means over the labels of some samples.
struct Evaluation {
  int64_t samples = 0, labels = 0; ///< labels that count
  bool ofTokens = false;           ///< labels are next tokens
  double loss = 0;
  std::optional<double> accuracy = std::nullopt; ///< of cross-entropy: how often the label has the largest logit
  double perplexity() const { return std::exp(loss); }
};

/// samples, tokens or labels, loss; of cross-entropy perplexity and accuracy. Null for what is not finite.
llvm::json::Object toJson(const Evaluation &evaluation);
/// "loss 2.3026   perplexity 10.0000   accuracy 12.50%"
std::string describe(const Evaluation &evaluation);

/// The model as a step of evaluation on the mesh and under the layout of the options, with weights of its own.
class Evaluator {
public:
  bool open(const Options &options, const Given &given, const Samples &samples, Failure &failure);

  int64_t rows() const { return inputs.rows(); }
  int64_t length() const { return inputs.length(); }

  /// The weights of a training run, or of a checkpoint; those that are not trained stay the model's.
  bool takeWeights(const Session &from, Failure &failure);
  bool takeWeights(const Checkpoint &from, Failure &failure);

  /// The samples of a range, in order; at most `batches` batches if that is above 0.
  bool run(SampleRange range, int64_t batches, Evaluation &result, Failure &failure);

private:
  Session session;
  SampleInputs inputs;
};

} // namespace llmpar::tool

#endif // LLMPAR_TOOLS_EVALUATOR_H
