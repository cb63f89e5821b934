// RUN: llmpar-opt %s --llmpar-raise-rotary --canonicalize | FileCheck %s

// As Hugging Face's models write it. What computes the tables gives each angle once.
// CHECK-LABEL: func.func @halves_by_tables_of_their_width
// CHECK:       %[[COS:.*]] = llmpar.unary "cos" %arg1 : (tensor<3x2xf32>) -> tensor<3x2xf32>
// CHECK-NEXT:  %[[SCALED:.*]] = llmpar.binary "mul" %[[COS]], %{{.*}} -> tensor<3x2xf32>
// CHECK-NEXT:  %[[ROW:.*]] = llmpar.reshape %[[SCALED]] : (tensor<3x2xf32>) -> tensor<1x1x3x2xf32>
// CHECK-NEXT:  %[[SIN:.*]] = llmpar.unary "sin" %arg1 : (tensor<3x2xf32>) -> tensor<3x2xf32>
// CHECK-NEXT:  %[[Y:.*]] = llmpar.rotary %arg0, %[[ROW]], %[[SIN]] : (tensor<2x5x3x4xf32>, tensor<1x1x3x2xf32>, tensor<3x2xf32>) -> tensor<2x5x3x4xf32>
// CHECK-NEXT:  return %[[Y]]
func.func @halves_by_tables_of_their_width(%x: tensor<2x5x3x4xf32>, %f: tensor<3x2xf32>) -> tensor<2x5x3x4xf32> {
  %scale = llmpar.constant dense<1.5> : tensor<f32> : tensor<f32>
  %angles = llmpar.concat %f, %f {axis = 1} : (tensor<3x2xf32>, tensor<3x2xf32>) -> tensor<3x4xf32>
  %0 = llmpar.unary "cos" %angles : (tensor<3x4xf32>) -> tensor<3x4xf32>
  %1 = llmpar.binary "mul" %0, %scale : (tensor<3x4xf32>, tensor<f32>) -> tensor<3x4xf32>
  %cos = llmpar.reshape %1 : (tensor<3x4xf32>) -> tensor<1x1x3x4xf32>
  %sin = llmpar.unary "sin" %angles : (tensor<3x4xf32>) -> tensor<3x4xf32>
  %2 = llmpar.binary "mul" %x, %cos : (tensor<2x5x3x4xf32>, tensor<1x1x3x4xf32>) -> tensor<2x5x3x4xf32>
  %a = llmpar.slice %x {starts = array<i64: 0, 0, 0, 0>, steps = array<i64: 1, 1, 1, 1>} : (tensor<2x5x3x4xf32>) -> tensor<2x5x3x2xf32>
  %b = llmpar.slice %x {starts = array<i64: 0, 0, 0, 2>, steps = array<i64: 1, 1, 1, 1>} : (tensor<2x5x3x4xf32>) -> tensor<2x5x3x2xf32>
  %3 = llmpar.unary "neg" %b : (tensor<2x5x3x2xf32>) -> tensor<2x5x3x2xf32>
  %4 = llmpar.concat %3, %a {axis = 3} : (tensor<2x5x3x2xf32>, tensor<2x5x3x2xf32>) -> tensor<2x5x3x4xf32>
  %5 = llmpar.binary "mul" %4, %sin : (tensor<2x5x3x4xf32>, tensor<3x4xf32>) -> tensor<2x5x3x4xf32>
  %6 = llmpar.binary "add" %2, %5 : (tensor<2x5x3x4xf32>, tensor<2x5x3x4xf32>) -> tensor<2x5x3x4xf32>
  return %6 : tensor<2x5x3x4xf32>
}

