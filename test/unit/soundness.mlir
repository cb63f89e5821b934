// Cases of SoundnessTest.cpp: one op each, on arguments only. Sizes are odd, so that every split is uneven.
// Every op with a factor rule occurs here (a test checks that); load_weight and constant have no kernel.

//===-- Sources and elementwise
func.func @iota_along_the_counted_axis() {
  %0 = llmpar.iota {axis = 1, start = 3.0, step = 2.0} : tensor<3x7xi64>
  return
}
func.func @iota_of_floats() {
  %0 = llmpar.iota {axis = 0, start = 0.5, step = -0.25} : tensor<5x3xf32>
  return
}
func.func @unary(%x: tensor<3x5xf32>) {
  %0 = llmpar.unary "gelu" %x : (tensor<3x5xf32>) -> tensor<3x5xf32>
  return
}
func.func @unary_with_parameters(%x: tensor<5x3xf32>) {
  %0 = llmpar.unary "hard_sigmoid" %x {alpha = 0.2, beta = 0.5} : (tensor<5x3xf32>) -> tensor<5x3xf32>
  return
}
func.func @unary_test(%x: tensor<7xf32>) {
  %0 = llmpar.unary "is_nan" %x : (tensor<7xf32>) -> tensor<7xi1>
  return
}
func.func @binary(%a: tensor<3x5xf32>, %b: tensor<3x5xf32>) {
  %0 = llmpar.binary "sub" %a, %b : (tensor<3x5xf32>, tensor<3x5xf32>) -> tensor<3x5xf32>
  return
}
func.func @binary_broadcasts_a_missing_dimension(%a: tensor<5xf32>, %b: tensor<3x5xf32>) {
  %0 = llmpar.binary "sub" %a, %b : (tensor<5xf32>, tensor<3x5xf32>) -> tensor<3x5xf32>
  return
}
func.func @binary_broadcasts_dimensions_of_one(%a: tensor<3x1x5xf32>, %b: tensor<7x1xf32>) {
  %0 = llmpar.binary "div" %a, %b : (tensor<3x1x5xf32>, tensor<7x1xf32>) -> tensor<3x7x5xf32>
  return
}
func.func @binary_with_a_scalar(%a: tensor<i32>, %b: tensor<3x5xi32>) {
  %0 = llmpar.binary "less" %a, %b : (tensor<i32>, tensor<3x5xi32>) -> tensor<3x5xi1>
  return
}
func.func @select_broadcasts_each_operand(%c: tensor<5x1xi1>, %a: tensor<3x1x7xf32>, %b: tensor<f32>) {
  %0 = llmpar.select %c, %a, %b : (tensor<5x1xi1>, tensor<3x1x7xf32>, tensor<f32>) -> tensor<3x5x7xf32>
  return
}
func.func @cast(%x: tensor<3x5xf32>) {
  %0 = llmpar.cast %x : (tensor<3x5xf32>) -> tensor<3x5xi32>
  return
}

func.func @unary_of_f16(%x: tensor<3x5xf16>) {
  %0 = llmpar.unary "gelu" %x : (tensor<3x5xf16>) -> tensor<3x5xf16>
  return
}
func.func @binary_of_bf16(%a: tensor<3x1x5xbf16>, %b: tensor<7x1xbf16>) {
  %0 = llmpar.binary "mul" %a, %b : (tensor<3x1x5xbf16>, tensor<7x1xbf16>) -> tensor<3x7x5xbf16>
  return
}
func.func @cast_from_f16_to_bf16(%x: tensor<3x5xf16>) {
  %0 = llmpar.cast %x : (tensor<3x5xf16>) -> tensor<3x5xbf16>
  return
}

