// RUN: llmpar-opt %s --split-input-file --llmpar-insert-reshards | FileCheck %s

// Two users that want the same share one reshard.
// CHECK-LABEL: func.func @main
// CHECK:       %[[X:.*]] = llmpar.reshard %arg0 {llmpar.in = [#llmpar.sharding<@mesh, [{"tp"}, {}]>], llmpar.out = [#llmpar.sharding<@mesh, [{}, {}]>]}
// CHECK-NOT:   llmpar.reshard
// CHECK:       llmpar.unary "exp" %[[X]]
// CHECK-NEXT:  llmpar.unary "log" %[[X]]
llmpar.mesh @mesh <["tp"=2]>
func.func @main(%x: tensor<4x6xf32> {llmpar.out = #llmpar.sharding<@mesh, [{"tp"}, {}]>}) {
  %0 = llmpar.unary "exp" %x {llmpar.in = [#llmpar.sharding<@mesh, [{}, {}]>]} : (tensor<4x6xf32>) -> tensor<4x6xf32>
  %1 = llmpar.unary "log" %x {llmpar.in = [#llmpar.sharding<@mesh, [{}, {}]>]} : (tensor<4x6xf32>) -> tensor<4x6xf32>
  return
}

// -----

// A value that already lies as its user needs gets none.
// CHECK-LABEL: func.func @main
// CHECK-NOT:   llmpar.reshard
// CHECK:       return
llmpar.mesh @mesh <["tp"=2]>
func.func @main(%x: tensor<4x6xf32> {llmpar.out = #llmpar.sharding<@mesh, [{"tp"}, {}]>}) {
  %0 = llmpar.unary "exp" %x {llmpar.in = [#llmpar.sharding<@mesh, [{"tp"}, {}]>]} : (tensor<4x6xf32>) -> tensor<4x6xf32>
  return
}

// -----

// An input that nobody has placed (a key cache) arrives as all its users want it.
// CHECK-LABEL: func.func @main(
// CHECK-SAME:  tensor<4x6xf32> {llmpar.out = #llmpar.sharding<@mesh, [{}, {"tp"}]>}
// CHECK-NOT:   llmpar.reshard
// CHECK:       return
llmpar.mesh @mesh <["tp"=2]>
func.func @main(%cache: tensor<4x6xf32>) {
  %0 = llmpar.unary "exp" %cache {llmpar.in = [#llmpar.sharding<@mesh, [{}, {"tp"}]>]} : (tensor<4x6xf32>) -> tensor<4x6xf32>
  return
}

// -----

// An input whose users disagree arrives whole.
// CHECK-LABEL: func.func @main(
// CHECK-SAME:  tensor<4x6xf32> {llmpar.out = #llmpar.sharding<@mesh, [{}, {}]>}
// CHECK-COUNT-2: llmpar.reshard %arg0
llmpar.mesh @mesh <["tp"=2]>
func.func @main(%x: tensor<4x6xf32>) {
  %0 = llmpar.unary "exp" %x {llmpar.in = [#llmpar.sharding<@mesh, [{}, {"tp"}]>]} : (tensor<4x6xf32>) -> tensor<4x6xf32>
  %1 = llmpar.unary "log" %x {llmpar.in = [#llmpar.sharding<@mesh, [{"tp"}, {}]>]} : (tensor<4x6xf32>) -> tensor<4x6xf32>
  return
}

// -----

// A partial sum with users that differ is reduced once, then sliced for one of them.
// CHECK-LABEL: func.func @main
// CHECK:       %[[SUM:.*]] = llmpar.reshard %arg0 {llmpar.in = [#llmpar.sharding<@mesh, [{}, {}], partial = {"tp" : sum}>], llmpar.out = [#llmpar.sharding<@mesh, [{}, {}]>]}
// CHECK:       llmpar.unary "exp" %[[SUM]]
// CHECK:       %[[PART:.*]] = llmpar.reshard %[[SUM]] {{.*}}llmpar.out = [#llmpar.sharding<@mesh, [{"tp"}, {}]>]
// CHECK:       llmpar.unary "log" %[[PART]]
llmpar.mesh @mesh <["tp"=2]>
func.func @main(%x: tensor<4x6xf32> {llmpar.out = #llmpar.sharding<@mesh, [{}, {}], partial = {"tp" : sum}>}) {
  %0 = llmpar.unary "exp" %x {llmpar.in = [#llmpar.sharding<@mesh, [{}, {}]>]} : (tensor<4x6xf32>) -> tensor<4x6xf32>
  %1 = llmpar.unary "log" %x {llmpar.in = [#llmpar.sharding<@mesh, [{"tp"}, {}]>]} : (tensor<4x6xf32>) -> tensor<4x6xf32>
  return
}

// -----

// A partial sum with one user goes to what that needs in one step.
// CHECK-LABEL: func.func @main
// CHECK:       llmpar.reshard %arg0 {{.*}}partial = {"tp" : sum}>], llmpar.out = [#llmpar.sharding<@mesh, [{"tp"}, {}]>]
// CHECK-NOT:   llmpar.reshard
llmpar.mesh @mesh <["tp"=2]>
func.func @main(%x: tensor<4x6xf32> {llmpar.out = #llmpar.sharding<@mesh, [{}, {}], partial = {"tp" : sum}>}) {
  %0 = llmpar.unary "exp" %x {llmpar.in = [#llmpar.sharding<@mesh, [{"tp"}, {}]>]} : (tensor<4x6xf32>) -> tensor<4x6xf32>
  return
}

// -----

// A partial value is reduced as soon as it is there, wherever its user is.
// CHECK-LABEL: func.func @main
// CHECK:       %[[G:.*]] = llmpar.unary "exp"
// CHECK-NEXT:  %[[R:.*]] = llmpar.reshard %[[G]] {{.*}}llmpar.out = [#llmpar.sharding<@mesh, [{"dp"}, {}]>]
// CHECK-NEXT:  llmpar.unary "sin"
// CHECK-NEXT:  llmpar.unary "log" %[[R]]
llmpar.mesh @mesh <["dp"=2]>
func.func @main(%x: tensor<4x6xf32>) {
  %0 = llmpar.unary "exp" %x {llmpar.in = [#llmpar.sharding<@mesh, [{}, {}]>], llmpar.out = [#llmpar.sharding<@mesh, [{}, {}], partial = {"dp" : sum}>]} : (tensor<4x6xf32>) -> tensor<4x6xf32>
  %1 = llmpar.unary "sin" %x {llmpar.in = [#llmpar.sharding<@mesh, [{}, {}]>]} : (tensor<4x6xf32>) -> tensor<4x6xf32>
  %2 = llmpar.unary "log" %0 {llmpar.in = [#llmpar.sharding<@mesh, [{"dp"}, {}]>]} : (tensor<4x6xf32>) -> tensor<4x6xf32>
  return
}

// -----

// A weight that rests in smaller shards is gathered by each user in front of itself.
// CHECK-LABEL: func.func @main
// CHECK:       %[[A:.*]] = llmpar.reshard %[[W:.*]] {{.*}}llmpar.use = 0
// CHECK-NEXT:  llmpar.unary "exp" %[[A]] {llmpar.in = [#llmpar.sharding<@mesh, [{}, {}]>]}
// CHECK-NEXT:  %[[B:.*]] = llmpar.reshard %[[W]] {{.*}}llmpar.use = 1
// CHECK-NEXT:  llmpar.unary "log" %[[B]]
llmpar.mesh @mesh <["dp"=2]>
func.func @main(%w: tensor<4x6xf32> {llmpar.out = #llmpar.sharding<@mesh, [{"dp"}, {}]>}) {
  %0 = llmpar.unary "exp" %w {llmpar.in = [#llmpar.sharding<@mesh, [{}, {}]>], llmpar.rest = [#llmpar.sharding<@mesh, [{"dp"}, {}]>]} : (tensor<4x6xf32>) -> tensor<4x6xf32>
  %1 = llmpar.unary "log" %w {llmpar.in = [#llmpar.sharding<@mesh, [{}, {}]>], llmpar.rest = [#llmpar.sharding<@mesh, [{"dp"}, {}]>]} : (tensor<4x6xf32>) -> tensor<4x6xf32>
  return
}