// GPT-NeoX: of rows of 5 the first 4. The tables are looked up in constants.
// CHECK-LABEL: func.func @first_elements_of_longer_rows
// CHECK-DAG:   %[[COS:.*]] = llmpar.constant dense<{{\[\[}}1.000000e+00, 2.000000e+00], [3.000000e+00, 4.000000e+00]]> : tensor<2x2xf32>
// CHECK-DAG:   %[[SIN:.*]] = llmpar.constant dense<5.000000e+00> : tensor<3x2xf32>
// CHECK:       %[[LOOKED:.*]] = llmpar.gather %[[COS]], %arg1 {axis = 0 : i64} : (tensor<2x2xf32>, tensor<3xi64>) -> tensor<3x2xf32>
// CHECK-NEXT:  %[[Y:.*]] = llmpar.rotary %arg0, %[[LOOKED]], %[[SIN]] : (tensor<2x3x5xf32>, tensor<3x2xf32>, tensor<3x2xf32>) -> tensor<2x3x5xf32>
// CHECK-NEXT:  return %[[Y]]
func.func @first_elements_of_longer_rows(%rows: tensor<2x3x5xf32>, %positions: tensor<3xi64>) -> tensor<2x3x5xf32> {
  %table = llmpar.constant dense<[[1.0, 2.0, 1.0, 2.0], [3.0, 4.0, 3.0, 4.0]]> : tensor<2x4xf32> : tensor<2x4xf32>
  %sin = llmpar.constant dense<5.0> : tensor<3x4xf32> : tensor<3x4xf32>
  %cos = llmpar.gather %table, %positions {axis = 0} : (tensor<2x4xf32>, tensor<3xi64>) -> tensor<3x4xf32>
  %x = llmpar.slice %rows {starts = array<i64: 0, 0, 0>, steps = array<i64: 1, 1, 1>} : (tensor<2x3x5xf32>) -> tensor<2x3x4xf32>
  %rest = llmpar.slice %rows {starts = array<i64: 0, 0, 4>, steps = array<i64: 1, 1, 1>} : (tensor<2x3x5xf32>) -> tensor<2x3x1xf32>
  %a = llmpar.slice %x {starts = array<i64: 0, 0, 0>, steps = array<i64: 1, 1, 1>} : (tensor<2x3x4xf32>) -> tensor<2x3x2xf32>
  %b = llmpar.slice %x {starts = array<i64: 0, 0, 2>, steps = array<i64: 1, 1, 1>} : (tensor<2x3x4xf32>) -> tensor<2x3x2xf32>
  %0 = llmpar.unary "neg" %b : (tensor<2x3x2xf32>) -> tensor<2x3x2xf32>
  %1 = llmpar.concat %0, %a {axis = 2} : (tensor<2x3x2xf32>, tensor<2x3x2xf32>) -> tensor<2x3x4xf32>
  %2 = llmpar.binary "mul" %sin, %1 : (tensor<3x4xf32>, tensor<2x3x4xf32>) -> tensor<2x3x4xf32>
  %3 = llmpar.binary "mul" %cos, %x : (tensor<3x4xf32>, tensor<2x3x4xf32>) -> tensor<2x3x4xf32>
  %4 = llmpar.binary "add" %2, %3 : (tensor<2x3x4xf32>, tensor<2x3x4xf32>) -> tensor<2x3x4xf32>
  %5 = llmpar.concat %4, %rest {axis = 2} : (tensor<2x3x4xf32>, tensor<2x3x1xf32>) -> tensor<2x3x5xf32>
  return %5 : tensor<2x3x5xf32>
}

