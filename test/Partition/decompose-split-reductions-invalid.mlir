// RUN: llmpar-opt %s --verify-diagnostics --llmpar-propagate-shardings --llmpar-insert-reshards --llmpar-lower-reshards --llmpar-localize-shapes

// Without the pass a rank would normalise its shard alone.
llmpar.mesh @mesh <["tp"=3]>
func.func @main(%x: tensor<4x10xf32> {llmpar.out = #llmpar.sharding<@mesh, [{}, {"tp"}]>}) -> tensor<4x10xf32> {
  // expected-error @below {{is split over an axis that it reduces over: run llmpar-decompose-split-reductions first}}
  %0 = llmpar.softmax %x {axis = 1} : (tensor<4x10xf32>) -> tensor<4x10xf32>
  return %0 : tensor<4x10xf32>
}
