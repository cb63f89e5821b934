// RUN: llmpar-opt %s -llmpar-plan-shardings="cluster=cpu-2 method=data" | FileCheck %s --check-prefix=DATA
// RUN: llmpar-opt %s -llmpar-plan-shardings="cluster=cpu-2 method=zero" | FileCheck %s --check-prefix=ZERO
// RUN: llmpar-opt %s -llmpar-plan-shardings="cluster=cpu-2 method=gathered" | FileCheck %s --check-prefix=GATHERED
// RUN: llmpar-opt %s -llmpar-plan-shardings="cluster=cpu-2 memory=3500000" | FileCheck %s --check-prefix=AUTO

// Parameter, velocity and gradient are 1 MiB each.

// Data parallelism: every replica holds and steps all.
// DATA:      llmpar.load_weight @w {llmpar.out = [#llmpar.sharding<@mesh, [{}, {}]>]}
// DATA:      llmpar.load_weight @v {llmpar.out = [#llmpar.sharding<@mesh, [{}, {}]>]}
// DATA-NOT:  llmpar.rest

// ZeRO 1 and 2: the optimizer's state is in parts, the parameter whole.
// ZERO:      llmpar.load_weight @w {llmpar.out = [#llmpar.sharding<@mesh, [{}, {}]>]}
// ZERO:      llmpar.load_weight @v {llmpar.out = [#llmpar.sharding<@mesh, [{{.*}}"dp"{{.*}}]>]}
// ZERO:      llmpar.sgd {{.*}}llmpar.factors = {_0 = #llmpar.dim<{"dp"}>}

// ZeRO 3: the parameter is in parts too, and gathered for the product alone.
// GATHERED:  %[[W:.*]] = llmpar.load_weight @w {llmpar.out = [#llmpar.sharding<@mesh, [{{.*}}"dp"{{.*}}]>]}
// GATHERED:  llmpar.matmul %{{.*}}, %[[W]] {{.*}}llmpar.rest = [
// GATHERED:  llmpar.load_weight @v {llmpar.out = [#llmpar.sharding<@mesh, [{{.*}}"dp"{{.*}}]>]}

// Where memory does not hold it whole, the search splits what rests.
// AUTO:      llmpar.load_weight @v {llmpar.out = [#llmpar.sharding<@mesh, [{{.*}}"x"{{.*}}]>]}
llmpar.weight @w : tensor<512x512xf32> from <"w.bin", 0, 1048576> {llmpar.mutable}
llmpar.weight @v : tensor<512x512xf32> from zeros {llmpar.mutable}
func.func @main(%x: tensor<64x512xf32>, %dy: tensor<64x512xf32>, %rate: tensor<f32>, %scale: tensor<f32>) -> (tensor<64x512xf32>, tensor<512x512xf32> {llmpar.next = @w}, tensor<512x512xf32> {llmpar.next = @v}) {
  %w = llmpar.load_weight @w : tensor<512x512xf32>
  %y = llmpar.matmul %x, %w : (tensor<64x512xf32>, tensor<512x512xf32>) -> tensor<64x512xf32>
  %v = llmpar.load_weight @v : tensor<512x512xf32>
  %g = llmpar.weight_grad %x, %dy : (tensor<64x512xf32>, tensor<64x512xf32>) -> tensor<512x512xf32>
  %0:2 = llmpar.sgd %w, %g, %v, %rate, %scale {momentum = 0.9, weight_decay = 0.0, nesterov = false} : (tensor<512x512xf32>, tensor<512x512xf32>, tensor<512x512xf32>, tensor<f32>, tensor<f32>) -> (tensor<512x512xf32>, tensor<512x512xf32>)
  return %y, %0#0, %0#1 : tensor<64x512xf32>, tensor<512x512xf32>, tensor<512x512xf32>
}
