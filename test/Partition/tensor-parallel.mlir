// RUN: llmpar-opt %s --split-input-file --llmpar-propagate-shardings=tensor-axis=tp --llmpar-insert-reshards --llmpar-lower-reshards --llmpar-combine-collectives | FileCheck %s

// Megatron's MLP: the first product is column-parallel, the second row-parallel, and one all-reduce is all.
// CHECK-LABEL: func.func @main
// CHECK:       load_weight @up {{.*}}llmpar.out = [#llmpar.sharding<@mesh, [{}, {"tp"}]>]
// CHECK:       load_weight @down {{.*}}llmpar.out = [#llmpar.sharding<@mesh, [{"tp"}, {}]>]
// CHECK-NOT:   llmpar.all_
// CHECK:       llmpar.all_reduce "tp" {{.*}}reduction = "sum"
// CHECK-NOT:   llmpar.all_
// CHECK:       return
llmpar.mesh @mesh <["tp"=2]>
llmpar.weight @up : tensor<6x10xf32> from #llmpar.external<"w.data", 0, 240>
llmpar.weight @down : tensor<10x6xf32> from #llmpar.external<"w.data", 240, 240>
func.func @main(%x: tensor<4x6xf32>) -> tensor<4x6xf32> {
  %up = llmpar.load_weight @up : tensor<6x10xf32>
  %down = llmpar.load_weight @down : tensor<10x6xf32>
  %0 = llmpar.matmul %x, %up : (tensor<4x6xf32>, tensor<6x10xf32>) -> tensor<4x10xf32>
  %1 = llmpar.unary "gelu" %0 : (tensor<4x10xf32>) -> tensor<4x10xf32>
  %2 = llmpar.matmul %1, %down : (tensor<4x10xf32>, tensor<10x6xf32>) -> tensor<4x6xf32>
  return %2 : tensor<4x6xf32>
}

// -----

// A product of two activations is not a weight product: nothing is sharded.
// CHECK-LABEL: func.func @main
// CHECK-NOT:   {"tp"
// CHECK:       return
llmpar.mesh @mesh <["tp"=2]>
func.func @main(%x: tensor<4x6xf32>, %y: tensor<6x10xf32>) -> tensor<4x10xf32> {
  %0 = llmpar.matmul %x, %y : (tensor<4x6xf32>, tensor<6x10xf32>) -> tensor<4x10xf32>
  return %0 : tensor<4x10xf32>
}

// -----

// An embedding shards its vocabulary: each rank looks up what it holds, the sum is the result.
// CHECK-LABEL: func.func @main
// CHECK:       load_weight @table {{.*}}llmpar.out = [#llmpar.sharding<@mesh, [{"tp"}, {}]>]
// CHECK:       %[[PART:.*]] = llmpar.gather {{.*}}partial = {"tp" : sum}
// CHECK:       llmpar.all_reduce "tp" %[[PART]]
llmpar.mesh @mesh <["tp"=2]>
llmpar.weight @table : tensor<11x6xf32> from #llmpar.external<"w.data", 0, 264>
func.func @main(%ids: tensor<3x5xi64>) -> tensor<3x5x6xf32> {
  %table = llmpar.load_weight @table : tensor<11x6xf32>
  %0 = llmpar.gather %table, %ids {axis = 0} : (tensor<11x6xf32>, tensor<3x5xi64>) -> tensor<3x5x6xf32>
  return %0 : tensor<3x5x6xf32>
}

// -----

// Columns that become heads are split between heads: three heads of four on two ranks.
// CHECK-LABEL: func.func @main
// CHECK:       load_weight @wq {{.*}}llmpar.out = [#llmpar.sharding<@mesh, [{}, {"tp" : 4}]>]
// CHECK:       llmpar.transpose {{.*}}llmpar.out = [#llmpar.sharding<@mesh, [{"tp"}, {}, {}]>]
// CHECK-NOT:   llmpar.all_
// CHECK:       return
llmpar.mesh @mesh <["tp"=2]>
llmpar.weight @wq : tensor<6x12xf32> from #llmpar.external<"w.data", 0, 288>
func.func @main(%x: tensor<5x6xf32>) -> tensor<3x5x4xf32> {
  %wq = llmpar.load_weight @wq : tensor<6x12xf32>
  %0 = llmpar.matmul %x, %wq : (tensor<5x6xf32>, tensor<6x12xf32>) -> tensor<5x12xf32>
  %1 = llmpar.reshape %0 : (tensor<5x12xf32>) -> tensor<5x3x4xf32>
  %2 = llmpar.transpose %1 {permutation = array<i64: 1, 0, 2>} : (tensor<5x3x4xf32>) -> tensor<3x5x4xf32>
  return %2 : tensor<3x5x4xf32>
}

