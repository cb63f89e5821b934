//===- ReplaceWeights.cpp - A model with other weights ----------------------===//
#include "llmpar/Frontend/ReplaceWeights.h"

#include "OnnxFile.h"
#include "mlir/IR/Diagnostics.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MathExtras.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"

namespace llmpar {
namespace {

constexpr uint64_t alignment = 64;

using Tensors = std::vector<::onnx::TensorProto *>;

void collect(::onnx::GraphProto &graph, Tensors &tensors);
void collect(google::protobuf::RepeatedPtrField<::onnx::NodeProto> &nodes, Tensors &tensors) {
  for (::onnx::NodeProto &node : nodes)
    for (::onnx::AttributeProto &attribute : *node.mutable_attribute()) {
      if (attribute.has_t())
        tensors.push_back(attribute.mutable_t());
      for (::onnx::TensorProto &tensor : *attribute.mutable_tensors())
        tensors.push_back(&tensor);
      if (attribute.has_g())
        collect(*attribute.mutable_g(), tensors);
      for (::onnx::GraphProto &graph : *attribute.mutable_graphs())
        collect(graph, tensors);
    }
}
void collect(::onnx::GraphProto &graph, Tensors &tensors) {
  for (::onnx::TensorProto &tensor : *graph.mutable_initializer())
    tensors.push_back(&tensor);
  collect(*graph.mutable_node(), tensors);
}

class WeightReplacer {
public:
  WeightReplacer(OnnxFile &file, llvm::StringRef output)
      : file(file), output(output), dataPath((output + ".data").str()) {
    collect(*file.model.mutable_graph(), tensors);
    for (::onnx::FunctionProto &function : *file.model.mutable_functions())
      collect(*function.mutable_node(), tensors);
  }

  llvm::Error check(llvm::ArrayRef<WeightValue> weights) {
    for (const WeightValue &weight : weights)
      values[weight.name] = &weight;
    llvm::Error error = checkPlaces();
    return error ? std::move(error) : matchInitializers();
  }

  /// After check.
  llvm::Error write() {
    if (llvm::any_of(tensors, isExternal))
      if (llvm::Error error = llvm::writeToOutput(dataPath, [&](llvm::raw_ostream &os) { return writeExternal(os); }))
        return error;
    return llvm::writeToOutput(output, [&](llvm::raw_ostream &os) -> llvm::Error {
      std::string bytes;
      if (!file.model.SerializeToString(&bytes))
        return llvm::createStringError(output + ": the model is larger than a protobuf message can be");
      os << bytes;
      return llvm::Error::success();
    });
  }

private:
  OnnxFile &file;
  llvm::StringRef output;
  std::string dataPath;
  Tensors tensors;
  llvm::StringMap<const WeightValue *> values;
  llvm::StringMap<std::string> rounded; ///< of f32 values, for initializers in bf16 or f16
  llvm::StringMap<std::unique_ptr<llvm::MemoryBuffer>> sources; ///< mapped files of external data

  static bool isExternal(const ::onnx::TensorProto *tensor) {
    return tensor->data_location() == ::onnx::TensorProto::EXTERNAL;
  }
  static std::string entry(const ::onnx::TensorProto &tensor, llvm::StringRef key) {
    for (const auto &entry : tensor.external_data())
      if (entry.key() == key)
        return entry.value();
    return "";
  }
  std::string sourcePath(const ::onnx::TensorProto &tensor) const {
    llvm::SmallString<128> path(file.directory);
    llvm::sys::path::append(path, entry(tensor, "location"));
    return path.str().str();
  }

  /// Nothing that is read may be written.
  llvm::Error checkPlaces() const {
    llvm::StringSet<> read{file.path};
    for (const ::onnx::TensorProto *tensor : tensors)
      if (isExternal(tensor))
        read.insert(sourcePath(*tensor));
    for (llvm::StringRef written : {output, llvm::StringRef(dataPath)})
      for (const auto &path : read)
        if (llvm::sys::fs::equivalent(path.first(), written))
          return llvm::createStringError(output + ": '" + written +
                                         "' belongs to the model itself: choose another name");
    return llvm::Error::success();
  }

  llvm::Error matchInitializers() {
    llvm::StringSet<> matched;
    for (::onnx::TensorProto &tensor : *file.model.mutable_graph()->mutable_initializer()) {
      auto found = values.find(tensor.name());
      if (found == values.end())
        continue;
      const WeightValue &weight = *found->second;
      std::optional<DType> dtype = onnxDType(tensor.data_type());
      bool isMaster = weight.dtype == DType::F32 && (dtype == DType::BF16 || dtype == DType::F16);
      if ((dtype != weight.dtype && !isMaster) || !llvm::equal(tensor.dims(), weight.shape))
        return llvm::createStringError(output + ": initializer '" + weight.name +
                                       "' of the model has another type than the weight of that name");
      matched.insert(weight.name);
      if (isMaster)
        rounded[weight.name] = dtype == DType::BF16 ? roundTo<BFloat16>(weight.data) : roundTo<Half>(weight.data);
      if (!isExternal(&tensor)) {
        clearData(tensor);
        tensor.set_raw_data(dataOf(weight).str());
      }
    }
    for (const auto &weight : values)
      if (!matched.contains(weight.first()))
        return llvm::createStringError(output + ": weight '" + weight.first() +
                                       "' is no initializer of the model's main graph, so it has no place in a model: "
                                       "write .npz, or --freeze it");
    return llvm::Error::success();
  }

