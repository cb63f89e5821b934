// RUN: llmpar-opt %s --split-input-file --llmpar-recompute=granularity=selective | FileCheck %s --check-prefixes=CHECK,SELECTIVE
// RUN: llmpar-opt %s --split-input-file --llmpar-recompute=granularity=full | FileCheck %s --check-prefixes=CHECK,FULL

// Two blocks x + f(x w). The result of a product is kept by `selective`, and what is computed from it elementwise is
// computed again; `full` keeps what is between blocks and computes products again too.
// CHECK-LABEL: func.func @main
// CHECK:           %[[H:.*]] = llmpar.matmul %[[X:.*]], %[[W:.*]] :
// CHECK-NEXT:      %[[A:.*]] = llmpar.unary "exp" %[[H]]
// CHECK-NEXT:      %[[B:.*]] = llmpar.unary "tanh" %[[A]]
// CHECK-NEXT:      %[[Y:.*]] = llmpar.binary "add" %[[X]], %[[B]]
// CHECK:           llmpar.cross_entropy
// SELECTIVE-NOT:   llmpar.matmul {{.*}}llmpar.recompute
// SELECTIVE:       llmpar.unary "exp" %[[H]] {llmpar.recompute}
// SELECTIVE-NOT:   llmpar.matmul {{.*}}llmpar.recompute
// FULL:            %[[K2:.*]] = llmpar.matmul %[[Y]], %{{.*}} {llmpar.recompute}
// FULL-NEXT:       llmpar.unary "exp" %[[K2]] {llmpar.recompute}
// FULL:            llmpar.unary_grad
// FULL:            %[[H2:.*]] = llmpar.matmul %[[X]], %[[W]] {llmpar.recompute}
// FULL-NEXT:       llmpar.unary "exp" %[[H2]] {llmpar.recompute}
// CHECK:           llmpar.weight_grad
// FULL-NOT:        llmpar.recompute
// CHECK:           return
llmpar.weight @e : tensor<9x4xf32> from <"w.bin", 0, 144> {llmpar.mutable}
llmpar.weight @w : tensor<4x4xf32> from <"w.bin", 0, 64> {llmpar.mutable}
llmpar.weight @v : tensor<4x4xf32> from <"w.bin", 0, 64> {llmpar.mutable}
llmpar.weight @u : tensor<4x4xf32> from <"w.bin", 0, 64> {llmpar.mutable}
func.func @main(%ids: tensor<6xi64>, %labels: tensor<6xi64>, %seed: tensor<6xf32>) -> (tensor<4x4xf32>, tensor<6x4xf32>) {
  %e = llmpar.load_weight @e : tensor<9x4xf32>
  %w = llmpar.load_weight @w : tensor<4x4xf32>
  %v = llmpar.load_weight @v : tensor<4x4xf32>
  %u = llmpar.load_weight @u : tensor<4x4xf32>
  %x = llmpar.gather %e, %ids {axis = 0 : i64} : (tensor<9x4xf32>, tensor<6xi64>) -> tensor<6x4xf32>
  %h = llmpar.matmul %x, %w : (tensor<6x4xf32>, tensor<4x4xf32>) -> tensor<6x4xf32>
  %a = llmpar.unary "exp" %h : (tensor<6x4xf32>) -> tensor<6x4xf32>
  %b = llmpar.unary "tanh" %a : (tensor<6x4xf32>) -> tensor<6x4xf32>
  %y = llmpar.binary "add" %x, %b : (tensor<6x4xf32>, tensor<6x4xf32>) -> tensor<6x4xf32>
  %k = llmpar.matmul %y, %v : (tensor<6x4xf32>, tensor<4x4xf32>) -> tensor<6x4xf32>
  %c = llmpar.unary "exp" %k : (tensor<6x4xf32>) -> tensor<6x4xf32>
  %m = llmpar.unary "tanh" %c : (tensor<6x4xf32>) -> tensor<6x4xf32>
  %z = llmpar.binary "add" %y, %m : (tensor<6x4xf32>, tensor<6x4xf32>) -> tensor<6x4xf32>
  %logits = llmpar.matmul %z, %u : (tensor<6x4xf32>, tensor<4x4xf32>) -> tensor<6x4xf32>
  %loss:2 = llmpar.cross_entropy %logits, %labels {ignore_index = -100 : i64, llmpar.loss} : (tensor<6x4xf32>, tensor<6xi64>) -> (tensor<6xf32>, tensor<6xf32>)
  %dz = llmpar.cross_entropy_grad %logits, %labels, %loss#1, %seed {ignore_index = -100 : i64} : (tensor<6x4xf32>, tensor<6xi64>, tensor<6xf32>, tensor<6xf32>) -> tensor<6x4xf32>
  %dm = llmpar.unary_grad "tanh" %c, %dz : (tensor<6x4xf32>, tensor<6x4xf32>) -> tensor<6x4xf32>
  %dy = llmpar.unary_grad "exp" %k, %dm : (tensor<6x4xf32>, tensor<6x4xf32>) -> tensor<6x4xf32>
  %db = llmpar.unary_grad "tanh" %a, %dy : (tensor<6x4xf32>, tensor<6x4xf32>) -> tensor<6x4xf32>
  %da = llmpar.unary_grad "exp" %h, %db : (tensor<6x4xf32>, tensor<6x4xf32>) -> tensor<6x4xf32>
  %dw = llmpar.weight_grad %x, %da : (tensor<6x4xf32>, tensor<6x4xf32>) -> tensor<4x4xf32>
  return %dw, %dy : tensor<4x4xf32>, tensor<6x4xf32>
}

