//===- KernelAttributes.h - An op's numbers in its record -------*- C++ -*-===//
//
// The ints and floats of a record, in the order of Abi/Kernels.def, and for a collective its group:
//
//   llmpar.softmax {axis = 1}             -> ints [1, 0]
//   llmpar.all_gather "tp" {dim = 1}      -> ints [1, 5, 5] group [0, 1]   on 10 columns
//   llmpar.gather of the second half of   -> ints [0, 8, 16]
//     a table of 16 rows
//
//===----------------------------------------------------------------------===//
#ifndef LLMPAR_LOWERING_KERNELATTRIBUTES_H
#define LLMPAR_LOWERING_KERNELATTRIBUTES_H

#include "llmpar/Lowering/ValueLayouts.h"

namespace llmpar {

struct KernelAttributes {
  llvm::SmallVector<int64_t> ints;
  llvm::SmallVector<double> floats;
  llvm::SmallVector<int64_t> group;
};

/// The kernel that computes `op`: its own name, but "slice" for all_slice; "" if there is none.
llvm::StringRef kernelName(mlir::Operation *op);

/// The mesh axis of a collective or all_slice: none for another op, -1 if the mesh does not have it.
std::optional<AxisId> collectiveAxis(mlir::Operation *op, const Mesh &mesh);

/// Whether ranks exchange data in it: not so in an all_slice.
bool isCollective(mlir::Operation *op);

KernelAttributes kernelAttributes(mlir::Operation *op, const ValueLayouts &layouts, int64_t rank);

} // namespace llmpar

#endif // LLMPAR_LOWERING_KERNELATTRIBUTES_H
