// RUN: llmpar-opt %s --split-input-file --verify-diagnostics

func.func @extents_are_static(%x: tensor<?x3xf32>) {
  // expected-error @below {{operand #0 must be static tensor of floats, integers of 8 to 64 bits or i1}}
  %0 = llmpar.unary "neg" %x : (tensor<?x3xf32>) -> tensor<?x3xf32>
  return
}

// -----

func.func @element_types_are_those_of_the_runtime(%x: tensor<3xi4>) {
  // expected-error @below {{operand #0 must be static tensor of floats, integers of 8 to 64 bits or i1}}
  %0 = llmpar.unary "neg" %x : (tensor<3xi4>) -> tensor<3xi4>
  return
}

// -----

func.func @constant_has_its_values_type() {
  // expected-error @below {{value of type 'tensor<2xi64>', result of type 'tensor<3xi64>'}}
  %0 = llmpar.constant dense<1> : tensor<2xi64> : tensor<3xi64>
  return
}

// -----

func.func @iota_axis_exists() {
  // expected-error @below {{axis 1 is outside 0..0}}
  %0 = llmpar.iota {axis = 1 : i64, start = 0.0 : f64, step = 1.0 : f64} : tensor<3xi64>
  return
}

// -----

func.func @unary_kind_is_known(%x: tensor<2xf32>) {
  // expected-error @below {{kind 'square' is unknown: choose one of neg abs exp}}
  %0 = llmpar.unary "square" %x : (tensor<2xf32>) -> tensor<2xf32>
  return
}

// -----

func.func @logical_not_takes_bools(%x: tensor<2xf32>) {
  // expected-error @below {{'logical_not' of type 'tensor<2xf32>': it takes i1}}
  %0 = llmpar.unary "logical_not" %x : (tensor<2xf32>) -> tensor<2xf32>
  return
}

// -----

func.func @is_nan_takes_floats(%x: tensor<2xi64>) {
  // expected-error @below {{'is_nan' of type 'tensor<2xi64>': it takes floats}}
  %0 = llmpar.unary "is_nan" %x : (tensor<2xi64>) -> tensor<2xi1>
  return
}

// -----

func.func @binary_kind_is_known(%x: tensor<2xf32>) {
  // expected-error @below {{kind 'plus' is unknown: choose one of add sub}}
  %0 = llmpar.binary "plus" %x, %x : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
  return
}

// -----

func.func @binary_operands_have_one_type(%x: tensor<2xf32>, %y: tensor<2xi64>) {
  // expected-error @below {{element types must agree, cast one}}
  %0 = llmpar.binary "add" %x, %y : (tensor<2xf32>, tensor<2xi64>) -> tensor<2xf32>
  return
}

// -----

func.func @bits_are_of_integers(%x: tensor<2xf32>) {
  // expected-error @below {{'bit_and' of type 'tensor<2xf32>': it takes integers}}
  %0 = llmpar.binary "bit_and" %x, %x : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
  return
}

// -----

