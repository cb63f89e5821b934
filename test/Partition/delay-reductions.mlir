// RUN: llmpar-opt %s --split-input-file --llmpar-delay-reductions | FileCheck %s

#whole = #llmpar.sharding<@mesh, [{}, {}]>
#partial = #llmpar.sharding<@mesh, [{}, {}], partial = {"dp" : sum}>
#flat = #llmpar.sharding<@mesh, [{}]>
llmpar.mesh @mesh <["dp"=2, "tp"=2]>

// A sum of partial values is partial, and so is what moves its elements.
// CHECK-LABEL: func.func @main
// CHECK:       %[[S:.*]] = llmpar.binary "add" {{.*}}llmpar.in = [#llmpar.sharding<@mesh, [{}, {}], partial = {"dp" : sum}>, #llmpar.sharding<@mesh, [{}, {}], partial = {"dp" : sum}>], llmpar.out = [#llmpar.sharding<@mesh, [{}, {}], partial = {"dp" : sum}>]
// CHECK:       llmpar.reshape %[[S]] {llmpar.in = [#llmpar.sharding<@mesh, [{}, {}], partial = {"dp" : sum}>], llmpar.out = [#llmpar.sharding<@mesh, [{}], partial = {"dp" : sum}>]}
// CHECK:       return
func.func @main(%x: tensor<4x6xf32>) -> tensor<24xf32> {
  %a = llmpar.unary "exp" %x {llmpar.in = [#whole], llmpar.out = [#partial]} : (tensor<4x6xf32>) -> tensor<4x6xf32>
  %b = llmpar.unary "exp" %x {llmpar.in = [#whole], llmpar.out = [#partial]} : (tensor<4x6xf32>) -> tensor<4x6xf32>
  %s = llmpar.binary "add" %a, %b {llmpar.in = [#whole, #whole], llmpar.out = [#whole]} : (tensor<4x6xf32>, tensor<4x6xf32>) -> tensor<4x6xf32>
  %r = llmpar.reshape %s {llmpar.in = [#whole], llmpar.out = [#flat]} : (tensor<4x6xf32>) -> tensor<24xf32>
  return {llmpar.in = [#flat]} %r : tensor<24xf32>
}

// -----

#whole = #llmpar.sharding<@mesh, [{}, {}]>
#split = #llmpar.sharding<@mesh, [{"dp"}, {}]>
#partial = #llmpar.sharding<@mesh, [{}, {}], partial = {"dp" : sum}>
#highest = #llmpar.sharding<@mesh, [{}, {}], partial = {"dp" : max}>
llmpar.mesh @mesh <["dp"=2, "tp"=2]>

// Not: beside a value that is whole; where the op is not linear; where another user needs it reduced; where it is
// wanted in other shards; of maxima.
// CHECK-LABEL: func.func @main
// CHECK-COUNT-5: llmpar.out = [{{.*}}partial
// CHECK-NOT:   partial
func.func @main(%x: tensor<4x6xf32>) -> (tensor<4x6xf32>, tensor<4x6xf32>, tensor<4x6xf32>, tensor<4x6xf32>, tensor<4x6xf32>) {
  %a = llmpar.unary "exp" %x {llmpar.in = [#whole], llmpar.out = [#partial]} : (tensor<4x6xf32>) -> tensor<4x6xf32>
  %b = llmpar.unary "exp" %x {llmpar.in = [#whole], llmpar.out = [#partial]} : (tensor<4x6xf32>) -> tensor<4x6xf32>
  %c = llmpar.unary "exp" %x {llmpar.in = [#whole], llmpar.out = [#partial]} : (tensor<4x6xf32>) -> tensor<4x6xf32>
  %d = llmpar.unary "exp" %x {llmpar.in = [#whole], llmpar.out = [#partial]} : (tensor<4x6xf32>) -> tensor<4x6xf32>
  %e = llmpar.unary "exp" %x {llmpar.in = [#whole], llmpar.out = [#highest]} : (tensor<4x6xf32>) -> tensor<4x6xf32>
  %0 = llmpar.binary "add" %a, %x {llmpar.in = [#whole, #whole], llmpar.out = [#whole]} : (tensor<4x6xf32>, tensor<4x6xf32>) -> tensor<4x6xf32>
  %1 = llmpar.unary "tanh" %b {llmpar.in = [#whole], llmpar.out = [#whole]} : (tensor<4x6xf32>) -> tensor<4x6xf32>
  %2 = llmpar.unary "neg" %c {llmpar.in = [#whole], llmpar.out = [#whole]} : (tensor<4x6xf32>) -> tensor<4x6xf32>
  %3 = llmpar.unary "neg" %d {llmpar.in = [#split], llmpar.out = [#split]} : (tensor<4x6xf32>) -> tensor<4x6xf32>
  %4 = llmpar.unary "neg" %e {llmpar.in = [#whole], llmpar.out = [#whole]} : (tensor<4x6xf32>) -> tensor<4x6xf32>
  %5 = llmpar.binary "add" %c, %2 {llmpar.in = [#whole, #whole], llmpar.out = [#whole]} : (tensor<4x6xf32>, tensor<4x6xf32>) -> tensor<4x6xf32>
  return {llmpar.in = [#whole, #whole, #whole, #whole, #whole]} %0, %1, %5, %3, %4 : tensor<4x6xf32>, tensor<4x6xf32>, tensor<4x6xf32>, tensor<4x6xf32>, tensor<4x6xf32>
}

// -----

#whole = #llmpar.sharding<@mesh, []>
#dp = #llmpar.sharding<@mesh, [], partial = {"dp" : sum}>
#tp = #llmpar.sharding<@mesh, [], partial = {"tp" : sum}>
llmpar.mesh @mesh <["dp"=2, "tp"=2]>

// Of numbers those that are partial over the same axes are added first.
// CHECK-LABEL: func.func @main
// CHECK:       %[[A:.*]] = llmpar.unary "exp"
// CHECK-NEXT:  %[[B:.*]] = llmpar.unary "sin"
// CHECK-NEXT:  %[[C:.*]] = llmpar.unary "cos"
// CHECK-NEXT:  %[[AC:.*]] = llmpar.binary "add" %[[A]], %[[C]] {llmpar.in = [#llmpar.sharding<@mesh, [], partial = {"dp" : sum}>, #llmpar.sharding<@mesh, [], partial = {"dp" : sum}>], llmpar.out = [#llmpar.sharding<@mesh, [], partial = {"dp" : sum}>]}
// CHECK-NEXT:  llmpar.binary "add" %[[AC]], %[[B]] {llmpar.in = [#llmpar.sharding<@mesh, []>, #llmpar.sharding<@mesh, []>], llmpar.out = [#llmpar.sharding<@mesh, []>]}
func.func @main(%x: tensor<f32>) -> tensor<f32> {
  %a = llmpar.unary "exp" %x {llmpar.in = [#whole], llmpar.out = [#dp]} : (tensor<f32>) -> tensor<f32>
  %b = llmpar.unary "sin" %x {llmpar.in = [#whole], llmpar.out = [#tp]} : (tensor<f32>) -> tensor<f32>
  %c = llmpar.unary "cos" %x {llmpar.in = [#whole], llmpar.out = [#dp]} : (tensor<f32>) -> tensor<f32>
  %0 = llmpar.binary "add" %a, %b {llmpar.in = [#whole, #whole], llmpar.out = [#whole]} : (tensor<f32>, tensor<f32>) -> tensor<f32>
  %1 = llmpar.binary "add" %0, %c {llmpar.in = [#whole, #whole], llmpar.out = [#whole]} : (tensor<f32>, tensor<f32>) -> tensor<f32>
  return {llmpar.in = [#whole]} %1 : tensor<f32>
}