// GPT-J: repeat_interleave, strided slices, stack.
// CHECK-LABEL: func.func @neighbours_by_repeated_angles
// CHECK:       %[[Y:.*]] = llmpar.rotary %arg0, %arg1, %arg2 {interleaved = true} : (tensor<2x3x4xf32>, tensor<3x2xf32>, tensor<3x2xf32>) -> tensor<2x3x4xf32>
// CHECK-NEXT:  return %[[Y]]
func.func @neighbours_by_repeated_angles(%x: tensor<2x3x4xf32>, %c: tensor<3x2xf32>, %s: tensor<3x2xf32>) -> tensor<2x3x4xf32> {
  %c1 = llmpar.reshape %c : (tensor<3x2xf32>) -> tensor<3x2x1xf32>
  %c2 = llmpar.broadcast %c1 : (tensor<3x2x1xf32>) -> tensor<3x2x2xf32>
  %cos = llmpar.reshape %c2 : (tensor<3x2x2xf32>) -> tensor<3x4xf32>
  %s1 = llmpar.reshape %s : (tensor<3x2xf32>) -> tensor<3x2x1xf32>
  %s2 = llmpar.concat %s1, %s1 {axis = 2} : (tensor<3x2x1xf32>, tensor<3x2x1xf32>) -> tensor<3x2x2xf32>
  %sin = llmpar.reshape %s2 : (tensor<3x2x2xf32>) -> tensor<3x4xf32>
  %a = llmpar.slice %x {starts = array<i64: 0, 0, 0>, steps = array<i64: 1, 1, 2>} : (tensor<2x3x4xf32>) -> tensor<2x3x2xf32>
  %b = llmpar.slice %x {starts = array<i64: 0, 0, 1>, steps = array<i64: 1, 1, 2>} : (tensor<2x3x4xf32>) -> tensor<2x3x2xf32>
  %0 = llmpar.unary "neg" %b : (tensor<2x3x2xf32>) -> tensor<2x3x2xf32>
  %1 = llmpar.reshape %0 : (tensor<2x3x2xf32>) -> tensor<2x3x2x1xf32>
  %2 = llmpar.reshape %a : (tensor<2x3x2xf32>) -> tensor<2x3x2x1xf32>
  %3 = llmpar.concat %1, %2 {axis = 3} : (tensor<2x3x2x1xf32>, tensor<2x3x2x1xf32>) -> tensor<2x3x2x2xf32>
  %4 = llmpar.reshape %3 : (tensor<2x3x2x2xf32>) -> tensor<2x3x4xf32>
  %5 = llmpar.binary "mul" %x, %cos : (tensor<2x3x4xf32>, tensor<3x4xf32>) -> tensor<2x3x4xf32>
  %6 = llmpar.binary "mul" %4, %sin : (tensor<2x3x4xf32>, tensor<3x4xf32>) -> tensor<2x3x4xf32>
  %7 = llmpar.binary "add" %5, %6 : (tensor<2x3x4xf32>, tensor<2x3x4xf32>) -> tensor<2x3x4xf32>
  return %7 : tensor<2x3x4xf32>
}

// CHECK-LABEL: func.func @pairs_of_halves
// CHECK:       %[[Y:.*]] = llmpar.rotary %arg0, %arg1, %arg2 : (tensor<2x3x4xf32>, tensor<3x2xf32>, tensor<3x2xf32>) -> tensor<2x3x4xf32>
// CHECK-NEXT:  return %[[Y]]
func.func @pairs_of_halves(%x: tensor<2x3x4xf32>, %cos: tensor<3x2xf32>, %sin: tensor<3x2xf32>) -> tensor<2x3x4xf32> {
  %a = llmpar.slice %x {starts = array<i64: 0, 0, 0>, steps = array<i64: 1, 1, 1>} : (tensor<2x3x4xf32>) -> tensor<2x3x2xf32>
  %b = llmpar.slice %x {starts = array<i64: 0, 0, 2>, steps = array<i64: 1, 1, 1>} : (tensor<2x3x4xf32>) -> tensor<2x3x2xf32>
  %0 = llmpar.binary "mul" %cos, %a : (tensor<3x2xf32>, tensor<2x3x2xf32>) -> tensor<2x3x2xf32>
  %1 = llmpar.binary "mul" %sin, %b : (tensor<3x2xf32>, tensor<2x3x2xf32>) -> tensor<2x3x2xf32>
  %2 = llmpar.binary "sub" %0, %1 : (tensor<2x3x2xf32>, tensor<2x3x2xf32>) -> tensor<2x3x2xf32>
  %3 = llmpar.binary "mul" %sin, %a : (tensor<3x2xf32>, tensor<2x3x2xf32>) -> tensor<2x3x2xf32>
  %4 = llmpar.binary "mul" %cos, %b : (tensor<3x2xf32>, tensor<2x3x2xf32>) -> tensor<2x3x2xf32>
  %5 = llmpar.binary "add" %3, %4 : (tensor<2x3x2xf32>, tensor<2x3x2xf32>) -> tensor<2x3x2xf32>
  %6 = llmpar.concat %2, %5 {axis = 2} : (tensor<2x3x2xf32>, tensor<2x3x2xf32>) -> tensor<2x3x4xf32>
  return %6 : tensor<2x3x4xf32>
}