func.func @select_condition_is_bool(%c: tensor<2xi64>, %x: tensor<2xf32>) {
  // expected-error @below {{condition of type 'tensor<2xi64>': its elements must be i1}}
  %0 = llmpar.select %c, %x, %x : (tensor<2xi64>, tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
  return
}

// -----

func.func @select_branches_have_one_type(%c: tensor<2xi1>, %x: tensor<2xf32>, %y: tensor<2xf16>) {
  // expected-error @below {{branches of types 'tensor<2xf32>' and 'tensor<2xf16>': element types must agree}}
  %0 = llmpar.select %c, %x, %y : (tensor<2xi1>, tensor<2xf32>, tensor<2xf16>) -> tensor<2xf32>
  return
}

// -----

func.func @cast_keeps_the_shape(%x: tensor<2x3xf32>) {
  // expected-error @below {{a cast keeps the shape}}
  %0 = llmpar.cast %x : (tensor<2x3xf32>) -> tensor<3x2xf16>
  return
}

// -----

func.func @reduce_kind_is_known(%x: tensor<2x3xf32>) {
  // expected-error @below {{kind 'mean' is unknown: choose one of sum max min prod}}
  %0 = llmpar.reduce "mean" %x {axes = array<i64: 1>, keep_dims = false} : (tensor<2x3xf32>) -> tensor<2xf32>
  return
}

// -----

func.func @reshape_keeps_the_elements(%x: tensor<2x3xf32>) {
  // expected-error @below {{from 'tensor<2x3xf32>' (6 elements) to 'tensor<7xf32>' (7 elements)}}
  %0 = llmpar.reshape %x : (tensor<2x3xf32>) -> tensor<7xf32>
  return
}

// -----

func.func @broadcast_only_grows_ones(%x: tensor<2x3xf32>) {
  // expected-error @below {{'tensor<2x3xf32>' does not broadcast to 'tensor<4x3xf32>'}}
  %0 = llmpar.broadcast %x : (tensor<2x3xf32>) -> tensor<4x3xf32>
  return
}

// -----

func.func @slice_stays_inside(%x: tensor<5xf32>) {
  // expected-error @below {{takes elements 1..5 with step 2 of dimension 0, which has 5}}
  %0 = llmpar.slice %x {starts = array<i64: 1>, steps = array<i64: 2>} : (tensor<5xf32>) -> tensor<3xf32>
  return
}

// -----

func.func @slice_backwards_stays_inside(%x: tensor<5xf32>) {
  // expected-error @below {{takes elements 3..-1 with step -2 of dimension 0, which has 5}}
  %0 = llmpar.slice %x {starts = array<i64: 3>, steps = array<i64: -2>} : (tensor<5xf32>) -> tensor<3xf32>
  return
}

// -----

func.func @slice_has_one_start_for_each_dimension(%x: tensor<2x5xf32>) {
  // expected-error @below {{needs one start, one step and one result dimension for each of 2 dimensions}}
  %0 = llmpar.slice %x {starts = array<i64: 1>, steps = array<i64: 1>} : (tensor<2x5xf32>) -> tensor<2x3xf32>
  return
}

// -----

func.func @pad_result_holds_the_operand(%x: tensor<5xf32>) {
  // expected-error @below {{dimension 0: 5 elements behind 2 of padding do not fit 6}}
  %0 = llmpar.pad %x {mode = 0 : i64, low = array<i64: 2>, value = 0.0 : f64} : (tensor<5xf32>) -> tensor<6xf32>
  return
}

// -----

func.func @scatter_reduction_is_known(%d: tensor<2x3xf32>, %i: tensor<5x1xi64>, %u: tensor<5x3xf32>) {
  // expected-error @below {{reduction 'sum' is unknown: choose none, add, mul, min or max}}
  %0 = llmpar.scatter_nd %d, %i, %u {reduction = "sum"} : (tensor<2x3xf32>, tensor<5x1xi64>, tensor<5x3xf32>) -> tensor<2x3xf32>
  return
}

// -----

func.func @nine_dimensions_are_too_many(%x: tensor<1x1x1x1x1x1x1x1x2xf32>) {
  // expected-error @below {{with at most 8 dimensions and 2^46 elements}}
  llmpar.unary "neg" %x : (tensor<1x1x1x1x1x1x1x1x2xf32>) -> tensor<1x1x1x1x1x1x1x1x2xf32>
  return
}

// -----

llmpar.weight @w : tensor<6x10xf32> from #llmpar.external<"w.bin", 0, 240>
func.func @load_weight_has_the_weight_s_type() {
  // expected-error @below {{of type 'tensor<6x5xf32>', but weight @w has type 'tensor<6x10xf32>'}}
  %0 = llmpar.load_weight @w : tensor<6x5xf32>
  return
}

// -----

llmpar.weight @w : tensor<6x10xf32> from #llmpar.external<"w.bin", 0, 240>
func.func @load_weight_of_a_shard_has_the_global_type() {
  // expected-error @below {{of type 'tensor<6x20xf32>', but weight @w has type 'tensor<6x10xf32>'}}
  %0 = llmpar.load_weight @w {llmpar.global = [tensor<6x20xf32>]} : tensor<6x10xf32>
  return
}

// -----

func.func @load_weight_names_a_weight() {
  // expected-error @below {{weight @w is not defined}}
  %0 = llmpar.load_weight @w : tensor<6x10xf32>
  return
}

// -----

func.func @reshard_keeps_the_type(%x: tensor<4x6xf32>) {
  // expected-error @below {{requires the same type for all operands and results}}
  %0 = llmpar.reshard %x : (tensor<4x6xf32>) -> tensor<4x3xf32>
  return
}

// -----

// expected-error @below {{'llmpar.part' is {of = "w", starts = array<i64: 0>}: expected {of = name, shape = array, starts = array}}}
llmpar.weight @"w[0:3]" : tensor<3xf32> from #llmpar.external<"w.bin", 0, 40> {llmpar.part = {of = "w", starts = array<i64: 0>}}

// -----

// expected-error @below {{of type 'tensor<3xf32>' at array<i64: 8> is no box of a tensor of shape array<i64: 10>}}
llmpar.weight @"w[8:11]" : tensor<3xf32> from #llmpar.external<"w.bin", 0, 40> {llmpar.part = {of = "w", shape = array<i64: 10>, starts = array<i64: 8>}}

// -----

// expected-error @below {{at array<i64: 9223372036854775807> is no box of a tensor of shape array<i64: 10>}}
llmpar.weight @"w[far]" : tensor<3xf32> from #llmpar.external<"w.bin", 0, 40> {llmpar.part = {of = "w", shape = array<i64: 10>, starts = array<i64: 9223372036854775807>}}

// -----

// expected-error @below {{of type 'tensor<3xf32>' at array<i64: 0, 0> is no box of a tensor of shape array<i64: 4, 10>}}
llmpar.weight @"w[0:3]" : tensor<3xf32> from #llmpar.external<"w.bin", 0, 40> {llmpar.part = {of = "w", shape = array<i64: 4, 10>, starts = array<i64: 0, 0>}}