//===-- Contractions
func.func @matmul(%a: tensor<3x5xf32>, %b: tensor<5x7xf32>) {
  %0 = llmpar.matmul %a, %b : (tensor<3x5xf32>, tensor<5x7xf32>) -> tensor<3x7xf32>
  return
}
func.func @matmul_transpose_a(%a: tensor<5x3xf32>, %b: tensor<5x7xf32>) {
  %0 = llmpar.matmul %a, %b {transpose_a = true} : (tensor<5x3xf32>, tensor<5x7xf32>) -> tensor<3x7xf32>
  return
}
func.func @matmul_transpose_b(%a: tensor<3x5xf32>, %b: tensor<7x5xf32>) {
  %0 = llmpar.matmul %a, %b {transpose_b = true} : (tensor<3x5xf32>, tensor<7x5xf32>) -> tensor<3x7xf32>
  return
}
func.func @matmul_of_batches_with_one_weight(%a: tensor<3x4x5xf32>, %b: tensor<5x7xf32>) {
  %0 = llmpar.matmul %a, %b : (tensor<3x4x5xf32>, tensor<5x7xf32>) -> tensor<3x4x7xf32>
  return
}
func.func @matmul_broadcasts_batches(%a: tensor<3x1x2x5xf32>, %b: tensor<4x7x5xf32>) {
  %0 = llmpar.matmul %a, %b {transpose_b = true} : (tensor<3x1x2x5xf32>, tensor<4x7x5xf32>) -> tensor<3x4x2x7xf32>
  return
}
func.func @matmul_of_one_row(%a: tensor<1x5xf32>, %b: tensor<5x7xf32>) {
  %0 = llmpar.matmul %a, %b : (tensor<1x5xf32>, tensor<5x7xf32>) -> tensor<1x7xf32>
  return
}
func.func @matmul_of_integers(%a: tensor<3x5xi32>, %b: tensor<5x7xi32>) {
  %0 = llmpar.matmul %a, %b : (tensor<3x5xi32>, tensor<5x7xi32>) -> tensor<3x7xi32>
  return
}
func.func @experts(%x: tensor<3x5x7xf32>, %routing: tensor<3x5x4xf32>, %up: tensor<4x6x7xf32>, %down: tensor<4x9x6xf32>, %gate: tensor<4x6x7xf32>) {
  %0 = llmpar.experts "silu" %x, %routing up %up down %down gate %gate {k = 2, experts = 4}
    : (tensor<3x5x7xf32>, tensor<3x5x4xf32>, tensor<4x6x7xf32>, tensor<4x9x6xf32>, tensor<4x6x7xf32>) -> tensor<3x5x9xf32>
  return
}
func.func @experts_without_gate(%x: tensor<5x3xf32>, %routing: tensor<5x3xf32>, %up: tensor<3x7x3xf32>, %down: tensor<3x2x7xf32>) {
  %0 = llmpar.experts "relu" %x, %routing up %up down %down {k = 1, experts = 3}
    : (tensor<5x3xf32>, tensor<5x3xf32>, tensor<3x7x3xf32>, tensor<3x2x7xf32>) -> tensor<5x2xf32>
  return
}
func.func @conv(%x: tensor<3x5x7x6xf32>, %w: tensor<4x5x3x2xf32>) {
  %0 = llmpar.conv %x, %w {group = 1, strides = array<i64: 2, 1>, pads_begin = array<i64: 1, 0>, pads_end = array<i64: 1, 1>, dilations = array<i64: 1, 2>}
     : (tensor<3x5x7x6xf32>, tensor<4x5x3x2xf32>) -> tensor<3x4x4x5xf32>
  return
}
func.func @conv_with_bias(%x: tensor<3x5x7xf32>, %w: tensor<4x5x3xf32>, %bias: tensor<4xf32>) {
  %0 = llmpar.conv %x, %w, %bias {group = 1, strides = array<i64: 1>, pads_begin = array<i64: 0>, pads_end = array<i64: 0>, dilations = array<i64: 1>}
     : (tensor<3x5x7xf32>, tensor<4x5x3xf32>, tensor<4xf32>) -> tensor<3x4x5xf32>
  return
}
func.func @conv_of_groups(%x: tensor<3x6x7xf32>, %w: tensor<9x2x3xf32>) {
  %0 = llmpar.conv %x, %w {group = 3, strides = array<i64: 1>, pads_begin = array<i64: 1>, pads_end = array<i64: 1>, dilations = array<i64: 1>}
     : (tensor<3x6x7xf32>, tensor<9x2x3xf32>) -> tensor<3x9x7xf32>
  return
}

func.func @matmul_of_f16(%a: tensor<3x5xf16>, %b: tensor<5x7xf16>) {
  %0 = llmpar.matmul %a, %b : (tensor<3x5xf16>, tensor<5x7xf16>) -> tensor<3x7xf16>
  return
}
func.func @matmul_of_bf16_batches(%a: tensor<3x4x5xbf16>, %b: tensor<5x7xbf16>) {
  %0 = llmpar.matmul %a, %b : (tensor<3x4x5xbf16>, tensor<5x7xbf16>) -> tensor<3x4x7xbf16>
  return
}
func.func @conv_of_f16(%x: tensor<3x5x7xf16>, %w: tensor<4x5x3xf16>) {
  %0 = llmpar.conv %x, %w {group = 1, strides = array<i64: 1>, pads_begin = array<i64: 1>, pads_end = array<i64: 0>, dilations = array<i64: 1>}
     : (tensor<3x5x7xf16>, tensor<4x5x3xf16>) -> tensor<3x4x6xf16>
  return
}

