// RUN: llmpar-opt %s --split-input-file --llmpar-propagate-shardings | FileCheck %s

// A batch passes through a product; the weight stays whole.
// CHECK-LABEL: func.func @main
// CHECK:       load_weight @w {{.*}}llmpar.out = [#llmpar.sharding<@mesh, [{}, {}]>]
// CHECK:       llmpar.matmul {{.*}}llmpar.out = [#llmpar.sharding<@mesh, [{"dp"}, {}]>]
llmpar.mesh @mesh <["dp"=2]>
llmpar.weight @w : tensor<6x10xf32> from #llmpar.external<"w.data", 0, 240>
func.func @main(%x: tensor<4x6xf32> {llmpar.out = #llmpar.sharding<@mesh, [{"dp"}, {}]>}) -> tensor<4x10xf32> {
  %w = llmpar.load_weight @w : tensor<6x10xf32>
  %0 = llmpar.matmul %x, %w : (tensor<4x6xf32>, tensor<6x10xf32>) -> tensor<4x10xf32>
  return %0 : tensor<4x10xf32>
}

// -----

// A sharded contraction gives a partial sum; the function's result must not be partial.
// CHECK-LABEL: func.func @main
// CHECK:       llmpar.matmul {{.*}}llmpar.in = [#llmpar.sharding<@mesh, [{}, {"tp"}]>, #llmpar.sharding<@mesh, [{"tp"}, {}]>], llmpar.out = [#llmpar.sharding<@mesh, [{}, {}], partial = {"tp" : sum}>]
// CHECK:       return {llmpar.in = [#llmpar.sharding<@mesh, [{}, {}]>]}
llmpar.mesh @mesh <["tp"=2]>
func.func @main(%x: tensor<4x6xf32> {llmpar.out = #llmpar.sharding<@mesh, [{}, {"tp"}]>}, %y: tensor<6x10xf32>) -> tensor<4x10xf32> {
  %0 = llmpar.matmul %x, %y : (tensor<4x6xf32>, tensor<6x10xf32>) -> tensor<4x10xf32>
  return %0 : tensor<4x10xf32>
}

// -----

// A partial sum wants to be whole before an op that is not linear: no axis is left for gelu.
// CHECK-LABEL: func.func @main
// CHECK:       llmpar.unary "gelu" {{.*}}llmpar.in = [#llmpar.sharding<@mesh, [{}, {}]>], llmpar.out = [#llmpar.sharding<@mesh, [{}, {}]>]
llmpar.mesh @mesh <["tp"=2]>
func.func @main(%x: tensor<4x6xf32> {llmpar.out = #llmpar.sharding<@mesh, [{}, {}], partial = {"tp" : sum}>}) -> tensor<4x6xf32> {
  %0 = llmpar.unary "gelu" %x : (tensor<4x6xf32>) -> tensor<4x6xf32>
  return %0 : tensor<4x6xf32>
}

// -----

// Two operands that want one axis for different factors: the larger one wins.
// CHECK-LABEL: func.func @main
// CHECK:       llmpar.binary "add" {{.*}}llmpar.in = [#llmpar.sharding<@mesh, [{}, {"tp"}]>, #llmpar.sharding<@mesh, [{"tp"}]>]
llmpar.mesh @mesh <["tp"=2]>
func.func @main(%x: tensor<4x6xf32> {llmpar.out = #llmpar.sharding<@mesh, [{}, {"tp"}]>},
                %y: tensor<4x1xf32> {llmpar.out = #llmpar.sharding<@mesh, [{"tp"}, {}]>}, %z: tensor<6xf32>) -> tensor<4x6xf32> {
  %0 = llmpar.binary "add" %x, %z : (tensor<4x6xf32>, tensor<6xf32>) -> tensor<4x6xf32>
  // CHECK: llmpar.binary "mul" {{.*}}llmpar.in = [#llmpar.sharding<@mesh, [{}, {"tp"}]>, #llmpar.sharding<@mesh, [{}, {}]>]
  %1 = llmpar.binary "mul" %0, %y : (tensor<4x6xf32>, tensor<4x1xf32>) -> tensor<4x6xf32>
  return %1 : tensor<4x6xf32>
}

// -----

// A running sum over a sharded dimension must see all of it; a softmax is computed by parts.
// CHECK-LABEL: func.func @main
// CHECK:       llmpar.cumsum {{.*}}llmpar.in = [#llmpar.sharding<@mesh, [{"dp"}, {}]>]
// CHECK:       llmpar.softmax {{.*}}llmpar.in = [#llmpar.sharding<@mesh, [{"dp"}, {"tp"}]>], llmpar.out = [#llmpar.sharding<@mesh, [{"dp"}, {"tp"}]>]
llmpar.mesh @mesh <["dp"=2, "tp"=3]>
func.func @main(%x: tensor<4x6xf32> {llmpar.out = #llmpar.sharding<@mesh, [{"dp"}, {"tp"}]>}) -> (tensor<4x6xf32>, tensor<4x6xf32>) {
  %1 = llmpar.cumsum %x {axis = 1, exclusive = false, reverse = false} : (tensor<4x6xf32>) -> tensor<4x6xf32>
  %0 = llmpar.softmax %x {axis = 1} : (tensor<4x6xf32>) -> tensor<4x6xf32>
  return %1, %0 : tensor<4x6xf32>, tensor<4x6xf32>
}

// -----

// A batch of one has no factor: what comes from it is whole.
// CHECK-LABEL: func.func @main
// CHECK:       llmpar.unary "gelu" {{.*}}llmpar.in = [#llmpar.sharding<@mesh, [{}, {}]>], llmpar.out = [#llmpar.sharding<@mesh, [{}, {}]>]
llmpar.mesh @mesh <["dp"=2]>
func.func @main(%x: tensor<1x6xf32> {llmpar.out = #llmpar.sharding<@mesh, [{"dp"}, {}]>}) -> tensor<1x6xf32> {
  %0 = llmpar.unary "gelu" %x : (tensor<1x6xf32>) -> tensor<1x6xf32>
  return %0 : tensor<1x6xf32>
}

// -----

// Three heads of four on two ranks: the split of twelve keeps heads together.
// CHECK-LABEL: func.func @main
// CHECK:       llmpar.reshape {{.*}}llmpar.in = [#llmpar.sharding<@mesh, [{}, {"tp"}, {}]>], llmpar.out = [#llmpar.sharding<@mesh, [{}, {"tp" : 4}]>]
llmpar.mesh @mesh <["tp"=2]>
func.func @main(%x: tensor<5x3x4xf32> {llmpar.out = #llmpar.sharding<@mesh, [{}, {"tp"}, {}]>}) -> tensor<5x12xf32> {
  %0 = llmpar.reshape %x : (tensor<5x3x4xf32>) -> tensor<5x12xf32>
  return %0 : tensor<5x12xf32>
}

// -----

// Each user of a weight gets the shard that it wants; nobody is left with the whole.
// CHECK-LABEL: func.func @main
// CHECK-COUNT-2: llmpar.load_weight @w
// CHECK-NOT:   llmpar.load_weight
// CHECK:       llmpar.matmul {{.*}}llmpar.in = [#llmpar.sharding<@mesh, [{}, {"tp"}]>, #llmpar.sharding<@mesh, [{"tp"}, {}]>]
// CHECK:       llmpar.matmul {{.*}}llmpar.in = [#llmpar.sharding<@mesh, [{}, {}]>, #llmpar.sharding<@mesh, [{}, {}]>]
llmpar.mesh @mesh <["tp"=2]>
llmpar.weight @w : tensor<6x10xf32> from #llmpar.external<"w.data", 0, 240>
func.func @main(%x: tensor<4x6xf32> {llmpar.out = #llmpar.sharding<@mesh, [{}, {"tp"}]>}, %y: tensor<8x6xf32>) -> (tensor<4x10xf32>, tensor<8x10xf32>) {
  %w = llmpar.load_weight @w : tensor<6x10xf32>
  %0 = llmpar.matmul %x, %w : (tensor<4x6xf32>, tensor<6x10xf32>) -> tensor<4x10xf32>
  %1 = llmpar.matmul %y, %w : (tensor<8x6xf32>, tensor<6x10xf32>) -> tensor<8x10xf32>
  return %0, %1 : tensor<4x10xf32>, tensor<8x10xf32>
}

// -----

// A pinned weight decides its product.
// CHECK-LABEL: func.func @main
// CHECK:       llmpar.matmul {{.*}}llmpar.out = [#llmpar.sharding<@mesh, [{}, {}], partial = {"tp" : sum}>]
llmpar.mesh @mesh <["tp"=2]>
llmpar.weight @w : tensor<6x10xf32> from #llmpar.external<"w.data", 0, 240>
func.func @main(%x: tensor<4x6xf32>) -> tensor<4x10xf32> {
  %w = llmpar.load_weight @w {llmpar.out = [#llmpar.sharding<@mesh, [{"tp"}, {}]>]} : tensor<6x10xf32>
  %0 = llmpar.matmul %x, %w : (tensor<4x6xf32>, tensor<6x10xf32>) -> tensor<4x10xf32>
  return %0 : tensor<4x10xf32>
}
