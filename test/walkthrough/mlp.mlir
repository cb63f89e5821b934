// Follows a two-layer MLP through every phase; docs/walkthrough.md shows the blocks of this file.
// Refresh the expected output with tools/dev/gen_walkthrough.py --update.
//
// RUN: llmpar-opt %s --llmpar-propagate-shardings=tensor-axis=tp \
// RUN:   | FileCheck %s --match-full-lines --check-prefix=LAYOUT
// RUN: llmpar-opt %s --llmpar-propagate-shardings=tensor-axis=tp --llmpar-insert-reshards \
// RUN:   | FileCheck %s --match-full-lines --check-prefix=RESHARD
// RUN: llmpar-opt %s --llmpar-propagate-shardings=tensor-axis=tp --llmpar-insert-reshards --llmpar-lower-reshards \
// RUN:   | FileCheck %s --match-full-lines --check-prefix=COLLECTIVE
// RUN: llmpar-opt %s --llmpar-propagate-shardings=tensor-axis=tp --llmpar-insert-reshards --llmpar-lower-reshards \
// RUN:   --llmpar-localize-shapes \
// RUN:   | FileCheck %s --match-full-lines --check-prefix=LOCAL
// RUN: llmpar-opt %s --llmpar-propagate-shardings=tensor-axis=tp --llmpar-insert-reshards --llmpar-lower-reshards \
// RUN:   --llmpar-localize-shapes --llmpar-lower-to-runtime=layout=tensor -o %t.mlir
// RUN: cat %t.mlir | FileCheck %s --match-full-lines --check-prefix=PROGRAM
// RUN: cat %t.mlir | FileCheck %s --match-full-lines --check-prefix=SHORT
// RUN: llmpar-translate --llmpar-rt-to-program %t.mlir -o %t.llmpar
// RUN: llmpar-run %t.llmpar --trace | FileCheck %s --match-full-lines --check-prefix=TRACE

// BEGIN INPUT
llmpar.mesh @mesh <["tp" = 3]>
llmpar.weight @w1 : tensor<6x10xf32> from #llmpar.external<"mlp.onnx.data", 0, 240>
llmpar.weight @b1 : tensor<10xf32> from #llmpar.external<"mlp.onnx.data", 240, 40>
llmpar.weight @w2 : tensor<10x6xf32> from #llmpar.external<"mlp.onnx.data", 280, 240>
llmpar.weight @b2 : tensor<6xf32> from #llmpar.external<"mlp.onnx.data", 520, 24>

func.func @main(%x: tensor<4x6xf32> {llmpar.name = "x"}) -> (tensor<4x6xf32> {llmpar.name = "y"}) {
  %w1 = llmpar.load_weight @w1 : tensor<6x10xf32>
  %b1 = llmpar.load_weight @b1 : tensor<10xf32>
  %w2 = llmpar.load_weight @w2 : tensor<10x6xf32>
  %b2 = llmpar.load_weight @b2 : tensor<6xf32>
  %0 = llmpar.matmul %x, %w1 : (tensor<4x6xf32>, tensor<6x10xf32>) -> tensor<4x10xf32>
  %1 = llmpar.binary "add" %0, %b1 : (tensor<4x10xf32>, tensor<10xf32>) -> tensor<4x10xf32>
  %2 = llmpar.unary "gelu" %1 : (tensor<4x10xf32>) -> tensor<4x10xf32>
  %3 = llmpar.matmul %2, %w2 : (tensor<4x10xf32>, tensor<10x6xf32>) -> tensor<4x6xf32>
  %4 = llmpar.binary "add" %3, %b2 : (tensor<4x6xf32>, tensor<6xf32>) -> tensor<4x6xf32>
  return %4 : tensor<4x6xf32>
}
// END INPUT

