//===- DeviceConfigurations.cpp - ONNX multi-device annotations -------------===//
#include "llmpar/Frontend/DeviceConfigurations.h"
#include "OnnxFile.h"
#include "ShardingSpecs.h"
#include "llmpar/Dialect/WeightParts.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;

namespace llmpar {
namespace {

/// Since which IR version files have annotations.
constexpr int64_t annotationsSince = 11;

/// As the importer names the op of a node without a name.
std::string nameOf(const ::onnx::NodeProto &node, int index) {
  return node.name().empty() ? node.op_type() + "_" + std::to_string(index) : node.name();
}

/// The values of a module by the names that the model file gives them.
struct NamedValues {
  explicit NamedValues(func::FuncOp function) {
    for (BlockArgument argument : function.getArguments())
      if (auto name = function.getArgAttrOfType<StringAttr>(argument.getArgNumber(), LlmparDialect::kName))
        inputs[name] = argument;
    for (Operation &op : function.getBody().front()) {
      if (auto load = dyn_cast<LoadWeightOp>(op))
        weights[tensorNameOf(load)].push_back(load);
      auto name = op.getLoc()->findInstanceOf<NameLoc>();
      if (!name)
        continue;
      for (OpResult result : op.getResults())
        if (!isa<LoadWeightOp, ConstantOp>(op) && leavesNode(result, name))
          nodes[name.getName()].push_back(result);
    }
  }

  llvm::StringMap<Value> inputs;
  llvm::StringMap<llvm::SmallVector<Value, 1>> weights;
  llvm::StringMap<llvm::SmallVector<Value, 1>> nodes; ///< results that ops of other nodes use

  /// The output of a node; null if its ops leave several values, or none.
  Value outputOf(const ::onnx::NodeProto &node, int index) const {
    auto found = nodes.find(nameOf(node, index));
    return node.output_size() == 1 && found != nodes.end() && found->second.size() == 1 ? found->second.front()
                                                                                        : Value();
  }

private:
  static bool leavesNode(Value value, NameLoc node) {
    return llvm::any_of(value.getUsers(), [&](Operation *user) {
      auto name = user->getLoc()->findInstanceOf<NameLoc>();
      return !name || name.getName() != node.getName();
    });
  }
};

llvm::Expected<std::unique_ptr<OnnxFile>> load(ModuleOp module, StringRef model) {
  std::string message;
  ScopedDiagnosticHandler handler(module.getContext(), [&](Diagnostic &diagnostic) {
    message = diagnostic.str();
    return success();
  });
  std::unique_ptr<OnnxFile> file = OnnxFile::load(module.getContext(), model);
  if (!file)
    return llvm::createStringError(message);
  return file;
}

llvm::Expected<func::FuncOp> mainOf(ModuleOp module) {
  auto function = module.lookupSymbol<func::FuncOp>("main");
  if (!function || function.isExternal())
    return llvm::createStringError("no function @main with a body");
  return function;
}

//===-- Writing ----------------------------------------------------------------===//

class Annotator {
public:
  Annotator(func::FuncOp function, const Mesh &mesh, OnnxFile &file)
      : values(function), mesh(mesh), graph(*file.model.mutable_graph()) {
    ::onnx::DeviceConfigurationProto *configuration = file.model.add_configuration();
    configuration->set_name(mesh.str());
    configuration->set_num_devices(static_cast<int>(mesh.ranks()));
    file.model.set_ir_version(std::max<int64_t>(file.model.ir_version(), annotationsSince));
  }

  std::vector<AnnotationLoss> run() {
    for (int index = 0; index < graph.node_size(); ++index)
      annotate(*graph.mutable_node(index), index);
    return std::move(lost);
  }

private:
  NamedValues values;
  const Mesh &mesh;
  ::onnx::GraphProto &graph;
  std::vector<AnnotationLoss> lost;
  llvm::StringSet<> told; ///< tensors of which a loss was noted

  void annotate(::onnx::NodeProto &node, int index) {
    ::onnx::NodeDeviceConfigurationProto configuration;
    configuration.set_configuration_id(mesh.str());
    llvm::StringSet<> seen;
    for (const std::string &name : node.input()) {
      if (!seen.insert(name).second)
        continue;
      if (auto input = values.inputs.find(name); input != values.inputs.end())
        add(configuration, name, input->second);
      else if (auto weight = values.weights.find(name); weight != values.weights.end())
        addWeight(configuration, name, weight->second);
    }
    if (Value output = values.outputOf(node, index))
      add(configuration, node.output(0), output);
    if (configuration.sharding_spec_size())
      *node.add_device_configurations() = configuration;
  }

