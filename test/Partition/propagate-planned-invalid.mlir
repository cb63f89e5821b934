// RUN: llmpar-opt %s -split-input-file -verify-diagnostics

llmpar.mesh @mesh <["x"=2]>
func.func @factor_that_the_op_lacks(%a: tensor<6x10xf32>) -> tensor<6x10xf32> {
  // expected-error @below {{'llmpar.factors' shards 'k', which is no shardable factor of its rule}}
  %y = llmpar.unary "exp" %a {llmpar.factors = {k = #llmpar.dim<{"x"}>}} : (tensor<6x10xf32>) -> tensor<6x10xf32>
  return %y : tensor<6x10xf32>
}

// -----

llmpar.mesh @mesh <["x"=2]>
func.func @axis_that_the_mesh_lacks(%a: tensor<6x10xf32>) -> tensor<6x10xf32> {
  // expected-error @below {{'llmpar.factors' uses axis 'y', which @mesh does not have}}
  %y = llmpar.unary "exp" %a {llmpar.factors = {_0 = #llmpar.dim<{"y"}>}} : (tensor<6x10xf32>) -> tensor<6x10xf32>
  return %y : tensor<6x10xf32>
}

// -----

llmpar.mesh @mesh <["x"=2]>
func.func @axis_twice(%a: tensor<6x10xf32>) -> tensor<6x10xf32> {
  // expected-error @below {{'llmpar.factors' uses axis 'x' twice}}
  %y = llmpar.unary "exp" %a {llmpar.factors = {_0 = #llmpar.dim<{"x"}>, _1 = #llmpar.dim<{"x"}>}} : (tensor<6x10xf32>) -> tensor<6x10xf32>
  return %y : tensor<6x10xf32>
}
