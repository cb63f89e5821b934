// RUN: llmpar-opt %s --llmpar-raise-norms --canonicalize | FileCheck %s

// CHECK-LABEL: func.func @layer_norm_with_a_quotient
// CHECK-NEXT:  %[[Y:.*]] = llmpar.layer_norm %arg0, %arg1, %arg2 {axis = 2 : i64, epsilon = 9.9999999392252903E-9 : f64}
// CHECK-NEXT:  return %[[Y]]
func.func @layer_norm_with_a_quotient(%x: tensor<2x3x6xf32>, %scale: tensor<6xf32>, %bias: tensor<6xf32>) -> tensor<2x3x6xf32> {
  %n = llmpar.constant dense<6.0> : tensor<f32> : tensor<f32>
  %epsilon = llmpar.constant dense<1.0e-8> : tensor<f32> : tensor<f32>
  %0 = llmpar.reduce "sum" %x {axes = array<i64: 2>, keep_dims = true} : (tensor<2x3x6xf32>) -> tensor<2x3x1xf32>
  %1 = llmpar.binary "div" %0, %n : (tensor<2x3x1xf32>, tensor<f32>) -> tensor<2x3x1xf32>
  %c = llmpar.binary "sub" %x, %1 : (tensor<2x3x6xf32>, tensor<2x3x1xf32>) -> tensor<2x3x6xf32>
  %2 = llmpar.binary "mul" %c, %c : (tensor<2x3x6xf32>, tensor<2x3x6xf32>) -> tensor<2x3x6xf32>
  %3 = llmpar.reduce "sum" %2 {axes = array<i64: 2>, keep_dims = true} : (tensor<2x3x6xf32>) -> tensor<2x3x1xf32>
  %4 = llmpar.binary "div" %3, %n : (tensor<2x3x1xf32>, tensor<f32>) -> tensor<2x3x1xf32>
  %5 = llmpar.binary "add" %4, %epsilon : (tensor<2x3x1xf32>, tensor<f32>) -> tensor<2x3x1xf32>
  %6 = llmpar.unary "sqrt" %5 : (tensor<2x3x1xf32>) -> tensor<2x3x1xf32>
  %7 = llmpar.binary "div" %c, %6 : (tensor<2x3x6xf32>, tensor<2x3x1xf32>) -> tensor<2x3x6xf32>
  %8 = llmpar.binary "mul" %scale, %7 : (tensor<6xf32>, tensor<2x3x6xf32>) -> tensor<2x3x6xf32>
  %9 = llmpar.binary "add" %8, %bias : (tensor<2x3x6xf32>, tensor<6xf32>) -> tensor<2x3x6xf32>
  return %9 : tensor<2x3x6xf32>
}

