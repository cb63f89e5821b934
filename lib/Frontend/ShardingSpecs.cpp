//===- ShardingSpecs.cpp - Shardings as ONNX says them ----------------------===//
#include "ShardingSpecs.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/Sequence.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FormatVariadic.h"
#include <map>
#include <set>

namespace llmpar {
namespace {

using Devices = std::vector<int64_t>; ///< sorted


/// A spec, checked: shards of each dimension that it splits, and the devices of each cell of their product, row-major.
struct Grid {
  struct Dim {
    int64_t dim, shards;
  };
  std::vector<Dim> dims;
  std::vector<Devices> cells;

  /// How far the first device moves with the coordinate of the dimension at `position`.
  std::vector<int64_t> shifts(size_t position) const {
    int64_t stride = 1;
    for (size_t inner = position + 1; inner < dims.size(); ++inner)
      stride *= dims[inner].shards;
    std::vector<int64_t> result;
    for (int64_t i = 0; i < dims[position].shards; ++i)
      result.push_back(cells[i * stride].front() - cells.front().front());
    return result;
  }
};

llvm::Error specError(const ::onnx::ShardingSpecProto &spec, const std::string &why) {
  return llvm::createStringError("sharding spec of '" + spec.tensor_name() + "': " + why);
}

llvm::Expected<Grid> readGrid(const ::onnx::ShardingSpecProto &spec) {
  Grid grid;
  int64_t cells = 1;
  for (const ::onnx::ShardedDimProto &dim : spec.sharded_dim()) {
    if (dim.simple_sharding_size() != 1)
      return specError(spec, llvm::formatv("axis {0} is fused of {1} dimensions: only 1 is supported", dim.axis(),
                                           dim.simple_sharding_size())
                                 .str());
    int64_t shards = dim.simple_sharding(0).num_shards();
    if (shards < 1 || shards > 65536 / cells)
      return specError(spec,
                       llvm::formatv("axis {0} has {1} shards: expected 1 to 65536 in all", dim.axis(), shards).str());
    cells *= shards;
    if (shards > 1)
      grid.dims.push_back({dim.axis(), shards});
  }
  if (spec.device_size() != cells)
    return specError(spec,
                     llvm::formatv("it has {0} shards, but {1} devices or groups", cells, spec.device_size()).str());
  std::map<int64_t, const ::onnx::IntIntListEntryProto *> groups;
  for (const auto &entry : spec.index_to_device_group_map())
    groups[entry.key()] = &entry;
  for (int64_t device : spec.device()) {
    Devices group{device};
    if (auto found = groups.find(device); found != groups.end())
      group.assign(found->second->value().begin(), found->second->value().end());
    llvm::sort(group);
    if (group.empty() || group.front() < 0)
      return specError(spec, llvm::formatv("device {0} is no device and has no group", device).str());
    grid.cells.push_back(std::move(group));
  }
  return grid;
}

/// The devices of each cell of a split, row-major over the sharded dimensions.
std::vector<Devices> cellsOf(const Sharding &sharding, const Mesh &mesh) {
  int64_t cells = 1;
  for (const DimSharding &dim : sharding.dims)
    cells *= partsOf(dim, mesh);
  std::vector<Devices> result(cells);
  for (int64_t rank = 0, ranks = mesh.ranks(); rank < ranks; ++rank) {
    int64_t cell = 0;
    for (const DimSharding &dim : sharding.dims)
      for (AxisId axis : dim.axes)
        cell = cell * mesh.axes[axis].size + mesh.coordinate(rank, axis);
    result[cell].push_back(rank);
  }
  return result;
}

} // namespace

bool isExpressible(const DimSharding &dim, int64_t size, const Mesh &mesh) {
  return dim.unit == 1 && size % partsOf(dim, mesh) == 0;
}

::onnx::ShardingSpecProto toSpec(llvm::StringRef tensor, const Sharding &sharding, const Mesh &mesh) {
  ::onnx::ShardingSpecProto spec;
  spec.set_tensor_name(tensor.str());
  for (auto [index, dim] : llvm::enumerate(sharding.dims)) {
    if (dim.axes.empty())
      continue;
    ::onnx::ShardedDimProto *sharded = spec.add_sharded_dim();
    sharded->set_axis(static_cast<int64_t>(index));
    sharded->add_simple_sharding()->set_num_shards(partsOf(dim, mesh));
  }
  int64_t groups = 0;
  for (const Devices &devices : cellsOf(sharding, mesh)) {
    if (devices.size() == 1) {
      spec.add_device(devices.front());
      continue;
    }
    spec.add_device(--groups);
    ::onnx::IntIntListEntryProto *entry = spec.add_index_to_device_group_map();
    entry->set_key(groups);
    entry->mutable_value()->Add(devices.begin(), devices.end());
  }
  return spec;
}

llvm::Expected<Sharding> fromSpec(const ::onnx::ShardingSpecProto &spec, size_t rank, const Mesh &mesh) {
  llvm::Expected<Grid> grid = readGrid(spec);
  if (!grid)
    return grid.takeError();
  auto noMesh = [&] {
    return specError(spec, "its devices are not those of a split over axes of the mesh '" + mesh.str() + "'");
  };
  Sharding sharding = Sharding::replicated(rank);
  int64_t before = -1;
  for (auto [position, sharded] : llvm::enumerate(grid->dims)) {
    int64_t dim = sharded.dim < 0 ? sharded.dim + static_cast<int64_t>(rank) : sharded.dim;
    if (dim < 0 || dim >= static_cast<int64_t>(rank))
      return specError(spec, llvm::formatv("axis {0} is not of a tensor of rank {1}", sharded.dim, rank).str());
    if (dim <= before)
      return specError(spec, llvm::formatv("axis {0} is not behind axis {1}", dim, before).str());
    before = dim;
    // Axes from the minor one on: each is found by how far the next shard's device is.
    std::vector<int64_t> shifts = grid->shifts(position);
    for (size_t step = 1; step < shifts.size();) {
      auto axes = llvm::seq<AxisId>(0, static_cast<AxisId>(mesh.axes.size()));
      auto axis =
          llvm::find_if(axes, [&](AxisId id) { return mesh.axes[id].size > 1 && mesh.stride(id) == shifts[step]; });
      if (axis == axes.end() || sharding.usesAxis(*axis))
        return noMesh();
      auto &found = sharding.dims[dim].axes;
      found.insert(found.begin(), *axis);
      step *= mesh.axes[*axis].size;
    }
  }
  if (cellsOf(sharding, mesh) != grid->cells)
    return noMesh();
  return sharding;
}

llvm::Expected<Mesh> meshOfSpecs(llvm::ArrayRef<const ::onnx::ShardingSpecProto *> specs, int64_t devices) {
  std::set<int64_t> strides = {1, devices};
  for (const ::onnx::ShardingSpecProto *spec : specs) {
    llvm::Expected<Grid> grid = readGrid(*spec);
    if (!grid)
      return grid.takeError();
    for (size_t position = 0; position < grid->dims.size(); ++position) {
      // 0 s 2s ... up to where the stride changes: an axis of stride s.
      std::vector<int64_t> shifts = grid->shifts(position);
      for (size_t step = 1; step < shifts.size();) {
        int64_t run = 1, stride = shifts[step];
        while (run * step < shifts.size() && shifts[run * step] == run * stride)
          ++run;
        if (stride < 1 || run < 2)
          return specError(*spec, "its devices are in no order of a row-major mesh");
        strides.insert({stride, stride * run});
        step *= run;
      }
    }
  }
  Mesh mesh;
  for (auto inner = strides.begin(), outer = std::next(inner); outer != strides.end(); ++inner, ++outer) {
    if (*outer % *inner != 0 || *outer > devices)
      return llvm::createStringError(
          llvm::formatv("the sharding specs lie on no row-major mesh of {0} devices: they split at strides {1} and {2}",
                        devices, *inner, *outer)
              .str());
    mesh.axes.insert(mesh.axes.begin(), MeshAxis{"", *outer / *inner});
  }
  for (auto [index, axis] : llvm::enumerate(mesh.axes))
    axis.name = index < 3 ? std::string(1, "xyz"[index]) : "a" + std::to_string(index);
  return mesh;
}

} // namespace llmpar
