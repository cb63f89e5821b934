// RUN: llmpar-opt %s --split-input-file --verify-diagnostics

// What is right: every rank holds its largest shard, of uneven sizes too.
llmpar.mesh @mesh <["dp"=2, "tp"=3]>
func.func @local_shapes_are_valid(%x: tensor<4x4xf32>) {
  %0 = llmpar.all_gather "tp" %x {dim = 1 : i64, llmpar.global = [tensor<4x10xf32>]} : (tensor<4x4xf32>) -> tensor<4x10xf32>
  %1 = llmpar.reduce_scatter "tp" %0 {dim = 1 : i64, reduction = "max", llmpar.global = [tensor<4x10xf32>]} : (tensor<4x10xf32>) -> tensor<4x4xf32>
  %2 = llmpar.all_to_all "dp" %1 {split_dim = 0 : i64, concat_dim = 1 : i64, llmpar.global = [tensor<4x10xf32>]} : (tensor<4x4xf32>) -> tensor<2x8xf32>
  %3 = llmpar.all_slice "dp" %2 {dim = 1 : i64, llmpar.global = [tensor<4x10xf32>]} : (tensor<2x8xf32>) -> tensor<2x4xf32>
  return
}

// -----

llmpar.mesh @mesh <["dp"=2, "tp"=3]>
func.func @all_reduce_axis_is_one_of_the_mesh(%x: tensor<4x6xf32>) {
  // expected-error @below {{axis 'pp' is not one of the mesh, which has 'dp' 'tp'}}
  %0 = llmpar.all_reduce "pp" %x {reduction = "sum"} : (tensor<4x6xf32>) -> tensor<4x6xf32>
  return
}

// -----

func.func @all_reduce_needs_a_mesh(%x: tensor<4x6xf32>) {
  // expected-error @below {{axis 'tp' is not one of the mesh: add `llmpar.mesh @mesh <["tp"=2]>`}}
  %0 = llmpar.all_reduce "tp" %x {reduction = "sum"} : (tensor<4x6xf32>) -> tensor<4x6xf32>
  return
}

// -----

llmpar.mesh @mesh <["dp"=2, "tp"=3]>
func.func @all_reduce_reduction_is_known(%x: tensor<4x6xf32>) {
  // expected-error @below {{reduction 'average' is unknown: choose sum, max, min or prod}}
  %0 = llmpar.all_reduce "tp" %x {reduction = "average"} : (tensor<4x6xf32>) -> tensor<4x6xf32>
  return
}

// -----

llmpar.mesh @mesh <["dp"=2, "tp"=3]>
func.func @a_mean_is_of_floats(%x: tensor<4x6xi64>) {
  // expected-error @below {{a mean is of floats, not of 'i64': choose sum, max, min or prod}}
  %0 = llmpar.all_reduce "tp" %x {reduction = "mean"} : (tensor<4x6xi64>) -> tensor<4x6xi64>
  return
}

// -----

llmpar.mesh @mesh <["dp"=2, "tp"=3]>
func.func @all_reduce_keeps_the_shape(%x: tensor<4x6xf32>) {
  // expected-error @below {{over 3 ranks cannot make 'tensor<4x2xf32>' of 'tensor<4x6xf32>': both are the global type before llmpar-localize-shapes}}
  %0 = llmpar.all_reduce "tp" %x {reduction = "sum"} : (tensor<4x6xf32>) -> tensor<4x2xf32>
  return
}

// -----

llmpar.mesh @mesh <["dp"=2, "tp"=3]>
func.func @all_reduce_keeps_the_element_type(%x: tensor<4x6xf32>) {
  // expected-error @below {{over 3 ranks cannot make 'tensor<4x6xf16>' of 'tensor<4x6xf32>'}}
  %0 = llmpar.all_reduce "tp" %x {reduction = "sum"} : (tensor<4x6xf32>) -> tensor<4x6xf16>
  return
}

// -----

llmpar.mesh @mesh <["dp"=2, "tp"=3]>
func.func @all_gather_dim_exists(%x: tensor<4x6xf32>) {
  // expected-error @below {{dim 2 of a value of 2 dimensions}}
  %0 = llmpar.all_gather "tp" %x {dim = 2 : i64} : (tensor<4x6xf32>) -> tensor<4x6xf32>
  return
}

