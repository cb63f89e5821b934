// RUN: llmpar-opt %s --llmpar-raise-experts | FileCheck %s

llmpar.weight @g0 : tensor<10x6xf32> from <"w.bin", 0, 240>
llmpar.weight @g1 : tensor<10x6xf32> from <"w.bin", 1000, 240>
llmpar.weight @g2 : tensor<10x6xf32> from <"w.bin", 2000, 240>
llmpar.weight @u0 : tensor<10x6xf32> from <"w.bin", 3000, 240>
llmpar.weight @u1 : tensor<10x6xf32> from <"w.bin", 4000, 240>
llmpar.weight @u2 : tensor<10x6xf32> from <"w.bin", 5000, 240>
llmpar.weight @d0 : tensor<6x10xf32> from <"w.bin", 6000, 240>
llmpar.weight @d1 : tensor<6x10xf32> from <"w.bin", 7000, 240>
llmpar.weight @d2 : tensor<6x10xf32> from <"w.bin", 8000, 240>

// The weights of the experts become one, by reference to the parts.
// CHECK-DAG: llmpar.weight @"g*" : tensor<3x10x6xf32> from [<"w.bin", 0, 240>, <"w.bin", 1000, 240>, <"w.bin", 2000, 240>]
// CHECK-DAG: llmpar.weight @"d*" : tensor<3x6x10xf32> from [<"w.bin", 6000, 240>, <"w.bin", 7000, 240>, <"w.bin", 8000, 240>]