// x.reshape(.., -1, 2).unbind(-1), and a stack.
// CHECK-LABEL: func.func @pairs_of_neighbours_that_are_unbound
// CHECK:       %[[Y:.*]] = llmpar.rotary %arg0, %arg1, %arg2 {interleaved = true} : (tensor<2x3x6xf32>, tensor<3x3xf32>, tensor<3x3xf32>) -> tensor<2x3x6xf32>
// CHECK-NEXT:  return %[[Y]]
func.func @pairs_of_neighbours_that_are_unbound(%x: tensor<2x3x6xf32>, %cos: tensor<3x3xf32>, %sin: tensor<3x3xf32>) -> tensor<2x3x6xf32> {
  %one = llmpar.constant dense<-1> : tensor<i64> : tensor<i64>
  %pairs = llmpar.reshape %x : (tensor<2x3x6xf32>) -> tensor<2x3x3x2xf32>
  %column = llmpar.slice %pairs {starts = array<i64: 0, 0, 0, 0>, steps = array<i64: 1, 1, 1, 1>} : (tensor<2x3x3x2xf32>) -> tensor<2x3x3x1xf32>
  %a = llmpar.reshape %column : (tensor<2x3x3x1xf32>) -> tensor<2x3x3xf32>
  %b = llmpar.gather %pairs, %one {axis = 3} : (tensor<2x3x3x2xf32>, tensor<i64>) -> tensor<2x3x3xf32>
  %0 = llmpar.binary "mul" %a, %cos : (tensor<2x3x3xf32>, tensor<3x3xf32>) -> tensor<2x3x3xf32>
  %1 = llmpar.binary "mul" %b, %sin : (tensor<2x3x3xf32>, tensor<3x3xf32>) -> tensor<2x3x3xf32>
  %2 = llmpar.binary "sub" %0, %1 : (tensor<2x3x3xf32>, tensor<2x3x3xf32>) -> tensor<2x3x3xf32>
  %3 = llmpar.binary "mul" %a, %sin : (tensor<2x3x3xf32>, tensor<3x3xf32>) -> tensor<2x3x3xf32>
  %4 = llmpar.binary "mul" %b, %cos : (tensor<2x3x3xf32>, tensor<3x3xf32>) -> tensor<2x3x3xf32>
  %5 = llmpar.binary "add" %3, %4 : (tensor<2x3x3xf32>, tensor<2x3x3xf32>) -> tensor<2x3x3xf32>
  %6 = llmpar.reshape %2 : (tensor<2x3x3xf32>) -> tensor<2x3x3x1xf32>
  %7 = llmpar.reshape %5 : (tensor<2x3x3xf32>) -> tensor<2x3x3x1xf32>
  %8 = llmpar.concat %6, %7 {axis = 3} : (tensor<2x3x3x1xf32>, tensor<2x3x3x1xf32>) -> tensor<2x3x3x2xf32>
  %9 = llmpar.reshape %8 : (tensor<2x3x3x2xf32>) -> tensor<2x3x6xf32>
  return %9 : tensor<2x3x6xf32>
}

