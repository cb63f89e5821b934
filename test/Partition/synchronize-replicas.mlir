// RUN: llmpar-opt %s --split-input-file --verify-diagnostics --llmpar-synchronize-replicas="axis=dp every=8" | FileCheck %s

#whole = #llmpar.sharding<@mesh, [{}]>
#number = #llmpar.sharding<@mesh, []>
llmpar.mesh @mesh <["dp"=2, "tp"=2]>

// A replica steps by its share of the sum, times the replicas; what it steps is averaged. The loss is still reduced.
// CHECK-LABEL: func.func @main
// CHECK-SAME:  -> (tensor<6xf32> {llmpar.average = {axis = "dp", every = 8 : i64}, llmpar.next = @w}, tensor<6xf32> {llmpar.average = {axis = "dp", every = 8 : i64}, llmpar.next = @v}, tensor<f32>)
// CHECK:       llmpar.all_reduce "dp" %{{.*}} : (tensor<f32>) -> tensor<f32>
// CHECK:       %[[TWO:.*]] = llmpar.constant dense<2.000000e+00>
// CHECK:       %[[OWN:.*]] = llmpar.binary "mul" %[[P:.*]], %[[TWO]]
// CHECK:       %[[G:.*]] = llmpar.all_reduce "tp" %[[OWN]]
// CHECK:       llmpar.sgd %{{.*}}, %[[G]],
func.func @main(%w: tensor<6xf32> {llmpar.state = @w}, %v: tensor<6xf32> {llmpar.state = @v}, %p: tensor<6xf32>, %l: tensor<f32>, %rate: tensor<f32>, %scale: tensor<f32>) -> (tensor<6xf32> {llmpar.next = @w}, tensor<6xf32> {llmpar.next = @v}, tensor<f32>) {
  %loss = llmpar.all_reduce "dp" %l {reduction = "sum", llmpar.out = [#number]} : (tensor<f32>) -> tensor<f32>
  %r = llmpar.all_reduce "dp" %p {reduction = "sum", llmpar.out = [#whole]} : (tensor<6xf32>) -> tensor<6xf32>
  %g = llmpar.all_reduce "tp" %r {reduction = "sum", llmpar.out = [#whole]} : (tensor<6xf32>) -> tensor<6xf32>
  %0:2 = llmpar.sgd %w, %g, %v, %rate, %scale {momentum = 0.9, weight_decay = 0.0, nesterov = false, llmpar.in = [#whole, #whole, #whole, #number, #number], llmpar.out = [#whole, #whole]} : (tensor<6xf32>, tensor<6xf32>, tensor<6xf32>, tensor<f32>, tensor<f32>) -> (tensor<6xf32>, tensor<6xf32>)
  return {llmpar.in = [#whole, #whole, #number]} %0#0, %0#1, %loss : tensor<6xf32>, tensor<6xf32>, tensor<f32>
}

// -----

#whole = #llmpar.sharding<@mesh, [{}]>
#number = #llmpar.sharding<@mesh, []>
llmpar.mesh @mesh <["dp"=4]>

// Gradients that wait two steps are a replica's own until they are used: reduced before anything of this step is computed.
// CHECK-LABEL: func.func @main
// CHECK-SAME:  %[[NEW:[^:]+]]: tensor<6xf32> {llmpar.state = @new}, %[[OLD:[^:]+]]: tensor<6xf32> {llmpar.state = @old}
// CHECK-SAME:  -> (tensor<6xf32> {llmpar.next = @w}, tensor<6xf32> {llmpar.next = @v}, tensor<6xf32> {llmpar.average = {axis = "dp", every = 8 : i64}, llmpar.next = @new}, tensor<6xf32> {llmpar.average = {axis = "dp", every = 8 : i64}, llmpar.next = @old})
// CHECK-NEXT:  %[[MEAN:.*]] = llmpar.all_reduce "dp" %[[OLD]] {{.*}}reduction = "mean"
// CHECK-NOT:   all_reduce
// CHECK:       %[[OWN:.*]] = llmpar.binary "mul" %{{.*}}, %{{.*}}
// CHECK:       llmpar.sgd %{{.*}}, %[[MEAN]],
// CHECK:       return {{.*}} %{{.*}}, %{{.*}}, %[[OWN]], %[[NEW]] :
func.func @main(%new: tensor<6xf32> {llmpar.state = @new}, %old: tensor<6xf32> {llmpar.state = @old}, %w: tensor<6xf32> {llmpar.state = @w}, %v: tensor<6xf32> {llmpar.state = @v}, %p: tensor<6xf32>, %rate: tensor<f32>, %scale: tensor<f32>) -> (tensor<6xf32> {llmpar.next = @w}, tensor<6xf32> {llmpar.next = @v}, tensor<6xf32> {llmpar.next = @new}, tensor<6xf32> {llmpar.next = @old}) {
  %g = llmpar.all_reduce "dp" %p {reduction = "sum", llmpar.out = [#whole]} : (tensor<6xf32>) -> tensor<6xf32>
  %0:2 = llmpar.sgd %w, %old, %v, %rate, %scale {momentum = 0.9, weight_decay = 0.0, nesterov = false, llmpar.in = [#whole, #whole, #whole, #number, #number], llmpar.out = [#whole, #whole]} : (tensor<6xf32>, tensor<6xf32>, tensor<6xf32>, tensor<f32>, tensor<f32>) -> (tensor<6xf32>, tensor<6xf32>)
  return {llmpar.in = [#whole, #whole, #whole, #whole]} %0#0, %0#1, %g, %new : tensor<6xf32>, tensor<6xf32>, tensor<6xf32>, tensor<6xf32>
}

// -----

#whole = #llmpar.sharding<@mesh, [{}]>
#split = #llmpar.sharding<@mesh, [{"dp"}]>
llmpar.mesh @mesh <["dp"=2]>

// Activations that replicas exchange would mix what they have of their own.
func.func @main(%x: tensor<6xf32> {llmpar.out = #split}) -> tensor<6xf32> {
  // expected-error @+1 {{replicas over axis 'dp' exchange 'tensor<6xf32>' in every step: only gradients can wait; choose a layout that splits nothing but the batch over it}}
  %y = llmpar.all_gather "dp" %x {dim = 0 : i64, llmpar.out = [#whole]} : (tensor<6xf32>) -> tensor<6xf32>
  return {llmpar.in = [#whole]} %y : tensor<6xf32>
}
