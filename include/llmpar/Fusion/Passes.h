//===- Passes.h - Larger ops from groups of smaller ones --------*- C++ -*-===//
//
// Between simplification and layout, on global tensors. A pass here recognises what exporters
// write in many ops, by structure and never by names, and makes it one op, whose factor rule can
// say more than the rules of its parts. What it does not recognise stays as it is.
//
//===----------------------------------------------------------------------===//
#ifndef LLMPAR_FUSION_PASSES_H
#define LLMPAR_FUSION_PASSES_H

#include "llmpar/Dialect/Llmpar.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Pass/Pass.h"

namespace llmpar {

#define GEN_PASS_DECL
#include "llmpar/Fusion/Passes.h.inc"
#define GEN_PASS_REGISTRATION
#include "llmpar/Fusion/Passes.h.inc"

} // namespace llmpar

#endif // LLMPAR_FUSION_PASSES_H