// BEGIN LAYOUT from "func.func @main"
// LAYOUT:   func.func @main(%arg0: tensor<4x6xf32> {llmpar.name = "x"}) -> (tensor<4x6xf32> {llmpar.name = "y"}) {
// LAYOUT-NEXT:     %0 = llmpar.load_weight @w1 {llmpar.in = [], llmpar.out = [#llmpar.sharding<@mesh, [{}, {"tp"}]>]} : tensor<6x10xf32>
// LAYOUT-NEXT:     %1 = llmpar.load_weight @b1 {llmpar.in = [], llmpar.out = [#llmpar.sharding<@mesh, [{"tp"}]>]} : tensor<10xf32>
// LAYOUT-NEXT:     %2 = llmpar.load_weight @w2 {llmpar.in = [], llmpar.out = [#llmpar.sharding<@mesh, [{"tp"}, {}]>]} : tensor<10x6xf32>
// LAYOUT-NEXT:     %3 = llmpar.load_weight @b2 {llmpar.in = [], llmpar.out = [#llmpar.sharding<@mesh, [{}]>]} : tensor<6xf32>
// LAYOUT-NEXT:     %4 = llmpar.matmul %arg0, %0 {llmpar.in = [#llmpar.sharding<@mesh, [{}, {}]>, #llmpar.sharding<@mesh, [{}, {"tp"}]>], llmpar.out = [#llmpar.sharding<@mesh, [{}, {"tp"}]>]} : (tensor<4x6xf32>, tensor<6x10xf32>) -> tensor<4x10xf32>
// LAYOUT-NEXT:     %5 = llmpar.binary "add" %4, %1 {llmpar.in = [#llmpar.sharding<@mesh, [{}, {"tp"}]>, #llmpar.sharding<@mesh, [{"tp"}]>], llmpar.out = [#llmpar.sharding<@mesh, [{}, {"tp"}]>]} : (tensor<4x10xf32>, tensor<10xf32>) -> tensor<4x10xf32>
// LAYOUT-NEXT:     %6 = llmpar.unary "gelu" %5 {llmpar.in = [#llmpar.sharding<@mesh, [{}, {"tp"}]>], llmpar.out = [#llmpar.sharding<@mesh, [{}, {"tp"}]>]} : (tensor<4x10xf32>) -> tensor<4x10xf32>
// LAYOUT-NEXT:     %7 = llmpar.matmul %6, %2 {llmpar.in = [#llmpar.sharding<@mesh, [{}, {"tp"}]>, #llmpar.sharding<@mesh, [{"tp"}, {}]>], llmpar.out = [#llmpar.sharding<@mesh, [{}, {}], partial = {"tp" : sum}>]} : (tensor<4x10xf32>, tensor<10x6xf32>) -> tensor<4x6xf32>
// LAYOUT-NEXT:     %8 = llmpar.binary "add" %7, %3 {llmpar.in = [#llmpar.sharding<@mesh, [{}, {}]>, #llmpar.sharding<@mesh, [{}]>], llmpar.out = [#llmpar.sharding<@mesh, [{}, {}]>]} : (tensor<4x6xf32>, tensor<6xf32>) -> tensor<4x6xf32>
// LAYOUT-NEXT:     return {llmpar.in = [#llmpar.sharding<@mesh, [{}, {}]>]} %8 : tensor<4x6xf32>
// LAYOUT-NEXT:   }
// END LAYOUT

// BEGIN RESHARD from "llmpar.matmul %6" until "return"
// RESHARD:     %7 = llmpar.matmul %6, %2 {llmpar.in = [#llmpar.sharding<@mesh, [{}, {"tp"}]>, #llmpar.sharding<@mesh, [{"tp"}, {}]>], llmpar.out = [#llmpar.sharding<@mesh, [{}, {}], partial = {"tp" : sum}>]} : (tensor<4x10xf32>, tensor<10x6xf32>) -> tensor<4x6xf32>
// RESHARD-NEXT:     %8 = llmpar.reshard %7 {llmpar.in = [#llmpar.sharding<@mesh, [{}, {}], partial = {"tp" : sum}>], llmpar.out = [#llmpar.sharding<@mesh, [{}, {}]>]} : (tensor<4x6xf32>) -> tensor<4x6xf32>
// RESHARD-NEXT:     %9 = llmpar.binary "add" %8, %3 {llmpar.in = [#llmpar.sharding<@mesh, [{}, {}]>, #llmpar.sharding<@mesh, [{}]>], llmpar.out = [#llmpar.sharding<@mesh, [{}, {}]>]} : (tensor<4x6xf32>, tensor<6xf32>) -> tensor<4x6xf32>
// END RESHARD

