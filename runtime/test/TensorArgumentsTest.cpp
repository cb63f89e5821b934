//===- TensorArgumentsTest.cpp - Tensors of a tool's command line ----------===//
#include "core/Memory.h"
#include "core/TensorArguments.h"

#include <filesystem>
#include <gtest/gtest.h>
#include <unistd.h>

namespace llmpar::rt::test {
namespace {

using Names = std::vector<std::string>;

HostTensor tensor(std::string name, std::vector<int64_t> shape, float value = 0) {
  HostTensor tensor{.name = std::move(name), .dtype = DType::F32, .shape = std::move(shape), .data = {}};
  EXPECT_TRUE(allocateTensor(tensor).ok());
  std::fill_n(tensor.as<float>(), tensor.elements(), value);
  return tensor;
}

/// Names of the given tensors by place, "-" where there is none; or the error.
std::string placed(const GivenTensors &given, const Names &names) {
  std::vector<const HostTensor *> places;
  if (Status status = placeInputs(given, names, places); !status.ok())
    return status.message();
  std::string text;
  for (const HostTensor *place : places)
    text += (place ? describeTensor(*place) : "-") + " ";
  return text;
}

TEST(TensorArguments, NamesFirstThenTheFreePlacesInOrder) {
  GivenTensors given{.arguments = {tensor("", {1}), tensor("b", {2}), tensor("", {3})}, .testData = {}};
  EXPECT_EQ(placed(given, {"a", "b", "c", "d"}), "1xf32 2xf32 3xf32 - ");
}

TEST(TensorArguments, AnArgumentReplacesTestData) {
  GivenTensors given{.arguments = {tensor("b", {5})}, .testData = {tensor("a", {1}), tensor("b", {2})}};
  EXPECT_EQ(placed(given, {"a", "b"}), "1xf32 5xf32 ");
}

TEST(TensorArguments, TestDataOfOtherNamesCountsByFileNumber) {
  GivenTensors given{.arguments = {}, .testData = {tensor("x.1", {1}), tensor("x.2", {2}), tensor("", {3})}};
  EXPECT_EQ(placed(given, {"b", "a", "c"}), "1xf32 2xf32 3xf32 ");
  EXPECT_EQ(placed(given, {"a", "b"}), "the model has no input for input_2 of the test data, '' (3xf32); its inputs: a, b");
}

TEST(TensorArguments, InputsOfAnotherModelInTheSameFolderAreLeftOut) {
  GivenTensors given{.arguments = {}, .testData = {tensor("a", {1}), tensor("position_ids", {2}), tensor("b", {3})}};
  EXPECT_EQ(placed(given, {"a", "b"}), "1xf32 3xf32 ");
}

TEST(TensorArguments, NoExpectedOutputIsLeftOut) {
  GivenTensors given{.arguments = {}, .testData = {tensor("a", {1}), tensor("other", {2})}};
  std::vector<ExpectedOutput> expected;
  ASSERT_TRUE(placeExpected(given, Names{"a", "b"}, expected).ok());
  EXPECT_EQ(expected.size(), 2u);
  EXPECT_EQ(placeExpected(given, Names{"a"}, expected).message(),
            "the model has no output for output_1 of the test data, 'other' (2xf32); its outputs: a");
}

TEST(TensorArguments, WhatHasNoPlaceIsAnError) {
  GivenTensors typo{.arguments = {tensor("typo", {2})}, .testData = {}};
  EXPECT_EQ(placed(typo, {"a", "b"}), "the model has no input for 'typo' (2xf32); its inputs: a, b");
  GivenTensors twice{.arguments = {tensor("a", {2}), tensor("a", {2})}, .testData = {}};
  EXPECT_EQ(placed(twice, {"a", "b"}), "input 'a' is given twice");
  GivenTensors many{.arguments = {tensor("", {2}), tensor("", {3})}, .testData = {}};
  EXPECT_EQ(placed(many, {"a"}), "the model has no input for another 3xf32; its inputs: a");
}

TEST(TensorArguments, EveryMissingInputIsNamedWithItsFlag) {
  GivenTensors given{.arguments = {tensor("b", {2})}, .testData = {}};
  TensorInfo infos[] = {{"a", DType::I64, {1, 4}}, {"b", DType::F32, {2}}, {"c", DType::F32, {}}};
  std::vector<const HostTensor *> bound;
  EXPECT_EQ(bindInputs(given, infos, Missing::IsError, bound).message(),
            "inputs 'a', 'c' are missing: add --input=a=1x4xi64=@file.npy --input=c=f32=@file.npy");
  ASSERT_TRUE(bindInputs(given, infos, Missing::StaysNull, bound).ok());
  EXPECT_EQ(bound, (std::vector<const HostTensor *>{nullptr, &given.arguments[0], nullptr}));
}

TEST(TensorArguments, AnotherTypeIsAnError) {
  GivenTensors given{.arguments = {tensor("b", {2})}, .testData = {}};
  TensorInfo info{"b", DType::I64, {2}};
  std::vector<const HostTensor *> bound;
  EXPECT_EQ(bindInputs(given, std::span(&info, 1), Missing::IsError, bound).message(),
            "input 'b': the model wants 2xi64, given is 2xf32");
}

TEST(TensorArguments, OneOutputMayHaveTwoExpectations) {
  GivenTensors given{.arguments = {tensor("y", {2}, 1)}, .testData = {tensor("y", {2}, 3)}};
  std::vector<ExpectedOutput> expected;
  ASSERT_TRUE(placeExpected(given, Names{"x", "y"}, expected).ok());
  std::vector<HostTensor> outputs = {tensor("x", {1}), tensor("y", {2}, 1.5)};
  std::vector<NamedComparison> comparisons;
  compareOutputs(outputs, expected, "expected", {.absolute = 1, .relative = 0}, comparisons);
  ASSERT_EQ(comparisons.size(), 2u);
  EXPECT_FALSE(comparisons[0].comparison.match);
  EXPECT_TRUE(comparisons[1].comparison.match);
  EXPECT_EQ(comparisons[1].output, "y");
}

TEST(TensorArguments, FormsOfOutput) {
  std::vector<OutputTarget> targets;
  ASSERT_TRUE(parseOutputs(Names{"@1.npy", "b=@b.bin", "@2.npy", "@all.npz", "-"}, Names{"a", "b"}, targets).ok());
  using Indices = std::vector<size_t>;
  std::vector<Indices> indices;
  for (const OutputTarget &target : targets)
    indices.push_back(target.outputs);
  EXPECT_EQ(indices, (std::vector<Indices>{{0}, {1}, {1}, {0, 1}, {0, 1}}));
  EXPECT_EQ(targets[1].path, "b.bin");
}

TEST(TensorArguments, OutputsThatCannotBeWrittenAreErrors) {
  auto error = [](const char *argument) {
    std::vector<OutputTarget> targets;
    return parseOutputs(Names{argument}, Names{"a"}, targets).message();
  };
  EXPECT_EQ(error("file.npy"), "--output=file.npy: write NAME=@FILE, @FILE or -");
  EXPECT_EQ(error("b=@b.npy"), "--output=b=@b.npy: the model has no such output; its outputs: a");
  EXPECT_EQ(error("@a.txt"), "--output=@a.txt: a.txt: unknown kind of file: .npy, .npz or .bin expected");
}

TEST(TensorArguments, OutputsAreWrittenWhereTheyShould) {
  std::string folder = testing::TempDir() + "llmpar-arguments-" + std::to_string(::getpid());
  std::filesystem::create_directories(folder);
  std::vector<HostTensor> outputs = {tensor("a", {2}, 1), tensor("b", {3}, 2)}, read;
  std::vector<OutputTarget> targets;
  ASSERT_TRUE(parseOutputs(Names{"b=@" + folder + "/b.npy", "@" + folder + "/all.npz"}, Names{"a", "b"}, targets).ok());
  ASSERT_TRUE(writeOutputs(targets, outputs).ok());
  ASSERT_TRUE(readTensors(folder + "/b.npy", read).ok());
  ASSERT_TRUE(readTensors(folder + "/all.npz", read).ok());
  ASSERT_EQ(read.size(), 3u);
  EXPECT_EQ(read[0].as<float>()[2], 2);
  EXPECT_EQ(read[1].name + read[2].name, "ab");
  std::filesystem::remove_all(folder);
}

TEST(Memory, ATensorLargerThanTheMachineDoesNotFit) {
  GivenTensors given;
  Status status = readGiven(Side::Inputs, Names{"x=8796093022208xf64=1"}, "", given);
  EXPECT_EQ(status.code(), Code::DoesNotFit);
  EXPECT_EQ(status.message().find("--input=x=8796093022208xf64=1: 'x': tensor 'x' (8796093022208xf64): "
                                  "70368744177664 bytes (64.0 TiB) are needed, "),
            0u)
      << status.message();
  EXPECT_NE(status.message().find(" are available: choose smaller dimensions"), std::string::npos) << status.message();
}

TEST(Memory, BytesAreReadable) {
  EXPECT_EQ(bytesText(0), "0 B");
  EXPECT_EQ(bytesText(1536), "1.5 KiB");
  EXPECT_EQ(bytesText(uint64_t(12) << 30), "12.0 GiB");
  EXPECT_GT(availableMemory(), uint64_t(1) << 20);
}

} // namespace
} // namespace llmpar::rt::test
