// RUN: llmpar-opt %s --split-input-file --verify-diagnostics --llmpar-build-evaluation-step

// expected-error @below {{has no float result: name the logits}}
func.func @main(%x: tensor<2xi64>) -> tensor<2xi64> {
  return %x : tensor<2xi64>
}

// -----

// expected-error @below {{cannot be logits: floats with a dimension are needed}}
func.func @main(%x: tensor<f32>) -> tensor<f32> {
  return %x : tensor<f32>
}

// -----

// expected-error @below {{evaluation needs a function @main of one block}}
module {
}
