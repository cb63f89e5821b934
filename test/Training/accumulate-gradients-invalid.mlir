// RUN: llmpar-opt %s --split-input-file --verify-diagnostics --llmpar-build-training-step="gradient-accumulation-steps=2"
// RUN: not llmpar-opt %s --llmpar-build-training-step="gradient-accumulation-steps=0" 2>&1 | FileCheck %s

// CHECK: gradient-accumulation-steps 0: a step has at least 1 micro-batch
llmpar.weight @w : tensor<4x5xf32> from <"w.bin", 0, 80>
// expected-error @below {{logits of type 'tensor<6x5xf32>' do not have the batch of the inputs as their first dimension: gradients are accumulated over parts of it}}
func.func @main(%x: tensor<2x3x4xf32> {llmpar.dims = ["batch", "", ""]}) -> tensor<6x5xf32> {
  %w = llmpar.load_weight @w : tensor<4x5xf32>
  %r = llmpar.reshape %x : (tensor<2x3x4xf32>) -> tensor<6x4xf32>
  %y = llmpar.matmul %r, %w : (tensor<6x4xf32>, tensor<4x5xf32>) -> tensor<6x5xf32>
  return %y : tensor<6x5xf32>
}
