// RUN: llmpar-opt %s --split-input-file --llmpar-bucket-reductions=bytes=64 | FileCheck %s

#vector = #llmpar.sharding<@mesh, [{}]>
#whole = #llmpar.sharding<@mesh, [{}, {}]>
#split = #llmpar.sharding<@mesh, [{"tp"}]>
#number = #llmpar.sharding<@mesh, []>
llmpar.mesh @mesh <["dp"=2, "tp"=2]>

// Two of 24 and 48 bytes fill a bucket; what is as large as one, of other axes, or in shards, is reduced alone.
// CHECK-LABEL: func.func @main
// CHECK-SAME:  %[[P:[^:]+]]: tensor<6xf32>, %[[Q:[^:]+]]: tensor<3x4xf32>
// CHECK:       llmpar.all_reduce "dp" %{{.*}} (tensor<16xf32>) -> tensor<16xf32>
// CHECK:       llmpar.all_reduce "dp" %{{.*}} (tensor<8xf32>) -> tensor<8xf32>
// CHECK:       llmpar.all_reduce "tp" %{{.*}} (tensor<6xf32>) -> tensor<6xf32>
// CHECK:       %[[B:.*]] = llmpar.reshape %[[Q]] {{.*}} : (tensor<3x4xf32>) -> tensor<12xf32>
// CHECK:       %[[C:.*]] = llmpar.concat %{{.*}}, %[[B]] {axis = 0 : i64, {{.*}} : (tensor<6xf32>, tensor<12xf32>) -> tensor<18xf32>
// CHECK:       %[[R:.*]] = llmpar.all_reduce "dp" %[[C]]
// CHECK:       %[[G:.*]] = llmpar.slice %[[R]] {{.*}}starts = array<i64: 0>
// CHECK:       %[[S:.*]] = llmpar.slice %[[R]] {{.*}}starts = array<i64: 6>
// CHECK:       %[[H:.*]] = llmpar.reshape %[[S]] {{.*}} : (tensor<12xf32>) -> tensor<3x4xf32>
// CHECK-NOT:   all_reduce
// CHECK:       return {{.*}} %[[H]]
func.func @main(%p: tensor<6xf32>, %q: tensor<3x4xf32>, %l: tensor<16xf32>, %s: tensor<8xf32>, %w: tensor<6xf32>, %rate: tensor<f32>, %scale: tensor<f32>) -> (tensor<6xf32>, tensor<3x4xf32>, tensor<16xf32>, tensor<8xf32>, tensor<6xf32>) {
  %g = llmpar.all_reduce "dp" %p {reduction = "sum", llmpar.out = [#vector]} : (tensor<6xf32>) -> tensor<6xf32>
  %0 = llmpar.all_reduce "dp" %l {reduction = "sum", llmpar.out = [#vector]} : (tensor<16xf32>) -> tensor<16xf32>
  %1 = llmpar.all_reduce "dp" %s {reduction = "sum", llmpar.out = [#split]} : (tensor<8xf32>) -> tensor<8xf32>
  %2 = llmpar.all_reduce "tp" %p {reduction = "sum", llmpar.out = [#vector]} : (tensor<6xf32>) -> tensor<6xf32>
  %h = llmpar.all_reduce "dp" %q {reduction = "sum", llmpar.out = [#whole]} : (tensor<3x4xf32>) -> tensor<3x4xf32>
  %3:2 = llmpar.sgd %w, %g, %w, %rate, %scale {momentum = 0.9, weight_decay = 0.0, nesterov = false, llmpar.in = [#vector, #vector, #vector, #number, #number], llmpar.out = [#vector, #vector]} : (tensor<6xf32>, tensor<6xf32>, tensor<6xf32>, tensor<f32>, tensor<f32>) -> (tensor<6xf32>, tensor<6xf32>)
  return {llmpar.in = [#vector, #whole, #vector, #split, #vector]} %3#0, %h, %0, %1, %2 : tensor<6xf32>, tensor<3x4xf32>, tensor<16xf32>, tensor<8xf32>, tensor<6xf32>
}

// -----

#vector = #llmpar.sharding<@mesh, [{}]>
llmpar.mesh @mesh <["dp"=2]>

// Inference needs its sums at once.
// CHECK-LABEL: func.func @main
// CHECK-COUNT-2: llmpar.all_reduce
// CHECK-NOT:   concat
func.func @main(%p: tensor<6xf32>, %q: tensor<6xf32>) -> (tensor<6xf32>, tensor<6xf32>) {
  %0 = llmpar.all_reduce "dp" %p {reduction = "sum", llmpar.out = [#vector]} : (tensor<6xf32>) -> tensor<6xf32>
  %1 = llmpar.all_reduce "dp" %q {reduction = "sum", llmpar.out = [#vector]} : (tensor<6xf32>) -> tensor<6xf32>
  return {llmpar.in = [#vector, #vector]} %0, %1 : tensor<6xf32>, tensor<6xf32>
}

// -----

#vector = #llmpar.sharding<@mesh, [{}]>
#number = #llmpar.sharding<@mesh, []>
llmpar.mesh @mesh <["dp"=2]>

// Nor does an op wait for a bucket: what reads the first sum comes before the second is there.
// CHECK-LABEL: func.func @main
// CHECK:       %[[A:.*]] = llmpar.all_reduce
// CHECK-NEXT:  %[[B:.*]] = llmpar.unary "neg" %[[A]]
// CHECK-NEXT:  llmpar.all_reduce "dp" %[[B]]
// CHECK-NOT:   concat
func.func @main(%p: tensor<6xf32>, %w: tensor<6xf32>, %rate: tensor<f32>, %scale: tensor<f32>) -> tensor<6xf32> {
  %a = llmpar.all_reduce "dp" %p {reduction = "sum", llmpar.out = [#vector]} : (tensor<6xf32>) -> tensor<6xf32>
  %b = llmpar.unary "neg" %a {llmpar.in = [#vector], llmpar.out = [#vector]} : (tensor<6xf32>) -> tensor<6xf32>
  %c = llmpar.all_reduce "dp" %b {reduction = "sum", llmpar.out = [#vector]} : (tensor<6xf32>) -> tensor<6xf32>
  %3:2 = llmpar.sgd %w, %c, %w, %rate, %scale {momentum = 0.9, weight_decay = 0.0, nesterov = false, llmpar.in = [#vector, #vector, #vector, #number, #number], llmpar.out = [#vector, #vector]} : (tensor<6xf32>, tensor<6xf32>, tensor<6xf32>, tensor<f32>, tensor<f32>) -> (tensor<6xf32>, tensor<6xf32>)
  return {llmpar.in = [#vector]} %3#0 : tensor<6xf32>
}
