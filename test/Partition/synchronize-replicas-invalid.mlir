// RUN: llmpar-opt %s --verify-diagnostics --llmpar-synchronize-replicas=axis=pp

// expected-error @below {{mesh 'tp=2' has no axis 'pp'}}
module {
  llmpar.mesh @mesh <["tp"=2]>
  func.func @main(%x: tensor<6xf32>) -> tensor<6xf32> {
    return %x : tensor<6xf32>
  }
}
