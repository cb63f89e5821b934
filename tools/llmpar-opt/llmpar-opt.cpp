//===- llmpar-opt.cpp - Run passes on MLIR text -----------------------------===//
#include "llmpar/Driver/Compile.h"
#include "mlir/InitAllPasses.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"

int main(int argc, char **argv) {
  mlir::DialectRegistry registry;
  llmpar::registerAllLlmparDialects(registry);
  llmpar::registerAllLlmparPasses();
  mlir::registerAllPasses();
  return mlir::asMainReturnCode(mlir::MlirOptMain(argc, argv, "llmpar optimizer driver\n", registry));
}
