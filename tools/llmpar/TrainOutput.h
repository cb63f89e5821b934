//===- TrainOutput.h - Where trained weights go ------------------*- C++ -*-===//
#ifndef LLMPAR_TOOLS_TRAINOUTPUT_H
#define LLMPAR_TOOLS_TRAINOUTPUT_H

#include "TrainingStates.h"

namespace llmpar::tool {

/// -o of train: an .npz with every state by name, or an .onnx, the model with the trained weights.
class TrainOutput {
public:
  TrainOutput(const Options &options, const Session &session) : options(options), session(session) {}

  bool isWanted() const { return !options.output.empty(); }
  /// What is wrong with the file's name, before anything is compiled.
  bool checkName(Failure &failure) const;
  /// What is wrong with the model for it, before anything is trained.
  bool check(const TrainingStates &states, Failure &failure) const;
  bool write(llvm::ArrayRef<rt::HostTensor> tensors, Failure &failure) const;

private:
  bool isModel() const { return llvm::StringRef(options.output).ends_with(".onnx"); }
  bool isParameter(const std::string &name) const;

  const Options &options;
  const Session &session;
};

} // namespace llmpar::tool

#endif // LLMPAR_TOOLS_TRAINOUTPUT_H
