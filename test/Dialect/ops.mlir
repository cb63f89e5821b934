// Every op prints as it parses, in its own form and in the generic one.
//
// RUN: llmpar-opt %s -o %t.mlir
// RUN: FileCheck %s < %t.mlir
// RUN: llmpar-opt %s --mlir-print-op-generic | llmpar-opt | diff %t.mlir -

// CHECK: llmpar.mesh @mesh <["dp"=2, "tp"=3]>
llmpar.mesh @mesh <["dp"=2, "tp"=3]>
// CHECK: llmpar.weight @w : tensor<6x10xf32> from <"m.data", 64, 240>
llmpar.weight @w : tensor<6x10xf32> from #llmpar.external<"m.data", 64, 240>

// CHECK-LABEL: @sources
func.func @sources() {
  // CHECK: llmpar.load_weight @w : tensor<6x10xf32>
  %0 = llmpar.load_weight @w : tensor<6x10xf32>
  // CHECK: llmpar.constant dense<[1, 2]> : tensor<2xi64> : tensor<2xi64>
  %1 = llmpar.constant dense<[1, 2]> : tensor<2xi64> : tensor<2xi64>
  // CHECK: llmpar.iota {axis = 1 : i64, start = 1.000000e+00 : f64, step = 2.000000e+00 : f64} : tensor<2x3xi64>
  %2 = llmpar.iota {axis = 1 : i64, start = 1.0 : f64, step = 2.0 : f64} : tensor<2x3xi64>
  return
}

// CHECK-LABEL: @elementwise
func.func @elementwise(%x: tensor<2x3xf32>, %row: tensor<3xf32>, %c: tensor<2x1xi1>) {
  // CHECK: llmpar.unary "elu" %{{.*}} {alpha = 5.000000e-01 : f64} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %0 = llmpar.unary "elu" %x {alpha = 0.5 : f64} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK: llmpar.unary "is_nan" %{{.*}} : (tensor<2x3xf32>) -> tensor<2x3xi1>
  %1 = llmpar.unary "is_nan" %x : (tensor<2x3xf32>) -> tensor<2x3xi1>
  // CHECK: llmpar.binary "add" %{{.*}}, %{{.*}} : (tensor<2x3xf32>, tensor<3xf32>) -> tensor<2x3xf32>
  %2 = llmpar.binary "add" %x, %row : (tensor<2x3xf32>, tensor<3xf32>) -> tensor<2x3xf32>
  // CHECK: llmpar.binary "less" %{{.*}}, %{{.*}} : (tensor<2x3xf32>, tensor<3xf32>) -> tensor<2x3xi1>
  %3 = llmpar.binary "less" %x, %row : (tensor<2x3xf32>, tensor<3xf32>) -> tensor<2x3xi1>
  // CHECK: llmpar.select %{{.*}}, %{{.*}}, %{{.*}} : (tensor<2x1xi1>, tensor<2x3xf32>, tensor<3xf32>) -> tensor<2x3xf32>
  %4 = llmpar.select %c, %x, %row : (tensor<2x1xi1>, tensor<2x3xf32>, tensor<3xf32>) -> tensor<2x3xf32>
  // CHECK: llmpar.cast %{{.*}} : (tensor<2x3xf32>) -> tensor<2x3xui8>
  %5 = llmpar.cast %x : (tensor<2x3xf32>) -> tensor<2x3xui8>
  return
}

