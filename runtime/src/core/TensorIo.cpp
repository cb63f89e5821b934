//===- TensorIo.cpp - Tensors in files and on command lines ----------------===//
#include "core/TensorIo.h"

#include "core/Memory.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <sys/stat.h>

namespace llmpar::rt {
namespace {

struct Alias {
  std::string_view name;
  DType dtype;
};
constexpr Alias aliases[] = {
#define LLMPAR_DTYPE(Name, Cpp, Mlir, Numpy) {Mlir, DType::Name},
#include "llmpar/Abi/DTypes.def"
    {"float32", DType::F32}, {"float64", DType::F64}, {"float16", DType::F16}, {"bfloat16", DType::BF16},
    {"int8", DType::I8},     {"int16", DType::I16},   {"int32", DType::I32},   {"int64", DType::I64},
    {"uint8", DType::U8},    {"uint16", DType::U16},  {"uint32", DType::U32},  {"uint64", DType::U64},
    {"bool", DType::Bool},   {"si8", DType::I8},      {"si16", DType::I16},    {"si32", DType::I32},
    {"si64", DType::I64},    {"u8", DType::U8},       {"u16", DType::U16},     {"u32", DType::U32},
    {"u64", DType::U64},
};

template <typename T> bool parseValue(const std::string &word, T &value) {
  char *end = nullptr;
  errno = 0;
  if constexpr (std::is_same_v<T, bool>) {
    value = word == "1" || word == "true" || word == "True";
    return value || word == "0" || word == "false" || word == "False";
  } else if constexpr (std::is_integral_v<T>) {
    auto [last, error] = std::from_chars(word.data(), word.data() + word.size(), value);
    return error == std::errc() && last == word.data() + word.size();
  } else {
    double parsed = std::strtod(word.c_str(), &end); // knows nan and inf
    if constexpr (std::is_same_v<T, double>)
      value = parsed;
    else
      value = static_cast<float>(parsed);
    return end == word.c_str() + word.size() && !word.empty();
  }
}

/// "1 2 3", "1,2,3", "[[1 2] [3 4]]", or one value for all elements.
Status parseValues(std::string_view text, HostTensor &tensor) {
  std::vector<std::string> words(1);
  for (char c : text)
    if (std::strchr(" ,[]\t\n", c) == nullptr)
      words.back() += c;
    else if (!words.back().empty())
      words.emplace_back();
  if (words.back().empty())
    words.pop_back();
  auto elements = static_cast<size_t>(tensor.elements());
  if (words.size() != elements && words.size() != 1)
    return Status::invalid(describeTensor(tensor) + " has " + std::to_string(elements) + " elements, " +
                           std::to_string(words.size()) + " values are given");
  return dispatch(tensor.dtype, [&](auto zero) -> Status {
    using T = decltype(zero);
    for (size_t i = 0; i < elements; ++i) {
      T value{};
      if (!parseValue(words[words.size() == 1 ? 0 : i], value))
        return Status::invalid("'" + words[words.size() == 1 ? 0 : i] + "' is no value of type " +
                               std::string(dtypeName(tensor.dtype)));
      tensor.as<T>()[i] = value;
    }
    return Status::success();
  });
}

/// `bytes` zeroes, or a message about `what`.
Status resize(std::vector<std::byte> &data, size_t bytes, const std::string &what) {
  if (Status status = checkFits(what, bytes, "choose smaller dimensions"); !status.ok())
    return status;
  try {
    data.assign(bytes, std::byte(0));
  } catch (const std::exception &) {
    return outOfMemory().prefixed(what + ": ");
  }
  return Status::success();
}

bool exists(const std::string &path) {
  struct stat info{};
  return ::stat(path.c_str(), &info) == 0;
}

/// Fills `tensor` of known type: "@file.bin" or values.
Status parseTyped(std::string_view value, HostTensor &tensor) {
  if (Status status = allocateTensor(tensor); !status.ok())
    return status;
  if (!value.starts_with('@'))
    return parseValues(value, tensor);
  std::string path(value.substr(1));
  if (path.ends_with(".npy") || path.ends_with(".pb")) {
    std::vector<HostTensor> read;
    if (Status status = readTensors(path, read); !status.ok())
      return status;
    if (read[0].dtype != tensor.dtype || read[0].shape != tensor.shape)
      return Status::invalid(path + " is " + describeTensor(read[0]) + ", not " + describeTensor(tensor));
    tensor.data = std::move(read[0].data);
    return Status::success();
  }
  size_t expected = tensor.data.size();
  if (Status status = readFile(path, tensor.data); !status.ok())
    return status;
  if (tensor.data.size() != expected)
    return Status::invalid(path + " has " + std::to_string(tensor.data.size()) + " bytes, " + describeTensor(tensor) +
                           " needs " + std::to_string(expected));
  if (tensor.dtype == DType::Bool)
    for (std::byte &byte : tensor.data)
      byte = byte == std::byte(0) ? std::byte(0) : std::byte(1);
  return Status::success();
}

} // namespace

int64_t HostTensor::elements() const {
  int64_t count = 1;
  for (int64_t dim : shape)
    count *= dim;
  return count;
}

std::string describeTensor(const HostTensor &tensor) {
  std::string text;
  for (int64_t dim : tensor.shape)
    text += std::to_string(dim) + "x";
  return text + std::string(dtypeName(tensor.dtype));
}

bool parseDType(std::string_view text, DType &dtype) {
  for (const Alias &alias : aliases)
    if (alias.name == text) {
      dtype = alias.dtype;
      return true;
    }
  return false;
}

Status parseTensorType(std::string_view text, DType &dtype, std::vector<int64_t> &shape) {
  std::string all(text);
  shape.clear();
  while (!text.empty() && text[0] >= '0' && text[0] <= '9') {
    int64_t dim = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), dim);
    text.remove_prefix(static_cast<size_t>(end - text.data()));
    if (error != std::errc() || !text.starts_with('x'))
      return Status::invalid("'" + all + "' is no tensor type such as 2x3xf32");
    text.remove_prefix(1);
    shape.push_back(dim);
  }
  if (!parseDType(text, dtype))
    return Status::invalid("'" + all + "' is no tensor type such as 2x3xf32");
  return Status::success();
}

