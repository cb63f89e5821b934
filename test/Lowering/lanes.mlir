// RUN: llmpar-opt %s --split-input-file --llmpar-lower-to-runtime | FileCheck %s

// A collective has a lane of its own. It waits for its operand, and who reads its result waits for it; the rest
// follows from these. The next all_reduce is in program order behind the last one: no wait for it.
// CHECK-LABEL: llmpar_rt.rank 0
// CHECK:           llmpar_rt.main {
// CHECK-NEXT:        "unary" {{.*}} floats [1.000000e+00, 0.000000e+00] flops
// CHECK-NEXT:        "all_reduce" {{.*}} group [0, 1] lane "communication" waits [0] bytes
// CHECK-NEXT:        "unary" {{.*}} waits [1] flops
// CHECK-NEXT:        "unary" {{.*}} floats [1.000000e+00, 0.000000e+00] flops
// CHECK-NEXT:        "all_reduce" {{.*}} lane "communication" waits [3] bytes
// CHECK-NEXT:      }
llmpar.mesh @mesh <["tp"=2]>
func.func @a_collective_waits_for_its_operand(%x: tensor<6xf32>) -> tensor<6xf32> {
  %0 = llmpar.unary "exp" %x : (tensor<6xf32>) -> tensor<6xf32>
  %1 = llmpar.all_reduce "tp" %0 {reduction = "sum"} : (tensor<6xf32>) -> tensor<6xf32>
  %2 = llmpar.unary "neg" %1 : (tensor<6xf32>) -> tensor<6xf32>
  %3 = llmpar.unary "exp" %2 : (tensor<6xf32>) -> tensor<6xf32>
  %4 = llmpar.all_reduce "tp" %3 {reduction = "sum"} : (tensor<6xf32>) -> tensor<6xf32>
  return %4 : tensor<6xf32>
}

// -----

// What does not need the collective goes between it and its reader, and waits for nobody.
// CHECK-LABEL: llmpar_rt.rank 0
// CHECK:           llmpar_rt.main {
// CHECK-NEXT:        "unary"
// CHECK-NEXT:        "all_reduce" {{.*}} lane "communication" waits [0]
// CHECK-NEXT:        "binary" {{.*}} : tensor<4xf32>) ints [2] flops
// CHECK-NEXT:        "binary" {{.*}} : tensor<6xf32>) ints [0] waits [1] flops
// CHECK-NEXT:      }
llmpar.mesh @mesh <["tp"=2]>
func.func @independent_work_goes_before_the_reader(%x: tensor<6xf32>, %y: tensor<4xf32>) -> (tensor<6xf32>, tensor<4xf32>) {
  %0 = llmpar.unary "exp" %x : (tensor<6xf32>) -> tensor<6xf32>
  %1 = llmpar.all_reduce "tp" %0 {reduction = "sum"} : (tensor<6xf32>) -> tensor<6xf32>
  %2 = llmpar.binary "add" %1, %x : (tensor<6xf32>, tensor<6xf32>) -> tensor<6xf32>
  %3 = llmpar.binary "mul" %y, %y : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return %2, %3 : tensor<6xf32>, tensor<4xf32>
}

// -----

// A collective goes right behind its operand: it does not wait for what stood between.
// CHECK-LABEL: llmpar_rt.rank 0
// CHECK:           llmpar_rt.main {
// CHECK-NEXT:        "unary" {{.*}} : tensor<6xf32>
// CHECK-NEXT:        "all_reduce" {{.*}} lane "communication" waits [0]
// CHECK-NEXT:        "binary" {{.*}} : tensor<4xf32>
// CHECK-NEXT:        "binary" {{.*}} : tensor<6xf32>) ints [0] waits [1]
llmpar.mesh @mesh <["tp"=2]>
func.func @a_collective_starts_early(%x: tensor<6xf32>, %y: tensor<4xf32>) -> (tensor<6xf32>, tensor<4xf32>) {
  %0 = llmpar.unary "exp" %x : (tensor<6xf32>) -> tensor<6xf32>
  %1 = llmpar.binary "mul" %y, %y : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  %2 = llmpar.all_reduce "tp" %0 {reduction = "sum"} : (tensor<6xf32>) -> tensor<6xf32>
  %3 = llmpar.binary "add" %2, %x : (tensor<6xf32>, tensor<6xf32>) -> tensor<6xf32>
  return %3, %1 : tensor<6xf32>, tensor<4xf32>
}

