//===- llmpar-run.cpp - Run a program file ---------------------------------===//
//
//   llmpar-run model.llmpar --weights=DIR --input=x=2x3xf32=0.5 --output=@y.npy
//
// `llmpar-run --help` has the whole command line.
//
//===----------------------------------------------------------------------===//
#include "Options.h"
#include "Report.h"

#include <algorithm>
#include <cstdio>
#include <exception>

using namespace llmpar;
using namespace llmpar::rt;
using namespace llmpar::run;

namespace {

struct Failure {
  int exitCode;
  std::string message;
};

int exitCodeOf(const Status &status) {
  switch (status.code()) {
  case Code::Ok:
    return exitOk;
  case Code::Invalid:
    return exitInvalid;
  case Code::DoesNotFit:
    return exitDoesNotFit;
  case Code::Device:
  case Code::Aborted:
    return exitDevice;
  case Code::Internal:
    return exitInternal;
  }
  return exitInternal;
}

void check(const Status &status) {
  if (!status.ok())
    throw Failure{exitCodeOf(status), status.message()};
}

HostTensor zerosLike(const IoDef &io) {
  HostTensor tensor{.name = io.name, .dtype = io.dtype, .shape = io.shape, .data = {}};
  check(allocateTensor(tensor));
  return tensor;
}

/// Puts every given tensor in the place of the input or output it belongs to: by name, or
/// the unnamed ones in order. Places without one stay empty (null name).
std::vector<std::unique_ptr<HostTensor>> place(std::vector<HostTensor> given, const std::vector<IoDef> &ios,
                                               const char *what, bool isTestData) {
  std::vector<std::unique_ptr<HostTensor>> placed(ios.size());
  auto indexOf = [&](const std::string &name) {
    return static_cast<size_t>(std::ranges::find(ios, name, &IoDef::name) - ios.begin());
  };
  // Test data may carry names that the model does not have; then their order counts.
  if (isTestData && std::ranges::any_of(given, [&](const HostTensor &t) { return indexOf(t.name) == ios.size(); }))
    for (HostTensor &tensor : given)
      tensor.name.clear();
  size_t next = 0;
  for (HostTensor &tensor : given) {
    size_t index = tensor.name.empty() ? next++ : indexOf(tensor.name);
    if (index >= ios.size()) {
      std::string names;
      for (const IoDef &io : ios)
        names += (names.empty() ? "" : ", ") + io.name;
      throw Failure{exitUsage, tensor.name.empty()
                                   ? "too many " + std::string(what) + "s; the program has: " + names
                                   : "no " + std::string(what) + " '" + tensor.name + "'; the program has: " + names};
    }
    if (tensor.dtype != ios[index].dtype || tensor.shape != ios[index].shape)
      throw Failure{exitUsage, std::string(what) + " '" + ios[index].name + "' is " +
                                   describeShape(ios[index].dtype, ios[index].shape) + ", given " +
                                   describeTensor(tensor)};
    tensor.name = ios[index].name;
    placed[index] = std::make_unique<HostTensor>(std::move(tensor));
  }
  return placed;
}

std::vector<HostTensor> parseAll(const std::vector<std::string> &arguments, const char *option) {
  std::vector<HostTensor> tensors;
  for (const std::string &argument : arguments)
    if (Status status = parseTensorArgument(argument, tensors); !status.ok())
      throw Failure{exitUsage, std::string(option) + "=" + argument + ": " + status.message()};
  return tensors;
}

std::vector<HostTensor> readInputs(const Options &options, const Program &program) {
  std::vector<HostTensor> given;
  if (!options.data.empty())
    check(readTestData(options.data, "input", given));
  std::vector<std::unique_ptr<HostTensor>> fromData = place(std::move(given), program.inputs, "input", true);
  std::vector<std::unique_ptr<HostTensor>> placed =
      place(parseAll(options.inputs, "--input"), program.inputs, "input", false);
  std::vector<HostTensor> inputs;
  std::string missing;
  for (size_t i = 0; i < placed.size(); ++i) {
    if (!placed[i])
      placed[i] = std::move(fromData[i]);
    if (placed[i])
      inputs.push_back(std::move(*placed[i]));
    else
      missing += "\n  --input=" + program.inputs[i].name + "=" +
                 describeShape(program.inputs[i].dtype, program.inputs[i].shape) + "=0   (or =@FILE.npy)";
  }
  if (!missing.empty())
    throw Failure{exitUsage, "inputs are missing; for example:" + missing};
  return inputs;
}

void writeOutputs(const Options &options, const std::vector<HostTensor> &outputs) {
  for (const std::string &argument : options.outputs) {
    if (argument == "-") {
      std::ranges::for_each(outputs, printTensor);
      continue;
    }
    size_t at = argument.find('@');
    if (at == std::string::npos || (at > 0 && argument[at - 1] != '='))
      throw Failure{exitUsage, "--output=" + argument + ": @FILE, NAME=@FILE or - expected"};
    if (at == 0) {
      check(writeTensors(argument.substr(1), outputs));
      continue;
    }
    auto output = std::ranges::find(outputs, argument.substr(0, at - 1), &HostTensor::name);
    if (output == outputs.end())
      throw Failure{exitUsage, "--output=" + argument + ": no output of that name"};
    check(writeTensors(argument.substr(at + 1), std::span(&*output, 1)));
  }
}

std::vector<NamedComparison> compareOutputs(const Options &options, const Program &program,
                                            const std::vector<HostTensor> &outputs) {
  std::vector<HostTensor> data;
  if (!options.data.empty())
    check(readTestData(options.data, "output", data));
  std::vector<NamedComparison> comparisons;
  for (bool isTestData : {true, false}) {
    auto placed = place(isTestData ? std::move(data) : parseAll(options.expected, "--expected-output"), program.outputs,
                        "output", isTestData);
    for (size_t i = 0; i < placed.size(); ++i)
      if (placed[i])
        comparisons.push_back({outputs[i].name, compareTensors(outputs[i], *placed[i], options.atol, options.rtol)});
  }
  return comparisons;
}

int runProgram(const Options &options) {
  std::shared_ptr<const Program> program;
  check(Program::open(options.program, program));
  bool traces = options.device == "trace";
  // Before loading weights: a forgotten input should not cost a minute.
  std::vector<HostTensor> inputs = traces ? std::vector<HostTensor>() : readInputs(options, *program), outputs;
  std::unique_ptr<Instance> instance;
  Status created = Instance::create(program,
                                    {.device = options.device,
                                     .baseDirectory = options.weights,
                                     .pinThreads = !options.noPinning,
                                     .profile = options.profile,
                                     .deviceOptions = {}},
                                    instance);
  check(created);
  if (traces) {
    check(instance->run({}, {}));
    return exitOk;
  }
  for (const IoDef &io : program->outputs)
    outputs.push_back(zerosLike(io));
  std::vector<const void *> inputPointers;
  std::vector<void *> outputPointers;
  for (const HostTensor &input : inputs)
    inputPointers.push_back(input.data.data());
  for (HostTensor &output : outputs)
    outputPointers.push_back(output.data.data());
  std::vector<double> stepSeconds;
  for (long i = 0; i < options.repeat; ++i) {
    check(instance->run(inputPointers, outputPointers));
    stepSeconds.push_back(instance->stats().lastStepSeconds);
  }
  writeOutputs(options, outputs);
  std::vector<NamedComparison> comparisons = compareOutputs(options, *program, outputs);
  printReport(options, *instance, std::move(stepSeconds), comparisons);
  bool match = std::ranges::all_of(comparisons, [](const NamedComparison &c) { return c.comparison.match; });
  return match ? exitOk : exitMismatch;
}

} // namespace

int main(int argc, char **argv) {
  Options options;
  int exitCode = exitOk;
  if (!parseOptions(argc, argv, options, exitCode))
    return exitCode;
  try {
    return runProgram(options);
  } catch (const Failure &failure) {
    std::fprintf(stderr, "llmpar-run: error: %s\n", failure.message.c_str());
    return failure.exitCode;
  } catch (const std::bad_alloc &) {
    std::fputs("llmpar-run: error: out of memory\n", stderr);
    return exitDoesNotFit;
  } catch (const std::exception &exception) {
    std::fprintf(stderr, "llmpar-run: internal error: %s\n", exception.what());
    return exitInternal;
  }
}
