// RUN: llmpar-opt %s --llmpar-route-tokens | FileCheck %s

llmpar.mesh @mesh <["ep"=2, "tp"=3]>

// Tokens and experts are split over one axis: each row goes to the ranks that have one of its k experts.
// CHECK-LABEL: func.func @tokens_go_to_their_experts_and_back
// CHECK-NEXT:  %[[X:.*]] = llmpar.dispatch "ep" %arg0, %arg1 {dim = 0 : i64, k = 2 : i64, llmpar.out = [#llmpar.sharding<@mesh, [{}, {}]>]}
// CHECK-NEXT:  %[[Y:.*]] = llmpar.experts "silu" %[[X]], %arg1
// CHECK-NEXT:  %[[Z:.*]] = llmpar.combine "ep" %[[Y]], %arg1 {dim = 0 : i64, k = 2 : i64, llmpar.out = [#llmpar.sharding<@mesh, [{"ep"}, {}]>]}
// CHECK-NEXT:  return %[[Z]]
func.func @tokens_go_to_their_experts_and_back(%x: tensor<6x10xf32>, %routing: tensor<6x4xf32>, %up: tensor<4x14x10xf32>, %down: tensor<4x10x14xf32>) -> tensor<6x10xf32> {
  %0 = llmpar.all_gather "ep" %x {dim = 0, llmpar.out = [#llmpar.sharding<@mesh, [{}, {}]>]} : (tensor<6x10xf32>) -> tensor<6x10xf32>
  %1 = llmpar.experts "silu" %0, %routing up %up down %down {k = 2, experts = 4,
      llmpar.in = [#llmpar.sharding<@mesh, [{}, {}]>, #llmpar.sharding<@mesh, [{}, {"ep"}]>,
                   #llmpar.sharding<@mesh, [{"ep"}, {}, {}]>, #llmpar.sharding<@mesh, [{"ep"}, {}, {}]>]}
    : (tensor<6x10xf32>, tensor<6x4xf32>, tensor<4x14x10xf32>, tensor<4x10x14xf32>) -> tensor<6x10xf32>
  %2 = llmpar.reduce_scatter "ep" %1 {dim = 0, reduction = "sum", llmpar.out = [#llmpar.sharding<@mesh, [{"ep"}, {}]>]} : (tensor<6x10xf32>) -> tensor<6x10xf32>
  return %2 : tensor<6x10xf32>
}

// What is inside of the experts is split: all tokens are needed everywhere.
// CHECK-LABEL: func.func @experts_that_are_split_inside_take_all_tokens
// CHECK-NEXT:  llmpar.all_gather "tp"
// CHECK-NEXT:  llmpar.experts
// CHECK-NEXT:  llmpar.reduce_scatter "tp"
func.func @experts_that_are_split_inside_take_all_tokens(%x: tensor<6x10xf32>, %routing: tensor<6x4xf32>, %up: tensor<4x15x10xf32>, %down: tensor<4x10x15xf32>) -> tensor<6x10xf32> {
  %0 = llmpar.all_gather "tp" %x {dim = 0} : (tensor<6x10xf32>) -> tensor<6x10xf32>
  %1 = llmpar.experts "silu" %0, %routing up %up down %down {k = 2, experts = 4,
      llmpar.in = [#llmpar.sharding<@mesh, [{}, {}]>, #llmpar.sharding<@mesh, [{}, {}]>,
                   #llmpar.sharding<@mesh, [{}, {"tp"}, {}]>, #llmpar.sharding<@mesh, [{}, {}, {"tp"}]>]}
    : (tensor<6x10xf32>, tensor<6x4xf32>, tensor<4x15x10xf32>, tensor<4x10x15xf32>) -> tensor<6x10xf32>
  %2 = llmpar.reduce_scatter "tp" %1 {dim = 0, reduction = "sum"} : (tensor<6x10xf32>) -> tensor<6x10xf32>
  return %2 : tensor<6x10xf32>
}

// CHECK-LABEL: func.func @tokens_and_results_that_others_need_are_whole
// CHECK-NEXT:  llmpar.all_gather "ep"
// CHECK-NEXT:  llmpar.experts
// CHECK-NEXT:  llmpar.reduce_scatter "ep"
func.func @tokens_and_results_that_others_need_are_whole(%x: tensor<6x10xf32>, %routing: tensor<6x4xf32>, %up: tensor<4x14x10xf32>, %down: tensor<4x10x14xf32>) -> (tensor<6x10xf32>, tensor<6x10xf32>, tensor<6x10xf32>) {
  %0 = llmpar.all_gather "ep" %x {dim = 0} : (tensor<6x10xf32>) -> tensor<6x10xf32>
  %1 = llmpar.experts "silu" %0, %routing up %up down %down {k = 2, experts = 4,
      llmpar.in = [#llmpar.sharding<@mesh, [{}, {}]>, #llmpar.sharding<@mesh, [{}, {"ep"}]>,
                   #llmpar.sharding<@mesh, [{"ep"}, {}, {}]>, #llmpar.sharding<@mesh, [{"ep"}, {}, {}]>]}
    : (tensor<6x10xf32>, tensor<6x4xf32>, tensor<4x14x10xf32>, tensor<4x10x14xf32>) -> tensor<6x10xf32>
  %2 = llmpar.reduce_scatter "ep" %1 {dim = 0, reduction = "sum"} : (tensor<6x10xf32>) -> tensor<6x10xf32>
  return %0, %1, %2 : tensor<6x10xf32>, tensor<6x10xf32>, tensor<6x10xf32>
}

// The features of a token are no rows.
// CHECK-LABEL: func.func @gathered_features_stay_gathered
// CHECK-NEXT:  llmpar.all_gather "ep" %arg0 {dim = 1 : i64}
func.func @gathered_features_stay_gathered(%x: tensor<6x10xf32>, %routing: tensor<6x4xf32>, %up: tensor<4x14x10xf32>, %down: tensor<4x10x14xf32>) -> tensor<6x10xf32> {
  %0 = llmpar.all_gather "ep" %x {dim = 1} : (tensor<6x10xf32>) -> tensor<6x10xf32>
  %1 = llmpar.experts "silu" %0, %routing up %up down %down {k = 2, experts = 4,
      llmpar.in = [#llmpar.sharding<@mesh, [{}, {}]>, #llmpar.sharding<@mesh, [{}, {"ep"}]>,
                   #llmpar.sharding<@mesh, [{"ep"}, {}, {}]>, #llmpar.sharding<@mesh, [{"ep"}, {}, {}]>]}
    : (tensor<6x10xf32>, tensor<6x4xf32>, tensor<4x14x10xf32>, tensor<4x10x14xf32>) -> tensor<6x10xf32>
  return %1 : tensor<6x10xf32>
}
