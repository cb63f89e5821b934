// RUN: not llmpar-opt %s -llmpar-plan-shardings="cluster=dgx-h100 method=data memory=20000000" 2>&1 | FileCheck %s --check-prefix=METHOD
// RUN: not llmpar-opt %s -llmpar-plan-shardings="cluster=dgx-h100 method=tensor memory=8000000" 2>&1 | FileCheck %s --check-prefix=DEVICES
// RUN: not llmpar-opt %s -llmpar-plan-shardings="cluster=dgx-h100 method=single memory=60000000" 2>&1 | FileCheck %s --check-prefix=BATCH
// RUN: llmpar-opt %s -llmpar-plan-shardings="cluster=dgx-h100 method=data memory=37748736" 2>&1 | FileCheck %s --check-prefix=FITS
// RUN: not llmpar-opt %s -llmpar-plan-shardings="cluster=dgx-h100 method=tensor memory=100000" 2>&1 | FileCheck %s --check-prefix=NONE

// 16 MiB of weights each. Whole weights (data) and one sample of x (0.5 MiB), h (2 MiB) and g (2 MiB): 36 MiB where h becomes g.
// METHOD: error: no plan of method 'data' fits into a device of 'dgx-h100' (19.1 MiB): the smallest one found needs 36.0 MiB on dp=8; in conflict: method 'data', 19.1 MiB of memory; ways out: method 'auto' on x=8 ({{[0-9.]+}} MiB), bf16 in place of f32 (18.0 MiB, estimated)
// DEVICES: error: no plan of method 'tensor' fits into a device of 'dgx-h100' (7.6 MiB): {{.*}}in conflict: {{.*}}7.6 MiB of memory; ways out: {{.*}} devices as tp={{16|32|64}}
// BATCH: error: no plan of method 'single' {{.*}}: the smallest one found needs 64.0 MiB; {{.*}}batch 6 in place of 8 (56.0 MiB, estimated)
// NONE: error: {{.*}}in conflict: 97.7 KiB of memory; no single way out among another method or mesh, bf16, a smaller batch, up to 64 times the devices{{$}}
// FITS: llmpar.mesh @mesh <["dp"=8]>
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