// -----

// Grouped queries: two key heads of 8 on four ranks. Query heads (three for each key) stay with their key; the
// scores need no communication.
// CHECK-LABEL: func.func @main
// CHECK:       load_weight @wq {{.*}}llmpar.out = [#llmpar.sharding<@mesh, [{}, {"tp" : 24}]>]
// CHECK:       load_weight @wk {{.*}}llmpar.out = [#llmpar.sharding<@mesh, [{}, {"tp" : 8}]>]
// CHECK-NOT:   llmpar.all_
// CHECK:       llmpar.matmul {{.*}}llmpar.out = [#llmpar.sharding<@mesh, [{"tp"}, {}, {}, {}]>], transpose_b = true
// CHECK-NOT:   llmpar.all_
// CHECK:       return
llmpar.mesh @mesh <["tp"=4]>
llmpar.weight @wq : tensor<7x48xf32> from #llmpar.external<"w.data", 0, 1344>
llmpar.weight @wk : tensor<7x16xf32> from #llmpar.external<"w.data", 1344, 448>
func.func @main(%x: tensor<5x7xf32>) -> tensor<2x3x5x5xf32> {
  %wq = llmpar.load_weight @wq : tensor<7x48xf32>
  %wk = llmpar.load_weight @wk : tensor<7x16xf32>
  %q = llmpar.matmul %x, %wq : (tensor<5x7xf32>, tensor<7x48xf32>) -> tensor<5x48xf32>
  %k = llmpar.matmul %x, %wk : (tensor<5x7xf32>, tensor<7x16xf32>) -> tensor<5x16xf32>
  %q1 = llmpar.reshape %q : (tensor<5x48xf32>) -> tensor<5x6x8xf32>
  %k1 = llmpar.reshape %k : (tensor<5x16xf32>) -> tensor<5x2x8xf32>
  %q2 = llmpar.transpose %q1 {permutation = array<i64: 1, 0, 2>} : (tensor<5x6x8xf32>) -> tensor<6x5x8xf32>
  %k2 = llmpar.transpose %k1 {permutation = array<i64: 1, 0, 2>} : (tensor<5x2x8xf32>) -> tensor<2x5x8xf32>
  %q3 = llmpar.reshape %q2 : (tensor<6x5x8xf32>) -> tensor<2x3x5x8xf32>
  %k3 = llmpar.reshape %k2 : (tensor<2x5x8xf32>) -> tensor<2x1x5x8xf32>
  %scores = llmpar.matmul %q3, %k3 {transpose_b = true} : (tensor<2x3x5x8xf32>, tensor<2x1x5x8xf32>) -> tensor<2x3x5x5xf32>
  return %scores : tensor<2x3x5x5xf32>
}

// -----

// The scores of a tied vocabulary that does not divide are sharded by columns, unevenly.
// CHECK-LABEL: func.func @main
// CHECK:       llmpar.matmul {{.*}}llmpar.out = [#llmpar.sharding<@mesh, [{}, {"tp"}]>], transpose_b = true
// CHECK-NOT:   llmpar.all_
// CHECK:       return
llmpar.mesh @mesh <["tp"=4]>
llmpar.weight @table : tensor<11x6xf32> from #llmpar.external<"w.data", 0, 264>
func.func @main(%x: tensor<5x6xf32>) -> tensor<5x11xf32> {
  %table = llmpar.load_weight @table : tensor<11x6xf32>
  %0 = llmpar.matmul %x, %table {transpose_b = true} : (tensor<5x6xf32>, tensor<11x6xf32>) -> tensor<5x11xf32>
  return %0 : tensor<5x11xf32>
}

// -----

// The data axis and the tensor axis meet in one product: rows over one, columns over the other.
// CHECK-LABEL: func.func @main
// CHECK:       llmpar.matmul {{.*}}llmpar.out = [#llmpar.sharding<@mesh, [{"dp"}, {"tp"}]>]
llmpar.mesh @mesh <["dp"=2, "tp"=2]>
llmpar.weight @w : tensor<6x10xf32> from #llmpar.external<"w.data", 0, 240>
func.func @main(%x: tensor<4x6xf32> {llmpar.out = #llmpar.sharding<@mesh, [{"dp"}, {}]>}) -> tensor<4x10xf32> {
  %w = llmpar.load_weight @w : tensor<6x10xf32>
  %0 = llmpar.matmul %x, %w : (tensor<4x6xf32>, tensor<6x10xf32>) -> tensor<4x10xf32>
  return %0 : tensor<4x10xf32>
}