  /// Of f32 values.
  template <typename T> static std::string roundTo(llvm::StringRef floats) {
    std::string bytes(floats.size() / sizeof(float) * sizeof(T), '\0');
    for (size_t i = 0; i < floats.size() / sizeof(float); ++i) {
      float value;
      std::memcpy(&value, floats.data() + i * sizeof(float), sizeof(float));
      T narrow(value);
      std::memcpy(bytes.data() + i * sizeof(T), &narrow, sizeof(T));
    }
    return bytes;
  }
  llvm::StringRef dataOf(const WeightValue &weight) const {
    auto found = rounded.find(weight.name);
    return found == rounded.end() ? weight.data : llvm::StringRef(found->second);
  }

  static void clearData(::onnx::TensorProto &tensor) {
    tensor.clear_float_data();
    tensor.clear_double_data();
    tensor.clear_int32_data();
    tensor.clear_int64_data();
    tensor.clear_uint64_data();
  }

  llvm::Error writeExternal(llvm::raw_ostream &os) {
    uint64_t offset = 0;
    for (::onnx::TensorProto *tensor : tensors) {
      if (!isExternal(tensor))
        continue;
      llvm::Expected<llvm::StringRef> data = dataOf(*tensor);
      if (!data)
        return data.takeError();
      uint64_t begin = llvm::alignTo(offset, alignment);
      os.write_zeros(static_cast<unsigned>(begin - offset));
      os << *data;
      offset = begin + data->size();
      tensor->clear_external_data();
      auto add = [&](const char *key, const std::string &value) {
        auto *entry = tensor->add_external_data();
        entry->set_key(key);
        entry->set_value(value);
      };
      add("location", llvm::sys::path::filename(dataPath).str());
      add("offset", std::to_string(begin));
      add("length", std::to_string(data->size()));
    }
    return llvm::Error::success();
  }

  /// New data if the tensor is a main graph's initializer that has some, else what it had.
  llvm::Expected<llvm::StringRef> dataOf(const ::onnx::TensorProto &tensor) {
    bool isMain = llvm::any_of(file.model.graph().initializer(), [&](const auto &other) { return &other == &tensor; });
    if (auto found = values.find(tensor.name()); isMain && found != values.end())
      return dataOf(*found->second);
    std::string path = sourcePath(tensor), offsetText = entry(tensor, "offset"), lengthText = entry(tensor, "length");
    std::unique_ptr<llvm::MemoryBuffer> &source = sources[path];
    if (!source) {
      auto mapped = llvm::MemoryBuffer::getFile(path, /*IsText=*/false, /*RequiresNullTerminator=*/false);
      if (!mapped)
        return llvm::createStringError(path + ": " + mapped.getError().message());
      source = std::move(*mapped);
    }
    uint64_t offset = 0, length = 0, size = source->getBufferSize();
    bool bad = (!offsetText.empty() && llvm::StringRef(offsetText).getAsInteger(10, offset)) || offset > size ||
               (!lengthText.empty() && llvm::StringRef(lengthText).getAsInteger(10, length));
    if (lengthText.empty())
      length = size - offset;
    if (bad || length > size - offset)
      return llvm::createStringError(path + ": has no " + lengthText + " bytes at " + offsetText + " for tensor '" +
                                     tensor.name() + "'");
    return source->getBuffer().substr(offset, length);
  }
};

} // namespace

static llvm::Error withReplacer(mlir::MLIRContext &context, llvm::StringRef model, llvm::StringRef output,
                                llvm::function_ref<llvm::Error(WeightReplacer &)> body) {
  std::string message;
  mlir::ScopedDiagnosticHandler handler(&context, [&](mlir::Diagnostic &diagnostic) { message = diagnostic.str(); });
  std::unique_ptr<OnnxFile> file = OnnxFile::load(&context, model);
  if (!file)
    return llvm::createStringError(message);
  WeightReplacer replacer(*file, output);
  return body(replacer);
}

llvm::Error checkReplaceWeights(mlir::MLIRContext &context, llvm::StringRef model, llvm::StringRef output,
                                llvm::ArrayRef<WeightValue> weights) {
  return withReplacer(context, model, output, [&](WeightReplacer &replacer) { return replacer.check(weights); });
}

llvm::Error replaceWeights(mlir::MLIRContext &context, llvm::StringRef model, llvm::StringRef output,
                           llvm::ArrayRef<WeightValue> weights) {
  return withReplacer(context, model, output, [&](WeightReplacer &replacer) {
    llvm::Error error = replacer.check(weights);
    return error ? std::move(error) : replacer.write();
  });
}

} // namespace llmpar
