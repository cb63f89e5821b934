//===- TrainLog.h - What a training run says of its steps -------*- C++ -*-===//
#ifndef LLMPAR_TOOLS_TRAINLOG_H
#define LLMPAR_TOOLS_TRAINLOG_H

#include "Evaluator.h"
#include "llmpar/Data/EventFile.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/raw_ostream.h"

namespace llmpar::tool {

/// A line of JSON in --log and an event in --tensorboard for every step, now and then a line on standard output, and a
/// line that changes in place if standard error is a terminal.
class TrainLog {
public:
  TrainLog(const Options &options, Failure &failure) : options(options), failure(failure) {}

  /// A run that goes on keeps the lines of the `done` steps before it. Steps are counted in `unit`.
  bool open(const Session &session, int64_t done, llvm::StringRef unit, int64_t unitsPerStep);
  /// A step's outputs (the loss, and the norm of the gradient if it is clipped), and what an evaluation behind it
  /// found.
  bool add(int64_t step, llvm::ArrayRef<rt::HostTensor> outputs, double seconds,
           const std::optional<Evaluation> &validation);

private:
  bool openLines(int64_t done);
  bool writeLine(const llvm::json::Value &line);
  bool writeEvent(int64_t step, llvm::ArrayRef<Scalar> scalars);
  double meanSeconds(double seconds);
  void showStatus(int64_t step, double loss, double secondsPerStep);
  void printLine(int64_t step, double loss, double secondsPerStep, const std::optional<Evaluation> &validation);

  const Options &options;
  Failure &failure;
  int64_t steps = 0;       ///< of this run
  double totalSeconds = 0; ///< without the first step
  std::string unit; ///< "tokens"
  double unitsPerStep = 0, flopsPerStep = 0;
  double peakFlopsPerSecond = 0; ///< of all devices; 0: not known
  std::unique_ptr<llvm::raw_fd_ostream> lines;
  std::optional<EventFile> events;
  StatusLine status;
};

} // namespace llmpar::tool

#endif // LLMPAR_TOOLS_TRAINLOG_H
