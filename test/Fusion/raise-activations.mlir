// RUN: llmpar-opt %s --llmpar-raise-activations | FileCheck %s

// CHECK-LABEL: func.func @gelu_of_a_quotient
// CHECK-NOT:   llmpar.binary
// CHECK:       %[[Y:.*]] = llmpar.unary "gelu" %arg0 : (tensor<2x6xf32>) -> tensor<2x6xf32>
// CHECK-NEXT:  return %[[Y]]
func.func @gelu_of_a_quotient(%x: tensor<2x6xf32>) -> tensor<2x6xf32> {
  %root = llmpar.constant dense<1.41421354> : tensor<f32> : tensor<f32>
  %one = llmpar.constant dense<1.0> : tensor<f32> : tensor<f32>
  %half = llmpar.constant dense<0.5> : tensor<f32> : tensor<f32>
  %0 = llmpar.binary "div" %x, %root : (tensor<2x6xf32>, tensor<f32>) -> tensor<2x6xf32>
  %1 = llmpar.unary "erf" %0 : (tensor<2x6xf32>) -> tensor<2x6xf32>
  %2 = llmpar.binary "add" %1, %one : (tensor<2x6xf32>, tensor<f32>) -> tensor<2x6xf32>
  %3 = llmpar.binary "mul" %x, %2 : (tensor<2x6xf32>, tensor<2x6xf32>) -> tensor<2x6xf32>
  %4 = llmpar.binary "mul" %3, %half : (tensor<2x6xf32>, tensor<f32>) -> tensor<2x6xf32>
  return %4 : tensor<2x6xf32>
}

// CHECK-LABEL: func.func @gelu_whose_half_is_taken_first_of_a_product
// CHECK:       %[[X:.*]] = llmpar.binary "mul" %arg0, %arg1
// CHECK:       %[[Y:.*]] = llmpar.unary "gelu" %[[X]]
// CHECK-NEXT:  return %[[Y]]
func.func @gelu_whose_half_is_taken_first_of_a_product(%a: tensor<2x6xf32>, %b: tensor<6xf32>) -> tensor<2x6xf32> {
  %root = llmpar.constant dense<0.707106769> : tensor<f32> : tensor<f32>
  %half = llmpar.constant dense<0.5> : tensor<f32> : tensor<f32>
  %x = llmpar.binary "mul" %a, %b : (tensor<2x6xf32>, tensor<6xf32>) -> tensor<2x6xf32>
  %0 = llmpar.binary "mul" %root, %x : (tensor<f32>, tensor<2x6xf32>) -> tensor<2x6xf32>
  %1 = llmpar.unary "erf" %0 : (tensor<2x6xf32>) -> tensor<2x6xf32>
  %2 = llmpar.binary "mul" %1, %half : (tensor<2x6xf32>, tensor<f32>) -> tensor<2x6xf32>
  %3 = llmpar.binary "add" %half, %2 : (tensor<f32>, tensor<2x6xf32>) -> tensor<2x6xf32>
  %4 = llmpar.binary "mul" %3, %x : (tensor<2x6xf32>, tensor<2x6xf32>) -> tensor<2x6xf32>
  return %4 : tensor<2x6xf32>
}

// CHECK-LABEL: func.func @gelu_tanh_with_a_power
// CHECK-NOT:   llmpar.binary
// CHECK:       %[[Y:.*]] = llmpar.unary "gelu_tanh" %arg0
// CHECK-NEXT:  return %[[Y]]
func.func @gelu_tanh_with_a_power(%x: tensor<2x6xf32>) -> tensor<2x6xf32> {
  %three = llmpar.constant dense<3.0> : tensor<f32> : tensor<f32>
  %cubic = llmpar.constant dense<0.044715> : tensor<f32> : tensor<f32>
  %root = llmpar.constant dense<0.797884583> : tensor<f32> : tensor<f32>
  %one = llmpar.constant dense<1.0> : tensor<f32> : tensor<f32>
  %half = llmpar.constant dense<0.5> : tensor<f32> : tensor<f32>
  %h = llmpar.binary "mul" %x, %half : (tensor<2x6xf32>, tensor<f32>) -> tensor<2x6xf32>
  %0 = llmpar.binary "pow" %x, %three : (tensor<2x6xf32>, tensor<f32>) -> tensor<2x6xf32>
  %1 = llmpar.binary "mul" %0, %cubic : (tensor<2x6xf32>, tensor<f32>) -> tensor<2x6xf32>
  %2 = llmpar.binary "add" %x, %1 : (tensor<2x6xf32>, tensor<2x6xf32>) -> tensor<2x6xf32>
  %3 = llmpar.binary "mul" %2, %root : (tensor<2x6xf32>, tensor<f32>) -> tensor<2x6xf32>
  %4 = llmpar.unary "tanh" %3 : (tensor<2x6xf32>) -> tensor<2x6xf32>
  %5 = llmpar.binary "add" %4, %one : (tensor<2x6xf32>, tensor<f32>) -> tensor<2x6xf32>
  %6 = llmpar.binary "mul" %h, %5 : (tensor<2x6xf32>, tensor<2x6xf32>) -> tensor<2x6xf32>
  return %6 : tensor<2x6xf32>
}

