// RUN: llmpar-opt %s --llmpar-lower-reshards | FileCheck %s

llmpar.mesh @mesh <["dp"=2, "tp"=3]>

// CHECK-LABEL: func.func @a_sharded_dimension_is_gathered
// CHECK-NEXT:  %[[Y:.*]] = llmpar.all_gather "tp" %arg0 {dim = 1 : i64, llmpar.out = [#llmpar.sharding<@mesh, [{}, {}]>]}
// CHECK-NEXT:  return %[[Y]]
func.func @a_sharded_dimension_is_gathered(%x: tensor<4x6xf32> {llmpar.out = #llmpar.sharding<@mesh, [{}, {"tp"}]>}) -> tensor<4x6xf32> {
  %0 = llmpar.reshard %x {llmpar.out = [#llmpar.sharding<@mesh, [{}, {}]>]} : (tensor<4x6xf32>) -> tensor<4x6xf32>
  return %0 : tensor<4x6xf32>
}

// CHECK-LABEL: func.func @an_axis_moves_by_all_to_all
// CHECK-NEXT:  llmpar.all_to_all "tp" %arg0 {concat_dim = 1 : i64, llmpar.out = [#llmpar.sharding<@mesh, [{"tp"}, {}]>], split_dim = 0 : i64}
// CHECK-NEXT:  return
func.func @an_axis_moves_by_all_to_all(%x: tensor<4x6xf32> {llmpar.out = #llmpar.sharding<@mesh, [{}, {"tp"}]>}) -> tensor<4x6xf32> {
  %0 = llmpar.reshard %x {llmpar.out = [#llmpar.sharding<@mesh, [{"tp"}, {}]>]} : (tensor<4x6xf32>) -> tensor<4x6xf32>
  return %0 : tensor<4x6xf32>
}

// CHECK-LABEL: func.func @a_partial_sum_is_reduced
// CHECK-NEXT:  llmpar.all_reduce "tp" %arg0 {llmpar.out = [#llmpar.sharding<@mesh, [{}, {}]>], reduction = "sum"}
// CHECK-NEXT:  return
func.func @a_partial_sum_is_reduced(%x: tensor<4x6xf32> {llmpar.out = #llmpar.sharding<@mesh, [{}, {}], partial = {"tp" : sum}>}) -> tensor<4x6xf32> {
  %0 = llmpar.reshard %x {llmpar.out = [#llmpar.sharding<@mesh, [{}, {}]>]} : (tensor<4x6xf32>) -> tensor<4x6xf32>
  return %0 : tensor<4x6xf32>
}

// CHECK-LABEL: func.func @a_partial_maximum_is_scattered
// CHECK-NEXT:  llmpar.reduce_scatter "dp" %arg0 {dim = 1 : i64, llmpar.out = [#llmpar.sharding<@mesh, [{}, {"dp"}]>], reduction = "max"}
// CHECK-NEXT:  return
func.func @a_partial_maximum_is_scattered(%x: tensor<4x6xf32> {llmpar.out = #llmpar.sharding<@mesh, [{}, {}], partial = {"dp" : max}>}) -> tensor<4x6xf32> {
  %0 = llmpar.reshard %x {llmpar.out = [#llmpar.sharding<@mesh, [{}, {"dp"}]>]} : (tensor<4x6xf32>) -> tensor<4x6xf32>
  return %0 : tensor<4x6xf32>
}

// CHECK-LABEL: func.func @a_whole_value_is_sliced
// CHECK-NEXT:  %[[ROWS:.*]] = llmpar.all_slice "dp" %arg0 {dim = 0 : i64, llmpar.out = [#llmpar.sharding<@mesh, [{"dp"}, {}]>]}
// CHECK-NEXT:  llmpar.all_slice "tp" %[[ROWS]] {dim = 0 : i64, llmpar.out = [#llmpar.sharding<@mesh, [{"dp", "tp"}, {}]>]}
// CHECK-NEXT:  return
func.func @a_whole_value_is_sliced(%x: tensor<4x6xf32>) -> tensor<4x6xf32> {
  %0 = llmpar.reshard %x {llmpar.out = [#llmpar.sharding<@mesh, [{"dp", "tp"}, {}]>]} : (tensor<4x6xf32>) -> tensor<4x6xf32>
  return %0 : tensor<4x6xf32>
}

// CHECK-LABEL: func.func @an_equal_sharding_costs_nothing
// CHECK-NEXT:  return %arg0
func.func @an_equal_sharding_costs_nothing(%x: tensor<4x6xf32> {llmpar.out = #llmpar.sharding<@mesh, [{"dp"}, {}]>}) -> tensor<4x6xf32> {
  %0 = llmpar.reshard %x {llmpar.out = [#llmpar.sharding<@mesh, [{"dp"}, {}]>]} : (tensor<4x6xf32>) -> tensor<4x6xf32>
  return %0 : tensor<4x6xf32>
}
