// RUN: llmpar-opt %s --llmpar-fuse-attention | FileCheck %s
// RUN: llmpar-opt %s --llmpar-fuse-attention=for-training | FileCheck %s --check-prefix=TRAIN

llmpar.mesh @mesh <["tp" = 2]>
llmpar.weight @table : tensor<3x4x5xf32> from <"w.bin", 0, 240>

// CHECK-LABEL: func.func @scaled_products_under_a_bias
// CHECK:       %[[Y:.*]], %{{.*}} = llmpar.attention %arg0, %arg1, %arg2 masks %arg3 {fill = 0xFFF0000000000000 : f64, scale = 5.000000e-01 : f64} : (tensor<2x3x4x6xf32>, tensor<2x3x5x6xf32>, tensor<2x3x5x7xf32>, tensor<2x1x1x5xf32>) -> (tensor<2x3x4x7xf32>, tensor<2x3x4xf32>)
// CHECK-NEXT:  return %[[Y]]
func.func @scaled_products_under_a_bias(%q: tensor<2x3x4x6xf32>, %k: tensor<2x3x5x6xf32>, %v: tensor<2x3x5x7xf32>, %bias: tensor<2x1x1x5xf32>) -> tensor<2x3x4x7xf32> {
  %two = llmpar.constant dense<2.0> : tensor<f32> : tensor<f32>
  %0 = llmpar.matmul %q, %k {transpose_b = true} : (tensor<2x3x4x6xf32>, tensor<2x3x5x6xf32>) -> tensor<2x3x4x5xf32>
  %1 = llmpar.binary "div" %0, %two : (tensor<2x3x4x5xf32>, tensor<f32>) -> tensor<2x3x4x5xf32>
  %2 = llmpar.binary "add" %1, %bias : (tensor<2x3x4x5xf32>, tensor<2x1x1x5xf32>) -> tensor<2x3x4x5xf32>
  %3 = llmpar.softmax %2 {axis = 3} : (tensor<2x3x4x5xf32>) -> tensor<2x3x4x5xf32>
  %4 = llmpar.matmul %3, %v : (tensor<2x3x4x5xf32>, tensor<2x3x5x7xf32>) -> tensor<2x3x4x7xf32>
  return %4 : tensor<2x3x4x7xf32>
}

// Masks stay in their order; torch.onnx guards rows without keys; keys are transposed already.
// CHECK-LABEL: func.func @guarded_softmax_under_two_masks
// CHECK:       %[[NOT:.*]] = llmpar.unary "logical_not" %arg4
// CHECK-NEXT:  %[[Y:.*]], %{{.*}} = llmpar.attention %arg0, %arg1, %arg2 masks %arg3, %[[NOT]] {fill = -1.000000e+04 : f64, scale = 1.000000e+00 : f64, transpose_k = true, zero_empty = true}
// CHECK-NEXT:  return %[[Y]]
func.func @guarded_softmax_under_two_masks(%q: tensor<3x4x6xf32>, %k: tensor<3x6x5xf32>, %v: tensor<3x5x7xf32>, %bias: tensor<4x5xf32>, %hidden: tensor<4x5xi1>) -> tensor<3x4x7xf32> {
  %zero = llmpar.constant dense<0.0> : tensor<f32> : tensor<f32>
  %low = llmpar.constant dense<-1.0e4> : tensor<f32> : tensor<f32>
  %0 = llmpar.matmul %q, %k : (tensor<3x4x6xf32>, tensor<3x6x5xf32>) -> tensor<3x4x5xf32>
  %1 = llmpar.binary "add" %bias, %0 : (tensor<4x5xf32>, tensor<3x4x5xf32>) -> tensor<3x4x5xf32>
  %2 = llmpar.select %hidden, %low, %1 : (tensor<4x5xi1>, tensor<f32>, tensor<3x4x5xf32>) -> tensor<3x4x5xf32>
  %3 = llmpar.softmax %2 {axis = 2} : (tensor<3x4x5xf32>) -> tensor<3x4x5xf32>
  %nan = llmpar.unary "is_nan" %3 : (tensor<3x4x5xf32>) -> tensor<3x4x5xi1>
  %4 = llmpar.select %nan, %zero, %3 : (tensor<3x4x5xi1>, tensor<f32>, tensor<3x4x5xf32>) -> tensor<3x4x5xf32>
  %5 = llmpar.matmul %4, %v : (tensor<3x4x5xf32>, tensor<3x5x7xf32>) -> tensor<3x4x7xf32>
  return %5 : tensor<3x4x7xf32>
}