// CHECK-LABEL: func.func @gated_experts_of_one_top_k_are_one_op
// CHECK:       %[[VALUES:.*]], %[[INDICES:.*]] = llmpar.top_k
// CHECK-DAG:   %[[UP:.*]] = llmpar.load_weight @"u*"
// CHECK-DAG:   %[[DOWN:.*]] = llmpar.load_weight @"d*"
// CHECK-DAG:   %[[GATE:.*]] = llmpar.load_weight @"g*"
// CHECK:       %[[IS:.*]] = llmpar.binary "equal"
// CHECK:       %[[MASK:.*]] = llmpar.cast %[[IS]] : (tensor<2x3x2x3xi1>) -> tensor<2x3x2x3xf32>
// CHECK:       %[[CHOSEN:.*]] = llmpar.binary "mul" %{{.*}}, %[[MASK]]
// CHECK:       %[[ROUTING:.*]] = llmpar.reduce "sum" %[[CHOSEN]] {axes = array<i64: 2>, keep_dims = false} : (tensor<2x3x2x3xf32>) -> tensor<2x3x3xf32>
// CHECK:       %[[Y:.*]] = llmpar.experts "silu" %arg0, %[[ROUTING]] up %[[UP]] down %[[DOWN]] gate %[[GATE]] {experts = 3 : i64, k = 2 : i64}
// CHECK-NEXT:  return %[[Y]]
func.func @gated_experts_of_one_top_k_are_one_op(%x: tensor<2x3x6xf32>, %scores: tensor<2x3x3xf32>) -> (tensor<2x3x6xf32>) {
  %values, %indices = llmpar.top_k %scores {k = 2, axis = 2, largest = true} : (tensor<2x3x3xf32>) -> (tensor<2x3x2xf32>, tensor<2x3x2xi64>)
  %g0w = llmpar.load_weight @g0 : tensor<10x6xf32>
  %g0 = llmpar.matmul %x, %g0w {transpose_b = true} : (tensor<2x3x6xf32>, tensor<10x6xf32>) -> tensor<2x3x10xf32>
  %s0 = llmpar.unary "sigmoid" %g0 : (tensor<2x3x10xf32>) -> tensor<2x3x10xf32>
  %a0 = llmpar.binary "mul" %g0, %s0 : (tensor<2x3x10xf32>, tensor<2x3x10xf32>) -> tensor<2x3x10xf32>
  %u0w = llmpar.load_weight @u0 : tensor<10x6xf32>
  %u0 = llmpar.matmul %x, %u0w {transpose_b = true} : (tensor<2x3x6xf32>, tensor<10x6xf32>) -> tensor<2x3x10xf32>
  %i0 = llmpar.binary "mul" %a0, %u0 : (tensor<2x3x10xf32>, tensor<2x3x10xf32>) -> tensor<2x3x10xf32>
  %d0w = llmpar.load_weight @d0 : tensor<6x10xf32>
  %d0 = llmpar.matmul %i0, %d0w {transpose_b = true} : (tensor<2x3x10xf32>, tensor<6x10xf32>) -> tensor<2x3x6xf32>
  %n0 = llmpar.constant dense<0> : tensor<i64> : tensor<i64>
  %q0 = llmpar.binary "equal" %indices, %n0 : (tensor<2x3x2xi64>, tensor<i64>) -> tensor<2x3x2xi1>
  %m0 = llmpar.cast %q0 : (tensor<2x3x2xi1>) -> tensor<2x3x2xf32>
  %p0 = llmpar.binary "mul" %values, %m0 : (tensor<2x3x2xf32>, tensor<2x3x2xf32>) -> tensor<2x3x2xf32>
  %c0 = llmpar.reduce "sum" %p0 {axes = array<i64: 2>, keep_dims = true} : (tensor<2x3x2xf32>) -> tensor<2x3x1xf32>
  %y0 = llmpar.binary "mul" %d0, %c0 : (tensor<2x3x6xf32>, tensor<2x3x1xf32>) -> tensor<2x3x6xf32>
  %g1w = llmpar.load_weight @g1 : tensor<10x6xf32>
  %g1 = llmpar.matmul %x, %g1w {transpose_b = true} : (tensor<2x3x6xf32>, tensor<10x6xf32>) -> tensor<2x3x10xf32>
  %s1 = llmpar.unary "sigmoid" %g1 : (tensor<2x3x10xf32>) -> tensor<2x3x10xf32>
  %a1 = llmpar.binary "mul" %g1, %s1 : (tensor<2x3x10xf32>, tensor<2x3x10xf32>) -> tensor<2x3x10xf32>
  %u1w = llmpar.load_weight @u1 : tensor<10x6xf32>
  %u1 = llmpar.matmul %x, %u1w {transpose_b = true} : (tensor<2x3x6xf32>, tensor<10x6xf32>) -> tensor<2x3x10xf32>
  %i1 = llmpar.binary "mul" %a1, %u1 : (tensor<2x3x10xf32>, tensor<2x3x10xf32>) -> tensor<2x3x10xf32>
  %d1w = llmpar.load_weight @d1 : tensor<6x10xf32>
  %d1 = llmpar.matmul %i1, %d1w {transpose_b = true} : (tensor<2x3x10xf32>, tensor<6x10xf32>) -> tensor<2x3x6xf32>
  %n1 = llmpar.constant dense<1> : tensor<i64> : tensor<i64>
  %q1 = llmpar.binary "equal" %indices, %n1 : (tensor<2x3x2xi64>, tensor<i64>) -> tensor<2x3x2xi1>
  %m1 = llmpar.cast %q1 : (tensor<2x3x2xi1>) -> tensor<2x3x2xf32>
  %p1 = llmpar.binary "mul" %values, %m1 : (tensor<2x3x2xf32>, tensor<2x3x2xf32>) -> tensor<2x3x2xf32>
  %c1 = llmpar.reduce "sum" %p1 {axes = array<i64: 2>, keep_dims = true} : (tensor<2x3x2xf32>) -> tensor<2x3x1xf32>
  %y1 = llmpar.binary "mul" %d1, %c1 : (tensor<2x3x6xf32>, tensor<2x3x1xf32>) -> tensor<2x3x6xf32>
  %g2w = llmpar.load_weight @g2 : tensor<10x6xf32>
  %g2 = llmpar.matmul %x, %g2w {transpose_b = true} : (tensor<2x3x6xf32>, tensor<10x6xf32>) -> tensor<2x3x10xf32>
  %s2 = llmpar.unary "sigmoid" %g2 : (tensor<2x3x10xf32>) -> tensor<2x3x10xf32>
  %a2 = llmpar.binary "mul" %g2, %s2 : (tensor<2x3x10xf32>, tensor<2x3x10xf32>) -> tensor<2x3x10xf32>
  %u2w = llmpar.load_weight @u2 : tensor<10x6xf32>
  %u2 = llmpar.matmul %x, %u2w {transpose_b = true} : (tensor<2x3x6xf32>, tensor<10x6xf32>) -> tensor<2x3x10xf32>
  %i2 = llmpar.binary "mul" %a2, %u2 : (tensor<2x3x10xf32>, tensor<2x3x10xf32>) -> tensor<2x3x10xf32>
  %d2w = llmpar.load_weight @d2 : tensor<6x10xf32>
  %d2 = llmpar.matmul %i2, %d2w {transpose_b = true} : (tensor<2x3x10xf32>, tensor<6x10xf32>) -> tensor<2x3x6xf32>
  %n2 = llmpar.constant dense<2> : tensor<i64> : tensor<i64>
  %q2 = llmpar.binary "equal" %indices, %n2 : (tensor<2x3x2xi64>, tensor<i64>) -> tensor<2x3x2xi1>
  %m2 = llmpar.cast %q2 : (tensor<2x3x2xi1>) -> tensor<2x3x2xf32>
  %p2 = llmpar.binary "mul" %values, %m2 : (tensor<2x3x2xf32>, tensor<2x3x2xf32>) -> tensor<2x3x2xf32>
  %c2 = llmpar.reduce "sum" %p2 {axes = array<i64: 2>, keep_dims = true} : (tensor<2x3x2xf32>) -> tensor<2x3x1xf32>
  %y2 = llmpar.binary "mul" %d2, %c2 : (tensor<2x3x6xf32>, tensor<2x3x1xf32>) -> tensor<2x3x6xf32>
  %t1 = llmpar.binary "add" %y0, %y1 : (tensor<2x3x6xf32>, tensor<2x3x6xf32>) -> tensor<2x3x6xf32>
  %t2 = llmpar.binary "add" %t1, %y2 : (tensor<2x3x6xf32>, tensor<2x3x6xf32>) -> tensor<2x3x6xf32>
  return %t2 : tensor<2x3x6xf32>
}

