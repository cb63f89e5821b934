//===- CheckWindow.cpp - Rules of convolution and pooling ------------------===//
//
// Attribute lists have one number per spatial dimension, e.g. of a 2-D convolution:
//   group, stride_h, stride_w, pad_top, pad_left, pad_bottom, pad_right, dilation_h, dilation_w
//
//===----------------------------------------------------------------------===//
#include "core/CheckRecord.h"
#include "core/ShapeRules.h"

namespace llmpar::rt {
namespace {

int64_t dim(const TensorView &t, int64_t d) { return t.dims[static_cast<size_t>(d)]; }

struct Window {
  int64_t kernel, stride, padBegin, padEnd, dilation;
};

std::string checkWindow(const Window &w) {
  constexpr int64_t limit = int64_t(1) << 30;
  if (w.kernel < 1 || w.stride < 1 || w.dilation < 1 || w.padBegin < 0 || w.padEnd < 0)
    return "kernel, stride and dilation must be positive, padding not negative";
  if (w.kernel > limit || w.stride > limit || w.dilation > limit || w.padBegin > limit || w.padEnd > limit)
    return "a window attribute is above 2^30";
  return {};
}

std::string checkConv(const KernelCall &call) {
  const TensorView &x = call.inputs[0], &w = call.inputs[1], &y = call.outputs[0];
  int64_t spatial = x.rank - 2, group = call.ints[0];
  if (spatial < 1 || w.rank != x.rank || w.dtype != x.dtype || call.ints.size() != static_cast<size_t>(1 + 4 * spatial))
    return describe(x) + " convolved with " + describe(w) + " and " + std::to_string(call.ints.size()) + " numbers";
  if (group < 1 || dim(x, 1) != dim(w, 1) * group || dim(w, 0) % group != 0)
    return describe(x) + " convolved with " + describe(w) + " in " + std::to_string(group) + " groups";
  Extents shape{dim(x, 0), dim(w, 0)};
  for (int64_t d = 0; d < spatial; ++d) {
    auto at = [&](int64_t list) { return call.ints[static_cast<size_t>(1 + list * spatial + d)]; };
    Window window{dim(w, 2 + d), at(0), at(1), at(2), at(3)};
    if (std::string error = checkWindow(window); !error.empty())
      return error;
    int64_t room = dim(x, 2 + d) + window.padBegin + window.padEnd - window.dilation * (window.kernel - 1) - 1;
    shape.push_back(room < 0 ? 0 : room / window.stride + 1);
  }
  if (call.inputs.size() > 2 &&
      (call.inputs[2].rank != 1 || dim(call.inputs[2], 0) != dim(w, 0) || call.inputs[2].dtype != x.dtype))
    return "the bias is " + describe(call.inputs[2]) + ", expected " + describeShape(x.dtype, Extents{dim(w, 0)});
  return expect(y, x.dtype, shape);
}

std::string checkPool(const KernelCall &call) {
  const TensorView &x = call.inputs[0], &y = call.outputs[0];
  int64_t spatial = x.rank - 2;
  if (call.ints[0] < 0 || call.ints[0] > 2)
    return "unknown kind " + std::to_string(call.ints[0]);
  if (spatial < 1 || y.rank != x.rank || y.dtype != x.dtype || dim(x, 0) != dim(y, 0) || dim(x, 1) != dim(y, 1) ||
      call.ints.size() != static_cast<size_t>(1 + 5 * spatial))
    return describe(x) + " pooled to " + describe(y) + " with " + std::to_string(call.ints.size()) + " numbers";
  for (int64_t d = 0; d < spatial; ++d) {
    auto at = [&](int64_t list) { return call.ints[static_cast<size_t>(1 + list * spatial + d)]; };
    Window window{at(0), at(1), at(2), at(3), at(4)};
    if (std::string error = checkWindow(window); !error.empty())
      return error;
    // Rounding up may add one window; which of the two the compiler chose is in y.
    int64_t room = dim(x, 2 + d) + window.padBegin + window.padEnd - window.dilation * (window.kernel - 1) - 1;
    int64_t most = room < 0 ? 1 : room / window.stride + 2;
    if (dim(y, 2 + d) > most)
      return describe(x) + " pooled to " + describe(y) + ": dimension " + std::to_string(2 + d) + " has room for " +
             std::to_string(most) + " windows";
  }
  return {};
}

} // namespace

std::string checkWindowKernel(KernelId kernel, const KernelCall &call) {
  return kernel == KernelId::conv ? checkConv(call) : checkPool(call);
}

} // namespace llmpar::rt
