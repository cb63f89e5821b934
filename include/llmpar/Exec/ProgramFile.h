//===- ProgramFile.h - llmpar_rt to and from program files ------*- C++ -*-===//
//
//   auto bytes = exportProgram(program);          // a FlatBuffers file, Abi/Program.fbs
//   auto module = importProgram(*bytes, context); // the same text again
//
//===----------------------------------------------------------------------===//
#ifndef LLMPAR_EXEC_PROGRAMFILE_H
#define LLMPAR_EXEC_PROGRAMFILE_H

#include "llmpar/Exec/Exec.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"
#include "llvm/Support/Error.h"

namespace llmpar::exec {

/// The bytes of the program file. Fails if a slice, load or kernel names something the program does not declare.
llvm::Expected<std::vector<char>> exportProgram(ProgramOp program);

/// A module with one llmpar_rt.program. Fails on bytes that are no program file of this version.
llvm::Expected<mlir::OwningOpRef<mlir::ModuleOp>> importProgram(llvm::ArrayRef<char> bytes, mlir::MLIRContext *context);

/// --llmpar-rt-to-program and --program-to-llmpar-rt of llmpar-translate.
void registerProgramTranslations();

} // namespace llmpar::exec

#endif // LLMPAR_EXEC_PROGRAMFILE_H
