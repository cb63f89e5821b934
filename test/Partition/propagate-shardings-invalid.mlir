// RUN: llmpar-opt %s --verify-diagnostics --llmpar-propagate-shardings=tensor-axis=pp

// expected-error @below {{mesh 'tp=2' has no axis 'pp'}}
module {
  llmpar.mesh @mesh <["tp"=2]>
  func.func @main(%x: tensor<6x10xf32>) {
    return
  }
}
