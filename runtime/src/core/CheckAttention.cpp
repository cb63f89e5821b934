//===- CheckAttention.cpp - Rules of attention and its gradient ------------===//
#include "core/CheckRecord.h"
#include "core/ShapeRules.h"

namespace llmpar::rt {

static bool divides(int64_t a, int64_t b) { return a == b || (a > 0 && b % a == 0); }

std::string checkAttention(KernelId kernel, const KernelCall &call) {
  const TensorView &q = call.inputs[0], &k = call.inputs[1], &v = call.inputs[2];
  if (!isFloat(q.dtype) || k.dtype != q.dtype || v.dtype != q.dtype || q.rank < 2 || k.rank != q.rank ||
      v.rank != q.rank)
    return "operands are " + describe(q) + ", " + describe(k) + " and " + describe(v) +
           ": one float type and one rank of two or more expected";
  auto lead = static_cast<size_t>(q.rank - 2);
  bool transposes = call.ints[1] != 0;
  int64_t keys = k.dims[lead + (transposes ? 1 : 0)], width = k.dims[lead + (transposes ? 0 : 1)];
  bool fits = width == q.dims[lead + 1] && keys == v.dims[lead];
  for (size_t d = 0; d < lead; ++d) {
    auto [few, many] = std::minmax(k.dims[d], v.dims[d]);
    fits = fits && divides(few, many) && divides(many, q.dims[d]);
  }
  if (!fits)
    return "keys " + describe(k) + " and values " + describe(v) + " do not fit queries " + describe(q);

  Extents rows(q.shape().begin(), q.shape().end() - 1), scores = rows, y = rows;
  scores.push_back(keys);
  y.push_back(v.dims[lead + 1]);
  bool isGradient = kernel == KernelId::attention_grad;
  for (const TensorView &mask : call.inputs.subspan(isGradient ? 6 : 3)) {
    Extents shape;
    if ((mask.dtype != DType::Bool && !isFloat(mask.dtype)) || !broadcastShapes(scores, mask.shape(), shape) ||
        shape != scores)
      return "mask " + describe(mask) + " does not broadcast to " + describeShape(q.dtype, scores);
  }
  DType lse = q.dtype == DType::F64 ? DType::F64 : DType::F32;
  if (!isGradient) {
    std::string error = expect(call.outputs[0], q.dtype, y);
    return error.empty() ? expect(call.outputs[1], lse, rows) : error;
  }
  for (auto [tensor, dtype, shape] :
       {std::tuple(&call.inputs[3], q.dtype, &y), {&call.inputs[4], lse, &rows}, {&call.inputs[5], q.dtype, &y}})
    if (!expect(*tensor, dtype, *shape).empty())
      return "y, lse or dy is " + describe(*tensor) + ", expected " + describeShape(dtype, *shape);
  for (size_t i = 0; i < 3; ++i)
    if (std::string error = expect(call.outputs[i], q.dtype, call.inputs[i].shape()); !error.empty())
      return error;
  return {};
}

} // namespace llmpar::rt
