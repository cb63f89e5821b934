//===- TensorArguments.cpp - --input, --output, --expected-output, --data --===//
#include "core/TensorArguments.h"

#include <algorithm>
#include <cstdio>

namespace llmpar::rt {
namespace {

/// Words of messages about one side.
struct Words {
  const char *kind, *option;
};
Words wordsOf(Side side) { return side == Side::Inputs ? Words{"input", "--input"} : Words{"output", "--expected-output"}; }

std::string joined(std::span<const std::string> names) {
  std::string text;
  for (const std::string &name : names)
    text += (text.empty() ? "" : ", ") + name;
  return text.empty() ? "none" : text;
}

enum class Origin { Arguments, TestData };

/// Places `given` by name, then by position; see placeInputs.
Status place(std::span<const HostTensor> given, Origin origin, Side side, std::span<const std::string> names,
             std::vector<const HostTensor *> &placed) {
  placed.assign(names.size(), nullptr);
  std::string kind = wordsOf(side).kind, has = "; its " + kind + "s: " + joined(names);
  auto placeOf = [&](const HostTensor &tensor) {
    return static_cast<size_t>(std::ranges::find(names, tensor.name) - names.begin());
  };
  for (const HostTensor &tensor : given) {
    size_t index = placeOf(tensor);
    if (index == names.size())
      continue;
    if (placed[index])
      return Status::invalid(kind + " '" + tensor.name + "' is given twice");
    placed[index] = &tensor;
  }
  // Models of one folder share its test data. An input of another one does no harm: one of ours would be missed.
  bool mayBeSurplus = origin == Origin::TestData && side == Side::Inputs &&
                      std::ranges::any_of(placed, [](const HostTensor *tensor) { return tensor != nullptr; });
  size_t next = 0;
  for (size_t i = 0; i < given.size(); ++i) {
    const HostTensor &tensor = given[i];
    if (placeOf(tensor) != names.size() || (mayBeSurplus && !tensor.name.empty()))
      continue;
    if (origin == Origin::Arguments && !tensor.name.empty())
      return Status::invalid("the model has no " + kind + " for '" + tensor.name + "' (" + describeTensor(tensor) + ")" + has);
    if (origin == Origin::TestData)
      next = i;
    while (origin == Origin::Arguments && next < names.size() && placed[next])
      ++next;
    if (next >= names.size() || placed[next])
      return Status::invalid("the model has no " + kind + " for " +
                             (origin == Origin::TestData ? kind + "_" + std::to_string(i) + " of the test data, '" +
                                                               tensor.name + "' (" + describeTensor(tensor) + ")"
                                                         : "another " + describeTensor(tensor)) +
                             has);
    placed[next] = &tensor;
  }
  return Status::success();
}

std::string typeText(const TensorInfo &info) {
  return describeTensor(HostTensor{.name = "", .dtype = info.dtype, .shape = info.shape, .data = {}});
}

/// "y: 2x3xf32 = [...]", at most 64 elements.
void printTensor(const HostTensor &tensor) {
  std::printf("%s: %s = [", tensor.name.c_str(), describeTensor(tensor).c_str());
  int64_t shown = std::min<int64_t>(tensor.elements(), 64);
  dispatch(tensor.dtype, [&](auto zero) {
    using T = decltype(zero);
    for (int64_t i = 0; i < shown; ++i)
      if constexpr (std::is_integral_v<T>)
        std::printf("%s%s", i ? ", " : "", std::to_string(tensor.as<T>()[i]).c_str());
      else
        std::printf("%s%.7g", i ? ", " : "", static_cast<double>(tensor.as<T>()[i]));
  });
  std::printf("%s]\n", shown < tensor.elements() ? ", ..." : "");
}

} // namespace

Status readGiven(Side side, std::span<const std::string> arguments, const std::string &folder, GivenTensors &given) {
  Words words = wordsOf(side);
  for (const std::string &argument : arguments)
    if (Status status = parseTensorArgument(argument, given.arguments); !status.ok())
      return status.prefixed(std::string(words.option) + "=" + argument + ": ");
  if (folder.empty())
    return Status::success();
  return readTestData(folder, words.kind, given.testData).prefixed("--data=" + folder + ": ");
}

Status placeInputs(const GivenTensors &given, std::span<const std::string> names,
                   std::vector<const HostTensor *> &placed) {
  std::vector<const HostTensor *> arguments;
  if (Status status = place(given.testData, Origin::TestData, Side::Inputs, names, placed); !status.ok())
    return status;
  if (Status status = place(given.arguments, Origin::Arguments, Side::Inputs, names, arguments); !status.ok())
    return status;
  for (size_t i = 0; i < placed.size(); ++i)
    if (arguments[i])
      placed[i] = arguments[i];
  return Status::success();
}

Status bindInputs(const GivenTensors &given, std::span<const TensorInfo> inputs, Missing missing,
                  std::vector<const HostTensor *> &bound) {
  std::vector<std::string> names;
  for (const TensorInfo &input : inputs)
    names.push_back(input.name);
  if (Status status = placeInputs(given, names, bound); !status.ok())
    return status;
  std::vector<std::string> absent;
  std::string flags;
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (!bound[i]) {
      absent.push_back("'" + inputs[i].name + "'");
      flags += " --input=" + inputs[i].name + "=" + typeText(inputs[i]) + "=@file.npy";
    } else if (bound[i]->dtype != inputs[i].dtype || bound[i]->shape != inputs[i].shape) {
      return Status::invalid("input '" + inputs[i].name + "': the model wants " + typeText(inputs[i]) + ", given is " +
                             describeTensor(*bound[i]));
    }
  }
  if (absent.empty() || missing == Missing::StaysNull)
    return Status::success();
  return Status::invalid((absent.size() == 1 ? "input " : "inputs ") + joined(absent) +
                         (absent.size() == 1 ? " is" : " are") + " missing: add" + flags);
}