  void addWeight(::onnx::NodeDeviceConfigurationProto &configuration, const std::string &name, ArrayRef<Value> loads) {
    for (Value other : loads.drop_front())
      if (shardingOf(other, mesh) != shardingOf(loads.front(), mesh))
        lose(name, "is used in several shardings: only the first is annotated");
    add(configuration, name, loads.front());
  }

  void add(::onnx::NodeDeviceConfigurationProto &configuration, const std::string &name, Value value) {
    Sharding sharding = shardingOf(value, mesh);
    sharding.partial.clear(); // communication is implicit: a sum over devices is one once it leaves its node
    for (auto [dim, split] : llvm::enumerate(sharding.dims)) {
      int64_t size = cast<RankedTensorType>(value.getType()).getDimSize(static_cast<unsigned>(dim));
      if (isExpressible(split, size, mesh))
        continue;
      lose(name,
           llvm::formatv(
               "dimension {0} of {1} is split unevenly, which ONNX leaves to the backend: it is annotated as whole",
               dim, size)
               .str());
      split = {};
    }
    *configuration.add_sharding_spec() = toSpec(name, sharding, mesh);
  }

  void lose(const std::string &name, std::string why) {
    if (told.insert(name).second)
      lost.push_back({name, std::move(why)});
  }
};

bool hasExternalData(const ::onnx::GraphProto &graph) {
  return llvm::any_of(graph.initializer(), [](const ::onnx::TensorProto &tensor) {
    return tensor.data_location() == ::onnx::TensorProto::EXTERNAL;
  });
}

llvm::Error writeModel(const ::onnx::ModelProto &model, StringRef output) {
  std::string bytes;
  if (!model.SerializeToString(&bytes))
    return llvm::createStringError("cannot write '" + output +
                                   "': the annotated model is larger than a protobuf message can be");
  std::error_code code;
  llvm::raw_fd_ostream os(output, code);
  os << bytes;
  os.close();
  if (!code)
    code = os.error();
  os.clear_error();
  return code ? llvm::createStringError("cannot write '" + output + "': " + code.message()) : llvm::Error::success();
}

//===-- Reading ----------------------------------------------------------------===//

class Follower {
public:
  Follower(ModuleOp module, func::FuncOp function, const ::onnx::ModelProto &model)
      : module(module), values(function), model(model) {}

  llvm::Error run(StringRef name) {
    auto configuration = llvm::find_if(model.configuration(), [&](const auto &known) { return known.name() == name; });
    if (configuration == model.configuration().end())
      return noSuch(name);
    if (llvm::Error error = findMesh(*configuration))
      return error;
    bool hasStages = false;
    for (int index = 0; index < model.graph().node_size(); ++index)
      for (const auto &device : model.graph().node(index).device_configurations()) {
        if (device.configuration_id() != name)
          continue;
        hasStages |= device.has_pipeline_stage();
        for (const ::onnx::ShardingSpecProto &spec : device.sharding_spec())
          if (llvm::Error error = pin(model.graph().node(index), index, spec))
            return error;
      }
    if (hasStages)
      emitWarning(module.getLoc()) << "device configuration '" << name
                                   << "' has pipeline stages: they are not followed";
    return llvm::Error::success();
  }

private:
  ModuleOp module;
  NamedValues values;
  const ::onnx::ModelProto &model;
  Mesh mesh;
  llvm::DenseMap<Value, std::pair<Sharding, std::string>> pinned; ///< and the node that said so

  llvm::Error noSuch(StringRef name) {
    SmallVector<std::string> names;
    for (const auto &known : model.configuration())
      names.push_back("'" + known.name() + "'");
    return llvm::createStringError(llvm::formatv("the model has no device configuration '{0}': it has {1}", name,
                                                 names.empty() ? "none" : llvm::join(names, ", "))
                                       .str());
  }

