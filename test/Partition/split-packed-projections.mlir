// RUN: llmpar-opt %s --llmpar-split-packed-projections | FileCheck %s

llmpar.weight @w : tensor<6x10xf32> from #llmpar.external<"w.data", 0, 240>
llmpar.weight @wt : tensor<10x6xf32> from #llmpar.external<"w.data", 0, 240>
llmpar.weight @b : tensor<10xf32> from #llmpar.external<"w.data", 240, 40>

// CHECK-LABEL: func.func @columns_of_a_product_are_a_product_with_columns
// CHECK:       %[[W:.*]] = llmpar.slice %{{.*}} {starts = array<i64: 0, 3>, steps = array<i64: 1, 1>} : (tensor<6x10xf32>) -> tensor<6x7xf32>
// CHECK-NEXT:  llmpar.matmul %arg0, %[[W]] : (tensor<4x6xf32>, tensor<6x7xf32>) -> tensor<4x7xf32>
// CHECK-NEXT:  return
func.func @columns_of_a_product_are_a_product_with_columns(%x: tensor<4x6xf32>) -> tensor<4x7xf32> {
  %w = llmpar.load_weight @w : tensor<6x10xf32>
  %0 = llmpar.matmul %x, %w : (tensor<4x6xf32>, tensor<6x10xf32>) -> tensor<4x10xf32>
  %1 = llmpar.slice %0 {starts = array<i64: 0, 3>, steps = array<i64: 1, 1>} : (tensor<4x10xf32>) -> tensor<4x7xf32>
  return %1 : tensor<4x7xf32>
}

// CHECK-LABEL: func.func @columns_of_a_transposed_weight_are_its_rows
// CHECK:       llmpar.slice %{{.*}} {starts = array<i64: 3, 0>, steps = array<i64: 1, 1>} : (tensor<10x6xf32>) -> tensor<7x6xf32>
// CHECK-NEXT:  llmpar.matmul {{.*}}transpose_b = true{{.*}} -> tensor<4x7xf32>
// CHECK-NEXT:  return
func.func @columns_of_a_transposed_weight_are_its_rows(%x: tensor<4x6xf32>) -> tensor<4x7xf32> {
  %w = llmpar.load_weight @wt : tensor<10x6xf32>
  %0 = llmpar.matmul %x, %w {transpose_b = true} : (tensor<4x6xf32>, tensor<10x6xf32>) -> tensor<4x10xf32>
  %1 = llmpar.slice %0 {starts = array<i64: 0, 3>, steps = array<i64: 1, 1>} : (tensor<4x10xf32>) -> tensor<4x7xf32>
  return %1 : tensor<4x7xf32>
}

// CHECK-LABEL: func.func @a_bias_and_a_reshape_of_rows_are_looked_through
// CHECK-DAG:   llmpar.slice {{.*}} : (tensor<6x10xf32>) -> tensor<6x7xf32>
// CHECK-DAG:   llmpar.slice {{.*}} : (tensor<10xf32>) -> tensor<7xf32>
// CHECK-DAG:   llmpar.matmul {{.*}} -> tensor<4x7xf32>
// CHECK:       llmpar.binary "add" {{.*}} -> tensor<4x7xf32>
// CHECK-NEXT:  llmpar.reshape {{.*}} -> tensor<2x2x7xf32>
// CHECK-NEXT:  return
func.func @a_bias_and_a_reshape_of_rows_are_looked_through(%x: tensor<4x6xf32>) -> tensor<2x2x7xf32> {
  %w = llmpar.load_weight @w : tensor<6x10xf32>
  %b = llmpar.load_weight @b : tensor<10xf32>
  %0 = llmpar.matmul %x, %w : (tensor<4x6xf32>, tensor<6x10xf32>) -> tensor<4x10xf32>
  %1 = llmpar.binary "add" %0, %b : (tensor<4x10xf32>, tensor<10xf32>) -> tensor<4x10xf32>
  %2 = llmpar.reshape %1 : (tensor<4x10xf32>) -> tensor<2x2x10xf32>
  %3 = llmpar.slice %2 {starts = array<i64: 0, 0, 3>, steps = array<i64: 1, 1, 1>} : (tensor<2x2x10xf32>) -> tensor<2x2x7xf32>
  return %3 : tensor<2x2x7xf32>
}

