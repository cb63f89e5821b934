// RUN: llmpar-opt %s --split-input-file --llmpar-build-training-step="optimizer=sgd freeze=frozen,*.bias staleness=1" | FileCheck %s

// What the optimizer keeps of a part is the same part of a tensor. Patterns of names are those of tensors.
// CHECK-DAG:   llmpar.weight @"w[:, 0:2]" : tensor<4x2xf32> from <"w.bin", 0, 96> {llmpar.mutable, llmpar.part = {of = "w", shape = array<i64: 4, 6>, starts = array<i64: 0, 0>}}
// CHECK-DAG:   llmpar.weight @"w[:, 2:6]" : tensor<4x4xf32> from <"w.bin", 0, 96> {llmpar.mutable, llmpar.part = {{.*}}}
// CHECK-DAG:   llmpar.weight @"w.velocity_0[:, 0:2]" : tensor<4x2xf32> from zeros {llmpar.mutable, llmpar.part = {of = "w.velocity_0", shape = array<i64: 4, 6>, starts = array<i64: 0, 0>}}
// CHECK-DAG:   llmpar.weight @"w.velocity_0[:, 2:6]" : tensor<4x4xf32> from zeros {llmpar.mutable, llmpar.part = {of = "w.velocity_0", shape = array<i64: 4, 6>, starts = array<i64: 0, 2>}}
// CHECK-DAG:   llmpar.weight @"w.gradient[:, 2:6]" : tensor<4x4xf32> from zeros {llmpar.mutable, llmpar.part = {of = "w.gradient", shape = array<i64: 4, 6>, starts = array<i64: 0, 2>}}
// CHECK-DAG:   llmpar.weight @"a.bias[0:2]" : tensor<2xf32> from <"w.bin", 96, 24> {llmpar.part = {of = "a.bias"
// CHECK-DAG:   llmpar.weight @w.velocity : tensor<6xf32> from <"w.bin", 120, 24>{{$}}
// CHECK:       func.func @main
// The loss depends on one part: the other is a state too, whose gradient is 0.
// CHECK:       %[[ZEROS:.*]] = llmpar.constant dense<0.000000e+00> : tensor<f32>
// CHECK:       %[[NONE:.*]] = llmpar.broadcast %{{.*}} -> tensor<4x4xf32>
// CHECK:       llmpar.sgd {{.*}}tensor<4x2xf32>
// CHECK:       llmpar.sgd {{.*}}tensor<4x4xf32>
llmpar.weight @"w[:, 0:2]" : tensor<4x2xf32> from <"w.bin", 0, 96> {llmpar.part = {of = "w", shape = array<i64: 4, 6>, starts = array<i64: 0, 0>}}
llmpar.weight @"w[:, 2:6]" : tensor<4x4xf32> from <"w.bin", 0, 96> {llmpar.part = {of = "w", shape = array<i64: 4, 6>, starts = array<i64: 0, 2>}}
llmpar.weight @"a.bias[0:2]" : tensor<2xf32> from <"w.bin", 96, 24> {llmpar.part = {of = "a.bias", shape = array<i64: 6>, starts = array<i64: 0>}}
llmpar.weight @w.velocity : tensor<6xf32> from <"w.bin", 120, 24>
func.func @main(%x: tensor<3x4xf32>) -> (tensor<3x2xf32> {llmpar.name = "logits"}, tensor<3x4xf32>, tensor<6xf32>) {
  %w = llmpar.load_weight @"w[:, 0:2]" : tensor<4x2xf32>
  %v = llmpar.load_weight @"w[:, 2:6]" : tensor<4x4xf32>
  %b = llmpar.load_weight @"a.bias[0:2]" : tensor<2xf32>
  %taken = llmpar.load_weight @w.velocity : tensor<6xf32>
  %0 = llmpar.matmul %x, %w : (tensor<3x4xf32>, tensor<4x2xf32>) -> tensor<3x2xf32>
  %1 = llmpar.binary "add" %0, %b : (tensor<3x2xf32>, tensor<2xf32>) -> tensor<3x2xf32>
  %2 = llmpar.matmul %x, %v : (tensor<3x4xf32>, tensor<4x4xf32>) -> tensor<3x4xf32>
  return %1, %2, %taken : tensor<3x2xf32>, tensor<3x4xf32>, tensor<6xf32>
}

// -----

// No state takes the name of a tensor of the model, though that is there in parts alone.
// CHECK-DAG:   llmpar.weight @w.velocity_0 : tensor<4x2xf32> from zeros
// CHECK-DAG:   llmpar.weight @"w.velocity.velocity[:, 0:4]" : tensor<2x4xf32> from zeros {llmpar.mutable, llmpar.part = {of = "w.velocity.velocity"
llmpar.weight @w : tensor<4x2xf32> from <"w.bin", 0, 32>
llmpar.weight @"w.velocity[:, 0:4]" : tensor<2x4xf32> from <"w.bin", 32, 64> {llmpar.part = {of = "w.velocity", shape = array<i64: 2, 8>, starts = array<i64: 0, 0>}}
llmpar.weight @"w.velocity[:, 4:8]" : tensor<2x4xf32> from <"w.bin", 32, 64> {llmpar.part = {of = "w.velocity", shape = array<i64: 2, 8>, starts = array<i64: 0, 4>}}
func.func @main(%x: tensor<3x4xf32>) -> tensor<3x4xf32> {
  %w = llmpar.load_weight @w : tensor<4x2xf32>
  %a = llmpar.load_weight @"w.velocity[:, 0:4]" : tensor<2x4xf32>
  %b = llmpar.load_weight @"w.velocity[:, 4:8]" : tensor<2x4xf32>
  %0 = llmpar.matmul %x, %w : (tensor<3x4xf32>, tensor<4x2xf32>) -> tensor<3x2xf32>
  %1 = llmpar.matmul %0, %a : (tensor<3x2xf32>, tensor<2x4xf32>) -> tensor<3x4xf32>
  %2 = llmpar.matmul %0, %b : (tensor<3x2xf32>, tensor<2x4xf32>) -> tensor<3x4xf32>
  %3 = llmpar.binary "mul" %1, %2 : (tensor<3x4xf32>, tensor<3x4xf32>) -> tensor<3x4xf32>
  return %3 : tensor<3x4xf32>
}
