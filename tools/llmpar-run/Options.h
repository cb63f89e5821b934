//===- Options.h - The command line of llmpar-run ---------------*- C++ -*-===//
#ifndef LLMPAR_TOOLS_RUN_OPTIONS_H
#define LLMPAR_TOOLS_RUN_OPTIONS_H

#include "core/Instance.h"
#include "core/TensorArguments.h"

namespace llmpar::run {

struct Options {
  std::string program, device = "cpu", weights, data;
  std::vector<std::string> inputs, outputs, expected; ///< values of --input, --output, --expected-output
  rt::Tolerance tolerance;
  rt::LaneMode lanes = rt::LaneMode::Auto;
  long repeat = 1;
  bool profile = false, json = false, noPinning = false;
};

/// Fills `options`. Returns false if the process should end with `exitCode`: after --help (Ok) or an
/// error that was printed (Usage).
bool parseOptions(int argc, char **argv, Options &options, int &exitCode);

} // namespace llmpar::run

#endif // LLMPAR_TOOLS_RUN_OPTIONS_H
