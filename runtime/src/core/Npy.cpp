//===- Npy.cpp - NumPy's .npy format, versions 1 to 3 ----------------------===//
//
//   \x93NUMPY 1 0 <u16 length> {'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }\n <data>
//
//===----------------------------------------------------------------------===//
#include "core/TensorIo.h"

#include <algorithm>
#include <cstring>

namespace llmpar::rt {
namespace {

constexpr std::string_view descriptors[] = {
#define LLMPAR_DTYPE(Name, Cpp, Mlir, Numpy) Numpy,
#include "llmpar/Abi/DTypes.def"
};

bool parseDescriptor(std::string_view text, DType &dtype) {
  if (text == "bfloat16" || text == "|V2") { // what NumPy makes of ml_dtypes.bfloat16
    dtype = DType::BF16;
    return true;
  }
  for (size_t i = 0; i < std::size(descriptors); ++i)
    if (text == descriptors[i] || (text.size() == 3 && text.substr(1) == descriptors[i].substr(1) && text[0] == '=')) {
      dtype = static_cast<DType>(i);
      return true;
    }
  return false;
}

/// The text after `'key':`, without leading spaces.
std::string_view valueOf(std::string_view header, std::string_view key) {
  for (char quote : {'\'', '"'}) {
    std::string quoted = quote + std::string(key) + quote;
    size_t at = header.find(quoted);
    if (at == std::string_view::npos)
      continue;
    at = header.find_first_not_of(": ", at + quoted.size());
    return at == std::string_view::npos ? std::string_view() : header.substr(at);
  }
  return {};
}

/// "(2, 3)" and "(2,)" and "()".
bool parseShape(std::string_view text, std::vector<int64_t> &shape) {
  if (text.empty() || text[0] != '(')
    return false;
  for (size_t i = 1; i < text.size();) {
    if (text[i] == ')')
      return true;
    if (text[i] == ' ' || text[i] == ',') {
      ++i;
      continue;
    }
    int64_t value = 0;
    size_t begin = i;
    for (; i < text.size() && text[i] >= '0' && text[i] <= '9'; ++i)
      if ((value = value * 10 + (text[i] - '0')) > (int64_t(1) << 46))
        return false;
    if (i == begin)
      return false;
    if (i < text.size() && text[i] == 'L')
      ++i;
    shape.push_back(value);
  }
  return false;
}

/// Column-major to row-major.
void transposeFortran(HostTensor &tensor) {
  std::vector<std::byte> source = tensor.data;
  size_t rank = tensor.shape.size(), width = dtypeSize(tensor.dtype);
  std::vector<int64_t> index(rank);
  for (int64_t flat = 0; flat < tensor.elements(); ++flat) {
    int64_t from = 0, stride = 1;
    for (size_t d = 0; d < rank; ++d) {
      from += index[d] * stride;
      stride *= tensor.shape[d];
    }
    std::memcpy(tensor.data.data() + static_cast<size_t>(flat) * width,
                source.data() + static_cast<size_t>(from) * width, width);
    for (size_t d = rank; d > 0 && ++index[d - 1] == tensor.shape[d - 1]; --d)
      index[d - 1] = 0;
  }
}

} // namespace

Status decodeNpy(std::span<const std::byte> bytes, HostTensor &tensor) {
  const auto *raw = reinterpret_cast<const unsigned char *>(bytes.data());
  if (bytes.size() < 12 || std::memcmp(raw, "\x93NUMPY", 6) != 0)
    return Status::invalid("not an .npy file");
  size_t begin = raw[6] == 1 ? 10 : 12;
  size_t length = raw[8] | size_t(raw[9]) << 8;
  if (raw[6] != 1)
    length |= size_t(raw[10]) << 16 | size_t(raw[11]) << 24;
  if (raw[6] < 1 || raw[6] > 3 || length > bytes.size() - begin)
    return Status::invalid("damaged .npy header");
  std::string_view header(reinterpret_cast<const char *>(raw) + begin, length);
  std::string_view descriptor = valueOf(header, "descr");
  if (descriptor.size() < 2 || (descriptor[0] != '\'' && descriptor[0] != '"'))
    return Status::invalid("damaged .npy header: no simple 'descr'");
  descriptor = descriptor.substr(1, descriptor.find(descriptor[0], 1) - 1);
  if (!parseDescriptor(descriptor, tensor.dtype))
    return Status::invalid("element type '" + std::string(descriptor) + "' is not supported");
  tensor.shape.clear();
  if (!parseShape(valueOf(header, "shape"), tensor.shape))
    return Status::invalid("damaged .npy header: no 'shape'");
  // Before allocating: the header may promise more than the file has.
  size_t available = bytes.size() - begin - length, width = dtypeSize(tensor.dtype), elements = 1;
  for (int64_t dim : tensor.shape)
    if (dim != 0 && (elements *= static_cast<size_t>(dim)) > (size_t(1) << 46))
      return Status::invalid(".npy of an absurd shape");
  if (std::find(tensor.shape.begin(), tensor.shape.end(), 0) != tensor.shape.end())
    elements = 0;
  if (elements * width > available)
    return Status::invalid("truncated .npy: " + describeTensor(tensor) + " needs " + std::to_string(elements * width) +
                           " bytes, there are " + std::to_string(available));
  auto data = bytes.subspan(begin + length, elements * width);
  tensor.data.assign(data.begin(), data.end());
  if (valueOf(header, "fortran_order").starts_with("True"))
    transposeFortran(tensor);
  if (tensor.dtype == DType::Bool)
    for (std::byte &value : tensor.data)
      value = value == std::byte(0) ? std::byte(0) : std::byte(1);
  return Status::success();
}

std::vector<std::byte> encodeNpy(const HostTensor &tensor) {
  std::string header = "{'descr': '" + std::string(descriptors[static_cast<size_t>(tensor.dtype)]) +
                       "', 'fortran_order': False, 'shape': (";
  for (int64_t dim : tensor.shape)
    header += std::to_string(dim) + (tensor.shape.size() == 1 ? "," : ", ");
  if (tensor.shape.size() > 1)
    header.resize(header.size() - 2);
  header += "), }";
  header.append(63 - (10 + header.size()) % 64, ' '); // data starts at a multiple of 64
  header += '\n';
  std::string prefix("\x93NUMPY\x01\x00", 8);
  prefix += static_cast<char>(header.size() & 0xff);
  prefix += static_cast<char>(header.size() >> 8);
  header = prefix + header;
  std::vector<std::byte> bytes(header.size() + tensor.data.size());
  std::memcpy(bytes.data(), header.data(), header.size());
  if (!tensor.data.empty())
    std::memcpy(bytes.data() + header.size(), tensor.data.data(), tensor.data.size());
  return bytes;
}

} // namespace llmpar::rt