Status allocateTensor(HostTensor &tensor) {
  size_t elements = 1;
  for (int64_t dim : tensor.shape)
    if (dim < 0 || (dim != 0 && elements > (size_t(1) << 46) / static_cast<size_t>(dim)))
      return Status::invalid(describeTensor(tensor) + " is no shape of a tensor");
    else
      elements *= static_cast<size_t>(dim);
  return resize(tensor.data, elements * dtypeSize(tensor.dtype),
                tensor.name.empty() ? "a tensor " + describeTensor(tensor)
                                    : "tensor '" + tensor.name + "' (" + describeTensor(tensor) + ")");
}

Status parseTensorArgument(std::string_view argument, std::vector<HostTensor> &tensors) {
  HostTensor tensor;
  // The part before the first '=' is a name, unless it is a type: `2x3xf32=0.5`.
  size_t equals = argument.find('=');
  bool isFile = argument.starts_with('@');
  if (!isFile && !parseTensorType(argument.substr(0, equals), tensor.dtype, tensor.shape).ok()) {
    if (equals == std::string_view::npos || equals == 0)
      return Status::invalid("'" + std::string(argument) +
                             "': expected NAME=@FILE, NAME=2x3xf32=VALUES or 2x3xf32=VALUES");
    tensor.name = std::string(argument.substr(0, equals));
    argument.remove_prefix(equals + 1);
  }
  std::string prefix = tensor.name.empty() ? "" : "'" + tensor.name + "': ";
  if (argument.starts_with('@')) {
    std::string path(argument.substr(1));
    if (path.ends_with(".bin"))
      return Status::invalid(prefix + path + " does not know its shape: write 2x3xf32=@" + path);
    std::vector<HostTensor> read;
    if (Status status = readTensors(path, read); !status.ok())
      return status;
    if (!tensor.name.empty()) {
      auto same = std::find_if(read.begin(), read.end(), [&](const HostTensor &t) { return t.name == tensor.name; });
      if (read.size() > 1 && same == read.end())
        return Status::invalid(path + " has no array '" + tensor.name + "'");
      HostTensor one = std::move(same == read.end() ? read.at(0) : *same);
      one.name = tensor.name;
      read.clear();
      read.push_back(std::move(one));
    } else if (path.ends_with(".npy")) {
      read[0].name.clear();
    }
    std::move(read.begin(), read.end(), std::back_inserter(tensors));
    return Status::success();
  }
  equals = argument.find('=');
  if (Status status = parseTensorType(argument.substr(0, equals), tensor.dtype, tensor.shape); !status.ok())
    return status.prefixed(prefix);
  std::string_view value = equals == std::string_view::npos ? "0" : argument.substr(equals + 1);
  if (Status status = parseTyped(value, tensor); !status.ok())
    return status.prefixed(prefix);
  tensors.push_back(std::move(tensor));
  return Status::success();
}

