//===- llmpar-lsp-server.cpp - Editor support for llmpar IR -----------------===//
#include "llmpar/Driver/Compile.h"
#include "mlir/Tools/mlir-lsp-server/MlirLspServerMain.h"

int main(int argc, char **argv) {
  mlir::DialectRegistry registry;
  llmpar::registerAllLlmparDialects(registry);
  return mlir::failed(mlir::MlirLspServerMain(argc, argv, registry));
}
