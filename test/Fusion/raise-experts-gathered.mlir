// RUN: llmpar-opt %s --llmpar-raise-experts | FileCheck %s

llmpar.weight @gate_up : tensor<3x20x6xf32> from <"w.bin", 0, 1440>
llmpar.weight @down : tensor<3x6x10xf32> from <"w.bin", 1440, 720>

// Rows (t k) with the matrices of their experts, gate and up packed: what PyTorch exports.
// CHECK-LABEL: func.func @gathered_weights_are_experts_too
// CHECK-DAG:   %[[PACKED:.*]] = llmpar.load_weight @gate_up
// CHECK-DAG:   %[[DOWN:.*]] = llmpar.load_weight @down
// CHECK-DAG:   %[[UP:.*]] = llmpar.slice %{{.*}} {starts = array<i64: 0, 10, 0>, steps = array<i64: 1, 1, 1>} : (tensor<3x20x6xf32>) -> tensor<3x10x6xf32>
// CHECK-DAG:   %[[GATE:.*]] = llmpar.slice %{{.*}} {starts = array<i64: 0, 0, 0>, steps = array<i64: 1, 1, 1>} : (tensor<3x20x6xf32>) -> tensor<3x10x6xf32>
// CHECK:       llmpar.experts "silu" %arg0, %{{.*}} up %[[UP]] down %[[DOWN]] gate %[[GATE]] {experts = 3 : i64, k = 2 : i64}
// CHECK-NOT:   llmpar.gather_nd
func.func @gathered_weights_are_experts_too(%x: tensor<2x2x6xf32>, %scores: tensor<4x3xf32>) -> (tensor<2x2x6xf32>) {
  %values, %indices = llmpar.top_k %scores {k = 2, axis = 1, largest = true} : (tensor<4x3xf32>) -> (tensor<4x2xf32>, tensor<4x2xi64>)
  %x1 = llmpar.reshape %x : (tensor<2x2x6xf32>) -> tensor<4x1x6xf32>
  %x2 = llmpar.broadcast %x1 : (tensor<4x1x6xf32>) -> tensor<4x2x6xf32>
  %rows = llmpar.reshape %x2 : (tensor<4x2x6xf32>) -> tensor<8x6x1xf32>
  %at = llmpar.reshape %indices : (tensor<4x2xi64>) -> tensor<8x1xi64>
  %w = llmpar.load_weight @gate_up : tensor<3x20x6xf32>
  %w8 = llmpar.gather_nd %w, %at {batch_dims = 0} : (tensor<3x20x6xf32>, tensor<8x1xi64>) -> tensor<8x20x6xf32>
  %h = llmpar.matmul %w8, %rows : (tensor<8x20x6xf32>, tensor<8x6x1xf32>) -> tensor<8x20x1xf32>
  %h2 = llmpar.reshape %h : (tensor<8x20x1xf32>) -> tensor<8x20xf32>
  %g = llmpar.slice %h2 {starts = array<i64: 0, 0>, steps = array<i64: 1, 1>} : (tensor<8x20xf32>) -> tensor<8x10xf32>
  %u = llmpar.slice %h2 {starts = array<i64: 0, 10>, steps = array<i64: 1, 1>} : (tensor<8x20xf32>) -> tensor<8x10xf32>
  %s = llmpar.unary "sigmoid" %g : (tensor<8x10xf32>) -> tensor<8x10xf32>
  %a = llmpar.binary "mul" %g, %s : (tensor<8x10xf32>, tensor<8x10xf32>) -> tensor<8x10xf32>
  %i = llmpar.binary "mul" %a, %u : (tensor<8x10xf32>, tensor<8x10xf32>) -> tensor<8x10xf32>
  %i1 = llmpar.reshape %i : (tensor<8x10xf32>) -> tensor<8x10x1xf32>
  %d = llmpar.load_weight @down : tensor<3x6x10xf32>
  %d8 = llmpar.gather_nd %d, %at {batch_dims = 0} : (tensor<3x6x10xf32>, tensor<8x1xi64>) -> tensor<8x6x10xf32>
  %o = llmpar.matmul %d8, %i1 : (tensor<8x6x10xf32>, tensor<8x10x1xf32>) -> tensor<8x6x1xf32>
  %o2 = llmpar.reshape %o : (tensor<8x6x1xf32>) -> tensor<8x6xf32>
  %c = llmpar.reshape %values : (tensor<4x2xf32>) -> tensor<8x1xf32>
  %p = llmpar.binary "mul" %o2, %c : (tensor<8x6xf32>, tensor<8x1xf32>) -> tensor<8x6xf32>
  %p3 = llmpar.reshape %p : (tensor<8x6xf32>) -> tensor<4x2x6xf32>
  %r = llmpar.reduce "sum" %p3 {axes = array<i64: 1>, keep_dims = true} : (tensor<4x2x6xf32>) -> tensor<4x1x6xf32>
  %y = llmpar.reshape %r : (tensor<4x1x6xf32>) -> tensor<2x2x6xf32>
  return %y : tensor<2x2x6xf32>
}

