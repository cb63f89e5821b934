//===- llmpar-plan.cpp - Solve, verify and look at planning problems --------===//
#include "../CommandLine.h"
#include "Commands.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/CrashRecoveryContext.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/raw_ostream.h"

namespace llmpar::tool {
namespace cl = llvm::cl;

static cl::SubCommand solveSub("solve", "find the cheapest plan within the memory limit, with a lower bound");
static cl::SubCommand verifySub("verify", "check that a plan is what it says");
static cl::SubCommand showSub("show", "print the sizes of a problem");
static cl::SubCommand enumerateSub("enumerate", "solve a small problem by trying all combinations");

struct Command {
  cl::SubCommand &sub;
  int (*run)(const Options &);
  size_t fewestFiles, mostFiles;
  const char *files;
};
static const Command commands[] = {{solveSub, solveCommand, 1, SIZE_MAX, "problem.json..."},
                                   {verifySub, verifyCommand, 2, 2, "problem.json plan.json"},
                                   {showSub, showCommand, 1, 1, "problem.json"},
                                   {enumerateSub, enumerateCommand, 1, 1, "problem.json"}};

static cl::OptionCategory category("llmpar-plan options");
static cl::list<std::string> files(cl::Positional, cl::desc("<files>"), cl::cat(category), cl::sub(solveSub),
                                   cl::sub(verifySub), cl::sub(showSub), cl::sub(enumerateSub));
static cl::opt<std::string> output("o", cl::desc("where the plan goes: a file, - or (for several problems) a folder"),
                                   cl::value_desc("plan.json"), cl::cat(category), cl::sub(solveSub),
                                   cl::sub(enumerateSub));
static cl::opt<double> timeLimit("time-limit", cl::desc("seconds for each problem, reading included; default 60"),
                                 cl::value_desc("seconds"), cl::init(60), cl::cat(category), cl::sub(solveSub));
static cl::opt<double> gap("gap", cl::desc("stop when (cost - bound) / cost is at most this; default 0: prove it"),
                           cl::value_desc("fraction"), cl::init(0), cl::cat(category), cl::sub(solveSub));
static cl::opt<bool> json("json", cl::desc("print JSON: for solve, one line for each problem"), cl::cat(category),
                          cl::sub(solveSub), cl::sub(verifySub), cl::sub(showSub), cl::sub(enumerateSub));

static const char overview[] =
    "llmpar-plan: chooses one strategy for every node of a graph, so that the sum of node and edge costs is small\n"
    "and the bytes that live at any step stay within a limit\n\n"
    "Reads the problems of the IOPDDL contest as published, our own (docs/planner.md), and both as gzip.\n\n"
    "  llmpar-plan show      problem.json.gz                 how large is it, can it fit?\n"
    "  llmpar-plan solve     problem.json.gz -o plan.json    at most a minute; Ctrl-C gives the best plan so far\n"
    "  llmpar-plan solve     --gap 0.005 --time-limit 20 *.json.gz\n"
    "  llmpar-plan verify    problem.json.gz plan.json       by code of its own\n"
    "  llmpar-plan enumerate small.json                      tries everything, at most 10 million combinations\n\n"
    "A bound says that no plan costs less; the gap is (cost - bound) / cost, and 0 is a proof.\n\n"
    "Exit codes: 0 ok, 2 usage, 3 the plan is not what it says, 4 no plan fits (or none was found in time),\n"
    "70 internal error, 130 interrupted before the last problem.\n";

static std::string problemWith(const Command &command, const Options &options) {
  if (options.files.size() < command.fewestFiles || options.files.size() > command.mostFiles)
    return "which files? Usage: llmpar-plan " + command.sub.getName().str() + " " + command.files;
  if (!(options.timeLimitSeconds > 0))
    return "--time-limit is a number of seconds above 0";
  if (!(options.gapLimit >= 0 && options.gapLimit < 1))
    return "--gap is a fraction of at least 0 and below 1: 0.005 is half a percent";
  if (options.json && options.output == "-")
    return "--json and -o - both write to standard output: give the plan a file";
  return "";
}

/// A crash of ours becomes one line and exit code 70.
static int guarded(const Command &command, const Options &options) {
  llvm::CrashRecoveryContext::Enable();
  llvm::CrashRecoveryContext context;
  int code = Internal;
  if (context.RunSafely([&] { code = command.run(options); }))
    return code;
  return reportError(options, Internal,
                     "internal error of llmpar-plan " + command.sub.getName().str() + " on " + options.files.front());
}

static int main(int argc, char **argv) {
  const Command *command = parseCommandLine<Command>(commands, category, argc, argv, overview);
  if (!command)
    return Usage;
  Options options{.files = {files.begin(), files.end()},
                  .output = output,
                  .timeLimitSeconds = timeLimit,
                  .gapLimit = gap,
                  .json = json};
  if (std::string problem = problemWith(*command, options); !problem.empty())
    return reportError(options, Usage, problem);
  return guarded(*command, options);
}

} // namespace llmpar::tool

int main(int argc, char **argv) {
  llvm::InitLLVM init(argc, argv);
  return llmpar::tool::main(argc, argv);
}
