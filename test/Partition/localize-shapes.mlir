// RUN: llmpar-opt %s --split-input-file --llmpar-localize-shapes | FileCheck %s

// A value gets the shape of its largest shard and keeps its global type; ten columns on three ranks are 4 + 4 + 2.
// CHECK-LABEL: func.func @main(
// CHECK-SAME:  tensor<2x4xf32> {llmpar.global = tensor<4x10xf32>
// CHECK-SAME:  -> tensor<2x4xf32>
// CHECK:       llmpar.unary "gelu" {{.*}}llmpar.global = [tensor<4x10xf32>], llmpar.out = {{.*}} : (tensor<2x4xf32>) -> tensor<2x4xf32>
// CHECK-NOT:   llmpar.in
llmpar.mesh @mesh <["dp"=2, "tp"=3]>
func.func @main(%x: tensor<4x10xf32> {llmpar.out = #llmpar.sharding<@mesh, [{"dp"}, {"tp"}]>}) -> tensor<4x10xf32> {
  %0 = llmpar.unary "gelu" %x {llmpar.in = [#llmpar.sharding<@mesh, [{"dp"}, {"tp"}]>], llmpar.out = [#llmpar.sharding<@mesh, [{"dp"}, {"tp"}]>]} : (tensor<4x10xf32>) -> tensor<4x10xf32>
  return %0 : tensor<4x10xf32>
}

// -----

// A unit keeps blocks together: three heads of four on two ranks are 8 + 4.
// CHECK-LABEL: func.func @main(
// CHECK-SAME:  tensor<5x8xf32> {llmpar.global = tensor<5x12xf32>
llmpar.mesh @mesh <["tp"=2]>
func.func @main(%x: tensor<5x12xf32> {llmpar.out = #llmpar.sharding<@mesh, [{}, {"tp" : 4}]>}) {
  return
}

// -----

// A whole value keeps its type.
// CHECK-LABEL: func.func @main(
// CHECK-SAME:  tensor<5x12xf32> {llmpar.global = tensor<5x12xf32>
llmpar.mesh @mesh <["tp"=2]>
func.func @main(%x: tensor<5x12xf32>) {
  return
}

// -----

// A sum along a sharded dimension keeps the other dimension's shard.
// CHECK-LABEL: func.func @main
// CHECK:       llmpar.reduce {{.*}} : (tensor<4x5xf32>) -> tensor<4xf32>
llmpar.mesh @mesh <["tp"=2]>
func.func @main(%x: tensor<4x10xf32> {llmpar.out = #llmpar.sharding<@mesh, [{}, {"tp"}]>}) {
  %0 = llmpar.reduce "sum" %x {axes = array<i64: 1>, keep_dims = false, llmpar.out = [#llmpar.sharding<@mesh, [{}], partial = {"tp" : sum}>]} : (tensor<4x10xf32>) -> tensor<4xf32>
  return
}
