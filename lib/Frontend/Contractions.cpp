//===- Contractions.cpp - ONNX matrix products ----------------------------===//
#include "Handlers.h"

using namespace mlir;

namespace llmpar {
namespace {

/// numpy's matmul: a vector is a row on the left and a column on the right, and that dimension goes again.
Value matmulAnyRank(NodeImporter &n, Value a, Value b, bool transposeA = false, bool transposeB = false) {
  bool row = n.rank(a) == 1, column = n.rank(b) == 1;
  if (a && b && (n.rank(a) == 0 || n.rank(b) == 0))
    return n.error("a scalar has no matrix product");
  Value left = row ? n.unsqueeze(a, {0}) : a, right = column ? n.unsqueeze(b, {1}) : b;
  Value product = n.matmul(left, right, transposeA && !row, transposeB && !column);
  Ints shape(n.shape(product));
  if (column && !shape.empty())
    shape.pop_back();
  if (row && !shape.empty())
    shape.erase(shape.end() - (column ? 1 : 2));
  return row || column ? n.reshape(product, shape) : product;
}

Value vectorOn(NodeImporter &n, Value x, int64_t axisFromEnd) {
  if (n.rank(x) != 1)
    return x;
  return axisFromEnd == 2 ? n.reshape(x, {n.dim(x, 0), 1}) : x;
}

} // namespace

void importMatMul(NodeImporter &n) { n.result(0, matmulAnyRank(n, n.input(0), n.input(1))); }

void importGemm(NodeImporter &n) {
  Value y = n.matmul(n.input(0), n.input(1), n.integer("transA", 0) != 0, n.integer("transB", 0) != 0);
  y = n.scale(y, n.real("alpha", 1));
  double beta = n.real("beta", 1);
  if (n.has(2) && beta != 0)
    y = n.add(y, n.scale(n.input(2), beta));
  n.result(0, y);
}

void importFusedMatMul(NodeImporter &n) {
  Value y = matmulAnyRank(n, n.input(0), n.input(1), n.integer("transA", 0) != 0, n.integer("transB", 0) != 0);
  n.result(0, n.scale(y, n.real("alpha", 1)));
}

void importMatMulInteger(NodeImporter &n) {
  Type i32 = n.builder.getI32Type();
  Value a = n.cast(n.input(0), i32), b = n.cast(n.input(1), i32);
  if (n.has(2))
    a = n.sub(a, vectorOn(n, n.cast(n.input(2), i32), 2));
  if (n.has(3))
    b = n.sub(b, n.cast(n.input(3), i32));
  n.result(0, matmulAnyRank(n, a, b));
}

/// Splits bytes into their low and high halves: [.., c] -> [.., 2 c].
static Value unpackNibbles(NodeImporter &n, Value packed) {
  Ints halves(n.shape(packed)), joined(n.shape(packed));
  if (joined.empty())
    return packed;
  halves.push_back(1);
  joined.back() *= 2;
  Value low = n.binary("bit_and", packed, n.scalarLike(15, packed));
  Value high = n.binary("shift_right", packed, n.scalarLike(4, packed));
  return n.reshape(n.concat({n.reshape(low, halves), n.reshape(high, halves)}, static_cast<int64_t>(halves.size()) - 1),
                   joined);
}

// B is [N, blocks, bytes]; a block of K shares a scale and a zero point.
void importMatMulNBits(NodeImporter &n) {
  int64_t columns = n.integer("N", 0), k = n.integer("K", 0), block = n.integer("block_size", 32);
  int64_t bits = n.integer("bits", 4), blocks = block > 0 ? (k + block - 1) / block : 0;
  Value a = n.input(0), packed = n.input(1), scales = n.reshape(n.input(2), {columns, blocks, 1});
  if ((bits != 4 && bits != 8) || n.has(4))
    n.error("only 4 and 8 bits without g_idx are supported");
  Type type = n.elementType(a);
  auto unpack = [&](Value x) { return bits == 4 ? unpackNibbles(n, x) : x; };
  Value weight = n.cast(n.reshape(unpack(packed), {columns, blocks, block}), type);
  Value zero = n.scalar(bits == 4 ? 8 : 128, type);
  if (n.has(3)) {
    Value points = n.input(3);
    if (!n.isFloat(points)) {
      int64_t perRow = (blocks * bits + 7) / 8;
      points = n.sliceAxis(unpack(n.reshape(points, {columns, perRow})), 1, 0, blocks);
    }
    zero = n.cast(n.reshape(points, {columns, blocks, 1}), type);
  }
  weight = n.reshape(n.mul(n.sub(weight, zero), n.cast(scales, type)), {columns, blocks * block});
  Value y = n.matmul(a, n.sliceAxis(weight, 1, 0, k), false, true);
  n.result(0, n.has(5) ? n.add(y, n.input(5)) : y);
}

} // namespace llmpar
