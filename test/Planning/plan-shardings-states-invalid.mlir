// RUN: not llmpar-opt %s -llmpar-plan-shardings="cluster=cpu-2 method=zero" 2>&1 | FileCheck %s

// CHECK: error: method 'zero' splits gradients and states, which only training has: choose another method, e.g. tensor or auto
func.func @main(%x: tensor<8x16xf32>) -> tensor<8x16xf32> {
  return %x : tensor<8x16xf32>
}