// CHECK-LABEL: func.func @layer_norm_as_tensorflow_distributes_it
// CHECK-NEXT:  %[[Y:.*]] = llmpar.layer_norm %arg0, %arg1, %arg2 {axis = 1 : i64
// CHECK-NEXT:  return %[[Y]]
func.func @layer_norm_as_tensorflow_distributes_it(%x: tensor<2x6xf32>, %scale: tensor<6xf32>, %bias: tensor<6xf32>) -> tensor<2x6xf32> {
  %n = llmpar.constant dense<6.0> : tensor<f32> : tensor<f32>
  %epsilon = llmpar.constant dense<0.01> : tensor<f32> : tensor<f32>
  %0 = llmpar.reduce "sum" %x {axes = array<i64: 1>, keep_dims = true} : (tensor<2x6xf32>) -> tensor<2x1xf32>
  %1 = llmpar.binary "div" %0, %n : (tensor<2x1xf32>, tensor<f32>) -> tensor<2x1xf32>
  %c = llmpar.binary "sub" %x, %1 : (tensor<2x6xf32>, tensor<2x1xf32>) -> tensor<2x6xf32>
  %2 = llmpar.binary "mul" %c, %c : (tensor<2x6xf32>, tensor<2x6xf32>) -> tensor<2x6xf32>
  %3 = llmpar.reduce "sum" %2 {axes = array<i64: 1>, keep_dims = true} : (tensor<2x6xf32>) -> tensor<2x1xf32>
  %4 = llmpar.binary "div" %3, %n : (tensor<2x1xf32>, tensor<f32>) -> tensor<2x1xf32>
  %5 = llmpar.binary "add" %4, %epsilon : (tensor<2x1xf32>, tensor<f32>) -> tensor<2x1xf32>
  %6 = llmpar.unary "sqrt" %5 : (tensor<2x1xf32>) -> tensor<2x1xf32>
  %7 = llmpar.unary "reciprocal" %6 : (tensor<2x1xf32>) -> tensor<2x1xf32>
  %r = llmpar.binary "mul" %7, %scale : (tensor<2x1xf32>, tensor<6xf32>) -> tensor<2x6xf32>
  %8 = llmpar.binary "mul" %x, %r : (tensor<2x6xf32>, tensor<2x6xf32>) -> tensor<2x6xf32>
  %9 = llmpar.binary "mul" %1, %r : (tensor<2x1xf32>, tensor<2x6xf32>) -> tensor<2x6xf32>
  %10 = llmpar.binary "sub" %bias, %9 : (tensor<6xf32>, tensor<2x6xf32>) -> tensor<2x6xf32>
  %11 = llmpar.binary "add" %8, %10 : (tensor<2x6xf32>, tensor<2x6xf32>) -> tensor<2x6xf32>
  return %11 : tensor<2x6xf32>
}

// CHECK-LABEL: func.func @layer_norm_without_scale_over_two_dimensions
// CHECK:       %[[ONE:.*]] = llmpar.constant dense<1.000000e+00> : tensor<1xf32>
// CHECK-NEXT:  %[[Y:.*]] = llmpar.layer_norm %arg0, %[[ONE]] {axis = 1 : i64
// CHECK-NEXT:  return %[[Y]]
func.func @layer_norm_without_scale_over_two_dimensions(%x: tensor<2x3x6xf32>) -> tensor<2x3x6xf32> {
  %share = llmpar.constant dense<0.055555556> : tensor<f32> : tensor<f32>
  %two = llmpar.constant dense<2.0> : tensor<f32> : tensor<f32>
  %epsilon = llmpar.constant dense<0.01> : tensor<f32> : tensor<f32>
  %0 = llmpar.reduce "sum" %x {axes = array<i64: 1, 2>, keep_dims = true} : (tensor<2x3x6xf32>) -> tensor<2x1x1xf32>
  %1 = llmpar.binary "mul" %0, %share : (tensor<2x1x1xf32>, tensor<f32>) -> tensor<2x1x1xf32>
  %c = llmpar.binary "sub" %x, %1 : (tensor<2x3x6xf32>, tensor<2x1x1xf32>) -> tensor<2x3x6xf32>
  %2 = llmpar.binary "pow" %c, %two : (tensor<2x3x6xf32>, tensor<f32>) -> tensor<2x3x6xf32>
  %3 = llmpar.reduce "sum" %2 {axes = array<i64: 1, 2>, keep_dims = true} : (tensor<2x3x6xf32>) -> tensor<2x1x1xf32>
  %4 = llmpar.binary "mul" %3, %share : (tensor<2x1x1xf32>, tensor<f32>) -> tensor<2x1x1xf32>
  %5 = llmpar.binary "add" %epsilon, %4 : (tensor<f32>, tensor<2x1x1xf32>) -> tensor<2x1x1xf32>
  %6 = llmpar.unary "rsqrt" %5 : (tensor<2x1x1xf32>) -> tensor<2x1x1xf32>
  %7 = llmpar.binary "mul" %c, %6 : (tensor<2x3x6xf32>, tensor<2x1x1xf32>) -> tensor<2x3x6xf32>
  return %7 : tensor<2x3x6xf32>
}

