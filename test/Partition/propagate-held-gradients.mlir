// RUN: llmpar-opt %s --llmpar-build-training-step="optimizer=sgd staleness=1 clip-grad=1" --canonicalize --cse --llmpar-propagate-shardings=tensor-axis=tp | FileCheck %s

// The held gradient rests as the next one comes, and so do its square and the optimizer's step; the parameter is split for them.
// CHECK-LABEL: func.func @main
// CHECK:       %[[G:.*]] = llmpar.weight_grad {{.*}}llmpar.out = [#llmpar.sharding<@mesh, [{}, {"tp"}]>]
// CHECK:       %[[HELD:.*]] = llmpar.load_weight @u.gradient {{.*}}llmpar.out = [#llmpar.sharding<@mesh, [{}, {"tp"}]>]
// CHECK:       llmpar.binary "mul" %[[HELD]], %[[HELD]] {{.*}}llmpar.out = [#llmpar.sharding<@mesh, [{}, {"tp"}]>]
// CHECK:       llmpar.sgd %{{.*}}, %[[HELD]], {{.*}}llmpar.out = [#llmpar.sharding<@mesh, [{}, {"tp"}]>, #llmpar.sharding<@mesh, [{}, {"tp"}]>]
llmpar.mesh @mesh <["tp"=2]>
llmpar.weight @u : tensor<4x8xf32> from <"w.bin", 0, 128>
func.func @main(%x: tensor<6x4xf32>) -> tensor<6x8xf32> {
  %u = llmpar.load_weight @u : tensor<4x8xf32>
  %h = llmpar.matmul %x, %u : (tensor<6x4xf32>, tensor<4x8xf32>) -> tensor<6x8xf32>
  return %h : tensor<6x8xf32>
}
