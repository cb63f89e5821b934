//===- Layout.cpp - ONNX operators that move elements ---------------------===//
#include "Handlers.h"

using namespace mlir;

namespace llmpar {

void importTranspose(NodeImporter &n) {
  Value x = n.input(0);
  Ints permutation;
  for (int64_t i = n.rank(x) - 1; i >= 0; --i)
    permutation.push_back(i);
  if (std::optional<Ints> given = n.integers("perm"))
    permutation = n.normalizeAxes(*given, n.rank(x));
  if (!n.failed() && static_cast<int64_t>(permutation.size()) != n.rank(x))
    n.error("perm has " + Twine(permutation.size()) + " entries for " + Twine(n.rank(x)) + " dimensions");
  n.result(0, n.transpose(x, permutation));
}

void importConcat(NodeImporter &n) {
  llvm::SmallVector<Value> values;
  for (size_t i = 0; i < n.numInputs(); ++i)
    values.push_back(n.input(i));
  if (n.failed() || values.empty())
    return;
  n.result(0, n.concat(values, n.axis("axis", 0, n.rank(values.front()))));
}

namespace {
struct SliceBounds {
  int64_t start = 0, size = 0, step = 1;
};
/// numpy's x[start:end:step] on an extent.
SliceBounds resolveSlice(int64_t start, int64_t end, int64_t step, int64_t extent) {
  auto fromEnd = [&](int64_t i) { return i < 0 ? (i < -extent ? int64_t(-1) : i + extent) : i; };
  bool startBelow = start < -extent, endBelow = end < -extent;
  start = fromEnd(start), end = fromEnd(end);
  if (step > 0) {
    start = startBelow ? 0 : std::min(start, extent);
    end = endBelow ? 0 : std::min(end, extent);
  } else {
    start = std::min(start, extent - 1);
    end = std::min(end, extent - 1);
  }
  int64_t distance = step > 0 ? end - start : start - end, stride = step > 0 ? step : -step;
  int64_t size = distance <= 0 ? 0 : (distance + stride - 1) / stride;
  return {size == 0 ? 0 : start, size, size == 0 ? 1 : step};
}
} // namespace

void importSlice(NodeImporter &n) {
  Value x = n.input(0);
  int64_t rank = n.rank(x);
  bool attributes = n.hasAttribute("starts");
  Ints starts = attributes ? *n.integers("starts") : n.requireIntegers(1, "starts");
  Ints ends = attributes ? n.integers("ends").value_or(Ints()) : n.requireIntegers(2, "ends");
  Ints axes, steps;
  if (attributes && n.hasAttribute("axes"))
    axes = *n.integers("axes");
  else if (!attributes && n.has(3))
    axes = n.requireIntegers(3, "axes");
  else
    axes.assign(llvm::seq<int64_t>(0, static_cast<int64_t>(starts.size())).begin(),
                llvm::seq<int64_t>(0, static_cast<int64_t>(starts.size())).end());
  steps = !attributes && n.has(4) ? n.requireIntegers(4, "steps") : Ints(starts.size(), 1);
  if (n.failed())
    return;
  if (ends.size() != starts.size() || axes.size() != starts.size() || steps.size() != starts.size())
    return void(n.error("starts, ends, axes and steps differ in length"));
  Ints from(rank, 0), sizes(n.shape(x)), by(rank, 1);
  axes = n.normalizeAxes(axes, rank);
  for (size_t i = 0; i < starts.size(); ++i) {
    int64_t axis = axes[i];
    if (!n.failed() && steps[i] == 0)
      n.error("step 0");
    if (n.failed())
      return;
    SliceBounds bounds = resolveSlice(starts[i], ends[i], steps[i], n.dim(x, axis));
    from[axis] = bounds.start, sizes[axis] = bounds.size, by[axis] = bounds.step;
  }
  n.result(0, n.slice(x, from, sizes, by));
}

void importSplit(NodeImporter &n) {
  Value x = n.input(0);
  int64_t axis = n.axis("axis", 0, n.rank(x)), extent = n.dim(x, axis);
  int64_t parts = n.integer("num_outputs", n.node.output_size());
  std::optional<Ints> sizes = n.integersFrom("split", 1);
  if (sizes && n.hasAttribute("num_outputs"))
    n.error("split and num_outputs exclude each other");
  if (!sizes && n.opset < 18 && parts > 0 && extent % parts != 0)
    n.error(Twine(parts) + " equal parts do not divide " + Twine(extent) + ": give their sizes");
  if (int64_t given = sizes ? static_cast<int64_t>(sizes->size()) : parts; given != n.node.output_size())
    n.error("makes " + Twine(given) + " parts for " + Twine(n.node.output_size()) + " outputs");
  if (n.failed())
    return;
  if (!sizes) { // equal parts, the last one is smaller if need be
    int64_t size = (extent + parts - 1) / parts;
    sizes.emplace();
    for (int64_t begin = 0, i = 0; i < parts; ++i, begin += size)
      sizes->push_back(std::clamp<int64_t>(extent - begin, 0, size));
  }
  int64_t begin = 0, total = 0;
  for (int64_t size : *sizes)
    total = size < 0 || total > extent ? -1 : total + size;
  if (total != extent)
    return void(n.error("its parts do not add up to " + Twine(extent)));
  for (auto [i, size] : llvm::enumerate(*sizes)) {
    n.result(i, n.sliceAxis(x, axis, begin, size));
    begin += size;
  }
}

// [d] repeated r times is [1, d] broadcast to [r, d], reshaped to [r d].
void importTile(NodeImporter &n) {
  Value x = n.input(0);
  Ints repeats = n.requireIntegers(1, "repeats");
  if (n.failed())
    return;
  if (static_cast<int64_t>(repeats.size()) != n.rank(x))
    return void(n.error("needs one repeat per dimension"));
  Ints split, tiled, joined;
  for (auto [i, repeat] : llvm::enumerate(repeats)) {
    int64_t extent = n.dim(x, static_cast<int64_t>(i));
    if (repeat != 1) {
      split.push_back(1);
      tiled.push_back(repeat);
    }
    split.push_back(extent);
    tiled.push_back(extent);
    joined.push_back(extent * repeat);
  }
  n.result(0, n.reshape(n.broadcast(n.reshape(x, split), tiled), joined));
}

void importPad(NodeImporter &n) {
  Value x = n.input(0);
  int64_t rank = n.rank(x);
  bool attributes = n.hasAttribute("pads");
  Ints pads = attributes ? *n.integers("pads") : n.requireIntegers(1, "pads");
  double value = attributes ? n.real("value", 0) : n.has(2) ? n.requireReal(2, "value") : 0;
  Ints axes;
  if (!attributes && n.has(3))
    axes = n.requireIntegers(3, "axes");
  else
    for (int64_t i = 0; i < rank; ++i)
      axes.push_back(i);
  auto mode = static_cast<int64_t>(n.choice("mode", {"constant", "reflect", "edge", "wrap"}));
  if (mode == 3 && n.opset < 19)
    n.error("mode 'wrap' came with opset 19");
  axes = n.normalizeAxes(axes, rank);
  if (!n.failed() && pads.size() != 2 * axes.size())
    n.error("needs two pads per axis");
  if (n.failed())
    return;
  Ints low(rank, 0), high(rank, 0), begin(rank, 0), sizes(n.shape(x));
  for (auto [i, axis] : llvm::enumerate(axes))
    low[axis] = pads[i], high[axis] = pads[i + axes.size()];
  for (int64_t i = 0; i < rank; ++i) { // a negative pad removes elements
    begin[i] = std::max<int64_t>(-low[i], 0);
    sizes[i] -= begin[i] + std::max<int64_t>(-high[i], 0);
    low[i] = std::max<int64_t>(low[i], 0), high[i] = std::max<int64_t>(high[i], 0);
  }
  n.result(0, n.pad(n.slice(x, begin, sizes), low, high, value, mode));
}

void importDepthToSpace(NodeImporter &n) {
  Value x = n.input(0);
  int64_t b = n.integer("blocksize", 1), batch = n.dim(x, 0), c = n.dim(x, 1), h = n.dim(x, 2), w = n.dim(x, 3);
  if (n.rank(x) != 4 || b < 1 || c % (b * b) != 0)
    return void(n.error("needs a rank 4 input whose channels blocksize^2 divides"));
  bool crd = n.choice("mode", {"DCR", "CRD"}) == 1;
  int64_t depth = c / (b * b);
  Value split = crd ? n.reshape(x, {batch, depth, b, b, h, w}) : n.reshape(x, {batch, b, b, depth, h, w});
  Value moved = crd ? n.transpose(split, {0, 1, 4, 2, 5, 3}) : n.transpose(split, {0, 3, 4, 1, 5, 2});
  n.result(0, n.reshape(moved, {batch, depth, h * b, w * b}));
}

void importSpaceToDepth(NodeImporter &n) {
  Value x = n.input(0);
  int64_t b = n.integer("blocksize", 1), batch = n.dim(x, 0), c = n.dim(x, 1), h = n.dim(x, 2), w = n.dim(x, 3);
  if (n.rank(x) != 4 || b < 1 || h % b != 0 || w % b != 0)
    return void(n.error("needs a rank 4 input whose height and width blocksize divides"));
  Value split = n.reshape(x, {batch, c, h / b, b, w / b, b});
  bool crd = n.choice("mode", {"DCR", "CRD"}) == 1;
  Value moved = crd ? n.transpose(split, {0, 1, 3, 5, 2, 4}) : n.transpose(split, {0, 3, 5, 1, 2, 4});
  n.result(0, n.reshape(moved, {batch, c * b * b, h / b, w / b}));
}

} // namespace llmpar
