// RUN: llmpar-opt %s --split-input-file --llmpar-build-training-step="optimizer=sgd initial-loss-scale=1024 hysteresis=1 loss-scale-window=3" --cse | FileCheck %s
// RUN: llmpar-opt %s --split-input-file --llmpar-build-evaluation-step | FileCheck %s --check-prefix=EVAL

// A bf16 weight is trained as an f32 one, of which the forward reads a copy.
// CHECK-DAG:   llmpar.weight @w : tensor<4x6xf32> from <"w.bin", 0, 48> {llmpar.mutable, llmpar.stored = bf16}
// CHECK-DAG:   llmpar.weight @w.velocity : tensor<4x6xf32> from zeros
// CHECK:       func.func @main
// CHECK:       %[[W:.*]] = llmpar.load_weight @w : tensor<4x6xf32>
// CHECK:       %[[C:.*]] = llmpar.cast %[[W]] : (tensor<4x6xf32>) -> tensor<4x6xbf16>
// CHECK:       llmpar.matmul %{{.*}}, %[[C]]
// The scale of the loss is the initial one in the first step, and goes into the seed of the gradients.
// CHECK:       %[[STATE:.*]] = llmpar.load_weight @loss_scale
// CHECK:       %[[SCALE:.*]] = llmpar.select %{{.*}}, %[[STATE]], %{{.*}} : (tensor<i1>, tensor<f32>, tensor<f32>) -> tensor<f32>
// CHECK:       llmpar.binary "mul" %{{.*}}, %[[SCALE]]
// CHECK:       %[[NARROW:.*]] = llmpar.weight_grad %{{.*}} -> tensor<4x6xbf16>
// CHECK:       %[[G:.*]] = llmpar.cast %[[NARROW]] : (tensor<4x6xbf16>) -> tensor<4x6xf32>
// CHECK:       %[[SQUARES:.*]] = llmpar.reduce "sum" %{{.*}} {axes = array<i64: 0, 1>
// CHECK:       %[[FINITE:.*]] = llmpar.binary "less" %[[SQUARES]], %{{.*}} -> tensor<i1>
// CHECK:       %[[UNSCALE:.*]] = llmpar.unary "reciprocal" %[[SCALE]]
// CHECK:       %[[NEW:.*]], %[[NEWV:.*]] = llmpar.sgd %[[W]], %[[G]], %{{.*}}, %{{.*}}, %[[UNSCALE]]
// A step with an overflow leaves the states.
// CHECK:       llmpar.select %[[FINITE]], %[[NEW]], %[[W]]
// CHECK:       llmpar.select %[[FINITE]], %[[NEWV]]

// EVAL:        llmpar.weight @w : tensor<4x6xf32> from <"w.bin", 0, 48> {llmpar.mutable, llmpar.stored = bf16}
// EVAL:        llmpar.cast %{{.*}} : (tensor<4x6xf32>) -> tensor<4x6xbf16>
llmpar.weight @w : tensor<4x6xbf16> from <"w.bin", 0, 48>
func.func @main(%x: tensor<2x4xbf16>) -> tensor<2x6xbf16> {
  %w = llmpar.load_weight @w : tensor<4x6xbf16>
  %y = llmpar.matmul %x, %w : (tensor<2x4xbf16>, tensor<4x6xbf16>) -> tensor<2x6xbf16>
  return %y : tensor<2x6xbf16>
}

// -----

// Each use has a copy of its own, so that the gradients of a tied weight are summed in f32; CSE makes one of them.
// CHECK:       func.func @main
// CHECK:       llmpar.cast %{{.*}} : (tensor<6x4xf32>) -> tensor<6x4xbf16>
// CHECK-NOT:   llmpar.cast %{{.*}} : (tensor<6x4xf32>) -> tensor<6x4xbf16>
// CHECK:       %[[A:.*]] = llmpar.cast %{{.*}} : (tensor<6x4xbf16>) -> tensor<6x4xf32>
// CHECK:       %[[B:.*]] = llmpar.cast %{{.*}} : (tensor<6x4xbf16>) -> tensor<6x4xf32>
// CHECK:       llmpar.binary "add" %[[A]], %[[B]] : (tensor<6x4xf32>, tensor<6x4xf32>) -> tensor<6x4xf32>
llmpar.weight @w : tensor<6x4xbf16> from <"w.bin", 0, 48>
func.func @main(%tokens: tensor<2xi64>) -> tensor<2x6xbf16> {
  %w = llmpar.load_weight @w : tensor<6x4xbf16>
  %x = llmpar.gather %w, %tokens {axis = 0} : (tensor<6x4xbf16>, tensor<2xi64>) -> tensor<2x4xbf16>
  %y = llmpar.matmul %x, %w {transpose_b = true} : (tensor<2x4xbf16>, tensor<6x4xbf16>) -> tensor<2x6xbf16>
  return %y : tensor<2x6xbf16>
}
