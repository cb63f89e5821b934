// RUN: llmpar-opt %s --llmpar-build-training-step="loss=mse optimizer=sgd" | FileCheck %s
// RUN: llmpar-opt %s --llmpar-build-training-step="loss=mse optimizer=sgd" --llmpar-recompute=granularity=full | FileCheck %s --check-prefix=FULL
// RUN: llmpar-opt %s --llmpar-build-evaluation-step=loss=mse | FileCheck %s --check-prefix=EVALUATE
// RUN: not llmpar-opt %s --llmpar-build-training-step=loss=huber 2>&1 | FileCheck %s --check-prefix=UNKNOWN
// RUN: not llmpar-opt %s --llmpar-build-training-step="loss=mse label-smoothing=0.1" 2>&1 | FileCheck %s --check-prefix=SMOOTHING

// UNKNOWN:   error: loss 'huber' is unknown: choose cross-entropy, mse
// SMOOTHING: error: label-smoothing 1.000000e-01 is of loss 'cross-entropy', not of 'mse'

llmpar.weight @w : tensor<4x6xf32> from <"w.bin", 0, 96>

// Labels are numbers, and NaN ones do not count.
// CHECK-LABEL: func.func @main
// CHECK-SAME:  %[[LABELS:[a-z0-9]+]]: tensor<2x6xf32> {llmpar.name = "labels"})
// CHECK:       %[[Y:.*]] = llmpar.unary "tanh"
// CHECK:       %[[COUNT:.*]] = llmpar.reduce "sum" %{{.*}} {axes = array<i64: 0, 1>, keep_dims = false}
// CHECK:       %[[D:.*]] = llmpar.binary "sub" %[[Y]], %[[LABELS]]
// CHECK:       %[[NAN:.*]] = llmpar.unary "is_nan" %[[LABELS]]
// CHECK:       %[[D0:.*]] = llmpar.select %[[NAN]], %{{.*}}, %[[D]]
// CHECK:       %[[LOSSES:.*]] = llmpar.binary "mul" %[[D0]], %[[D0]] {llmpar.loss}
// CHECK:       llmpar.weight_grad
// CHECK:       %[[SUM:.*]] = llmpar.reduce "sum" %[[LOSSES]] {axes = array<i64: 0, 1>, keep_dims = false}
// CHECK:       llmpar.sgd

// The loss ends the forward that is computed again.
// FULL:        %[[D:.*]] = llmpar.select
// FULL-NEXT:   llmpar.binary "mul" %[[D]], %[[D]] {llmpar.loss}
// FULL:        llmpar.matmul %arg0, %{{.*}} {llmpar.recompute}
// FULL-NOT:    llmpar.select

// EVALUATE:    %[[LOSSES:.*]] = llmpar.binary "mul" %{{.*}} {llmpar.loss}
// EVALUATE:    %[[LOSS:.*]] = llmpar.reduce "sum" %[[LOSSES]]
// EVALUATE:    %[[COUNT:.*]] = llmpar.reduce "sum"
// EVALUATE:    return %[[LOSS]], %[[COUNT]] : tensor<f32>, tensor<f32>
func.func @main(%x: tensor<2x4xf32>) -> tensor<2x6xf32> {
  %w = llmpar.load_weight @w : tensor<4x6xf32>
  %y = llmpar.matmul %x, %w : (tensor<2x4xf32>, tensor<4x6xf32>) -> tensor<2x6xf32>
  %z = llmpar.unary "tanh" %y : (tensor<2x6xf32>) -> tensor<2x6xf32>
  return %z : tensor<2x6xf32>
}
