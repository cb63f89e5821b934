//===- SampleInputs.h - The inputs of a step that samples fill --*- C++ -*-===//
//
//   SampleInputs inputs;
//   if (!inputs.find(session, samples, failure)) return false;
//   inputs.put(inputs.read({4, 0, 7, -1}));   // samples of a batch of four; the last row does not count
//
//===----------------------------------------------------------------------===//
#ifndef LLMPAR_TOOLS_SAMPLEINPUTS_H
#define LLMPAR_TOOLS_SAMPLEINPUTS_H

#include "Samples.h"
#include "Session.h"

namespace llmpar::tool {

class SampleInputs {
public:
  /// Arrays go to the inputs of their names. Tokens go to the only integer input of the labels' shape, of several to
  /// those called `input_ids` and the like. Of what is left positions count from 0, masks are ones and token types 0;
  /// what else a model takes must be given, or be empty.
  bool find(const Session &session, const Samples &samples, Failure &failure);

  /// Of an input that has the rows of a batch.
  const std::string &name() const { return columns.front().to->name; }
  int64_t rows() const { return labels->shape[0]; }
  /// Labels of a sample: its tokens.
  int64_t length() const { return labels->elements() / std::max<int64_t>(rows(), 1); }
  bool areTokens() const { return samples->tokens(); }
  /// What a step is counted in, and how many of them it has: tokens, or samples of arrays.
  llvm::StringRef unit() const { return areTokens() ? "tokens" : "samples"; }
  int64_t unitsOfStep() const { return areTokens() ? rows() * length() : rows(); }

  using Batch = std::vector<std::vector<std::byte>>; ///< by column
  /// One sample for each row; -1: labels that do not count. Any thread may call it.
  Batch read(llvm::ArrayRef<int64_t> samples) const;
  void put(const Batch &batch);

private:
  /// An input whose rows are of samples: of an array, or of tokens from an offset on.
  struct Column {
    rt::HostTensor *to;
    const rt::HostTensor *array; ///< null: tokens
    int64_t offset;              ///< of tokens: labels are those behind
  };
  const Samples *samples = nullptr;
  std::vector<Column> columns; ///< labels are the last
  rt::HostTensor *labels = nullptr;

  bool addArray(rt::HostTensor &input, const rt::HostTensor &array, Failure &failure);
  bool addTokens(llvm::ArrayRef<rt::HostTensor *> candidates, int64_t classes, Failure &failure);
  bool checkLabels(int64_t classes, Failure &failure) const;
  void readRow(const Column &column, int64_t sample, llvm::MutableArrayRef<std::byte> row) const;
};

} // namespace llmpar::tool

#endif // LLMPAR_TOOLS_SAMPLEINPUTS_H