// -----

// Scores of attention are computed again from queries and keys: they have more bytes, and take few FLOPs.
// CHECK-LABEL: func.func @main
// SELECTIVE:   %[[Q:.*]] = llmpar.matmul %{{.*}}, %{{.*}} : (tensor<1x40x8xf32>, tensor<8x8xf32>)
// SELECTIVE:   llmpar.cross_entropy
// SELECTIVE:   %[[S:.*]] = llmpar.matmul %[[Q]], %[[Q]] {llmpar.recompute, transpose_b = true}
// SELECTIVE:   %[[P:.*]] = llmpar.softmax %[[S]] {axis = 2 : i64, llmpar.recompute}
// SELECTIVE:   llmpar.softmax_grad %[[P]]
llmpar.weight @w : tensor<8x8xf32> from <"w.bin", 0, 64> {llmpar.mutable}
func.func @main(%x: tensor<1x40x8xf32>, %labels: tensor<1x40xi64>, %d: tensor<1x40x40xf32>) -> (tensor<1x40xf32>, tensor<1x40x40xf32>) {
  %w = llmpar.load_weight @w : tensor<8x8xf32>
  %q = llmpar.matmul %x, %w : (tensor<1x40x8xf32>, tensor<8x8xf32>) -> tensor<1x40x8xf32>
  %s = llmpar.matmul %q, %q {transpose_b = true} : (tensor<1x40x8xf32>, tensor<1x40x8xf32>) -> tensor<1x40x40xf32>
  %p = llmpar.softmax %s {axis = 2 : i64} : (tensor<1x40x40xf32>) -> tensor<1x40x40xf32>
  %o = llmpar.matmul %p, %q : (tensor<1x40x40xf32>, tensor<1x40x8xf32>) -> tensor<1x40x8xf32>
  %l = llmpar.matmul %o, %w : (tensor<1x40x8xf32>, tensor<8x8xf32>) -> tensor<1x40x8xf32>
  %loss:2 = llmpar.cross_entropy %l, %labels {ignore_index = -100 : i64, llmpar.loss} : (tensor<1x40x8xf32>, tensor<1x40xi64>) -> (tensor<1x40xf32>, tensor<1x40xf32>)
  %ds = llmpar.softmax_grad %p, %d {axis = 2 : i64} : (tensor<1x40x40xf32>, tensor<1x40x40xf32>) -> tensor<1x40x40xf32>
  return %loss#0, %ds : tensor<1x40xf32>, tensor<1x40x40xf32>
}

// -----

// What does not depend on a parameter is kept.
// CHECK-LABEL: func.func @main
// CHECK-NOT:   llmpar.recompute
// CHECK:       return
llmpar.weight @w : tensor<4x5xf32> from <"w.bin", 0, 80> {llmpar.mutable}
func.func @main(%x: tensor<6x4xf32>, %labels: tensor<6xi64>, %d: tensor<6x5xf32>) -> (tensor<6xf32>, tensor<4x5xf32>) {
  %w = llmpar.load_weight @w : tensor<4x5xf32>
  %m = llmpar.unary "exp" %x : (tensor<6x4xf32>) -> tensor<6x4xf32>
  %l = llmpar.matmul %m, %w : (tensor<6x4xf32>, tensor<4x5xf32>) -> tensor<6x5xf32>
  %loss:2 = llmpar.cross_entropy %l, %labels {ignore_index = -100 : i64, llmpar.loss} : (tensor<6x5xf32>, tensor<6xi64>) -> (tensor<6xf32>, tensor<6xf32>)
  %dw = llmpar.weight_grad %m, %d : (tensor<6x4xf32>, tensor<6x5xf32>) -> tensor<4x5xf32>
  return %loss#0, %dw : tensor<6xf32>, tensor<4x5xf32>
}
