// RUN: llmpar-opt %s --canonicalize | FileCheck %s

// CHECK-LABEL: @iota_counts
func.func @iota_counts() -> tensor<2x3xi64> {
  // CHECK: %[[R:.*]] = llmpar.constant dense<{{\[\[}}5, 3, 1], [5, 3, 1]]> : tensor<2x3xi64>
  %r = llmpar.iota {axis = 1 : i64, start = 5.0 : f64, step = -2.0 : f64} : tensor<2x3xi64>
  return %r : tensor<2x3xi64>
}

// CHECK-LABEL: @large_iota_stays
func.func @large_iota_stays() -> tensor<1025xi64> {
  // CHECK: llmpar.iota
  %r = llmpar.iota {axis = 0 : i64, start = 0.0 : f64, step = 1.0 : f64} : tensor<1025xi64>
  return %r : tensor<1025xi64>
}

// CHECK-LABEL: @binary_broadcasts
func.func @binary_broadcasts() -> tensor<2x3xi64> {
  // CHECK: %[[R:.*]] = llmpar.constant dense<{{\[\[}}11, 21, 31], [12, 22, 32]]> : tensor<2x3xi64>
  %a = llmpar.constant dense<[[1], [2]]> : tensor<2x1xi64> : tensor<2x1xi64>
  %b = llmpar.constant dense<[10, 20, 30]> : tensor<3xi64> : tensor<3xi64>
  %r = llmpar.binary "add" %a, %b : (tensor<2x1xi64>, tensor<3xi64>) -> tensor<2x3xi64>
  return %r : tensor<2x3xi64>
}

// CHECK-LABEL: @int64_is_exact
func.func @int64_is_exact() -> tensor<i64> {
  // CHECK: %[[R:.*]] = llmpar.constant dense<18014398509481986> : tensor<i64>
  // CHECK-NEXT: return %[[R]]
  %a = llmpar.constant dense<9007199254740993> : tensor<i64> : tensor<i64>
  %b = llmpar.constant dense<2> : tensor<i64> : tensor<i64>
  %r = llmpar.binary "mul" %a, %b : (tensor<i64>, tensor<i64>) -> tensor<i64>
  return %r : tensor<i64>
}

// CHECK-LABEL: @int8_wraps
func.func @int8_wraps() -> tensor<i8> {
  // CHECK: %[[R:.*]] = llmpar.constant dense<-56> : tensor<i8>
  // CHECK-NEXT: return %[[R]]
  %a = llmpar.constant dense<100> : tensor<i8> : tensor<i8>
  %b = llmpar.constant dense<100> : tensor<i8> : tensor<i8>
  %r = llmpar.binary "add" %a, %b : (tensor<i8>, tensor<i8>) -> tensor<i8>
  return %r : tensor<i8>
}

// CHECK-LABEL: @unsigned_compares_unsigned
func.func @unsigned_compares_unsigned() -> tensor<i1> {
  // CHECK: %[[R:.*]] = llmpar.constant dense<true> : tensor<i1>
  // CHECK-NEXT: return %[[R]]
  %a = llmpar.constant dense<18446744073709551615> : tensor<ui64> : tensor<ui64>
  %b = llmpar.constant dense<1> : tensor<ui64> : tensor<ui64>
  %r = llmpar.binary "greater" %a, %b : (tensor<ui64>, tensor<ui64>) -> tensor<i1>
  return %r : tensor<i1>
}

// CHECK-LABEL: @unsigned_divides_unsigned
func.func @unsigned_divides_unsigned() -> tensor<ui64> {
  // CHECK: %[[R:.*]] = llmpar.constant dense<9223372036854775807> : tensor<ui64>
  // CHECK-NEXT: return %[[R]]
  %a = llmpar.constant dense<18446744073709551615> : tensor<ui64> : tensor<ui64>
  %b = llmpar.constant dense<2> : tensor<ui64> : tensor<ui64>
  %r = llmpar.binary "div" %a, %b : (tensor<ui64>, tensor<ui64>) -> tensor<ui64>
  return %r : tensor<ui64>
}

// CHECK-LABEL: @division_truncates
func.func @division_truncates() -> tensor<3xi64> {
  // CHECK: %[[R:.*]] = llmpar.constant dense<[-3, -3, 0]> : tensor<3xi64>
  // CHECK-NEXT: return %[[R]]
  %a = llmpar.constant dense<[-7, 7, 7]> : tensor<3xi64> : tensor<3xi64>
  %b = llmpar.constant dense<[2, -2, 0]> : tensor<3xi64> : tensor<3xi64>
  %r = llmpar.binary "div" %a, %b : (tensor<3xi64>, tensor<3xi64>) -> tensor<3xi64>
  return %r : tensor<3xi64>
}