// CHECK-LABEL: @contractions
func.func @contractions(%a: tensor<5x1x2x3xf32>, %b: tensor<7x4x3xf32>, %x: tensor<2x6x9x8xf32>, %w: tensor<10x3x3x2xf32>, %bias: tensor<10xf32>) {
  // CHECK: llmpar.matmul %{{.*}}, %{{.*}} {transpose_b = true} : (tensor<5x1x2x3xf32>, tensor<7x4x3xf32>) -> tensor<5x7x2x4xf32>
  %0 = llmpar.matmul %a, %b {transpose_b = true} : (tensor<5x1x2x3xf32>, tensor<7x4x3xf32>) -> tensor<5x7x2x4xf32>
  // 9 rows: (9 + 1 + 0 - 2 * 2 - 1) / 2 + 1 = 3. 8 columns: (8 + 0 + 1 - 1 - 1) / 3 + 1 = 3.
  // CHECK: llmpar.conv %{{.*}}, %{{.*}}, %{{.*}} {{.*}} -> tensor<2x10x3x3xf32>
  %1 = llmpar.conv %x, %w, %bias {group = 2 : i64, strides = array<i64: 2, 3>, pads_begin = array<i64: 1, 0>, pads_end = array<i64: 0, 1>, dilations = array<i64: 2, 1>} : (tensor<2x6x9x8xf32>, tensor<10x3x3x2xf32>, tensor<10xf32>) -> tensor<2x10x3x3xf32>
  // 9 rows: (9 - 4 - 1) / 2 + 1 = 3. 8 columns: (8 + 1 - 1 - 1) / 2 + 1 = 4.
  // CHECK: llmpar.pool %{{.*}} {{.*}} -> tensor<2x6x3x4xf32>
  %2 = llmpar.pool %x {kind = 0 : i64, kernel = array<i64: 5, 2>, strides = array<i64: 2, 2>, pads_begin = array<i64: 0, 1>, pads_end = array<i64: 0, 0>, dilations = array<i64: 1, 1>} : (tensor<2x6x9x8xf32>) -> tensor<2x6x3x4xf32>
  return
}

// CHECK-LABEL: @reductions
func.func @reductions(%x: tensor<2x3x5xf32>, %scale: tensor<5xf32>) {
  // CHECK: llmpar.reduce "max" %{{.*}} {axes = array<i64: 0, 2>, keep_dims = false} : (tensor<2x3x5xf32>) -> tensor<3xf32>
  %0 = llmpar.reduce "max" %x {axes = array<i64: 0, 2>, keep_dims = false} : (tensor<2x3x5xf32>) -> tensor<3xf32>
  // CHECK: llmpar.reduce "sum" %{{.*}} {axes = array<i64: 1>, keep_dims = true} : (tensor<2x3x5xf32>) -> tensor<2x1x5xf32>
  %1 = llmpar.reduce "sum" %x {axes = array<i64: 1>, keep_dims = true} : (tensor<2x3x5xf32>) -> tensor<2x1x5xf32>
  // CHECK: llmpar.softmax %{{.*}} {axis = 2 : i64, log = true} : (tensor<2x3x5xf32>) -> tensor<2x3x5xf32>
  %2 = llmpar.softmax %x {axis = 2 : i64, log = true} : (tensor<2x3x5xf32>) -> tensor<2x3x5xf32>
  // CHECK: llmpar.layer_norm %{{.*}}, %{{.*}}, %{{.*}} {axis = 2 : i64
  %3 = llmpar.layer_norm %x, %scale, %scale {axis = 2 : i64, epsilon = 0.5 : f64} : (tensor<2x3x5xf32>, tensor<5xf32>, tensor<5xf32>) -> tensor<2x3x5xf32>
  // CHECK: llmpar.layer_norm %{{.*}}, %{{.*}} {axis = 2 : i64
  %4 = llmpar.layer_norm %x, %scale {axis = 2 : i64, epsilon = 0.5 : f64} : (tensor<2x3x5xf32>, tensor<5xf32>) -> tensor<2x3x5xf32>
  // CHECK: llmpar.rms_norm %{{.*}}, %{{.*}} {axis = 2 : i64
  %5 = llmpar.rms_norm %x, %scale {axis = 2 : i64, epsilon = 0.5 : f64} : (tensor<2x3x5xf32>, tensor<5xf32>) -> tensor<2x3x5xf32>
  // CHECK: llmpar.rotary %{{.*}}, %{{.*}}, %{{.*}} {interleaved = true} : (tensor<2x3x5xf32>, tensor<3x2xf32>, tensor<3x2xf32>)
  %angles = llmpar.slice %x {starts = array<i64: 0, 0, 0>, steps = array<i64: 1, 1, 1>} : (tensor<2x3x5xf32>) -> tensor<1x3x2xf32>
  %rows = llmpar.reshape %angles : (tensor<1x3x2xf32>) -> tensor<3x2xf32>
  %turned = llmpar.rotary %x, %rows, %rows {interleaved = true} : (tensor<2x3x5xf32>, tensor<3x2xf32>, tensor<3x2xf32>) -> tensor<2x3x5xf32>
  // CHECK: llmpar.cumsum %{{.*}} {axis = 1 : i64, exclusive = false, reverse = true}
  %6 = llmpar.cumsum %x {axis = 1 : i64, exclusive = false, reverse = true} : (tensor<2x3x5xf32>) -> tensor<2x3x5xf32>
  // CHECK: llmpar.arg_reduce %{{.*}} -> tensor<2x5xi64>
  %7 = llmpar.arg_reduce %x {axis = 1 : i64, keep_dims = false, largest = true, last = false} : (tensor<2x3x5xf32>) -> tensor<2x5xi64>
  // CHECK: llmpar.top_k %{{.*}} {axis = 2 : i64, k = 4 : i64, largest = true} : (tensor<2x3x5xf32>) -> (tensor<2x3x4xf32>, tensor<2x3x4xi64>)
  %8:2 = llmpar.top_k %x {axis = 2 : i64, k = 4 : i64, largest = true} : (tensor<2x3x5xf32>) -> (tensor<2x3x4xf32>, tensor<2x3x4xi64>)
  return
}

