//===- TokenInputs.h - The inputs of a step that tokens fill ----*- C++ -*-===//
//
//   TokenInputs inputs;
//   if (!inputs.find(session, tokens, failure)) return false;
//   inputs.put(inputs.read({4, 0, 7, -1}));   // samples of a batch of four; the last row does not count
//
//===----------------------------------------------------------------------===//
#ifndef LLMPAR_TOOLS_TOKENINPUTS_H
#define LLMPAR_TOOLS_TOKENINPUTS_H

#include "Session.h"
#include "llmpar/Data/TokenFile.h"

namespace llmpar::tool {

class TokenInputs {
public:
  /// The tokens go to the only i64 input of the labels' shape, of several to those called `input_ids` and the like;
  /// positions count from 0; masks are ones. What else a model takes must be given, or be empty.
  bool find(const Session &session, const TokenFile &tokens, Failure &failure);

  const std::string &name() const { return ids.front()->name; }
  int64_t rows() const { return labels->shape[0]; }
  int64_t length() const { return labels->shape[1]; }

  struct Batch {
    std::vector<int64_t> ids, labels;
  };
  /// One sample for each row; -1: labels that do not count. Any thread may call it.
  Batch read(llvm::ArrayRef<int64_t> samples) const;
  void put(const Batch &batch);

private:
  const TokenFile *tokens = nullptr;
  std::vector<rt::HostTensor *> ids;
  rt::HostTensor *labels = nullptr;
};

} // namespace llmpar::tool

#endif // LLMPAR_TOOLS_TOKENINPUTS_H
