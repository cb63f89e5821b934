// RUN: llmpar-opt %s -split-input-file -llmpar-plan-shardings="cluster=dgx-h100 method=tensor" | FileCheck %s --check-prefix=TENSOR
// RUN: llmpar-opt %s -split-input-file -llmpar-plan-shardings="cluster=dgx-h100 method=data" | FileCheck %s --check-prefix=DATA
// RUN: llmpar-opt %s -split-input-file -llmpar-plan-shardings="cluster=dgx-h100 method=sequence" | FileCheck %s --check-prefix=SEQUENCE
// RUN: llmpar-opt %s -split-input-file -llmpar-plan-shardings="cluster=dgx-h100 method=gathered" | FileCheck %s --check-prefix=GATHERED
// RUN: llmpar-opt %s -split-input-file -llmpar-plan-shardings="cluster=dgx-h100 method=hybrid" | FileCheck %s --check-prefix=HYBRID
// RUN: llmpar-opt %s -split-input-file -llmpar-plan-shardings="cluster=dgx-h100 method=single" | FileCheck %s --check-prefix=SINGLE

// Column-parallel, then row-parallel, without being told.
// TENSOR: llmpar.mesh @mesh <["tp"=8]>
// TENSOR: llmpar.matmul {{.*}}llmpar.factors = {n = #llmpar.dim<{"tp"}>}
// TENSOR: llmpar.unary "gelu" {{.*}}llmpar.factors = {_2 = #llmpar.dim<{"tp"}>}
// TENSOR: llmpar.matmul {{.*}}llmpar.factors = {k = #llmpar.dim<{"tp"}>}
// DATA: llmpar.mesh @mesh <["dp"=8]>
// DATA-COUNT-3: llmpar.factors = {_0 = #llmpar.dim<{"dp"}>}
// SEQUENCE: llmpar.mesh @mesh <["sp"=8]>
// SEQUENCE: llmpar.matmul {{.*}}llmpar.factors = {m = #llmpar.dim<{"sp"}>}
// SEQUENCE: llmpar.unary "gelu" {{.*}}llmpar.factors = {_1 = #llmpar.dim<{"sp"}>}
// GATHERED: llmpar.matmul {{.*}}llmpar.factors = {_0 = #llmpar.dim<{"dp"}>}, llmpar.rest = [{{.*}}, #llmpar.sharding<@mesh, [{}, {"dp"}]>]
// HYBRID: llmpar.mesh @mesh <["dp"={{2|4}}, "tp"={{2|4}}]>
// HYBRID: llmpar.matmul {{.*}}llmpar.factors = {_0 = #llmpar.dim<{"dp"}>, n = #llmpar.dim<{"tp"}>}
// SINGLE-NOT: llmpar.mesh
llmpar.weight @up : tensor<1024x4096xf32> from #llmpar.external<"w.bin", 0, 16777216>
llmpar.weight @down : tensor<4096x1024xf32> from #llmpar.external<"w.bin", 16777216, 16777216>
func.func @main(%x: tensor<8x128x1024xf32>) -> tensor<8x128x1024xf32> {
  %up = llmpar.load_weight @up : tensor<1024x4096xf32>
  %down = llmpar.load_weight @down : tensor<4096x1024xf32>
  %h = llmpar.matmul %x, %up : (tensor<8x128x1024xf32>, tensor<1024x4096xf32>) -> tensor<8x128x4096xf32>
  %g = llmpar.unary "gelu" %h : (tensor<8x128x4096xf32>) -> tensor<8x128x4096xf32>
  %y = llmpar.matmul %g, %down : (tensor<8x128x4096xf32>, tensor<4096x1024xf32>) -> tensor<8x128x1024xf32>
  return %y : tensor<8x128x1024xf32>
}
