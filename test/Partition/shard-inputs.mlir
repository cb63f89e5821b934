// RUN: llmpar-opt %s --split-input-file --llmpar-shard-inputs=axis=dp | FileCheck %s

// The first dimension of the first input is the batch; another input has it where it has the same symbolic name.
// CHECK-LABEL: func.func @main(
// CHECK-SAME:  %{{.*}}: tensor<6x10xi64> {{{.*}}llmpar.out = #llmpar.sharding<@mesh, [{"dp"}, {}]>}
// CHECK-SAME:  %{{.*}}: tensor<3x6x8xf32> {{{.*}}llmpar.out = #llmpar.sharding<@mesh, [{}, {"dp"}, {}]>}
llmpar.mesh @mesh <["dp"=2, "tp"=3]>
func.func @main(%ids: tensor<6x10xi64> {llmpar.dims = ["batch", "seq"]}, %cache: tensor<3x6x8xf32> {llmpar.dims = ["", "batch", ""]}) {
  return
}

// -----

// Where the batch has no name, a first dimension of the same size is one, and of another size is not.
// CHECK-LABEL: func.func @main(
// CHECK-SAME:  %{{.*}}: tensor<6x10xi64> {llmpar.out = #llmpar.sharding<@mesh, [{"dp"}, {}]>}
// CHECK-SAME:  %{{.*}}: tensor<6xf32> {llmpar.out = #llmpar.sharding<@mesh, [{"dp"}]>}
// CHECK-SAME:  %{{.*}}: tensor<10x6xf32>)
llmpar.mesh @mesh <["dp"=2, "tp"=3]>
func.func @main(%ids: tensor<6x10xi64>, %same: tensor<6xf32>, %other: tensor<10x6xf32>) {
  return
}

// -----

// Exporters may name the batch twice: a named first dimension of the same size is one. A static one is not.
// CHECK-LABEL: func.func @main(
// CHECK-SAME:  %{{.*}}: tensor<6x8xf32> {llmpar.dims = ["rows", ""], llmpar.out = #llmpar.sharding<@mesh, [{"dp"}, {}]>}
// CHECK-SAME:  %{{.*}}: tensor<6x4xf32>)
llmpar.mesh @mesh <["dp"=2]>
func.func @main(%ids: tensor<6x10xi64> {llmpar.dims = ["batch", "seq"]}, %cache: tensor<6x8xf32> {llmpar.dims = ["rows", ""]},
                %table: tensor<6x4xf32>) {
  return
}

// -----

// A scalar has no batch, and a pinned input keeps its sharding.
// CHECK-LABEL: func.func @main(
// CHECK-SAME:  %{{.*}}: tensor<i64>,
// CHECK-SAME:  %{{.*}}: tensor<6x10xi64> {llmpar.out = #llmpar.sharding<@mesh, [{}, {"tp"}]>}
// CHECK-SAME:  %{{.*}}: tensor<6xf32> {llmpar.out = #llmpar.sharding<@mesh, [{"dp"}]>}
llmpar.mesh @mesh <["dp"=2, "tp"=3]>
func.func @main(%step: tensor<i64>, %ids: tensor<6x10xi64> {llmpar.out = #llmpar.sharding<@mesh, [{}, {"tp"}]>}, %mask: tensor<6xf32>) {
  return
}
