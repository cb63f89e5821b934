//===- Phases.h - The compiler's phases -------------------------*- C++ -*-===//
//
// Names and order of the phases. `--compile-to=<name>` stops behind one;
// `--dump-dir` writes one file for each.
//
//===----------------------------------------------------------------------===//
#ifndef LLMPAR_DRIVER_PHASES_H
#define LLMPAR_DRIVER_PHASES_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"

namespace llmpar {

struct Phase {
  llvm::StringRef name, what;
};

inline constexpr Phase phases[] = {
    {"import", "the ONNX graph as llmpar ops on global tensors, weights by reference"},
    {"simplify", "canonical form: constants folded, common subexpressions shared, dead ops gone"},
    {"fuse", "a mixture of experts is one op, however it was written"},
    {"train", "of `llmpar train`: loss, gradients and optimizer; of `llmpar eval`: loss and hits; weights are state"},
    {"layout", "a sharding on every value"},
    {"partition", "every change of sharding is a collective; values keep their global types"},
    {"localize", "every value has the shape of its largest shard"},
    {"lower", "llmpar_rt: one op per runtime record, one program per rank"},
};

} // namespace llmpar

#endif // LLMPAR_DRIVER_PHASES_H
