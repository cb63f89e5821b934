// RUN: llmpar-opt %s --canonicalize | FileCheck %s

// CHECK-LABEL: @cast_to_the_same_type
func.func @cast_to_the_same_type(%x: tensor<2x3xf32>) -> tensor<2x3xf32> {
  // CHECK-NEXT: return %arg0
  %r = llmpar.cast %x : (tensor<2x3xf32>) -> tensor<2x3xf32>
  return %r : tensor<2x3xf32>
}

// CHECK-LABEL: @reshape_to_the_same_type
func.func @reshape_to_the_same_type(%x: tensor<2x3xf32>) -> tensor<2x3xf32> {
  // CHECK-NEXT: return %arg0
  %r = llmpar.reshape %x : (tensor<2x3xf32>) -> tensor<2x3xf32>
  return %r : tensor<2x3xf32>
}

// CHECK-LABEL: @broadcast_to_the_same_type
func.func @broadcast_to_the_same_type(%x: tensor<2x3xf32>) -> tensor<2x3xf32> {
  // CHECK-NEXT: return %arg0
  %r = llmpar.broadcast %x : (tensor<2x3xf32>) -> tensor<2x3xf32>
  return %r : tensor<2x3xf32>
}

// CHECK-LABEL: @transpose_in_order
func.func @transpose_in_order(%x: tensor<2x3xf32>) -> tensor<2x3xf32> {
  // CHECK-NEXT: return %arg0
  %r = llmpar.transpose %x {permutation = array<i64: 0, 1>} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  return %r : tensor<2x3xf32>
}

// CHECK-LABEL: @slice_of_everything
func.func @slice_of_everything(%x: tensor<2x3xf32>) -> tensor<2x3xf32> {
  // CHECK-NEXT: return %arg0
  %r = llmpar.slice %x {starts = array<i64: 0, 0>, steps = array<i64: 1, 1>} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  return %r : tensor<2x3xf32>
}

// CHECK-LABEL: @concat_of_one
func.func @concat_of_one(%x: tensor<2x3xf32>) -> tensor<2x3xf32> {
  // CHECK-NEXT: return %arg0
  %r = llmpar.concat %x {axis = 1 : i64} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  return %r : tensor<2x3xf32>
}