// The kernel computes in f32 by itself. What is in the middle of rows is a slice of them.
// CHECK-LABEL: func.func @narrow_floats_through_f32_turned_back
// CHECK:       %[[X:.*]] = llmpar.slice %arg0 {starts = array<i64: 0, 1>, steps = array<i64: 1, 1>} : (tensor<3x6xbf16>) -> tensor<3x4xbf16>
// CHECK-NEXT:  %[[BACK:.*]] = llmpar.unary "neg" %arg2
// CHECK-NEXT:  %[[Y:.*]] = llmpar.rotary %[[X]], %arg1, %[[BACK]] : (tensor<3x4xbf16>, tensor<3x2xf32>, tensor<3x2xf32>) -> tensor<3x4xbf16>
// CHECK-NEXT:  return %[[Y]]
func.func @narrow_floats_through_f32_turned_back(%x: tensor<3x6xbf16>, %cos: tensor<3x2xf32>, %sin: tensor<3x2xf32>) -> tensor<3x4xbf16> {
  %wide = llmpar.cast %x : (tensor<3x6xbf16>) -> tensor<3x6xf32>
  %a = llmpar.slice %wide {starts = array<i64: 0, 1>, steps = array<i64: 1, 1>} : (tensor<3x6xf32>) -> tensor<3x2xf32>
  %b = llmpar.slice %wide {starts = array<i64: 0, 3>, steps = array<i64: 1, 1>} : (tensor<3x6xf32>) -> tensor<3x2xf32>
  %0 = llmpar.binary "mul" %a, %cos : (tensor<3x2xf32>, tensor<3x2xf32>) -> tensor<3x2xf32>
  %1 = llmpar.binary "mul" %b, %sin : (tensor<3x2xf32>, tensor<3x2xf32>) -> tensor<3x2xf32>
  %2 = llmpar.binary "add" %0, %1 : (tensor<3x2xf32>, tensor<3x2xf32>) -> tensor<3x2xf32>
  %3 = llmpar.binary "mul" %b, %cos : (tensor<3x2xf32>, tensor<3x2xf32>) -> tensor<3x2xf32>
  %4 = llmpar.binary "mul" %a, %sin : (tensor<3x2xf32>, tensor<3x2xf32>) -> tensor<3x2xf32>
  %5 = llmpar.binary "sub" %3, %4 : (tensor<3x2xf32>, tensor<3x2xf32>) -> tensor<3x2xf32>
  %6 = llmpar.concat %2, %5 {axis = 1} : (tensor<3x2xf32>, tensor<3x2xf32>) -> tensor<3x4xf32>
  %7 = llmpar.cast %6 : (tensor<3x4xf32>) -> tensor<3x4xbf16>
  return %7 : tensor<3x4xbf16>
}

//===-- What stays

// CHECK-LABEL: func.func @a_table_whose_halves_differ_stays
// CHECK-NOT:   llmpar.rotary
// CHECK:       return
func.func @a_table_whose_halves_differ_stays(%x: tensor<3x4xf32>, %s: tensor<3x2xf32>) -> tensor<3x4xf32> {
  %cos = llmpar.constant dense<[1.0, 2.0, 1.0, 3.0]> : tensor<4xf32> : tensor<4xf32>
  %sin = llmpar.concat %s, %s {axis = 1} : (tensor<3x2xf32>, tensor<3x2xf32>) -> tensor<3x4xf32>
  %0 = llmpar.binary "mul" %x, %cos : (tensor<3x4xf32>, tensor<4xf32>) -> tensor<3x4xf32>
  %a = llmpar.slice %x {starts = array<i64: 0, 0>, steps = array<i64: 1, 1>} : (tensor<3x4xf32>) -> tensor<3x2xf32>
  %b = llmpar.slice %x {starts = array<i64: 0, 2>, steps = array<i64: 1, 1>} : (tensor<3x4xf32>) -> tensor<3x2xf32>
  %1 = llmpar.unary "neg" %b : (tensor<3x2xf32>) -> tensor<3x2xf32>
  %2 = llmpar.concat %1, %a {axis = 1} : (tensor<3x2xf32>, tensor<3x2xf32>) -> tensor<3x4xf32>
  %3 = llmpar.binary "mul" %2, %sin : (tensor<3x4xf32>, tensor<3x4xf32>) -> tensor<3x4xf32>
  %4 = llmpar.binary "add" %0, %3 : (tensor<3x4xf32>, tensor<3x4xf32>) -> tensor<3x4xf32>
  return %4 : tensor<3x4xf32>
}

