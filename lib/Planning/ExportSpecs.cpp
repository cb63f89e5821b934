//===- ExportSpecs.cpp - JAX PartitionSpecs and DTensor placements ----------===//
#include "llmpar/Planning/ExportPlan.h"
#include "llmpar/Planning/PlanDocument.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FormatVariadic.h"

namespace llmpar {
namespace {

/// A Python string literal; names of tensors are any bytes.
std::string quoted(llvm::StringRef text) {
  std::string literal = "\"";
  for (char c : text) {
    bool isPlain = llvm::isPrint(c) && c != '"' && c != '\\';
    literal += isPlain ? std::string(1, c) : "\\x" + llvm::toHex(llvm::StringRef(&c, 1), /*LowerCase=*/true);
  }
  return literal + "\"";
}

/// One line of a comment.
std::string oneLine(std::string text) {
  llvm::replace(text, '\n', ' ');
  return text;
}


/// A Python file that lists a spec for every tensor.
class SpecFile {
public:
  SpecFile(const PlacedModel &model, llvm::StringRef what) : model(model), what(what) { result.lost = model.lost; }

  /// `spec` returns the Python expression of a tensor's sharding.
  ExportedPlan write(llvm::StringRef imports, llvm::StringRef functions,
                     llvm::function_ref<std::string(const PlacedTensor &)> spec) {
    std::string tables;
    auto table = [&](llvm::StringRef name, llvm::ArrayRef<PlacedTensor> tensors) {
      tables += (name + " = {\n").str();
      for (const PlacedTensor &tensor : tensors) {
        tables += "    " + quoted(tensor.name) + ": " + spec(tensor) + ",\n";
        if (tensor.parts > 1)
          result.lost.push_back({tensor.name, "is no tensor of the file: it stacks " + std::to_string(tensor.parts) +
                                                  " of them in dimension 0, one for each expert"});
      }
      tables += "}\n";
    };
    table("INPUTS", model.inputs);
    table("WEIGHTS", model.weights);
    table("OUTPUTS", model.outputs);
    result.text = llvm::formatv("# {0} of {1} on mesh '{2}', written by `llmpar export`.\n"
                                "# Activations are not listed: the framework derives them from these.\n",
                                what, oneLine(model.name), model.mesh.str())
                      .str();
    for (const Loss &loss : result.lost)
      result.text += "# lost: " + oneLine(loss.tensor) + " " + loss.why + "\n";
    result.text +=
        (imports + "\n# Axes of the mesh, outermost first: devices in rank order fill it row by row.\nMESH = {").str();
    for (auto [index, axis] : llvm::enumerate(model.mesh.axes))
      result.text += (index ? ", " : "") + quoted(axis.name) + ": " + std::to_string(axis.size);
    result.text += "}\n" + tables + functions.str();
    return std::move(result);
  }

  void lose(const PlacedTensor &tensor, size_t dim, const llvm::Twine &why) {
    result.lost.push_back(
        {tensor.name, llvm::formatv("dimension {0} of {1} is split as '{2}', {3}: it is written as whole", dim,
                                    tensor.shape[dim], wordOf(tensor.sharding.dims[dim], model.mesh), why.str())
                          .str()});
  }

private:
  const PlacedModel &model;
  llvm::StringRef what;
  ExportedPlan result;
};

} // namespace

ExportedPlan exportJax(const PlacedModel &model) {
  SpecFile file(model, "PartitionSpecs (JAX)");
  auto spec = [&](const PlacedTensor &tensor) {
    llvm::SmallVector<std::string> dims;
    for (auto [index, dim] : llvm::enumerate(tensor.sharding.dims)) {
      int64_t parts = partsOf(dim, model.mesh);
      bool isUneven = tensor.shape[index] % parts != 0 || dim.unit != 1;
      if (isUneven)
        file.lose(tensor, index, "which is uneven and JAX cannot say");
      if (isUneven || dim.axes.empty()) {
        dims.push_back("None");
        continue;
      }
      llvm::SmallVector<std::string> axes;
      for (AxisId axis : dim.axes)
        axes.push_back(quoted(model.mesh.axes[axis].name));
      dims.push_back(axes.size() == 1 ? axes.front() : "(" + llvm::join(axes, ", ") + ")");
    }
    return "P(" + llvm::join(dims, ", ") + ")";
  };
  return file.write("import jax\nimport numpy\nfrom jax.sharding import Mesh, NamedSharding, PartitionSpec as P\n",
                    R"(

def make_mesh(devices=None):
    """The mesh of these devices, or of all that JAX has, in rank order."""
    devices = numpy.array(jax.devices() if devices is None else devices)
    return Mesh(devices.reshape(tuple(MESH.values())), tuple(MESH))


def shardings(specs, mesh):
    """NamedShardings of INPUTS, WEIGHTS or OUTPUTS, for jax.device_put and jax.jit."""
    return {name: NamedSharding(mesh, spec) for name, spec in specs.items()}
)",
                    spec);
}

ExportedPlan exportDTensor(const PlacedModel &model) {
  SpecFile file(model, "Placements (PyTorch DTensor)");
  auto spec = [&](const PlacedTensor &tensor) {
    llvm::SmallVector<std::string> placements(model.mesh.axes.size(), "Replicate()");
    for (auto [index, dim] : llvm::enumerate(tensor.sharding.dims)) {
      if (dim.unit != 1 || !llvm::is_sorted(dim.axes)) {
        file.lose(tensor, index,
                  dim.unit != 1 ? "in units that DTensor does not have" : "in another order than the mesh's");
        continue;
      }
      for (AxisId axis : dim.axes)
        placements[axis] = "Shard(" + std::to_string(index) + ")";
    }
    return "[" + llvm::join(placements, ", ") + "]";
  };
  return file.write("from torch.distributed.device_mesh import init_device_mesh\n"
                    "from torch.distributed.tensor import Replicate, Shard, distribute_tensor\n",
                    R"(

def make_mesh(device_type="cuda"):
    """The mesh of all ranks of the process group."""
    return init_device_mesh(device_type, tuple(MESH.values()), mesh_dim_names=tuple(MESH))


def distribute(tensors, placements, mesh):
    """The tensors of WEIGHTS or INPUTS, by name, as DTensors."""
    return {name: distribute_tensor(tensor, mesh, placements[name]) for name, tensor in tensors.items()}
)",
                    spec);
}

} // namespace llmpar
