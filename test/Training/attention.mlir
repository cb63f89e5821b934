// RUN: llmpar-opt %s --llmpar-fuse-attention=for-training --llmpar-build-training-step=optimizer=sgd | FileCheck %s

llmpar.weight @w : tensor<6x6xf32> from <"w.bin", 0, 144>

// No scores are kept from forward to backward: the gradient of attention is made from its operands and the rows' lse.
// CHECK-LABEL: func.func @main
// CHECK-NOT:   llmpar.softmax
// CHECK:       %[[Y:.*]], %[[LSE:.*]] = llmpar.attention %[[Q:.*]], %arg0, %arg0 masks %arg1
// CHECK:       %[[DY:.*]] = llmpar.cross_entropy_grad %[[Y]]
// CHECK:       %[[DQ:.*]], %{{.*}}, %{{.*}} = llmpar.attention_grad %[[Q]], %arg0, %arg0, %[[Y]], %[[LSE]], %[[DY]] masks %arg1 {fill = 0xFFF0000000000000 : f64, scale = 1.000000e+00 : f64}
// CHECK:       llmpar.weight_grad %arg0, %[[DQ]]
// CHECK-NOT:   llmpar.softmax
func.func @main(%x: tensor<2x5x6xf32>, %bias: tensor<5x5xf32>) -> tensor<2x5x6xf32> {
  %w = llmpar.load_weight @w : tensor<6x6xf32>
  %q = llmpar.matmul %x, %w : (tensor<2x5x6xf32>, tensor<6x6xf32>) -> tensor<2x5x6xf32>
  %0 = llmpar.matmul %q, %x {transpose_b = true} : (tensor<2x5x6xf32>, tensor<2x5x6xf32>) -> tensor<2x5x5xf32>
  %1 = llmpar.binary "add" %0, %bias : (tensor<2x5x5xf32>, tensor<5x5xf32>) -> tensor<2x5x5xf32>
  %2 = llmpar.softmax %1 {axis = 2} : (tensor<2x5x5xf32>) -> tensor<2x5x5xf32>
  %3 = llmpar.matmul %2, %x : (tensor<2x5x5xf32>, tensor<2x5x6xf32>) -> tensor<2x5x6xf32>
  return %3 : tensor<2x5x6xf32>
}