// CHECK-LABEL: func.func @halves_by_angles_of_neighbours_stay
// CHECK-NOT:   llmpar.rotary
// CHECK:       return
func.func @halves_by_angles_of_neighbours_stay(%x: tensor<3x4xf32>, %c: tensor<3x2x1xf32>) -> tensor<3x4xf32> {
  %0 = llmpar.broadcast %c : (tensor<3x2x1xf32>) -> tensor<3x2x2xf32>
  %table = llmpar.reshape %0 : (tensor<3x2x2xf32>) -> tensor<3x4xf32>
  %1 = llmpar.binary "mul" %x, %table : (tensor<3x4xf32>, tensor<3x4xf32>) -> tensor<3x4xf32>
  %a = llmpar.slice %x {starts = array<i64: 0, 0>, steps = array<i64: 1, 1>} : (tensor<3x4xf32>) -> tensor<3x2xf32>
  %b = llmpar.slice %x {starts = array<i64: 0, 2>, steps = array<i64: 1, 1>} : (tensor<3x4xf32>) -> tensor<3x2xf32>
  %2 = llmpar.unary "neg" %b : (tensor<3x2xf32>) -> tensor<3x2xf32>
  %3 = llmpar.concat %2, %a {axis = 1} : (tensor<3x2xf32>, tensor<3x2xf32>) -> tensor<3x4xf32>
  %4 = llmpar.binary "mul" %3, %table : (tensor<3x4xf32>, tensor<3x4xf32>) -> tensor<3x4xf32>
  %5 = llmpar.binary "add" %1, %4 : (tensor<3x4xf32>, tensor<3x4xf32>) -> tensor<3x4xf32>
  return %5 : tensor<3x4xf32>
}

// CHECK-LABEL: func.func @swapped_halves_without_a_sign_stay
// CHECK-NOT:   llmpar.rotary
// CHECK:       return
func.func @swapped_halves_without_a_sign_stay(%x: tensor<3x4xf32>, %f: tensor<3x2xf32>) -> tensor<3x4xf32> {
  %table = llmpar.concat %f, %f {axis = 1} : (tensor<3x2xf32>, tensor<3x2xf32>) -> tensor<3x4xf32>
  %0 = llmpar.binary "mul" %x, %table : (tensor<3x4xf32>, tensor<3x4xf32>) -> tensor<3x4xf32>
  %a = llmpar.slice %x {starts = array<i64: 0, 0>, steps = array<i64: 1, 1>} : (tensor<3x4xf32>) -> tensor<3x2xf32>
  %b = llmpar.slice %x {starts = array<i64: 0, 2>, steps = array<i64: 1, 1>} : (tensor<3x4xf32>) -> tensor<3x2xf32>
  %1 = llmpar.concat %b, %a {axis = 1} : (tensor<3x2xf32>, tensor<3x2xf32>) -> tensor<3x4xf32>
  %2 = llmpar.binary "mul" %1, %table : (tensor<3x4xf32>, tensor<3x4xf32>) -> tensor<3x4xf32>
  %3 = llmpar.binary "add" %0, %2 : (tensor<3x4xf32>, tensor<3x4xf32>) -> tensor<3x4xf32>
  return %3 : tensor<3x4xf32>
}

// CHECK-LABEL: func.func @halves_by_two_angles_stay
// CHECK-NOT:   llmpar.rotary
// CHECK:       return
func.func @halves_by_two_angles_stay(%x: tensor<3x4xf32>, %cos: tensor<3x2xf32>, %sin: tensor<3x2xf32>, %other: tensor<3x2xf32>) -> tensor<3x4xf32> {
  %a = llmpar.slice %x {starts = array<i64: 0, 0>, steps = array<i64: 1, 1>} : (tensor<3x4xf32>) -> tensor<3x2xf32>
  %b = llmpar.slice %x {starts = array<i64: 0, 2>, steps = array<i64: 1, 1>} : (tensor<3x4xf32>) -> tensor<3x2xf32>
  %0 = llmpar.binary "mul" %a, %cos : (tensor<3x2xf32>, tensor<3x2xf32>) -> tensor<3x2xf32>
  %1 = llmpar.binary "mul" %b, %sin : (tensor<3x2xf32>, tensor<3x2xf32>) -> tensor<3x2xf32>
  %2 = llmpar.binary "sub" %0, %1 : (tensor<3x2xf32>, tensor<3x2xf32>) -> tensor<3x2xf32>
  %3 = llmpar.binary "mul" %b, %cos : (tensor<3x2xf32>, tensor<3x2xf32>) -> tensor<3x2xf32>
  %4 = llmpar.binary "mul" %a, %other : (tensor<3x2xf32>, tensor<3x2xf32>) -> tensor<3x2xf32>
  %5 = llmpar.binary "add" %3, %4 : (tensor<3x2xf32>, tensor<3x2xf32>) -> tensor<3x2xf32>
  %6 = llmpar.concat %2, %5 {axis = 1} : (tensor<3x2xf32>, tensor<3x2xf32>) -> tensor<3x4xf32>
  return %6 : tensor<3x4xf32>
}

