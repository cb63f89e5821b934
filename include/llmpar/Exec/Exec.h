//===- Exec.h - The llmpar_rt dialect ---------------------------*- C++ -*-===//
//
// The program file as IR: see ExecOps.td for an example and ProgramFile.h for the
// translation in both directions.
//
//===----------------------------------------------------------------------===//
#ifndef LLMPAR_EXEC_EXEC_H
#define LLMPAR_EXEC_EXEC_H

#include "llmpar/Abi/DType.h"
#include "llmpar/Abi/Lanes.h"
#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/RegionKindInterface.h"
#include "mlir/IR/SymbolTable.h"
#include <optional>
#include <vector>

namespace llmpar::exec {

/// Numbers as in Abi/Program.fbs.
enum class Arena : uint8_t { Weights = 0, Activations = 1, Staging = 2 };
inline constexpr int arenaCount = 3;
llvm::StringRef arenaName(Arena arena);
inline llvm::hash_code hash_value(Arena arena) { return llvm::hash_value(static_cast<uint8_t>(arena)); }

/// "communication" -> Lane::Communication; none for an unknown name.
std::optional<Lane> laneNamed(llvm::StringRef name);

/// The element type of a program file, or none.
std::optional<DType> elementDType(mlir::Type type);
mlir::Type elementType(DType dtype, mlir::MLIRContext *context);

/// Row-major bytes of a constant as a program file holds them (bools are bytes), and back; a constant whose
/// elements are all equal becomes a splat.
std::vector<char> elementBytes(mlir::DenseElementsAttr elements);
mlir::DenseElementsAttr elementsFromBytes(mlir::RankedTensorType type, llvm::ArrayRef<char> bytes);

/// Inclusive bounds of how many operands or attributes a kernel has.
struct CountRange {
  size_t min = 0, max = 0;
  bool contains(size_t count) const { return count >= min && count <= max; }
};
struct KernelSignature {
  CountRange inputs, outputs, ints, floats;
};
/// From Abi/Kernels.def; none for an unknown name.
std::optional<KernelSignature> kernelSignature(llvm::StringRef kernel);

} // namespace llmpar::exec

#include "llmpar/Exec/ExecDialect.h.inc"
#define GET_ATTRDEF_CLASSES
#include "llmpar/Exec/ExecAttrs.h.inc"
#define GET_OP_CLASSES
#include "llmpar/Exec/ExecOps.h.inc"

#endif // LLMPAR_EXEC_EXEC_H
