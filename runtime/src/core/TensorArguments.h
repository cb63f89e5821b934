//===- TensorArguments.h - --input, --output, --expected-output, --data -*- C++ -*-===//
//
// What every tool does with the tensors of its command line. Grammar of one value: core/TensorIo.h.
//
//   GivenTensors given;
//   status = readGiven(Side::Inputs, options.inputs, options.data, given);
//   std::vector<const HostTensor *> inputs;
//   status = bindInputs(given, infos, Missing::IsError, inputs);
//   std::vector<OutputTarget> targets;
//   status = parseOutputs(options.outputs, infos, targets);   // before the run: a typo should not cost a minute
//   ... run ...
//   status = writeOutputs(targets, outputs);
//
// A failure is an error of usage, or Code::DoesNotFit.
//
//===----------------------------------------------------------------------===//
#ifndef LLMPAR_RUNTIME_CORE_TENSORARGUMENTS_H
#define LLMPAR_RUNTIME_CORE_TENSORARGUMENTS_H

#include "core/TensorIo.h"

namespace llmpar::rt {

/// An input or output of a program or a model.
struct TensorInfo {
  std::string name;
  DType dtype = DType::F32;
  std::vector<int64_t> shape;
};

enum class Side { Inputs, Outputs };

/// Tensors that the command line gives for the inputs, or expects of the outputs.
struct GivenTensors {
  std::vector<HostTensor> arguments; ///< --input or --expected-output
  std::vector<HostTensor> testData;  ///< of the --data folder: its names need not be the model's

  bool empty() const { return arguments.empty() && testData.empty(); }
};

/// Reads the values of --input (or --expected-output) and input_* (or output_*) of `folder`, if it is not empty.
Status readGiven(Side side, std::span<const std::string> arguments, const std::string &folder, GivenTensors &given);

/// The tensor for each of the `names`, null where none is given. A tensor goes to its name; those without one take
/// the places left, in order. Test data whose names are none of the model's counts by file number; if some are the
/// model's, the others belong to another model and are left out. --input comes before test data. Errors: an unknown name, a place given twice, more tensors than places.
Status placeInputs(const GivenTensors &given, std::span<const std::string> names,
                   std::vector<const HostTensor *> &placed);

enum class Missing { IsError, StaysNull };

/// The same, and checks types and shapes. The error names every missing input, and the flag that gives it.
Status bindInputs(const GivenTensors &given, std::span<const TensorInfo> inputs, Missing missing,
                  std::vector<const HostTensor *> &bound);

/// What an output is to be compared with; an argument and test data may both give one. As placeInputs, but nothing is
/// left out: a name of test data that is not the model's always counts as the file's number.
struct ExpectedOutput {
  size_t output = 0;
  const HostTensor *tensor = nullptr;
};
Status placeExpected(const GivenTensors &given, std::span<const std::string> names,
                     std::vector<ExpectedOutput> &expected);

/// The tools' default, and the project's stated tolerance for f32.
struct Tolerance {
  double absolute = 1e-4, relative = 1e-3;
};

struct NamedComparison {
  std::string output, against; ///< against "expected" or another run
  Comparison comparison;
};

/// Appends one comparison per entry of `expected`.
void compareOutputs(std::span<const HostTensor> outputs, std::span<const ExpectedOutput> expected,
                    const std::string &against, const Tolerance &tolerance,
                    std::vector<NamedComparison> &comparisons);

/// One --output: NAME=@FILE, @FILE (the next output in order), @FILE.npz (all of them) or - (prints all).
struct OutputTarget {
  std::vector<size_t> outputs;
  std::string path; ///< "-": standard output
};
/// Errors: another form, an unknown name, a kind of file that cannot be written.
Status parseOutputs(std::span<const std::string> arguments, std::span<const std::string> names,
                    std::vector<OutputTarget> &targets);
Status writeOutputs(std::span<const OutputTarget> targets, std::span<const HostTensor> outputs);

} // namespace llmpar::rt

#endif // LLMPAR_RUNTIME_CORE_TENSORARGUMENTS_H
