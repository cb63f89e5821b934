// RUN: llmpar-opt %s --split-input-file --llmpar-shard-optimizer=axis=dp --llmpar-place-state --llmpar-insert-reshards --llmpar-lower-reshards | FileCheck %s
// RUN: llmpar-opt %s --split-input-file --llmpar-shard-optimizer="axis=dp parameters" --llmpar-place-state --llmpar-insert-reshards --llmpar-lower-reshards | FileCheck %s --check-prefix=THREE

// A partial gradient is reduced and scattered, the step's states rest in parts, the new parameter is gathered.
// CHECK-LABEL: func.func @main
// CHECK-SAME:  %[[W:[^:]+]]: tensor<4x6xf32> {llmpar.name = "w", llmpar.out = #llmpar.sharding<@mesh, [{}, {}]>
// CHECK-SAME:  %[[V:[^:]+]]: tensor<4x6xf32> {llmpar.name = "v", llmpar.out = #llmpar.sharding<@mesh, [{}, {"dp"}]>
// CHECK-DAG:   %[[P:.*]] = llmpar.all_slice "dp" %[[W]] {dim = 1
// CHECK-DAG:   %[[G:.*]] = llmpar.reduce_scatter "dp" %{{.*}} {dim = 1
// CHECK:       %[[NEW:.*]], %{{.*}} = llmpar.sgd %[[P]], %[[G]], %[[V]]
// CHECK:       llmpar.all_gather "dp" %[[NEW]] {dim = 1

