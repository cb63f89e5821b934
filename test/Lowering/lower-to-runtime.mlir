// RUN: llmpar-opt %s --split-input-file --llmpar-lower-to-runtime | FileCheck %s

// One rank. The weight goes to Staging, because the runtime packs it; gelu works in place.
// CHECK-LABEL: llmpar_rt.program @main mesh [] model "" layout "" compiler
// CHECK-NEXT:  llmpar_rt.file "mlp.data" size 0
// CHECK-NEXT:  llmpar_rt.input "x" : tensor<4x6xf32>
// CHECK-NEXT:  llmpar_rt.output "y" : tensor<4x10xf32>
// CHECK-NEXT:  llmpar_rt.rank 0 arenas [64, 320, 256] {
// CHECK-NEXT:    llmpar_rt.load "w" from "mlp.data" + 64 shape [6, 10] starts [0, 0] to staging+0 : tensor<6x10xf32>
// CHECK-NEXT:    llmpar_rt.load "b" from "mlp.data" + 0 shape [10] starts [0] to weights+0 : tensor<10xf32>
// CHECK-NEXT:    llmpar_rt.slice_in "x" starts [0, 0] to activations+[[X:[0-9]+]] : tensor<4x6xf32>
// CHECK-NEXT:    llmpar_rt.slice_out "y" starts [0, 0] from activations+[[Y:[0-9]+]] : tensor<4x10xf32>
// CHECK-NEXT:    llmpar_rt.init {
// CHECK-NEXT:    }
// CHECK-NEXT:    llmpar_rt.main {
// CHECK-NEXT:      "matmul" ins(activations+[[X]] : tensor<4x6xf32>, staging+0 : tensor<6x10xf32>) outs(activations+[[Y]] : tensor<4x10xf32>) ints [0, 0] flops 480 bytes 496 at "/fc"
// CHECK-NEXT:      "binary" ins(activations+[[Y]] : tensor<4x10xf32>, weights+0 : tensor<10xf32>) outs(activations+[[Y]] : tensor<4x10xf32>) ints [0] flops 40
// CHECK-NEXT:      "unary" ins(activations+[[Y]] : tensor<4x10xf32>) outs(activations+[[Y]] : tensor<4x10xf32>) ints [11] floats [1.000000e+00, 0.000000e+00] flops
llmpar.weight @w : tensor<6x10xf32> from #llmpar.external<"mlp.data", 64, 240>
llmpar.weight @b : tensor<10xf32> from #llmpar.external<"mlp.data", 0, 40>
func.func @main(%x: tensor<4x6xf32> {llmpar.name = "x"}) -> (tensor<4x10xf32> {llmpar.name = "y"}) {
  %w = llmpar.load_weight @w : tensor<6x10xf32>
  %b = llmpar.load_weight @b : tensor<10xf32>
  %0 = llmpar.matmul %x, %w : (tensor<4x6xf32>, tensor<6x10xf32>) -> tensor<4x10xf32> loc("/fc")
  %1 = llmpar.binary "add" %0, %b : (tensor<4x10xf32>, tensor<10xf32>) -> tensor<4x10xf32>
  %2 = llmpar.unary "gelu" %1 : (tensor<4x10xf32>) -> tensor<4x10xf32>
  return %2 : tensor<4x10xf32>
}

// -----

// Work on weights alone runs once: the transposed weight is packed too, its source is not needed afterwards.
// CHECK-LABEL: llmpar_rt.program
// CHECK:         llmpar_rt.rank 0 arenas [0, {{[0-9]+}}, 512] {
// CHECK:           llmpar_rt.init {
// CHECK-NEXT:        "transpose" ins(staging+0 : tensor<10x6xf32>) outs(staging+256 : tensor<6x10xf32>) ints [1, 0] bytes 480
// CHECK-NEXT:      }
// CHECK-NEXT:      llmpar_rt.main {
// CHECK-NEXT:        "matmul" ins({{.*}}, staging+256 : tensor<6x10xf32>)
// CHECK-NEXT:      }
llmpar.weight @w : tensor<10x6xf32> from #llmpar.external<"mlp.data", 0, 240>
func.func @work_on_weights_goes_to_init(%x: tensor<4x6xf32>) -> tensor<4x10xf32> {
  %w = llmpar.load_weight @w : tensor<10x6xf32>
  %t = llmpar.transpose %w {permutation = array<i64: 1, 0>} : (tensor<10x6xf32>) -> tensor<6x10xf32>
  %0 = llmpar.matmul %x, %t : (tensor<4x6xf32>, tensor<6x10xf32>) -> tensor<4x10xf32>
  return %0 : tensor<4x10xf32>
}

// -----

// Only the slice of the weight is read.
// CHECK-LABEL: llmpar_rt.program
// CHECK:           llmpar_rt.load "w" from "mlp.data" + 0 shape [6, 30] starts [0, 20] to staging+0 : tensor<6x10xf32>
// CHECK-NOT:       llmpar_rt.load
// CHECK-NOT:       "slice"
llmpar.weight @w : tensor<6x30xf32> from #llmpar.external<"mlp.data", 0, 720>
func.func @a_slice_of_a_weight_is_a_load(%x: tensor<4x6xf32>) -> tensor<4x10xf32> {
  %w = llmpar.load_weight @w : tensor<6x30xf32>
  %s = llmpar.slice %w {starts = array<i64: 0, 20>, steps = array<i64: 1, 1>} : (tensor<6x30xf32>) -> tensor<6x10xf32>
  %0 = llmpar.matmul %x, %s : (tensor<4x6xf32>, tensor<6x10xf32>) -> tensor<4x10xf32>
  return %0 : tensor<4x10xf32>
}

