// RUN: llmpar-opt %s --split-input-file --verify-diagnostics

// expected-error @below {{axis 'tp' occurs twice}}
llmpar.mesh @mesh <["tp" = 2, "tp" = 3]>

// -----

// expected-error @below {{axis 'tp' has size 0: sizes are positive}}
llmpar.mesh @mesh <["tp" = 0]>

// -----

// expected-error @below {{1 axis names, but 2 sizes}}
"llmpar.mesh"() {sym_name = "mesh", axes = ["tp"], sizes = array<i64: 2, 3>} : () -> ()

// -----

// expected-error @below {{has more than 65536 ranks}}
llmpar.mesh @mesh <["dp" = 65536, "tp" = 2]>

// -----

llmpar.mesh @mesh <["dp" = 2, "tp" = 3]>
// expected-error @below {{sharding of argument 0 has 1 dimensions, but its type is 'tensor<4x6xf32>'}}
func.func @f(%x: tensor<4x6xf32> {llmpar.out = #llmpar.sharding<@mesh, [{"dp"}]>}) {
  return
}

// -----

llmpar.mesh @mesh <["dp" = 2, "tp" = 3]>
// expected-error @below {{sharding of argument 0 uses axis 'pp', which mesh @mesh does not have}}
func.func @f(%x: tensor<4x6xf32> {llmpar.out = #llmpar.sharding<@mesh, [{"pp"}, {}]>}) {
  return
}

// -----

llmpar.mesh @mesh <["dp" = 2, "tp" = 3]>
// expected-error @below {{sharding of argument 0 uses axis 'tp' twice}}
func.func @f(%x: tensor<4x6xf32> {llmpar.out = #llmpar.sharding<@mesh, [{"tp"}, {"tp"}]>}) {
  return
}

// -----

llmpar.mesh @mesh <["dp" = 2, "tp" = 3]>
// expected-error @below {{sharding of argument 0 uses axis 'tp' twice}}
func.func @f(%x: tensor<4x6xf32> {llmpar.out = #llmpar.sharding<@mesh, [{"tp"}, {}], partial = {"tp" : sum}>}) {
  return
}

// -----

llmpar.mesh @mesh <["dp" = 2, "tp" = 3]>
// expected-error @below {{sharding of argument 0 has unit 0: units are positive}}
func.func @f(%x: tensor<4x6xf32> {llmpar.out = #llmpar.sharding<@mesh, [{"tp" : 0}, {}]>}) {
  return
}

// -----

// expected-error @below {{uses mesh @mesh, which is not defined: add `llmpar.mesh @mesh`}}
func.func @f(%x: tensor<4x6xf32> {llmpar.out = #llmpar.sharding<@mesh, [{"tp"}, {}]>}) {
  return
}

// -----

llmpar.mesh @mesh <["dp" = 2, "tp" = 3]>
// expected-error @below {{sharding of argument 0 is "tp", expected #llmpar.sharding<...>}}
func.func @f(%x: tensor<4x6xf32> {llmpar.out = "tp"}) {
  return
}

// -----

llmpar.mesh @mesh <["dp" = 2, "tp" = 3]>
// expected-error @below {{'mean' is not sum, max, min or prod}}
func.func private @f(tensor<4xf32> {llmpar.out = #llmpar.sharding<@mesh, [{}], partial = {"tp" : mean}>})

// -----

llmpar.mesh @mesh <["dp" = 2, "tp" = 3]>
func.func @f(%x: tensor<4x6xf32>) {
  // expected-error @below {{'llmpar.out' needs an array of one sharding for each of 1 results}}
  %0 = llmpar.unary "neg" %x {llmpar.out = []} : (tensor<4x6xf32>) -> tensor<4x6xf32>
  return
}

// -----

llmpar.mesh @mesh <["dp" = 2, "tp" = 3]>
func.func @f(%x: tensor<4x6xf32>, %y: tensor<6xf32>) {
  // expected-error @below {{sharding of operand 1 has 2 dimensions, but its type is 'tensor<6xf32>'}}
  %0 = llmpar.binary "add" %x, %y {llmpar.in = [#llmpar.sharding<@mesh, [{}, {}]>, #llmpar.sharding<@mesh, [{}, {}]>]} : (tensor<4x6xf32>, tensor<6xf32>) -> tensor<4x6xf32>
  return
}
