//===- Quantization.cpp - ONNX linear quantisation ------------------------===//
#include "Handlers.h"
#include <cmath>

using namespace mlir;

namespace llmpar {
namespace {

/// Scales or zero points of x: one, one per index of `axis`, or one per block along it.
Value spread(NodeImporter &n, Value parameter, Value x, int64_t axis, int64_t block) {
  int64_t rank = n.rank(x);
  if (n.numElements(parameter) == 1 && block == 0)
    return n.reshape(parameter, {});
  if (block == 0) {
    Ints shape(rank, 1);
    shape[axis] = n.numElements(parameter);
    return n.reshape(parameter, shape);
  }
  Ints split(n.shape(parameter)), repeated, joined(n.shape(parameter));
  split.insert(split.begin() + axis + 1, 1);
  repeated = split;
  repeated[axis + 1] = block;
  joined[axis] *= block;
  Value whole = n.reshape(n.broadcast(n.reshape(parameter, split), repeated), joined);
  return n.sliceAxis(whole, axis, 0, n.dim(x, axis));
}

struct Range {
  double low, high;
};
std::optional<Range> rangeOf(Type type) {
  unsigned width = type.isInteger() ? type.getIntOrFloatBitWidth() : 64;
  if (width != 8 && width != 16)
    return std::nullopt;
  if (type.isUnsignedInteger())
    return Range{0, std::ldexp(1, static_cast<int>(width)) - 1};
  return Range{-std::ldexp(1, static_cast<int>(width) - 1), std::ldexp(1, static_cast<int>(width) - 1) - 1};
}

Value saturate(NodeImporter &n, Value x, Type type) {
  std::optional<Range> range = rangeOf(type);
  if (!range)
    return n.error("only 8 and 16 bit integers are supported");
  return n.cast(n.binary("min", n.binary("max", x, n.scalarLike(range->low, x)), n.scalarLike(range->high, x)), type);
}

int64_t quantizationAxis(NodeImporter &n, Value x) {
  bool needed = n.numElements(n.optional(1)) != 1 || n.integer("block_size", 0) != 0;
  return needed ? n.axis("axis", 1, n.rank(x)) : 0;
}

} // namespace

void importQuantizeLinear(NodeImporter &n) {
  Value x = n.input(0);
  n.input(1);
  int64_t axis = quantizationAxis(n, x), block = n.integer("block_size", 0);
  if (int64_t precision = n.integer("precision", 0); precision != 0 && precision != ::onnx::TensorProto::FLOAT)
    n.error("precision " + Twine(precision) + " is not supported, only 1 (FLOAT)");
  Type type = n.has(2)                            ? n.elementType(n.input(2))
              : n.integer("output_dtype", 0) != 0 ? n.onnxType(n.integer("output_dtype", 0))
                                                  : IntegerType::get(n.builder.getContext(), 8, IntegerType::Unsigned);
  if (n.failed())
    return;
  Value scale = spread(n, n.input(1), x, axis, block);
  Value wide = n.cast(x, n.f32());
  Value scaled = n.unary("round", n.div(wide, n.cast(scale, n.f32())));
  if (n.has(2))
    scaled = n.add(scaled, n.cast(spread(n, n.input(2), x, axis, block), n.f32()));
  n.result(0, saturate(n, scaled, type));
}

void importDequantizeLinear(NodeImporter &n) {
  Value x = n.input(0), scales = n.input(1);
  int64_t axis = quantizationAxis(n, x), block = n.integer("block_size", 0);
  if (n.failed())
    return;
  Type type = n.hasAttribute("output_dtype") && n.integer("output_dtype", 0) ? n.onnxType(n.integer("output_dtype", 0))
                                                                             : n.elementType(scales);
  Value wide = n.cast(x, n.f32());
  if (n.has(2))
    wide = n.sub(wide, n.cast(spread(n, n.input(2), x, axis, block), n.f32()));
  n.result(0, n.cast(n.mul(wide, n.cast(spread(n, scales, x, axis, block), n.f32())), type));
}

// scale = (max(x, 0) - min(x, 0)) / 255, zero point = round(-min / scale)
void importDynamicQuantizeLinear(NodeImporter &n) {
  Value x = n.input(0);
  Ints axes;
  for (int64_t i = 0; i < n.rank(x); ++i)
    axes.push_back(i);
  Type type = IntegerType::get(n.builder.getContext(), 8, IntegerType::Unsigned);
  Value zero = n.scalarLike(0, x);
  Value high = n.binary("max", n.reduce("max", x, axes, false), zero);
  Value low = n.binary("min", n.reduce("min", x, axes, false), zero);
  Value scale = n.div(n.sub(high, low), n.scalarLike(255, x));
  Value point = n.unary("round", n.div(n.unary("neg", low), scale));
  point = n.binary("min", n.binary("max", point, zero), n.scalarLike(255, x));
  n.result(0, saturate(n, n.add(n.unary("round", n.div(x, scale)), point), type));
  n.result(1, scale);
  n.result(2, n.cast(point, type));
}

} // namespace llmpar
