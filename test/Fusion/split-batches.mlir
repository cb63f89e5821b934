// RUN: llmpar-opt %s --llmpar-split-batches | FileCheck %s
// RUN: llmpar-opt %s --llmpar-split-batches --llmpar-fuse-attention --canonicalize | FileCheck %s --check-prefix=FUSED

// FUSED-LABEL: func.func @bmm
// FUSED:       llmpar.attention %{{.*}}, %{{.*}}, %{{.*}} masks %{{.*}}, %arg4 {{.*}} : (tensor<2x4x3x6xf32>, tensor<2x4x5x6xf32>, tensor<2x4x5x7xf32>, tensor<2x4x1x5xf32>, tensor<2x1x3x5xf32>)
// CHECK-LABEL: func.func @bmm
// CHECK:       %[[Q:.*]] = llmpar.reshape %arg0 : (tensor<8x3x6xf32>) -> tensor<2x4x3x6xf32>
// CHECK-NEXT:  %[[K:.*]] = llmpar.reshape %arg1 : (tensor<8x5x6xf32>) -> tensor<2x4x5x6xf32>
// CHECK-NEXT:  %[[S:.*]] = llmpar.matmul %[[Q]], %[[K]] {transpose_b = true} : (tensor<2x4x3x6xf32>, tensor<2x4x5x6xf32>) -> tensor<2x4x3x5xf32>
// CHECK-NEXT:  %[[A:.*]] = llmpar.binary "mul" %[[S]], %{{.*}} : (tensor<2x4x3x5xf32>, tensor<f32>)
// CHECK-NEXT:  %[[ALIBI:.*]] = llmpar.reshape %arg3 : (tensor<8x1x5xf32>) -> tensor<2x4x1x5xf32>
// CHECK-NEXT:  %[[B:.*]] = llmpar.binary "add" %[[A]], %[[ALIBI]]
// CHECK-NEXT:  %[[M:.*]] = llmpar.binary "add" %[[B]], %arg4
// CHECK-NEXT:  %[[P:.*]] = llmpar.softmax %[[M]]
// CHECK-NEXT:  %[[V:.*]] = llmpar.reshape %arg2 : (tensor<8x5x7xf32>) -> tensor<2x4x5x7xf32>
// CHECK-NEXT:  %[[Y:.*]] = llmpar.matmul %[[P]], %[[V]]
// CHECK-NEXT:  %[[R:.*]] = llmpar.reshape %[[Y]] : (tensor<2x4x3x7xf32>) -> tensor<8x3x7xf32>
// CHECK-NEXT:  return %[[R]]
func.func @bmm(%q: tensor<8x3x6xf32>, %k: tensor<8x5x6xf32>, %v: tensor<8x5x7xf32>, %alibi: tensor<8x1x5xf32>, %mask: tensor<2x1x3x5xf32>) -> tensor<8x3x7xf32> {
  %half = llmpar.constant dense<0.5> : tensor<f32> : tensor<f32>
  %0 = llmpar.matmul %q, %k {transpose_b = true} : (tensor<8x3x6xf32>, tensor<8x5x6xf32>) -> tensor<8x3x5xf32>
  %1 = llmpar.binary "mul" %0, %half : (tensor<8x3x5xf32>, tensor<f32>) -> tensor<8x3x5xf32>
  %2 = llmpar.binary "add" %1, %alibi : (tensor<8x3x5xf32>, tensor<8x1x5xf32>) -> tensor<8x3x5xf32>
  %3 = llmpar.reshape %2 : (tensor<8x3x5xf32>) -> tensor<2x4x3x5xf32>
  %4 = llmpar.binary "add" %3, %mask : (tensor<2x4x3x5xf32>, tensor<2x1x3x5xf32>) -> tensor<2x4x3x5xf32>
  %5 = llmpar.softmax %4 {axis = 3 : i64} : (tensor<2x4x3x5xf32>) -> tensor<2x4x3x5xf32>
  %6 = llmpar.reshape %5 : (tensor<2x4x3x5xf32>) -> tensor<8x3x5xf32>
  %7 = llmpar.matmul %6, %v : (tensor<8x3x5xf32>, tensor<8x5x7xf32>) -> tensor<8x3x7xf32>
  return %7 : tensor<8x3x7xf32>
}

