//===- Windows.cpp - ONNX convolution and pooling -------------------------===//
#include "Handlers.h"

using namespace mlir;

namespace llmpar {
namespace {

struct Window {
  Ints kernel, strides, begin, end, dilations;
};

/// Attributes of a sliding window over the spatial dimensions of x (N C spatial..), pads made explicit.
Window readWindow(NodeImporter &n, Value x, Ints kernel) {
  size_t spatial = kernel.size();
  Window window{kernel, n.integers("strides").value_or(Ints(spatial, 1)), Ints(spatial, 0), Ints(spatial, 0),
                n.integers("dilations").value_or(Ints(spatial, 1))};
  Ints pads = n.integers("pads").value_or(Ints(2 * spatial, 0));
  if (n.rank(x) != static_cast<int64_t>(spatial) + 2 || window.strides.size() != spatial ||
      window.dilations.size() != spatial || pads.size() != 2 * spatial || llvm::is_contained(window.strides, 0)) {
    n.error("kernel_shape, strides, dilations and pads do not fit the input's rank");
    return window;
  }
  enum Mode : size_t { NotSet, Valid, SameUpper, SameLower };
  size_t mode = n.choice("auto_pad", {"NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"});
  bool ceil = n.integer("ceil_mode", 0) != 0;
  for (size_t i = 0; i < spatial; ++i) {
    int64_t extent = n.dim(x, static_cast<int64_t>(i) + 2), stride = window.strides[i];
    int64_t reach = (kernel[i] - 1) * window.dilations[i] + 1;
    if (mode == NotSet) {
      window.begin[i] = pads[i], window.end[i] = pads[i + spatial];
    } else if (mode != Valid) {
      int64_t total = std::max<int64_t>(((extent + stride - 1) / stride - 1) * stride + reach - extent, 0);
      window.begin[i] = mode == SameLower ? (total + 1) / 2 : total / 2;
      window.end[i] = total - window.begin[i];
    }
    if (!ceil)
      continue;
    // One more window, if it starts inside the input or the pad before it.
    int64_t room = extent + window.begin[i] + window.end[i] - reach;
    int64_t steps = (room + stride - 1) / stride;
    if (steps * stride >= extent + window.begin[i])
      --steps;
    window.end[i] += std::max<int64_t>(steps * stride - room, 0);
  }
  return window;
}

Ints spatialAxes(NodeImporter &n, Value x) {
  Ints axes;
  for (int64_t i = 2; i < n.rank(x); ++i)
    axes.push_back(i);
  return axes;
}

} // namespace

void importConv(NodeImporter &n) {
  Value x = n.input(0), w = n.input(1);
  if (n.failed())
    return;
  Ints kernel(n.shape(w).drop_front(std::min<size_t>(2, n.rank(w))));
  if (std::optional<Ints> given = n.integers("kernel_shape"); given && *given != kernel)
    return void(n.error("kernel_shape is not that of its weight"));
  Window window = readWindow(n, x, kernel);
  llvm::SmallVector<Value> operands{x, w};
  if (n.has(2))
    operands.push_back(n.input(2));
  n.result(0, n.emit<ConvOp>(operands, {n.named("group", n.integer("group", 1)), n.named("strides", window.strides),
                                        n.named("pads_begin", window.begin), n.named("pads_end", window.end),
                                        n.named("dilations", window.dilations)}));
}

void importPool(NodeImporter &n) {
  Value x = n.input(0);
  Window window = readWindow(n, x, n.integers("kernel_shape").value_or(Ints()));
  bool counted = n.integer("count_include_pad", 0) != 0;
  if (n.kind == "mean" && counted && n.integer("ceil_mode", 0) != 0)
    n.error("count_include_pad with ceil_mode is not supported");
  if (n.wants(1))
    n.error("the indices output is not supported");
  int64_t kind = n.kind == "max" ? 0 : counted ? 2 : 1;
  n.result(0, n.emit<PoolOp>({x}, {n.named("kind", kind), n.named("kernel", window.kernel),
                                   n.named("strides", window.strides), n.named("pads_begin", window.begin),
                                   n.named("pads_end", window.end), n.named("dilations", window.dilations)}));
}

void importGlobalPool(NodeImporter &n) {
  Value x = n.input(0);
  Ints axes = spatialAxes(n, x);
  n.result(0, n.kind == "max" ? n.reduce("max", x, axes) : n.mean(x, axes));
}

} // namespace llmpar