// -----

// Outputs have memory of their own: an argument, its reshape and a constant are copied, and so is a second use.
// CHECK-LABEL: llmpar_rt.program
// CHECK:           llmpar_rt.constant "constant" = dense<[1, 2]> : tensor<2xi64> starts [0] to weights+0 : tensor<2xi64>
// CHECK:           llmpar_rt.slice_out "output0" starts [0, 0] from activations+[[A:[0-9]+]] : tensor<6x4xf32>
// CHECK:           llmpar_rt.slice_out "output1" starts [0] from activations+[[B:[0-9]+]] : tensor<2xi64>
// CHECK:           llmpar_rt.slice_out "output2" starts [0, 0] from activations+[[C:[0-9]+]] : tensor<4x6xf32>
// CHECK:           llmpar_rt.slice_out "output3" starts [0, 0] from activations+[[D:[0-9]+]] : tensor<4x6xf32>
// CHECK:           llmpar_rt.main {
// CHECK-NEXT:        "unary" {{.*}} outs(activations+[[C]] : tensor<4x6xf32>)
// CHECK-NEXT:        "copy" {{.*}} outs(activations+[[A]] : tensor<6x4xf32>)
// CHECK-NEXT:        "copy" ins(weights+0 : tensor<2xi64>) outs(activations+[[B]] : tensor<2xi64>)
// CHECK-NEXT:        "copy" ins(activations+[[C]] : tensor<4x6xf32>) outs(activations+[[D]] : tensor<4x6xf32>)
// CHECK-NEXT:      }
func.func @outputs_have_their_own_memory(%x: tensor<4x6xf32>, %unused: tensor<9xf32>)
    -> (tensor<6x4xf32>, tensor<2xi64>, tensor<4x6xf32>, tensor<4x6xf32>) {
  %0 = llmpar.reshape %x : (tensor<4x6xf32>) -> tensor<6x4xf32>
  %1 = llmpar.constant dense<[1, 2]> : tensor<2xi64> : tensor<2xi64>
  %2 = llmpar.unary "neg" %x : (tensor<4x6xf32>) -> tensor<4x6xf32>
  return %0, %1, %2, %2 : tensor<6x4xf32>, tensor<2xi64>, tensor<4x6xf32>, tensor<4x6xf32>
}

// -----

// A residual is read later: the first unary must not overwrite it, the second may overwrite the first's result.
// CHECK-LABEL: llmpar_rt.program
// CHECK:           llmpar_rt.slice_in "input0" starts [0] to activations+[[X:[0-9]+]] : tensor<8xf32>
// CHECK:             "unary" ins(activations+[[X]] : tensor<8xf32>) outs(activations+[[Y:[0-9]+]] : tensor<8xf32>)
// CHECK-NEXT:        "unary" ins(activations+[[Y]] : tensor<8xf32>) outs(activations+[[Y]] : tensor<8xf32>)
// CHECK-NEXT:        "binary" ins(activations+[[X]] : tensor<8xf32>, activations+[[Y]] : tensor<8xf32>) outs(activations+[[X]] : tensor<8xf32>)
func.func @a_residual_outlives_its_first_use(%x: tensor<8xf32>) -> tensor<8xf32> {
  %0 = llmpar.unary "exp" %x : (tensor<8xf32>) -> tensor<8xf32>
  %1 = llmpar.unary "neg" %0 : (tensor<8xf32>) -> tensor<8xf32>
  %2 = llmpar.binary "add" %x, %1 : (tensor<8xf32>, tensor<8xf32>) -> tensor<8xf32>
  return %2 : tensor<8xf32>
}

// -----

// A broadcast operand is no place for the result, and a comparison's result has another size.
// CHECK-LABEL: llmpar_rt.program
// CHECK:             "binary" ins(activations+[[X:[0-9]+]] : tensor<8x1xf32>, activations+[[Y:[0-9]+]] : tensor<8x4xf32>) outs(activations+[[Y]] : tensor<8x4xf32>)
// CHECK-NEXT:        "binary" ins(activations+[[Y]] : tensor<8x4xf32>, activations+[[Y]] : tensor<8x4xf32>) outs(activations+[[Z:[0-9]+]] : tensor<8x4xi1>) ints [16]
// CHECK-NOT:         outs(activations+[[Y]]
func.func @in_place_needs_equal_extents(%x: tensor<8x1xf32>, %y: tensor<8x4xf32>) -> tensor<8x4xi1> {
  %0 = llmpar.binary "mul" %x, %y : (tensor<8x1xf32>, tensor<8x4xf32>) -> tensor<8x4xf32>
  %1 = llmpar.binary "less" %0, %0 : (tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<8x4xi1>
  return %1 : tensor<8x4xi1>
}
