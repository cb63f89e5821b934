//===- Commands.h - The commands of `llmpar-plan` ---------------*- C++ -*-===//
#ifndef LLMPAR_TOOLS_PLAN_COMMANDS_H
#define LLMPAR_TOOLS_PLAN_COMMANDS_H

#include "../ExitCode.h"
#include "llmpar/Planner/PlanProblem.h"
#include "llvm/Support/Error.h"

namespace llmpar::tool {

struct Options {
  std::vector<std::string> files; ///< problems; for verify a problem and a plan; - is standard input
  std::string output;             ///< of solve and enumerate
  double timeLimitSeconds = 60;   ///< for each file, reading included
  double gapLimit = 0;            ///< a fraction
  bool json = false;
};

int solveCommand(const Options &options);
int enumerateCommand(const Options &options);
int verifyCommand(const Options &options);
int showCommand(const Options &options);

/// Reads a problem; errors begin with the file's name.
llvm::Expected<PlanProblem> loadProblem(llvm::StringRef path);

/// Prints an error (as JSON too, if asked for) and returns `code`.
int reportError(const Options &options, int code, llvm::StringRef message);

} // namespace llmpar::tool

#endif // LLMPAR_TOOLS_PLAN_COMMANDS_H