// CHECK-LABEL: func.func @narrow_floats_whose_softmax_is_in_f32
// CHECK-NEXT:  llmpar.attention %arg0, %arg1, %arg2 {{.*}} : (tensor<3x4x6xbf16>, tensor<3x5x6xbf16>, tensor<3x5x7xbf16>) -> (tensor<3x4x7xbf16>, tensor<3x4xf32>)
func.func @narrow_floats_whose_softmax_is_in_f32(%q: tensor<3x4x6xbf16>, %k: tensor<3x5x6xbf16>, %v: tensor<3x5x7xbf16>) -> tensor<3x4x7xbf16> {
  %0 = llmpar.matmul %q, %k {transpose_b = true} : (tensor<3x4x6xbf16>, tensor<3x5x6xbf16>) -> tensor<3x4x5xbf16>
  %1 = llmpar.cast %0 : (tensor<3x4x5xbf16>) -> tensor<3x4x5xf32>
  %2 = llmpar.softmax %1 {axis = 2} : (tensor<3x4x5xf32>) -> tensor<3x4x5xf32>
  %3 = llmpar.cast %2 : (tensor<3x4x5xf32>) -> tensor<3x4x5xbf16>
  %4 = llmpar.matmul %3, %v : (tensor<3x4x5xbf16>, tensor<3x5x7xbf16>) -> tensor<3x4x7xbf16>
  return %4 : tensor<3x4x7xbf16>
}

// CHECK-LABEL: func.func @repeated_keys_are_taken_from_before
// CHECK:       llmpar.attention %arg0, %arg1, %arg1 {{.*}} : (tensor<6x4x7xf32>, tensor<2x5x7xf32>, tensor<2x5x7xf32>)
func.func @repeated_keys_are_taken_from_before(%q: tensor<6x4x7xf32>, %kv: tensor<2x5x7xf32>) -> tensor<6x4x7xf32> {
  %0 = llmpar.reshape %kv : (tensor<2x5x7xf32>) -> tensor<2x1x5x7xf32>
  %1 = llmpar.broadcast %0 : (tensor<2x1x5x7xf32>) -> tensor<2x3x5x7xf32>
  %2 = llmpar.reshape %1 : (tensor<2x3x5x7xf32>) -> tensor<6x5x7xf32>
  %3 = llmpar.matmul %q, %2 {transpose_b = true} : (tensor<6x4x7xf32>, tensor<6x5x7xf32>) -> tensor<6x4x5xf32>
  %4 = llmpar.softmax %3 {axis = 2} : (tensor<6x4x5xf32>) -> tensor<6x4x5xf32>
  %5 = llmpar.matmul %4, %2 : (tensor<6x4x5xf32>, tensor<6x5x7xf32>) -> tensor<6x4x7xf32>
  return %5 : tensor<6x4x7xf32>
}