// CHECK-LABEL: func.func @experts_without_gate_in_any_order
// CHECK:       llmpar.experts "relu" %arg0, %{{.*}} up %{{.*}} down %{{.*}} {experts = 2 : i64, k = 1 : i64}
// CHECK-NEXT:  return
func.func @experts_without_gate_in_any_order(%x: tensor<2x3x6xf32>, %scores: tensor<2x3x2xf32>) -> (tensor<2x3x6xf32>) {
  %values, %indices = llmpar.top_k %scores {k = 1, axis = 2, largest = true} : (tensor<2x3x2xf32>) -> (tensor<2x3x1xf32>, tensor<2x3x1xi64>)
  %u0w = llmpar.load_weight @u0 : tensor<10x6xf32>
  %u0 = llmpar.matmul %x, %u0w {transpose_b = true} : (tensor<2x3x6xf32>, tensor<10x6xf32>) -> tensor<2x3x10xf32>
  %a0 = llmpar.unary "relu" %u0 : (tensor<2x3x10xf32>) -> tensor<2x3x10xf32>
  %d0w = llmpar.load_weight @d0 : tensor<6x10xf32>
  %d0 = llmpar.matmul %a0, %d0w {transpose_b = true} : (tensor<2x3x10xf32>, tensor<6x10xf32>) -> tensor<2x3x6xf32>
  %n0 = llmpar.constant dense<0> : tensor<i64> : tensor<i64>
  %q0 = llmpar.binary "equal" %indices, %n0 : (tensor<2x3x1xi64>, tensor<i64>) -> tensor<2x3x1xi1>
  %m0 = llmpar.cast %q0 : (tensor<2x3x1xi1>) -> tensor<2x3x1xf32>
  %p0 = llmpar.binary "mul" %values, %m0 : (tensor<2x3x1xf32>, tensor<2x3x1xf32>) -> tensor<2x3x1xf32>
  %c0 = llmpar.reduce "sum" %p0 {axes = array<i64: 2>, keep_dims = true} : (tensor<2x3x1xf32>) -> tensor<2x3x1xf32>
  %y0 = llmpar.binary "mul" %d0, %c0 : (tensor<2x3x6xf32>, tensor<2x3x1xf32>) -> tensor<2x3x6xf32>
  %u1w = llmpar.load_weight @u1 : tensor<10x6xf32>
  %u1 = llmpar.matmul %x, %u1w {transpose_b = true} : (tensor<2x3x6xf32>, tensor<10x6xf32>) -> tensor<2x3x10xf32>
  %a1 = llmpar.unary "relu" %u1 : (tensor<2x3x10xf32>) -> tensor<2x3x10xf32>
  %d1w = llmpar.load_weight @d1 : tensor<6x10xf32>
  %d1 = llmpar.matmul %a1, %d1w {transpose_b = true} : (tensor<2x3x10xf32>, tensor<6x10xf32>) -> tensor<2x3x6xf32>
  %n1 = llmpar.constant dense<1> : tensor<i64> : tensor<i64>
  %q1 = llmpar.binary "equal" %indices, %n1 : (tensor<2x3x1xi64>, tensor<i64>) -> tensor<2x3x1xi1>
  %m1 = llmpar.cast %q1 : (tensor<2x3x1xi1>) -> tensor<2x3x1xf32>
  %p1 = llmpar.binary "mul" %values, %m1 : (tensor<2x3x1xf32>, tensor<2x3x1xf32>) -> tensor<2x3x1xf32>
  %c1 = llmpar.reduce "sum" %p1 {axes = array<i64: 2>, keep_dims = true} : (tensor<2x3x1xf32>) -> tensor<2x3x1xf32>
  %y1 = llmpar.binary "mul" %d1, %c1 : (tensor<2x3x6xf32>, tensor<2x3x1xf32>) -> tensor<2x3x6xf32>
  %t2 = llmpar.binary "add" %y1, %y0 : (tensor<2x3x6xf32>, tensor<2x3x6xf32>) -> tensor<2x3x6xf32>
  return %t2 : tensor<2x3x6xf32>
}

// CHECK-LABEL: func.func @other_terms_of_the_sum_stay
// CHECK:       %[[Y:.*]] = llmpar.experts
// CHECK-NEXT:  %[[SUM:.*]] = llmpar.binary "add" %arg0, %[[Y]]
// CHECK-NEXT:  return %[[SUM]]
func.func @other_terms_of_the_sum_stay(%x: tensor<2x3x6xf32>, %scores: tensor<2x3x2xf32>) -> (tensor<2x3x6xf32>) {
  %values, %indices = llmpar.top_k %scores {k = 1, axis = 2, largest = true} : (tensor<2x3x2xf32>) -> (tensor<2x3x1xf32>, tensor<2x3x1xi64>)
  %g0w = llmpar.load_weight @g0 : tensor<10x6xf32>
  %g0 = llmpar.matmul %x, %g0w {transpose_b = true} : (tensor<2x3x6xf32>, tensor<10x6xf32>) -> tensor<2x3x10xf32>
  %s0 = llmpar.unary "sigmoid" %g0 : (tensor<2x3x10xf32>) -> tensor<2x3x10xf32>
  %a0 = llmpar.binary "mul" %g0, %s0 : (tensor<2x3x10xf32>, tensor<2x3x10xf32>) -> tensor<2x3x10xf32>
  %u0w = llmpar.load_weight @u0 : tensor<10x6xf32>
  %u0 = llmpar.matmul %x, %u0w {transpose_b = true} : (tensor<2x3x6xf32>, tensor<10x6xf32>) -> tensor<2x3x10xf32>
  %i0 = llmpar.binary "mul" %a0, %u0 : (tensor<2x3x10xf32>, tensor<2x3x10xf32>) -> tensor<2x3x10xf32>
  %d0w = llmpar.load_weight @d0 : tensor<6x10xf32>
  %d0 = llmpar.matmul %i0, %d0w {transpose_b = true} : (tensor<2x3x10xf32>, tensor<6x10xf32>) -> tensor<2x3x6xf32>
  %n0 = llmpar.constant dense<0> : tensor<i64> : tensor<i64>
  %q0 = llmpar.binary "equal" %indices, %n0 : (tensor<2x3x1xi64>, tensor<i64>) -> tensor<2x3x1xi1>
  %m0 = llmpar.cast %q0 : (tensor<2x3x1xi1>) -> tensor<2x3x1xf32>
  %p0 = llmpar.binary "mul" %values, %m0 : (tensor<2x3x1xf32>, tensor<2x3x1xf32>) -> tensor<2x3x1xf32>
  %c0 = llmpar.reduce "sum" %p0 {axes = array<i64: 2>, keep_dims = true} : (tensor<2x3x1xf32>) -> tensor<2x3x1xf32>
  %y0 = llmpar.binary "mul" %d0, %c0 : (tensor<2x3x6xf32>, tensor<2x3x1xf32>) -> tensor<2x3x6xf32>
  %g1w = llmpar.load_weight @g1 : tensor<10x6xf32>
  %g1 = llmpar.matmul %x, %g1w {transpose_b = true} : (tensor<2x3x6xf32>, tensor<10x6xf32>) -> tensor<2x3x10xf32>
  %s1 = llmpar.unary "sigmoid" %g1 : (tensor<2x3x10xf32>) -> tensor<2x3x10xf32>
  %a1 = llmpar.binary "mul" %g1, %s1 : (tensor<2x3x10xf32>, tensor<2x3x10xf32>) -> tensor<2x3x10xf32>
  %u1w = llmpar.load_weight @u1 : tensor<10x6xf32>
  %u1 = llmpar.matmul %x, %u1w {transpose_b = true} : (tensor<2x3x6xf32>, tensor<10x6xf32>) -> tensor<2x3x10xf32>
  %i1 = llmpar.binary "mul" %a1, %u1 : (tensor<2x3x10xf32>, tensor<2x3x10xf32>) -> tensor<2x3x10xf32>
  %d1w = llmpar.load_weight @d1 : tensor<6x10xf32>
  %d1 = llmpar.matmul %i1, %d1w {transpose_b = true} : (tensor<2x3x10xf32>, tensor<6x10xf32>) -> tensor<2x3x6xf32>
  %n1 = llmpar.constant dense<1> : tensor<i64> : tensor<i64>
  %q1 = llmpar.binary "equal" %indices, %n1 : (tensor<2x3x1xi64>, tensor<i64>) -> tensor<2x3x1xi1>
  %m1 = llmpar.cast %q1 : (tensor<2x3x1xi1>) -> tensor<2x3x1xf32>
  %p1 = llmpar.binary "mul" %values, %m1 : (tensor<2x3x1xf32>, tensor<2x3x1xf32>) -> tensor<2x3x1xf32>
  %c1 = llmpar.reduce "sum" %p1 {axes = array<i64: 2>, keep_dims = true} : (tensor<2x3x1xf32>) -> tensor<2x3x1xf32>
  %y1 = llmpar.binary "mul" %d1, %c1 : (tensor<2x3x6xf32>, tensor<2x3x1xf32>) -> tensor<2x3x6xf32>
  %t0 = llmpar.binary "add" %x, %y0 : (tensor<2x3x6xf32>, tensor<2x3x6xf32>) -> tensor<2x3x6xf32>
  %t2 = llmpar.binary "add" %t0, %y1 : (tensor<2x3x6xf32>, tensor<2x3x6xf32>) -> tensor<2x3x6xf32>
  return %t2 : tensor<2x3x6xf32>
}

