//===- OverlapOrder.h - Work between a collective and its reader -*- C++ -*-===//
//
// While a collective runs, the compute lane can do what does not need it. Program order is kept
// but for two changes: a collective goes right behind its operands, and an op that reads one that
// nothing has waited for lets ops pass that do not.
//
//   program order             order with windows {2, 2}
//   %a = matmul ..            %a = matmul ..
//   %c = neg %a               %r = all_reduce %a
//   %r = all_reduce %a        %c = neg %a
//   %s = add %r, %x           %b = matmul ..        passed %s
//   %b = matmul ..            %s = add %r, %x
//
//===----------------------------------------------------------------------===//
#ifndef LLMPAR_LOWERING_OVERLAPORDER_H
#define LLMPAR_LOWERING_OVERLAPORDER_H

#include "mlir/IR/Block.h"
#include <vector>

namespace llmpar {

/// The ops of `body` but its terminator, as they stand.
std::vector<mlir::Operation *> programOrder(mlir::Block &body);

/// How many places an op may move forward; the first op that is left counts.
struct OverlapWindow {
  size_t collectives, others;
};

/// Another topological order of them.
std::vector<mlir::Operation *> overlapOrder(mlir::Block &body, OverlapWindow window);

} // namespace llmpar

#endif // LLMPAR_LOWERING_OVERLAPORDER_H
