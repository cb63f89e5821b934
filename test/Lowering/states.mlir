// RUN: llmpar-opt %s --split-input-file --llmpar-lower-to-runtime | FileCheck %s

// The next value of a state is computed in its place, where no later record reads the old one.
// CHECK-LABEL: llmpar_rt.program
// CHECK:         llmpar_rt.slice_state "w" starts [0, 0] at weights+[[W:[0-9]+]] : tensor<4x6xf32>
// CHECK:         llmpar_rt.slice_state "v" starts [0, 0] at weights+[[V:[0-9]+]] : tensor<4x6xf32>
// CHECK:           "sgd" ins(weights+[[W]] : tensor<4x6xf32>, {{.*}}, weights+[[V]] : tensor<4x6xf32>, {{.*}}) outs(weights+[[W]] : tensor<4x6xf32>, weights+[[V]] : tensor<4x6xf32>)
// CHECK-NOT:       "copy"
llmpar.weight @w : tensor<4x6xf32> from <"w.bin", 0, 96> {llmpar.mutable}
llmpar.weight @v : tensor<4x6xf32> from zeros {llmpar.mutable}
func.func @main(%g: tensor<4x6xf32>, %r: tensor<f32>, %w: tensor<4x6xf32> {llmpar.name = "w", llmpar.state = @w}, %v: tensor<4x6xf32> {llmpar.name = "v", llmpar.state = @v}) -> (tensor<4x6xf32> {llmpar.next = @w}, tensor<4x6xf32> {llmpar.next = @v}) {
  %0:2 = llmpar.sgd %w, %g, %v, %r, %r {momentum = 0.9, weight_decay = 0.0, nesterov = false} : (tensor<4x6xf32>, tensor<4x6xf32>, tensor<4x6xf32>, tensor<f32>, tensor<f32>) -> (tensor<4x6xf32>, tensor<4x6xf32>)
  return %0#0, %0#1 : tensor<4x6xf32>, tensor<4x6xf32>
}

// -----

// A later record reads the old value: the next one is copied behind all.
// CHECK-LABEL: llmpar_rt.program
// CHECK:         llmpar_rt.slice_state "w" starts [0] at weights+[[W:[0-9]+]]
// CHECK:           "binary" ins(weights+[[W]] : {{.*}}) outs(activations+[[N:[0-9]+]] : tensor<4xf32>)
// CHECK:           "unary" ins(weights+[[W]] :
// CHECK:           "copy" ins(activations+[[N]] : tensor<4xf32>) outs(weights+[[W]] : tensor<4xf32>)
llmpar.weight @w : tensor<4xf32> from <"w.bin", 0, 16> {llmpar.mutable}
func.func @main(%x: tensor<4xf32>, %w: tensor<4xf32> {llmpar.name = "w", llmpar.state = @w}) -> (tensor<4xf32> {llmpar.next = @w}, tensor<4xf32>) {
  %0 = llmpar.binary "add" %w, %x : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  %1 = llmpar.unary "exp" %w : (tensor<4xf32>) -> tensor<4xf32>
  return %0, %1 : tensor<4xf32>, tensor<4xf32>
}

// -----

// A record that does not read element by element must not write where it reads.
// CHECK-LABEL: llmpar_rt.program
// CHECK:         llmpar_rt.slice_state "w" starts [0, 0] at weights+[[W:[0-9]+]]
// CHECK:           "transpose" ins(weights+[[W]] : {{.*}}) outs(activations+
// CHECK:           "copy" ins(activations+{{.*}}) outs(weights+[[W]] :
llmpar.weight @w : tensor<4x4xf32> from <"w.bin", 0, 64> {llmpar.mutable}
func.func @main(%w: tensor<4x4xf32> {llmpar.name = "w", llmpar.state = @w}) -> (tensor<4x4xf32> {llmpar.next = @w}) {
  %0 = llmpar.transpose %w {permutation = array<i64: 1, 0>} : (tensor<4x4xf32>) -> tensor<4x4xf32>
  return %0 : tensor<4x4xf32>
}

