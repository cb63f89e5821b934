// RUN: llmpar-opt %s --split-input-file --verify-diagnostics

func.func @broadcast_needs_equal_sizes(%a: tensor<2x3xf32>, %b: tensor<2xf32>) {
  // expected-error @below {{dimensions of sizes 3 and 2 do not broadcast: one must be 1}}
  %0 = llmpar.binary "add" %a, %b : (tensor<2x3xf32>, tensor<2xf32>) -> tensor<2x3xf32>
  return
}

// -----

func.func @inferred_type_is_the_declared_one(%a: tensor<2x3xf32>, %b: tensor<3xf32>) {
  // expected-error @below {{result type 'tensor<2x3xf32>', but its operands give 'tensor<2x3xi1>'}}
  %0 = llmpar.binary "less" %a, %b : (tensor<2x3xf32>, tensor<3xf32>) -> tensor<2x3xf32>
  return
}

// -----

func.func @matmul_needs_two_dimensions(%a: tensor<3xf32>, %b: tensor<3x5xf32>) {
  // expected-error @below {{operands need at least 2 dimensions, got 1 and 2}}
  %0 = llmpar.matmul %a, %b : (tensor<3xf32>, tensor<3x5xf32>) -> tensor<5xf32>
  return
}

// -----

func.func @matmul_contracts_equal_sizes(%a: tensor<2x3xf32>, %b: tensor<3x5xf32>) {
  // expected-error @below {{contraction sizes differ: 3 and 5}}
  %0 = llmpar.matmul %a, %b {transpose_b = true} : (tensor<2x3xf32>, tensor<3x5xf32>) -> tensor<2x3xf32>
  return
}

// -----

func.func @matmul_batch_broadcasts(%a: tensor<4x2x3xf32>, %b: tensor<6x3x5xf32>) {
  // expected-error @below {{dimensions of sizes 4 and 6 do not broadcast}}
  %0 = llmpar.matmul %a, %b : (tensor<4x2x3xf32>, tensor<6x3x5xf32>) -> tensor<4x2x5xf32>
  return
}

// -----

func.func @matmul_operands_have_one_type(%a: tensor<2x3xf32>, %b: tensor<3x5xf16>) {
  // expected-error @below {{element types must agree, cast one}}
  %0 = llmpar.matmul %a, %b : (tensor<2x3xf32>, tensor<3x5xf16>) -> tensor<2x5xf32>
  return
}

// -----

func.func @conv_lists_have_spatial_length(%x: tensor<2x3x9xf32>, %w: tensor<4x3x5xf32>) {
  // expected-error @below {{lengths of strides, pads and dilations must agree}}
  %0 = llmpar.conv %x, %w {group = 1 : i64, strides = array<i64: 1, 1>, pads_begin = array<i64: 0>, pads_end = array<i64: 0>, dilations = array<i64: 1>} : (tensor<2x3x9xf32>, tensor<4x3x5xf32>) -> tensor<2x4x5xf32>
  return
}

// -----

func.func @conv_channels_fit_groups(%x: tensor<2x6x9xf32>, %w: tensor<4x3x5xf32>) {
  // expected-error @below {{input has 6 channels, but the weight takes 3 x 1 groups}}
  %0 = llmpar.conv %x, %w {group = 1 : i64, strides = array<i64: 1>, pads_begin = array<i64: 0>, pads_end = array<i64: 0>, dilations = array<i64: 1>} : (tensor<2x6x9xf32>, tensor<4x3x5xf32>) -> tensor<2x4x5xf32>
  return
}

// -----

func.func @conv_bias_has_output_channels(%x: tensor<2x3x9xf32>, %w: tensor<4x3x5xf32>, %b: tensor<3xf32>) {
  // expected-error @below {{it needs one element for each of 4 output channels}}
  %0 = llmpar.conv %x, %w, %b {group = 1 : i64, strides = array<i64: 1>, pads_begin = array<i64: 0>, pads_end = array<i64: 0>, dilations = array<i64: 1>} : (tensor<2x3x9xf32>, tensor<4x3x5xf32>, tensor<3xf32>) -> tensor<2x4x5xf32>
  return
}

// -----

func.func @pool_strides_are_positive(%x: tensor<2x3x9xf32>) {
  // expected-error @below {{kernel, stride and dilation must be positive, got 3, 0, 1}}
  %0 = llmpar.pool %x {kind = 0 : i64, kernel = array<i64: 3>, strides = array<i64: 0>, pads_begin = array<i64: 0>, pads_end = array<i64: 0>, dilations = array<i64: 1>} : (tensor<2x3x9xf32>) -> tensor<2x3x7xf32>
  return
}

// -----

func.func @reduce_axis_exists(%x: tensor<2x3xf32>) {
  // expected-error @below {{axis 2 is outside 0..1}}
  %0 = llmpar.reduce "sum" %x {axes = array<i64: 2>, keep_dims = false} : (tensor<2x3xf32>) -> tensor<2xf32>
  return
}