//===-- Reductions and normalisation
func.func @reduce_sum(%x: tensor<3x5x7xf32>) {
  %0 = llmpar.reduce "sum" %x {axes = array<i64: 1>, keep_dims = false} : (tensor<3x5x7xf32>) -> tensor<3x7xf32>
  return
}
func.func @reduce_max_keeps_dims(%x: tensor<3x5x7xf32>) {
  %0 = llmpar.reduce "max" %x {axes = array<i64: 0, 2>, keep_dims = true} : (tensor<3x5x7xf32>) -> tensor<1x5x1xf32>
  return
}
func.func @reduce_min_of_integers(%x: tensor<4x3xi32>) {
  %0 = llmpar.reduce "min" %x {axes = array<i64: 0, 1>, keep_dims = false} : (tensor<4x3xi32>) -> tensor<i32>
  return
}
func.func @reduce_prod(%x: tensor<3x5xf32>) {
  %0 = llmpar.reduce "prod" %x {axes = array<i64: 1>, keep_dims = false} : (tensor<3x5xf32>) -> tensor<3xf32>
  return
}
func.func @softmax(%x: tensor<3x5x7xf32>) {
  %0 = llmpar.softmax %x {axis = 2} : (tensor<3x5x7xf32>) -> tensor<3x5x7xf32>
  return
}
func.func @log_softmax_of_a_middle_axis(%x: tensor<3x5x7xf32>) {
  %0 = llmpar.softmax %x {axis = 1, log = true} : (tensor<3x5x7xf32>) -> tensor<3x5x7xf32>
  return
}
func.func @layer_norm(%x: tensor<3x5x7xf32>, %scale: tensor<7xf32>) {
  %0 = llmpar.layer_norm %x, %scale {axis = 2, epsilon = 1.0e-5} : (tensor<3x5x7xf32>, tensor<7xf32>) -> tensor<3x5x7xf32>
  return
}
func.func @layer_norm_with_bias_over_two_dimensions(%x: tensor<3x5x7xf32>, %scale: tensor<5x7xf32>, %bias: tensor<7xf32>) {
  %0 = llmpar.layer_norm %x, %scale, %bias {axis = 1, epsilon = 1.0e-5} : (tensor<3x5x7xf32>, tensor<5x7xf32>, tensor<7xf32>) -> tensor<3x5x7xf32>
  return
}
func.func @layer_norm_with_a_scale_for_each_row(%x: tensor<3x5x7xf32>, %scale: tensor<3x1x7xf32>, %bias: tensor<5x7xf32>) {
  %0 = llmpar.layer_norm %x, %scale, %bias {axis = 2, epsilon = 1.0e-5} : (tensor<3x5x7xf32>, tensor<3x1x7xf32>, tensor<5x7xf32>) -> tensor<3x5x7xf32>
  return
}
func.func @rms_norm(%x: tensor<3x5x7xf32>, %scale: tensor<7xf32>) {
  %0 = llmpar.rms_norm %x, %scale {axis = 2, epsilon = 1.0e-5} : (tensor<3x5x7xf32>, tensor<7xf32>) -> tensor<3x5x7xf32>
  return
}
func.func @rotary_of_halves_of_longer_rows(%x: tensor<3x5x7x6xf32>, %cos: tensor<3x1x7x2xf32>, %sin: tensor<3x1x7x2xf32>) {
  %0 = llmpar.rotary %x, %cos, %sin : (tensor<3x5x7x6xf32>, tensor<3x1x7x2xf32>, tensor<3x1x7x2xf32>) -> tensor<3x5x7x6xf32>
  return
}
func.func @rotary_of_neighbours(%x: tensor<3x7x5x6xf32>, %cos: tensor<7x1x3xf32>, %sin: tensor<3x7x5x3xf32>) {
  %0 = llmpar.rotary %x, %cos, %sin {interleaved = true} : (tensor<3x7x5x6xf32>, tensor<7x1x3xf32>, tensor<3x7x5x3xf32>) -> tensor<3x7x5x6xf32>
  return
}
func.func @cumsum(%x: tensor<3x5x7xf32>) {
  %0 = llmpar.cumsum %x {axis = 1, exclusive = false, reverse = true} : (tensor<3x5x7xf32>) -> tensor<3x5x7xf32>
  return
}
func.func @arg_reduce(%x: tensor<3x5x7xf32>) {
  %0 = llmpar.arg_reduce %x {axis = 1, keep_dims = false, largest = true, last = false} : (tensor<3x5x7xf32>) -> tensor<3x7xi64>
  return
}
func.func @arg_reduce_keeps_dims(%x: tensor<3x5x7xf32>) {
  %0 = llmpar.arg_reduce %x {axis = 0, keep_dims = true, largest = false, last = true} : (tensor<3x5x7xf32>) -> tensor<1x5x7xi64>
  return
}
func.func @arg_reduce_of_integers(%x: tensor<3x7xi32>) {
  %0 = llmpar.arg_reduce %x {axis = 1, keep_dims = false, largest = true, last = true} : (tensor<3x7xi32>) -> tensor<3xi64>
  return
}
func.func @log_softmax_of_f16(%x: tensor<3x7xf16>) {
  %0 = llmpar.softmax %x {axis = 1, log = true} : (tensor<3x7xf16>) -> tensor<3x7xf16>
  return
}
func.func @top_k(%x: tensor<3x7x5xf32>) {
  %0:2 = llmpar.top_k %x {k = 3, axis = 1, largest = true} : (tensor<3x7x5xf32>) -> (tensor<3x3x5xf32>, tensor<3x3x5xi64>)
  return
}
func.func @max_pool(%x: tensor<3x5x7xf32>) {
  %0 = llmpar.pool %x {kind = 0, kernel = array<i64: 3>, strides = array<i64: 2>, pads_begin = array<i64: 1>, pads_end = array<i64: 1>, dilations = array<i64: 1>}
     : (tensor<3x5x7xf32>) -> tensor<3x5x4xf32>
  return
}
func.func @mean_pool_of_two_dimensions(%x: tensor<3x5x4x7xf32>) {
  %0 = llmpar.pool %x {kind = 1, kernel = array<i64: 2, 3>, strides = array<i64: 1, 2>, pads_begin = array<i64: 0, 1>, pads_end = array<i64: 0, 1>, dilations = array<i64: 1, 1>}
     : (tensor<3x5x4x7xf32>) -> tensor<3x5x3x4xf32>
  return
}