// A rank's own heads.
// CHECK-LABEL: func.func @localized_heads_keep_their_sharding
// CHECK:       llmpar.attention {{.*}} llmpar.global = [tensor<5x4x7xf32>, tensor<5x4xf32>], llmpar.out = [#llmpar.sharding<@mesh, [{"tp"}, {}, {}]>, #llmpar.sharding<@mesh, [{"tp"}, {}]>]
func.func @localized_heads_keep_their_sharding(%q: tensor<3x4x6xf32> {llmpar.global = tensor<5x4x6xf32>, llmpar.out = #llmpar.sharding<@mesh, [{"tp"}, {}, {}]>},
    %k: tensor<3x5x6xf32> {llmpar.global = tensor<5x5x6xf32>, llmpar.out = #llmpar.sharding<@mesh, [{"tp"}, {}, {}]>},
    %v: tensor<3x5x7xf32> {llmpar.global = tensor<5x5x7xf32>, llmpar.out = #llmpar.sharding<@mesh, [{"tp"}, {}, {}]>}) -> tensor<3x4x7xf32> {
  %0 = llmpar.matmul %q, %k {transpose_b = true, llmpar.global = [tensor<5x4x5xf32>], llmpar.out = [#llmpar.sharding<@mesh, [{"tp"}, {}, {}]>]} : (tensor<3x4x6xf32>, tensor<3x5x6xf32>) -> tensor<3x4x5xf32>
  %1 = llmpar.softmax %0 {axis = 2, llmpar.global = [tensor<5x4x5xf32>], llmpar.out = [#llmpar.sharding<@mesh, [{"tp"}, {}, {}]>]} : (tensor<3x4x5xf32>) -> tensor<3x4x5xf32>
  %2 = llmpar.matmul %1, %v {llmpar.global = [tensor<5x4x7xf32>], llmpar.out = [#llmpar.sharding<@mesh, [{"tp"}, {}, {}]>]} : (tensor<3x4x5xf32>, tensor<3x5x7xf32>) -> tensor<3x4x7xf32>
  return %2 : tensor<3x4x7xf32>
}

//===-- What stays

// CHECK-LABEL: func.func @scores_that_are_a_result_stay
// CHECK-NOT:   llmpar.attention
func.func @scores_that_are_a_result_stay(%q: tensor<3x4x6xf32>, %k: tensor<3x5x6xf32>, %v: tensor<3x5x7xf32>) -> (tensor<3x4x7xf32>, tensor<3x4x5xf32>) {
  %0 = llmpar.matmul %q, %k {transpose_b = true} : (tensor<3x4x6xf32>, tensor<3x5x6xf32>) -> tensor<3x4x5xf32>
  %1 = llmpar.softmax %0 {axis = 2} : (tensor<3x4x5xf32>) -> tensor<3x4x5xf32>
  %2 = llmpar.matmul %1, %v : (tensor<3x4x5xf32>, tensor<3x5x7xf32>) -> tensor<3x4x7xf32>
  return %2, %0 : tensor<3x4x7xf32>, tensor<3x4x5xf32>
}

// CHECK-LABEL: func.func @a_mask_before_the_scale_stays
// CHECK-NOT:   llmpar.attention
func.func @a_mask_before_the_scale_stays(%q: tensor<3x4x6xf32>, %k: tensor<3x5x6xf32>, %v: tensor<3x5x7xf32>, %bias: tensor<4x5xf32>) -> tensor<3x4x7xf32> {
  %two = llmpar.constant dense<2.0> : tensor<f32> : tensor<f32>
  %0 = llmpar.matmul %q, %k {transpose_b = true} : (tensor<3x4x6xf32>, tensor<3x5x6xf32>) -> tensor<3x4x5xf32>
  %1 = llmpar.binary "add" %0, %bias : (tensor<3x4x5xf32>, tensor<4x5xf32>) -> tensor<3x4x5xf32>
  %2 = llmpar.binary "mul" %1, %two : (tensor<3x4x5xf32>, tensor<f32>) -> tensor<3x4x5xf32>
  %3 = llmpar.softmax %2 {axis = 2} : (tensor<3x4x5xf32>) -> tensor<3x4x5xf32>
  %4 = llmpar.matmul %3, %v : (tensor<3x4x5xf32>, tensor<3x5x7xf32>) -> tensor<3x4x7xf32>
  return %4 : tensor<3x4x7xf32>
}

// CHECK-LABEL: func.func @scores_behind_a_softcap_stay
// CHECK-NOT:   llmpar.attention
func.func @scores_behind_a_softcap_stay(%q: tensor<3x4x6xf32>, %k: tensor<3x5x6xf32>, %v: tensor<3x5x7xf32>) -> tensor<3x4x7xf32> {
  %0 = llmpar.matmul %q, %k {transpose_b = true} : (tensor<3x4x6xf32>, tensor<3x5x6xf32>) -> tensor<3x4x5xf32>
  %1 = llmpar.unary "tanh" %0 : (tensor<3x4x5xf32>) -> tensor<3x4x5xf32>
  %2 = llmpar.softmax %1 {axis = 2} : (tensor<3x4x5xf32>) -> tensor<3x4x5xf32>
  %3 = llmpar.matmul %2, %v : (tensor<3x4x5xf32>, tensor<3x5x7xf32>) -> tensor<3x4x7xf32>
  return %3 : tensor<3x4x7xf32>
}

// A gradient of the bias would need the scores.
// CHECK-LABEL: func.func @a_bias_that_is_trained_stays_in_training
// CHECK:       llmpar.attention
// TRAIN-LABEL: func.func @a_bias_that_is_trained_stays_in_training
// TRAIN-NOT:   llmpar.attention
func.func @a_bias_that_is_trained_stays_in_training(%q: tensor<3x4x6xf32>, %k: tensor<3x5x6xf32>, %v: tensor<3x5x7xf32>) -> tensor<3x4x7xf32> {
  %bias = llmpar.load_weight @table : tensor<3x4x5xf32>
  %0 = llmpar.matmul %q, %k {transpose_b = true} : (tensor<3x4x6xf32>, tensor<3x5x6xf32>) -> tensor<3x4x5xf32>
  %1 = llmpar.binary "add" %0, %bias : (tensor<3x4x5xf32>, tensor<3x4x5xf32>) -> tensor<3x4x5xf32>
  %2 = llmpar.softmax %1 {axis = 2} : (tensor<3x4x5xf32>) -> tensor<3x4x5xf32>
  %3 = llmpar.matmul %2, %v : (tensor<3x4x5xf32>, tensor<3x5x7xf32>) -> tensor<3x4x7xf32>
  return %3 : tensor<3x4x7xf32>
}