// Experts that differ stay.
// CHECK-LABEL: func.func @an_expert_with_another_function_keeps_all
// CHECK-NOT:   llmpar.experts
// CHECK:       return
func.func @an_expert_with_another_function_keeps_all(%x: tensor<2x3x6xf32>, %scores: tensor<2x3x2xf32>) -> (tensor<2x3x6xf32>) {
  %values, %indices = llmpar.top_k %scores {k = 1, axis = 2, largest = true} : (tensor<2x3x2xf32>) -> (tensor<2x3x1xf32>, tensor<2x3x1xi64>)
  %g0w = llmpar.load_weight @g0 : tensor<10x6xf32>
  %g0 = llmpar.matmul %x, %g0w {transpose_b = true} : (tensor<2x3x6xf32>, tensor<10x6xf32>) -> tensor<2x3x10xf32>
  %s0 = llmpar.unary "sigmoid" %g0 : (tensor<2x3x10xf32>) -> tensor<2x3x10xf32>
  %a0 = llmpar.binary "mul" %g0, %s0 : (tensor<2x3x10xf32>, tensor<2x3x10xf32>) -> tensor<2x3x10xf32>
  %u0w = llmpar.load_weight @u0 : tensor<10x6xf32>
  %u0 = llmpar.matmul %x, %u0w {transpose_b = true} : (tensor<2x3x6xf32>, tensor<10x6xf32>) -> tensor<2x3x10xf32>
  %i0 = llmpar.binary "mul" %a0, %u0 : (tensor<2x3x10xf32>, tensor<2x3x10xf32>) -> tensor<2x3x10xf32>
  %d0w = llmpar.load_weight @d0 : tensor<6x10xf32>
  %d0 = llmpar.matmul %i0, %d0w {transpose_b = true} : (tensor<2x3x10xf32>, tensor<6x10xf32>) -> tensor<2x3x6xf32>
  %n0 = llmpar.constant dense<0> : tensor<i64> : tensor<i64>
  %q0 = llmpar.binary "equal" %indices, %n0 : (tensor<2x3x1xi64>, tensor<i64>) -> tensor<2x3x1xi1>
  %m0 = llmpar.cast %q0 : (tensor<2x3x1xi1>) -> tensor<2x3x1xf32>
  %p0 = llmpar.binary "mul" %values, %m0 : (tensor<2x3x1xf32>, tensor<2x3x1xf32>) -> tensor<2x3x1xf32>
  %c0 = llmpar.reduce "sum" %p0 {axes = array<i64: 2>, keep_dims = true} : (tensor<2x3x1xf32>) -> tensor<2x3x1xf32>
  %y0 = llmpar.binary "mul" %d0, %c0 : (tensor<2x3x6xf32>, tensor<2x3x1xf32>) -> tensor<2x3x6xf32>
  %g1w = llmpar.load_weight @g1 : tensor<10x6xf32>
  %g1 = llmpar.matmul %x, %g1w {transpose_b = true} : (tensor<2x3x6xf32>, tensor<10x6xf32>) -> tensor<2x3x10xf32>
  %a1 = llmpar.unary "relu" %g1 : (tensor<2x3x10xf32>) -> tensor<2x3x10xf32>
  %u1w = llmpar.load_weight @u1 : tensor<10x6xf32>
  %u1 = llmpar.matmul %x, %u1w {transpose_b = true} : (tensor<2x3x6xf32>, tensor<10x6xf32>) -> tensor<2x3x10xf32>
  %i1 = llmpar.binary "mul" %a1, %u1 : (tensor<2x3x10xf32>, tensor<2x3x10xf32>) -> tensor<2x3x10xf32>
  %d1w = llmpar.load_weight @d1 : tensor<6x10xf32>
  %d1 = llmpar.matmul %i1, %d1w {transpose_b = true} : (tensor<2x3x10xf32>, tensor<6x10xf32>) -> tensor<2x3x6xf32>
  %n1 = llmpar.constant dense<1> : tensor<i64> : tensor<i64>
  %q1 = llmpar.binary "equal" %indices, %n1 : (tensor<2x3x1xi64>, tensor<i64>) -> tensor<2x3x1xi1>
  %m1 = llmpar.cast %q1 : (tensor<2x3x1xi1>) -> tensor<2x3x1xf32>
  %p1 = llmpar.binary "mul" %values, %m1 : (tensor<2x3x1xf32>, tensor<2x3x1xf32>) -> tensor<2x3x1xf32>
  %c1 = llmpar.reduce "sum" %p1 {axes = array<i64: 2>, keep_dims = true} : (tensor<2x3x1xf32>) -> tensor<2x3x1xf32>
  %y1 = llmpar.binary "mul" %d1, %c1 : (tensor<2x3x6xf32>, tensor<2x3x1xf32>) -> tensor<2x3x6xf32>
  %t2 = llmpar.binary "add" %y0, %y1 : (tensor<2x3x6xf32>, tensor<2x3x6xf32>) -> tensor<2x3x6xf32>
  return %t2 : tensor<2x3x6xf32>
}