func.func @reduce_sum_of_f16(%x: tensor<3x5x7xf16>) {
  %0 = llmpar.reduce "sum" %x {axes = array<i64: 1>, keep_dims = true} : (tensor<3x5x7xf16>) -> tensor<3x1x7xf16>
  return
}
func.func @reduce_sum_of_bf16(%x: tensor<3x5x7xbf16>) {
  %0 = llmpar.reduce "sum" %x {axes = array<i64: 0, 2>, keep_dims = false} : (tensor<3x5x7xbf16>) -> tensor<5xbf16>
  return
}
func.func @reduce_max_of_bf16(%x: tensor<3x5xbf16>) {
  %0 = llmpar.reduce "max" %x {axes = array<i64: 1>, keep_dims = false} : (tensor<3x5xbf16>) -> tensor<3xbf16>
  return
}
func.func @softmax_of_bf16(%x: tensor<3x5x7xbf16>) {
  %0 = llmpar.softmax %x {axis = 2} : (tensor<3x5x7xbf16>) -> tensor<3x5x7xbf16>
  return
}
func.func @layer_norm_of_f16(%x: tensor<3x5x7xf16>, %scale: tensor<7xf16>, %bias: tensor<7xf16>) {
  %0 = llmpar.layer_norm %x, %scale, %bias {axis = 2, epsilon = 1.0e-5} : (tensor<3x5x7xf16>, tensor<7xf16>, tensor<7xf16>) -> tensor<3x5x7xf16>
  return
}
func.func @rms_norm_of_bf16(%x: tensor<3x5x7xbf16>, %scale: tensor<7xbf16>) {
  %0 = llmpar.rms_norm %x, %scale {axis = 2, epsilon = 1.0e-5} : (tensor<3x5x7xbf16>, tensor<7xbf16>) -> tensor<3x5x7xbf16>
  return
}
func.func @rotary_of_bf16_by_f32(%x: tensor<5x3x4xbf16>, %cos: tensor<3x2xf32>, %sin: tensor<3x2xbf16>) {
  %0 = llmpar.rotary %x, %cos, %sin : (tensor<5x3x4xbf16>, tensor<3x2xf32>, tensor<3x2xbf16>) -> tensor<5x3x4xbf16>
  return
}
func.func @cumsum_of_f16(%x: tensor<3x5xf16>) {
  %0 = llmpar.cumsum %x {axis = 1, exclusive = false, reverse = false} : (tensor<3x5xf16>) -> tensor<3x5xf16>
  return
}
func.func @top_k_of_bf16(%x: tensor<3x7xbf16>) {
  %0:2 = llmpar.top_k %x {k = 3, axis = 1, largest = false} : (tensor<3x7xbf16>) -> (tensor<3x3xbf16>, tensor<3x3xi64>)
  return
}

