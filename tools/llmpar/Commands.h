//===- Commands.h - The commands of `llmpar` and their options --*- C++ -*-===//
#ifndef LLMPAR_TOOLS_COMMANDS_H
#define LLMPAR_TOOLS_COMMANDS_H

#include "../ExitCode.h"
#include <string>
#include <vector>

namespace llmpar::tool {

template <typename T> using List = std::vector<T>;
template <typename T> using Value = T;

/// One field per line of Driver/Options.def; defaults are set in llmpar.cpp.
struct Options {
  std::string model;
  std::string other; ///< second plan of `llmpar diff`, name of `llmpar cluster show`; the first word is `model`
#define LLMPAR_OPTION(kind, type, field, flag, commands, value, help) kind<type> field{};
#include "llmpar/Driver/Options.def"
};

// Each returns the exit code.
int compileCommand(const Options &options);
int runCommand(const Options &options);
int verifyCommand(const Options &options);
int benchCommand(const Options &options);
int inspectCommand(const Options &options);
int planCommand(const Options &options);
int compareCommand(const Options &options);
int exportCommand(const Options &options);
int diffCommand(const Options &options);
int clusterCommand(const Options &options);
int trainCommand(const Options &options);
int evalCommand(const Options &options);
int dataCommand(const Options &options);

} // namespace llmpar::tool

#endif // LLMPAR_TOOLS_COMMANDS_H