// The top-k has three experts, the sum two.
// CHECK-LABEL: func.func @a_missing_expert_keeps_the_others
// CHECK-NOT:   llmpar.experts
// CHECK:       return
func.func @a_missing_expert_keeps_the_others(%x: tensor<2x3x6xf32>, %scores: tensor<2x3x3xf32>) -> (tensor<2x3x6xf32>) {
  %values, %indices = llmpar.top_k %scores {k = 2, axis = 2, largest = true} : (tensor<2x3x3xf32>) -> (tensor<2x3x2xf32>, tensor<2x3x2xi64>)
  %g0w = llmpar.load_weight @g0 : tensor<10x6xf32>
  %g0 = llmpar.matmul %x, %g0w {transpose_b = true} : (tensor<2x3x6xf32>, tensor<10x6xf32>) -> tensor<2x3x10xf32>
  %s0 = llmpar.unary "sigmoid" %g0 : (tensor<2x3x10xf32>) -> tensor<2x3x10xf32>
  %a0 = llmpar.binary "mul" %g0, %s0 : (tensor<2x3x10xf32>, tensor<2x3x10xf32>) -> tensor<2x3x10xf32>
  %u0w = llmpar.load_weight @u0 : tensor<10x6xf32>
  %u0 = llmpar.matmul %x, %u0w {transpose_b = true} : (tensor<2x3x6xf32>, tensor<10x6xf32>) -> tensor<2x3x10xf32>
  %i0 = llmpar.binary "mul" %a0, %u0 : (tensor<2x3x10xf32>, tensor<2x3x10xf32>) -> tensor<2x3x10xf32>
  %d0w = llmpar.load_weight @d0 : tensor<6x10xf32>
  %d0 = llmpar.matmul %i0, %d0w {transpose_b = true} : (tensor<2x3x10xf32>, tensor<6x10xf32>) -> tensor<2x3x6xf32>
  %n0 = llmpar.constant dense<0> : tensor<i64> : tensor<i64>
  %q0 = llmpar.binary "equal" %indices, %n0 : (tensor<2x3x2xi64>, tensor<i64>) -> tensor<2x3x2xi1>
  %m0 = llmpar.cast %q0 : (tensor<2x3x2xi1>) -> tensor<2x3x2xf32>
  %p0 = llmpar.binary "mul" %values, %m0 : (tensor<2x3x2xf32>, tensor<2x3x2xf32>) -> tensor<2x3x2xf32>
  %c0 = llmpar.reduce "sum" %p0 {axes = array<i64: 2>, keep_dims = true} : (tensor<2x3x2xf32>) -> tensor<2x3x1xf32>
  %y0 = llmpar.binary "mul" %d0, %c0 : (tensor<2x3x6xf32>, tensor<2x3x1xf32>) -> tensor<2x3x6xf32>
  %g1w = llmpar.load_weight @g1 : tensor<10x6xf32>
  %g1 = llmpar.matmul %x, %g1w {transpose_b = true} : (tensor<2x3x6xf32>, tensor<10x6xf32>) -> tensor<2x3x10xf32>
  %s1 = llmpar.unary "sigmoid" %g1 : (tensor<2x3x10xf32>) -> tensor<2x3x10xf32>
  %a1 = llmpar.binary "mul" %g1, %s1 : (tensor<2x3x10xf32>, tensor<2x3x10xf32>) -> tensor<2x3x10xf32>
  %u1w = llmpar.load_weight @u1 : tensor<10x6xf32>
  %u1 = llmpar.matmul %x, %u1w {transpose_b = true} : (tensor<2x3x6xf32>, tensor<10x6xf32>) -> tensor<2x3x10xf32>
  %i1 = llmpar.binary "mul" %a1, %u1 : (tensor<2x3x10xf32>, tensor<2x3x10xf32>) -> tensor<2x3x10xf32>
  %d1w = llmpar.load_weight @d1 : tensor<6x10xf32>
  %d1 = llmpar.matmul %i1, %d1w {transpose_b = true} : (tensor<2x3x10xf32>, tensor<6x10xf32>) -> tensor<2x3x6xf32>
  %n1 = llmpar.constant dense<1> : tensor<i64> : tensor<i64>
  %q1 = llmpar.binary "equal" %indices, %n1 : (tensor<2x3x2xi64>, tensor<i64>) -> tensor<2x3x2xi1>
  %m1 = llmpar.cast %q1 : (tensor<2x3x2xi1>) -> tensor<2x3x2xf32>
  %p1 = llmpar.binary "mul" %values, %m1 : (tensor<2x3x2xf32>, tensor<2x3x2xf32>) -> tensor<2x3x2xf32>
  %c1 = llmpar.reduce "sum" %p1 {axes = array<i64: 2>, keep_dims = true} : (tensor<2x3x2xf32>) -> tensor<2x3x1xf32>
  %y1 = llmpar.binary "mul" %d1, %c1 : (tensor<2x3x6xf32>, tensor<2x3x1xf32>) -> tensor<2x3x6xf32>
  %t2 = llmpar.binary "add" %y0, %y1 : (tensor<2x3x6xf32>, tensor<2x3x6xf32>) -> tensor<2x3x6xf32>
  return %t2 : tensor<2x3x6xf32>
}