//===-- Indexing
func.func @gather_rows_of_a_table(%data: tensor<7x5xf32>, %indices: tensor<2x3xi64>) {
  %0 = llmpar.gather %data, %indices {axis = 0} : (tensor<7x5xf32>, tensor<2x3xi64>) -> tensor<2x3x5xf32>
  return
}
func.func @gather_along_a_middle_axis(%data: tensor<3x7x5xf32>, %indices: tensor<4x2xi32>) {
  %0 = llmpar.gather %data, %indices {axis = 1} : (tensor<3x7x5xf32>, tensor<4x2xi32>) -> tensor<3x4x2x5xf32>
  return
}
func.func @gather_one_element(%data: tensor<3x7xi64>, %indices: tensor<i64>) {
  %0 = llmpar.gather %data, %indices {axis = 1} : (tensor<3x7xi64>, tensor<i64>) -> tensor<3xi64>
  return
}
func.func @gather_of_bools(%data: tensor<7x5xi1>, %indices: tensor<3xi64>) {
  %0 = llmpar.gather %data, %indices {axis = 0} : (tensor<7x5xi1>, tensor<3xi64>) -> tensor<3x5xi1>
  return
}
func.func @gather_elements(%data: tensor<3x7x5xf32>, %indices: tensor<3x4x2xi64>) {
  %0 = llmpar.gather_elements %data, %indices {axis = 1} : (tensor<3x7x5xf32>, tensor<3x4x2xi64>) -> tensor<3x4x2xf32>
  return
}
func.func @gather_nd(%data: tensor<5x7x3xf32>, %indices: tensor<4x2xi64>) {
  %0 = llmpar.gather_nd %data, %indices {batch_dims = 0} : (tensor<5x7x3xf32>, tensor<4x2xi64>) -> tensor<4x3xf32>
  return
}
func.func @gather_nd_of_batches(%data: tensor<5x7x3xf32>, %indices: tensor<5x4x1xi64>) {
  %0 = llmpar.gather_nd %data, %indices {batch_dims = 1} : (tensor<5x7x3xf32>, tensor<5x4x1xi64>) -> tensor<5x4x3xf32>
  return
}
func.func @scatter_nd(%data: tensor<7x5x3xf32>, %indices: tensor<4x1xi64>, %updates: tensor<4x5x3xf32>) {
  %0 = llmpar.scatter_nd %data, %indices, %updates {reduction = "none"}
     : (tensor<7x5x3xf32>, tensor<4x1xi64>, tensor<4x5x3xf32>) -> tensor<7x5x3xf32>
  return
}
func.func @scatter_nd_adds(%data: tensor<7x5x3xf32>, %indices: tensor<2x4x2xi64>, %updates: tensor<2x4x3xf32>) {
  %0 = llmpar.scatter_nd %data, %indices, %updates {reduction = "add"}
     : (tensor<7x5x3xf32>, tensor<2x4x2xi64>, tensor<2x4x3xf32>) -> tensor<7x5x3xf32>
  return
}
func.func @scatter_elements(%data: tensor<7x5x3xf32>, %indices: tensor<4x5x3xi64>, %updates: tensor<4x5x3xf32>) {
  %0 = llmpar.scatter_elements %data, %indices, %updates {axis = 0, reduction = "none"}
     : (tensor<7x5x3xf32>, tensor<4x5x3xi64>, tensor<4x5x3xf32>) -> tensor<7x5x3xf32>
  return
}
func.func @scatter_elements_into_a_part(%data: tensor<7x5x3xf32>, %indices: tensor<7x2x2xi64>, %updates: tensor<7x2x2xf32>) {
  %0 = llmpar.scatter_elements %data, %indices, %updates {axis = 1, reduction = "max"}
     : (tensor<7x5x3xf32>, tensor<7x2x2xi64>, tensor<7x2x2xf32>) -> tensor<7x5x3xf32>
  return
}

