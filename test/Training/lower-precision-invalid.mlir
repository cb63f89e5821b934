// RUN: llmpar-opt %s --split-input-file --verify-diagnostics --llmpar-lower-precision=type=bf16

llmpar.weight @w : tensor<4xf16> from <"w.bin", 0, 8>
func.func @main(%x: tensor<4xf16>) -> tensor<4xf16> {
  // expected-error @below {{'llmpar.load_weight' op of type 'tensor<4xf16>': the model does not compute in bf16, but in a type that is as narrow; export it in float32}}
  %w = llmpar.load_weight @w : tensor<4xf16>
  %y = llmpar.binary "add" %x, %w : (tensor<4xf16>, tensor<4xf16>) -> tensor<4xf16>
  return %y : tensor<4xf16>
}

// -----

llmpar.weight @w : tensor<4xf64> from <"w.bin", 0, 32>
// expected-error @below {{has no weights in f32 or bf16: there is nothing to compute in bf16}}
func.func @main(%x: tensor<4xf64>) -> tensor<4xf64> {
  %w = llmpar.load_weight @w : tensor<4xf64>
  %y = llmpar.binary "add" %x, %w : (tensor<4xf64>, tensor<4xf64>) -> tensor<4xf64>
  return %y : tensor<4xf64>
}

// -----

// expected-error @below {{lower precision needs a function @main of one block}}
module {
}
