// RUN: llmpar-opt %s --llmpar-combine-collectives | FileCheck %s

llmpar.mesh @mesh <["dp"=2, "tp"=3]>

// CHECK-LABEL: func.func @reduce_scatter_replaces_all_reduce_then_slice
// CHECK-NEXT:  %[[Y:.*]] = llmpar.reduce_scatter "tp" %arg0 {dim = 1 : i64, llmpar.out = [#llmpar.sharding<@mesh, [{}, {"tp"}]>], reduction = "sum"}
// CHECK-NEXT:  return %[[Y]]
func.func @reduce_scatter_replaces_all_reduce_then_slice(%x: tensor<4x6xf32>) -> tensor<4x6xf32> {
  %0 = llmpar.all_reduce "tp" %x {reduction = "sum"} : (tensor<4x6xf32>) -> tensor<4x6xf32>
  %1 = llmpar.all_slice "tp" %0 {dim = 1, llmpar.out = [#llmpar.sharding<@mesh, [{}, {"tp"}]>]} : (tensor<4x6xf32>) -> tensor<4x6xf32>
  return %1 : tensor<4x6xf32>
}

// CHECK-LABEL: func.func @equal_slices_share_one_reduce_scatter
// CHECK-NEXT:  %[[Y:.*]] = llmpar.reduce_scatter "tp"
// CHECK-NEXT:  return %[[Y]], %[[Y]]
func.func @equal_slices_share_one_reduce_scatter(%x: tensor<4x6xf32>) -> (tensor<4x6xf32>, tensor<4x6xf32>) {
  %0 = llmpar.all_reduce "tp" %x {reduction = "sum"} : (tensor<4x6xf32>) -> tensor<4x6xf32>
  %1 = llmpar.all_slice "tp" %0 {dim = 1} : (tensor<4x6xf32>) -> tensor<4x6xf32>
  %2 = llmpar.all_slice "tp" %0 {dim = 1} : (tensor<4x6xf32>) -> tensor<4x6xf32>
  return %1, %2 : tensor<4x6xf32>, tensor<4x6xf32>
}

// CHECK-LABEL: func.func @another_use_of_the_whole_keeps_the_all_reduce
// CHECK-NEXT:  llmpar.all_reduce
// CHECK-NEXT:  llmpar.all_slice
func.func @another_use_of_the_whole_keeps_the_all_reduce(%x: tensor<4x6xf32>) -> (tensor<4x6xf32>, tensor<4x6xf32>) {
  %0 = llmpar.all_reduce "tp" %x {reduction = "sum"} : (tensor<4x6xf32>) -> tensor<4x6xf32>
  %1 = llmpar.all_slice "tp" %0 {dim = 1} : (tensor<4x6xf32>) -> tensor<4x6xf32>
  return %0, %1 : tensor<4x6xf32>, tensor<4x6xf32>
}

// CHECK-LABEL: func.func @a_slice_over_another_axis_keeps_the_all_reduce
// CHECK-NEXT:  llmpar.all_reduce "tp"
// CHECK-NEXT:  llmpar.all_slice "dp"
func.func @a_slice_over_another_axis_keeps_the_all_reduce(%x: tensor<4x6xf32>) -> tensor<4x6xf32> {
  %0 = llmpar.all_reduce "tp" %x {reduction = "sum"} : (tensor<4x6xf32>) -> tensor<4x6xf32>
  %1 = llmpar.all_slice "dp" %0 {dim = 1} : (tensor<4x6xf32>) -> tensor<4x6xf32>
  return %1 : tensor<4x6xf32>
}

// CHECK-LABEL: func.func @slices_of_different_dimensions_keep_the_all_reduce
// CHECK-NEXT:  llmpar.all_reduce
// CHECK-COUNT-2: llmpar.all_slice
func.func @slices_of_different_dimensions_keep_the_all_reduce(%x: tensor<4x6xf32>) -> (tensor<4x6xf32>, tensor<4x6xf32>) {
  %0 = llmpar.all_reduce "tp" %x {reduction = "sum"} : (tensor<4x6xf32>) -> tensor<4x6xf32>
  %1 = llmpar.all_slice "tp" %0 {dim = 0} : (tensor<4x6xf32>) -> tensor<4x6xf32>
  %2 = llmpar.all_slice "tp" %0 {dim = 1} : (tensor<4x6xf32>) -> tensor<4x6xf32>
  return %1, %2 : tensor<4x6xf32>, tensor<4x6xf32>
}