// Stage 3: the parameter rests in parts too, its user gathers it, and the new one stays.
// THREE-LABEL: func.func @main
// THREE-SAME:  %[[W:[^:]+]]: tensor<4x6xf32> {llmpar.name = "w", llmpar.out = #llmpar.sharding<@mesh, [{}, {"dp"}]>
// THREE:       %[[WHOLE:.*]] = llmpar.all_gather "dp" %[[W]] {dim = 1
// THREE-NEXT:  llmpar.matmul %{{.*}}, %[[WHOLE]]
// THREE:       llmpar.sgd %[[W]]
// THREE-NOT:   llmpar.all_gather
// THREE:       return
llmpar.mesh @mesh <["dp"=2]>
llmpar.weight @w : tensor<4x6xf32> from <"w.bin", 0, 96> {llmpar.mutable}
llmpar.weight @v : tensor<4x6xf32> from zeros {llmpar.mutable}
func.func @main(%x: tensor<2x4xf32> {llmpar.out = #llmpar.sharding<@mesh, [{"dp"}, {}]>}, %dy: tensor<2x6xf32> {llmpar.out = #llmpar.sharding<@mesh, [{"dp"}, {}]>}, %rate: tensor<f32>, %scale: tensor<f32>) -> (tensor<4x6xf32> {llmpar.next = @w}, tensor<4x6xf32> {llmpar.next = @v}) {
  %w = llmpar.load_weight @w {llmpar.in = [], llmpar.out = [#llmpar.sharding<@mesh, [{}, {}]>]} : tensor<4x6xf32>
  %y = llmpar.matmul %x, %w {llmpar.in = [#llmpar.sharding<@mesh, [{"dp"}, {}]>, #llmpar.sharding<@mesh, [{}, {}]>], llmpar.out = [#llmpar.sharding<@mesh, [{"dp"}, {}]>]} : (tensor<2x4xf32>, tensor<4x6xf32>) -> tensor<2x6xf32>
  %v = llmpar.load_weight @v {llmpar.in = [], llmpar.out = [#llmpar.sharding<@mesh, [{}, {}]>]} : tensor<4x6xf32>
  %g = llmpar.weight_grad %x, %dy {llmpar.in = [#llmpar.sharding<@mesh, [{"dp"}, {}]>, #llmpar.sharding<@mesh, [{"dp"}, {}]>], llmpar.out = [#llmpar.sharding<@mesh, [{}, {}], partial = {"dp" : sum}>]} : (tensor<2x4xf32>, tensor<2x6xf32>) -> tensor<4x6xf32>
  %0:2 = llmpar.sgd %w, %g, %v, %rate, %scale {momentum = 0.9, weight_decay = 0.0, nesterov = false, llmpar.in = [#llmpar.sharding<@mesh, [{}, {}]>, #llmpar.sharding<@mesh, [{}, {}]>, #llmpar.sharding<@mesh, [{}, {}]>, #llmpar.sharding<@mesh, []>, #llmpar.sharding<@mesh, []>], llmpar.out = [#llmpar.sharding<@mesh, [{}, {}]>, #llmpar.sharding<@mesh, [{}, {}]>]} : (tensor<4x6xf32>, tensor<4x6xf32>, tensor<4x6xf32>, tensor<f32>, tensor<f32>) -> (tensor<4x6xf32>, tensor<4x6xf32>)
  return {llmpar.in = [#llmpar.sharding<@mesh, [{}, {}]>, #llmpar.sharding<@mesh, [{}, {}]>]} %0#0, %0#1 : tensor<4x6xf32>, tensor<4x6xf32>
}

// -----

// A step that has the axis already, and one too small to split, stay.
// THREE-LABEL: func.func @main
// THREE-SAME:  llmpar.name = "w", llmpar.out = #llmpar.sharding<@mesh, [{}]>
// CHECK-LABEL: func.func @main
// CHECK-NOT:   llmpar.all_slice
// CHECK-NOT:   llmpar.reduce_scatter
// CHECK:       return
llmpar.mesh @mesh <["dp"=2]>
llmpar.weight @w : tensor<1xf32> from <"w.bin", 0, 4> {llmpar.mutable}
func.func @main(%g: tensor<1xf32>, %v: tensor<1xf32>, %rate: tensor<f32>, %scale: tensor<f32>) -> (tensor<1xf32> {llmpar.next = @w}) {
  %w = llmpar.load_weight @w {llmpar.in = [], llmpar.out = [#llmpar.sharding<@mesh, [{}]>]} : tensor<1xf32>
  %0:2 = llmpar.sgd %w, %g, %v, %rate, %scale {momentum = 0.9, weight_decay = 0.0, nesterov = false, llmpar.in = [#llmpar.sharding<@mesh, [{}]>, #llmpar.sharding<@mesh, [{}]>, #llmpar.sharding<@mesh, [{}]>, #llmpar.sharding<@mesh, []>, #llmpar.sharding<@mesh, []>], llmpar.out = [#llmpar.sharding<@mesh, [{}]>, #llmpar.sharding<@mesh, [{}]>]} : (tensor<1xf32>, tensor<1xf32>, tensor<1xf32>, tensor<f32>, tensor<f32>) -> (tensor<1xf32>, tensor<1xf32>)
  return {llmpar.in = [#llmpar.sharding<@mesh, [{}]>]} %0#0 : tensor<1xf32>
}

// -----

// Squares for the norm of all gradients are of the parts, so that the gradient is not needed whole.
// CHECK-LABEL: func.func @main
// CHECK:       %[[G:.*]] = llmpar.reduce_scatter "dp" %{{.*}} {dim = 1
// CHECK:       %[[S:.*]] = llmpar.binary "mul" %[[G]], %[[G]]
// CHECK-NEXT:  %[[N:.*]] = llmpar.reduce "sum" %[[S]]
// CHECK-NEXT:  llmpar.all_reduce "dp" %[[N]]
// CHECK-NOT:   llmpar.all_gather "dp" %[[G]]
// CHECK:       llmpar.sgd %{{[^,]+}}, %[[G]]
#whole = #llmpar.sharding<@mesh, [{}, {}]>
#number = #llmpar.sharding<@mesh, []>
llmpar.mesh @mesh <["dp"=2]>
llmpar.weight @w : tensor<4x6xf32> from <"w.bin", 0, 96> {llmpar.mutable}
llmpar.weight @v : tensor<4x6xf32> from zeros {llmpar.mutable}
func.func @main(%dy: tensor<4x6xf32>, %rate: tensor<f32>) -> (tensor<4x6xf32> {llmpar.next = @w}, tensor<4x6xf32> {llmpar.next = @v}) {
  %w = llmpar.load_weight @w {llmpar.in = [], llmpar.out = [#whole]} : tensor<4x6xf32>
  %v = llmpar.load_weight @v {llmpar.in = [], llmpar.out = [#whole]} : tensor<4x6xf32>
  %g = llmpar.unary "neg" %dy {llmpar.in = [#whole], llmpar.out = [#llmpar.sharding<@mesh, [{}, {}], partial = {"dp" : sum}>]} : (tensor<4x6xf32>) -> tensor<4x6xf32>
  %s = llmpar.binary "mul" %g, %g {llmpar.in = [#whole, #whole], llmpar.out = [#whole]} : (tensor<4x6xf32>, tensor<4x6xf32>) -> tensor<4x6xf32>
  %n = llmpar.reduce "sum" %s {axes = array<i64: 0, 1>, keep_dims = false, llmpar.in = [#whole], llmpar.out = [#number]} : (tensor<4x6xf32>) -> tensor<f32>
  %0:2 = llmpar.sgd %w, %g, %v, %rate, %n {momentum = 0.9, weight_decay = 0.0, nesterov = false, llmpar.in = [#whole, #whole, #whole, #number, #number], llmpar.out = [#whole, #whole]} : (tensor<4x6xf32>, tensor<4x6xf32>, tensor<4x6xf32>, tensor<f32>, tensor<f32>) -> (tensor<4x6xf32>, tensor<4x6xf32>)
  return {llmpar.in = [#whole, #whole]} %0#0, %0#1 : tensor<4x6xf32>, tensor<4x6xf32>
}