// A mask for all batches, and one without them.
// CHECK-LABEL: func.func @masks_that_are_broadcast
// CHECK:       %[[S:.*]] = llmpar.matmul {{.*}} -> tensor<2x4x3x5xf32>
// CHECK-NEXT:  %[[ONES:.*]] = llmpar.reshape %arg2 : (tensor<1x3x5xf32>) -> tensor<1x1x3x5xf32>
// CHECK-NEXT:  %[[A:.*]] = llmpar.binary "add" %[[S]], %[[ONES]]
// CHECK-NEXT:  %[[B:.*]] = llmpar.select %arg3, %[[A]], %{{.*}} : (tensor<3x5xi1>, tensor<2x4x3x5xf32>, tensor<f32>)
// CHECK-NEXT:  llmpar.softmax %[[B]]
func.func @masks_that_are_broadcast(%q: tensor<8x3x6xf32>, %k: tensor<8x5x6xf32>, %a: tensor<1x3x5xf32>, %b: tensor<3x5xi1>) -> tensor<2x4x3x5xf32> {
  %low = llmpar.constant dense<-1.0e9> : tensor<f32> : tensor<f32>
  %0 = llmpar.matmul %q, %k {transpose_b = true} : (tensor<8x3x6xf32>, tensor<8x5x6xf32>) -> tensor<8x3x5xf32>
  %1 = llmpar.binary "add" %0, %a : (tensor<8x3x5xf32>, tensor<1x3x5xf32>) -> tensor<8x3x5xf32>
  %2 = llmpar.select %b, %1, %low : (tensor<3x5xi1>, tensor<8x3x5xf32>, tensor<f32>) -> tensor<8x3x5xf32>
  %3 = llmpar.reshape %2 : (tensor<8x3x5xf32>) -> tensor<2x4x3x5xf32>
  %4 = llmpar.softmax %3 {axis = 3 : i64} : (tensor<2x4x3x5xf32>) -> tensor<2x4x3x5xf32>
  return %4 : tensor<2x4x3x5xf32>
}

// Somebody else reads the scores as they are.
// CHECK-LABEL: func.func @scores_with_another_user_stay
// CHECK:       llmpar.matmul %arg0, %arg1
// CHECK-NEXT:  llmpar.reshape
// CHECK-NEXT:  llmpar.softmax
func.func @scores_with_another_user_stay(%q: tensor<8x3x6xf32>, %k: tensor<8x5x6xf32>) -> (tensor<2x4x3x5xf32>, tensor<8x3x5xf32>) {
  %0 = llmpar.matmul %q, %k {transpose_b = true} : (tensor<8x3x6xf32>, tensor<8x5x6xf32>) -> tensor<8x3x5xf32>
  %1 = llmpar.reshape %0 : (tensor<8x3x5xf32>) -> tensor<2x4x3x5xf32>
  %2 = llmpar.softmax %1 {axis = 3 : i64} : (tensor<2x4x3x5xf32>) -> tensor<2x4x3x5xf32>
  return %2, %0 : tensor<2x4x3x5xf32>, tensor<8x3x5xf32>
}

// The matrices themselves are reshaped.
// CHECK-LABEL: func.func @rows_that_are_cut_stay
// CHECK:       llmpar.matmul %arg0, %arg1
// CHECK-NEXT:  llmpar.reshape
// CHECK-NEXT:  llmpar.softmax
func.func @rows_that_are_cut_stay(%q: tensor<8x4x6xf32>, %k: tensor<8x5x6xf32>) -> tensor<8x2x2x5xf32> {
  %0 = llmpar.matmul %q, %k {transpose_b = true} : (tensor<8x4x6xf32>, tensor<8x5x6xf32>) -> tensor<8x4x5xf32>
  %1 = llmpar.reshape %0 : (tensor<8x4x5xf32>) -> tensor<8x2x2x5xf32>
  %2 = llmpar.softmax %1 {axis = 3 : i64} : (tensor<8x2x2x5xf32>) -> tensor<8x2x2x5xf32>
  return %2 : tensor<8x2x2x5xf32>
}
