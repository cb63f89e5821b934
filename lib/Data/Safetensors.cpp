//===- Safetensors.cpp - Files of named tensors -----------------------------===//
#include "llmpar/Data/Safetensors.h"

#include "llvm/Support/Endian.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/MathExtras.h"
#include "llvm/Support/raw_ostream.h"

namespace llmpar {

static constexpr size_t sizeBytes = 8;

int64_t NamedType::bytes() const {
  int64_t count = static_cast<int64_t>(dtypeSize(dtype));
  for (int64_t extent : shape)
    count *= extent;
  return count;
}

std::string describeType(const NamedType &type) {
  std::string text;
  for (int64_t extent : type.shape)
    text += std::to_string(extent) + "x";
  return text + std::string(dtypeName(type.dtype));
}

/// The format's names are those of MLIR in capitals, but for ui8 (U8) and i1 (BOOL).
static std::string formatName(DType dtype) {
  if (dtype == DType::Bool)
    return "BOOL";
  std::string name = llvm::StringRef(dtypeName(dtype)).upper();
  return name.starts_with("UI") ? "U" + name.substr(2) : name;
}

static bool parseFormatName(llvm::StringRef name, DType &dtype) {
  for (int code = 0; code < dtypeCount; ++code)
    if (formatName(static_cast<DType>(code)) == name) {
      dtype = static_cast<DType>(code);
      return true;
    }
  return false;
}

llvm::Error writeSafetensors(llvm::raw_ostream &os, llvm::ArrayRef<NamedType> tensors,
                             llvm::function_ref<llvm::Error(size_t, llvm::MutableArrayRef<char>)> read) {
  llvm::json::Object header;
  int64_t end = 0;
  for (const NamedType &tensor : tensors) {
    int64_t begin = end;
    end += tensor.bytes();
    header[tensor.name] = llvm::json::Object{{"dtype", formatName(tensor.dtype)},
                                             {"shape", llvm::json::Array(tensor.shape)},
                                             {"data_offsets", llvm::json::Array{begin, end}}};
  }
  std::string text;
  llvm::raw_string_ostream(text) << llvm::json::Value(std::move(header));
  text.resize(llvm::alignTo(text.size(), 8), ' ');
  char size[sizeBytes];
  llvm::support::endian::write64le(size, text.size());
  os << llvm::StringRef(size, sizeBytes) << text;
  std::vector<char> data;
  for (auto [index, tensor] : llvm::enumerate(tensors)) {
    data.resize(static_cast<size_t>(tensor.bytes()));
    if (llvm::Error error = read(index, data))
      return error;
    os.write(data.data(), data.size());
  }
  return llvm::Error::success();
}

/// The type and the data of a tensor from its entry of the header; false if the entry is no such.
static bool parseTensor(const llvm::json::Value &entry, llvm::StringRef data, SafetensorsFile::Tensor &tensor) {
  const llvm::json::Object *object = entry.getAsObject();
  const llvm::json::Array *shape = object ? object->getArray("shape") : nullptr;
  const llvm::json::Array *offsets = object ? object->getArray("data_offsets") : nullptr;
  if (!shape || !offsets || offsets->size() != 2 ||
      !parseFormatName(object->getString("dtype").value_or(""), tensor.type.dtype))
    return false;
  uint64_t bytes = dtypeSize(tensor.type.dtype);
  for (const llvm::json::Value &extent : *shape) {
    std::optional<int64_t> value = extent.getAsInteger();
    bool overflows = false;
    if (value && *value >= 0)
      bytes = llvm::SaturatingMultiply(bytes, static_cast<uint64_t>(*value), &overflows);
    if (!value || *value < 0 || overflows)
      return false;
    tensor.type.shape.push_back(*value);
  }
  std::optional<int64_t> begin = (*offsets)[0].getAsInteger(), end = (*offsets)[1].getAsInteger();
  if (!begin || !end || *begin < 0 || *begin > *end || static_cast<uint64_t>(*end) > data.size() ||
      static_cast<uint64_t>(*end - *begin) != bytes)
    return false;
  tensor.data = data.slice(static_cast<size_t>(*begin), static_cast<size_t>(*end));
  return true;
}

llvm::Expected<SafetensorsFile> SafetensorsFile::open(llvm::StringRef path) {
  auto fail = [&](const llvm::Twine &why) { return llvm::createStringError(path + ": " + why); };
  auto mapped = llvm::MemoryBuffer::getFile(path, /*IsText=*/false, /*RequiresNullTerminator=*/false);
  if (!mapped)
    return fail(mapped.getError().message());
  llvm::StringRef bytes = (*mapped)->getBuffer();
  uint64_t size = bytes.size() < sizeBytes ? 0 : llvm::support::endian::read64le(bytes.data());
  if (bytes.size() < sizeBytes || size > bytes.size() - sizeBytes)
    return fail("not a safetensors file: its header of " + llvm::Twine(size) + " bytes is cut off");
  llvm::Expected<llvm::json::Value> header = llvm::json::parse(bytes.substr(sizeBytes, size));
  const llvm::json::Object *entries = header ? header->getAsObject() : nullptr;
  if (!entries) {
    llvm::consumeError(header.takeError());
    return fail("not a safetensors file: its header is no JSON object");
  }
  SafetensorsFile file;
  for (const auto &[key, entry] : *entries) {
    if (llvm::StringRef(key) == "__metadata__")
      continue;
    Tensor &tensor = file.tensors[key];
    tensor.type.name = llvm::StringRef(key).str();
    if (!parseTensor(entry, bytes.drop_front(sizeBytes + size), tensor))
      return fail("the entry of tensor '" + tensor.type.name + "' is damaged");
  }
  file.buffer = std::move(*mapped);
  return file;
}

const SafetensorsFile::Tensor *SafetensorsFile::find(llvm::StringRef name) const {
  auto found = tensors.find(name);
  return found == tensors.end() ? nullptr : &found->second;
}

} // namespace llmpar
