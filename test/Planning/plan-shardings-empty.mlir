// RUN: llmpar-opt %s -llmpar-plan-shardings="cluster=dgx-h100 method=tensor" | FileCheck %s

// A cache of no positions yet, split into heads by a reshape: an empty dimension has units of one.
// CHECK: func.func @main
// CHECK: llmpar.concat {{.*}}llmpar.factors
func.func @main(%past: tensor<2x0x24xf32>, %x: tensor<2x3x24xf32>) -> tensor<2x3x4x6xf32> {
  %0 = llmpar.concat %past, %x {axis = 1} : (tensor<2x0x24xf32>, tensor<2x3x24xf32>) -> tensor<2x3x24xf32>
  %1 = llmpar.reshape %0 : (tensor<2x3x24xf32>) -> tensor<2x3x4x6xf32>
  return %1 : tensor<2x3x4x6xf32>
}
