// RUN: llmpar-opt %s --split-input-file --llmpar-recompute=granularity=none | FileCheck %s

// The backward reads %o (softmax_grad) and the reshaped transpose of it (weight_grad): %o is kept, %t is not.
// CHECK-LABEL: func.func @main
// CHECK:       %[[O:.*]] = llmpar.softmax
// CHECK:       %[[T:.*]] = llmpar.transpose %[[O]] {permutation = array<i64: 1, 0, 2>}
// CHECK-NEXT:  %[[R:.*]] = llmpar.reshape %[[T]]
// CHECK-NEXT:  llmpar.matmul %[[R]]
// CHECK:       %[[T2:.*]] = llmpar.transpose %[[O]] {llmpar.recompute, permutation = array<i64: 1, 0, 2>}
// CHECK-NEXT:  %[[R2:.*]] = llmpar.reshape %[[T2]] {llmpar.recompute}
// CHECK-NEXT:  llmpar.weight_grad %[[R2]]
// CHECK-NEXT:  llmpar.softmax_grad %[[O]]
// CHECK-NOT:   llmpar.recompute
llmpar.weight @e : tensor<9x4xf32> from <"w.bin", 0, 144> {llmpar.mutable}
llmpar.weight @w : tensor<8x5xf32> from <"w.bin", 0, 160> {llmpar.mutable}
func.func @main(%ids: tensor<2x3xi64>, %labels: tensor<3xi64>, %d: tensor<3x5xf32>, %do: tensor<2x3x4xf32>) -> (tensor<3xf32>, tensor<8x5xf32>, tensor<2x3x4xf32>) {
  %e = llmpar.load_weight @e : tensor<9x4xf32>
  %w = llmpar.load_weight @w : tensor<8x5xf32>
  %x = llmpar.gather %e, %ids {axis = 0 : i64} : (tensor<9x4xf32>, tensor<2x3xi64>) -> tensor<2x3x4xf32>
  %o = llmpar.softmax %x {axis = 2 : i64} : (tensor<2x3x4xf32>) -> tensor<2x3x4xf32>
  %t = llmpar.transpose %o {permutation = array<i64: 1, 0, 2>} : (tensor<2x3x4xf32>) -> tensor<3x2x4xf32>
  %r = llmpar.reshape %t : (tensor<3x2x4xf32>) -> tensor<3x8xf32>
  %l = llmpar.matmul %r, %w : (tensor<3x8xf32>, tensor<8x5xf32>) -> tensor<3x5xf32>
  %loss:2 = llmpar.cross_entropy %l, %labels {ignore_index = -100 : i64, llmpar.loss} : (tensor<3x5xf32>, tensor<3xi64>) -> (tensor<3xf32>, tensor<3xf32>)
  %dw = llmpar.weight_grad %r, %d : (tensor<3x8xf32>, tensor<3x5xf32>) -> tensor<8x5xf32>
  %dx = llmpar.softmax_grad %o, %do {axis = 2 : i64} : (tensor<2x3x4xf32>, tensor<2x3x4xf32>) -> tensor<2x3x4xf32>
  return %loss#0, %dw, %dx : tensor<3xf32>, tensor<8x5xf32>, tensor<2x3x4xf32>
}

// -----

// The transpose alone is read: it is kept, and what it is made of ends in the forward.
// CHECK-LABEL: func.func @main
// CHECK-NOT:   llmpar.recompute
llmpar.weight @e : tensor<9x4xf32> from <"w.bin", 0, 144> {llmpar.mutable}
llmpar.weight @w : tensor<8x5xf32> from <"w.bin", 0, 160> {llmpar.mutable}
func.func @main(%ids: tensor<2x3xi64>, %labels: tensor<3xi64>, %d: tensor<3x5xf32>) -> (tensor<3xf32>, tensor<8x5xf32>) {
  %e = llmpar.load_weight @e : tensor<9x4xf32>
  %w = llmpar.load_weight @w : tensor<8x5xf32>
  %x = llmpar.gather %e, %ids {axis = 0 : i64} : (tensor<9x4xf32>, tensor<2x3xi64>) -> tensor<2x3x4xf32>
  %o = llmpar.softmax %x {axis = 2 : i64} : (tensor<2x3x4xf32>) -> tensor<2x3x4xf32>
  %t = llmpar.transpose %o {permutation = array<i64: 1, 0, 2>} : (tensor<2x3x4xf32>) -> tensor<3x2x4xf32>
  %r = llmpar.reshape %t : (tensor<3x2x4xf32>) -> tensor<3x8xf32>
  %l = llmpar.matmul %r, %w : (tensor<3x8xf32>, tensor<8x5xf32>) -> tensor<3x5xf32>
  %loss:2 = llmpar.cross_entropy %l, %labels {ignore_index = -100 : i64, llmpar.loss} : (tensor<3x5xf32>, tensor<3xi64>) -> (tensor<3xf32>, tensor<3xf32>)
  %dw = llmpar.weight_grad %r, %d : (tensor<3x8xf32>, tensor<3x5xf32>) -> tensor<8x5xf32>
  return %loss#0, %dw : tensor<3xf32>, tensor<8x5xf32>
}