// x sqrt(2 / pi) (1 + 0.044715 x x), as BLOOM has it.
// CHECK-LABEL: func.func @gelu_tanh_by_horners_rule
// CHECK-NOT:   llmpar.binary
// CHECK:       %[[Y:.*]] = llmpar.unary "gelu_tanh" %arg0
// CHECK-NEXT:  return %[[Y]]
func.func @gelu_tanh_by_horners_rule(%x: tensor<2x6xbf16>) -> tensor<2x6xbf16> {
  %cubic = llmpar.constant dense<0.044715> : tensor<bf16> : tensor<bf16>
  %root = llmpar.constant dense<0.79788458> : tensor<bf16> : tensor<bf16>
  %one = llmpar.constant dense<1.0> : tensor<bf16> : tensor<bf16>
  %half = llmpar.constant dense<0.5> : tensor<bf16> : tensor<bf16>
  %h = llmpar.binary "mul" %x, %half : (tensor<2x6xbf16>, tensor<bf16>) -> tensor<2x6xbf16>
  %r = llmpar.binary "mul" %x, %root : (tensor<2x6xbf16>, tensor<bf16>) -> tensor<2x6xbf16>
  %0 = llmpar.binary "mul" %x, %cubic : (tensor<2x6xbf16>, tensor<bf16>) -> tensor<2x6xbf16>
  %1 = llmpar.binary "mul" %0, %x : (tensor<2x6xbf16>, tensor<2x6xbf16>) -> tensor<2x6xbf16>
  %2 = llmpar.binary "add" %1, %one : (tensor<2x6xbf16>, tensor<bf16>) -> tensor<2x6xbf16>
  %3 = llmpar.binary "mul" %r, %2 : (tensor<2x6xbf16>, tensor<2x6xbf16>) -> tensor<2x6xbf16>
  %4 = llmpar.unary "tanh" %3 : (tensor<2x6xbf16>) -> tensor<2x6xbf16>
  %5 = llmpar.binary "add" %4, %one : (tensor<2x6xbf16>, tensor<bf16>) -> tensor<2x6xbf16>
  %6 = llmpar.binary "mul" %h, %5 : (tensor<2x6xbf16>, tensor<2x6xbf16>) -> tensor<2x6xbf16>
  return %6 : tensor<2x6xbf16>
}

// CHECK-LABEL: func.func @silu_of_a_multiple_in_a_gated_product
// CHECK:       %[[S:.*]] = llmpar.unary "silu" %arg0 {alpha = 1.702
// CHECK-NEXT:  %[[Y:.*]] = llmpar.binary "mul" %[[S]], %arg1
// CHECK-NEXT:  return %[[Y]]
func.func @silu_of_a_multiple_in_a_gated_product(%x: tensor<2x6xf32>, %up: tensor<2x6xf32>) -> tensor<2x6xf32> {
  %a = llmpar.constant dense<1.702> : tensor<f32> : tensor<f32>
  %0 = llmpar.binary "mul" %x, %a : (tensor<2x6xf32>, tensor<f32>) -> tensor<2x6xf32>
  %1 = llmpar.unary "sigmoid" %0 : (tensor<2x6xf32>) -> tensor<2x6xf32>
  %2 = llmpar.binary "mul" %x, %1 : (tensor<2x6xf32>, tensor<2x6xf32>) -> tensor<2x6xf32>
  %3 = llmpar.binary "mul" %2, %up : (tensor<2x6xf32>, tensor<2x6xf32>) -> tensor<2x6xf32>
  return %3 : tensor<2x6xf32>
}