// Expert 0 twice, expert 1 never.
// CHECK-LABEL: func.func @an_expert_twice_keeps_all
// CHECK-NOT:   llmpar.experts
// CHECK:       return
func.func @an_expert_twice_keeps_all(%x: tensor<2x3x6xf32>, %scores: tensor<2x3x2xf32>) -> (tensor<2x3x6xf32>) {
  %values, %indices = llmpar.top_k %scores {k = 1, axis = 2, largest = true} : (tensor<2x3x2xf32>) -> (tensor<2x3x1xf32>, tensor<2x3x1xi64>)
  %g0w = llmpar.load_weight @g0 : tensor<10x6xf32>
  %g0 = llmpar.matmul %x, %g0w {transpose_b = true} : (tensor<2x3x6xf32>, tensor<10x6xf32>) -> tensor<2x3x10xf32>
  %s0 = llmpar.unary "sigmoid" %g0 : (tensor<2x3x10xf32>) -> tensor<2x3x10xf32>
  %a0 = llmpar.binary "mul" %g0, %s0 : (tensor<2x3x10xf32>, tensor<2x3x10xf32>) -> tensor<2x3x10xf32>
  %u0w = llmpar.load_weight @u0 : tensor<10x6xf32>
  %u0 = llmpar.matmul %x, %u0w {transpose_b = true} : (tensor<2x3x6xf32>, tensor<10x6xf32>) -> tensor<2x3x10xf32>
  %i0 = llmpar.binary "mul" %a0, %u0 : (tensor<2x3x10xf32>, tensor<2x3x10xf32>) -> tensor<2x3x10xf32>
  %d0w = llmpar.load_weight @d0 : tensor<6x10xf32>
  %d0 = llmpar.matmul %i0, %d0w {transpose_b = true} : (tensor<2x3x10xf32>, tensor<6x10xf32>) -> tensor<2x3x6xf32>
  %n0 = llmpar.constant dense<0> : tensor<i64> : tensor<i64>
  %q0 = llmpar.binary "equal" %indices, %n0 : (tensor<2x3x1xi64>, tensor<i64>) -> tensor<2x3x1xi1>
  %m0 = llmpar.cast %q0 : (tensor<2x3x1xi1>) -> tensor<2x3x1xf32>
  %p0 = llmpar.binary "mul" %values, %m0 : (tensor<2x3x1xf32>, tensor<2x3x1xf32>) -> tensor<2x3x1xf32>
  %c0 = llmpar.reduce "sum" %p0 {axes = array<i64: 2>, keep_dims = true} : (tensor<2x3x1xf32>) -> tensor<2x3x1xf32>
  %y0 = llmpar.binary "mul" %d0, %c0 : (tensor<2x3x6xf32>, tensor<2x3x1xf32>) -> tensor<2x3x6xf32>
  %g1w = llmpar.load_weight @g1 : tensor<10x6xf32>
  %g1 = llmpar.matmul %x, %g1w {transpose_b = true} : (tensor<2x3x6xf32>, tensor<10x6xf32>) -> tensor<2x3x10xf32>
  %s1 = llmpar.unary "sigmoid" %g1 : (tensor<2x3x10xf32>) -> tensor<2x3x10xf32>
  %a1 = llmpar.binary "mul" %g1, %s1 : (tensor<2x3x10xf32>, tensor<2x3x10xf32>) -> tensor<2x3x10xf32>
  %u1w = llmpar.load_weight @u1 : tensor<10x6xf32>
  %u1 = llmpar.matmul %x, %u1w {transpose_b = true} : (tensor<2x3x6xf32>, tensor<10x6xf32>) -> tensor<2x3x10xf32>
  %i1 = llmpar.binary "mul" %a1, %u1 : (tensor<2x3x10xf32>, tensor<2x3x10xf32>) -> tensor<2x3x10xf32>
  %d1w = llmpar.load_weight @d1 : tensor<6x10xf32>
  %d1 = llmpar.matmul %i1, %d1w {transpose_b = true} : (tensor<2x3x10xf32>, tensor<6x10xf32>) -> tensor<2x3x6xf32>
  %n1 = llmpar.constant dense<0> : tensor<i64> : tensor<i64>
  %q1 = llmpar.binary "equal" %indices, %n1 : (tensor<2x3x1xi64>, tensor<i64>) -> tensor<2x3x1xi1>
  %m1 = llmpar.cast %q1 : (tensor<2x3x1xi1>) -> tensor<2x3x1xf32>
  %p1 = llmpar.binary "mul" %values, %m1 : (tensor<2x3x1xf32>, tensor<2x3x1xf32>) -> tensor<2x3x1xf32>
  %c1 = llmpar.reduce "sum" %p1 {axes = array<i64: 2>, keep_dims = true} : (tensor<2x3x1xf32>) -> tensor<2x3x1xf32>
  %y1 = llmpar.binary "mul" %d1, %c1 : (tensor<2x3x6xf32>, tensor<2x3x1xf32>) -> tensor<2x3x6xf32>
  %t2 = llmpar.binary "add" %y0, %y1 : (tensor<2x3x6xf32>, tensor<2x3x6xf32>) -> tensor<2x3x6xf32>
  return %t2 : tensor<2x3x6xf32>
}