// CHECK-LABEL: @times_one
func.func @times_one(%x: tensor<2x3xf32>) -> tensor<2x3xf32> {
  // CHECK-NEXT: return %arg0
  %a = llmpar.constant dense<1.0> : tensor<f32> : tensor<f32>
  %r = llmpar.binary "mul" %a, %x : (tensor<f32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  return %r : tensor<2x3xf32>
}

// CHECK-LABEL: @divided_by_one
func.func @divided_by_one(%x: tensor<2x3xf32>) -> tensor<2x3xf32> {
  // CHECK-NEXT: return %arg0
  %a = llmpar.constant dense<1.0> : tensor<f32> : tensor<f32>
  %r = llmpar.binary "div" %x, %a : (tensor<2x3xf32>, tensor<f32>) -> tensor<2x3xf32>
  return %r : tensor<2x3xf32>
}

// CHECK-LABEL: @minus_zero
func.func @minus_zero(%x: tensor<2x3xf32>) -> tensor<2x3xf32> {
  // CHECK-NEXT: return %arg0
  %a = llmpar.constant dense<0.0> : tensor<3xf32> : tensor<3xf32>
  %r = llmpar.binary "sub" %x, %a : (tensor<2x3xf32>, tensor<3xf32>) -> tensor<2x3xf32>
  return %r : tensor<2x3xf32>
}

// CHECK-LABEL: @transpose_there_and_back
func.func @transpose_there_and_back(%x: tensor<2x3xf32>) -> tensor<2x3xf32> {
  // CHECK-NEXT: return %arg0
  %0 = llmpar.transpose %x {permutation = array<i64: 1, 0>} : (tensor<2x3xf32>) -> tensor<3x2xf32>
  %r = llmpar.transpose %0 {permutation = array<i64: 1, 0>} : (tensor<3x2xf32>) -> tensor<2x3xf32>
  return %r : tensor<2x3xf32>
}

// CHECK-LABEL: @reshape_there_and_back
func.func @reshape_there_and_back(%x: tensor<2x3xf32>) -> tensor<2x3xf32> {
  // CHECK-NEXT: return %arg0
  %0 = llmpar.reshape %x : (tensor<2x3xf32>) -> tensor<6xf32>
  %r = llmpar.reshape %0 : (tensor<6xf32>) -> tensor<2x3xf32>
  return %r : tensor<2x3xf32>
}

// CHECK-LABEL: @select_of_true
func.func @select_of_true(%x: tensor<2x3xf32>, %y: tensor<2x3xf32>) -> tensor<2x3xf32> {
  // CHECK-NEXT: return %arg0
  %c = llmpar.constant dense<true> : tensor<3xi1> : tensor<3xi1>
  %r = llmpar.select %c, %x, %y : (tensor<3xi1>, tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  return %r : tensor<2x3xf32>
}

// CHECK-LABEL: @select_of_false
func.func @select_of_false(%x: tensor<3xf32>, %y: tensor<2x3xf32>) -> tensor<2x3xf32> {
  // CHECK-NEXT: return %arg1
  %c = llmpar.constant dense<false> : tensor<i1> : tensor<i1>
  %r = llmpar.select %c, %x, %y : (tensor<i1>, tensor<3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  return %r : tensor<2x3xf32>
}

// CHECK-LABEL: @plus_zero_of_integers
func.func @plus_zero_of_integers(%x: tensor<2x3xi64>) -> tensor<2x3xi64> {
  // CHECK-NEXT: return %arg0
  %a = llmpar.constant dense<0> : tensor<i64> : tensor<i64>
  %r = llmpar.binary "add" %x, %a : (tensor<2x3xi64>, tensor<i64>) -> tensor<2x3xi64>
  return %r : tensor<2x3xi64>
}

// CHECK-LABEL: @plus_zero_of_floats_stays
func.func @plus_zero_of_floats_stays(%x: tensor<2x3xf32>) -> tensor<2x3xf32> {
  // CHECK: llmpar.binary "add"
  %a = llmpar.constant dense<0.0> : tensor<f32> : tensor<f32>
  %r = llmpar.binary "add" %x, %a : (tensor<2x3xf32>, tensor<f32>) -> tensor<2x3xf32>
  return %r : tensor<2x3xf32>
}

// CHECK-LABEL: @one_divided_stays
func.func @one_divided_stays(%x: tensor<2x3xf32>) -> tensor<2x3xf32> {
  // CHECK: llmpar.binary "div"
  %a = llmpar.constant dense<1.0> : tensor<f32> : tensor<f32>
  %r = llmpar.binary "div" %a, %x : (tensor<f32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  return %r : tensor<2x3xf32>
}

// CHECK-LABEL: @times_one_that_broadcasts_stays
func.func @times_one_that_broadcasts_stays(%x: tensor<3xf32>) -> tensor<2x3xf32> {
  // CHECK: llmpar.binary "mul"
  %a = llmpar.constant dense<1.0> : tensor<2x3xf32> : tensor<2x3xf32>
  %r = llmpar.binary "mul" %x, %a : (tensor<3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  return %r : tensor<2x3xf32>
}

// CHECK-LABEL: @slice_backwards_stays
func.func @slice_backwards_stays(%x: tensor<2x3xf32>) -> tensor<2x3xf32> {
  // CHECK: llmpar.slice
  %r = llmpar.slice %x {starts = array<i64: 0, 2>, steps = array<i64: 1, -1>} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  return %r : tensor<2x3xf32>
}

// CHECK-LABEL: @transposes_compose
func.func @transposes_compose(%x: tensor<2x3x5xf32>) -> tensor<5x3x2xf32> {
  // CHECK-NEXT: %[[R:.*]] = llmpar.transpose %arg0 {permutation = array<i64: 2, 1, 0>} : (tensor<2x3x5xf32>) -> tensor<5x3x2xf32>
  // CHECK-NEXT: return %[[R]]
  %0 = llmpar.transpose %x {permutation = array<i64: 2, 0, 1>} : (tensor<2x3x5xf32>) -> tensor<5x2x3xf32>
  %r = llmpar.transpose %0 {permutation = array<i64: 0, 2, 1>} : (tensor<5x2x3xf32>) -> tensor<5x3x2xf32>
  return %r : tensor<5x3x2xf32>
}

// CHECK-LABEL: @reshapes_compose
func.func @reshapes_compose(%x: tensor<2x3x5xf32>) -> tensor<3x10xf32> {
  // CHECK-NEXT: %[[R:.*]] = llmpar.reshape %arg0 : (tensor<2x3x5xf32>) -> tensor<3x10xf32>
  // CHECK-NEXT: return %[[R]]
  %0 = llmpar.reshape %x : (tensor<2x3x5xf32>) -> tensor<6x5xf32>
  %r = llmpar.reshape %0 : (tensor<6x5xf32>) -> tensor<3x10xf32>
  return %r : tensor<3x10xf32>
}

// CHECK-LABEL: @transpose_goes_into_matmul
func.func @transpose_goes_into_matmul(%a: tensor<2x3xf32>, %b: tensor<5x3xf32>) -> tensor<2x5xf32> {
  // CHECK-NEXT: llmpar.matmul %arg0, %arg1 {transpose_b = true} : (tensor<2x3xf32>, tensor<5x3xf32>)
  %0 = llmpar.transpose %b {permutation = array<i64: 1, 0>} : (tensor<5x3xf32>) -> tensor<3x5xf32>
  %r = llmpar.matmul %a, %0 : (tensor<2x3xf32>, tensor<3x5xf32>) -> tensor<2x5xf32>
  return %r : tensor<2x5xf32>
}

// CHECK-LABEL: @transposes_of_both_go_into_matmul
func.func @transposes_of_both_go_into_matmul(%a: tensor<7x3x2xf32>, %b: tensor<3x5xf32>) -> tensor<7x2x5xf32> {
  // CHECK-NEXT: llmpar.matmul %arg0, %arg1 {transpose_a = true{{(, transpose_b = false)?}}} : (tensor<7x3x2xf32>, tensor<3x5xf32>)
  %0 = llmpar.transpose %a {permutation = array<i64: 0, 2, 1>} : (tensor<7x3x2xf32>) -> tensor<7x2x3xf32>
  %1 = llmpar.transpose %b {permutation = array<i64: 1, 0>} : (tensor<3x5xf32>) -> tensor<5x3xf32>
  %r = llmpar.matmul %0, %1 {transpose_b = true} : (tensor<7x2x3xf32>, tensor<5x3xf32>) -> tensor<7x2x5xf32>
  return %r : tensor<7x2x5xf32>
}

// CHECK-LABEL: @transpose_of_a_batch_dimension_stays
func.func @transpose_of_a_batch_dimension_stays(%a: tensor<2x3xf32>, %b: tensor<3x7x5xf32>) -> tensor<7x2x5xf32> {
  // CHECK: llmpar.transpose
  %0 = llmpar.transpose %b {permutation = array<i64: 1, 0, 2>} : (tensor<3x7x5xf32>) -> tensor<7x3x5xf32>
  %r = llmpar.matmul %a, %0 : (tensor<2x3xf32>, tensor<7x3x5xf32>) -> tensor<7x2x5xf32>
  return %r : tensor<7x2x5xf32>
}

llmpar.mesh @mesh <["tp" = 2]>

// CHECK-LABEL: @sharded_transpose_stays
func.func @sharded_transpose_stays(%a: tensor<2x3xf32>, %b: tensor<5x3xf32>) -> tensor<2x5xf32> {
  // CHECK: llmpar.transpose
  %0 = llmpar.transpose %b {permutation = array<i64: 1, 0>, llmpar.out = [#llmpar.sharding<@mesh, [{"tp"}, {}]>]} : (tensor<5x3xf32>) -> tensor<3x5xf32>
  %r = llmpar.matmul %a, %0 : (tensor<2x3xf32>, tensor<3x5xf32>) -> tensor<2x5xf32>
  return %r : tensor<2x5xf32>
}
