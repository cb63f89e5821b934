// RUN: llmpar-opt %s --split-input-file --llmpar-build-training-step=optimizer=sgd | FileCheck %s

// The slices are all of %p: its gradient is put together, not padded and added.
// CHECK-LABEL: func.func @main
// CHECK-NOT:   llmpar.slice_grad
// CHECK:       llmpar.concat %{{.*}}, %{{.*}}, %{{.*}} {axis = 1 : i64} : (tensor<2x2xf32>, tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x6xf32>
// CHECK-NEXT:  llmpar.weight_grad
// CHECK-NOT:   llmpar.slice_grad
llmpar.weight @w : tensor<4x6xf32> from <"w.bin", 0, 96>
func.func @main(%x: tensor<2x4xf32>) -> tensor<2x2xf32> {
  %w = llmpar.load_weight @w : tensor<4x6xf32>
  %p = llmpar.matmul %x, %w : (tensor<2x4xf32>, tensor<4x6xf32>) -> tensor<2x6xf32>
  %c = llmpar.slice %p {starts = array<i64: 0, 4>, steps = array<i64: 1, 1>} : (tensor<2x6xf32>) -> tensor<2x2xf32>
  %a = llmpar.slice %p {starts = array<i64: 0, 0>, steps = array<i64: 1, 1>} : (tensor<2x6xf32>) -> tensor<2x2xf32>
  %b = llmpar.slice %p {starts = array<i64: 0, 2>, steps = array<i64: 1, 1>} : (tensor<2x6xf32>) -> tensor<2x2xf32>
  %0 = llmpar.binary "mul" %a, %b : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x2xf32>
  %1 = llmpar.binary "mul" %0, %c : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x2xf32>
  return %1 : tensor<2x2xf32>
}

// -----

// A gap, and below two slices that overlap: sums.
// CHECK-LABEL: func.func @main
// CHECK-NOT:   llmpar.concat
// CHECK-COUNT-2: llmpar.slice_grad
// CHECK-NOT:   llmpar.concat
llmpar.weight @w : tensor<4x6xf32> from <"w.bin", 0, 96>
func.func @main(%x: tensor<2x4xf32>) -> tensor<2x2xf32> {
  %w = llmpar.load_weight @w : tensor<4x6xf32>
  %p = llmpar.matmul %x, %w : (tensor<2x4xf32>, tensor<4x6xf32>) -> tensor<2x6xf32>
  %a = llmpar.slice %p {starts = array<i64: 0, 0>, steps = array<i64: 1, 1>} : (tensor<2x6xf32>) -> tensor<2x2xf32>
  %b = llmpar.slice %p {starts = array<i64: 0, 4>, steps = array<i64: 1, 1>} : (tensor<2x6xf32>) -> tensor<2x2xf32>
  %0 = llmpar.binary "mul" %a, %b : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x2xf32>
  return %0 : tensor<2x2xf32>
}

// -----

// CHECK-LABEL: func.func @main
// CHECK-NOT:   llmpar.concat
// CHECK-COUNT-2: llmpar.slice_grad
// CHECK-NOT:   llmpar.concat
llmpar.weight @w : tensor<4x6xf32> from <"w.bin", 0, 96>
func.func @main(%x: tensor<2x4xf32>) -> tensor<2x4xf32> {
  %w = llmpar.load_weight @w : tensor<4x6xf32>
  %p = llmpar.matmul %x, %w : (tensor<2x4xf32>, tensor<4x6xf32>) -> tensor<2x6xf32>
  %a = llmpar.slice %p {starts = array<i64: 0, 0>, steps = array<i64: 1, 1>} : (tensor<2x6xf32>) -> tensor<2x4xf32>
  %b = llmpar.slice %p {starts = array<i64: 0, 2>, steps = array<i64: 1, 1>} : (tensor<2x6xf32>) -> tensor<2x4xf32>
  %0 = llmpar.binary "mul" %a, %b : (tensor<2x4xf32>, tensor<2x4xf32>) -> tensor<2x4xf32>
  return %0 : tensor<2x4xf32>
}

// -----

// A value whose gradient is also another's: %y and %a share it.
// CHECK-LABEL: func.func @main
// CHECK:       llmpar.slice_grad
// CHECK:       return
llmpar.weight @a : tensor<4xf32> from <"w.bin", 0, 16>
llmpar.weight @b : tensor<4xf32> from <"w.bin", 16, 16>
func.func @main() -> tensor<2xf32> {
  %a = llmpar.load_weight @a : tensor<4xf32>
  %b = llmpar.load_weight @b : tensor<4xf32>
  %y = llmpar.binary "add" %a, %b : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  %s = llmpar.slice %y {starts = array<i64: 0>, steps = array<i64: 1>} : (tensor<4xf32>) -> tensor<2xf32>
  %t = llmpar.slice %b {starts = array<i64: 2>, steps = array<i64: 1>} : (tensor<4xf32>) -> tensor<2xf32>
  %z = llmpar.binary "mul" %s, %t : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
  return %z : tensor<2xf32>
}
