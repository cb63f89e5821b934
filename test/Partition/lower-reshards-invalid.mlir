// RUN: llmpar-opt %s --verify-diagnostics --llmpar-lower-reshards

llmpar.mesh @mesh <["tp"=3]>
func.func @nothing_becomes_partial(%x: tensor<4x6xf32>) -> tensor<4x6xf32> {
  // expected-error @below {{cannot make a value partial over axis 'tp'}}
  %0 = llmpar.reshard %x {llmpar.out = [#llmpar.sharding<@mesh, [{}, {}], partial = {"tp" : sum}>]} : (tensor<4x6xf32>) -> tensor<4x6xf32>
  return %0 : tensor<4x6xf32>
}
