// RUN: llmpar-opt %s -llmpar-plan-shardings="cluster=dgx-h100" | FileCheck %s

// The module's mesh is kept, and so is a pinned input, though the batch would be cheaper.
// CHECK: llmpar.mesh @mesh <["a"=8]>
// CHECK: @main(%{{.*}}: tensor<8x128x512xf32> {llmpar.out = #llmpar.sharding<@mesh, [{}, {"a"}, {}]>})
llmpar.mesh @mesh <["a"=8]>
func.func @main(%x: tensor<8x128x512xf32> {llmpar.out = #llmpar.sharding<@mesh, [{}, {"a"}, {}]>}) -> tensor<8x128x512xf32> {
  // CHECK: llmpar.unary "gelu" {{.*}}llmpar.factors = {_1 = #llmpar.dim<{"a"}>}
  %y = llmpar.unary "gelu" %x : (tensor<8x128x512xf32>) -> tensor<8x128x512xf32>
  return %y : tensor<8x128x512xf32>
}