func.func @gather_of_bf16(%data: tensor<7x5xbf16>, %indices: tensor<2x3xi64>) {
  %0 = llmpar.gather %data, %indices {axis = 0} : (tensor<7x5xbf16>, tensor<2x3xi64>) -> tensor<2x3x5xbf16>
  return
}
func.func @scatter_nd_of_f16_adds(%data: tensor<7x5x3xf16>, %indices: tensor<4x1xi64>, %updates: tensor<4x5x3xf16>) {
  %0 = llmpar.scatter_nd %data, %indices, %updates {reduction = "add"}
     : (tensor<7x5x3xf16>, tensor<4x1xi64>, tensor<4x5x3xf16>) -> tensor<7x5x3xf16>
  return
}

//===-- Layout
func.func @transpose(%x: tensor<3x5x7xf32>) {
  %0 = llmpar.transpose %x {permutation = array<i64: 2, 0, 1>} : (tensor<3x5x7xf32>) -> tensor<7x3x5xf32>
  return
}
func.func @reshape_splits_heads(%x: tensor<2x5x21xf32>) {
  %0 = llmpar.reshape %x : (tensor<2x5x21xf32>) -> tensor<2x5x3x7xf32>
  return
}
func.func @reshape_joins_heads(%x: tensor<3x5x7x2xf32>) {
  %0 = llmpar.reshape %x : (tensor<3x5x7x2xf32>) -> tensor<15x14xf32>
  return
}
func.func @reshape_regroups(%x: tensor<15x7x6xf32>) {
  %0 = llmpar.reshape %x : (tensor<15x7x6xf32>) -> tensor<3x35x2x3xf32>
  return
}
func.func @reshape_where_only_a_common_divisor_is_left(%x: tensor<9x10xf32>) {
  %0 = llmpar.reshape %x : (tensor<9x10xf32>) -> tensor<6x15xf32>
  return
}
func.func @broadcast(%x: tensor<5x1x7xf32>) {
  %0 = llmpar.broadcast %x : (tensor<5x1x7xf32>) -> tensor<3x5x2x7xf32>
  return
}
func.func @broadcast_scalar(%x: tensor<i64>) {
  %0 = llmpar.broadcast %x : (tensor<i64>) -> tensor<3x5xi64>
  return
}
func.func @slice(%x: tensor<3x7x5xf32>) {
  %0 = llmpar.slice %x {starts = array<i64: 0, 1, 0>, steps = array<i64: 1, 2, 1>} : (tensor<3x7x5xf32>) -> tensor<3x3x5xf32>
  return
}
func.func @slice_backwards(%x: tensor<3x7xf32>) {
  %0 = llmpar.slice %x {starts = array<i64: 0, 6>, steps = array<i64: 1, -1>} : (tensor<3x7xf32>) -> tensor<3x7xf32>
  return
}
func.func @concat(%a: tensor<3x2x5xf32>, %b: tensor<3x4x5xf32>, %c: tensor<3x1x5xf32>) {
  %0 = llmpar.concat %a, %b, %c {axis = 1} : (tensor<3x2x5xf32>, tensor<3x4x5xf32>, tensor<3x1x5xf32>) -> tensor<3x7x5xf32>
  return
}
func.func @pad(%x: tensor<3x5xf32>) {
  %0 = llmpar.pad %x {mode = 0, low = array<i64: 0, 2>, value = 1.5} : (tensor<3x5xf32>) -> tensor<3x8xf32>
  return
}
func.func @pad_above_by_reflection(%x: tensor<3x5x7xf32>) {
  %0 = llmpar.pad %x {mode = 1, low = array<i64: 0, 0, 1>, value = 0.0} : (tensor<3x5x7xf32>) -> tensor<3x7x9xf32>
  return
}
func.func @transpose_of_bf16(%x: tensor<3x5x7xbf16>) {
  %0 = llmpar.transpose %x {permutation = array<i64: 2, 0, 1>} : (tensor<3x5x7xbf16>) -> tensor<7x3x5xbf16>
  return
}
func.func @pad_of_f16(%x: tensor<3x5xf16>) {
  %0 = llmpar.pad %x {mode = 0, low = array<i64: 0, 2>, value = 1.5} : (tensor<3x5xf16>) -> tensor<3x8xf16>
  return
}

