//===- llmpar.cpp - Compile, run, verify and measure models -----------------===//
#include "../CommandLine.h"
#include "Commands.h"
#include "Session.h"

#include "core/Instance.h"
#include "core/Memory.h"
#include "llmpar/Driver/Phases.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/CrashRecoveryContext.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/raw_ostream.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/Pass/PassManager.h"

#include <cstdlib>
#include <new>

namespace llmpar::tool {
namespace cl = llvm::cl;

static cl::SubCommand compileSub("compile", "compile a model for a mesh of devices");
static cl::SubCommand runSub("run", "compile (or load a .llmpar program) and run one step");
static cl::SubCommand verifySub("verify", "compare the sharded run with expected outputs and with one device");
static cl::SubCommand benchSub("bench", "measure the time per step");
static cl::SubCommand planSub("plan", "search the cheapest layout for a cluster");
static cl::SubCommand exportSub("export", "write a layout for JAX, PyTorch, Megatron-LM, vLLM or as ONNX annotations");
static cl::SubCommand diffSub("diff", "print what differs between two plans");
static cl::SubCommand clusterSub("cluster", "list or show the shipped clusters, or measure this machine: list, show <name>, probe");
static cl::SubCommand compareSub("compare", "predict (and measure) every parallelization method side by side");
static cl::SubCommand trainSub("train", "train a model on a file of tokens, or on arrays of samples");
static cl::SubCommand evalSub("eval", "loss (and perplexity and accuracy) of a model, or of a checkpoint, on tokens or samples");
static cl::SubCommand dataSub("data", "make a file of tokens from text");
static cl::SubCommand inspectSub("inspect", "print what a model or a program contains");

struct Command {
  char key;
  cl::SubCommand &sub;
  int (*run)(const Options &);
};
static const Command commands[] = {{'c', compileSub, compileCommand},
                                   {'r', runSub, runCommand},
                                   {'v', verifySub, verifyCommand},
                                   {'b', benchSub, benchCommand},
                                   {'p', planSub, planCommand},
                                   {'x', exportSub, exportCommand},
                                   {'d', diffSub, diffCommand},
                                   {'k', clusterSub, clusterCommand},
                                   {'m', compareSub, compareCommand},
                                   {'t', trainSub, trainCommand},
                                   {'e', evalSub, evalCommand},
                                   {'a', dataSub, dataCommand},
                                   {'i', inspectSub, inspectCommand}};

static cl::OptionCategory category("llmpar options");

/// Modifier of an option: the commands that have it.
struct InCommands {
  llvm::StringRef keys;
  template <typename Option> void apply(Option &option) const {
    for (const Command &command : commands)
      if (keys.contains(command.key))
        option.addSubCommand(command.sub);
    option.addCategory(category);
  }
};

/// Owns the command line's options and copies them out after parsing.
class CommandLine {
public:
  CommandLine() {
    defaults.layout = "single";
    defaults.device = "cpu";
    defaults.lanes = "auto";
    defaults.atol = rt::Tolerance().absolute;
    defaults.rtol = rt::Tolerance().relative;
    defaults.repeat = 20;
    defaults.method = "auto";
    defaults.timeLimit = 60;
    defaults.trainSteps = 100;
    defaults.optimizer = "adamw";
    defaults.loss = "cross-entropy";
    defaults.accumulation = 1;
    defaults.syncInterval = 1;
    defaults.lossScale = 65536;
    defaults.lossScaleWindow = 1000;
    defaults.minLossScale = 1;
    defaults.hysteresis = 2;
    defaults.rate = 1e-3;
    defaults.schedule = "constant";
    defaults.dataSharding = "random";
    defaults.beta1 = 0.9;
    defaults.beta2 = 0.999;
    defaults.adamEpsilon = 1e-8;
    defaults.logInterval = 10;
#define LLMPAR_OPTION(kind, type, field, flag, commands, value, help)                                                  \
  make##kind<type>(defaults.field, flag, commands, value, help);
#include "llmpar/Driver/Options.def"
  }
  Options result() {
    for (auto &read : readers)
      read();
    defaults.model = model;
    defaults.other = other;
    return defaults;
  }

private:
  Options defaults;
  cl::opt<std::string> model{cl::Positional, InCommands{"crvbpxmdiktea"}, cl::desc("<model.onnx | program.llmpar | plan.json>"), cl::init("")};
  cl::opt<std::string> other{cl::Positional, InCommands{"dk"}, cl::desc("<plan.json | cluster>"), cl::init("")};
  std::vector<std::function<void()>> readers;