Status readTensors(const std::string &path, std::vector<HostTensor> &tensors) {
  std::vector<std::byte> bytes;
  if (Status status = readFile(path, bytes); !status.ok())
    return status;
  Status status;
  if (path.ends_with(".npz")) {
    status = decodeNpz(bytes, tensors);
    if (status.ok() && tensors.empty())
      status = Status::invalid("the archive is empty");
  } else {
    HostTensor tensor;
    if (path.ends_with(".npy"))
      status = decodeNpy(bytes, tensor);
    else if (path.ends_with(".pb"))
      status = decodeTensorProto(bytes, tensor);
    else
      status = Status::invalid("unknown kind of file: .npy, .npz or .pb expected");
    if (status.ok())
      tensors.push_back(std::move(tensor));
  }
  return status.prefixed(path + ": ");
}

Status checkWritable(const std::string &path, size_t count) {
  if (path.ends_with(".npz"))
    return Status::success();
  if (!path.ends_with(".npy") && !path.ends_with(".bin"))
    return Status::invalid(path + ": unknown kind of file: .npy, .npz or .bin expected");
  if (count != 1)
    return Status::invalid(path + ": one file for " + std::to_string(count) + " tensors: use .npz or NAME=@FILE");
  return Status::success();
}

Status writeTensors(const std::string &path, std::span<const HostTensor> tensors) {
  if (Status status = checkWritable(path, tensors.size()); !status.ok())
    return status;
  if (path.ends_with(".npz")) {
    std::vector<std::byte> bytes;
    if (Status status = encodeNpz(tensors, bytes); !status.ok())
      return status.prefixed(path + ": ");
    return writeFile(path, bytes);
  }
  return path.ends_with(".npy") ? writeFile(path, encodeNpy(tensors[0])) : writeFile(path, tensors[0].data);
}

Status readTestData(const std::string &folder, const std::string &prefix, std::vector<HostTensor> &tensors) {
  for (size_t i = 0;; ++i) {
    std::string stem = folder + "/" + prefix + "_" + std::to_string(i);
    std::string path = exists(stem + ".pb") ? stem + ".pb" : stem + ".npy";
    if (!exists(path))
      return i > 0 || prefix == "output" || exists(folder)
                 ? Status::success()
                 : Status::invalid("no test data in '" + folder + "': " + std::strerror(errno));
    if (Status status = readTensors(path, tensors); !status.ok())
      return status;
  }
}

Status readFile(const std::string &path, std::vector<std::byte> &bytes) {
  std::FILE *file = std::fopen(path.c_str(), "rb");
  struct stat info{};
  if (!file || ::fstat(::fileno(file), &info) != 0 || S_ISDIR(info.st_mode)) {
    std::string reason = file ? "is a directory" : std::strerror(errno);
    if (file)
      std::fclose(file);
    return Status::invalid("cannot read '" + path + "': " + reason);
  }
  if (Status status = resize(bytes, static_cast<size_t>(info.st_size), "file '" + path + "'"); !status.ok()) {
    std::fclose(file);
    return status;
  }
  size_t got = bytes.empty() ? 0 : std::fread(bytes.data(), 1, bytes.size(), file);
  std::fclose(file);
  return got == bytes.size() ? Status::success() : Status::invalid("cannot read '" + path + "': it ended early");
}

Status writeFile(const std::string &path, std::span<const std::byte> bytes) {
  std::FILE *file = std::fopen(path.c_str(), "wb");
  bool written = file && (bytes.empty() || std::fwrite(bytes.data(), 1, bytes.size(), file) == bytes.size());
  written &= file && std::fclose(file) == 0;
  return written ? Status::success() : Status::invalid("cannot write '" + path + "': " + std::strerror(errno));
}

} // namespace llmpar::rt
