// RUN: llmpar-opt %s --split-input-file --llmpar-split-packed-weights | FileCheck %s

// Slices that are all of a weight are weights, of any size; a bias is one dimension of them.
// CHECK:       llmpar.weight @"w[:, 0:3]" : tensor<4x3xf32> from <"w.bin", 0, 160> {llmpar.part = {of = "w", shape = array<i64: 4, 10>, starts = array<i64: 0, 0>}}
// CHECK-NEXT:  llmpar.weight @"w[:, 3:10]" : tensor<4x7xf32> from <"w.bin", 0, 160> {llmpar.part = {of = "w", shape = array<i64: 4, 10>, starts = array<i64: 0, 3>}}
// CHECK-NEXT:  llmpar.weight @"b[0:3]" : tensor<3xf32> from <"w.bin", 160, 40> {llmpar.part = {of = "b", shape = array<i64: 10>, starts = array<i64: 0>}}
// CHECK-NEXT:  llmpar.weight @"b[3:10]" : tensor<7xf32>
// CHECK-NEXT:  func.func @main
// CHECK-DAG:   %[[K:.*]] = llmpar.load_weight @"w[:, 3:10]" : tensor<4x7xf32>
// CHECK-DAG:   %[[C:.*]] = llmpar.load_weight @"b[3:10]" : tensor<7xf32>
// CHECK-DAG:   %[[Q:.*]] = llmpar.load_weight @"w[:, 0:3]" : tensor<4x3xf32>
// CHECK-DAG:   %[[B:.*]] = llmpar.load_weight @"b[0:3]" : tensor<3xf32>
// CHECK:       return %[[Q]], %[[K]], %[[B]], %[[C]]
llmpar.weight @w : tensor<4x10xf32> from <"w.bin", 0, 160>
llmpar.weight @b : tensor<10xf32> from <"w.bin", 160, 40>
func.func @main() -> (tensor<4x3xf32>, tensor<4x7xf32>, tensor<3xf32>, tensor<7xf32>) {
  %w = llmpar.load_weight @w : tensor<4x10xf32>
  %b = llmpar.load_weight @b : tensor<10xf32>
  %k = llmpar.slice %w {starts = array<i64: 0, 3>, steps = array<i64: 1, 1>} : (tensor<4x10xf32>) -> tensor<4x7xf32>
  %q = llmpar.slice %w {starts = array<i64: 0, 0>, steps = array<i64: 1, 1>} : (tensor<4x10xf32>) -> tensor<4x3xf32>
  %c = llmpar.slice %b {starts = array<i64: 3>, steps = array<i64: 1>} : (tensor<10xf32>) -> tensor<7xf32>
  %d = llmpar.slice %b {starts = array<i64: 0>, steps = array<i64: 1>} : (tensor<10xf32>) -> tensor<3xf32>
  return %q, %k, %d, %c : tensor<4x3xf32>, tensor<4x7xf32>, tensor<3xf32>, tensor<7xf32>
}

// -----