// CHECK-LABEL: func.func @silu_as_a_quotient
// CHECK:       %[[Y:.*]] = llmpar.unary "silu" %arg0
// CHECK-NEXT:  return %[[Y]]
func.func @silu_as_a_quotient(%x: tensor<2x6xf32>) -> tensor<2x6xf32> {
  %one = llmpar.constant dense<1.0> : tensor<f32> : tensor<f32>
  %0 = llmpar.unary "neg" %x : (tensor<2x6xf32>) -> tensor<2x6xf32>
  %1 = llmpar.unary "exp" %0 : (tensor<2x6xf32>) -> tensor<2x6xf32>
  %2 = llmpar.binary "add" %one, %1 : (tensor<f32>, tensor<2x6xf32>) -> tensor<2x6xf32>
  %3 = llmpar.binary "div" %x, %2 : (tensor<2x6xf32>, tensor<2x6xf32>) -> tensor<2x6xf32>
  return %3 : tensor<2x6xf32>
}

//===-- What stays

// CHECK-LABEL: func.func @a_tanh_with_another_factor_stays
// CHECK:       llmpar.unary "tanh"
func.func @a_tanh_with_another_factor_stays(%x: tensor<2x6xf32>) -> tensor<2x6xf32> {
  %cubic = llmpar.constant dense<0.05> : tensor<f32> : tensor<f32>
  %one = llmpar.constant dense<1.0> : tensor<f32> : tensor<f32>
  %half = llmpar.constant dense<0.5> : tensor<f32> : tensor<f32>
  %0 = llmpar.binary "mul" %x, %x : (tensor<2x6xf32>, tensor<2x6xf32>) -> tensor<2x6xf32>
  %1 = llmpar.binary "mul" %0, %cubic : (tensor<2x6xf32>, tensor<f32>) -> tensor<2x6xf32>
  %2 = llmpar.binary "add" %1, %one : (tensor<2x6xf32>, tensor<f32>) -> tensor<2x6xf32>
  %3 = llmpar.binary "mul" %x, %2 : (tensor<2x6xf32>, tensor<2x6xf32>) -> tensor<2x6xf32>
  %4 = llmpar.unary "tanh" %3 : (tensor<2x6xf32>) -> tensor<2x6xf32>
  %5 = llmpar.binary "add" %4, %one : (tensor<2x6xf32>, tensor<f32>) -> tensor<2x6xf32>
  %6 = llmpar.binary "mul" %x, %5 : (tensor<2x6xf32>, tensor<2x6xf32>) -> tensor<2x6xf32>
  %7 = llmpar.binary "mul" %6, %half : (tensor<2x6xf32>, tensor<f32>) -> tensor<2x6xf32>
  return %7 : tensor<2x6xf32>
}

// CHECK-LABEL: func.func @a_sigmoid_that_something_else_uses_stays
// CHECK:       llmpar.unary "sigmoid"
func.func @a_sigmoid_that_something_else_uses_stays(%x: tensor<2x6xf32>) -> (tensor<2x6xf32>, tensor<2x6xf32>) {
  %0 = llmpar.unary "sigmoid" %x : (tensor<2x6xf32>) -> tensor<2x6xf32>
  %1 = llmpar.binary "mul" %x, %0 : (tensor<2x6xf32>, tensor<2x6xf32>) -> tensor<2x6xf32>
  return %0, %1 : tensor<2x6xf32>, tensor<2x6xf32>
}

// CHECK-LABEL: func.func @a_sigmoid_of_another_value_stays
// CHECK:       llmpar.unary "sigmoid"
func.func @a_sigmoid_of_another_value_stays(%x: tensor<2x6xf32>, %y: tensor<2x6xf32>) -> tensor<2x6xf32> {
  %0 = llmpar.unary "sigmoid" %y : (tensor<2x6xf32>) -> tensor<2x6xf32>
  %1 = llmpar.binary "mul" %x, %0 : (tensor<2x6xf32>, tensor<2x6xf32>) -> tensor<2x6xf32>
  return %1 : tensor<2x6xf32>
}
