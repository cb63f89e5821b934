// RUN: llmpar-opt %s --split-input-file --verify-diagnostics

// expected-error @below {{unknown kernel 'conjure'; Kernels.def lists them}}
llmpar_rt.kernel "conjure" ins() outs()

// -----

// expected-error @below {{'matmul' has 1 inputs, expected 2}}
llmpar_rt.kernel "matmul" ins(activations+0 : tensor<4x6xf32>) outs(activations+128 : tensor<4x5xf32>) ints [0, 0]

// -----

// expected-error @below {{'all_gather' has 0 integers, expected 1 or more}}
llmpar_rt.kernel "all_gather" ins(activations+0 : tensor<4xf32>) outs(activations+64 : tensor<8xf32>) group [0, 1]

// -----

// expected-error @below {{unknown arena 'heap', expected weights, activations or staging}}
llmpar_rt.kernel "copy" ins(heap+0 : tensor<4xf32>) outs(activations+64 : tensor<4xf32>)

// -----

// expected-error @below {{has a mesh of 2 ranks and the programs of 0}}
llmpar_rt.program @main mesh ["tp" = 2] model "" layout "" compiler "" {
}

// -----

// expected-error @below {{unknown lane 'fast', expected compute, communication or copy}}
llmpar_rt.kernel "copy" ins(activations+0 : tensor<4xf32>) outs(activations+64 : tensor<4xf32>) lane "fast"

// -----

llmpar_rt.program @main mesh [] model "" layout "" compiler "" {
  llmpar_rt.rank 0 arenas [0, 128, 0] {
    llmpar_rt.init {
    }
    llmpar_rt.main {
      llmpar_rt.kernel "copy" ins(activations+0 : tensor<4xf32>) outs(activations+64 : tensor<4xf32>)
      // expected-error @below {{is record 1 and waits for record 1, which is not an earlier one}}
      llmpar_rt.kernel "copy" ins(activations+64 : tensor<4xf32>) outs(activations+0 : tensor<4xf32>) lane "copy" waits [1]
    }
  }
}
