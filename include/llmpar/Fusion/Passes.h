//===- Passes.h - Larger ops from groups of smaller ones --------*- C++ -*-===//
//
// A pass here recognises what exporters write in many ops, by structure and never by names, and makes it one op.
// Between simplification and layout, on global tensors, if its factor rule says more than the rules of its parts, or
// its gradient needs less; else behind localization, where the layout is decided. What is not recognised stays as it is.
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
