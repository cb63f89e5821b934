//===- Commands.h - The commands of `llmpar` and their options --*- C++ -*-===//
#ifndef LLMPAR_TOOLS_COMMANDS_H
#define LLMPAR_TOOLS_COMMANDS_H

#include <string>
#include <vector>

namespace llmpar::tool {

template <typename T> using List = std::vector<T>;
template <typename T> using Value = T;

/// One field per line of Driver/Options.def; defaults are set in llmpar.cpp.
struct Options {
  std::string model;
#define LLMPAR_OPTION(kind, type, field, flag, commands, value, help) kind<type> field{};
#include "llmpar/Driver/Options.def"
};

/// Exit codes of every tool (docs: README).
enum Exit : int { Ok = 0, CompileError = 1, Usage = 2, Mismatch = 3, DoesNotFit = 4, DeviceFailure = 5, Internal = 70 };

int compileCommand(const Options &options);
int runCommand(const Options &options);
int verifyCommand(const Options &options);
int benchCommand(const Options &options);
int inspectCommand(const Options &options);

} // namespace llmpar::tool

#endif // LLMPAR_TOOLS_COMMANDS_H