// -----

// Not so where that takes more memory: the large temporary of the second half would live beside that of the first.
// CHECK-LABEL: llmpar_rt.rank 0
// CHECK:           llmpar_rt.main {
// CHECK-NEXT:        "broadcast"
// CHECK-NEXT:        "all_reduce" {{.*}} lane "communication" waits [0]
// CHECK-NEXT:        "reduce" {{.*}} waits [1]
// CHECK-NEXT:        "broadcast"
// CHECK-NEXT:        "reduce"
// CHECK-NEXT:      }
llmpar.mesh @mesh <["tp"=2]>
func.func @more_memory_is_no_price(%x: tensor<6xf32>) -> (tensor<6xf32>, tensor<6xf32>) {
  %0 = llmpar.broadcast %x : (tensor<6xf32>) -> tensor<100x6xf32>
  %1 = llmpar.all_reduce "tp" %0 {reduction = "sum"} : (tensor<100x6xf32>) -> tensor<100x6xf32>
  %2 = llmpar.reduce "sum" %1 {axes = array<i64: 0>, keep_dims = false} : (tensor<100x6xf32>) -> tensor<6xf32>
  %3 = llmpar.broadcast %x : (tensor<6xf32>) -> tensor<100x6xf32>
  %4 = llmpar.reduce "max" %3 {axes = array<i64: 0>, keep_dims = false} : (tensor<100x6xf32>) -> tensor<6xf32>
  return %2, %4 : tensor<6xf32>, tensor<6xf32>
}

// -----

// The operand of a running collective is not overwritten by work that does not wait for it, though nobody else reads
// it. Behind the join its memory is free.
// CHECK-LABEL: llmpar_rt.rank 0
// CHECK:           llmpar_rt.main {
// CHECK-NEXT:        "unary" {{.*}} outs(activations+[[A:[0-9]+]] : tensor<6xf32>)
// CHECK-NEXT:        "all_gather" ins(activations+[[A]] : tensor<6xf32>) {{.*}} waits [0]
// CHECK-NOT:         outs(activations+[[A]] :
// CHECK:             "binary" {{.*}} : tensor<12xf32>) ints [0] waits [1]
// CHECK-NEXT:        "slice" {{.*}} outs(activations+[[A]] : tensor<6xf32>)
llmpar.mesh @mesh <["tp"=2]>
func.func @memory_is_kept_until_the_join(%x: tensor<6xf32> {llmpar.out = #llmpar.sharding<@mesh, [{"tp"}]>, llmpar.global = tensor<12xf32>}, %y: tensor<6xf32>) -> tensor<6xf32> {
  %0 = llmpar.unary "exp" %x {llmpar.out = [#llmpar.sharding<@mesh, [{"tp"}]>], llmpar.global = [tensor<12xf32>]} : (tensor<6xf32>) -> tensor<6xf32>
  %1 = llmpar.all_gather "tp" %0 {dim = 0 : i64, llmpar.out = [#llmpar.sharding<@mesh, [{}]>], llmpar.global = [tensor<12xf32>]} : (tensor<6xf32>) -> tensor<12xf32>
  %2 = llmpar.slice %y {starts = array<i64: 1>, steps = array<i64: 1>} : (tensor<6xf32>) -> tensor<1xf32>
  %3 = llmpar.binary "add" %1, %2 : (tensor<12xf32>, tensor<1xf32>) -> tensor<12xf32>
  %4 = llmpar.slice %3 {starts = array<i64: 1>, steps = array<i64: 1>} : (tensor<12xf32>) -> tensor<6xf32>
  %5 = llmpar.binary "add" %4, %y : (tensor<6xf32>, tensor<6xf32>) -> tensor<6xf32>
  return %5 : tensor<6xf32>
}