// BEGIN COLLECTIVE from "llmpar.matmul %6" until "return"
// COLLECTIVE:     %7 = llmpar.matmul %6, %2 {llmpar.in = [#llmpar.sharding<@mesh, [{}, {"tp"}]>, #llmpar.sharding<@mesh, [{"tp"}, {}]>], llmpar.out = [#llmpar.sharding<@mesh, [{}, {}], partial = {"tp" : sum}>]} : (tensor<4x10xf32>, tensor<10x6xf32>) -> tensor<4x6xf32>
// COLLECTIVE-NEXT:     %8 = llmpar.all_reduce "tp" %7 {llmpar.out = [#llmpar.sharding<@mesh, [{}, {}]>], reduction = "sum"} : (tensor<4x6xf32>) -> tensor<4x6xf32>
// COLLECTIVE-NEXT:     %9 = llmpar.binary "add" %8, %3 {llmpar.in = [#llmpar.sharding<@mesh, [{}, {}]>, #llmpar.sharding<@mesh, [{}]>], llmpar.out = [#llmpar.sharding<@mesh, [{}, {}]>]} : (tensor<4x6xf32>, tensor<6xf32>) -> tensor<4x6xf32>
// END COLLECTIVE

// BEGIN LOCAL from "func.func @main"
// LOCAL:   func.func @main(%arg0: tensor<4x6xf32> {llmpar.global = tensor<4x6xf32>, llmpar.name = "x", llmpar.out = #llmpar.sharding<@mesh, [{}, {}]>}) -> (tensor<4x6xf32> {llmpar.name = "y"}) {
// LOCAL-NEXT:     %0 = llmpar.load_weight @w1 {llmpar.global = [tensor<6x10xf32>], llmpar.out = [#llmpar.sharding<@mesh, [{}, {"tp"}]>]} : tensor<6x4xf32>
// LOCAL-NEXT:     %1 = llmpar.load_weight @b1 {llmpar.global = [tensor<10xf32>], llmpar.out = [#llmpar.sharding<@mesh, [{"tp"}]>]} : tensor<4xf32>
// LOCAL-NEXT:     %2 = llmpar.load_weight @w2 {llmpar.global = [tensor<10x6xf32>], llmpar.out = [#llmpar.sharding<@mesh, [{"tp"}, {}]>]} : tensor<4x6xf32>
// LOCAL-NEXT:     %3 = llmpar.load_weight @b2 {llmpar.global = [tensor<6xf32>], llmpar.out = [#llmpar.sharding<@mesh, [{}]>]} : tensor<6xf32>
// LOCAL-NEXT:     %4 = llmpar.matmul %arg0, %0 {llmpar.global = [tensor<4x10xf32>], llmpar.out = [#llmpar.sharding<@mesh, [{}, {"tp"}]>]} : (tensor<4x6xf32>, tensor<6x4xf32>) -> tensor<4x4xf32>
// LOCAL-NEXT:     %5 = llmpar.binary "add" %4, %1 {llmpar.global = [tensor<4x10xf32>], llmpar.out = [#llmpar.sharding<@mesh, [{}, {"tp"}]>]} : (tensor<4x4xf32>, tensor<4xf32>) -> tensor<4x4xf32>
// LOCAL-NEXT:     %6 = llmpar.unary "gelu" %5 {llmpar.global = [tensor<4x10xf32>], llmpar.out = [#llmpar.sharding<@mesh, [{}, {"tp"}]>]} : (tensor<4x4xf32>) -> tensor<4x4xf32>
// LOCAL-NEXT:     %7 = llmpar.matmul %6, %2 {llmpar.global = [tensor<4x6xf32>], llmpar.out = [#llmpar.sharding<@mesh, [{}, {}], partial = {"tp" : sum}>]} : (tensor<4x4xf32>, tensor<4x6xf32>) -> tensor<4x6xf32>
// LOCAL-NEXT:     %8 = llmpar.all_reduce "tp" %7 {llmpar.global = [tensor<4x6xf32>], llmpar.out = [#llmpar.sharding<@mesh, [{}, {}]>], reduction = "sum"} : (tensor<4x6xf32>) -> tensor<4x6xf32>
// LOCAL-NEXT:     %9 = llmpar.binary "add" %8, %3 {llmpar.global = [tensor<4x6xf32>], llmpar.out = [#llmpar.sharding<@mesh, [{}, {}]>]} : (tensor<4x6xf32>, tensor<6xf32>) -> tensor<4x6xf32>
// LOCAL-NEXT:     return %9 : tensor<4x6xf32>
// LOCAL-NEXT:   }
// END LOCAL

