// RUN: llmpar-opt %s --split-input-file --llmpar-place-state | FileCheck %s

// The sharding of the first load is the one between steps, and the next value's.
// CHECK-LABEL: func.func @main
// CHECK-SAME:  %[[W:[^:]+]]: tensor<4x6xf32> {llmpar.name = "w", llmpar.out = #llmpar.sharding<@mesh, [{}, {"tp"}]>, llmpar.state = @w})
// CHECK-NOT:   llmpar.load_weight
// CHECK:       llmpar.unary "exp" %[[W]] {llmpar.in = [#llmpar.sharding<@mesh, [{}, {"tp"}]>]
// CHECK:       %[[N:.*]] = llmpar.unary "neg" %[[W]] {llmpar.in = [#llmpar.sharding<@mesh, [{"tp"}, {}]>]
// CHECK:       return {llmpar.in = [#llmpar.sharding<@mesh, [{}, {"tp"}]>, #llmpar.sharding<@mesh, [{}, {"tp"}]>]}
llmpar.mesh @mesh <["tp"=2]>
llmpar.weight @w : tensor<4x6xf32> from <"w.bin", 0, 96> {llmpar.mutable}
func.func @main() -> (tensor<4x6xf32>, tensor<4x6xf32> {llmpar.next = @w}) {
  %0 = llmpar.load_weight @w {llmpar.in = [], llmpar.out = [#llmpar.sharding<@mesh, [{}, {"tp"}]>]} : tensor<4x6xf32>
  %1 = llmpar.unary "exp" %0 {llmpar.in = [#llmpar.sharding<@mesh, [{}, {"tp"}]>], llmpar.out = [#llmpar.sharding<@mesh, [{}, {"tp"}]>]} : (tensor<4x6xf32>) -> tensor<4x6xf32>
  %2 = llmpar.load_weight @w {llmpar.in = [], llmpar.out = [#llmpar.sharding<@mesh, [{"tp"}, {}]>]} : tensor<4x6xf32>
  %3 = llmpar.unary "neg" %2 {llmpar.in = [#llmpar.sharding<@mesh, [{"tp"}, {}]>], llmpar.out = [#llmpar.sharding<@mesh, [{"tp"}, {}]>]} : (tensor<4x6xf32>) -> tensor<4x6xf32>
  return {llmpar.in = [#llmpar.sharding<@mesh, [{}, {"tp"}]>, #llmpar.sharding<@mesh, [{"tp"}, {}]>]} %1, %3 : tensor<4x6xf32>, tensor<4x6xf32>
}

// -----

// A weight that no step changes stays one.
// CHECK-LABEL: func.func @main() -> tensor<4xf32>
// CHECK:       llmpar.load_weight @w
llmpar.weight @w : tensor<4xf32> from <"w.bin", 0, 16>
func.func @main() -> tensor<4xf32> {
  %0 = llmpar.load_weight @w : tensor<4xf32>
  return %0 : tensor<4xf32>
}
