//===- CommandLine.h - Tools with one subcommand per task -------*- C++ -*-===//
//
//   struct Command { llvm::cl::SubCommand &sub; ... };
//   const Command *command = parseCommandLine<Command>(commands, category, argc, argv, overview);
//   if (!command) return Usage;
//
//===----------------------------------------------------------------------===//
#ifndef LLMPAR_TOOLS_COMMANDLINE_H
#define LLMPAR_TOOLS_COMMANDLINE_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/raw_ostream.h"

namespace llmpar::tool {

/// "solve, verify or show"
template <typename Command> std::string commandNames(llvm::ArrayRef<Command> commands) {
  std::string names;
  for (const Command &command : commands)
    names += (names.empty() ? "" : &command == &commands.back() ? " or " : ", ") + command.sub.getName().str();
  return names;
}

/// The command that was named; null: none, or an option is wrong, and the message is printed. `category` holds the
/// tool's own options, which are all that help shows.
template <typename Command>
const Command *parseCommandLine(llvm::ArrayRef<Command> commands, llvm::cl::OptionCategory &category, int argc,
                                const char *const *argv, llvm::StringRef overview) {
  llvm::cl::HideUnrelatedOptions(category); // libLLVM brings hundreds
  for (const Command &command : commands)
    llvm::cl::HideUnrelatedOptions(category, command.sub);
  std::string errors;
  llvm::raw_string_ostream os(errors);
  if (!llvm::cl::ParseCommandLineOptions(argc, argv, overview, &os)) {
    llvm::errs() << errors;
    return nullptr;
  }
  for (const Command &command : commands)
    if (command.sub)
      return &command;
  llvm::StringRef path = argv[0];
  llvm::errs() << "error: which command? " << commandNames(commands) << "; see " << path.substr(path.rfind('/') + 1) << " --help\n";
  return nullptr;
}

} // namespace llmpar::tool

#endif // LLMPAR_TOOLS_COMMANDLINE_H