// CHECK-LABEL: func.func @a_turned_value_with_another_user_stays
// CHECK-NOT:   llmpar.rotary
// CHECK:       return
func.func @a_turned_value_with_another_user_stays(%x: tensor<3x4xf32>, %f: tensor<3x2xf32>) -> (tensor<3x4xf32>, tensor<3x4xf32>) {
  %table = llmpar.concat %f, %f {axis = 1} : (tensor<3x2xf32>, tensor<3x2xf32>) -> tensor<3x4xf32>
  %0 = llmpar.binary "mul" %x, %table : (tensor<3x4xf32>, tensor<3x4xf32>) -> tensor<3x4xf32>
  %a = llmpar.slice %x {starts = array<i64: 0, 0>, steps = array<i64: 1, 1>} : (tensor<3x4xf32>) -> tensor<3x2xf32>
  %b = llmpar.slice %x {starts = array<i64: 0, 2>, steps = array<i64: 1, 1>} : (tensor<3x4xf32>) -> tensor<3x2xf32>
  %1 = llmpar.unary "neg" %b : (tensor<3x2xf32>) -> tensor<3x2xf32>
  %2 = llmpar.concat %1, %a {axis = 1} : (tensor<3x2xf32>, tensor<3x2xf32>) -> tensor<3x4xf32>
  %3 = llmpar.binary "mul" %2, %table : (tensor<3x4xf32>, tensor<3x4xf32>) -> tensor<3x4xf32>
  %4 = llmpar.binary "add" %0, %3 : (tensor<3x4xf32>, tensor<3x4xf32>) -> tensor<3x4xf32>
  return %4, %2 : tensor<3x4xf32>, tensor<3x4xf32>
}

// A part of x is none of it.
// CHECK-LABEL: func.func @rotated_elements_may_have_other_users
// CHECK:       llmpar.slice %arg0
// CHECK:       llmpar.rotary %arg0, %arg1, %arg1
func.func @rotated_elements_may_have_other_users(%x: tensor<3x4xf32>, %f: tensor<3x2xf32>) -> (tensor<3x4xf32>, tensor<3x2xf32>) {
  %table = llmpar.concat %f, %f {axis = 1} : (tensor<3x2xf32>, tensor<3x2xf32>) -> tensor<3x4xf32>
  %0 = llmpar.binary "mul" %x, %table : (tensor<3x4xf32>, tensor<3x4xf32>) -> tensor<3x4xf32>
  %a = llmpar.slice %x {starts = array<i64: 0, 0>, steps = array<i64: 1, 1>} : (tensor<3x4xf32>) -> tensor<3x2xf32>
  %b = llmpar.slice %x {starts = array<i64: 0, 2>, steps = array<i64: 1, 1>} : (tensor<3x4xf32>) -> tensor<3x2xf32>
  %1 = llmpar.unary "neg" %b : (tensor<3x2xf32>) -> tensor<3x2xf32>
  %2 = llmpar.concat %1, %a {axis = 1} : (tensor<3x2xf32>, tensor<3x2xf32>) -> tensor<3x4xf32>
  %3 = llmpar.binary "mul" %2, %table : (tensor<3x4xf32>, tensor<3x4xf32>) -> tensor<3x4xf32>
  %4 = llmpar.binary "add" %0, %3 : (tensor<3x4xf32>, tensor<3x4xf32>) -> tensor<3x4xf32>
  return %4, %a : tensor<3x4xf32>, tensor<3x2xf32>
}
