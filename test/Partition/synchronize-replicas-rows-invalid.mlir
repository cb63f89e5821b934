// RUN: llmpar-opt %s --verify-diagnostics --llmpar-synchronize-replicas="axis=dp every=8"

#rows = #llmpar.sharding<@mesh, [{"dp"}]>
#vector = #llmpar.sharding<@mesh, [{}]>
#number = #llmpar.sharding<@mesh, []>
llmpar.mesh @mesh <["dp"=2]>

// Of three rows one replica has two: its share is more than the mean over its own.
// expected-error @below {{replicas over axis 'dp' have unequal parts of an input: 3 rows for 2; choose a multiple of 2}}
func.func @main(%x: tensor<3xi64> {llmpar.out = #rows}, %p: tensor<6xf32>, %w: tensor<6xf32>, %rate: tensor<f32>, %scale: tensor<f32>) -> tensor<6xf32> {
  %g = llmpar.all_reduce "dp" %p {reduction = "sum", llmpar.out = [#vector]} : (tensor<6xf32>) -> tensor<6xf32>
  %0:2 = llmpar.sgd %w, %g, %w, %rate, %scale {momentum = 0.9, weight_decay = 0.0, nesterov = false, llmpar.in = [#vector, #vector, #vector, #number, #number], llmpar.out = [#vector, #vector]} : (tensor<6xf32>, tensor<6xf32>, tensor<6xf32>, tensor<f32>, tensor<f32>) -> (tensor<6xf32>, tensor<6xf32>)
  return {llmpar.in = [#vector]} %0#0 : tensor<6xf32>
}
