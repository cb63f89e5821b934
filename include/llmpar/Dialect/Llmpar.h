//===- Llmpar.h - The llmpar dialect ----------------------------*- C++ -*-===//
#ifndef LLMPAR_DIALECT_LLMPAR_H
#define LLMPAR_DIALECT_LLMPAR_H

#include "llmpar/Abi/DType.h"
#include "llmpar/Abi/Limits.h"
#include "llmpar/Core/FactorRule.h"
#include "llmpar/Core/Sharding.h"
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
std::optional<int64_t> reduceKind(llvm::StringRef name);
std::optional<int64_t> scatterReduction(llvm::StringRef name); ///< none add mul min max
bool isComparison(llvm::StringRef binaryKind);                 ///< the result is bool

/// The reduction name ("sum") of a factor kind that leaves partial results.
llvm::StringRef reductionName(FactorKind kind);

/// The module's mesh (`@mesh`), or one rank if it has none.
Mesh meshOf(mlir::ModuleOp module);
ShardingAttr toAttr(const Sharding &sharding, const Mesh &mesh, mlir::MLIRContext *context);
Sharding fromAttr(ShardingAttr attr, const Mesh &mesh);

/// Sharding of a value from its defining op or argument attribute; replicated if there is none.
Sharding shardingOf(mlir::Value value, const Mesh &mesh);
void setSharding(mlir::Value value, const Sharding &sharding, const Mesh &mesh);

/// Largest element count that folding materialises: shape arithmetic, never data.
inline constexpr int64_t maxFoldedElements = 1024;

} // namespace llmpar

#endif // LLMPAR_DIALECT_LLMPAR_H
