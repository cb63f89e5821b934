//===- llmpar-reduce.cpp - Shrink IR that shows a bug -----------------------===//
#include "llmpar/Driver/Compile.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/Tools/mlir-reduce/MlirReduceMain.h"

int main(int argc, char **argv) {
  mlir::DialectRegistry registry;
  llmpar::registerAllLlmparDialects(registry);
  llmpar::registerAllLlmparPasses();
  mlir::MLIRContext context(registry);
  return mlir::failed(mlir::mlirReduceMain(argc, argv, context));
}
