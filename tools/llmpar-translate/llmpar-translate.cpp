//===- llmpar-translate.cpp - Program files to text and back ---------------===//
//
//   llmpar-translate --program-to-llmpar-rt model.llmpar
//   llmpar-translate --llmpar-rt-to-program program.mlir -o model.llmpar
//
//===----------------------------------------------------------------------===//
#include "llmpar/Exec/ProgramFile.h"

#include "mlir/Tools/mlir-translate/MlirTranslateMain.h"

int main(int argc, char **argv) {
  llmpar::exec::registerProgramTranslations();
  return mlir::failed(mlir::mlirTranslateMain(argc, argv, "llmpar translation driver"));
}
