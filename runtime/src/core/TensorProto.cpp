//===- TensorProto.cpp - Reads onnx.TensorProto without protobuf -----------===//
//
// A wire format reader for the few fields that a test data file has:
//   dims = 1, data_type = 2, float_data = 4, int32_data = 5, string_data = 6 (refused),
//   int64_data = 7, name = 8, raw_data = 9, double_data = 10, uint64_data = 11,
//   data_location = 14 (refused if external)
//
//===----------------------------------------------------------------------===//
#include "core/TensorIo.h"

#include <cstring>

namespace llmpar::rt {
namespace {

/// TensorProto.DataType -> DType; -1: not supported.
int dtypeOfOnnx(uint64_t type) {
  constexpr int none = -1;
  constexpr int table[] = {none,
                           int(DType::F32),
                           int(DType::U8),
                           int(DType::I8),
                           int(DType::U16),
                           int(DType::I16),
                           int(DType::I32),
                           int(DType::I64),
                           none,
                           int(DType::Bool),
                           int(DType::F16),
                           int(DType::F64),
                           int(DType::U32),
                           int(DType::U64),
                           none,
                           none,
                           int(DType::BF16)};
  return type < std::size(table) ? table[type] : none;
}

/// Reads one message; `ok` turns false at the first byte that cannot be.
class Wire {
public:
  explicit Wire(std::span<const std::byte> bytes) : rest(bytes) {}
  bool ok = true;
  bool atEnd() const { return rest.empty() || !ok; }

  uint64_t varint() {
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      if (rest.empty())
        return ok = false, 0;
      auto byte = static_cast<uint64_t>(rest[0]);
      rest = rest.subspan(1);
      value |= (byte & 0x7f) << shift;
      if (!(byte & 0x80))
        return value;
    }
    return ok = false, 0;
  }
  std::span<const std::byte> take(uint64_t count) {
    if (count > rest.size())
      return ok = false, std::span<const std::byte>();
    auto head = rest.first(count);
    rest = rest.subspan(count);
    return head;
  }
  uint64_t fixed(size_t width) {
    uint64_t value = 0;
    if (auto bytes = take(width); ok)
      std::memcpy(&value, bytes.data(), width);
    return value;
  }
  /// One value of wire type `type`, as bits.
  uint64_t scalar(unsigned type) {
    return type == 0 ? varint() : type == 1 ? fixed(8) : type == 5 ? fixed(4) : (ok = false, 0);
  }

private:
  std::span<const std::byte> rest;
};

/// Appends a repeated field, packed or not; `packedType` is the wire type of one element.
void appendRepeated(Wire &wire, unsigned type, unsigned packedType, std::vector<uint64_t> &values) {
  if (type != 2) {
    values.push_back(wire.scalar(type));
    return;
  }
  Wire packed(wire.take(wire.varint()));
  while (!packed.atEnd())
    values.push_back(packed.scalar(packedType));
  wire.ok &= packed.ok;
}

struct Fields {
  std::vector<uint64_t> dims, values;
  uint64_t dataType = 0;
  std::string name;
  std::span<const std::byte> raw;
  bool hasRaw = false, hasStrings = false, isExternal = false;
};

void readField(Wire &wire, uint64_t tag, Fields &fields) {
  auto type = static_cast<unsigned>(tag & 7);
  switch (tag >> 3) {
  case 1:
    return appendRepeated(wire, type, 0, fields.dims);
  case 2:
    fields.dataType = wire.scalar(type);
    return;
  case 4:
    return appendRepeated(wire, type, 5, fields.values);
  case 5:
  case 7:
  case 11:
    return appendRepeated(wire, type, 0, fields.values);
  case 10:
    return appendRepeated(wire, type, 1, fields.values);
  case 14:
    fields.isExternal = wire.scalar(type) == 1;
    return;
  default:
    break;
  }
  if (type != 2) {
    wire.scalar(type);
    return;
  }
  auto bytes = wire.take(wire.varint());
  fields.hasStrings |= tag >> 3 == 6;
  if (tag >> 3 == 8)
    fields.name.assign(reinterpret_cast<const char *>(bytes.data()), bytes.size());
  if (tag >> 3 == 9)
    fields.raw = bytes, fields.hasRaw = true;
}

} // namespace

Status decodeTensorProto(std::span<const std::byte> bytes, HostTensor &tensor) {
  Wire wire(bytes);
  Fields fields;
  while (!wire.atEnd())
    readField(wire, wire.varint(), fields);
  if (!wire.ok)
    return Status::invalid("not an ONNX TensorProto, or truncated");
  int dtype = dtypeOfOnnx(fields.dataType);
  if (dtype < 0 || fields.hasStrings)
    return Status::invalid("ONNX element type " + std::to_string(fields.dataType) + " is not supported");
  if (fields.isExternal)
    return Status::invalid("tensor '" + fields.name + "' has external data, which a test data file may not have");
  tensor.name = fields.name;
  tensor.dtype = static_cast<DType>(dtype);
  tensor.shape.assign(fields.dims.begin(), fields.dims.end());
  size_t width = dtypeSize(tensor.dtype), elements = 1;
  for (int64_t dim : tensor.shape)
    if (dim < 0 || (dim != 0 && elements > (size_t(1) << 46) / static_cast<size_t>(dim)))
      return Status::invalid("tensor '" + fields.name + "' has an absurd shape");
    else
      elements *= static_cast<size_t>(dim);
  size_t given = fields.hasRaw ? fields.raw.size() : fields.values.size() * width;
  if (given != elements * width)
    return Status::invalid("tensor '" + fields.name + "' is " + describeTensor(tensor) + " (" +
                           std::to_string(elements * width) + " bytes) but has " + std::to_string(given) + " bytes");
  tensor.data.resize(given);
  if (fields.hasRaw && given)
    std::memcpy(tensor.data.data(), fields.raw.data(), given);
  for (size_t i = 0; !fields.hasRaw && i < elements; ++i) // little-endian: the low bytes are the value
    std::memcpy(tensor.data.data() + i * width, &fields.values[i], width);
  if (tensor.dtype == DType::Bool)
    for (std::byte &value : tensor.data)
      value = value == std::byte(0) ? std::byte(0) : std::byte(1);
  return Status::success();
}

} // namespace llmpar::rt
