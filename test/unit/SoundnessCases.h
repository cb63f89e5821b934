//===- SoundnessCases.h - The ops of soundness.mlir, for tests --*- C++ -*-===//
//
//   INSTANTIATE_TEST_SUITE_P(Ops, Soundness, testing::ValuesIn(SoundnessCases::names()), ...);
//   auto function = SoundnessCases::get().module->lookupSymbol<mlir::func::FuncOp>(GetParam());
//
//===----------------------------------------------------------------------===//
#ifndef LLMPAR_TEST_UNIT_SOUNDNESSCASES_H
#define LLMPAR_TEST_UNIT_SOUNDNESSCASES_H

#include "llmpar/Dialect/Llmpar.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Parser/Parser.h"
#include <fstream>

namespace llmpar {

/// soundness.mlir, parsed once: a function for each case, with one op on its arguments.
struct SoundnessCases {
  mlir::MLIRContext context;
  mlir::OwningOpRef<mlir::ModuleOp> module; ///< null if the file does not parse; SoundnessTest says so

  SoundnessCases() {
    context.loadDialect<LlmparDialect, mlir::func::FuncDialect>();
    module = mlir::parseSourceFile<mlir::ModuleOp>(LLMPAR_SOUNDNESS_CASES, &context);
  }
  static SoundnessCases &get() {
    static SoundnessCases cases;
    return cases;
  }
  static std::vector<std::string> names() {
    std::vector<std::string> names;
    std::ifstream file(LLMPAR_SOUNDNESS_CASES);
    for (std::string line; std::getline(file, line);)
      if (llvm::StringRef rest = line; rest.consume_front("func.func @"))
        names.push_back(rest.split('(').first.str());
    return names;
  }
};

} // namespace llmpar

#endif // LLMPAR_TEST_UNIT_SOUNDNESSCASES_H
