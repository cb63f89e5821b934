//===- WeightParts.h - Weights that are parts of a tensor -------*- C++ -*-===//
//
// The parts of a packed projection may be weights of their own, each with a sharding, a gradient and a step of its own:
//
//   llmpar.weight @"w[:, 0:4]" : tensor<6x4xf32> from <"w.bin", 0, 288>
//       {llmpar.part = {of = "w", shape = array<i64: 6, 12>, starts = array<i64: 0, 0>}}
//
// Its sources hold all of w. Whoever names tensors (users, files of states) knows w alone, of which a rank holds boxes.
//
//===----------------------------------------------------------------------===//
#ifndef LLMPAR_DIALECT_WEIGHTPARTS_H
#define LLMPAR_DIALECT_WEIGHTPARTS_H

#include "llmpar/Dialect/Llmpar.h"

namespace llmpar {

inline constexpr llvm::StringLiteral partAttribute = "llmpar.part";

/// The box of a tensor that begins at `starts`. The extents are those of the weight.
struct WeightBox {
  std::string tensor; ///< its name
  Shape shape;        ///< the tensor's
  llvm::SmallVector<int64_t> starts;
};

/// The box that a weight is: all of the tensor of its own name, if it is no part.
WeightBox boxOf(WeightOp weight);
/// Makes a weight that box; one of the tensor's shape is no part.
void setBox(WeightOp weight, const WeightBox &box);
/// "w[:, 0:4]"; "w" if the extents are the tensor's.
std::string nameOf(const WeightBox &box, llvm::ArrayRef<int64_t> extents);

/// The name of the tensor that is loaded, or a part of it.
std::string tensorNameOf(LoadWeightOp load);

} // namespace llmpar

#endif // LLMPAR_DIALECT_WEIGHTPARTS_H