// The kernel computes in f32 by itself.
// CHECK-LABEL: func.func @rms_norm_of_narrow_floats_goes_through_f32
// CHECK-NEXT:  %[[Y:.*]] = llmpar.rms_norm %arg0, %arg1 {axis = 1 : i64, epsilon = 0.0099999997764825821 : f64} : (tensor<2x6xbf16>, tensor<6xbf16>) -> tensor<2x6xbf16>
// CHECK-NEXT:  return %[[Y]]
func.func @rms_norm_of_narrow_floats_goes_through_f32(%x: tensor<2x6xbf16>, %scale: tensor<6xbf16>) -> tensor<2x6xbf16> {
  %n = llmpar.constant dense<6.0> : tensor<f32> : tensor<f32>
  %one = llmpar.constant dense<1.0> : tensor<f32> : tensor<f32>
  %epsilon = llmpar.constant dense<0.01> : tensor<f32> : tensor<f32>
  %wide = llmpar.cast %x : (tensor<2x6xbf16>) -> tensor<2x6xf32>
  %0 = llmpar.binary "mul" %wide, %wide : (tensor<2x6xf32>, tensor<2x6xf32>) -> tensor<2x6xf32>
  %1 = llmpar.reduce "sum" %0 {axes = array<i64: 1>, keep_dims = true} : (tensor<2x6xf32>) -> tensor<2x1xf32>
  %2 = llmpar.binary "div" %1, %n : (tensor<2x1xf32>, tensor<f32>) -> tensor<2x1xf32>
  %3 = llmpar.binary "add" %2, %epsilon : (tensor<2x1xf32>, tensor<f32>) -> tensor<2x1xf32>
  %4 = llmpar.unary "sqrt" %3 : (tensor<2x1xf32>) -> tensor<2x1xf32>
  %5 = llmpar.binary "div" %one, %4 : (tensor<f32>, tensor<2x1xf32>) -> tensor<2x1xf32>
  %6 = llmpar.binary "mul" %wide, %5 : (tensor<2x6xf32>, tensor<2x1xf32>) -> tensor<2x6xf32>
  %7 = llmpar.cast %6 : (tensor<2x6xf32>) -> tensor<2x6xbf16>
  %8 = llmpar.binary "mul" %scale, %7 : (tensor<6xbf16>, tensor<2x6xbf16>) -> tensor<2x6xbf16>
  return %8 : tensor<2x6xbf16>
}

// CHECK-LABEL: func.func @a_scale_for_every_row_is_none_of_the_norm
// CHECK:       %[[Y:.*]] = llmpar.rms_norm %arg0, %{{.*}} {axis = 1
// CHECK:       llmpar.binary "mul" %[[Y]], %arg1
func.func @a_scale_for_every_row_is_none_of_the_norm(%x: tensor<2x6xf32>, %gate: tensor<2x6xf32>) -> tensor<2x6xf32> {
  %n = llmpar.constant dense<6.0> : tensor<f32> : tensor<f32>
  %epsilon = llmpar.constant dense<0.01> : tensor<f32> : tensor<f32>
  %0 = llmpar.binary "mul" %x, %x : (tensor<2x6xf32>, tensor<2x6xf32>) -> tensor<2x6xf32>
  %1 = llmpar.reduce "sum" %0 {axes = array<i64: 1>, keep_dims = true} : (tensor<2x6xf32>) -> tensor<2x1xf32>
  %2 = llmpar.binary "div" %1, %n : (tensor<2x1xf32>, tensor<f32>) -> tensor<2x1xf32>
  %3 = llmpar.binary "add" %2, %epsilon : (tensor<2x1xf32>, tensor<f32>) -> tensor<2x1xf32>
  %4 = llmpar.unary "rsqrt" %3 : (tensor<2x1xf32>) -> tensor<2x1xf32>
  %5 = llmpar.binary "mul" %x, %4 : (tensor<2x6xf32>, tensor<2x1xf32>) -> tensor<2x6xf32>
  %6 = llmpar.binary "mul" %5, %gate : (tensor<2x6xf32>, tensor<2x6xf32>) -> tensor<2x6xf32>
  return %6 : tensor<2x6xf32>
}

//===-- What stays