// CHECK-LABEL: @mod_has_the_sign_of_the_divisor
func.func @mod_has_the_sign_of_the_divisor() -> tensor<2xi64> {
  // CHECK: %[[R:.*]] = llmpar.constant dense<[2, -2]> : tensor<2xi64>
  // CHECK-NEXT: return %[[R]]
  %a = llmpar.constant dense<[-7, 7]> : tensor<2xi64> : tensor<2xi64>
  %b = llmpar.constant dense<[3, -3]> : tensor<2xi64> : tensor<2xi64>
  %r = llmpar.binary "mod" %a, %b : (tensor<2xi64>, tensor<2xi64>) -> tensor<2xi64>
  return %r : tensor<2xi64>
}

// CHECK-LABEL: @fmod_has_the_sign_of_the_dividend
func.func @fmod_has_the_sign_of_the_dividend() -> tensor<2xi64> {
  // CHECK: %[[R:.*]] = llmpar.constant dense<[-1, 1]> : tensor<2xi64>
  // CHECK-NEXT: return %[[R]]
  %a = llmpar.constant dense<[-7, 7]> : tensor<2xi64> : tensor<2xi64>
  %b = llmpar.constant dense<[3, -3]> : tensor<2xi64> : tensor<2xi64>
  %r = llmpar.binary "fmod" %a, %b : (tensor<2xi64>, tensor<2xi64>) -> tensor<2xi64>
  return %r : tensor<2xi64>
}

// CHECK-LABEL: @power_of_integers
func.func @power_of_integers() -> tensor<3xi64> {
  // CHECK: %[[R:.*]] = llmpar.constant dense<[81, -1, 0]> : tensor<3xi64>
  // CHECK-NEXT: return %[[R]]
  %a = llmpar.constant dense<[3, -1, 2]> : tensor<3xi64> : tensor<3xi64>
  %b = llmpar.constant dense<[4, -3, -1]> : tensor<3xi64> : tensor<3xi64>
  %r = llmpar.binary "pow" %a, %b : (tensor<3xi64>, tensor<3xi64>) -> tensor<3xi64>
  return %r : tensor<3xi64>
}

// CHECK-LABEL: @float_rounds_to_f32
func.func @float_rounds_to_f32() -> tensor<f32> {
  // CHECK: %[[R:.*]] = llmpar.constant dense<{{0x4B800000|1.677721[0-9]*e.07}}> : tensor<f32>
  // CHECK-NEXT: return %[[R]]
  %a = llmpar.constant dense<0x4B800000> : tensor<f32> : tensor<f32>
  %b = llmpar.constant dense<1.0> : tensor<f32> : tensor<f32>
  %r = llmpar.binary "add" %a, %b : (tensor<f32>, tensor<f32>) -> tensor<f32>
  return %r : tensor<f32>
}

// CHECK-LABEL: @half_rounds_to_f16
func.func @half_rounds_to_f16() -> tensor<f16> {
  // CHECK: %[[R:.*]] = llmpar.constant dense<2.048000e+03> : tensor<f16>
  // CHECK-NEXT: return %[[R]]
  %a = llmpar.constant dense<2048.0> : tensor<f16> : tensor<f16>
  %b = llmpar.constant dense<1.0> : tensor<f16> : tensor<f16>
  %r = llmpar.binary "add" %a, %b : (tensor<f16>, tensor<f16>) -> tensor<f16>
  return %r : tensor<f16>
}

// CHECK-LABEL: @nan_wins_a_minimum
func.func @nan_wins_a_minimum() -> tensor<2xf32> {
  // CHECK: %[[R:.*]] = llmpar.constant dense<[0x7FC00000, 1.000000e+00]> : tensor<2xf32>
  // CHECK-NEXT: return %[[R]]
  %a = llmpar.constant dense<[0x7FC00000, 1.0]> : tensor<2xf32> : tensor<2xf32>
  %b = llmpar.constant dense<[1.0, 2.0]> : tensor<2xf32> : tensor<2xf32>
  %r = llmpar.binary "min" %a, %b : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
  return %r : tensor<2xf32>
}