// CHECK-LABEL: @indexing
func.func @indexing(%data: tensor<2x3x5xf32>, %i: tensor<7x4xi64>, %e: tensor<2x6x5xi64>, %eu: tensor<2x6x5xf32>, %n: tensor<7x2xi64>, %nu: tensor<7x5xf32>, %bn: tensor<2x7x1xi32>) {
  // CHECK: llmpar.gather %{{.*}} -> tensor<2x7x4x5xf32>
  %0 = llmpar.gather %data, %i {axis = 1 : i64} : (tensor<2x3x5xf32>, tensor<7x4xi64>) -> tensor<2x7x4x5xf32>
  // CHECK: llmpar.gather_elements %{{.*}} -> tensor<2x6x5xf32>
  %1 = llmpar.gather_elements %data, %e {axis = 1 : i64} : (tensor<2x3x5xf32>, tensor<2x6x5xi64>) -> tensor<2x6x5xf32>
  // CHECK: llmpar.gather_nd %{{.*}} -> tensor<2x7x5xf32>
  %2 = llmpar.gather_nd %data, %bn {batch_dims = 1 : i64} : (tensor<2x3x5xf32>, tensor<2x7x1xi32>) -> tensor<2x7x5xf32>
  // CHECK: llmpar.scatter_nd %{{.*}} {reduction = "add"} {{.*}} -> tensor<2x3x5xf32>
  %3 = llmpar.scatter_nd %data, %n, %nu {reduction = "add"} : (tensor<2x3x5xf32>, tensor<7x2xi64>, tensor<7x5xf32>) -> tensor<2x3x5xf32>
  // CHECK: llmpar.scatter_elements %{{.*}} {axis = 1 : i64, reduction = "none"} {{.*}} -> tensor<2x3x5xf32>
  %4 = llmpar.scatter_elements %data, %e, %eu {axis = 1 : i64, reduction = "none"} : (tensor<2x3x5xf32>, tensor<2x6x5xi64>, tensor<2x6x5xf32>) -> tensor<2x3x5xf32>
  return
}

