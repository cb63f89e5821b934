//===- TensorIoTest.cpp - Tensor files and the command line grammar --------===//
#include "core/TensorIo.h"

#include <cmath>
#include <cstring>
#include <gtest/gtest.h>
#include <limits>
#include <unistd.h>

namespace llmpar::rt {
namespace {

constexpr DType allTypes[] = {
#define LLMPAR_DTYPE(Name, Cpp, Mlir, Numpy) DType::Name,
#include "llmpar/Abi/DTypes.def"
};

HostTensor counting(DType dtype, std::vector<int64_t> shape) {
  HostTensor tensor{.name = "t", .dtype = dtype, .shape = std::move(shape), .data = {}};
  EXPECT_TRUE(allocateTensor(tensor).ok());
  dispatch(dtype, [&](auto zero) {
    using T = decltype(zero);
    for (int64_t i = 0; i < tensor.elements(); ++i)
      tensor.as<T>()[i] = static_cast<T>(std::is_same_v<T, bool> ? float(i % 2) : float(i));
  });
  return tensor;
}

std::string temporary(const std::string &name) {
  return testing::TempDir() + "llmpar-io-" + std::to_string(::getpid()) + "-" + name;
}

TEST(Npy, RoundTripsEveryTypeAndRank) {
  for (DType dtype : allTypes)
    for (const std::vector<int64_t> &shape : {std::vector<int64_t>{}, {5}, {2, 3}, {0, 4}, {2, 3, 4}}) {
      HostTensor before = counting(dtype, shape), after;
      std::vector<std::byte> bytes = encodeNpy(before);
      EXPECT_EQ((bytes.size() - before.data.size()) % 64, 0u);
      Status status = decodeNpy(bytes, after);
      ASSERT_TRUE(status.ok()) << status.message();
      EXPECT_EQ(after.dtype, dtype);
      EXPECT_EQ(after.shape, shape);
      EXPECT_EQ(after.data, before.data);
    }
}

TEST(Npy, FortranOrderIsTransposed) {
  HostTensor tensor = counting(DType::I32, {2, 3}), after;
  std::vector<std::byte> bytes = encodeNpy(tensor);
  std::string text(reinterpret_cast<char *>(bytes.data()), bytes.size());
  text.replace(text.find("False"), 5, "True ");
  std::memcpy(bytes.data(), text.data(), text.size());
  ASSERT_TRUE(decodeNpy(bytes, after).ok());
  std::vector<int32_t> values(after.as<int32_t>(), after.as<int32_t>() + 6);
  EXPECT_EQ(values, (std::vector<int32_t>{0, 2, 4, 1, 3, 5}));
}

TEST(Npy, DamageIsAnErrorNotACrash) {
  std::vector<std::byte> bytes = encodeNpy(counting(DType::F32, {2, 3}));
  HostTensor tensor;
  for (size_t size = 0; size < bytes.size(); ++size)
    EXPECT_FALSE(decodeNpy(std::span(bytes).first(size), tensor).ok());
  for (size_t at = 0; at < bytes.size(); ++at) {
    std::vector<std::byte> damaged = bytes;
    damaged[at] = std::byte(0xff);
    (void)decodeNpy(damaged, tensor);
  }
}

TEST(Npz, RoundTripsAndSurvivesDamage) {
  std::vector<HostTensor> before{counting(DType::F32, {2, 3}), counting(DType::I64, {4})}, after;
  before[1].name = "u";
  std::vector<std::byte> bytes;
  ASSERT_TRUE(encodeNpz(before, bytes).ok());
  Status status = decodeNpz(bytes, after);
  ASSERT_TRUE(status.ok()) << status.message();
  ASSERT_EQ(after.size(), 2u);
  EXPECT_EQ(after[0].name, "t");
  EXPECT_EQ(after[1].name, "u");
  EXPECT_EQ(after[1].data, before[1].data);
  for (size_t at = 0; at < bytes.size(); ++at)
    for (int value : {0, 1, 255}) {
      std::vector<std::byte> damaged = bytes;
      damaged[at] = static_cast<std::byte>(value);
      std::vector<HostTensor> ignored;
      (void)decodeNpz(damaged, ignored);
    }
  for (size_t size = 0; size < bytes.size(); ++size)
    EXPECT_FALSE(decodeNpz(std::span(bytes).first(size), after).ok());
}

/// Made by Python's zipfile with ZIP_DEFLATED of an .npy of int32 [7] * 64.
TEST(Npz, ReadsDeflatedMembers) {
  std::string path = temporary("deflated.npz");
  std::string script = "python3 -c \"import zipfile,struct\n"
                       "h=\\\"{'descr': '<i4', 'fortran_order': False, 'shape': (64,), }\\\".ljust(117)+chr(10)\n"
                       "d=b'\\x93NUMPY\\x01\\x00'+struct.pack('<H',len(h))+h.encode()+struct.pack('<64i',*([7]*64))\n"
                       "zipfile.ZipFile('" +
                       path + "','w',zipfile.ZIP_DEFLATED).writestr('a.npy',d)\"";
  if (std::system(script.c_str()) != 0)
    GTEST_SKIP() << "no python3";
  std::vector<HostTensor> tensors;
  Status status = readTensors(path, tensors);
  ASSERT_TRUE(status.ok()) << status.message();
  ASSERT_EQ(tensors[0].elements(), 64);
  EXPECT_EQ(tensors[0].as<int32_t>()[63], 7);
  ::unlink(path.c_str());
}

std::vector<std::byte> bytesOf(std::initializer_list<int> values) {
  std::vector<std::byte> bytes;
  for (int v : values)
    bytes.push_back(static_cast<std::byte>(v));
  return bytes;
}

TEST(TensorProto, ReadsRawTypedAndPackedData) {
  HostTensor tensor;
  // dims: 2 (packed), data_type: INT32, name "ab", raw_data: 1, 2
  ASSERT_TRUE(
      decodeTensorProto(bytesOf({0x0a, 1, 2, 0x10, 6, 0x42, 2, 'a', 'b', 0x4a, 8, 1, 0, 0, 0, 2, 0, 0, 0}), tensor)
          .ok());
  EXPECT_EQ(tensor.name, "ab");
  EXPECT_EQ(describeTensor(tensor), "2xi32");
  EXPECT_EQ(tensor.as<int32_t>()[1], 2);
  // dims: 1, 2 (unpacked), FLOAT, float_data packed: 1.0, 0.5
  ASSERT_TRUE(
      decodeTensorProto(bytesOf({0x08, 1, 0x08, 2, 0x10, 1, 0x22, 8, 0, 0, 0x80, 0x3f, 0, 0, 0, 0x3f}), tensor).ok());
  EXPECT_EQ(describeTensor(tensor), "1x2xf32");
  EXPECT_EQ(tensor.as<float>()[1], 0.5f);
  // INT64 -1 as a varint
  ASSERT_TRUE(
      decodeTensorProto(bytesOf({0x10, 7, 0x38, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1}), tensor)
          .ok());
  EXPECT_EQ(tensor.as<int64_t>()[0], -1);
  // FLOAT16 1.0 and BOOL in int32_data
  ASSERT_TRUE(decodeTensorProto(bytesOf({0x10, 10, 0x2a, 2, 0x80, 0x78}), tensor).ok());
  EXPECT_EQ(float(tensor.as<Half>()[0]), 1.0f);
  ASSERT_TRUE(decodeTensorProto(bytesOf({0x08, 2, 0x10, 9, 0x2a, 2, 1, 0}), tensor).ok());
  EXPECT_TRUE(tensor.as<bool>()[0]);
  EXPECT_FALSE(tensor.as<bool>()[1]);
}

TEST(TensorProto, WrongFilesAreErrors) {
  HostTensor tensor;
  EXPECT_FALSE(decodeTensorProto(bytesOf({0x0a, 9, 2}), tensor).ok());
  EXPECT_NE(decodeTensorProto(bytesOf({0x08, 1, 0x10, 8, 0x32, 1, 'x'}), tensor).message().find("type 8"),
            std::string::npos);
  EXPECT_NE(
      decodeTensorProto(bytesOf({0x08, 3, 0x10, 1, 0x4a, 4, 0, 0, 0, 0}), tensor).message().find("12 bytes) but has 4"),
      std::string::npos);
}

TEST(Argument, Grammar) {
  auto parse = [](const char *text) {
    std::vector<HostTensor> tensors;
    Status status = parseTensorArgument(text, tensors);
    EXPECT_TRUE(status.ok()) << text << ": " << status.message();
    return status.ok() ? tensors.at(0) : HostTensor();
  };
  HostTensor x = parse("tokens=1x4xi64=1 2 3 4");
  EXPECT_EQ(x.name, "tokens");
  EXPECT_EQ(describeTensor(x), "1x4xi64");
  EXPECT_EQ(x.as<int64_t>()[3], 4);
  x = parse("2x2xf32=[[1,2][3,-4.5]]");
  EXPECT_EQ(x.name, "");
  EXPECT_EQ(x.as<float>()[3], -4.5f);
  EXPECT_EQ(parse("x=2x3xbf16=0.5").as<BFloat16>()[5], 0.5f);
  EXPECT_EQ(parse("f32=3").as<float>()[0], 3.f);
  EXPECT_EQ(parse("3xi1=1 false true").as<bool>()[2], true);
  EXPECT_TRUE(std::isnan(parse("f64=nan").as<double>()[0]));
  EXPECT_EQ(parse("layer.0/x=0x3xf32").elements(), 0);
}

TEST(Argument, FilesByExtension) {
  std::string npy = temporary("a.npy"), bin = temporary("a.bin"), npz = temporary("a.npz");
  HostTensor a = counting(DType::F32, {2, 3}), b = counting(DType::I32, {4});
  a.name = "a", b.name = "b";
  std::vector<HostTensor> both{a, b}, read;
  ASSERT_TRUE(writeTensors(npy, {&a, 1}).ok());
  ASSERT_TRUE(writeTensors(bin, {&a, 1}).ok());
  ASSERT_TRUE(writeTensors(npz, both).ok());
  for (const std::string &argument :
       {"x=@" + npy, "x=2x3xf32=@" + bin, "2x3xf32=@" + npy, "a=@" + npz, "@" + npz, "@" + npy}) {
    read.clear();
    Status status = parseTensorArgument(argument, read);
    ASSERT_TRUE(status.ok()) << argument << ": " << status.message();
    EXPECT_EQ(read[0].data, a.data) << argument;
  }
  read.clear();
  EXPECT_FALSE(parseTensorArgument("x=2x4xf32=@" + bin, read).ok());
  EXPECT_FALSE(parseTensorArgument("x=@" + bin, read).ok());
  EXPECT_FALSE(parseTensorArgument("c=@" + npz, read).ok());
  EXPECT_FALSE(parseTensorArgument("x=2x3xf32=1 2", read).ok());
  EXPECT_FALSE(parseTensorArgument("x=2xi8=300", read).ok());
  EXPECT_FALSE(parseTensorArgument("x", read).ok());
  EXPECT_FALSE(parseTensorArgument("x=2xq7=1", read).ok());
  EXPECT_TRUE(read.empty());
  EXPECT_FALSE(writeTensors(npy, both).ok());
  for (const std::string &path : {npy, bin, npz})
    ::unlink(path.c_str());
}

TEST(Compare, TolerancesNansAndTheWorstElement) {
  float inf = std::numeric_limits<float>::infinity(), nan = std::nanf("");
  auto tensor = [](std::vector<float> values) {
    HostTensor t{.name = "", .dtype = DType::F32, .shape = {1, static_cast<int64_t>(values.size())}, .data = {}};
    t.data.resize(values.size() * 4);
    std::memcpy(t.data.data(), values.data(), t.data.size());
    return t;
  };
  EXPECT_TRUE(compareTensors(tensor({1, nan, inf}), tensor({1, nan, inf}), 0, 0).match);
  EXPECT_FALSE(compareTensors(tensor({nan}), tensor({1}), 1e9, 1e9).match);
  EXPECT_FALSE(compareTensors(tensor({-inf}), tensor({inf}), 1e9, 1e9).match);
  EXPECT_TRUE(compareTensors(tensor({100.05f}), tensor({100}), 0, 1e-3).match);
  Comparison c = compareTensors(tensor({1, 2.5f, 4}), tensor({1, 2, 3}), 0.1, 0);
  EXPECT_FALSE(c.match);
  EXPECT_EQ(c.mismatches, 2);
  EXPECT_EQ(c.worst, 2);
  EXPECT_EQ(c.message, "2 of 3 elements differ (max abs 1, max rel 0.333333333); worst: 4, expected 3 at [0, 2]");
  EXPECT_EQ(compareTensors(tensor({1}), tensor({1, 2}), 0, 0).message, "is 1x1xf32, expected 1x2xf32");
  HostTensor a = counting(DType::I64, {1}), b = a;
  a.as<int64_t>()[0] = (int64_t(1) << 60) + 1, b.as<int64_t>()[0] = int64_t(1) << 60;
  EXPECT_FALSE(compareTensors(a, b, 0, 0).match);
}

} // namespace
} // namespace llmpar::rt