// -----

llmpar.mesh @mesh <["dp"=2, "tp"=3]>
func.func @all_gather_joins_at_most_every_rank(%x: tensor<4x6xf32>) {
  // expected-error @below {{over 3 ranks cannot make 'tensor<4x20xf32>' of 'tensor<4x6xf32>'}}
  %0 = llmpar.all_gather "tp" %x {dim = 1 : i64, llmpar.global = [tensor<4x20xf32>]} : (tensor<4x6xf32>) -> tensor<4x20xf32>
  return
}

// -----

llmpar.mesh @mesh <["dp"=2, "tp"=3]>
func.func @all_gather_keeps_other_dimensions(%x: tensor<4x6xf32>) {
  // expected-error @below {{over 3 ranks cannot make 'tensor<8x18xf32>' of 'tensor<4x6xf32>'}}
  %0 = llmpar.all_gather "tp" %x {dim = 1 : i64, llmpar.global = [tensor<8x18xf32>]} : (tensor<4x6xf32>) -> tensor<8x18xf32>
  return
}

// -----

llmpar.mesh @mesh <["dp"=2, "tp"=3]>
func.func @reduce_scatter_dim_is_not_negative(%x: tensor<4x6xf32>) {
  // expected-error @below {{dim -1 of a value of 2 dimensions}}
  %0 = llmpar.reduce_scatter "tp" %x {dim = -1 : i64, reduction = "sum"} : (tensor<4x6xf32>) -> tensor<4x6xf32>
  return
}

// -----

llmpar.mesh @mesh <["dp"=2, "tp"=3]>
func.func @reduce_scatter_leaves_no_element_out(%x: tensor<4x6xf32>) {
  // expected-error @below {{over 3 ranks cannot make 'tensor<4x1xf32>' of 'tensor<4x6xf32>'}}
  %0 = llmpar.reduce_scatter "tp" %x {dim = 1 : i64, reduction = "sum", llmpar.global = [tensor<4x6xf32>]} : (tensor<4x6xf32>) -> tensor<4x1xf32>
  return
}

// -----

llmpar.mesh @mesh <["dp"=2, "tp"=3]>
func.func @all_to_all_dims_differ(%x: tensor<4x6xf32>) {
  // expected-error @below {{splits and concatenates dimension 1: choose two dimensions}}
  %0 = llmpar.all_to_all "tp" %x {split_dim = 1 : i64, concat_dim = 1 : i64} : (tensor<4x6xf32>) -> tensor<4x6xf32>
  return
}

// -----

llmpar.mesh @mesh <["dp"=2, "tp"=3]>
func.func @all_to_all_concat_dim_exists(%x: tensor<4x6xf32>) {
  // expected-error @below {{concat_dim 5 of a value of 2 dimensions}}
  %0 = llmpar.all_to_all "tp" %x {split_dim = 1 : i64, concat_dim = 5 : i64} : (tensor<4x6xf32>) -> tensor<4x6xf32>
  return
}

// -----

llmpar.mesh @mesh <["dp"=2, "tp"=3]>
func.func @all_to_all_keeps_the_elements(%x: tensor<4x6xf32>) {
  // expected-error @below {{over 3 ranks cannot make 'tensor<4x2xf32>' of 'tensor<4x6xf32>': both are}}
  %0 = llmpar.all_to_all "tp" %x {split_dim = 1 : i64, concat_dim = 0 : i64} : (tensor<4x6xf32>) -> tensor<4x2xf32>
  return
}

// -----

llmpar.mesh @mesh <["dp"=2, "tp"=3]>
func.func @all_slice_does_not_grow(%x: tensor<4x6xf32>) {
  // expected-error @below {{over 3 ranks cannot make 'tensor<4x7xf32>' of 'tensor<4x6xf32>'}}
  %0 = llmpar.all_slice "tp" %x {dim = 1 : i64, llmpar.global = [tensor<4x7xf32>]} : (tensor<4x6xf32>) -> tensor<4x7xf32>
  return
}
