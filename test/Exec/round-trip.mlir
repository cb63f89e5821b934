// RUN: llmpar-translate --llmpar-rt-to-program %s -o %t.llmpar
// RUN: llmpar-translate --program-to-llmpar-rt %t.llmpar -o %t.mlir
// RUN: FileCheck %s < %t.mlir
// RUN: llmpar-translate --llmpar-rt-to-program %t.mlir -o %t.again.llmpar
// RUN: cmp %t.llmpar %t.again.llmpar
// RUN: llmpar-translate --program-to-llmpar-rt %t.again.llmpar | diff %t.mlir -

// CHECK: llmpar_rt.program @main mesh ["tp" = 2] model "mlp.onnx" layout "tp=2" compiler "llmpar" {
llmpar_rt.program @main mesh ["tp" = 2] model "mlp.onnx" layout "tp=2" compiler "llmpar" {
  // CHECK-NEXT: llmpar_rt.file "mlp.onnx.data" size 4096
  llmpar_rt.file "mlp.onnx.data" size 4096
  // CHECK-NEXT: llmpar_rt.input "x" : tensor<4x6xf32>
  llmpar_rt.input "x" : tensor<4x6xf32>
  // CHECK-NEXT: llmpar_rt.output "y" : tensor<4x10xf32>
  llmpar_rt.output "y" : tensor<4x10xf32>
  // CHECK-NEXT: llmpar_rt.rank 0 arenas [256, 512, 128] {
  llmpar_rt.rank 0 arenas [256, 512, 128] {
    // CHECK-NEXT: llmpar_rt.load "w" from "mlp.onnx.data" + 64 shape [6, 10] starts [0, 5] to staging+0 : tensor<6x5xf32>
    llmpar_rt.load "w" from "mlp.onnx.data" + 64 shape [6, 10] starts [0, 5] to staging+0 : tensor<6x5xf32>
    // CHECK-NEXT: llmpar_rt.constant "one" = dense<1.000000e+00> : tensor<4xf32> starts [2] to weights+0 : tensor<2xf32>
    llmpar_rt.constant "one" = dense<1.0> : tensor<4xf32> starts [2] to weights+0 : tensor<2xf32>
    // CHECK-NEXT: llmpar_rt.constant "mask" = dense<[true, false, true]> : tensor<3xi1> starts [0] to weights+64 : tensor<3xi1>
    llmpar_rt.constant "mask" = dense<[true, false, true]> : tensor<3xi1> starts [0] to weights+64 : tensor<3xi1>
    // CHECK-NEXT: llmpar_rt.constant "ids" = dense<[1, 2]> : tensor<2xui8> starts [0] to weights+128 : tensor<2xui8>
    llmpar_rt.constant "ids" = dense<[1, 2]> : tensor<2xui8> starts [0] to weights+128 : tensor<2xui8>
    // CHECK-NEXT: llmpar_rt.slice_in "x" starts [0, 0] to activations+0 : tensor<4x6xf32>
    llmpar_rt.slice_in "x" starts [0, 0] to activations+0 : tensor<4x6xf32>
    // CHECK-NEXT: llmpar_rt.slice_out "y" starts [0, 0] from activations+256 : tensor<4x10xf32>
    llmpar_rt.slice_out "y" starts [0, 0] from activations+256 : tensor<4x10xf32>
    // CHECK-NEXT: llmpar_rt.init {
    // CHECK-NEXT: }
    llmpar_rt.init {
    }
    // CHECK-NEXT: llmpar_rt.main {
    llmpar_rt.main {
      // CHECK-NEXT: llmpar_rt.kernel "matmul" ins(activations+0 : tensor<4x6xf32>, staging+0 : tensor<6x5xf32>) outs(activations+128 : tensor<4x5xf32>) ints [0, 0] flops 240 bytes 296 at "/fc1"
      llmpar_rt.kernel "matmul" ins(activations+0 : tensor<4x6xf32>, staging+0 : tensor<6x5xf32>) outs(activations+128 : tensor<4x5xf32>) ints [0, 0] flops 240 bytes 296 at "/fc1"
      // CHECK-NEXT: llmpar_rt.kernel "unary" ins(activations+128 : tensor<4x5xf32>) outs(activations+128 : tensor<4x5xf32>) ints [12] floats [1.000000e+00, 0.000000e+00]
      llmpar_rt.kernel "unary" ins(activations+128 : tensor<4x5xf32>) outs(activations+128 : tensor<4x5xf32>) ints [12] floats [1.0, 0.0]
      // CHECK-NEXT: llmpar_rt.kernel "all_gather" ins(activations+128 : tensor<4x5xf32>) outs(activations+256 : tensor<4x10xf32>) ints [1, 5, 5] group [0, 1] lane "communication" waits [1]
      llmpar_rt.kernel "all_gather" ins(activations+128 : tensor<4x5xf32>) outs(activations+256 : tensor<4x10xf32>) ints [1, 5, 5] group [0, 1] lane "communication" waits [1]
    }
  }
  llmpar_rt.rank 1 arenas [0, 0, 0] {
    llmpar_rt.init {
    }
    llmpar_rt.main {
    }
  }
}
