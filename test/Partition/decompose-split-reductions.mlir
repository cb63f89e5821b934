// RUN: llmpar-opt %s --split-input-file --llmpar-propagate-shardings --llmpar-decompose-split-reductions --llmpar-insert-reshards --llmpar-lower-reshards | FileCheck %s

// A softmax over a split dimension exchanges its maximum and its sum, never its elements.
// CHECK-LABEL: func.func @main
// CHECK-NEXT:  %[[PART:.*]] = llmpar.reduce "max" %arg0 {{.*}}partial = {"tp" : max}
// CHECK-NEXT:  %[[MAX:.*]] = llmpar.all_reduce "tp" %[[PART]] {{.*}}reduction = "max"{{.*}} (tensor<4x1xf32>)
// CHECK-NEXT:  %[[SHIFTED:.*]] = llmpar.binary "sub" %arg0, %[[MAX]] {{.*}}llmpar.out = [#llmpar.sharding<@mesh, [{}, {"tp"}]>]
// CHECK-NEXT:  %[[EXP:.*]] = llmpar.unary "exp" %[[SHIFTED]]
// CHECK-NEXT:  %[[SUMS:.*]] = llmpar.reduce "sum" %[[EXP]] {{.*}}partial = {"tp" : sum}
// CHECK-NEXT:  %[[SUM:.*]] = llmpar.all_reduce "tp" %[[SUMS]]
// CHECK-NEXT:  %[[Y:.*]] = llmpar.binary "div" %[[EXP]], %[[SUM]] {{.*}}llmpar.out = [#llmpar.sharding<@mesh, [{}, {"tp"}]>]
// CHECK-NEXT:  return {{.*}} %[[Y]]
llmpar.mesh @mesh <["tp"=3]>
func.func @main(%x: tensor<4x10xf32> {llmpar.out = #llmpar.sharding<@mesh, [{}, {"tp"}]>}) -> tensor<4x10xf32> {
  %0 = llmpar.softmax %x {axis = 1} : (tensor<4x10xf32>) -> tensor<4x10xf32>
  return %0 : tensor<4x10xf32>
}

// -----

// One that is split in other dimensions stays.
// CHECK-LABEL: func.func @main
// CHECK-NEXT:  llmpar.softmax
// CHECK-NEXT:  return
llmpar.mesh @mesh <["tp"=3]>
func.func @main(%x: tensor<4x10xf32> {llmpar.out = #llmpar.sharding<@mesh, [{"tp"}, {}]>}) -> tensor<4x10xf32> {
  %0 = llmpar.softmax %x {axis = 1} : (tensor<4x10xf32>) -> tensor<4x10xf32>
  return %0 : tensor<4x10xf32>
}

// -----

// A vocabulary-sharded log-softmax of bf16 computes in f32.
// CHECK-LABEL: func.func @main
// CHECK-NEXT:  llmpar.cast %arg0 {{.*}} -> tensor<4x10xf32>
// CHECK:       %[[SUM:.*]] = llmpar.all_reduce "tp" {{.*}}reduction = "sum"
// CHECK-NEXT:  %[[LOG:.*]] = llmpar.unary "log" %[[SUM]]
// CHECK-NEXT:  %[[Y:.*]] = llmpar.binary "sub" %{{.*}}, %[[LOG]]
// CHECK-NEXT:  llmpar.cast %[[Y]] {{.*}} -> tensor<4x10xbf16>
llmpar.mesh @mesh <["tp"=3]>
func.func @main(%x: tensor<4x10xbf16> {llmpar.out = #llmpar.sharding<@mesh, [{}, {"tp"}]>}) -> tensor<4x10xbf16> {
  %0 = llmpar.softmax %x {axis = 1, log = true} : (tensor<4x10xbf16>) -> tensor<4x10xbf16>
  return %0 : tensor<4x10xbf16>
}

// -----

// Attention with split keys: the product is of the undivided exponentials, and what is divided is its partial sum.
// CHECK-LABEL: func.func @main
// CHECK:       %[[EXP:.*]] = llmpar.unary "exp"
// CHECK-NEXT:  %[[SUMS:.*]] = llmpar.reduce "sum" %[[EXP]]
// CHECK-NEXT:  %[[SUM:.*]] = llmpar.all_reduce "cp" %[[SUMS]]
// CHECK-NEXT:  %[[PRODUCT:.*]] = llmpar.matmul %[[EXP]], %arg1 {{.*}}partial = {"cp" : sum}
// CHECK-NEXT:  %[[DIVIDED:.*]] = llmpar.binary "div" %[[PRODUCT]], %[[SUM]] {{.*}}llmpar.out = [#llmpar.sharding<@mesh, [{}, {}], partial = {"cp" : sum}>]
// CHECK-NEXT:  %[[Y:.*]] = llmpar.all_reduce "cp" %[[DIVIDED]]
// CHECK-NEXT:  return {{.*}} %[[Y]]
llmpar.mesh @mesh <["cp"=3]>
func.func @main(%s: tensor<4x10xf32> {llmpar.out = #llmpar.sharding<@mesh, [{}, {"cp"}]>},
                %v: tensor<10x6xf32> {llmpar.out = #llmpar.sharding<@mesh, [{"cp"}, {}]>}) -> tensor<4x6xf32> {
  %0 = llmpar.softmax %s {axis = 1} : (tensor<4x10xf32>) -> tensor<4x10xf32>
  %1 = llmpar.matmul %0, %v : (tensor<4x10xf32>, tensor<10x6xf32>) -> tensor<4x6xf32>
  return %1 : tensor<4x6xf32>
}

// -----

// Who else reads the probabilities needs them divided: so does the product then.
// CHECK-LABEL: func.func @main
// CHECK:       %[[P:.*]] = llmpar.binary "div"
// CHECK-NEXT:  llmpar.matmul %[[P]], %arg1
// CHECK-NOT:   llmpar.binary "div"
// CHECK:       return {{.*}}, %[[P]] :
llmpar.mesh @mesh <["cp"=3]>
func.func @main(%s: tensor<4x10xf32> {llmpar.out = #llmpar.sharding<@mesh, [{}, {"cp"}]>},
                %v: tensor<10x6xf32> {llmpar.out = #llmpar.sharding<@mesh, [{"cp"}, {}]>}) -> (tensor<4x6xf32>, tensor<4x10xf32>) {
  %0 = llmpar.softmax %s {axis = 1} : (tensor<4x10xf32>) -> tensor<4x10xf32>
  %1 = llmpar.matmul %0, %v : (tensor<4x10xf32>, tensor<10x6xf32>) -> tensor<4x6xf32>
  return %1, %0 : tensor<4x6xf32>, tensor<4x10xf32>
}

// -----

// A layer norm over split features: the mean of all ten, then the variance about it.
// CHECK-LABEL: func.func @main
// CHECK-NOT:   llmpar.layer_norm
// CHECK:       %[[SUM:.*]] = llmpar.all_reduce "tp" {{.*}}reduction = "sum"{{.*}} (tensor<4x1xf32>)
// CHECK:       %[[N:.*]] = llmpar.constant dense<1.000000e+01>
// CHECK:       %[[MEAN:.*]] = llmpar.binary "div" %[[SUM]], %[[N]]
// CHECK-NEXT:  %[[CENTERED:.*]] = llmpar.binary "sub" %arg0, %[[MEAN]]
// CHECK-NEXT:  llmpar.binary "mul" %[[CENTERED]], %[[CENTERED]]
// CHECK:       llmpar.all_reduce "tp" {{.*}}reduction = "sum"{{.*}} (tensor<4x1xf32>)
// CHECK:       llmpar.unary "rsqrt"
// CHECK-NOT:   llmpar.all_
// CHECK:       return
llmpar.mesh @mesh <["tp"=3]>
func.func @main(%x: tensor<4x10xf32> {llmpar.out = #llmpar.sharding<@mesh, [{}, {"tp"}]>}, %scale: tensor<10xf32> {llmpar.out = #llmpar.sharding<@mesh, [{"tp"}]>}) -> tensor<4x10xf32> {
  %0 = llmpar.layer_norm %x, %scale {axis = 1, epsilon = 1.0e-5} : (tensor<4x10xf32>, tensor<10xf32>) -> tensor<4x10xf32>
  return %0 : tensor<4x10xf32>
}

// -----

// The index of the largest logit of a split vocabulary: the least index of all shards that has the largest value.
// CHECK-LABEL: func.func @main
// CHECK:       llmpar.all_reduce "tp" {{.*}}reduction = "max"
// CHECK:       llmpar.iota
// CHECK:       llmpar.select
// CHECK:       %[[INDEX:.*]] = llmpar.all_reduce "tp" {{.*}}reduction = "min"{{.*}} (tensor<4xi64>)
// CHECK-NEXT:  return {{.*}} %[[INDEX]]
llmpar.mesh @mesh <["tp"=3]>
func.func @main(%x: tensor<4x10xf32> {llmpar.out = #llmpar.sharding<@mesh, [{}, {"tp"}]>}) -> tensor<4xi64> {
  %0 = llmpar.arg_reduce %x {axis = 1, keep_dims = false, largest = true, last = false} : (tensor<4x10xf32>) -> tensor<4xi64>
  return %0 : tensor<4xi64>
}

// -----

// What depends on no input is computed before the first step, without collectives: its slice is taken.
// CHECK-LABEL: func.func @main
// CHECK:       %[[P:.*]] = llmpar.softmax
// CHECK-NEXT:  %[[SLICE:.*]] = llmpar.all_slice "tp" %[[P]]
// CHECK-NEXT:  llmpar.binary "add" %arg0, %[[SLICE]]
llmpar.mesh @mesh <["tp"=3]>
func.func @main(%x: tensor<4x10xf32> {llmpar.out = #llmpar.sharding<@mesh, [{}, {"tp"}]>}) -> tensor<4x10xf32> {
  %w = llmpar.iota {axis = 1, start = 0.5, step = 0.25} : tensor<4x10xf32>
  %p = llmpar.softmax %w {axis = 1} : (tensor<4x10xf32>) -> tensor<4x10xf32>
  %0 = llmpar.binary "add" %x, %p : (tensor<4x10xf32>, tensor<4x10xf32>) -> tensor<4x10xf32>
  return %0 : tensor<4x10xf32>
}
