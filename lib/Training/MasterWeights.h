//===- MasterWeights.h - Which weights are learnt, and in what type -*- C++ -*-===//
#ifndef LLMPAR_LIB_TRAINING_MASTERWEIGHTS_H
#define LLMPAR_LIB_TRAINING_MASTERWEIGHTS_H

#include "llmpar/Dialect/MasterWeights.h"

namespace llmpar {

/// Whether a weight of that name is a table that was computed (rotary positions, masks), not learnt.
bool isTable(llvm::StringRef name);

/// Makes a weight in bf16 or f16, and all its loads, one in f32; others stay as they are. Each use reads a cast of its
/// own, so that the gradients of all uses are summed in f32; CSE merges them later.
///
///   weight @w : 4x8xbf16                         weight @w : 4x8xf32 {llmpar.stored = bf16}
///   %0 = load_weight @w : 4x8xbf16        ->     %0 = load_weight @w : 4x8xf32
///   matmul %x, %0                                %1 = cast %0 : 4x8xbf16 ; matmul %x, %1
void keepMaster(WeightOp weight, llvm::ArrayRef<LoadWeightOp> loads);

} // namespace llmpar

#endif // LLMPAR_LIB_TRAINING_MASTERWEIGHTS_H
