//===- PackedMatmul.h - matmul with a weight laid out for it ----*- C++ -*-===//
//
// For a constant two-dimensional right operand: it is copied once into the
// layout in which the processor multiplies fastest, after which the original
// may be dropped.
//
//   if (PackedMatmul::supports(a, b, y, false, transposeB)) {
//     PackedMatmul packed(a, b, y, false, transposeB);  // reads b.data; a and y only as shapes
//     ...
//     Status status = packed.run(a, y);                 // each step
//   }
//
// `run` may be called from several threads at once.
//
//===----------------------------------------------------------------------===//
#ifndef LLMPAR_RUNTIME_CPU_PACKEDMATMUL_H
#define LLMPAR_RUNTIME_CPU_PACKEDMATMUL_H

#include "core/Kernel.h"

#include <memory>

namespace llmpar::rt {

class PackedMatmul {
public:
  /// Whether this product can be packed: f32, or bf16 where the processor multiplies it; a not transposed;
  /// b with no batch dimension above 1; no extent of 0. Looks at no data.
  static bool supports(const TensorView &a, const TensorView &b, const TensorView &y, bool transposeA, bool transposeB);

  /// Packs b. Requires `supports` of the same arguments; a failure (memory) is returned by `run`.
  PackedMatmul(const TensorView &a, const TensorView &b, const TensorView &y, bool transposeA, bool transposeB);
  ~PackedMatmul();
  PackedMatmul(PackedMatmul &&) noexcept;
  PackedMatmul &operator=(PackedMatmul &&) noexcept;

  /// y = a b. Extents and types are those given at construction.
  Status run(const TensorView &a, const TensorView &y);

  /// Bytes of the copy of b.
  size_t packedBytes() const;

private:
  struct Implementation;
  std::unique_ptr<Implementation> implementation_;
};

} // namespace llmpar::rt

#endif // LLMPAR_RUNTIME_CPU_PACKEDMATMUL_H