//===-- Attention
func.func @attention(%q: tensor<2x3x5x7xf32>, %k: tensor<2x3x4x7xf32>, %v: tensor<2x3x4x5xf32>, %mask: tensor<2x1x5x4xi1>) {
  %0:2 = llmpar.attention %q, %k, %v masks %mask {scale = 0.4, fill = -2.0} : (tensor<2x3x5x7xf32>, tensor<2x3x4x7xf32>, tensor<2x3x4x5xf32>, tensor<2x1x5x4xi1>) -> (tensor<2x3x5x5xf32>, tensor<2x3x5xf32>)
  return
}
func.func @attention_with_a_bias(%q: tensor<3x5x7xf32>, %k: tensor<3x7x4xf32>, %v: tensor<3x4x2xf32>, %bias: tensor<5x1xf32>, %mask: tensor<1x1x4xi1>) {
  %0:2 = llmpar.attention %q, %k, %v masks %bias, %mask {scale = 0.4, fill = 0xFFF0000000000000 : f64, zero_empty = true, transpose_k = true} : (tensor<3x5x7xf32>, tensor<3x7x4xf32>, tensor<3x4x2xf32>, tensor<5x1xf32>, tensor<1x1x4xi1>) -> (tensor<3x5x2xf32>, tensor<3x5xf32>)
  return
}
func.func @attention_of_groups(%q: tensor<6x3x2xf32>, %k: tensor<3x5x2xf32>, %v: tensor<3x5x3xf32>) {
  %0:2 = llmpar.attention %q, %k, %v {scale = 0.7, fill = 0.0} : (tensor<6x3x2xf32>, tensor<3x5x2xf32>, tensor<3x5x3xf32>) -> (tensor<6x3x3xf32>, tensor<6x3xf32>)
  return
}
func.func @attention_of_one_key_head(%q: tensor<3x5x3x2xf32>, %k: tensor<3x1x5x2xf32>, %v: tensor<1x5x5x3xf32>) {
  %0:2 = llmpar.attention %q, %k, %v {scale = 0.7, fill = 0.0} : (tensor<3x5x3x2xf32>, tensor<3x1x5x2xf32>, tensor<1x5x5x3xf32>) -> (tensor<3x5x3x3xf32>, tensor<3x5x3xf32>)
  return
}

