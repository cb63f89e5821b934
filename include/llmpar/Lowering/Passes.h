//===- Passes.h - From local tensors to runtime records ---------*- C++ -*-===//
#ifndef LLMPAR_LOWERING_PASSES_H
#define LLMPAR_LOWERING_PASSES_H

#include "llmpar/Dialect/Llmpar.h"
#include "llmpar/Exec/Exec.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"

namespace llmpar {
#define GEN_PASS_DECL
#include "llmpar/Lowering/Passes.h.inc"
#define GEN_PASS_REGISTRATION
#include "llmpar/Lowering/Passes.h.inc"
} // namespace llmpar

#endif // LLMPAR_LOWERING_PASSES_H