// -----

func.func @reduce_axes_are_distinct(%x: tensor<2x3xf32>) {
  // expected-error @below {{axis 1 occurs twice}}
  %0 = llmpar.reduce "sum" %x {axes = array<i64: 1, 1>, keep_dims = false} : (tensor<2x3xf32>) -> tensor<2xf32>
  return
}

// -----

func.func @softmax_axis_is_not_negative(%x: tensor<2x3xf32>) {
  // expected-error @below {{axis -1 is outside 0..1}}
  %0 = llmpar.softmax %x {axis = -1 : i64} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  return
}

// -----

func.func @cumsum_of_a_scalar_has_no_axis(%x: tensor<f32>) {
  // expected-error @below {{axis 0 of a value without dimensions}}
  %0 = llmpar.cumsum %x {axis = 0 : i64, exclusive = false, reverse = false} : (tensor<f32>) -> tensor<f32>
  return
}

// -----

func.func @rotary_of_integers(%x: tensor<2x4xi64>, %c: tensor<2xf32>) {
  // expected-error @below {{x of type 'tensor<2x4xi64>': floats are turned}}
  %0 = llmpar.rotary %x, %c, %c : (tensor<2x4xi64>, tensor<2xf32>, tensor<2xf32>) -> tensor<2x4xi64>
  return
}

// -----

func.func @rotary_of_more_pairs_than_there_are(%x: tensor<2x5xf32>, %c: tensor<3xf32>) {
  // expected-error @below {{cos of type 'tensor<3xf32>' turns more pairs of the last dimension than 'tensor<2x5xf32>' has}}
  %0 = llmpar.rotary %x, %c, %c : (tensor<2x5xf32>, tensor<3xf32>, tensor<3xf32>) -> tensor<2x5xf32>
  return
}

// -----

func.func @rotary_angles_broadcast(%x: tensor<2x3x4xf32>, %c: tensor<3x2xf32>, %s: tensor<2x2xf32>) {
  // expected-error @below {{cos and sin of types 'tensor<3x2xf32>' and 'tensor<2x2xf32>' are not angles of the same pairs, for rows of 'tensor<2x3x4xf32>'}}
  %0 = llmpar.rotary %x, %c, %s : (tensor<2x3x4xf32>, tensor<3x2xf32>, tensor<2x2xf32>) -> tensor<2x3x4xf32>
  return
}

// -----

func.func @rotary_angles_have_its_type(%x: tensor<2x4xf32>, %c: tensor<2xf32>, %s: tensor<2xbf16>) {
  // expected-error @below {{angles of type 'tensor<2xbf16>' for x of type 'tensor<2x4xf32>': they have its element type, or f32}}
  %0 = llmpar.rotary %x, %c, %s : (tensor<2x4xf32>, tensor<2xf32>, tensor<2xbf16>) -> tensor<2x4xf32>
  return
}

// -----

func.func @layer_norm_scale_broadcasts(%x: tensor<2x3xf32>, %s: tensor<5xf32>) {
  // expected-error @below {{scale or bias of type 'tensor<5xf32>' does not broadcast to 'tensor<2x3xf32>'}}
  %0 = llmpar.layer_norm %x, %s {axis = 1 : i64, epsilon = 0.5 : f64} : (tensor<2x3xf32>, tensor<5xf32>) -> tensor<2x3xf32>
  return
}

// -----

func.func @top_k_is_within_the_axis(%x: tensor<2x3xf32>) {
  // expected-error @below {{k = 4 is outside 0..3, the size of axis 1}}
  %0:2 = llmpar.top_k %x {axis = 1 : i64, k = 4 : i64, largest = true} : (tensor<2x3xf32>) -> (tensor<2x4xf32>, tensor<2x4xi64>)
  return
}

// -----

func.func @gather_indices_are_integers(%d: tensor<2x3xf32>, %i: tensor<5xf32>) {
  // expected-error @below {{indices of type 'tensor<5xf32>': their elements must be i32 or i64, cast them}}
  %0 = llmpar.gather %d, %i {axis = 0 : i64} : (tensor<2x3xf32>, tensor<5xf32>) -> tensor<5x3xf32>
  return
}

// -----

func.func @gather_elements_ranks_agree(%d: tensor<2x3xf32>, %i: tensor<5xi64>) {
  // expected-error @below {{need the same rank}}
  %0 = llmpar.gather_elements %d, %i {axis = 0 : i64} : (tensor<2x3xf32>, tensor<5xi64>) -> tensor<5xf32>
  return
}

// -----

func.func @gather_nd_batch_fits(%d: tensor<2x3xf32>, %i: tensor<2x3xi64>) {
  // expected-error @below {{with 2 batch dimensions do not fit data}}
  %0 = llmpar.gather_nd %d, %i {batch_dims = 2 : i64} : (tensor<2x3xf32>, tensor<2x3xi64>) -> tensor<2xf32>
  return
}