// Rows of a transposed weight, and slices of narrow copies, also of different ones.
// CHECK:       llmpar.weight @"w[0:3]" : tensor<3x4xf32> from <"w.bin", 0, 80> {llmpar.part = {of = "w", shape = array<i64: 10, 4>, starts = array<i64: 0, 0>}, llmpar.stored = bf16}
// CHECK-NEXT:  llmpar.weight @"w[3:10]" : tensor<7x4xf32>
// CHECK-NEXT:  func.func @main
// CHECK:       %[[A:.*]] = llmpar.load_weight @"w[0:3]" : tensor<3x4xf32>
// CHECK-NEXT:  %[[Q:.*]] = llmpar.cast %[[A]] : (tensor<3x4xf32>) -> tensor<3x4xbf16>
// CHECK-NEXT:  %[[B:.*]] = llmpar.load_weight @"w[3:10]" : tensor<7x4xf32>
// CHECK-NEXT:  %[[K:.*]] = llmpar.cast %[[B]] : (tensor<7x4xf32>) -> tensor<7x4xbf16>
// CHECK-NEXT:  %[[A2:.*]] = llmpar.load_weight @"w[0:3]" : tensor<3x4xf32>
// CHECK-NEXT:  return %[[Q]], %[[K]], %[[A2]]
llmpar.weight @w : tensor<10x4xf32> from <"w.bin", 0, 80> {llmpar.stored = bf16}
func.func @main() -> (tensor<3x4xbf16>, tensor<7x4xbf16>, tensor<3x4xf32>) {
  %w = llmpar.load_weight @w : tensor<10x4xf32>
  %0 = llmpar.cast %w : (tensor<10x4xf32>) -> tensor<10x4xbf16>
  %1 = llmpar.cast %w : (tensor<10x4xf32>) -> tensor<10x4xbf16>
  %q = llmpar.slice %0 {starts = array<i64: 0, 0>, steps = array<i64: 1, 1>} : (tensor<10x4xbf16>) -> tensor<3x4xbf16>
  %k = llmpar.slice %1 {starts = array<i64: 3, 0>, steps = array<i64: 1, 1>} : (tensor<10x4xbf16>) -> tensor<7x4xbf16>
  %r = llmpar.slice %w {starts = array<i64: 0, 0>, steps = array<i64: 1, 1>} : (tensor<10x4xf32>) -> tensor<3x4xf32>
  return %q, %k, %r : tensor<3x4xbf16>, tensor<7x4xbf16>, tensor<3x4xf32>
}

// -----

// A part that is packed itself: where it is in the tensor.
// CHECK:       llmpar.weight @"w[:, 2:3]" {{.*}}{of = "w", shape = array<i64: 4, 10>, starts = array<i64: 0, 2>}
// CHECK-NEXT:  llmpar.weight @"w[:, 3:10]" {{.*}}{of = "w", shape = array<i64: 4, 10>, starts = array<i64: 0, 3>}
llmpar.weight @"w[:, 2:10]" : tensor<4x8xf32> from <"w.bin", 0, 160> {llmpar.part = {of = "w", shape = array<i64: 4, 10>, starts = array<i64: 0, 2>}}
func.func @main() -> (tensor<4x1xf32>, tensor<4x7xf32>) {
  %w = llmpar.load_weight @"w[:, 2:10]" : tensor<4x8xf32>
  %q = llmpar.slice %w {starts = array<i64: 0, 0>, steps = array<i64: 1, 1>} : (tensor<4x8xf32>) -> tensor<4x1xf32>
  %k = llmpar.slice %w {starts = array<i64: 0, 1>, steps = array<i64: 1, 1>} : (tensor<4x8xf32>) -> tensor<4x7xf32>
  return %q, %k : tensor<4x1xf32>, tensor<4x7xf32>
}

// -----

// One that is used whole too is left alone, and so is one whose copy is.
// CHECK:       llmpar.weight @w :
// CHECK-NEXT:  llmpar.weight @v :
// CHECK-NEXT:  func.func @main
llmpar.weight @w : tensor<10xf32> from <"w.bin", 0, 40>
llmpar.weight @v : tensor<10xf32> from <"w.bin", 40, 40>
func.func @main() -> (tensor<3xf32>, tensor<7xf32>, tensor<10xf32>, tensor<3xbf16>, tensor<7xbf16>, tensor<10xbf16>) {
  %w = llmpar.load_weight @w : tensor<10xf32>
  %0 = llmpar.slice %w {starts = array<i64: 0>, steps = array<i64: 1>} : (tensor<10xf32>) -> tensor<3xf32>
  %1 = llmpar.slice %w {starts = array<i64: 3>, steps = array<i64: 1>} : (tensor<10xf32>) -> tensor<7xf32>
  %v = llmpar.load_weight @v : tensor<10xf32>
  %c = llmpar.cast %v : (tensor<10xf32>) -> tensor<10xbf16>
  %2 = llmpar.slice %c {starts = array<i64: 0>, steps = array<i64: 1>} : (tensor<10xbf16>) -> tensor<3xbf16>
  %3 = llmpar.slice %c {starts = array<i64: 3>, steps = array<i64: 1>} : (tensor<10xbf16>) -> tensor<7xbf16>
  return %0, %1, %w, %2, %3, %c : tensor<3xf32>, tensor<7xf32>, tensor<10xf32>, tensor<3xbf16>, tensor<7xbf16>, tensor<10xbf16>
}

