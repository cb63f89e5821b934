//===- Reshard.cpp - From one sharding to another ---------------------------===//
#include "llmpar/Core/Reshard.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/FormatVariadic.h"

namespace llmpar {
namespace {

/// The first `count` axes of a dimension, normalized.
DimSharding prefix(const DimSharding &dim, size_t count, int64_t size, const Mesh &mesh) {
  Sharding sharding;
  sharding.dims.push_back({llvm::SmallVector<AxisId, 2>(llvm::ArrayRef(dim.axes).take_front(count)), dim.unit});
  if (count == 0)
    sharding.dims[0].unit = 1;
  normalize(sharding, {size}, mesh);
  return sharding.dims[0];
}

struct Planner {
  const Sharding &to;
  llvm::ArrayRef<int64_t> shape;
  const Mesh &mesh;
  Sharding current;
  llvm::SmallVector<ReshardStep> steps;

  /// True if dimension `dim` is now a prefix of what it shall be, and `axis` comes next.
  bool isNext(int dim, AxisId axis) const {
    size_t count = current.dims[dim].axes.size();
    return count < to.dims[dim].axes.size() && to.dims[dim].axes[count] == axis && isPrefix(dim);
  }
  bool isPrefix(int dim) const {
    size_t count = current.dims[dim].axes.size();
    return count <= to.dims[dim].axes.size() &&
           current.dims[dim] == prefix(to.dims[dim], count, shape[dim], mesh);
  }
  void enter(int dim, AxisId axis) {
    current.dims[dim].axes.push_back(axis);
    current.dims[dim].unit = to.dims[dim].unit;
  }
  void leave(int dim) {
    current.dims[dim] = prefix(current.dims[dim], current.dims[dim].axes.size() - 1, shape[dim], mesh);
  }
  void emit(ReshardStep step) {
    normalize(current, shape, mesh);
    step.after = current;
    steps.push_back(std::move(step));
  }

  void reducePartials() {
    for (PartialAxis partial : llvm::to_vector(current.partial)) {
      if (llvm::is_contained(to.partial, partial))
        continue;
      llvm::erase(current.partial, partial);
      int dim = to.dimOfAxis(partial.axis);
      if (dim >= 0 && isNext(dim, partial.axis)) {
        enter(dim, partial.axis);
        emit({ReshardKind::ReduceScatter, partial.axis, dim, -1, partial.reduction, {}});
      } else {
        emit({ReshardKind::AllReduce, partial.axis, -1, -1, partial.reduction, {}});
      }
    }
  }
  void removeAxes() {
    for (int dim = 0, rank = static_cast<int>(shape.size()); dim < rank; ++dim)
      while (!isPrefix(dim)) {
        AxisId axis = current.dims[dim].axes.back();
        leave(dim);
        int target = to.dimOfAxis(axis);
        if (target >= 0 && target != dim && isNext(target, axis)) {
          enter(target, axis);
          emit({ReshardKind::AllToAll, axis, target, dim, FactorKind::Sum, {}});
        } else {
          emit({ReshardKind::AllGather, axis, dim, -1, FactorKind::Sum, {}});
        }
      }
  }
  void addAxes() {
    for (int dim = 0, rank = static_cast<int>(shape.size()); dim < rank; ++dim)
      while (current.dims[dim].axes.size() < to.dims[dim].axes.size()) {
        AxisId axis = to.dims[dim].axes[current.dims[dim].axes.size()];
        enter(dim, axis);
        emit({ReshardKind::AllSlice, axis, dim, -1, FactorKind::Sum, {}});
      }
  }
};

} // namespace

llvm::Expected<llvm::SmallVector<ReshardStep>> planReshard(const Sharding &from, const Sharding &to,
                                                           llvm::ArrayRef<int64_t> shape, const Mesh &mesh) {
  for (const PartialAxis &partial : to.partial)
    if (!llvm::is_contained(from.partial, partial))
      return llvm::createStringError(
          llvm::formatv("cannot make a value partial over axis '{0}'", mesh.axes[partial.axis].name).str());
  Planner planner{to, shape, mesh, from, {}};
  planner.reducePartials();
  planner.removeAxes();
  planner.addAxes();
  return std::move(planner.steps);
}

double reshardBytes(llvm::ArrayRef<ReshardStep> steps, const Sharding &from, llvm::ArrayRef<int64_t> shape,
                    int64_t elementBytes, const Mesh &mesh) {
  auto bytesOf = [&](const Sharding &sharding) {
    double bytes = static_cast<double>(elementBytes);
    for (int64_t size : localShape(sharding, shape, mesh))
      bytes *= static_cast<double>(size);
    return bytes;
  };
  double total = 0;
  const Sharding *before = &from;
  for (const ReshardStep &step : steps) {
    double n = static_cast<double>(mesh.axes[step.axis].size), fraction = (n - 1) / n;
    switch (step.kind) {
    case ReshardKind::AllReduce:
      total += 2 * fraction * bytesOf(*before);
      break;
    case ReshardKind::ReduceScatter:
    case ReshardKind::AllToAll:
      total += fraction * bytesOf(*before);
      break;
    case ReshardKind::AllGather:
      total += fraction * bytesOf(step.after);
      break;
    case ReshardKind::AllSlice:
      break;
    }
    before = &step.after;
  }
  return total;
}

} // namespace llmpar