Status placeExpected(const GivenTensors &given, std::span<const std::string> names,
                     std::vector<ExpectedOutput> &expected) {
  for (Origin origin : {Origin::TestData, Origin::Arguments}) {
    std::vector<const HostTensor *> placed;
    const std::vector<HostTensor> &tensors = origin == Origin::TestData ? given.testData : given.arguments;
    if (Status status = place(tensors, origin, Side::Outputs, names, placed); !status.ok())
      return status;
    for (size_t i = 0; i < placed.size(); ++i)
      if (placed[i])
        expected.push_back({i, placed[i]});
  }
  return Status::success();
}

void compareOutputs(std::span<const HostTensor> outputs, std::span<const ExpectedOutput> expected,
                    const std::string &against, const Tolerance &tolerance,
                    std::vector<NamedComparison> &comparisons) {
  for (const ExpectedOutput &want : expected) {
    const HostTensor &output = outputs[want.output];
    comparisons.push_back(
        {output.name, against, compareTensors(output, *want.tensor, tolerance.absolute, tolerance.relative)});
  }
}

Status parseOutputs(std::span<const std::string> arguments, std::span<const std::string> names,
                    std::vector<OutputTarget> &targets) {
  std::vector<size_t> all(names.size());
  for (size_t i = 0; i < all.size(); ++i)
    all[i] = i;
  size_t next = 0;
  for (const std::string &argument : arguments) {
    std::string prefix = "--output=" + argument + ": ";
    if (argument == "-") {
      targets.push_back({all, "-"});
      continue;
    }
    bool isNamed = !argument.starts_with('@');
    size_t at = isNamed ? argument.find("=@") : 0;
    if (at == std::string::npos)
      return Status::invalid(prefix + "write NAME=@FILE, @FILE or -");
    OutputTarget target{{}, argument.substr(at + (isNamed ? 2 : 1))};
    if (isNamed)
      target.outputs = {static_cast<size_t>(std::ranges::find(names, argument.substr(0, at)) - names.begin())};
    else if (target.path.ends_with(".npz"))
      target.outputs = all;
    else
      target.outputs = {next++};
    if (target.outputs.empty() || target.outputs.back() >= names.size())
      return Status::invalid(prefix + "the model has no such output; its outputs: " + joined(names));
    if (Status status = checkWritable(target.path, target.outputs.size()); !status.ok())
      return status.prefixed(prefix);
    targets.push_back(std::move(target));
  }
  return Status::success();
}

Status writeOutputs(std::span<const OutputTarget> targets, std::span<const HostTensor> outputs) {
  for (const OutputTarget &target : targets) {
    if (target.path == "-") {
      std::ranges::for_each(outputs, printTensor);
      continue;
    }
    bool isAll = target.outputs.size() == outputs.size();
    std::span<const HostTensor> tensors = isAll ? outputs : outputs.subspan(target.outputs.front(), 1);
    if (Status status = writeTensors(target.path, tensors); !status.ok())
      return status;
  }
  return Status::success();
}

} // namespace llmpar::rt
