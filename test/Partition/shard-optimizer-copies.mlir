// RUN: llmpar-opt %s --llmpar-shard-optimizer=axis=dp --llmpar-place-state --llmpar-insert-reshards --llmpar-lower-reshards | FileCheck %s
// RUN: llmpar-opt %s --llmpar-shard-optimizer="axis=dp parameters" --llmpar-place-state --llmpar-insert-reshards --llmpar-lower-reshards | FileCheck %s --check-prefix=THREE

// Of a narrow copy's parameter nobody needs the whole master: it rests in parts in every stage, and the copy is gathered,
// once (stages 1 and 2), or by each op that reads it (stage 3).
// CHECK-LABEL: func.func @main
// CHECK-SAME:  %[[W:[^:]+]]: tensor<4x6xf32> {llmpar.name = "w", llmpar.out = #llmpar.sharding<@mesh, [{}, {"dp"}]>
// CHECK:       %[[C:.*]] = llmpar.cast %[[W]]
// CHECK:       %[[ALL:.*]] = llmpar.all_gather "dp" %[[C]] {{.*}} : (tensor<4x6xbf16>) -> tensor<4x6xbf16>
// CHECK:       llmpar.matmul %{{.*}}, %[[ALL]]
// CHECK-NOT:   llmpar.all_gather
// CHECK:       llmpar.matmul %{{.*}}, %[[ALL]]
// CHECK:       llmpar.sgd %[[W]]
// CHECK-NOT:   llmpar.all_gather
// CHECK:       return
// THREE-LABEL: func.func @main
// THREE-SAME:  %[[W:[^:]+]]: tensor<4x6xf32> {llmpar.name = "w", llmpar.out = #llmpar.sharding<@mesh, [{}, {"dp"}]>
// THREE:       %[[C:.*]] = llmpar.cast %[[W]]
// THREE:       %[[A:.*]] = llmpar.all_gather "dp" %[[C]] {{.*}} : (tensor<4x6xbf16>) -> tensor<4x6xbf16>
// THREE-NEXT:  llmpar.matmul %{{.*}}, %[[A]]
// THREE:       %[[B:.*]] = llmpar.all_gather "dp" %[[C]] {{.*}} : (tensor<4x6xbf16>) -> tensor<4x6xbf16>
// THREE-NEXT:  llmpar.matmul %{{.*}}, %[[B]]
// THREE:       llmpar.sgd %[[W]]
// THREE-NOT:   llmpar.all_gather
// THREE:       return
#whole = #llmpar.sharding<@mesh, [{}, {}]>
#rows = #llmpar.sharding<@mesh, [{"dp"}, {}]>
llmpar.mesh @mesh <["dp"=2]>
llmpar.weight @w : tensor<4x6xf32> from <"w.bin", 0, 48> {llmpar.mutable, llmpar.stored = bf16}
llmpar.weight @v : tensor<4x6xf32> from zeros {llmpar.mutable}
func.func @main(%x: tensor<2x4xbf16> {llmpar.out = #rows}, %dy: tensor<2x6xbf16> {llmpar.out = #rows}, %g: tensor<4x6xf32> {llmpar.out = #whole}, %rate: tensor<f32>, %scale: tensor<f32>) -> (tensor<4x6xf32> {llmpar.next = @w}, tensor<4x6xf32> {llmpar.next = @v}, tensor<2x6xbf16>, tensor<2x4xbf16>) {
  %w = llmpar.load_weight @w {llmpar.in = [], llmpar.out = [#whole]} : tensor<4x6xf32>
  %c = llmpar.cast %w {llmpar.in = [#whole], llmpar.out = [#whole]} : (tensor<4x6xf32>) -> tensor<4x6xbf16>
  %y = llmpar.matmul %x, %c {llmpar.in = [#rows, #whole], llmpar.out = [#rows]} : (tensor<2x4xbf16>, tensor<4x6xbf16>) -> tensor<2x6xbf16>
  %dx = llmpar.matmul %dy, %c {transpose_b = true, llmpar.in = [#rows, #whole], llmpar.out = [#rows]} : (tensor<2x6xbf16>, tensor<4x6xbf16>) -> tensor<2x4xbf16>
  %v = llmpar.load_weight @v {llmpar.in = [], llmpar.out = [#whole]} : tensor<4x6xf32>
  %0:2 = llmpar.sgd %w, %g, %v, %rate, %scale {momentum = 0.9, weight_decay = 0.0, nesterov = false, llmpar.in = [#whole, #whole, #whole, #llmpar.sharding<@mesh, []>, #llmpar.sharding<@mesh, []>], llmpar.out = [#whole, #whole]} : (tensor<4x6xf32>, tensor<4x6xf32>, tensor<4x6xf32>, tensor<f32>, tensor<f32>) -> (tensor<4x6xf32>, tensor<4x6xf32>)
  return {llmpar.in = [#whole, #whole, #rows, #rows]} %0#0, %0#1, %y, %dx : tensor<4x6xf32>, tensor<4x6xf32>, tensor<2x6xbf16>, tensor<2x4xbf16>
}