  llvm::Error findMesh(const ::onnx::DeviceConfigurationProto &configuration) {
    int64_t devices = configuration.num_devices();
    if (devices < 1 || devices > 65536)
      return llvm::createStringError(llvm::formatv("device configuration '{0}' has {1} devices: expected 1 to 65536",
                                                   configuration.name(), devices)
                                         .str());
    mesh = meshOf(module);
    if (!mesh.axes.empty() && mesh.ranks() != devices)
      return llvm::createStringError(
          llvm::formatv(
              "device configuration '{0}' has {1} devices, but the mesh '{2}' has {3} ranks: leave out --mesh",
              configuration.name(), devices, mesh.str(), mesh.ranks())
              .str());
    if (!mesh.axes.empty())
      return llvm::Error::success();
    llvm::Expected<Mesh> named = Mesh::parse(configuration.name());
    if (!named)
      llvm::consumeError(named.takeError());
    else if (named->ranks() == devices && !named->axes.empty()) {
      setMesh(module, mesh = *named);
      return llvm::Error::success();
    }
    SmallVector<const ::onnx::ShardingSpecProto *> specs;
    for (const ::onnx::NodeProto &node : model.graph().node())
      for (const auto &device : node.device_configurations())
        if (device.configuration_id() == configuration.name())
          for (const ::onnx::ShardingSpecProto &spec : device.sharding_spec())
            specs.push_back(&spec);
    llvm::Expected<Mesh> derived = meshOfSpecs(specs, devices);
    if (!derived)
      return derived.takeError();
    setMesh(module, mesh = *derived);
    return llvm::Error::success();
  }

  /// What a spec of a node is about; none if it is no longer there.
  SmallVector<Value, 1> valuesOf(const ::onnx::NodeProto &node, int index, const std::string &name) {
    if (auto input = values.inputs.find(name); input != values.inputs.end())
      return {input->second};
    if (auto weight = values.weights.find(name); weight != values.weights.end())
      return weight->second;
    if (llvm::is_contained(node.output(), name)) {
      Value output = values.outputOf(node, index);
      return output ? SmallVector<Value, 1>{output} : SmallVector<Value, 1>{};
    }
    for (int other = 0; other < model.graph().node_size(); ++other)
      if (llvm::is_contained(model.graph().node(other).output(), name))
        if (Value output = values.outputOf(model.graph().node(other), other))
          return {output};
    return {};
  }

  llvm::Error pin(const ::onnx::NodeProto &node, int index, const ::onnx::ShardingSpecProto &spec) {
    const std::string &name = spec.tensor_name();
    std::string where = "node '" + nameOf(node, index) + "', ";
    if (!llvm::is_contained(node.input(), name) && !llvm::is_contained(node.output(), name))
      return llvm::createStringError(where + "sharding spec of '" + name +
                                     "', which is none of its inputs and outputs");
    SmallVector<Value, 1> found = valuesOf(node, index, name);
    if (found.empty())
      emitWarning(module.getLoc()) << where << "sharding spec of '" << name
                                   << "': no op computes it by itself after simplification, so it is not followed";
    for (Value value : found) {
      auto type = cast<RankedTensorType>(value.getType());
      llvm::Expected<Sharding> sharding = fromSpec(spec, type.getRank(), mesh);
      if (!sharding)
        return llvm::createStringError(where + llvm::toString(sharding.takeError()));
      normalize(*sharding, type.getShape(), mesh);
      auto [entry, isNew] = pinned.try_emplace(value, *sharding, nameOf(node, index));
      if (!isNew && entry->second.first != *sharding)
        return llvm::createStringError(where + "sharding spec of '" + name + "' is another than that of node '" +
                                       entry->second.second + "': a tensor has one sharding, and its users reshard it");
      setSharding(value, *sharding, mesh);
    }
    return llvm::Error::success();
  }
};

} // namespace

llvm::Expected<std::vector<AnnotationLoss>> annotateOnnx(ModuleOp module, StringRef model, StringRef output) {
  llvm::Expected<func::FuncOp> function = mainOf(module);
  if (!function)
    return function.takeError();
  Mesh mesh = meshOf(module);
  if (mesh.ranks() <= 1)
    return llvm::createStringError("there is nothing to annotate on one device: choose a layout and a mesh");
  auto file = load(module, model);
  if (!file)
    return file.takeError();
  SmallString<128> from(llvm::sys::path::parent_path(model)), to(llvm::sys::path::parent_path(output));
  llvm::sys::fs::make_absolute(from);
  llvm::sys::fs::make_absolute(to);
  if (hasExternalData((*file)->model.graph()) && !llvm::sys::fs::equivalent(from, to))
    return llvm::createStringError(
        llvm::formatv("'{0}': the model's weights are files beside it, in '{1}': write the annotated model there",
                      output, from)
            .str());
  std::vector<AnnotationLoss> lost = Annotator(*function, mesh, **file).run();
  if (llvm::Error error = writeModel((*file)->model, output))
    return error;
  return lost;
}

llvm::Error followAnnotations(ModuleOp module, StringRef model, StringRef configuration) {
  llvm::Expected<func::FuncOp> function = mainOf(module);
  if (!function)
    return function.takeError();
  auto file = load(module, model);
  if (!file)
    return file.takeError();
  return Follower(module, *function, (*file)->model).run(configuration);
}

} // namespace llmpar
