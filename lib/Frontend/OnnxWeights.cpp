//===- OnnxWeights.cpp - Tensors of a model: constants or references ------===//
#include "OnnxWeights.h"
#include "llmpar/Dialect/Llmpar.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"

using namespace mlir;

namespace llmpar {
namespace {
constexpr int64_t maxConstantBytes = 1024; // shapes and masks, never data
constexpr int64_t maxConstantFloats = 16;  // scales and epsilons
constexpr size_t spillAlignment = 64;

bool isSmall(DType dtype, int64_t elements, int64_t size) {
  return size <= maxConstantBytes && (!isFloat(dtype) || elements <= maxConstantFloats);
}

/// Whether a tensor may be learnt, if it is an initializer.
bool isParameter(DType dtype, int64_t elements, llvm::StringRef name) {
  return isFloat(dtype) && (elements > 1 || (elements == 1 && (name.ends_with("weight") || name.ends_with("bias"))));
}

std::string externalEntry(const ::onnx::TensorProto &tensor, llvm::StringRef key) {
  for (const auto &entry : tensor.external_data())
    if (entry.key() == key)
      return entry.value();
  return "";
}
} // namespace

DenseElementsAttr denseFromBytes(RankedTensorType type, llvm::StringRef bytes) {
  if (type.getElementType().isInteger(1)) {
    SmallVector<bool> values;
    for (char byte : bytes)
      values.push_back(byte != 0);
    return DenseElementsAttr::get(type, values);
  }
  if (type.getNumElements() == 0)
    return DenseElementsAttr::get(type, ArrayRef<Attribute>());
  return DenseElementsAttr::getFromRawBuffer(type, ArrayRef<char>(bytes.data(), bytes.size()));
}

OnnxWeights::OnnxWeights(const OnnxFile &file, ModuleOp module, bool keepsSmallParameters)
    : file(file), module(module), keepsSmallParameters(keepsSmallParameters), symbols(module),
      insertPoint(module.getBody()->begin()) {}

FailureOr<OnnxWeights::Source> OnnxWeights::locate(const ::onnx::TensorProto &tensor, DType dtype, int64_t size,
                                                   Location loc) {
  if (tensor.data_location() == ::onnx::TensorProto::EXTERNAL) {
    Source source{externalEntry(tensor, "location"), 0, size};
    std::string offsetText = externalEntry(tensor, "offset"), lengthText = externalEntry(tensor, "length");
    llvm::StringRef offset = offsetText, length = lengthText;
    bool bad = (!offset.empty() && offset.getAsInteger(10, source.offset)) ||
               (!length.empty() && length.getAsInteger(10, source.size));
    if (bad || source.offset < 0 || source.size != size)
      return emitError(loc) << "external tensor '" << tensor.name() << "' needs " << size << " bytes, but says offset '"
                            << offset << "', length '" << length << "'";
    bool escapes = llvm::sys::path::is_absolute(source.path) || llvm::StringRef(source.path).contains("..");
    if (source.path.empty() || escapes)
      return emitError(loc) << "external tensor '" << tensor.name() << "' has location '" << source.path
                            << "', which is not a file below the model's folder";
    return source;
  }
  if (auto span = file.payloads.find(&tensor); span != file.payloads.end() && span->second.size == size)
    return Source{file.name, span->second.offset, size};

  std::optional<std::string> bytes = tensorBytes(tensor, dtype);
  if (!bytes)
    return emitError(loc) << "tensor '" << tensor.name() << "' has less or more data than its shape";
  spilled.resize(llvm::alignTo(spilled.size(), spillAlignment));
  Source source{file.name + ".llmpar-weights", static_cast<int64_t>(spilled.size()), size};
  spilled += *bytes;
  return source;
}

Value OnnxWeights::load(OpBuilder &builder, const ::onnx::TensorProto &tensor, TensorHolder holder,
                        llvm::StringRef name, Location loc) {
  std::optional<DType> dtype = onnxDType(tensor.data_type());
  if (!dtype) {
    emitError(loc) << file.name << ": tensor '" << name << "' has element type " << onnxTypeName(tensor.data_type())
                   << ", which is not supported";
    return nullptr;
  }
  for (int64_t extent : tensor.dims())
    if (extent < 0) {
      emitError(loc) << file.name << ": tensor '" << name << "' has a negative extent";
      return nullptr;
    }
  SmallVector<int64_t> shape(tensor.dims().begin(), tensor.dims().end());
  auto type = RankedTensorType::get(shape, toMlirType(*dtype, builder.getContext()));
  int64_t elements = elementCount(tensor), size = elements * static_cast<int64_t>(dtypeSize(*dtype));

  bool isKept = keepsSmallParameters && holder == TensorHolder::Initializer && isParameter(*dtype, elements, name);
  if (!isKept && isSmall(*dtype, elements, size)) {
    std::optional<std::string> bytes;
    bool external = tensor.data_location() == ::onnx::TensorProto::EXTERNAL;
    if (!external)
      bytes = tensorBytes(tensor, *dtype);
    else if (FailureOr<Source> source = locate(tensor, *dtype, size, loc); succeeded(source)) {
      // A shape may be external too. If its file is absent, it stays a weight.
      SmallString<128> path(file.directory);
      llvm::sys::path::append(path, source->path);
      if (auto slice = llvm::MemoryBuffer::getFileSlice(path, size, source->offset))
        bytes = (*slice)->getBuffer().str();
    }
    if (bytes && static_cast<int64_t>(bytes->size()) == size)
      return ConstantOp::create(builder, loc, type, denseFromBytes(type, *bytes));
    if (!external) {
      emitError(loc) << file.name << ": tensor '" << name << "' has less or more data than its shape";
      return nullptr;
    }
  }

  FailureOr<Source> source = locate(tensor, *dtype, size, loc);
  if (failed(source))
    return nullptr;
  OpBuilder top(builder.getContext());
  auto external = ExternalAttr::get(builder.getContext(), builder.getStringAttr(source->path).getValue(),
                                    source->offset, source->size);
  auto weight = WeightOp::create(top, loc, name, type, builder.getArrayAttr({external}));
  StringAttr symbol = symbols.insert(weight, insertPoint);
  return LoadWeightOp::create(builder, loc, type, FlatSymbolRefAttr::get(symbol));
}

LogicalResult OnnxWeights::finish() {
  llvm::StringSet<> used;
  module.walk([&](LoadWeightOp load) { used.insert(load.getWeight()); });
  for (WeightOp weight : llvm::make_early_inc_range(module.getOps<WeightOp>()))
    if (!used.contains(weight.getSymName()))
      weight.erase();
  if (spilled.empty())
    return success();

  SmallString<128> path(file.directory);
  llvm::sys::path::append(path, file.name + ".llmpar-weights");
  if (auto old = llvm::MemoryBuffer::getFile(path, false, false); old && (*old)->getBuffer() == spilled)
    return success();
  std::error_code error;
  llvm::raw_fd_ostream os(path, error);
  if (!error) {
    os << spilled;
    os.close();
    error = os.error();
  }
  // Only running needs the side file; a model in a read-only folder still imports, plans and compiles.
  if (error)
    emitWarning(file.location(module.getContext()))
        << "cannot write the weights that " << file.name << " stores as numbers to '" << path.str()
        << "': " << error.message() << "; the compiled program will not run";
  return success();
}

} // namespace llmpar