// CHECK-LABEL: func.func @a_product_of_activations_is_left_alone
// CHECK-NEXT:  llmpar.matmul
// CHECK-NEXT:  llmpar.slice
func.func @a_product_of_activations_is_left_alone(%x: tensor<4x6xf32>, %y: tensor<6x10xf32>) -> tensor<4x7xf32> {
  %0 = llmpar.matmul %x, %y : (tensor<4x6xf32>, tensor<6x10xf32>) -> tensor<4x10xf32>
  %1 = llmpar.slice %0 {starts = array<i64: 0, 3>, steps = array<i64: 1, 1>} : (tensor<4x10xf32>) -> tensor<4x7xf32>
  return %1 : tensor<4x7xf32>
}

// CHECK-LABEL: func.func @a_slice_of_rows_is_left_alone
// CHECK:       llmpar.matmul {{.*}} -> tensor<4x10xf32>
// CHECK-NEXT:  llmpar.slice
func.func @a_slice_of_rows_is_left_alone(%x: tensor<4x6xf32>) -> tensor<3x10xf32> {
  %w = llmpar.load_weight @w : tensor<6x10xf32>
  %0 = llmpar.matmul %x, %w : (tensor<4x6xf32>, tensor<6x10xf32>) -> tensor<4x10xf32>
  %1 = llmpar.slice %0 {starts = array<i64: 1, 0>, steps = array<i64: 1, 1>} : (tensor<4x10xf32>) -> tensor<3x10xf32>
  return %1 : tensor<3x10xf32>
}

// CHECK-LABEL: func.func @strided_columns_are_left_alone
// CHECK:       llmpar.matmul {{.*}} -> tensor<4x10xf32>
// CHECK-NEXT:  llmpar.slice
func.func @strided_columns_are_left_alone(%x: tensor<4x6xf32>) -> tensor<4x5xf32> {
  %w = llmpar.load_weight @w : tensor<6x10xf32>
  %0 = llmpar.matmul %x, %w : (tensor<4x6xf32>, tensor<6x10xf32>) -> tensor<4x10xf32>
  %1 = llmpar.slice %0 {starts = array<i64: 0, 0>, steps = array<i64: 1, 2>} : (tensor<4x10xf32>) -> tensor<4x5xf32>
  return %1 : tensor<4x5xf32>
}

// CHECK-LABEL: func.func @columns_of_a_narrow_copy_are_cut_like_those_of_a_weight
// CHECK:       %[[C:.*]] = llmpar.cast %{{.*}} : (tensor<6x10xf32>) -> tensor<6x10xbf16>
// CHECK:       %[[W:.*]] = llmpar.slice %[[C]] {{.*}} : (tensor<6x10xbf16>) -> tensor<6x7xbf16>
// CHECK-NEXT:  llmpar.matmul %arg0, %[[W]] : (tensor<4x6xbf16>, tensor<6x7xbf16>) -> tensor<4x7xbf16>
func.func @columns_of_a_narrow_copy_are_cut_like_those_of_a_weight(%x: tensor<4x6xbf16>) -> tensor<4x7xbf16> {
  %w = llmpar.load_weight @w : tensor<6x10xf32>
  %c = llmpar.cast %w : (tensor<6x10xf32>) -> tensor<6x10xbf16>
  %0 = llmpar.matmul %x, %c : (tensor<4x6xbf16>, tensor<6x10xbf16>) -> tensor<4x10xbf16>
  %1 = llmpar.slice %0 {starts = array<i64: 0, 3>, steps = array<i64: 1, 1>} : (tensor<4x10xbf16>) -> tensor<4x7xbf16>
  return %1 : tensor<4x7xbf16>
}
