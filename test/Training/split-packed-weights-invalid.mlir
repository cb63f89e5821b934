// RUN: llmpar-opt %s --split-input-file --llmpar-split-packed-weights --verify-diagnostics

// expected-error @below {{packed weights are split in a function @main of one block}}
module {
  func.func @other() {
    return
  }
}