// -----

func.func @gather_nd_batches_agree(%d: tensor<2x3xf32>, %i: tensor<5x1xi64>) {
  // expected-error @below {{differ in their 1 batch dimensions}}
  %0 = llmpar.gather_nd %d, %i {batch_dims = 1 : i64} : (tensor<2x3xf32>, tensor<5x1xi64>) -> tensor<5xf32>
  return
}

// -----

func.func @scatter_nd_updates_fit(%d: tensor<2x3xf32>, %i: tensor<5x1xi64>, %u: tensor<5x2xf32>) {
  // expected-error @below {{updates of type 'tensor<5x2xf32>' do not fit indices of type 'tensor<5x1xi64>'}}
  %0 = llmpar.scatter_nd %d, %i, %u {reduction = "none"} : (tensor<2x3xf32>, tensor<5x1xi64>, tensor<5x2xf32>) -> tensor<2x3xf32>
  return
}

// -----

func.func @scatter_elements_shapes_agree(%d: tensor<2x3xf32>, %i: tensor<2x1xi64>, %u: tensor<1x3xf32>) {
  // expected-error @below {{need one shape, of the data's rank}}
  %0 = llmpar.scatter_elements %d, %i, %u {axis = 0 : i64, reduction = "none"} : (tensor<2x3xf32>, tensor<2x1xi64>, tensor<1x3xf32>) -> tensor<2x3xf32>
  return
}

// -----

func.func @transpose_takes_a_permutation(%x: tensor<2x3xf32>) {
  // expected-error @below {{the permutation is not one of 2 dimensions}}
  %0 = llmpar.transpose %x {permutation = array<i64: 1, 1>} : (tensor<2x3xf32>) -> tensor<3x3xf32>
  return
}

// -----

func.func @transpose_names_every_dimension(%x: tensor<2x3xf32>) {
  // expected-error @below {{the permutation has 1 entries for 2 dimensions}}
  %0 = llmpar.transpose %x {permutation = array<i64: 1>} : (tensor<2x3xf32>) -> tensor<3xf32>
  return
}

// -----

func.func @concat_joins_equal_shapes(%x: tensor<2x3xf32>, %y: tensor<4x5xf32>) {
  // expected-error @below {{cannot join 'tensor<4x5xf32>' with 'tensor<2x3xf32>' along axis 1}}
  %0 = llmpar.concat %x, %y {axis = 1 : i64} : (tensor<2x3xf32>, tensor<4x5xf32>) -> tensor<2x8xf32>
  return
}

// -----

func.func @attention_needs_heads_that_divide(%q: tensor<6x4x2xf32>, %k: tensor<4x5x2xf32>, %v: tensor<4x5x3xf32>) {
  // expected-error @below {{operands of types 'tensor<6x4x2xf32>', 'tensor<4x5x2xf32>' and 'tensor<4x5x3xf32>': q [.., m, d], k [.., n, d] and v [.., n, e] of one float type are needed, whose leading dimensions in k and v divide those of q}}
  %0:2 = llmpar.attention %q, %k, %v {scale = 1.0, fill = 0.0} : (tensor<6x4x2xf32>, tensor<4x5x2xf32>, tensor<4x5x3xf32>) -> (tensor<6x4x3xf32>, tensor<6x4xf32>)
  return
}

// -----

func.func @attention_needs_masks_that_broadcast(%q: tensor<6x4x2xf32>, %k: tensor<6x5x2xf32>, %v: tensor<6x5x3xf32>, %mask: tensor<5x4xi1>) {
  // expected-error @below {{mask of type 'tensor<5x4xi1>': floats or i1 that broadcast to 'tensor<6x4x5xi1>' are needed}}
  %0:2 = llmpar.attention %q, %k, %v masks %mask {scale = 1.0, fill = 0.0} : (tensor<6x4x2xf32>, tensor<6x5x2xf32>, tensor<6x5x3xf32>, tensor<5x4xi1>) -> (tensor<6x4x3xf32>, tensor<6x4xf32>)
  return
}

// -----

func.func @attention_grad_needs_what_attention_gave(%q: tensor<6x4x2xf32>, %k: tensor<6x5x2xf32>, %v: tensor<6x5x3xf32>, %y: tensor<6x4x3xf32>, %lse: tensor<4xf32>) {
  // expected-error @below {{y, lse or dy of type 'tensor<4xf32>', expected 'tensor<6x4xf32>'}}
  %0:3 = llmpar.attention_grad %q, %k, %v, %y, %lse, %y {scale = 1.0, fill = 0.0} : (tensor<6x4x2xf32>, tensor<6x5x2xf32>, tensor<6x5x3xf32>, tensor<6x4x3xf32>, tensor<4xf32>, tensor<6x4x3xf32>) -> (tensor<6x4x2xf32>, tensor<6x5x2xf32>, tensor<6x5x3xf32>)
  return
}
