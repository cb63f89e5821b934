// RUN: llmpar-opt %s -split-input-file -llmpar-plan-shardings="cluster=cpu-8 method=auto" | FileCheck %s

// One query over a long cache of one key head: the cache is read once by all devices together, keys are split, and the
// statistics of the softmax are what it costs.
// CHECK-LABEL: func.func @main
// CHECK:       llmpar.matmul {{.*}}llmpar.factors = {n = #llmpar.dim<{[[AXES:.*]]}>
// CHECK:       llmpar.softmax {{.*}}llmpar.factors = {d2 = #llmpar.dim<{[[AXES]]}>
// CHECK:       llmpar.matmul {{.*}}llmpar.factors = {k = #llmpar.dim<{[[AXES]]}>
func.func @main(%q: tensor<1x8x128xf32>, %keys: tensor<1x16384x128xf32>, %values: tensor<1x16384x128xf32>) -> tensor<1x8x128xf32> {
  %s = llmpar.matmul %q, %keys {transpose_b = true} : (tensor<1x8x128xf32>, tensor<1x16384x128xf32>) -> tensor<1x8x16384xf32>
  %p = llmpar.softmax %s {axis = 2} : (tensor<1x8x16384xf32>) -> tensor<1x8x16384xf32>
  %y = llmpar.matmul %p, %values : (tensor<1x8x16384xf32>, tensor<1x16384x128xf32>) -> tensor<1x8x128xf32>
  return %y : tensor<1x8x128xf32>
}

// -----

// A short one is not worth the latency of three reductions.
// CHECK-LABEL: func.func @main
// CHECK-NOT:   d2 = #llmpar.dim
// CHECK:       return
func.func @main(%q: tensor<1x8x128xf32>, %keys: tensor<1x64x128xf32>, %values: tensor<1x64x128xf32>) -> tensor<1x8x128xf32> {
  %s = llmpar.matmul %q, %keys {transpose_b = true} : (tensor<1x8x128xf32>, tensor<1x64x128xf32>) -> tensor<1x8x64xf32>
  %p = llmpar.softmax %s {axis = 2} : (tensor<1x8x64xf32>) -> tensor<1x8x64xf32>
  %y = llmpar.matmul %p, %values : (tensor<1x8x64xf32>, tensor<1x64x128xf32>) -> tensor<1x8x128xf32>
  return %y : tensor<1x8x128xf32>
}
