// RUN: llmpar-opt %s -llmpar-plan-shardings="cluster=dgx-h100 method=tensor" --remarks-filter=llmpar-plan-shardings -o /dev/null 2>&1 | FileCheck %s
// RUN: llmpar-opt %s -llmpar-plan-shardings="cluster=dgx-h100 method=tensor" --remarks-filter-passed=llmpar-other -o /dev/null 2>&1 | FileCheck %s --allow-empty --check-prefix=NONE
// RUN: llmpar-opt %s -llmpar-plan-shardings="cluster=dgx-h100 method=tensor" -o /dev/null 2>&1 | FileCheck %s --allow-empty --check-prefix=NONE

// Every op with a choice has one remark: what was chosen, the runner-up, the difference and what would flip it.
// NONE-NOT: remark
llmpar.weight @up : tensor<1024x4096xf32> from #llmpar.external<"w.bin", 0, 16777216>
llmpar.weight @down : tensor<4096x1024xf32> from #llmpar.external<"w.bin", 16777216, 16777216>
func.func @main(%x: tensor<8x128x1024xf32>) -> tensor<8x128x1024xf32> {
  %up = llmpar.load_weight @up : tensor<1024x4096xf32>
  %down = llmpar.load_weight @down : tensor<4096x1024xf32>
  // CHECK: remark: [Passed] decision | Category:llmpar-plan-shardings | Function=main | Chosen="n: tp", Difference="+{{[0-9.]+}} us", Flips="if resharding from matmul (op 2) to unary (op 3) took {{.*}} less than its {{.*}}", Memory="+14.0 MiB", Op="matmul (op 2)", RunnerUp="k: tp"
  %h = llmpar.matmul %x, %up : (tensor<8x128x1024xf32>, tensor<1024x4096xf32>) -> tensor<8x128x4096xf32>
  // CHECK: remark: {{.*}}Chosen="_2: tp"{{.*}}Op="unary (op 3)", RunnerUp=whole
  %g = llmpar.unary "gelu" %h : (tensor<8x128x4096xf32>) -> tensor<8x128x4096xf32>
  // CHECK: remark: {{.*}}Chosen="k: tp"{{.*}}Op="matmul 'h.0.down'", RunnerUp="n: tp"
  // CHECK-NOT: remark
  %y = llmpar.matmul %g, %down : (tensor<8x128x4096xf32>, tensor<4096x1024xf32>) -> tensor<8x128x1024xf32> loc("h.0.down")
  return %y : tensor<8x128x1024xf32>
}
