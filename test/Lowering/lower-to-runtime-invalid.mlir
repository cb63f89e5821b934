// RUN: llmpar-opt %s --split-input-file --verify-diagnostics --llmpar-lower-to-runtime

func.func @main(%x: tensor<4x6xf32>) -> tensor<4x6xf32> {
  // expected-error @below {{has no kernel: run llmpar-lower-reshards before llmpar-lower-to-runtime}}
  %0 = llmpar.reshard %x : (tensor<4x6xf32>) -> tensor<4x6xf32>
  return %0 : tensor<4x6xf32>
}

// -----

llmpar.mesh @mesh <["tp"=2]>
func.func @main(%x: tensor<4x6xf32>) -> tensor<4x6xf32> {
  // expected-error @below {{is not the largest shard of 'tensor<4x6xf32>': run llmpar-localize-shapes before llmpar-lower-to-runtime}}
  %0 = llmpar.unary "exp" %x {llmpar.out = [#llmpar.sharding<@mesh, [{"tp"}, {}]>]} : (tensor<4x6xf32>) -> tensor<4x6xf32>
  return %0 : tensor<4x6xf32>
}
