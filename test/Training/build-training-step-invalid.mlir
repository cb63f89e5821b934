// RUN: llmpar-opt %s --split-input-file --verify-diagnostics --llmpar-build-training-step

// expected-error @below {{has no float weights: there is nothing to train}}
func.func @main(%x: tensor<2x4xf32>) -> tensor<2x4xf32> {
  return %x : tensor<2x4xf32>
}

// -----

// expected-error @below {{has no float result: name the logits}}
func.func @main(%x: tensor<2xi64>) -> tensor<2xi64> {
  return %x : tensor<2xi64>
}

// -----

llmpar.weight @w : tensor<4x1x3xf32> from <"w.bin", 0, 48>
func.func @main(%x: tensor<2x1x9xf32>) -> tensor<2x4x7xf32> {
  %w = llmpar.load_weight @w : tensor<4x1x3xf32>
  // expected-error @below {{'llmpar.conv' op has no gradient: training through 'conv' is not supported}}
  %y = llmpar.conv %x, %w {group = 1, strides = array<i64: 1>, pads_begin = array<i64: 0>, pads_end = array<i64: 0>, dilations = array<i64: 1>} : (tensor<2x1x9xf32>, tensor<4x1x3xf32>) -> tensor<2x4x7xf32>
  return %y : tensor<2x4x7xf32>
}

// -----

llmpar.weight @w : tensor<4x6xf64> from <"w.bin", 0, 192>
// expected-error @below {{parameter 'w' of type 'tensor<4x6xf64>': parameters are trained in f32; export the model in float32}}
func.func @main(%x: tensor<2x4xf64>) -> tensor<2x6xf64> {
  %w = llmpar.load_weight @w : tensor<4x6xf64>
  %y = llmpar.matmul %x, %w : (tensor<2x4xf64>, tensor<4x6xf64>) -> tensor<2x6xf64>
  return %y : tensor<2x6xf64>
}

// -----

llmpar.weight @w : tensor<4x6xf16> from <"w.bin", 0, 48>
// expected-error @below {{parameter 'w' of type 'tensor<4x6xf16>': gradients in f16 need a loss scale (--fp16), or export the model in bfloat16}}
func.func @main(%x: tensor<2x4xf16>) -> tensor<2x6xf16> {
  %w = llmpar.load_weight @w : tensor<4x6xf16>
  %y = llmpar.matmul %x, %w : (tensor<2x4xf16>, tensor<4x6xf16>) -> tensor<2x6xf16>
  return %y : tensor<2x6xf16>
}

// -----

llmpar.weight @rotary.cos_cache : tensor<2x4xf32> from <"w.bin", 0, 32>
// expected-error @below {{has no float weights: there is nothing to train}}
func.func @main(%x: tensor<2x4xf32>) -> tensor<2x4xf32> {
  %w = llmpar.load_weight @rotary.cos_cache : tensor<2x4xf32>
  %y = llmpar.binary "mul" %x, %w : (tensor<2x4xf32>, tensor<2x4xf32>) -> tensor<2x4xf32>
  return %y : tensor<2x4xf32>
}

// -----

llmpar.weight @w : tensor<2x4xf32> from <"w.bin", 0, 32>
// expected-error @below {{the logits depend on no weight that is trained: name another result}}
func.func @main(%x: tensor<2x4xf32>) -> (tensor<2x4xf32>, tensor<2x4xf32>) {
  %w = llmpar.load_weight @w : tensor<2x4xf32>
  return %x, %w : tensor<2x4xf32>, tensor<2x4xf32>
}

// -----

llmpar.weight @w : tensor<4x6xf32> from <"w.bin", 0, 96>
// expected-error @below {{has an input 'labels' of its own, which a step adds: give it another name}}
func.func @main(%x: tensor<2x4xf32> {llmpar.name = "labels"}) -> tensor<2x6xf32> {
  %w = llmpar.load_weight @w : tensor<4x6xf32>
  %y = llmpar.matmul %x, %w : (tensor<2x4xf32>, tensor<4x6xf32>) -> tensor<2x6xf32>
  return %y : tensor<2x6xf32>
}
