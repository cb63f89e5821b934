//===- Sharding.cpp - How a tensor lies on a mesh ---------------------------===//
#include "llmpar/Core/Sharding.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FormatVariadic.h"
#include <numeric>

namespace llmpar {

int64_t Mesh::ranks() const {
  int64_t count = 1;
  for (const MeshAxis &axis : axes)
    count *= axis.size;
  return count;
}

AxisId Mesh::find(llvm::StringRef name) const {
  for (auto [id, axis] : llvm::enumerate(axes))
    if (axis.name == name)
      return static_cast<AxisId>(id);
  return -1;
}

int64_t Mesh::stride(AxisId axis) const {
  int64_t stride = 1;
  for (const MeshAxis &inner : llvm::drop_begin(axes, axis + 1))
    stride *= inner.size;
  return stride;
}

int64_t Mesh::coordinate(int64_t rank, AxisId axis) const { return rank / stride(axis) % axes[axis].size; }

llvm::SmallVector<int64_t> Mesh::group(int64_t rank, AxisId axis) const {
  llvm::SmallVector<int64_t> members;
  int64_t between = stride(axis), first = rank - coordinate(rank, axis) * between;
  for (int64_t i = 0; i < axes[axis].size; ++i)
    members.push_back(first + i * between);
  return members;
}

llvm::Expected<Mesh> Mesh::parse(llvm::StringRef text) {
  auto fail = [&](const std::string &why) {
    return llvm::createStringError(
        llvm::formatv("mesh '{0}': {1}; write axes as name=size, e.g. --mesh dp=2,tp=4", text, why).str());
  };
  Mesh mesh;
  llvm::SmallVector<llvm::StringRef> parts;
  text.split(parts, ',', -1, /*KeepEmpty=*/false);
  for (llvm::StringRef part : parts) {
    auto [name, size] = part.trim().split('=');
    MeshAxis axis{name.trim().str(), 0};
    if (axis.name.empty() || !llvm::all_of(axis.name, [](char c) { return llvm::isAlnum(c) || c == '_'; }))
      return fail(llvm::formatv("'{0}' is not an axis name", name).str());
    if (size.trim().getAsInteger(10, axis.size) || axis.size < 1)
      return fail(llvm::formatv("axis '{0}' has size '{1}', not a positive number", name, size).str());
    if (mesh.find(axis.name) >= 0)
      return fail(llvm::formatv("axis '{0}' occurs twice", name).str());
    mesh.axes.push_back(axis);
    if (axis.size > 65536 || mesh.ranks() > 65536)
      return fail("more than 65536 ranks");
  }
  return mesh;
}

std::string Mesh::str() const {
  return llvm::join(llvm::map_range(axes, [](const MeshAxis &a) { return a.name + "=" + std::to_string(a.size); }), ",");
}

Sharding Sharding::replicated(size_t rank) {
  Sharding sharding;
  sharding.dims.resize(rank);
  return sharding;
}

bool Sharding::isReplicated() const {
  return partial.empty() && llvm::all_of(dims, [](const DimSharding &dim) { return dim.axes.empty(); });
}

int Sharding::dimOfAxis(AxisId axis) const {
  for (auto [id, dim] : llvm::enumerate(dims))
    if (llvm::is_contained(dim.axes, axis))
      return static_cast<int>(id);
  return -1;
}

bool Sharding::usesAxis(AxisId axis) const {
  return dimOfAxis(axis) >= 0 || llvm::any_of(partial, [&](const PartialAxis &p) { return p.axis == axis; });
}

int64_t partsOf(const DimSharding &dim, const Mesh &mesh) {
  int64_t parts = 1;
  for (AxisId axis : dim.axes)
    parts *= mesh.axes[axis].size;
  return parts;
}

/// Range of one cell of the axes' coordinate space; `cell` counts row-major, major axis first.
static ShardRange cellRange(const DimSharding &dim, int64_t size, const Mesh &mesh, int64_t cell) {
  int64_t cells = partsOf(dim, mesh);
  ShardRange range{0, size};
  for (AxisId axis : dim.axes) {
    cells /= mesh.axes[axis].size;
    ShardRange inner = shardRange(range.size(), dim.unit, mesh.axes[axis].size, cell / cells % mesh.axes[axis].size);
    range = {range.begin + inner.begin, range.begin + inner.end};
  }
  return range;
}

/// The smallest unit that gives the same shards. It divides every boundary between two of them.
static int64_t smallestUnit(const DimSharding &dim, int64_t size, const Mesh &mesh) {
  int64_t cells = partsOf(dim, mesh), divisor = 0;
  if (size % (cells * dim.unit) == 0) // an even split: the usual case, and on thousands of ranks
    return 1;
  for (int64_t cell = 0; cell < cells; ++cell)
    if (int64_t end = cellRange(dim, size, mesh, cell).end; end < size)
      divisor = std::gcd(divisor, end);
  if (divisor == 0) // the first shard is the whole
    divisor = size;
  auto sameShards = [&](int64_t unit) {
    DimSharding other{dim.axes, unit};
    for (int64_t cell = 0; cell < cells; ++cell) {
      ShardRange a = cellRange(dim, size, mesh, cell), b = cellRange(other, size, mesh, cell);
      if (a.begin != b.begin || a.end != b.end)
        return false;
    }
    return true;
  };
  for (int64_t unit = 1; unit <= divisor; ++unit)
    if (divisor % unit == 0 && sameShards(unit))
      return unit;
  return size == 0 ? 1 : dim.unit;
}

void normalize(Sharding &sharding, llvm::ArrayRef<int64_t> shape, const Mesh &mesh) {
  for (auto [dim, size] : llvm::zip(sharding.dims, shape)) {
    llvm::erase_if(dim.axes, [&](AxisId axis) { return mesh.axes[axis].size == 1; });
    if (dim.unit != 1)
      dim.unit = smallestUnit(dim, size, mesh);
  }
  llvm::erase_if(sharding.partial, [&](const PartialAxis &p) { return mesh.axes[p.axis].size == 1; });
  llvm::sort(sharding.partial, [](const PartialAxis &a, const PartialAxis &b) { return a.axis < b.axis; });
}

ShardRange shardOf(const DimSharding &dim, int64_t size, const Mesh &mesh, int64_t rank) {
  int64_t cell = 0;
  for (AxisId axis : dim.axes)
    cell = cell * mesh.axes[axis].size + mesh.coordinate(rank, axis);
  return cellRange(dim, size, mesh, cell);
}

Shape localShape(const Sharding &sharding, llvm::ArrayRef<int64_t> shape, const Mesh &mesh) {
  Shape local(shape);
  for (auto [size, dim] : llvm::zip(local, sharding.dims))
    for (AxisId axis : dim.axes)
      size = shardCeil(size, dim.unit, mesh.axes[axis].size);
  return local;
}

Shape validShape(const Sharding &sharding, llvm::ArrayRef<int64_t> shape, const Mesh &mesh, int64_t rank) {
  Shape local(shape);
  for (auto [size, dim] : llvm::zip(local, sharding.dims))
    size = shardOf(dim, size, mesh, rank).size();
  return local;
}

} // namespace llmpar
