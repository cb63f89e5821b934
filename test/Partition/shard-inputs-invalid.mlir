// RUN: llmpar-opt %s --split-input-file --verify-diagnostics --llmpar-shard-inputs=axis=pp

// expected-error @below {{mesh 'dp=2' has no axis 'pp'}}
module {
  llmpar.mesh @mesh <["dp"=2]>
  func.func @main(%x: tensor<6x10xf32>) {
    return
  }
}

// -----

// expected-error @below {{no function @main with a body}}
module {
  func.func @other(%x: tensor<6x10xf32>) {
    return
  }
}
