//===- OnnxFile.cpp - Parse an ONNX file and locate its tensors -----------===//
#include "OnnxFile.h"
#include "llmpar/Core/Gzip.h"
#include "mlir/IR/Diagnostics.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

namespace llmpar {
namespace {

/// Walks the wire format beside the parsed messages: protobuf copies payloads, and only the bytes
/// know their offsets. Field n of the bytes is element n of the parsed repeated field.
class PayloadLocator {
public:
  PayloadLocator(OnnxFile &file, const char *base) : file(file), base(base) {}

  void model(llvm::StringRef bytes, const ::onnx::ModelProto &proto) {
    int function = 0;
    forEachMessage(bytes, [&](int field, llvm::StringRef body) {
      if (field == 7)
        graph(body, proto.graph());
      if (field == 25 && function < proto.functions_size())
        nodes(body, proto.functions(function++).node(), 7);
    });
  }

private:
  void graph(llvm::StringRef bytes, const ::onnx::GraphProto &proto) {
    int initializer = 0;
    nodes(bytes, proto.node(), 1);
    forEachMessage(bytes, [&](int field, llvm::StringRef body) {
      if (field == 5 && initializer < proto.initializer_size())
        tensor(body, proto.initializer(initializer++));
    });
  }

  void nodes(llvm::StringRef bytes, const google::protobuf::RepeatedPtrField<::onnx::NodeProto> &protos,
             int nodeField) {
    int node = 0;
    forEachMessage(bytes, [&](int field, llvm::StringRef body) {
      if (field != nodeField || node >= protos.size())
        return;
      const ::onnx::NodeProto &proto = protos[node++];
      int attribute = 0;
      forEachMessage(body, [&](int field, llvm::StringRef body) {
        if (field != 5 || attribute >= proto.attribute_size())
          return;
        const ::onnx::AttributeProto &attr = proto.attribute(attribute++);
        forEachMessage(body, [&](int field, llvm::StringRef body) {
          if (field == 5 && attr.has_t())
            tensor(body, attr.t());
          if (field == 6 && attr.has_g())
            graph(body, attr.g());
        });
      });
    });
  }

  void tensor(llvm::StringRef bytes, const ::onnx::TensorProto &proto) {
    forEachMessage(bytes, [&](int field, llvm::StringRef body) {
      bool raw = field == 9;
      // Packed fixed-width fields have the layout of raw data; the other typed fields are varints.
      bool packed = (field == 4 && proto.data_type() == ::onnx::TensorProto::FLOAT) ||
                    (field == 10 && proto.data_type() == ::onnx::TensorProto::DOUBLE);
      if (raw || packed)
        file.payloads[&proto] = {body.data() - base, static_cast<int64_t>(body.size())};
    });
  }

  /// Calls `visit` for each length-delimited field.
  template <typename Visit> void forEachMessage(llvm::StringRef bytes, Visit visit) {
    const char *cursor = bytes.begin(), *end = bytes.end();
    auto varint = [&]() -> uint64_t {
      uint64_t value = 0;
      for (int shift = 0; cursor < end && shift < 64; shift += 7) {
        uint8_t byte = static_cast<uint8_t>(*cursor++);
        value |= static_cast<uint64_t>(byte & 0x7f) << shift;
        if (byte < 0x80)
          break;
      }
      return value;
    };
    while (cursor < end) {
      uint64_t key = varint();
      uint64_t size = 0;
      switch (key & 7) {
      case 0:
        varint();
        continue;
      case 1:
        size = 8;
        break;
      case 5:
        size = 4;
        break;
      case 2:
        size = varint();
        break;
      default:
        return;
      }
      if (size > static_cast<uint64_t>(end - cursor))
        return;
      if ((key & 7) == 2)
        visit(static_cast<int>(key >> 3), llvm::StringRef(cursor, size));
      cursor += size;
    }
  }