// CHECK-LABEL: @unary_of_floats
func.func @unary_of_floats() -> tensor<2xf32> {
  // CHECK: %[[R:.*]] = llmpar.constant dense<[5.000000e-01, 2.000000e+00]> : tensor<2xf32>
  // CHECK-NEXT: return %[[R]]
  %a = llmpar.constant dense<[4.0, 0.25]> : tensor<2xf32> : tensor<2xf32>
  %r = llmpar.unary "rsqrt" %a : (tensor<2xf32>) -> tensor<2xf32>
  return %r : tensor<2xf32>
}

// CHECK-LABEL: @unary_uses_alpha
func.func @unary_uses_alpha() -> tensor<2xf32> {
  // CHECK: %[[R:.*]] = llmpar.constant dense<[-2.000000e+00, 3.000000e+00]> : tensor<2xf32>
  // CHECK-NEXT: return %[[R]]
  %a = llmpar.constant dense<[-4.0, 3.0]> : tensor<2xf32> : tensor<2xf32>
  %r = llmpar.unary "leaky_relu" %a {alpha = 0.5 : f64} : (tensor<2xf32>) -> tensor<2xf32>
  return %r : tensor<2xf32>
}

// CHECK-LABEL: @round_is_half_to_even
func.func @round_is_half_to_even() -> tensor<3xf32> {
  // CHECK: %[[R:.*]] = llmpar.constant dense<[0.000000e+00, 2.000000e+00, 2.000000e+00]> : tensor<3xf32>
  // CHECK-NEXT: return %[[R]]
  %a = llmpar.constant dense<[0.5, 1.5, 2.5]> : tensor<3xf32> : tensor<3xf32>
  %r = llmpar.unary "round" %a : (tensor<3xf32>) -> tensor<3xf32>
  return %r : tensor<3xf32>
}

// CHECK-LABEL: @not_of_bools
func.func @not_of_bools() -> tensor<2xi1> {
  // CHECK: %[[R:.*]] = llmpar.constant dense<[false, true]> : tensor<2xi1>
  // CHECK-NEXT: return %[[R]]
  %a = llmpar.constant dense<[true, false]> : tensor<2xi1> : tensor<2xi1>
  %r = llmpar.unary "logical_not" %a : (tensor<2xi1>) -> tensor<2xi1>
  return %r : tensor<2xi1>
}

// CHECK-LABEL: @select_broadcasts
func.func @select_broadcasts() -> tensor<2x3xi64> {
  // CHECK: %[[R:.*]] = llmpar.constant dense<{{\[\[}}1, 2, 3], [9, 9, 9]]> : tensor<2x3xi64>
  %c = llmpar.constant dense<[[true], [false]]> : tensor<2x1xi1> : tensor<2x1xi1>
  %a = llmpar.constant dense<[1, 2, 3]> : tensor<3xi64> : tensor<3xi64>
  %b = llmpar.constant dense<9> : tensor<i64> : tensor<i64>
  %r = llmpar.select %c, %a, %b : (tensor<2x1xi1>, tensor<3xi64>, tensor<i64>) -> tensor<2x3xi64>
  return %r : tensor<2x3xi64>
}

// CHECK-LABEL: @cast_truncates_and_wraps
func.func @cast_truncates_and_wraps() -> tensor<3xi8> {
  // CHECK: %[[R:.*]] = llmpar.constant dense<[-1, 44, 0]> : tensor<3xi8>
  // CHECK-NEXT: return %[[R]]
  %a = llmpar.constant dense<[-1.75, 300.5, 0x7FC00000]> : tensor<3xf32> : tensor<3xf32>
  %r = llmpar.cast %a : (tensor<3xf32>) -> tensor<3xi8>
  return %r : tensor<3xi8>
}

// CHECK-LABEL: @cast_to_bool_is_not_zero
func.func @cast_to_bool_is_not_zero() -> tensor<2xi1> {
  // CHECK: %[[R:.*]] = llmpar.constant dense<[true, false]> : tensor<2xi1>
  // CHECK-NEXT: return %[[R]]
  %a = llmpar.constant dense<[0.5, 0.0]> : tensor<2xf32> : tensor<2xf32>
  %r = llmpar.cast %a : (tensor<2xf32>) -> tensor<2xi1>
  return %r : tensor<2xi1>
}

// CHECK-LABEL: @reduce_keeps_the_other_axis
func.func @reduce_keeps_the_other_axis() -> tensor<2xi64> {
  // CHECK: %[[R:.*]] = llmpar.constant dense<[5, 6]> : tensor<2xi64>
  // CHECK-NEXT: return %[[R]]
  %a = llmpar.constant dense<[[1, 5, 3], [4, 2, 6]]> : tensor<2x3xi64> : tensor<2x3xi64>
  %r = llmpar.reduce "max" %a {axes = array<i64: 1>, keep_dims = false} : (tensor<2x3xi64>) -> tensor<2xi64>
  return %r : tensor<2xi64>
}

