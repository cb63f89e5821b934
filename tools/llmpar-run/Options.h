//===- Options.h - The command line of llmpar-run ---------------*- C++ -*-===//
#ifndef LLMPAR_TOOLS_RUN_OPTIONS_H
#define LLMPAR_TOOLS_RUN_OPTIONS_H

#include <string>
#include <vector>

namespace llmpar::run {

/// Exit codes; `--help` documents them.
enum Exit {
  exitOk = 0,
  exitInvalid = 1,
  exitUsage = 2,
  exitMismatch = 3,
  exitDoesNotFit = 4,
  exitDevice = 5,
  exitInternal = 70
};

struct Options {
  std::string program, device = "cpu", weights, data;
  std::vector<std::string> inputs, outputs, expected; ///< values of --input, --output, --expected-output
  double atol = 1e-5, rtol = 1e-4;
  long repeat = 1;
  bool profile = false, json = false, noPinning = false;
};

/// Fills `options`. Returns false if the process should end with `exitCode`: after --help (0) or an
/// error that was printed (2).
bool parseOptions(int argc, char **argv, Options &options, int &exitCode);

} // namespace llmpar::run

#endif // LLMPAR_TOOLS_RUN_OPTIONS_H