  OnnxFile &file;
  const char *base;
};

} // namespace

mlir::Location OnnxFile::location(mlir::MLIRContext *context) const {
  return mlir::FileLineColLoc::get(context, path, 0, 0);
}

std::unique_ptr<OnnxFile> OnnxFile::load(mlir::MLIRContext *context, llvm::StringRef path) {
  auto file = std::make_unique<OnnxFile>();
  file->path = path.str();
  file->directory = llvm::sys::path::parent_path(path).str();
  file->name = llvm::sys::path::filename(path).str();
  mlir::Location loc = file->location(context);

  auto buffer = llvm::MemoryBuffer::getFile(path, /*IsText=*/false, /*RequiresNullTerminator=*/false);
  if (!buffer) {
    mlir::emitError(loc) << "cannot read '" << path << "': " << buffer.getError().message();
    return nullptr;
  }
  llvm::StringRef bytes = (*buffer)->getBuffer();
  std::string inflated;
  if (isGzip(bytes)) {
    file->compressed = true;
    std::optional<std::string> content = gunzip(bytes);
    if (!content) {
      mlir::emitError(loc) << "'" << path << "' is not a complete gzip file";
      return nullptr;
    }
    inflated = std::move(*content);
    bytes = inflated;
  }
  if (bytes.size() > INT32_MAX) {
    mlir::emitError(loc) << bytes.size()
                         << " bytes, more than a protobuf message can: store its weights as external data";
    return nullptr;
  }
  google::protobuf::io::ArrayInputStream array(bytes.data(), static_cast<int>(bytes.size()));
  google::protobuf::io::CodedInputStream stream(&array);
  stream.SetTotalBytesLimit(INT32_MAX);
  stream.SetRecursionLimit(400);
  if (!file->model.ParseFromCodedStream(&stream) || !file->model.has_graph()) {
    mlir::emitError(loc) << "not an ONNX model, or a truncated one";
    return nullptr;
  }
  if (!file->compressed)
    PayloadLocator(*file, bytes.data()).model(bytes, file->model);
  return file;
}

std::optional<DType> onnxDType(int32_t dataType) {
  using T = ::onnx::TensorProto;
  switch (dataType) {
  case T::FLOAT:
    return DType::F32;
  case T::DOUBLE:
    return DType::F64;
  case T::FLOAT16:
    return DType::F16;
  case T::BFLOAT16:
    return DType::BF16;
  case T::INT8:
    return DType::I8;
  case T::INT16:
    return DType::I16;
  case T::INT32:
    return DType::I32;
  case T::INT64:
    return DType::I64;
  case T::UINT8:
    return DType::U8;
  case T::UINT16:
    return DType::U16;
  case T::UINT32:
    return DType::U32;
  case T::UINT64:
    return DType::U64;
  case T::BOOL:
    return DType::Bool;
  default:
    return std::nullopt;
  }
}

std::string onnxTypeName(int32_t dataType) {
  if (!::onnx::TensorProto_DataType_IsValid(dataType))
    return "element type " + std::to_string(dataType);
  return ::onnx::TensorProto_DataType_Name(static_cast<::onnx::TensorProto_DataType>(dataType));
}

int64_t elementCount(const ::onnx::TensorProto &tensor) {
  int64_t count = 1;
  for (int64_t extent : tensor.dims())
    count *= extent;
  return count;
}

std::optional<std::string> tensorBytes(const ::onnx::TensorProto &tensor, DType dtype) {
  size_t size = dtypeSize(dtype);
  size_t expected = static_cast<size_t>(elementCount(tensor)) * size;
  std::string bytes;
  bytes.reserve(expected);
  // Typed fields hold each element in a wider integer; the host is little-endian, so its low bytes come first.
  auto append = [&](const auto &values) {
    for (auto value : values)
      bytes.append(reinterpret_cast<const char *>(&value), size);
  };
  if (tensor.has_raw_data())
    bytes = tensor.raw_data();
  else if (dtype == DType::F32)
    append(tensor.float_data());
  else if (dtype == DType::F64)
    append(tensor.double_data());
  else if (dtype == DType::I64)
    append(tensor.int64_data());
  else if (dtype == DType::U64 || dtype == DType::U32)
    append(tensor.uint64_data());
  else
    append(tensor.int32_data());
  if (bytes.size() != expected)
    return std::nullopt;
  return bytes;
}

} // namespace llmpar