// CHECK-LABEL: @product_of_nothing_is_one
func.func @product_of_nothing_is_one() -> tensor<1xi64> {
  // CHECK: %[[R:.*]] = llmpar.constant dense<1> : tensor<1xi64>
  // CHECK-NEXT: return %[[R]]
  %a = llmpar.constant dense<> : tensor<0xi64> : tensor<0xi64>
  %r = llmpar.reduce "prod" %a {axes = array<i64: 0>, keep_dims = true} : (tensor<0xi64>) -> tensor<1xi64>
  return %r : tensor<1xi64>
}

// CHECK-LABEL: @maximum_of_nothing_is_the_least
func.func @maximum_of_nothing_is_the_least() -> tensor<i8> {
  // CHECK: %[[R:.*]] = llmpar.constant dense<-128> : tensor<i8>
  // CHECK-NEXT: return %[[R]]
  %a = llmpar.constant dense<> : tensor<0xi8> : tensor<0xi8>
  %r = llmpar.reduce "max" %a {axes = array<i64: 0>, keep_dims = false} : (tensor<0xi8>) -> tensor<i8>
  return %r : tensor<i8>
}

// CHECK-LABEL: @cumsum_runs
func.func @cumsum_runs() -> tensor<3xi64> {
  // CHECK: %[[R:.*]] = llmpar.constant dense<[1, 3, 6]> : tensor<3xi64>
  // CHECK-NEXT: return %[[R]]
  %a = llmpar.constant dense<[1, 2, 3]> : tensor<3xi64> : tensor<3xi64>
  %r = llmpar.cumsum %a {axis = 0 : i64, exclusive = false, reverse = false} : (tensor<3xi64>) -> tensor<3xi64>
  return %r : tensor<3xi64>
}

// CHECK-LABEL: @cumsum_exclusive
func.func @cumsum_exclusive() -> tensor<3xi64> {
  // CHECK: %[[R:.*]] = llmpar.constant dense<[0, 1, 3]> : tensor<3xi64>
  // CHECK-NEXT: return %[[R]]
  %a = llmpar.constant dense<[1, 2, 3]> : tensor<3xi64> : tensor<3xi64>
  %r = llmpar.cumsum %a {axis = 0 : i64, exclusive = true, reverse = false} : (tensor<3xi64>) -> tensor<3xi64>
  return %r : tensor<3xi64>
}

// CHECK-LABEL: @cumsum_reverse
func.func @cumsum_reverse() -> tensor<3xi64> {
  // CHECK: %[[R:.*]] = llmpar.constant dense<[6, 5, 3]> : tensor<3xi64>
  // CHECK-NEXT: return %[[R]]
  %a = llmpar.constant dense<[1, 2, 3]> : tensor<3xi64> : tensor<3xi64>
  %r = llmpar.cumsum %a {axis = 0 : i64, exclusive = false, reverse = true} : (tensor<3xi64>) -> tensor<3xi64>
  return %r : tensor<3xi64>
}

// CHECK-LABEL: @cumsum_exclusive_reverse
func.func @cumsum_exclusive_reverse() -> tensor<3xi64> {
  // CHECK: %[[R:.*]] = llmpar.constant dense<[5, 3, 0]> : tensor<3xi64>
  // CHECK-NEXT: return %[[R]]
  %a = llmpar.constant dense<[1, 2, 3]> : tensor<3xi64> : tensor<3xi64>
  %r = llmpar.cumsum %a {axis = 0 : i64, exclusive = true, reverse = true} : (tensor<3xi64>) -> tensor<3xi64>
  return %r : tensor<3xi64>
}

// CHECK-LABEL: @gather_counts_from_the_end
func.func @gather_counts_from_the_end() -> tensor<2x2xi64> {
  // CHECK: %[[R:.*]] = llmpar.constant dense<{{\[\[}}3, 1], [6, 4]]> : tensor<2x2xi64>
  %a = llmpar.constant dense<[[1, 2, 3], [4, 5, 6]]> : tensor<2x3xi64> : tensor<2x3xi64>
  %i = llmpar.constant dense<[-1, 0]> : tensor<2xi64> : tensor<2xi64>
  %r = llmpar.gather %a, %i {axis = 1 : i64} : (tensor<2x3xi64>, tensor<2xi64>) -> tensor<2x2xi64>
  return %r : tensor<2x2xi64>
}

