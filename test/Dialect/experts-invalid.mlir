// RUN: llmpar-opt %s --split-input-file --verify-diagnostics

// expected-error @below {{'llmpar.weight' op of type 'tensor<5x6xf32>' has 2 sources: each is an equal part of dimension 0, so their number must divide it}}
llmpar.weight @w : tensor<5x6xf32> from [<"w", 0, 60>, <"w", 60, 60>]

// -----

// expected-error @below {{'llmpar.weight' op has sources of 48 and of 72 bytes: they must be equal}}
llmpar.weight @w : tensor<4x6xf32> from [<"w", 0, 48>, <"w", 48, 72>]

// -----

func.func @a_kind_that_does_not_exist(%x: tensor<4x6xf32>, %r: tensor<4x3xf32>, %u: tensor<3x10x6xf32>, %d: tensor<3x6x10xf32>) {
  // expected-error @below {{kind 'swish' is unknown: choose one of}}
  %0 = llmpar.experts "swish" %x, %r up %u down %d {k = 2, experts = 3} : (tensor<4x6xf32>, tensor<4x3xf32>, tensor<3x10x6xf32>, tensor<3x6x10xf32>) -> tensor<4x6xf32>
  return
}

// -----

func.func @more_than_all(%x: tensor<4x6xf32>, %r: tensor<4x3xf32>, %u: tensor<3x10x6xf32>, %d: tensor<3x6x10xf32>) {
  // expected-error @below {{gives a token to 4 of 3 experts: k is 1 to their number}}
  %0 = llmpar.experts "silu" %x, %r up %u down %d {k = 4, experts = 3} : (tensor<4x6xf32>, tensor<4x3xf32>, tensor<3x10x6xf32>, tensor<3x6x10xf32>) -> tensor<4x6xf32>
  return
}

// -----

func.func @more_than_there_are(%x: tensor<4x6xf32>, %r: tensor<4x3xf32>, %u: tensor<3x10x6xf32>, %d: tensor<3x6x10xf32>) {
  // expected-error @below {{has weights of 3 experts, but experts = 2}}
  %0 = llmpar.experts "silu" %x, %r up %u down %d {k = 1, experts = 2} : (tensor<4x6xf32>, tensor<4x3xf32>, tensor<3x10x6xf32>, tensor<3x6x10xf32>) -> tensor<4x6xf32>
  return
}

// -----

func.func @integers(%x: tensor<4x6xi32>, %r: tensor<4x3xi32>, %u: tensor<3x10x6xi32>, %d: tensor<3x6x10xi32>) {
  // expected-error @below {{of type 'tensor<4x6xi32>': experts compute with floats}}
  %0 = llmpar.experts "relu" %x, %r up %u down %d {k = 1, experts = 3} : (tensor<4x6xi32>, tensor<4x3xi32>, tensor<3x10x6xi32>, tensor<3x6x10xi32>) -> tensor<4x6xi32>
  return
}

// -----

func.func @weights_of_two_dimensions(%x: tensor<4x6xf32>, %r: tensor<4x3xf32>, %u: tensor<10x6xf32>, %d: tensor<3x6x10xf32>) {
  // expected-error @below {{x and routing of 2 and 2 dimensions, weights of 2 and 3: expected as many, at least 1, and 3}}
  %0 = llmpar.experts "silu" %x, %r up %u down %d {k = 1, experts = 3} : (tensor<4x6xf32>, tensor<4x3xf32>, tensor<10x6xf32>, tensor<3x6x10xf32>) -> tensor<4x6xf32>
  return
}

// -----

func.func @routing_of_other_tokens(%x: tensor<4x6xf32>, %r: tensor<5x3xf32>, %u: tensor<3x10x6xf32>, %d: tensor<3x6x10xf32>) {
  // expected-error @below {{routing of type 'tensor<5x3xf32>' is not of the tokens of x, of type 'tensor<4x6xf32>'}}
  %0 = llmpar.experts "silu" %x, %r up %u down %d {k = 1, experts = 3} : (tensor<4x6xf32>, tensor<5x3xf32>, tensor<3x10x6xf32>, tensor<3x6x10xf32>) -> tensor<4x6xf32>
  return
}

// -----

func.func @weights_the_other_way_round(%x: tensor<4x6xf32>, %r: tensor<4x3xf32>, %u: tensor<3x6x10xf32>, %d: tensor<3x10x6xf32>) {
  // expected-error @below {{do not fit 6 features and 3 experts: expected [experts, inner, features] and [experts, result, inner]}}
  %0 = llmpar.experts "silu" %x, %r up %u down %d {k = 1, experts = 3} : (tensor<4x6xf32>, tensor<4x3xf32>, tensor<3x6x10xf32>, tensor<3x10x6xf32>) -> tensor<4x10xf32>
  return
}

// -----

func.func @a_gate_of_another_shape(%x: tensor<4x6xf32>, %r: tensor<4x3xf32>, %u: tensor<3x10x6xf32>, %d: tensor<3x6x10xf32>, %g: tensor<3x9x6xf32>) {
  // expected-error @below {{gate of type 'tensor<3x9x6xf32>', but up of type 'tensor<3x10x6xf32>'}}
  %0 = llmpar.experts "silu" %x, %r up %u down %d gate %g {k = 1, experts = 3} : (tensor<4x6xf32>, tensor<4x3xf32>, tensor<3x10x6xf32>, tensor<3x6x10xf32>, tensor<3x9x6xf32>) -> tensor<4x6xf32>
  return
}

// -----

llmpar.mesh @mesh <["ep"=2]>

func.func @features_are_no_tokens(%x: tensor<4x6xf32>, %r: tensor<4x3xf32>) {
  // expected-error @below {{dim 1 is the features of a token: choose one before}}
  %0 = llmpar.dispatch "ep" %x, %r {dim = 1, k = 1} : (tensor<4x6xf32>, tensor<4x3xf32>) -> tensor<4x6xf32>
  return
}

// -----

llmpar.mesh @mesh <["ep"=2]>

func.func @routing_of_fewer_tokens(%x: tensor<4x6xf32>, %r: tensor<2x3xf32>) {
  // expected-error @below {{routing of type 'tensor<2x3xf32>' is not of the tokens of 'tensor<4x6xf32>'}}
  %0 = llmpar.combine "ep" %x, %r {dim = 0, k = 1} : (tensor<4x6xf32>, tensor<2x3xf32>) -> tensor<4x6xf32>
  return
}

// -----

llmpar.mesh @mesh <["ep"=2]>

func.func @no_copies(%x: tensor<4x6xf32>, %r: tensor<4x3xf32>) {
  // expected-error @below {{sends a token to 0 experts: k is positive}}
  %0 = llmpar.combine "ep" %x, %r {dim = 0, k = 0} : (tensor<4x6xf32>, tensor<4x3xf32>) -> tensor<4x6xf32>
  return
}