// The second result is an intermediate value of an expert.
// CHECK-LABEL: func.func @another_use_of_what_is_inside_keeps_all
// CHECK-NOT:   llmpar.experts
// CHECK:       return
func.func @another_use_of_what_is_inside_keeps_all(%x: tensor<2x3x6xf32>, %scores: tensor<2x3x2xf32>) -> (tensor<2x3x6xf32>, tensor<2x3x10xf32>) {
  %values, %indices = llmpar.top_k %scores {k = 1, axis = 2, largest = true} : (tensor<2x3x2xf32>) -> (tensor<2x3x1xf32>, tensor<2x3x1xi64>)
  %g0w = llmpar.load_weight @g0 : tensor<10x6xf32>
  %g0 = llmpar.matmul %x, %g0w {transpose_b = true} : (tensor<2x3x6xf32>, tensor<10x6xf32>) -> tensor<2x3x10xf32>
  %s0 = llmpar.unary "sigmoid" %g0 : (tensor<2x3x10xf32>) -> tensor<2x3x10xf32>
  %a0 = llmpar.binary "mul" %g0, %s0 : (tensor<2x3x10xf32>, tensor<2x3x10xf32>) -> tensor<2x3x10xf32>
  %u0w = llmpar.load_weight @u0 : tensor<10x6xf32>
  %u0 = llmpar.matmul %x, %u0w {transpose_b = true} : (tensor<2x3x6xf32>, tensor<10x6xf32>) -> tensor<2x3x10xf32>
  %i0 = llmpar.binary "mul" %a0, %u0 : (tensor<2x3x10xf32>, tensor<2x3x10xf32>) -> tensor<2x3x10xf32>
  %d0w = llmpar.load_weight @d0 : tensor<6x10xf32>
  %d0 = llmpar.matmul %i0, %d0w {transpose_b = true} : (tensor<2x3x10xf32>, tensor<6x10xf32>) -> tensor<2x3x6xf32>
  %n0 = llmpar.constant dense<0> : tensor<i64> : tensor<i64>
  %q0 = llmpar.binary "equal" %indices, %n0 : (tensor<2x3x1xi64>, tensor<i64>) -> tensor<2x3x1xi1>
  %m0 = llmpar.cast %q0 : (tensor<2x3x1xi1>) -> tensor<2x3x1xf32>
  %p0 = llmpar.binary "mul" %values, %m0 : (tensor<2x3x1xf32>, tensor<2x3x1xf32>) -> tensor<2x3x1xf32>
  %c0 = llmpar.reduce "sum" %p0 {axes = array<i64: 2>, keep_dims = true} : (tensor<2x3x1xf32>) -> tensor<2x3x1xf32>
  %y0 = llmpar.binary "mul" %d0, %c0 : (tensor<2x3x6xf32>, tensor<2x3x1xf32>) -> tensor<2x3x6xf32>
  %g1w = llmpar.load_weight @g1 : tensor<10x6xf32>
  %g1 = llmpar.matmul %x, %g1w {transpose_b = true} : (tensor<2x3x6xf32>, tensor<10x6xf32>) -> tensor<2x3x10xf32>
  %s1 = llmpar.unary "sigmoid" %g1 : (tensor<2x3x10xf32>) -> tensor<2x3x10xf32>
  %a1 = llmpar.binary "mul" %g1, %s1 : (tensor<2x3x10xf32>, tensor<2x3x10xf32>) -> tensor<2x3x10xf32>
  %u1w = llmpar.load_weight @u1 : tensor<10x6xf32>
  %u1 = llmpar.matmul %x, %u1w {transpose_b = true} : (tensor<2x3x6xf32>, tensor<10x6xf32>) -> tensor<2x3x10xf32>
  %i1 = llmpar.binary "mul" %a1, %u1 : (tensor<2x3x10xf32>, tensor<2x3x10xf32>) -> tensor<2x3x10xf32>
  %d1w = llmpar.load_weight @d1 : tensor<6x10xf32>
  %d1 = llmpar.matmul %i1, %d1w {transpose_b = true} : (tensor<2x3x10xf32>, tensor<6x10xf32>) -> tensor<2x3x6xf32>
  %n1 = llmpar.constant dense<1> : tensor<i64> : tensor<i64>
  %q1 = llmpar.binary "equal" %indices, %n1 : (tensor<2x3x1xi64>, tensor<i64>) -> tensor<2x3x1xi1>
  %m1 = llmpar.cast %q1 : (tensor<2x3x1xi1>) -> tensor<2x3x1xf32>
  %p1 = llmpar.binary "mul" %values, %m1 : (tensor<2x3x1xf32>, tensor<2x3x1xf32>) -> tensor<2x3x1xf32>
  %c1 = llmpar.reduce "sum" %p1 {axes = array<i64: 2>, keep_dims = true} : (tensor<2x3x1xf32>) -> tensor<2x3x1xf32>
  %y1 = llmpar.binary "mul" %d1, %c1 : (tensor<2x3x6xf32>, tensor<2x3x1xf32>) -> tensor<2x3x6xf32>
  %t2 = llmpar.binary "add" %y0, %y1 : (tensor<2x3x6xf32>, tensor<2x3x6xf32>) -> tensor<2x3x6xf32>
  return %t2, %i1 : tensor<2x3x6xf32>, tensor<2x3x10xf32>
}

