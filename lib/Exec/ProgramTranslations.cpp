//===- ProgramTranslations.cpp - Program files in llmpar-translate ---------===//
#include "llmpar/Exec/ProgramFile.h"

#include "mlir/Tools/mlir-translate/Translation.h"
#include "llvm/Support/SourceMgr.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;

namespace llmpar::exec {

static LogicalResult writeProgram(Operation *op, llvm::raw_ostream &os) {
  auto program = dyn_cast<ProgramOp>(op);
  if (auto module = dyn_cast<ModuleOp>(op))
    for (ProgramOp found : module.getOps<ProgramOp>())
      program = found;
  if (!program)
    return op->emitError("has no llmpar_rt.program: run llmpar-lower-to-runtime first");
  auto bytes = exportProgram(program);
  if (!bytes)
    return program.emitOpError() << llvm::toString(bytes.takeError());
  os.write(bytes->data(), bytes->size());
  return success();
}

static OwningOpRef<Operation *> readProgram(llvm::SourceMgr &sources, MLIRContext *context) {
  llvm::StringRef bytes = sources.getMemoryBuffer(sources.getMainFileID())->getBuffer();
  auto module = importProgram({bytes.data(), bytes.size()}, context);
  if (module)
    return OwningOpRef<Operation *>(module->release());
  emitError(UnknownLoc::get(context)) << llvm::toString(module.takeError());
  return {};
}

void registerProgramTranslations() {
  static TranslateFromMLIRRegistration toFile("llmpar-rt-to-program", "write a program file", writeProgram,
                                              [](DialectRegistry &registry) { registry.insert<ExecDialect>(); });
  static TranslateToMLIRRegistration fromFile("program-to-llmpar-rt", "read a program file", readProgram,
                                              [](DialectRegistry &registry) { registry.insert<ExecDialect>(); });
}

} // namespace llmpar::exec