// The second result is what one of the products gives.
// CHECK-LABEL: func.func @another_use_of_a_gathered_product_keeps_all
// CHECK-NOT:   llmpar.experts
// CHECK:       llmpar.gather_nd
func.func @another_use_of_a_gathered_product_keeps_all(%x: tensor<2x2x6xf32>, %scores: tensor<4x3xf32>) -> (tensor<2x2x6xf32>, tensor<8x10xf32>) {
  %values, %indices = llmpar.top_k %scores {k = 2, axis = 1, largest = true} : (tensor<4x3xf32>) -> (tensor<4x2xf32>, tensor<4x2xi64>)
  %x1 = llmpar.reshape %x : (tensor<2x2x6xf32>) -> tensor<4x1x6xf32>
  %x2 = llmpar.broadcast %x1 : (tensor<4x1x6xf32>) -> tensor<4x2x6xf32>
  %rows = llmpar.reshape %x2 : (tensor<4x2x6xf32>) -> tensor<8x6x1xf32>
  %at = llmpar.reshape %indices : (tensor<4x2xi64>) -> tensor<8x1xi64>
  %w = llmpar.load_weight @gate_up : tensor<3x20x6xf32>
  %w8 = llmpar.gather_nd %w, %at {batch_dims = 0} : (tensor<3x20x6xf32>, tensor<8x1xi64>) -> tensor<8x20x6xf32>
  %h = llmpar.matmul %w8, %rows : (tensor<8x20x6xf32>, tensor<8x6x1xf32>) -> tensor<8x20x1xf32>
  %h2 = llmpar.reshape %h : (tensor<8x20x1xf32>) -> tensor<8x20xf32>
  %g = llmpar.slice %h2 {starts = array<i64: 0, 0>, steps = array<i64: 1, 1>} : (tensor<8x20xf32>) -> tensor<8x10xf32>
  %u = llmpar.slice %h2 {starts = array<i64: 0, 10>, steps = array<i64: 1, 1>} : (tensor<8x20xf32>) -> tensor<8x10xf32>
  %s = llmpar.unary "sigmoid" %g : (tensor<8x10xf32>) -> tensor<8x10xf32>
  %a = llmpar.binary "mul" %g, %s : (tensor<8x10xf32>, tensor<8x10xf32>) -> tensor<8x10xf32>
  %i = llmpar.binary "mul" %a, %u : (tensor<8x10xf32>, tensor<8x10xf32>) -> tensor<8x10xf32>
  %i1 = llmpar.reshape %i : (tensor<8x10xf32>) -> tensor<8x10x1xf32>
  %d = llmpar.load_weight @down : tensor<3x6x10xf32>
  %d8 = llmpar.gather_nd %d, %at {batch_dims = 0} : (tensor<3x6x10xf32>, tensor<8x1xi64>) -> tensor<8x6x10xf32>
  %o = llmpar.matmul %d8, %i1 : (tensor<8x6x10xf32>, tensor<8x10x1xf32>) -> tensor<8x6x1xf32>
  %o2 = llmpar.reshape %o : (tensor<8x6x1xf32>) -> tensor<8x6xf32>
  %c = llmpar.reshape %values : (tensor<4x2xf32>) -> tensor<8x1xf32>
  %p = llmpar.binary "mul" %o2, %c : (tensor<8x6xf32>, tensor<8x1xf32>) -> tensor<8x6xf32>
  %p3 = llmpar.reshape %p : (tensor<8x6xf32>) -> tensor<4x2x6xf32>
  %r = llmpar.reduce "sum" %p3 {axes = array<i64: 1>, keep_dims = true} : (tensor<4x2x6xf32>) -> tensor<4x1x6xf32>
  %y = llmpar.reshape %r : (tensor<4x1x6xf32>) -> tensor<2x2x6xf32>
  return %y, %u : tensor<2x2x6xf32>, tensor<8x10xf32>
}