// BEGIN PROGRAM from "llmpar_rt.program" until "llmpar_rt.rank 1"
// PROGRAM:   llmpar_rt.program @main mesh ["tp" = 3] model "" layout "tensor" compiler "llmpar 0.1.0" {
// PROGRAM-NEXT:     llmpar_rt.file "mlp.onnx.data" size 0
// PROGRAM-NEXT:     llmpar_rt.input "x" : tensor<4x6xf32>
// PROGRAM-NEXT:     llmpar_rt.output "y" : tensor<4x6xf32>
// PROGRAM-NEXT:     llmpar_rt.rank 0 arenas [128, 192, 256] {
// PROGRAM-NEXT:       llmpar_rt.load "w1" from "mlp.onnx.data" + 0 shape [6, 10] starts [0, 0] to staging+0 : tensor<6x4xf32>
// PROGRAM-NEXT:       llmpar_rt.load "b1" from "mlp.onnx.data" + 240 shape [10] starts [0] to weights+0 : tensor<4xf32>
// PROGRAM-NEXT:       llmpar_rt.load "w2" from "mlp.onnx.data" + 280 shape [10, 6] starts [0, 0] to staging+128 : tensor<4x6xf32>
// PROGRAM-NEXT:       llmpar_rt.load "b2" from "mlp.onnx.data" + 520 shape [6] starts [0] to weights+64 : tensor<6xf32>
// PROGRAM-NEXT:       llmpar_rt.slice_in "x" starts [0, 0] to activations+0 : tensor<4x6xf32>
// PROGRAM-NEXT:       llmpar_rt.slice_out "y" starts [0, 0] from activations+0 : tensor<4x6xf32>
// PROGRAM-NEXT:       llmpar_rt.init {
// PROGRAM-NEXT:       }
// PROGRAM-NEXT:       llmpar_rt.main {
// PROGRAM-NEXT:         llmpar_rt.kernel "matmul" ins(activations+0 : tensor<4x6xf32>, staging+0 : tensor<6x4xf32>) outs(activations+128 : tensor<4x4xf32>) ints [0, 0] flops 192 bytes 256
// PROGRAM-NEXT:         llmpar_rt.kernel "binary" ins(activations+128 : tensor<4x4xf32>, weights+0 : tensor<4xf32>) outs(activations+128 : tensor<4x4xf32>) ints [0] flops 16 bytes 144
// PROGRAM-NEXT:         llmpar_rt.kernel "unary" ins(activations+128 : tensor<4x4xf32>) outs(activations+128 : tensor<4x4xf32>) ints [11] floats [1.000000e+00, 0.000000e+00] flops 16 bytes 128
// PROGRAM-NEXT:         llmpar_rt.kernel "matmul" ins(activations+128 : tensor<4x4xf32>, staging+128 : tensor<4x6xf32>) outs(activations+0 : tensor<4x6xf32>) ints [0, 0] flops 192 bytes 256
// PROGRAM-NEXT:         llmpar_rt.kernel "all_reduce" ins(activations+0 : tensor<4x6xf32>) outs(activations+0 : tensor<4x6xf32>) ints [0] group [0, 1, 2] lane "communication" waits [3] bytes 128
// PROGRAM-NEXT:         llmpar_rt.kernel "binary" ins(activations+0 : tensor<4x6xf32>, weights+64 : tensor<6xf32>) outs(activations+0 : tensor<4x6xf32>) ints [0] waits [4] flops 24 bytes 216
// PROGRAM-NEXT:       }
// PROGRAM-NEXT:     }
// END PROGRAM

