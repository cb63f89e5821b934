//===- Options.cpp - The command line of llmpar-run ------------------------===//
#include "Options.h"

#include "../ExitCode.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <getopt.h>

namespace llmpar::run {
namespace {

constexpr const char *help = R"(llmpar-run: run a program that llmpar compiled

  llmpar-run model.llmpar --weights=DIR --input=tokens=1x4xi64='1 2 3 4' --output=@out.npz
  llmpar-run model.llmpar --data=test_data_set_0         compare with an ONNX test case
  llmpar-run model.llmpar --trace                        print the records, compute nothing

Where:
  --device=NAME           cpu (default), reference (slow and exact) or trace
  --weights=DIR           folder of the weight files; default: the program's own folder
  --trace                 the same as --device=trace
  --lanes=MODE            inline: a rank's records run in file order on one thread; threads: one for each
                          lane (compute, communication); auto (default): threads if records may
                          overlap and there are two cores for each rank
  --no-pinning            let threads move between cores

Tensors (repeatable; without NAME= by position):
  --input=NAME=2x3xf32=1,2,3,4,5,6     values; one value fills the tensor; none: zeros
  --input=NAME=@FILE                   .npy, .npz or .pb (ONNX TensorProto)
  --input=NAME=2x3xf32=@FILE.bin       raw bytes
  --input=@FILE.npz                    every array, by name
  --data=DIR                           input_*.pb, and output_*.pb to compare with
  --output=NAME=@FILE                  write one output to an .npy or .bin file
  --output=@FILE                       the next output in order; all of them if FILE is an .npz
  --output=-                           print all of them
  --expected-output=...                like --input; compares
  --atol=X --rtol=X                    |actual - expected| <= atol + rtol |expected|
                                       default 1e-4 and 1e-3

Measuring:
  --repeat=N              N steps; prints the fastest, median and slowest
  --profile               time of every kernel and of the slowest records
  --json                  one JSON object on standard output

Exit code: 0 ok, 1 invalid program, weights or data, 2 usage, 3 outputs do not match,
           4 does not fit in memory, 5 a device or peer failed, 70 internal error
)";

enum Option {
  optDevice = 256,
  optWeights,
  optData,
  optInput,
  optOutput,
  optExpected,
  optAtol,
  optRtol,
  optRepeat,
  optProfile,
  optJson,
  optTrace,
  optNoPinning,
  optLanes
};

constexpr option longOptions[] = {
    {"device", required_argument, nullptr, optDevice},
    {"weights", required_argument, nullptr, optWeights},
    {"data", required_argument, nullptr, optData},
    {"input", required_argument, nullptr, optInput},
    {"output", required_argument, nullptr, optOutput},
    {"expected-output", required_argument, nullptr, optExpected},
    {"expected_output", required_argument, nullptr, optExpected},
    {"atol", required_argument, nullptr, optAtol},
    {"rtol", required_argument, nullptr, optRtol},
    {"repeat", required_argument, nullptr, optRepeat},
    {"profile", no_argument, nullptr, optProfile},
    {"json", no_argument, nullptr, optJson},
    {"trace", no_argument, nullptr, optTrace},
    {"no-pinning", no_argument, nullptr, optNoPinning},
    {"lanes", required_argument, nullptr, optLanes},
    {"help", no_argument, nullptr, 'h'},
    {nullptr, 0, nullptr, 0},
};

bool parseTolerance(const char *name, double &value) {
  char *end = nullptr;
  value = std::strtod(optarg, &end);
  if (end != optarg && *end == 0 && value >= 0 && !std::isnan(value))
    return true;
  std::fprintf(stderr, "llmpar-run: --%s=%s: a number >= 0 expected\n", name, optarg);
  return false;
}

bool apply(int option, Options &options) {
  char *end = nullptr;
  switch (option) {
  case optDevice:
    options.device = optarg;
    return true;
  case optWeights:
    options.weights = optarg;
    return true;
  case optData:
    options.data = optarg;
    return true;
  case optInput:
    options.inputs.emplace_back(optarg);
    return true;
  case optOutput:
    options.outputs.emplace_back(optarg);
    return true;
  case optExpected:
    options.expected.emplace_back(optarg);
    return true;
  case optAtol:
    return parseTolerance("atol", options.tolerance.absolute);
  case optRtol:
    return parseTolerance("rtol", options.tolerance.relative);
  case optRepeat:
    options.repeat = std::strtol(optarg, &end, 10);
    if (*end == 0 && options.repeat >= 1)
      return true;
    std::fprintf(stderr, "llmpar-run: --repeat=%s: a number >= 1 expected\n", optarg);
    return false;
  case optProfile:
    return options.profile = true;
  case optJson:
    return options.json = true;
  case optTrace:
    options.device = "trace";
    return true;
  case optNoPinning:
    return options.noPinning = true;
  case optLanes:
    if (rt::Status status = rt::parseLaneMode(optarg, options.lanes); !status.ok()) {
      std::fprintf(stderr, "llmpar-run: --lanes: %s\n", status.message().c_str());
      return false;
    }
    return true;
  default: // getopt has printed what is wrong
    return false;
  }
}

/// What is wrong with options that are right one by one; empty if nothing.
const char *conflict(const Options &options) {
  bool usesTensors = !options.inputs.empty() || !options.outputs.empty() || !options.expected.empty() || !options.data.empty();
  if (options.device == "trace" && (usesTensors || options.json || options.profile || options.repeat != 1))
    return "--device=trace computes nothing: leave out --input, --data, --output, --expected-output, --json, --profile "
           "and --repeat";
  bool prints = std::find(options.outputs.begin(), options.outputs.end(), "-") != options.outputs.end();
  if (options.json && prints)
    return "--json and --output=- both write to standard output: choose one";
  return "";
}

} // namespace

bool parseOptions(int argc, char **argv, Options &options, int &exitCode) {
  exitCode = tool::Usage;
  for (int option; (option = getopt_long(argc, argv, "h", longOptions, nullptr)) != -1;) {
    if (option == 'h') {
      std::fputs(help, stdout);
      exitCode = tool::Ok;
      return false;
    }
    if (!apply(option, options)) {
      std::fputs("llmpar-run: see --help\n", stderr);
      return false;
    }
  }
  if (optind + 1 != argc) {
    std::fprintf(stderr, "llmpar-run: one program file expected, %d given; see --help\n", argc - optind);
    return false;
  }
  if (const char *message = conflict(options); *message) {
    std::fprintf(stderr, "llmpar-run: %s\n", message);
    return false;
  }
  options.program = argv[optind];
  if (options.weights.empty()) {
    size_t slash = options.program.rfind('/');
    options.weights = slash == std::string::npos ? "" : slash == 0 ? "/" : options.program.substr(0, slash);
  }
  return true;
}

} // namespace llmpar::run
