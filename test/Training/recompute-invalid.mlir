// RUN: llmpar-opt %s --split-input-file --verify-diagnostics --llmpar-recompute
// RUN: not llmpar-opt %s --llmpar-recompute=granularity=some 2>&1 | FileCheck %s

// CHECK: granularity 'some' is unknown: choose none, selective, full
// expected-error @below {{recomputation needs a training step: run llmpar-build-training-step first}}
module {
  func.func @main(%x: tensor<2x4xf32>) -> tensor<2x4xf32> {
    return %x : tensor<2x4xf32>
  }
}
