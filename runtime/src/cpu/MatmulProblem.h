//===- MatmulProblem.h - A matmul as few large products ---------*- C++ -*-===//
//
// Batch dimensions are collapsed, and one that only a has becomes rows of a:
//
//   a 8x128x768, b 768x3072       -> one product with m = 1024
//   a 2x4x3x5x64, b 2x4x1x64x7    -> 8 products with m = 15  (grouped-query attention)
//
//===----------------------------------------------------------------------===//
#ifndef LLMPAR_RUNTIME_CPU_MATMULPROBLEM_H
#define LLMPAR_RUNTIME_CPU_MATMULPROBLEM_H

#include "cpu/Collapse.h"

namespace llmpar::rt {

struct MatmulProblem {
  int64_t m = 0, n = 0, k = 0;
  bool transposeA = false, transposeB = false;
  LoopNest<3> batches; ///< element strides of a, b, y; in the last loop those of a and b are dense or 0

  MatmulProblem(const TensorView &a, const TensorView &b, const TensorView &y, bool transposedA, bool transposedB)
      : m(y.dims[y.rank - 2]), n(y.dims[y.rank - 1]), k(a.dims[a.rank - (transposedA ? 2 : 1)]),
        transposeA(transposedA), transposeB(transposedB) {
    auto batchShape = y.shape().subspan(0, y.rank - 2);
    std::array<Dims, 3> strides = {broadcastStrides(a.shape().subspan(0, a.rank - 2), batchShape),
                                   broadcastStrides(b.shape().subspan(0, b.rank - 2), batchShape),
                                   denseStrides(batchShape)};
    for (int i = 0; i < maxRank; ++i) {
      strides[0][i] *= m * k;
      strides[1][i] *= k * n;
      strides[2][i] *= m * n;
    }
    batches = collapse<3>(batchShape, strides);
    if (m == 1)
      transposeA = false; // a column is a row
    if (!transposeA && batches.rowStep(1) == 0 && batches.rowStep(0) == m * k) {
      m *= batches.rowLength();
      batches.extents[batches.rank - 1] = 1;
      if (batches.rank > 1)
        --batches.rank;
    }
  }
  bool empty() const {
    if (m <= 0 || n <= 0)
      return true;
    for (int i = 0; i < batches.rank; ++i)
      if (batches.extents[i] <= 0)
        return true;
    return false;
  }
  bool isOneProduct() const { return batches.rank == 1 && batches.rowLength() == 1; }
};

} // namespace llmpar::rt

#endif // LLMPAR_RUNTIME_CPU_MATMULPROBLEM_H
