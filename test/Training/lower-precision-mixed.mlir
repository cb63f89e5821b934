// RUN: llmpar-opt %s --llmpar-lower-precision | FileCheck %s

// What a model computes in bf16 by itself stays as it is.
// CHECK-LABEL: func.func @main
// CHECK:       llmpar.matmul %{{.*}}, %{{.*}} : (tensor<2x4xf32>, tensor<4x6xf32>) -> tensor<2x6xf32>
llmpar.weight @w : tensor<4x6xbf16> from <"w.bin", 0, 48>
func.func @main(%x: tensor<2x4xf32>) -> tensor<2x6xf32> {
  %w = llmpar.load_weight @w : tensor<4x6xbf16>
  %wide = llmpar.cast %w : (tensor<4x6xbf16>) -> tensor<4x6xf32>
  %y = llmpar.matmul %x, %wide : (tensor<2x4xf32>, tensor<4x6xf32>) -> tensor<2x6xf32>
  return %y : tensor<2x6xf32>
}