// -----

// Slices that overlap (@a), leave a gap (@b), an end (@c) or a begin (@d), skip elements (@e) or cut two dimensions (@f)
// are not all of a weight once.
// CHECK:       llmpar.weight @a :
// CHECK-NEXT:  llmpar.weight @b :
// CHECK-NEXT:  llmpar.weight @c :
// CHECK-NEXT:  llmpar.weight @d :
// CHECK-NEXT:  llmpar.weight @e :
// CHECK-NEXT:  llmpar.weight @f :
// CHECK-NEXT:  func.func @main
llmpar.weight @a : tensor<10xf32> from <"w.bin", 0, 40>
llmpar.weight @b : tensor<10xf32> from <"w.bin", 40, 40>
llmpar.weight @c : tensor<10xf32> from <"w.bin", 80, 40>
llmpar.weight @d : tensor<10xf32> from <"w.bin", 120, 40>
llmpar.weight @e : tensor<10xf32> from <"w.bin", 160, 40>
llmpar.weight @f : tensor<2x10xf32> from <"w.bin", 200, 80>
func.func @main() -> (tensor<4xf32>, tensor<7xf32>, tensor<2xf32>, tensor<7xf32>, tensor<3xf32>, tensor<6xf32>, tensor<2xf32>, tensor<7xf32>, tensor<5xf32>, tensor<5xf32>, tensor<2x3xf32>, tensor<1x7xf32>) {
  %a = llmpar.load_weight @a : tensor<10xf32>
  %0 = llmpar.slice %a {starts = array<i64: 0>, steps = array<i64: 1>} : (tensor<10xf32>) -> tensor<4xf32>
  %1 = llmpar.slice %a {starts = array<i64: 3>, steps = array<i64: 1>} : (tensor<10xf32>) -> tensor<7xf32>
  %b = llmpar.load_weight @b : tensor<10xf32>
  %2 = llmpar.slice %b {starts = array<i64: 0>, steps = array<i64: 1>} : (tensor<10xf32>) -> tensor<2xf32>
  %3 = llmpar.slice %b {starts = array<i64: 3>, steps = array<i64: 1>} : (tensor<10xf32>) -> tensor<7xf32>
  %c = llmpar.load_weight @c : tensor<10xf32>
  %4 = llmpar.slice %c {starts = array<i64: 0>, steps = array<i64: 1>} : (tensor<10xf32>) -> tensor<3xf32>
  %5 = llmpar.slice %c {starts = array<i64: 3>, steps = array<i64: 1>} : (tensor<10xf32>) -> tensor<6xf32>
  %d = llmpar.load_weight @d : tensor<10xf32>
  %6 = llmpar.slice %d {starts = array<i64: 1>, steps = array<i64: 1>} : (tensor<10xf32>) -> tensor<2xf32>
  %7 = llmpar.slice %d {starts = array<i64: 3>, steps = array<i64: 1>} : (tensor<10xf32>) -> tensor<7xf32>
  %e = llmpar.load_weight @e : tensor<10xf32>
  %8 = llmpar.slice %e {starts = array<i64: 0>, steps = array<i64: 2>} : (tensor<10xf32>) -> tensor<5xf32>
  %9 = llmpar.slice %e {starts = array<i64: 1>, steps = array<i64: 2>} : (tensor<10xf32>) -> tensor<5xf32>
  %f = llmpar.load_weight @f : tensor<2x10xf32>
  %10 = llmpar.slice %f {starts = array<i64: 0, 0>, steps = array<i64: 1, 1>} : (tensor<2x10xf32>) -> tensor<2x3xf32>
  %11 = llmpar.slice %f {starts = array<i64: 0, 3>, steps = array<i64: 1, 1>} : (tensor<2x10xf32>) -> tensor<1x7xf32>
  return %0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11 : tensor<4xf32>, tensor<7xf32>, tensor<2xf32>, tensor<7xf32>, tensor<3xf32>, tensor<6xf32>, tensor<2xf32>, tensor<7xf32>, tensor<5xf32>, tensor<5xf32>, tensor<2x3xf32>, tensor<1x7xf32>
}
