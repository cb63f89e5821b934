//===- Passes.h - From shardings to collectives on local tensors -*- C++ -*-===//
//
// In order: [ShardInputs, ApplyPins] PropagateShardings [ShardOptimizer], PlaceState, DecomposeSplitReductions,
// DelayReductions, InsertReshards, LowerReshards, CombineCollectives, [SynchronizeReplicas,] BucketReductions,
// RouteTokens, LocalizeShapes. Up to the last one every value has its global type; shardings are attributes (see
// LlmparDialect.td).
//
//===----------------------------------------------------------------------===//
#ifndef LLMPAR_PARTITION_PASSES_H
#define LLMPAR_PARTITION_PASSES_H

#include "llmpar/Dialect/Llmpar.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Pass/Pass.h"

namespace llmpar {

#define GEN_PASS_DECL
#include "llmpar/Partition/Passes.h.inc"
#define GEN_PASS_REGISTRATION
#include "llmpar/Partition/Passes.h.inc"

/// On a reshard, and the collectives it becomes: which use of a weight it is for. CSE does not merge two.
inline constexpr llvm::StringLiteral useAttribute = "llmpar.use";

/// Reads / writes an op's `llmpar.in` and `llmpar.out`.
llvm::SmallVector<Sharding> inShardings(mlir::Operation *op, const Mesh &mesh);
void setInShardings(mlir::Operation *op, llvm::ArrayRef<Sharding> shardings, const Mesh &mesh);

/// The function that the module runs; emits an error if there is none.
mlir::func::FuncOp mainFunction(mlir::ModuleOp module);

/// The mesh axis that an option of a pass names; emits an error if there is none.
mlir::FailureOr<AxisId> axisNamed(mlir::ModuleOp module, const Mesh &mesh, llvm::StringRef name);

} // namespace llmpar

#endif // LLMPAR_PARTITION_PASSES_H
