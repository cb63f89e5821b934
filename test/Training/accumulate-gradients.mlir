// RUN: llmpar-opt %s --split-input-file --llmpar-build-training-step="optimizer=sgd gradient-accumulation-steps=2" | FileCheck %s

// Inputs get the rows of both micro-batches, 0 2 4 and 1 3 5. The second forward comes behind the first backward, and
// its gradient is added as soon as it is there. What does not depend on the batch is there once.
// CHECK-LABEL: func.func @main
// CHECK-SAME:  %[[X:[^:]+]]: tensor<6x4xf32> {llmpar.dims = ["batch", ""]}
// CHECK-SAME:  %[[BIAS:[^:]+]]: tensor<5xf32>
// CHECK-SAME:  %[[LABELS:[^:]+]]: tensor<6xi64> {llmpar.name = "labels"}
// CHECK:       %[[ROWS:.*]] = llmpar.reshape %[[X]] : (tensor<6x4xf32>) -> tensor<3x2x4xf32>
// CHECK:       llmpar.slice %[[ROWS]] {starts = array<i64: 0, 0, 0>
// CHECK:       llmpar.unary "exp" %[[BIAS]]
// CHECK-NOT:   llmpar.unary
// CHECK:       llmpar.matmul
// CHECK:       llmpar.cross_entropy
// CHECK:       %[[FIRST:.*]] = llmpar.weight_grad
// CHECK:       llmpar.slice %[[ROWS]] {starts = array<i64: 0, 1, 0>
// CHECK:       llmpar.slice {{.*}} {starts = array<i64: 0, 1>
// CHECK:       llmpar.matmul
// CHECK:       %[[SECOND:.*]] = llmpar.weight_grad
// CHECK-NEXT:  %[[SUM:.*]] = llmpar.binary "add" %[[FIRST]], %[[SECOND]]
// CHECK:       llmpar.sgd %{{[^,]+}}, %[[SUM]]
llmpar.weight @w : tensor<4x5xf32> from <"w.bin", 0, 80>
func.func @main(%x: tensor<3x4xf32> {llmpar.dims = ["batch", ""]}, %b: tensor<5xf32> {llmpar.dims = ["classes"]}) -> tensor<3x5xf32> {
  %w = llmpar.load_weight @w : tensor<4x5xf32>
  %c = llmpar.unary "exp" %b : (tensor<5xf32>) -> tensor<5xf32>
  %y = llmpar.matmul %x, %w : (tensor<3x4xf32>, tensor<4x5xf32>) -> tensor<3x5xf32>
  %z = llmpar.binary "add" %y, %c : (tensor<3x5xf32>, tensor<5xf32>) -> tensor<3x5xf32>
  return %z : tensor<3x5xf32>
}

// -----

// The batch may be another dimension than the first; of static dimensions the size tells.
// CHECK-LABEL: func.func @main
// CHECK-SAME:  tensor<6x4xf32> {llmpar.dims = ["batch", ""]}
// CHECK-SAME:  tensor<2x6xf32> {llmpar.dims = ["", "batch"]}
// CHECK:       llmpar.reshape {{.*}} : (tensor<2x6xf32>) -> tensor<2x3x2xf32>
llmpar.weight @w : tensor<4x5xf32> from <"w.bin", 0, 80>
func.func @main(%x: tensor<3x4xf32> {llmpar.dims = ["batch", ""]}, %t: tensor<2x3xf32> {llmpar.dims = ["", "batch"]}) -> tensor<3x5xf32> {
  %w = llmpar.load_weight @w : tensor<4x5xf32>
  %y = llmpar.matmul %x, %w : (tensor<3x4xf32>, tensor<4x5xf32>) -> tensor<3x5xf32>
  %s = llmpar.reduce "sum" %t {axes = array<i64: 0>, keep_dims = false} : (tensor<2x3xf32>) -> tensor<3xf32>
  %c = llmpar.reshape %s : (tensor<3xf32>) -> tensor<3x1xf32>
  %z = llmpar.binary "add" %y, %c : (tensor<3x5xf32>, tensor<3x1xf32>) -> tensor<3x5xf32>
  return %z : tensor<3x5xf32>
}
