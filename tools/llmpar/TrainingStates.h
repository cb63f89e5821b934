//===- TrainingStates.h - Weights and optimizer states of a session -*- C++ -*-===//
#ifndef LLMPAR_TOOLS_TRAININGSTATES_H
#define LLMPAR_TOOLS_TRAININGSTATES_H

#include "Session.h"
#include "llmpar/Data/Checkpoint.h"

namespace llmpar::tool {

class TrainingStates {
public:
  explicit TrainingStates(const Session &session);

  const std::vector<NamedType> &types() const { return states; }

  /// Writes a checkpoint below `root`, each rank its own parts, and deletes all but `keep` (0: none). `manifest` says
  /// all but states and files. Returns its folder.
  llvm::Expected<std::string> save(llvm::StringRef root, Manifest manifest, size_t keep) const;
  /// Takes the states of a checkpoint, whatever the layout that it was written under. Errors: a state is missing, is
  /// left over, or has another type.
  llvm::Error load(const Checkpoint &checkpoint) const;

  /// Takes those of other states that have a name of these. Errors: another type; none has such a name.
  llvm::Error copyFrom(llvm::ArrayRef<NamedType> others,
                       llvm::function_ref<llvm::Error(size_t, llvm::MutableArrayRef<char>)> read) const;

  /// One state, whole.
  llvm::Error read(size_t index, llvm::MutableArrayRef<char> bytes) const;
  /// All states, whole.
  bool read(std::vector<rt::HostTensor> &tensors, Failure &failure) const;

private:
  llvm::Error write(size_t index, llvm::ArrayRef<char> bytes) const;

  const Session &session;
  std::vector<NamedType> states;
};

/// How many of the tensors have an element that is not finite.
size_t countNotFinite(llvm::ArrayRef<rt::HostTensor> tensors);

} // namespace llmpar::tool

#endif // LLMPAR_TOOLS_TRAININGSTATES_H