// BEGIN SHORT from "llmpar_rt.rank 2"
// SHORT:     llmpar_rt.rank 2 arenas [128, 192, 128] {
// SHORT-NEXT:       llmpar_rt.load "w1" from "mlp.onnx.data" + 0 shape [6, 10] starts [0, 8] to staging+0 : tensor<6x2xf32>
// SHORT-NEXT:       llmpar_rt.load "b1" from "mlp.onnx.data" + 240 shape [10] starts [8] to weights+0 : tensor<2xf32>
// SHORT-NEXT:       llmpar_rt.load "w2" from "mlp.onnx.data" + 280 shape [10, 6] starts [8, 0] to staging+64 : tensor<2x6xf32>
// SHORT-NEXT:       llmpar_rt.load "b2" from "mlp.onnx.data" + 520 shape [6] starts [0] to weights+64 : tensor<6xf32>
// SHORT-NEXT:       llmpar_rt.slice_in "x" starts [0, 0] to activations+0 : tensor<4x6xf32>
// SHORT-NEXT:       llmpar_rt.init {
// SHORT-NEXT:       }
// SHORT-NEXT:       llmpar_rt.main {
// SHORT-NEXT:         llmpar_rt.kernel "matmul" ins(activations+0 : tensor<4x6xf32>, staging+0 : tensor<6x2xf32>) outs(activations+128 : tensor<4x2xf32>) ints [0, 0] flops 96 bytes 176
// SHORT-NEXT:         llmpar_rt.kernel "binary" ins(activations+128 : tensor<4x2xf32>, weights+0 : tensor<2xf32>) outs(activations+128 : tensor<4x2xf32>) ints [0] flops 8 bytes 72
// SHORT-NEXT:         llmpar_rt.kernel "unary" ins(activations+128 : tensor<4x2xf32>) outs(activations+128 : tensor<4x2xf32>) ints [11] floats [1.000000e+00, 0.000000e+00] flops 8 bytes 64
// SHORT-NEXT:         llmpar_rt.kernel "matmul" ins(activations+128 : tensor<4x2xf32>, staging+64 : tensor<2x6xf32>) outs(activations+0 : tensor<4x6xf32>) ints [0, 0] flops 96 bytes 176
// SHORT-NEXT:         llmpar_rt.kernel "all_reduce" ins(activations+0 : tensor<4x6xf32>) outs(activations+0 : tensor<4x6xf32>) ints [0] group [0, 1, 2] lane "communication" waits [3] bytes 128
// SHORT-NEXT:         llmpar_rt.kernel "binary" ins(activations+0 : tensor<4x6xf32>, weights+64 : tensor<6xf32>) outs(activations+0 : tensor<4x6xf32>) ints [0] waits [4] flops 24 bytes 216
// SHORT-NEXT:       }
// SHORT-NEXT:     }
// END SHORT

// BEGIN TRACE from "rank 2 #0"
// TRACE: rank 2 #0 matmul(4x6xf32@activations+0, 6x2xf32@staging+0) -> 4x2xf32@activations+128 {0, 0}
// TRACE-NEXT: rank 2 #1 binary(4x2xf32@activations+128, 2xf32@weights+0) -> 4x2xf32@activations+128 {0}
// TRACE-NEXT: rank 2 #2 unary(4x2xf32@activations+128) -> 4x2xf32@activations+128 {11} <1, 0>
// TRACE-NEXT: rank 2 #3 matmul(4x2xf32@activations+128, 2x6xf32@staging+64) -> 4x6xf32@activations+0 {0, 0}
// TRACE-NEXT: rank 2 #4 all_reduce(4x6xf32@activations+0) -> 4x6xf32@activations+0 {0} group [0, 1, 2] lane communication waits [3]
// TRACE-NEXT: rank 2 #5 binary(4x6xf32@activations+0, 6xf32@weights+64) -> 4x6xf32@activations+0 {0} waits [4]
// END TRACE