//===-- Training
func.func @attention_grad(%q: tensor<2x3x5x7xf32>, %k: tensor<2x3x4x7xf32>, %v: tensor<2x3x4x5xf32>, %y: tensor<2x3x5x5xf32>, %lse: tensor<2x3x5xf32>, %dy: tensor<2x3x5x5xf32>, %mask: tensor<2x1x5x4xi1>) {
  %0:3 = llmpar.attention_grad %q, %k, %v, %y, %lse, %dy masks %mask {scale = 0.4, fill = -2.0} : (tensor<2x3x5x7xf32>, tensor<2x3x4x7xf32>, tensor<2x3x4x5xf32>, tensor<2x3x5x5xf32>, tensor<2x3x5xf32>, tensor<2x3x5x5xf32>, tensor<2x1x5x4xi1>) -> (tensor<2x3x5x7xf32>, tensor<2x3x4x7xf32>, tensor<2x3x4x5xf32>)
  return
}
func.func @attention_grad_of_groups(%q: tensor<6x3x2xf32>, %k: tensor<1x2x5xf32>, %v: tensor<3x5x3xf32>, %y: tensor<6x3x3xf32>, %lse: tensor<6x3xf32>, %dy: tensor<6x3x3xf32>) {
  %0:3 = llmpar.attention_grad %q, %k, %v, %y, %lse, %dy {scale = 0.7, fill = 0.0, transpose_k = true} : (tensor<6x3x2xf32>, tensor<1x2x5xf32>, tensor<3x5x3xf32>, tensor<6x3x3xf32>, tensor<6x3xf32>, tensor<6x3x3xf32>) -> (tensor<6x3x2xf32>, tensor<1x2x5xf32>, tensor<3x5x3xf32>)
  return
}
func.func @unary_grad(%x: tensor<3x5xf32>, %dy: tensor<3x5xf32>) {
  %0 = llmpar.unary_grad "gelu" %x, %dy : (tensor<3x5xf32>, tensor<3x5xf32>) -> tensor<3x5xf32>
  return
}
func.func @weight_grad(%a: tensor<3x5x7xf32>, %b: tensor<3x5x5xf32>) {
  %0 = llmpar.weight_grad %a, %b : (tensor<3x5x7xf32>, tensor<3x5x5xf32>) -> tensor<7x5xf32>
  return
}
func.func @softmax_grad(%y: tensor<3x5x7xf32>, %dy: tensor<3x5x7xf32>) {
  %0 = llmpar.softmax_grad %y, %dy {axis = 1} : (tensor<3x5x7xf32>, tensor<3x5x7xf32>) -> tensor<3x5x7xf32>
  return
}
func.func @softmax_grad_of_the_log(%y: tensor<3x5xf32>, %dy: tensor<3x5xf32>) {
  %0 = llmpar.softmax_grad %y, %dy {axis = 1, log = true} : (tensor<3x5xf32>, tensor<3x5xf32>) -> tensor<3x5xf32>
  return
}
func.func @norm_grad(%x: tensor<3x5x7xf32>, %scale: tensor<7xf32>, %dy: tensor<3x5x7xf32>) {
  %0 = llmpar.norm_grad %x, %scale, %dy {axis = 2, epsilon = 1.0e-5, centered = true} : (tensor<3x5x7xf32>, tensor<7xf32>, tensor<3x5x7xf32>) -> tensor<3x5x7xf32>
  return
}
func.func @norm_grad_over_two_dims(%x: tensor<5x3x3xf32>, %scale: tensor<3x3xf32>, %dy: tensor<5x3x3xf32>) {
  %0 = llmpar.norm_grad %x, %scale, %dy {axis = 1, epsilon = 1.0e-5, centered = false} : (tensor<5x3x3xf32>, tensor<3x3xf32>, tensor<5x3x3xf32>) -> tensor<5x3x3xf32>
  return
}
func.func @norm_scale_grad(%x: tensor<3x5x7xf32>, %dy: tensor<3x5x7xf32>) {
  %0 = llmpar.norm_scale_grad %x, %dy {axis = 2, epsilon = 1.0e-5, centered = true} : (tensor<3x5x7xf32>, tensor<3x5x7xf32>) -> tensor<7xf32>
  return
}
func.func @gather_grad(%indices: tensor<3x5xi64>, %dy: tensor<3x5x7xf32>) {
  %0 = llmpar.gather_grad %indices, %dy {axis = 0} : (tensor<3x5xi64>, tensor<3x5x7xf32>) -> tensor<5x7xf32>
  return
}
func.func @gather_grad_along_the_last_axis(%indices: tensor<5xi32>, %dy: tensor<3x5xf32>) {
  %0 = llmpar.gather_grad %indices, %dy {axis = 1} : (tensor<5xi32>, tensor<3x5xf32>) -> tensor<3x7xf32>
  return
}
func.func @slice_grad(%dy: tensor<3x2x5xf32>) {
  %0 = llmpar.slice_grad %dy {starts = array<i64: 0, 1, 4>, steps = array<i64: 1, 2, -1>} : (tensor<3x2x5xf32>) -> tensor<3x5x5xf32>
  return
}
func.func @cross_entropy(%logits: tensor<3x5x7xf32>, %labels: tensor<3x5xi64>) {
  %0:2 = llmpar.cross_entropy %logits, %labels {ignore_index = 2, label_smoothing = 0.1} : (tensor<3x5x7xf32>, tensor<3x5xi64>) -> (tensor<3x5xf32>, tensor<3x5xf32>)
  return
}
func.func @cross_entropy_grad(%logits: tensor<3x5x7xf32>, %labels: tensor<3x5xi64>, %lse: tensor<3x5xf32>, %dloss: tensor<3x5xf32>) {
  %0 = llmpar.cross_entropy_grad %logits, %labels, %lse, %dloss {ignore_index = 2, label_smoothing = 0.1} : (tensor<3x5x7xf32>, tensor<3x5xi64>, tensor<3x5xf32>, tensor<3x5xf32>) -> tensor<3x5x7xf32>
  return
}
func.func @adam(%p: tensor<3x5xf32>, %g: tensor<3x5xf32>, %m: tensor<3x5xf32>, %v: tensor<3x5xf32>, %rate: tensor<f32>, %scale: tensor<f32>, %step: tensor<f32>) {
  %0:3 = llmpar.adam %p, %g, %m, %v, %rate, %scale, %step {beta1 = 0.9, beta2 = 0.999, epsilon = 1.0e-8, weight_decay = 0.1, decoupled = true} : (tensor<3x5xf32>, tensor<3x5xf32>, tensor<3x5xf32>, tensor<3x5xf32>, tensor<f32>, tensor<f32>, tensor<f32>) -> (tensor<3x5xf32>, tensor<3x5xf32>, tensor<3x5xf32>)
  return
}
func.func @sgd(%p: tensor<3x5xf32>, %g: tensor<3x5xf32>, %u: tensor<3x5xf32>, %rate: tensor<f32>, %scale: tensor<f32>) {
  %0:2 = llmpar.sgd %p, %g, %u, %rate, %scale {momentum = 0.9, weight_decay = 0.1, nesterov = true} : (tensor<3x5xf32>, tensor<3x5xf32>, tensor<3x5xf32>, tensor<f32>, tensor<f32>) -> (tensor<3x5xf32>, tensor<3x5xf32>)
  return
}
