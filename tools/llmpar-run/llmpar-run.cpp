//===- llmpar-run.cpp - Run a program file ---------------------------------===//
//
//   llmpar-run model.llmpar --weights=DIR --input=x=2x3xf32=0.5 --output=@y.npy
//
// `llmpar-run --help` has the whole command line.
//
//===----------------------------------------------------------------------===//
#include "../ExitCodeOf.h"
#include "Options.h"
#include "Report.h"
#include "core/Json.h"
#include "core/Memory.h"

#include <algorithm>
#include <cstdio>
#include <exception>

using namespace llmpar;
using namespace llmpar::rt;
using namespace llmpar::run;
using namespace llmpar::tool;

namespace {

struct Failure {
  Exit exitCode;
  std::string message;
};

/// Ends the run if `status` is a failure; `invalid`: CompileError for programs, weights and data, Usage for arguments.
void check(const Status &status, Exit invalid = CompileError) {
  if (!status.ok())
    throw Failure{exitCodeOf(status, invalid), status.message()};
}

/// The command line's tensors, in the places of the program's inputs and outputs.
struct Tensors {
  GivenTensors givenInputs, givenOutputs;
  std::vector<const HostTensor *> inputs;
  std::vector<ExpectedOutput> expected;
  std::vector<OutputTarget> targets;
  std::vector<HostTensor> outputs;
};

/// Before weights are loaded: a forgotten input should not cost a minute.
void prepareTensors(const Options &options, const Program &program, Tensors &tensors) {
  std::vector<TensorInfo> inputs;
  std::vector<std::string> outputNames;
  for (const IoDef &io : program.inputs)
    inputs.push_back({io.name, io.dtype, io.shape});
  for (const IoDef &io : program.outputs)
    outputNames.push_back(io.name);
  check(readGiven(Side::Inputs, options.inputs, options.data, tensors.givenInputs), Usage);
  check(readGiven(Side::Outputs, options.expected, options.data, tensors.givenOutputs), Usage);
  check(bindInputs(tensors.givenInputs, inputs, Missing::IsError, tensors.inputs), Usage);
  check(placeExpected(tensors.givenOutputs, outputNames, tensors.expected), Usage);
  check(parseOutputs(options.outputs, outputNames, tensors.targets), Usage);
  for (const IoDef &io : program.outputs)
    check(allocateTensor(tensors.outputs.emplace_back(HostTensor{io.name, io.dtype, io.shape, {}})));
}

Exit runProgram(const Options &options) {
  std::shared_ptr<const Program> program;
  check(Program::open(options.program, program));
  bool traces = options.device == "trace";
  Tensors tensors;
  if (!traces)
    prepareTensors(options, *program, tensors);
  std::unique_ptr<Instance> instance;
  check(Instance::create(program,
                         {.device = options.device,
                          .baseDirectory = options.weights,
                          .pinThreads = !options.noPinning,
                          .lanes = options.lanes,
                          .profile = options.profile,
                          .deviceOptions = {}},
                         instance));
  if (traces) {
    check(instance->run({}, {}));
    return Ok;
  }
  std::vector<const void *> inputs;
  std::vector<void *> outputs;
  for (const HostTensor *input : tensors.inputs)
    inputs.push_back(input->data.data());
  for (HostTensor &output : tensors.outputs)
    outputs.push_back(output.data.data());
  std::vector<double> stepSeconds;
  for (long i = 0; i < options.repeat; ++i) {
    check(instance->run(inputs, outputs));
    stepSeconds.push_back(instance->stats().lastStepSeconds);
  }
  check(writeOutputs(tensors.targets, tensors.outputs), Usage);
  std::vector<NamedComparison> comparisons;
  compareOutputs(tensors.outputs, tensors.expected, "expected", options.tolerance, comparisons);
  printReport(options, *instance, std::move(stepSeconds), comparisons);
  bool match = std::ranges::all_of(comparisons, [](const NamedComparison &c) { return c.comparison.match; });
  return match ? Ok : Mismatch;
}

int report(const Options &options, const Failure &failure) {
  if (options.json)
    std::puts(JsonObject()
                  .add("ok", false)
                  .add("code", static_cast<int>(failure.exitCode))
                  .add("error", failure.message)
                  .text()
                  .c_str());
  std::fprintf(stderr, "llmpar-run: error: %s\n", failure.message.c_str());
  return failure.exitCode;
}

} // namespace

int main(int argc, char **argv) {
  Options options;
  int exitCode = Ok;
  if (!parseOptions(argc, argv, options, exitCode))
    return exitCode;
  try {
    return runProgram(options);
  } catch (const Failure &failure) {
    return report(options, failure);
  } catch (const std::bad_alloc &) {
    return report(options, {DoesNotFit, outOfMemory().message()});
  } catch (const std::exception &exception) {
    return report(options, {Internal, std::string("internal error: ") + exception.what()});
  }
}
