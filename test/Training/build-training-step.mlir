// RUN: llmpar-opt %s --llmpar-build-training-step="optimizer=sgd lr=0.5 clip-grad=1" | FileCheck %s
// RUN: llmpar-opt %s --llmpar-build-training-step="optimizer=adam lr-schedule=cosine steps=10 warmup=2" | FileCheck %s --check-prefix=ADAM

// What is trained becomes state; what the optimizer keeps begins as zeros.
// The name of a weight is not taken twice.
// CHECK-DAG:   llmpar.weight @step_0 : tensor<f32> from zeros {llmpar.mutable}
// CHECK-DAG:   llmpar.weight @w : tensor<4x6xf32> from <"w.bin", 0, 96> {llmpar.mutable}
// CHECK-DAG:   llmpar.weight @w.velocity : tensor<4x6xf32> from zeros {llmpar.mutable}
// A weight that the logits do not depend on is left alone.
// CHECK-DAG:   llmpar.weight @step : tensor<6xf32> from <"w.bin", 96, 24>{{$}}
// CHECK:       func.func @main(%[[X:[^:]+]]: tensor<2x4xf32>, %[[LABELS:[^:]+]]: tensor<2xi64> {llmpar.name = "labels"}) -> (
// CHECK-SAME:  {llmpar.name = "loss"}
// CHECK-SAME:  {llmpar.name = "step_0", llmpar.next = @step_0}
// CHECK-SAME:  {llmpar.name = "grad_norm"}
// CHECK-SAME:  {llmpar.name = "w", llmpar.next = @w}
// CHECK-SAME:  {llmpar.name = "w.velocity", llmpar.next = @w.velocity})
// CHECK:       %[[W:.*]] = llmpar.load_weight @w
// CHECK:       %[[LOGITS:.*]] = llmpar.matmul %[[X]], %[[W]]
// CHECK:       %[[LOSS:.*]], %[[LSE:.*]] = llmpar.cross_entropy %[[LOGITS]], %[[LABELS]] {ignore_index = -100 : i64, llmpar.loss}
// CHECK:       %[[D:.*]] = llmpar.cross_entropy_grad %[[LOGITS]], %[[LABELS]], %[[LSE]]
// CHECK:       %[[G:.*]] = llmpar.weight_grad %[[X]], %[[D]]
// CHECK:       llmpar.sgd %[[W]], %[[G]]

// ADAM-DAG:    llmpar.weight @w.m : tensor<4x6xf32> from zeros {llmpar.mutable}
// ADAM-DAG:    llmpar.weight @w.v : tensor<4x6xf32> from zeros {llmpar.mutable}
// ADAM:        llmpar.unary "cos"
// ADAM:        llmpar.adam {{.*}}decoupled = false
llmpar.weight @w : tensor<4x6xf32> from <"w.bin", 0, 96>
llmpar.weight @step : tensor<6xf32> from <"w.bin", 96, 24>
func.func @main(%x: tensor<2x4xf32>) -> (tensor<2x6xf32> {llmpar.name = "logits"}, tensor<6xf32>) {
  %w = llmpar.load_weight @w : tensor<4x6xf32>
  %other = llmpar.load_weight @step : tensor<6xf32>
  %y = llmpar.matmul %x, %w : (tensor<2x4xf32>, tensor<4x6xf32>) -> tensor<2x6xf32>
  return %y, %other : tensor<2x6xf32>, tensor<6xf32>
}
