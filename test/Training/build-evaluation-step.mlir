// RUN: llmpar-opt %s --llmpar-build-evaluation-step="logits=logits" | FileCheck %s

// Every float weight is state that no step changes; a table of integers is none.
// CHECK-DAG:   llmpar.weight @w : tensor<4x6xf32> from <"w.bin", 0, 96> {llmpar.mutable}
// CHECK-DAG:   llmpar.weight @table : tensor<9xi64> from <"w.bin", 96, 72>{{$}}
// CHECK:       func.func @main(%[[X:[^:]+]]: tensor<2x4xf32>, %[[LABELS:[^:]+]]: tensor<2xi64> {llmpar.name = "labels"}) -> (
// CHECK-SAME:  tensor<f32> {llmpar.name = "loss"}, tensor<f32> {llmpar.name = "hits"}, tensor<f32> {llmpar.name = "count"})
// CHECK:       %[[LOGITS:.*]] = llmpar.matmul %[[X]]
// CHECK-DAG:   %[[ROWS:.*]], %{{.*}} = llmpar.cross_entropy %[[LOGITS]], %[[LABELS]] {ignore_index = -100 : i64, llmpar.loss}
// CHECK-DAG:   %[[BEST:.*]] = llmpar.arg_reduce %[[LOGITS]] {axis = 1 : i64, keep_dims = false, largest = true, last = false}
// CHECK-DAG:   %[[HITS:.*]] = llmpar.binary "equal" %[[BEST]], %[[LABELS]]
// CHECK-DAG:   %[[LOSS:.*]] = llmpar.reduce "sum" %[[ROWS]]
// CHECK:       return %[[LOSS]],
llmpar.weight @w : tensor<4x6xf32> from <"w.bin", 0, 96>
llmpar.weight @table : tensor<9xi64> from <"w.bin", 96, 72>
func.func @main(%x: tensor<2x4xf32>) -> (tensor<9xi64>, tensor<2x6xf32> {llmpar.name = "logits"}) {
  %w = llmpar.load_weight @w : tensor<4x6xf32>
  %table = llmpar.load_weight @table : tensor<9xi64>
  %y = llmpar.matmul %x, %w : (tensor<2x4xf32>, tensor<4x6xf32>) -> tensor<2x6xf32>
  return %table, %y : tensor<9xi64>, tensor<2x6xf32>
}