// CHECK-LABEL: @layout
func.func @layout(%x: tensor<2x3x5xf32>, %y: tensor<2x4x5xf32>) {
  // CHECK: llmpar.transpose %{{.*}} {permutation = array<i64: 2, 0, 1>} : (tensor<2x3x5xf32>) -> tensor<5x2x3xf32>
  %0 = llmpar.transpose %x {permutation = array<i64: 2, 0, 1>} : (tensor<2x3x5xf32>) -> tensor<5x2x3xf32>
  // CHECK: llmpar.reshape %{{.*}} : (tensor<2x3x5xf32>) -> tensor<6x5xf32>
  %1 = llmpar.reshape %x : (tensor<2x3x5xf32>) -> tensor<6x5xf32>
  // CHECK: llmpar.broadcast %{{.*}} : (tensor<2x3x5xf32>) -> tensor<7x2x3x5xf32>
  %2 = llmpar.broadcast %x : (tensor<2x3x5xf32>) -> tensor<7x2x3x5xf32>
  // CHECK: llmpar.slice %{{.*}} {starts = array<i64: 1, 0, 4>, steps = array<i64: 1, 2, -2>} : (tensor<2x3x5xf32>) -> tensor<1x2x3xf32>
  %3 = llmpar.slice %x {starts = array<i64: 1, 0, 4>, steps = array<i64: 1, 2, -2>} : (tensor<2x3x5xf32>) -> tensor<1x2x3xf32>
  // CHECK: llmpar.concat %{{.*}}, %{{.*}} {axis = 1 : i64} : (tensor<2x3x5xf32>, tensor<2x4x5xf32>) -> tensor<2x7x5xf32>
  %4 = llmpar.concat %x, %y {axis = 1 : i64} : (tensor<2x3x5xf32>, tensor<2x4x5xf32>) -> tensor<2x7x5xf32>
  // CHECK: llmpar.pad %{{.*}} {low = array<i64: 0, 1, 2>, mode = 0 : i64, value = 5.000000e-01 : f64} : (tensor<2x3x5xf32>) -> tensor<2x4x9xf32>
  %5 = llmpar.pad %x {mode = 0 : i64, low = array<i64: 0, 1, 2>, value = 0.5 : f64} : (tensor<2x3x5xf32>) -> tensor<2x4x9xf32>
  return
}

// CHECK-LABEL: @sharded
// CHECK-SAME: {llmpar.out = #llmpar.sharding<@mesh, [{"dp"}, {"tp" : 64}]>}
func.func @sharded(%x: tensor<4x384xf32> {llmpar.out = #llmpar.sharding<@mesh, [{"dp"}, {"tp" : 64}]>}) {
  // CHECK: llmpar.reshard %{{.*}} {llmpar.out = [#llmpar.sharding<@mesh, [{"dp", "tp"}, {}]>]}
  %0 = llmpar.reshard %x {llmpar.out = [#llmpar.sharding<@mesh, [{"dp", "tp"}, {}]>]} : (tensor<4x384xf32>) -> tensor<4x384xf32>
  // CHECK: llmpar.unary "neg" %{{.*}} {llmpar.out = [#llmpar.sharding<@mesh, [{}, {}], partial = {"dp" : sum, "tp" : max}>]}
  %1 = llmpar.unary "neg" %0 {llmpar.out = [#llmpar.sharding<@mesh, [{}, {}], partial = {"dp" : sum, "tp" : max}>]} : (tensor<4x384xf32>) -> tensor<4x384xf32>
  // CHECK: llmpar.all_reduce "tp" %{{.*}} {reduction = "sum"}
  %2 = llmpar.all_reduce "tp" %x {reduction = "sum"} : (tensor<4x384xf32>) -> tensor<4x384xf32>
  // CHECK: llmpar.all_gather "tp" %{{.*}} {dim = 1 : i64}
  %3 = llmpar.all_gather "tp" %x {dim = 1 : i64} : (tensor<4x384xf32>) -> tensor<4x384xf32>
  // CHECK: llmpar.reduce_scatter "tp" %{{.*}} {dim = 1 : i64, reduction = "sum"}
  %4 = llmpar.reduce_scatter "tp" %x {reduction = "sum", dim = 1 : i64} : (tensor<4x384xf32>) -> tensor<4x384xf32>
  // CHECK: llmpar.all_to_all "tp" %{{.*}} {concat_dim = 1 : i64, split_dim = 0 : i64}
  %5 = llmpar.all_to_all "tp" %x {split_dim = 0 : i64, concat_dim = 1 : i64} : (tensor<4x384xf32>) -> tensor<4x384xf32>
  // CHECK: llmpar.all_slice "dp" %{{.*}} {dim = 0 : i64}
  %6 = llmpar.all_slice "dp" %x {dim = 0 : i64} : (tensor<4x384xf32>) -> tensor<4x384xf32>
  return
}
