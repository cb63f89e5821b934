// RUN: not llmpar-opt %s -llmpar-plan-shardings="cluster=dgx-h101" 2>&1 | FileCheck %s --check-prefix=CLUSTER
// RUN: not llmpar-opt %s -llmpar-plan-shardings="cluster=dgx-h100 method=magic" 2>&1 | FileCheck %s --check-prefix=METHOD
// RUN: not llmpar-opt %s -llmpar-plan-shardings="cluster=dgx-h100" 2>&1 | FileCheck %s --check-prefix=RANKS

// CLUSTER: error: {{.*}}dgx-h101
// METHOD: error: method 'magic' is unknown: choose single, data, tensor, sequence, expert, zero, gathered, hybrid, auto
// RANKS: error: the mesh 'a=4' has 4 ranks, but cluster 'dgx-h100' has 8 devices
llmpar.mesh @mesh <["a"=4]>
func.func @main(%x: tensor<8x16xf32>) -> tensor<8x16xf32> {
  return %x : tensor<8x16xf32>
}