// CHECK-LABEL: func.func @a_norm_over_the_first_dimension_stays
// CHECK:       llmpar.unary "rsqrt"
func.func @a_norm_over_the_first_dimension_stays(%x: tensor<2x6xf32>) -> tensor<2x6xf32> {
  %n = llmpar.constant dense<2.0> : tensor<f32> : tensor<f32>
  %epsilon = llmpar.constant dense<0.01> : tensor<f32> : tensor<f32>
  %0 = llmpar.binary "mul" %x, %x : (tensor<2x6xf32>, tensor<2x6xf32>) -> tensor<2x6xf32>
  %1 = llmpar.reduce "sum" %0 {axes = array<i64: 0>, keep_dims = true} : (tensor<2x6xf32>) -> tensor<1x6xf32>
  %2 = llmpar.binary "div" %1, %n : (tensor<1x6xf32>, tensor<f32>) -> tensor<1x6xf32>
  %3 = llmpar.binary "add" %2, %epsilon : (tensor<1x6xf32>, tensor<f32>) -> tensor<1x6xf32>
  %4 = llmpar.unary "rsqrt" %3 : (tensor<1x6xf32>) -> tensor<1x6xf32>
  %5 = llmpar.binary "mul" %x, %4 : (tensor<2x6xf32>, tensor<1x6xf32>) -> tensor<2x6xf32>
  return %5 : tensor<2x6xf32>
}

// CHECK-LABEL: func.func @a_norm_whose_variance_is_a_result_stays
// CHECK:       llmpar.unary "rsqrt"
func.func @a_norm_whose_variance_is_a_result_stays(%x: tensor<2x6xf32>) -> (tensor<2x6xf32>, tensor<2x1xf32>) {
  %n = llmpar.constant dense<6.0> : tensor<f32> : tensor<f32>
  %epsilon = llmpar.constant dense<0.01> : tensor<f32> : tensor<f32>
  %0 = llmpar.binary "mul" %x, %x : (tensor<2x6xf32>, tensor<2x6xf32>) -> tensor<2x6xf32>
  %1 = llmpar.reduce "sum" %0 {axes = array<i64: 1>, keep_dims = true} : (tensor<2x6xf32>) -> tensor<2x1xf32>
  %2 = llmpar.binary "div" %1, %n : (tensor<2x1xf32>, tensor<f32>) -> tensor<2x1xf32>
  %3 = llmpar.binary "add" %2, %epsilon : (tensor<2x1xf32>, tensor<f32>) -> tensor<2x1xf32>
  %4 = llmpar.unary "rsqrt" %3 : (tensor<2x1xf32>) -> tensor<2x1xf32>
  %5 = llmpar.binary "mul" %x, %4 : (tensor<2x6xf32>, tensor<2x1xf32>) -> tensor<2x6xf32>
  return %5, %2 : tensor<2x6xf32>, tensor<2x1xf32>
}

// CHECK-LABEL: func.func @a_sum_in_place_of_the_mean_stays
// CHECK:       llmpar.unary "rsqrt"
func.func @a_sum_in_place_of_the_mean_stays(%x: tensor<2x6xf32>) -> tensor<2x6xf32> {
  %epsilon = llmpar.constant dense<0.01> : tensor<f32> : tensor<f32>
  %0 = llmpar.binary "mul" %x, %x : (tensor<2x6xf32>, tensor<2x6xf32>) -> tensor<2x6xf32>
  %1 = llmpar.reduce "sum" %0 {axes = array<i64: 1>, keep_dims = true} : (tensor<2x6xf32>) -> tensor<2x1xf32>
  %3 = llmpar.binary "add" %1, %epsilon : (tensor<2x1xf32>, tensor<f32>) -> tensor<2x1xf32>
  %4 = llmpar.unary "rsqrt" %3 : (tensor<2x1xf32>) -> tensor<2x1xf32>
  %5 = llmpar.binary "mul" %x, %4 : (tensor<2x6xf32>, tensor<2x1xf32>) -> tensor<2x6xf32>
  return %5 : tensor<2x6xf32>
}