// CHECK-LABEL: @gather_outside_stays
func.func @gather_outside_stays() -> tensor<i64> {
  // CHECK: llmpar.gather
  %a = llmpar.constant dense<[1, 2]> : tensor<2xi64> : tensor<2xi64>
  %i = llmpar.constant dense<2> : tensor<i64> : tensor<i64>
  %r = llmpar.gather %a, %i {axis = 0 : i64} : (tensor<2xi64>, tensor<i64>) -> tensor<i64>
  return %r : tensor<i64>
}

// CHECK-LABEL: @transpose_moves
func.func @transpose_moves() -> tensor<3x2xi64> {
  // CHECK: %[[R:.*]] = llmpar.constant dense<{{\[\[}}1, 4], [2, 5], [3, 6]]> : tensor<3x2xi64>
  %a = llmpar.constant dense<[[1, 2, 3], [4, 5, 6]]> : tensor<2x3xi64> : tensor<2x3xi64>
  %r = llmpar.transpose %a {permutation = array<i64: 1, 0>} : (tensor<2x3xi64>) -> tensor<3x2xi64>
  return %r : tensor<3x2xi64>
}

// CHECK-LABEL: @reshape_keeps_order
func.func @reshape_keeps_order() -> tensor<3x2xi64> {
  // CHECK: %[[R:.*]] = llmpar.constant dense<{{\[\[}}1, 2], [3, 4], [5, 6]]> : tensor<3x2xi64>
  %a = llmpar.constant dense<[[1, 2, 3], [4, 5, 6]]> : tensor<2x3xi64> : tensor<2x3xi64>
  %r = llmpar.reshape %a : (tensor<2x3xi64>) -> tensor<3x2xi64>
  return %r : tensor<3x2xi64>
}

// CHECK-LABEL: @broadcast_repeats
func.func @broadcast_repeats() -> tensor<2x3xi64> {
  // CHECK: %[[R:.*]] = llmpar.constant dense<{{\[\[}}1, 1, 1], [2, 2, 2]]> : tensor<2x3xi64>
  %a = llmpar.constant dense<[[1], [2]]> : tensor<2x1xi64> : tensor<2x1xi64>
  %r = llmpar.broadcast %a : (tensor<2x1xi64>) -> tensor<2x3xi64>
  return %r : tensor<2x3xi64>
}

// CHECK-LABEL: @large_broadcast_stays
func.func @large_broadcast_stays() -> tensor<1025xi64> {
  // CHECK: llmpar.broadcast
  %a = llmpar.constant dense<1> : tensor<i64> : tensor<i64>
  %r = llmpar.broadcast %a : (tensor<i64>) -> tensor<1025xi64>
  return %r : tensor<1025xi64>
}

// CHECK-LABEL: @slice_steps_backwards
func.func @slice_steps_backwards() -> tensor<3xi64> {
  // CHECK: %[[R:.*]] = llmpar.constant dense<[5, 3, 1]> : tensor<3xi64>
  // CHECK-NEXT: return %[[R]]
  %a = llmpar.constant dense<[1, 2, 3, 4, 5]> : tensor<5xi64> : tensor<5xi64>
  %r = llmpar.slice %a {starts = array<i64: 4>, steps = array<i64: -2>} : (tensor<5xi64>) -> tensor<3xi64>
  return %r : tensor<3xi64>
}

// CHECK-LABEL: @concat_joins
func.func @concat_joins() -> tensor<2x3xi64> {
  // CHECK: %[[R:.*]] = llmpar.constant dense<{{\[\[}}1, 3, 4], [2, 5, 6]]> : tensor<2x3xi64>
  %a = llmpar.constant dense<[[1], [2]]> : tensor<2x1xi64> : tensor<2x1xi64>
  %b = llmpar.constant dense<[[3, 4], [5, 6]]> : tensor<2x2xi64> : tensor<2x2xi64>
  %r = llmpar.concat %a, %b {axis = 1 : i64} : (tensor<2x1xi64>, tensor<2x2xi64>) -> tensor<2x3xi64>
  return %r : tensor<2x3xi64>
}

llmpar.mesh @mesh <["tp" = 2]>

// CHECK-LABEL: @sharded_iota_stays
func.func @sharded_iota_stays() -> tensor<4xi64> {
  // CHECK: llmpar.iota
  %r = llmpar.iota {axis = 0 : i64, start = 0.0 : f64, step = 1.0 : f64, llmpar.out = [#llmpar.sharding<@mesh, [{"tp"}]>]} : tensor<4xi64>
  return %r : tensor<4xi64>
}