  template <typename T>
  void makeValue(T &field, const char *flag, const char *keys, const char *value, const char *help) {
    auto *option = new cl::opt<T>(llvm::StringRef(flag), InCommands{keys}, cl::desc(help), cl::value_desc(value), cl::init(field)); // lives as long as cl does
    readers.push_back([&field, option] { field = *option; });
  }
  template <typename T>
  void makeList(std::vector<T> &field, const char *flag, const char *keys, const char *value, const char *help) {
    auto *option = new cl::list<T>(llvm::StringRef(flag), InCommands{keys}, cl::desc(help), cl::value_desc(value));
    readers.push_back([&field, option] { field.assign(option->begin(), option->end()); });
  }
};

static const char overview[] =
    "llmpar: an auto-parallelizing compiler for transformer models\n\n"
    "  llmpar inspect model.onnx\n"
    "  llmpar compile model.onnx --dim batch=2 --dim seq=64 --mesh dp=2,tp=2 --layout hybrid -o model.llmpar\n"
    "  llmpar run model.llmpar --input=input_ids=@ids.npy --output=@out.npz\n"
    "  llmpar verify model.onnx --data test_data_set_0 --mesh tp=4 --layout tensor\n"
    "  llmpar bench model.onnx --dim batch=1 --dim seq=512 --mesh tp=2 --layout tensor\n"
    "  llmpar plan model.onnx --dim batch=8 --dim seq=2048 --cluster dgx-h100 -o plan.json\n"
    "  llmpar cluster probe -o machine.yaml\n"
    "  llmpar data book.txt -o tokens.bin\n"
    "  llmpar train gpt.onnx --dim batch=8 --dim seq=128 --data tokens.bin --train-iters 500 --mesh dp=2 --layout data\n"
    "  llmpar eval gpt.onnx --dim batch=8 --dim seq=128 --data tokens.bin --load checkpoints\n\n"
    "Exit codes: 0 ok, 1 compile error, 2 usage, 3 mismatch, 4 does not fit, 5 device failure, 70 internal error.\n";

/// A script that repeats this command and leaves the IR of every phase; returns its path.
static std::string writeReproducer(const Command &command, llvm::ArrayRef<char *> arguments) {
  int descriptor;
  llvm::SmallString<128> path;
  if (llvm::sys::fs::createTemporaryFile("llmpar-reproducer", "sh", descriptor, path))
    return "(no temporary file)";
  llvm::raw_fd_ostream os(descriptor, /*shouldClose=*/true);
  llvm::SmallString<128> folder;
  llvm::sys::fs::current_path(folder);
  auto quote = [&](llvm::StringRef word) {
    os << " '";
    for (char c : word)
      os << (c == '\'' ? "'\\''" : std::string(1, c));
    os << "'";
  };
  os << "#!/bin/sh\n# llmpar ended with an internal error; the folder named last holds the phases before it.\ncd";
  quote(folder);
  os << "\nexec";
  for (const char *argument : arguments)
    quote(argument);
  if (command.key != 'i' && command.key != 'd' && command.key != 'k' && command.key != 'a')
    quote((path + ".phases").str().insert(0, "--dump-dir="));
  os << "\n";
  return path.str().str();
}

/// An allocation failed: no crash of ours, and nothing that a script could repeat.
[[noreturn]] static void endOutOfMemory() {
  std::set_new_handler(nullptr);
  std::fprintf(stderr, "error: %s\n", rt::outOfMemory().message().c_str());
  std::_Exit(DoesNotFit);
}

/// A crash of ours becomes one line, a script that repeats it and exit code 70.
static int guarded(const Command &command, const Options &options, llvm::ArrayRef<char *> arguments) {
  llvm::CrashRecoveryContext::Enable();
  llvm::CrashRecoveryContext context;
  int code = Internal;
  if (context.RunSafely([&] { code = command.run(options); }) && code != Internal)
    return code;
  llvm::errs() << "error: internal error of llmpar; to repeat it: " << writeReproducer(command, arguments) << "\n";
  return Internal;
}

/// What is wrong with the options of a command before it looks at any file but its model; empty: nothing.
static std::string problemWith(const Command &command, const Options &options) {
  bool needsModel = command.key != 'k' && (command.key != 'i' || !options.ops);
  if (needsModel && options.model.empty())
    return "which model? Usage: llmpar " + command.sub.getName().str() + " <model.onnx> [options]";
  if (needsModel && !llvm::sys::fs::exists(options.model))
    return options.model + ": no such file";
  rt::LaneMode lanes;
  if (rt::Status status = rt::parseLaneMode(options.lanes, lanes); !status.ok())
    return "--lanes: " + status.message();
  if (!(options.timeLimit > 0))
    return "--time-limit is a number of seconds above 0";
  if (!(options.atol >= 0 && options.rtol >= 0) || options.repeat < 1)
    return "--atol and --rtol are numbers of at least 0, --repeat is at least 1";
  return "";
}

static int main(int argc, char **argv) {
  static CommandLine line;
  const Command *command = parseCommandLine<Command>(commands, category, argc, argv, overview);
  if (!command)
    return Usage;
  Options options = line.result();
  if (std::string problem = problemWith(*command, options); !problem.empty()) {
    llvm::errs() << "error: " << problem << "\n";
    return Usage;
  }
  return guarded(*command, options, llvm::ArrayRef(argv, argc));
}

} // namespace llmpar::tool

int main(int argc, char **argv) {
  llvm::InitLLVM init(argc, argv);
  std::set_new_handler(llmpar::tool::endOutOfMemory); // LLVM's own handler aborts
  return llmpar::tool::main(argc, argv);
}
