// RUN: not llmpar-opt %s -llmpar-plan-shardings="cluster=dgx-h100 memory=16000000" 2>&1 | FileCheck %s
// RUN: llmpar-opt %s -llmpar-plan-shardings="cluster=dgx-h100 memory=24000000" 2>&1 | FileCheck %s --check-prefix=FITS

// The pin that costs nothing is not part of the conflict; without the other one the memory suffices.
// CHECK: error: no plan of method 'auto' fits into a device of 'dgx-h100' (15.3 MiB): the smallest one found needs {{.*}} on a=8
// CHECK-SAME: in conflict: the pin of 'up', 15.3 MiB of memory; ways out: no pin of 'up' (
// FITS: llmpar.load_weight @up {{.*}}llmpar.out = {{.*}}[{}, {}]
llmpar.mesh @mesh <["a"=8]>
llmpar.weight @up : tensor<1024x4096xf32> from #llmpar.external<"w.bin", 0, 16777216>
llmpar.weight @down : tensor<4096x1024xf32> from #llmpar.external<"w.bin", 16777216, 16777216>
func.func @main(%x: tensor<8x128x1024xf32> {llmpar.name = "x", llmpar.out = #llmpar.sharding<@mesh, [{"a"}, {}, {}]>}) -> tensor<8x128x1024xf32> {
  %up = llmpar.load_weight @up {llmpar.out = [#llmpar.sharding<@mesh, [{}, {}]>]} : tensor<1024x4096xf32>
  %down = llmpar.load_weight @down : tensor<4096x1024xf32>
  %h = llmpar.matmul %x, %up : (tensor<8x128x1024xf32>, tensor<1024x4096xf32>) -> tensor<8x128x4096xf32>
  %g = llmpar.unary "gelu" %h : (tensor<8x128x4096xf32>) -> tensor<8x128x4096xf32>
  %y = llmpar.matmul %g, %down : (tensor<8x128x4096xf32>, tensor<4096x1024xf32>) -> tensor<8x128x1024xf32>
  return %y : tensor<8x128x1024xf32>
}