// -----

// Two states that change places keep what they had.
// CHECK-LABEL: llmpar_rt.program
// CHECK:         llmpar_rt.slice_state "a" starts [0] at weights+[[A:[0-9]+]]
// CHECK:         llmpar_rt.slice_state "b" starts [0] at weights+[[B:[0-9]+]]
// CHECK:           "copy" ins(weights+[[B]] : {{.*}}) outs(activations+[[OLDB:[0-9]+]] :
// CHECK:           "copy" ins(weights+[[A]] : {{.*}}) outs(activations+[[OLDA:[0-9]+]] :
// CHECK:           "copy" ins(activations+[[OLDB]] : {{.*}}) outs(weights+[[A]] :
// CHECK:           "copy" ins(activations+[[OLDA]] : {{.*}}) outs(weights+[[B]] :
llmpar.weight @a : tensor<4xf32> from <"w.bin", 0, 16> {llmpar.mutable}
llmpar.weight @b : tensor<4xf32> from <"w.bin", 16, 16> {llmpar.mutable}
func.func @main(%a: tensor<4xf32> {llmpar.name = "a", llmpar.state = @a}, %b: tensor<4xf32> {llmpar.name = "b", llmpar.state = @b}) -> (tensor<4xf32> {llmpar.next = @a}, tensor<4xf32> {llmpar.next = @b}) {
  return %b, %a : tensor<4xf32>, tensor<4xf32>
}

// -----

// Parts of a tensor are boxes of one state, and of one file.
// CHECK-LABEL: llmpar_rt.program
// CHECK:         llmpar_rt.state "w" : tensor<6x10xf32>
// CHECK-NOT:     llmpar_rt.state
// CHECK:         llmpar_rt.rank 1
// CHECK:         llmpar_rt.load "w" from "w.bin"{{.*}} shape [6, 10] starts [0, 2] to weights+[[Q:[0-9]+]] : tensor<6x1xf32>
// CHECK:         llmpar_rt.load "w" from "w.bin"{{.*}} shape [6, 10] starts [0, 7] to weights+[[K:[0-9]+]] : tensor<6x3xf32>
// CHECK:         llmpar_rt.slice_state "w" starts [0, 2] at weights+[[Q]] : tensor<6x1xf32>
// CHECK:         llmpar_rt.slice_state "w" starts [0, 7] at weights+[[K]] : tensor<6x3xf32>
llmpar.mesh @mesh <["tp"=2]>
llmpar.weight @"w[:, 0:3]" : tensor<6x3xf32> from <"w.bin", 0, 240> {llmpar.mutable, llmpar.part = {of = "w", shape = array<i64: 6, 10>, starts = array<i64: 0, 0>}}
llmpar.weight @"w[:, 3:10]" : tensor<6x7xf32> from <"w.bin", 0, 240> {llmpar.mutable, llmpar.part = {of = "w", shape = array<i64: 6, 10>, starts = array<i64: 0, 3>}}
func.func @main(%q: tensor<6x2xf32> {llmpar.name = "w[:, 0:3]", llmpar.state = @"w[:, 0:3]", llmpar.out = #llmpar.sharding<@mesh, [{}, {"tp"}]>, llmpar.global = tensor<6x3xf32>}, %k: tensor<6x4xf32> {llmpar.name = "w[:, 3:10]", llmpar.state = @"w[:, 3:10]", llmpar.out = #llmpar.sharding<@mesh, [{}, {"tp"}]>, llmpar.global = tensor<6x7xf32>}) -> (tensor<6x2xf32> {llmpar.next = @"w[:, 0:3]"}, tensor<6x4xf32> {llmpar.next = @"w[:, 3:10]"}) {
  return %q, %k : tensor<6x2xf32>, tensor<6x4xf32>
}
