// RUN: llmpar-opt %s -split-input-file -llmpar-propagate-shardings | FileCheck %s

llmpar.mesh @mesh <["x"=2]>
// A plan's factors decide, not the operand's sharding.
// CHECK-LABEL: @main
func.func @main(%a: tensor<6x10xf32> {llmpar.out = #llmpar.sharding<@mesh, [{"x"}, {}]>}) -> tensor<6x10xf32> {
  // CHECK: llmpar.unary "exp" {{.*}}llmpar.in = [#llmpar.sharding<@mesh, [{}, {"x"}]>], llmpar.out = [#llmpar.sharding<@mesh, [{}, {"x"}]>]
  // CHECK-NOT: llmpar.factors
  %y = llmpar.unary "exp" %a {llmpar.factors = {_1 = #llmpar.dim<{"x"}>}} : (tensor<6x10xf32>) -> tensor<6x10xf32>
  return %y : tensor<6x10xf32>
}

// -----

llmpar.mesh @mesh <["x"=2]>
llmpar.weight @w : tensor<10x4xf32> from #llmpar.external<"w.bin", 0, 160>
// A weight that rests in shards is loaded so; the product wants it whole.
// CHECK-LABEL: @main
func.func @main(%a: tensor<6x10xf32>) -> tensor<6x4xf32> {
  // CHECK: llmpar.load_weight @w {{.*}}llmpar.out = [#llmpar.sharding<@mesh, [{"x"}, {}]>]
  // CHECK: llmpar.matmul {{.*}}llmpar.in = [{{.*}}, #llmpar.sharding<@mesh, [{}, {}]>]
  %w = llmpar.load_weight @w : tensor<10x4xf32>
  %y = llmpar.matmul %a, %w {llmpar.factors = {m = #llmpar.dim<{"x"}>},
      llmpar.rest = [#llmpar.sharding<@mesh, [{}, {}]>, #llmpar.sharding<@mesh, [{"x"}, {}]>]}
      : (tensor<6x10xf32>, tensor<10x4xf32>) -> tensor<6x4xf32>
  return %y : tensor<6x4xf32>
}
