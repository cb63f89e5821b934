// RUN: llmpar-opt %s --split-input-file --llmpar-lower-to-runtime | FileCheck %s
// RUN: llmpar-opt %s --split-input-file --llmpar-lower-to-runtime="layout=tensor" | FileCheck %s --check-prefix=LAYOUT

// LAYOUT: layout "tensor"

// A row-parallel product: each rank reads its rows of the weight; the sum is in place; rank 0 writes the output.
// CHECK-LABEL: llmpar_rt.program @main mesh ["tp" = 2] model "" layout "tp=2"
// CHECK:         llmpar_rt.rank 0
// CHECK-NEXT:      llmpar_rt.load "w" from "mlp.data" + 0 shape [6, 10] starts [0, 0] to staging+0 : tensor<3x10xf32>
// CHECK-NEXT:      llmpar_rt.slice_in "input0" starts [0, 0] to {{.*}} : tensor<4x3xf32>
// CHECK-NEXT:      llmpar_rt.slice_out "output0" starts [0, 0] from activations+[[Y:[0-9]+]] : tensor<4x10xf32>
// CHECK:             "matmul" ins({{.*}}, staging+0 : tensor<3x10xf32>) outs(activations+[[Y]] : tensor<4x10xf32>) ints [0, 0] flops 240
// CHECK-NEXT:        "all_reduce" ins(activations+[[Y]] : tensor<4x10xf32>) outs(activations+[[Y]] : tensor<4x10xf32>) ints [0] group [0, 1] lane "communication" waits [0] bytes 160
// CHECK:         llmpar_rt.rank 1
// CHECK-NEXT:      llmpar_rt.load "w" from "mlp.data" + 0 shape [6, 10] starts [3, 0] to staging+0 : tensor<3x10xf32>
// CHECK-NEXT:      llmpar_rt.slice_in "input0" starts [0, 3] to {{.*}} : tensor<4x3xf32>
// CHECK-NOT:       llmpar_rt.slice_out
// CHECK:             "all_reduce"
llmpar.mesh @mesh <["tp"=2]>
llmpar.weight @w : tensor<6x10xf32> from #llmpar.external<"mlp.data", 0, 240>
func.func @main(%x: tensor<4x3xf32> {llmpar.out = #llmpar.sharding<@mesh, [{}, {"tp"}]>, llmpar.global = tensor<4x6xf32>}) -> tensor<4x10xf32> {
  %w = llmpar.load_weight @w {llmpar.out = [#llmpar.sharding<@mesh, [{"tp"}, {}]>], llmpar.global = [tensor<6x10xf32>]} : tensor<3x10xf32>
  %0 = llmpar.matmul %x, %w {llmpar.out = [#llmpar.sharding<@mesh, [{}, {}], partial = {"tp" : sum}>], llmpar.global = [tensor<4x10xf32>]} : (tensor<4x3xf32>, tensor<3x10xf32>) -> tensor<4x10xf32>
  %1 = llmpar.all_reduce "tp" %0 {reduction = "sum", llmpar.out = [#llmpar.sharding<@mesh, [{}, {}]>], llmpar.global = [tensor<4x10xf32>]} : (tensor<4x10xf32>) -> tensor<4x10xf32>
  return %1 : tensor<4x10xf32>
}

// -----

// 5 rows on 4 ranks: two, two, one and none. The last rank has no record but the collective.
// CHECK-LABEL: llmpar_rt.program @main mesh ["tp" = 4]
// CHECK:         llmpar_rt.rank 0
// CHECK:           llmpar_rt.slice_in "input0" starts [0, 0] to {{.*}} : tensor<2x3xf32>
// CHECK:             "unary" {{.*}} outs({{.*}} : tensor<2x3xf32>)
// CHECK-NEXT:        "all_gather" ins({{.*}} : tensor<2x3xf32>) outs({{.*}} : tensor<5x3xf32>) ints [0, 2, 2, 1, 0] group [0, 1, 2, 3]
// CHECK-NEXT:        "slice" ins({{.*}} : tensor<5x3xf32>) outs({{.*}} : tensor<5x1xf32>) ints [0, 0, 1, 1]
// CHECK:         llmpar_rt.rank 2
// CHECK:           llmpar_rt.slice_in "input0" starts [4, 0] to {{.*}} : tensor<1x3xf32>
// CHECK:           llmpar_rt.slice_out "output0" starts [0, 2] from {{.*}} : tensor<5x1xf32>
// CHECK:             "slice" {{.*}} ints [0, 2, 1, 1]
// CHECK:         llmpar_rt.rank 3
// CHECK-NOT:       llmpar_rt.slice
// CHECK:           llmpar_rt.main {
// CHECK-NEXT:        "all_gather" ins({{.*}} : tensor<0x3xf32>) outs({{.*}} : tensor<5x3xf32>) ints [0, 2, 2, 1, 0] group [0, 1, 2, 3]
// CHECK-NEXT:      }
llmpar.mesh @mesh <["tp"=4]>
func.func @main(%x: tensor<2x3xf32> {llmpar.out = #llmpar.sharding<@mesh, [{"tp"}, {}]>, llmpar.global = tensor<5x3xf32>}) -> tensor<5x1xf32> {
  %0 = llmpar.unary "exp" %x {llmpar.out = [#llmpar.sharding<@mesh, [{"tp"}, {}]>], llmpar.global = [tensor<5x3xf32>]} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %1 = llmpar.all_gather "tp" %0 {dim = 0 : i64, llmpar.out = [#llmpar.sharding<@mesh, [{}, {}]>], llmpar.global = [tensor<5x3xf32>]} : (tensor<2x3xf32>) -> tensor<5x3xf32>
  %2 = llmpar.all_slice "tp" %1 {dim = 1 : i64, llmpar.out = [#llmpar.sharding<@mesh, [{}, {"tp"}]>], llmpar.global = [tensor<5x3xf32>]} : (tensor<5x3xf32>) -> tensor<5x1xf32>
  return %2 : tensor<5x1xf32>
}

// -----

// An embedding table split by rows: the kernel learns where its part begins. Iota too.
// CHECK-LABEL: llmpar_rt.program
// CHECK:         llmpar_rt.rank 1
// CHECK:           llmpar_rt.load "table" from "t.data" + 0 shape [9, 4] starts [5, 0] to weights+0 : tensor<4x4xf32>
// CHECK:           llmpar_rt.init {
// CHECK-NEXT:        "iota" ins() outs(weights+64 : tensor<3xi64>) ints [0, 3, 10, 2] floats [1.000000e+01, 2.000000e+00]
// CHECK:           llmpar_rt.main {
// CHECK-NEXT:        "gather" ins(weights+0 : tensor<4x4xf32>, {{.*}} : tensor<7xi64>) outs({{.*}} : tensor<7x4xf32>) ints [0, 5, 9]
// CHECK-NEXT:        "reduce_scatter" {{.*}} outs({{.*}} : tensor<3x4xf32>) ints [0, 0, 4, 3] group [0, 1]
llmpar.mesh @mesh <["tp"=2]>
llmpar.weight @table : tensor<9x4xf32> from #llmpar.external<"t.data", 0, 144>
func.func @main(%ids: tensor<7xi64>) -> (tensor<4x4xf32>, tensor<3xi64>) {
  %table = llmpar.load_weight @table {llmpar.out = [#llmpar.sharding<@mesh, [{"tp"}, {}]>], llmpar.global = [tensor<9x4xf32>]} : tensor<5x4xf32>
  %0 = llmpar.gather %table, %ids {axis = 0 : i64, llmpar.out = [#llmpar.sharding<@mesh, [{}, {}], partial = {"tp" : sum}>], llmpar.global = [tensor<7x4xf32>]} : (tensor<5x4xf32>, tensor<7xi64>) -> tensor<7x4xf32>
  %1 = llmpar.reduce_scatter "tp" %0 {reduction = "sum", dim = 0 : i64, llmpar.out = [#llmpar.sharding<@mesh, [{"tp"}, {}]>], llmpar.global = [tensor<7x4xf32>]} : (tensor<7x4xf32>) -> tensor<4x4xf32>
  %2 = llmpar.iota {axis = 0 : i64, start = 10.0 : f64, step = 2.0 : f64, llmpar.out = [#llmpar.sharding<@mesh, [{"tp"}]>], llmpar.global = [tensor<6xi64>]} : tensor<3xi64>
  return %1, %2 : tensor<4x4xf32>, tensor<3xi64>
}

// -----

// Extents of both dimensions for each member. Axes of two sizes: groups differ in one coordinate.
// CHECK-LABEL: llmpar_rt.program @main mesh ["dp" = 2, "tp" = 2]
// CHECK:         llmpar_rt.rank 3
// CHECK:             "all_to_all" ins({{.*}} : tensor<1x5xf32>) outs({{.*}} : tensor<3x2xf32>) ints [1, 0, 3, 2, 2, 1] group [2, 3]
llmpar.mesh @mesh <["dp"=2, "tp"=2]>
func.func @main(%x: tensor<2x5xf32> {llmpar.out = #llmpar.sharding<@mesh, [{"tp"}, {}]>, llmpar.global = tensor<3x5xf32>}) -> tensor<3x3xf32> {
  %0 = llmpar.all_to_all "tp" %x {split_dim = 1 : i64, concat_dim = 0 : i64, llmpar.out = [#llmpar.sharding<@mesh, [{}, {"tp"}]>], llmpar.global = [tensor<3x5xf32>]} : (tensor<2x5xf32>) -> tensor<3x3xf32>
  return %0 : tensor<3x3xf32>
}

// -----

// An axis of one rank needs no collective.
// CHECK-LABEL: llmpar_rt.program @main mesh ["tp" = 1]
// CHECK:           llmpar_rt.main {
// CHECK-NEXT:        "unary"
// CHECK-NEXT:      }
llmpar.mesh @mesh <["tp"=1]>
func.func @main(%x: tensor<3x5xf32>) -> tensor<3x5xf32> {
  %0 = llmpar.unary "exp" %x : (tensor<3x5xf32>) -> tensor<3x5xf32>
  %1 = llmpar.all_reduce "tp" %0 {reduction = "sum"} : (tensor<3x5xf32>) -> tensor<3x5xf32>
  return %1 : tensor<3x5xf32>
}
