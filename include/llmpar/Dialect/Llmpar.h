//===- Llmpar.h - The llmpar dialect ----------------------------*- C++ -*-===//
#ifndef LLMPAR_DIALECT_LLMPAR_H
#define LLMPAR_DIALECT_LLMPAR_H

#include "llmpar/Abi/DType.h"
#include "llmpar/Abi/Limits.h"
#include "llmpar/Core/FactorSharding.h"
#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include <optional>

#include "llmpar/Dialect/LlmparDialect.h.inc"
#define GET_ATTRDEF_CLASSES
#include "llmpar/Dialect/LlmparAttrs.h.inc"
#include "llmpar/Dialect/FactorOpInterface.h.inc"

namespace llmpar {
/// Succeeds if the op's result types are those that its InferTypeOpInterface infers; else one error says why not.
mlir::LogicalResult verifyInferredTypes(mlir::Operation *op);
/// Trait of the ops whose result types are inferred: verifies them.
template <typename ConcreteOp> struct InferredTypes : mlir::OpTrait::TraitBase<ConcreteOp, InferredTypes> {
  static mlir::LogicalResult verifyTrait(mlir::Operation *op) { return verifyInferredTypes(op); }
};
} // namespace llmpar

#define GET_OP_CLASSES
#include "llmpar/Dialect/LlmparOps.h.inc"

namespace llmpar {

llvm::SmallVector<Shape> operandShapes(mlir::Operation *op);
llvm::SmallVector<Shape> resultShapes(mlir::Operation *op);

/// The ABI type of an MLIR element type (i1 is Bool, signless ints are signed); none if it has none.
std::optional<DType> toDType(mlir::Type elementType);
mlir::Type toMlirType(DType dtype, mlir::MLIRContext *context);

/// Position of a kind in Abi/Kinds.def, or none.
std::optional<int64_t> unaryKind(llvm::StringRef name);
std::optional<int64_t> binaryKind(llvm::StringRef name);
llvm::StringRef unaryName(int64_t kind); ///< empty if there is no such kind
llvm::StringRef binaryName(int64_t kind);
std::optional<int64_t> reduceKind(llvm::StringRef name);
std::optional<int64_t> scatterReduction(llvm::StringRef name); ///< none add mul min max
bool isComparison(llvm::StringRef binaryKind);                 ///< the result is bool
bool isDifferentiable(llvm::StringRef unaryKind);              ///< `unary_grad` knows its derivative

/// The reduction name ("sum") of a factor kind that leaves partial results.
llvm::StringRef reductionName(FactorKind kind);

/// The module's mesh (`@mesh`), or one rank if it has none.
Mesh meshOf(mlir::ModuleOp module);
/// Gives the module this mesh, in place of any other; a mesh without axes: none.
void setMesh(mlir::ModuleOp module, const Mesh &mesh);
ShardingAttr toAttr(const Sharding &sharding, const Mesh &mesh, mlir::MLIRContext *context);
Sharding fromAttr(ShardingAttr attr, const Mesh &mesh);

/// Sharding of a value from its defining op or argument attribute; replicated if there is none.
Sharding shardingOf(mlir::Value value, const Mesh &mesh);
void setSharding(mlir::Value value, const Sharding &sharding, const Mesh &mesh);

/// What a plan decided for an op (`llmpar.factors`), by the factors of its rule; none if it has no such attribute.
std::optional<FactorShardings> factorShardingsOf(mlir::Operation *op, const FactorRule &rule, const Mesh &mesh);
void setFactorShardings(mlir::Operation *op, const FactorRule &rule, const FactorShardings &factors, const Mesh &mesh);

/// Largest element count that folding materialises: shape arithmetic, never data.
inline constexpr int64_t maxFoldedElements = 1024;

} // namespace llmpar

#endif // LLMPAR_DIALECT_LLMPAR_H
