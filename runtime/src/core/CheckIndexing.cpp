//===- CheckIndexing.cpp - Rules of kernels that move or index data --------===//
#include "core/CheckRecord.h"
#include "core/ShapeRules.h"

namespace llmpar::rt {
namespace {

using Rule = std::string (*)(const KernelCall &call);

bool isInteger(DType dtype) { return !isFloat(dtype) && dtype != DType::Bool; }
int64_t dim(const TensorView &t, int64_t d) { return t.dims[static_cast<size_t>(d)]; }
void append(Extents &dims, const TensorView &t, int64_t begin, int64_t end) {
  for (int64_t d = begin; d < end; ++d)
    dims.push_back(dim(t, d));
}

std::string checkIndices(const TensorView &indices) {
  return isInteger(indices.dtype) ? std::string() : "indices are " + describe(indices) + ": an integer type expected";
}

std::string checkGather(const KernelCall &call) {
  const TensorView &data = call.inputs[0], &indices = call.inputs[1];
  int64_t axis = call.ints[0], offset = call.ints[1], size = call.ints[2];
  if (std::string error = expectAxis(axis, data); !error.empty())
    return error;
  if (offset < 0 || size < 0 || (dim(data, axis) > 0 && offset + dim(data, axis) > size))
    return "holds [" + std::to_string(offset) + ", +" + std::to_string(dim(data, axis)) + ") of " +
           std::to_string(size) + " rows";
  Extents shape;
  append(shape, data, 0, axis);
  append(shape, indices, 0, indices.rank);
  append(shape, data, axis + 1, data.rank);
  std::string error = checkIndices(indices);
  return error.empty() ? expect(call.outputs[0], data.dtype, shape) : error;
}

/// gather_elements and scatter_elements: `indices` is no larger than `data` outside the axis.
std::string checkElements(const TensorView &data, const TensorView &indices, int64_t axis) {
  if (std::string error = expectAxis(axis, data); !error.empty())
    return error;
  if (indices.rank != data.rank)
    return describe(indices) + " indexes " + describe(data) + ": ranks differ";
  for (int64_t d = 0; d < data.rank; ++d)
    if (d != axis && dim(indices, d) > dim(data, d))
      return describe(indices) + " indexes " + describe(data) + ": dimension " + std::to_string(d) + " is larger";
  return checkIndices(indices);
}

std::string checkGatherElements(const KernelCall &call) {
  if (std::string error = checkElements(call.inputs[0], call.inputs[1], call.ints[0]); !error.empty())
    return error;
  return expect(call.outputs[0], call.inputs[0].dtype, call.inputs[1].shape());
}

std::string checkReduction(int64_t reduction) {
  return reduction >= 0 && reduction <= 4 ? std::string() : "unknown reduction " + std::to_string(reduction);
}

std::string checkScatterElements(const KernelCall &call) {
  const TensorView &data = call.inputs[0], &indices = call.inputs[1], &updates = call.inputs[2];
  for (const std::string &error : {checkElements(data, indices, call.ints[0]), checkReduction(call.ints[1])})
    if (!error.empty())
      return error;
  if (updates.dtype != data.dtype || !std::ranges::equal(updates.shape(), indices.shape()))
    return "updates are " + describe(updates) + ", expected " + describeShape(data.dtype, indices.shape());
  return expect(call.outputs[0], data.dtype, data.shape());
}

/// The shape that `indices` (last dimension: coordinates after `batch` dims) selects from `data`.
std::string selectedShape(const TensorView &data, const TensorView &indices, int64_t batch, Extents &shape) {
  if (indices.rank < 1 || batch < 0 || batch >= indices.rank || batch > data.rank)
    return describe(indices) + " indexes " + describe(data) + " with " + std::to_string(batch) + " batch dimensions";
  int64_t coordinates = dim(indices, indices.rank - 1);
  if (coordinates < 1 || coordinates > data.rank - batch)
    return describe(indices) + " has " + std::to_string(coordinates) + " coordinates for " + describe(data);
  for (int64_t d = 0; d < batch; ++d)
    if (dim(data, d) != dim(indices, d))
      return describe(indices) + " indexes " + describe(data) + ": batch dimensions differ";
  append(shape, indices, 0, indices.rank - 1);
  append(shape, data, batch + coordinates, data.rank);
  return checkIndices(indices);
}

std::string checkGatherNd(const KernelCall &call) {
  Extents shape;
  if (std::string error = selectedShape(call.inputs[0], call.inputs[1], call.ints[0], shape); !error.empty())
    return error;
  return expect(call.outputs[0], call.inputs[0].dtype, shape);
}

std::string checkScatterNd(const KernelCall &call) {
  const TensorView &data = call.inputs[0], &updates = call.inputs[2];
  Extents shape;
  for (const std::string &error : {selectedShape(data, call.inputs[1], 0, shape), checkReduction(call.ints[0])})
    if (!error.empty())
      return error;
  if (updates.dtype != data.dtype || !std::ranges::equal(updates.shape(), shape))
    return "updates are " + describe(updates) + ", expected " + describeShape(data.dtype, shape);
  return expect(call.outputs[0], data.dtype, data.shape());
}

std::string checkTranspose(const KernelCall &call) {
  const TensorView &x = call.inputs[0];
  std::array<bool, maxRank> seen{};
  Extents shape;
  for (int64_t axis : call.ints) {
    if (std::string error = expectAxis(axis, x); !error.empty())
      return error;
    if (std::exchange(seen[static_cast<size_t>(axis)], true))
      return "the permutation names axis " + std::to_string(axis) + " twice";
    shape.push_back(dim(x, axis));
  }
  if (shape.size() != static_cast<size_t>(x.rank))
    return "a permutation of " + std::to_string(shape.size()) + " axes for " + describe(x);
  return expect(call.outputs[0], x.dtype, shape);
}

std::string checkReshape(const KernelCall &call) {
  const TensorView &x = call.inputs[0], &y = call.outputs[0];
  return x.dtype == y.dtype && x.elements() == y.elements() ? std::string()
                                                            : describe(x) + " cannot become " + describe(y);
}

std::string checkBroadcast(const KernelCall &call) {
  const TensorView &x = call.inputs[0], &y = call.outputs[0];
  Extents shape;
  if (x.rank > y.rank || !broadcastShapes(x.shape(), y.shape(), shape))
    return describe(x) + " does not broadcast to " + describe(y);
  return expect(y, x.dtype, shape);
}

std::string checkSlice(const KernelCall &call) {
  const TensorView &x = call.inputs[0], &y = call.outputs[0];
  if (call.ints.size() != 2 * static_cast<size_t>(x.rank) || x.rank != y.rank || x.dtype != y.dtype)
    return describe(x) + " sliced to " + describe(y) + " with " + std::to_string(call.ints.size()) + " numbers";
  for (int64_t d = 0; d < x.rank; ++d) {
    int64_t start = call.ints[static_cast<size_t>(d)], step = call.ints[static_cast<size_t>(x.rank + d)];
    if (y.elements() == 0)
      continue;
    if (step > (int64_t(1) << 31) || step < -(int64_t(1) << 31) || dim(y, d) > (int64_t(1) << 31))
      return "step " + std::to_string(step) + " is out of range";
    int64_t last = start + (dim(y, d) - 1) * step;
    if (step == 0 || start < 0 || start >= dim(x, d) || last < 0 || last >= dim(x, d))
      return "dimension " + std::to_string(d) + ": start " + std::to_string(start) + ", step " + std::to_string(step) +
             ", " + std::to_string(dim(y, d)) + " elements leave extent " + std::to_string(dim(x, d));
  }
  return {};
}

/// What the slice read, the gradient writes.
std::string checkSliceGrad(const KernelCall &call) { return checkSlice({call.outputs, call.inputs, call.ints, call.floats}); }

std::string checkConcat(const KernelCall &call) {
  const TensorView &first = call.inputs[0];
  int64_t axis = call.ints[0], total = 0;
  if (std::string error = expectAxis(axis, first); !error.empty())
    return error;
  for (const TensorView &input : call.inputs) {
    if (input.dtype != first.dtype || input.rank != first.rank)
      return describe(input) + " beside " + describe(first);
    for (int64_t d = 0; d < first.rank; ++d)
      if (d != axis && dim(input, d) != dim(first, d))
        return describe(input) + " beside " + describe(first) + ": dimension " + std::to_string(d) + " differs";
    total += dim(input, axis);
  }
  Extents shape(first.shape().begin(), first.shape().end());
  shape[static_cast<size_t>(axis)] = total;
  return expect(call.outputs[0], first.dtype, shape);
}

std::string checkPad(const KernelCall &call) {
  const TensorView &x = call.inputs[0], &y = call.outputs[0];
  int64_t mode = call.ints[0];
  if (mode < 0 || mode > 3)
    return "unknown mode " + std::to_string(mode);
  if (call.ints.size() != 1 + static_cast<size_t>(x.rank) || x.rank != y.rank || x.dtype != y.dtype)
    return describe(x) + " padded to " + describe(y) + " with " + std::to_string(call.ints.size() - 1) + " numbers";
  for (int64_t d = 0; d < x.rank; ++d) {
    int64_t low = call.ints[static_cast<size_t>(1 + d)], high = dim(y, d) - dim(x, d) - low;
    if (low < 0)
      return "negative padding " + std::to_string(low);
    if (mode == 0 || y.elements() == 0)
      continue;
    int64_t limit = mode == 1 ? dim(x, d) - 1 : int64_t(1) << 46;
    if (dim(x, d) == 0 || high < 0 || low > limit || high > limit)
      return "dimension " + std::to_string(d) + ": " + describe(x) + " cannot be padded by " + std::to_string(low) +
             " and " + std::to_string(high) + " in mode " + std::to_string(mode);
  }
  return {};
}

std::string checkIota(const KernelCall &call) {
  const TensorView &y = call.outputs[0];
  return y.dtype == DType::Bool ? "iota of type i1" : expectAxis(call.ints[0], y);
}

std::string checkTopK(const KernelCall &call) {
  const TensorView &x = call.inputs[0], &values = call.outputs[0];
  int64_t axis = call.ints[0];
  if (std::string error = expectAxis(axis, x); !error.empty())
    return error;
  if (values.rank != x.rank || dim(values, axis) > dim(x, axis))
    return "top " + describe(values) + " of " + describe(x);
  Extents shape(x.shape().begin(), x.shape().end());
  shape[static_cast<size_t>(axis)] = dim(values, axis);
  std::string error = expect(values, x.dtype, shape);
  return error.empty() ? expect(call.outputs[1], DType::I64, shape) : error;
}

std::string checkArgReduce(const KernelCall &call) {
  const TensorView &x = call.inputs[0], &y = call.outputs[0];
  int64_t axis = call.ints[0];
  if (std::string error = expectAxis(axis, x); !error.empty())
    return error;
  Extents shape(x.shape().begin(), x.shape().end());
  if (call.ints[1])
    shape[static_cast<size_t>(axis)] = 1;
  else
    shape.erase(shape.begin() + axis);
  if (dim(x, axis) == 0 && y.elements() > 0)
    return "the largest of no elements: " + describe(x);
  return expect(y, DType::I64, shape);
}

struct NamedRule {
  KernelId kernel;
  Rule rule;
};
constexpr NamedRule rules[] = {
    {KernelId::gather, checkGather},
    {KernelId::gather_elements, checkGatherElements},
    {KernelId::gather_nd, checkGatherNd},
    {KernelId::scatter_elements, checkScatterElements},
    {KernelId::scatter_nd, checkScatterNd},
    {KernelId::transpose, checkTranspose},
    {KernelId::reshape, checkReshape},
    {KernelId::broadcast, checkBroadcast},
    {KernelId::slice, checkSlice},
    {KernelId::slice_grad, checkSliceGrad},
    {KernelId::concat, checkConcat},
    {KernelId::pad, checkPad},
    {KernelId::iota, checkIota},
    {KernelId::top_k, checkTopK},
    {KernelId::arg_reduce, checkArgReduce},
};

} // namespace

std::string checkIndexingKernel(KernelId kernel, const KernelCall &call) {
  for (const NamedRule &rule : rules)
    if (rule.kernel == kernel)
      return rule.rule(call);
  return "kernel '" + std::string(kernelName(kernel)) + "' has no rule in CheckRecord";
}

} // namespace llmpar::rt