// The weights do not come from a top-k: an expert that is not chosen may have some.
// CHECK-LABEL: func.func @without_a_top_k_nothing_is_known_to_be_zero
// CHECK-NOT:   llmpar.experts
// CHECK:       return
func.func @without_a_top_k_nothing_is_known_to_be_zero(%x: tensor<2x3x6xf32>, %values: tensor<2x3x1xf32>, %indices: tensor<2x3x1xi64>) -> (tensor<2x3x6xf32>) {
  %g0w = llmpar.load_weight @g0 : tensor<10x6xf32>
  %g0 = llmpar.matmul %x, %g0w {transpose_b = true} : (tensor<2x3x6xf32>, tensor<10x6xf32>) -> tensor<2x3x10xf32>
  %s0 = llmpar.unary "sigmoid" %g0 : (tensor<2x3x10xf32>) -> tensor<2x3x10xf32>
  %a0 = llmpar.binary "mul" %g0, %s0 : (tensor<2x3x10xf32>, tensor<2x3x10xf32>) -> tensor<2x3x10xf32>
  %u0w = llmpar.load_weight @u0 : tensor<10x6xf32>
  %u0 = llmpar.matmul %x, %u0w {transpose_b = true} : (tensor<2x3x6xf32>, tensor<10x6xf32>) -> tensor<2x3x10xf32>
  %i0 = llmpar.binary "mul" %a0, %u0 : (tensor<2x3x10xf32>, tensor<2x3x10xf32>) -> tensor<2x3x10xf32>
  %d0w = llmpar.load_weight @d0 : tensor<6x10xf32>
  %d0 = llmpar.matmul %i0, %d0w {transpose_b = true} : (tensor<2x3x10xf32>, tensor<6x10xf32>) -> tensor<2x3x6xf32>
  %n0 = llmpar.constant dense<0> : tensor<i64> : tensor<i64>
  %q0 = llmpar.binary "equal" %indices, %n0 : (tensor<2x3x1xi64>, tensor<i64>) -> tensor<2x3x1xi1>
  %m0 = llmpar.cast %q0 : (tensor<2x3x1xi1>) -> tensor<2x3x1xf32>
  %p0 = llmpar.binary "mul" %values, %m0 : (tensor<2x3x1xf32>, tensor<2x3x1xf32>) -> tensor<2x3x1xf32>
  %c0 = llmpar.reduce "sum" %p0 {axes = array<i64: 2>, keep_dims = true} : (tensor<2x3x1xf32>) -> tensor<2x3x1xf32>
  %y0 = llmpar.binary "mul" %d0, %c0 : (tensor<2x3x6xf32>, tensor<2x3x1xf32>) -> tensor<2x3x6xf32>
  %g1w = llmpar.load_weight @g1 : tensor<10x6xf32>
  %g1 = llmpar.matmul %x, %g1w {transpose_b = true} : (tensor<2x3x6xf32>, tensor<10x6xf32>) -> tensor<2x3x10xf32>
  %s1 = llmpar.unary "sigmoid" %g1 : (tensor<2x3x10xf32>) -> tensor<2x3x10xf32>
  %a1 = llmpar.binary "mul" %g1, %s1 : (tensor<2x3x10xf32>, tensor<2x3x10xf32>) -> tensor<2x3x10xf32>
  %u1w = llmpar.load_weight @u1 : tensor<10x6xf32>
  %u1 = llmpar.matmul %x, %u1w {transpose_b = true} : (tensor<2x3x6xf32>, tensor<10x6xf32>) -> tensor<2x3x10xf32>
  %i1 = llmpar.binary "mul" %a1, %u1 : (tensor<2x3x10xf32>, tensor<2x3x10xf32>) -> tensor<2x3x10xf32>
  %d1w = llmpar.load_weight @d1 : tensor<6x10xf32>
  %d1 = llmpar.matmul %i1, %d1w {transpose_b = true} : (tensor<2x3x10xf32>, tensor<6x10xf32>) -> tensor<2x3x6xf32>
  %n1 = llmpar.constant dense<1> : tensor<i64> : tensor<i64>
  %q1 = llmpar.binary "equal" %indices, %n1 : (tensor<2x3x1xi64>, tensor<i64>) -> tensor<2x3x1xi1>
  %m1 = llmpar.cast %q1 : (tensor<2x3x1xi1>) -> tensor<2x3x1xf32>
  %p1 = llmpar.binary "mul" %values, %m1 : (tensor<2x3x1xf32>, tensor<2x3x1xf32>) -> tensor<2x3x1xf32>
  %c1 = llmpar.reduce "sum" %p1 {axes = array<i64: 2>, keep_dims = true} : (tensor<2x3x1xf32>) -> tensor<2x3x1xf32>
  %y1 = llmpar.binary "mul" %d1, %c1 : (tensor<2x3x6xf32>, tensor<2x3x1xf32>) -> tensor<2x3x6xf32>
  %t2 = llmpar.binary "add" %y0, %y1 : (tensor<2x3x6xf32>, tensor<2x3x6xf32>) -> tensor<2x3x6xf32>
  return %t2 : tensor<2x3x6xf32>
}
