//===- Passes.td - From shardings to collectives on local tensors ---------===//
include "mlir/Pass/PassBase.td"

class PartitionPass<string arg> : Pass<arg, "::mlir::ModuleOp"> {
  let dependentDialects = ["::llmpar::LlmparDialect", "::mlir::func::FuncDialect"];
}

def SplitPackedProjections : PartitionPass<"llmpar-split-packed-projections"> {
  let summary = "Turn slices of a weight product's columns into products with slices of the weight";
  let description = [{
    `slice(matmul(x, w) + b, columns)` becomes `matmul(x, slice(w)) + slice(b)`, so that each of a packed
    query, key and value projection can be sharded by heads.
  }];
}
def ShardInputs : PartitionPass<"llmpar-shard-inputs"> {
  let summary = "Shard the batch dimension of the inputs over an axis";
  let description = [{
    The batch is the first dimension of the first input; another input has it where it has the same symbolic
    name, else in a first dimension of the same size (a static one only if the first input's is static).
  }];
  let options = [Option<"axis", "axis", "std::string", "\"\"", "mesh axis">];
}
def ApplyPins : PartitionPass<"llmpar-apply-pins"> {
  let summary = "Shard the inputs and weights whose names match a pattern";
  let options = [ListOption<"pins", "pins", "std::string", "name-pattern=[axis,-,...], e.g. 'h.*.weight=[-,tp]'">];
}
def PropagateShardings : PartitionPass<"llmpar-propagate-shardings"> {
  let summary = "Decide the sharding of every op from its operands, in one topological sweep";
  let description = [{
    Every mesh axis goes to the factor that most operand bytes vote for. With `tensor-axis`, a weight product
    whose activation has not used that axis becomes column-parallel, and an embedding shards its vocabulary.
    Writes `llmpar.in` and `llmpar.out`. What depends on weights alone is copied for each sharding that its users
    want; a pinned result that its op does not produce gets a reshard.
  }];
  let options = [Option<"tensorAxis", "tensor-axis", "std::string", "\"\"", "axis of tensor parallelism, if any">];
}
def DecomposeSplitReductions : PartitionPass<"llmpar-decompose-split-reductions"> {
  let summary = "Replace each softmax, norm or arg_reduce whose axis is split by primitive ops";
  let description = [{
    An op that is split over a `combine` factor needs statistics over all shards: it becomes the primitive ops of
    llmpar/Dialect/Decompositions.h, whose maxima and sums are partial. Where a softmax feeds nothing but a product
    over its axis (attention with split keys), the division follows the product, so that the sum is reduced while the
    product runs. Reads `llmpar.in` and `llmpar.out`, and writes them on the new ops.
  }];
}
def ShardOptimizer : PartitionPass<"llmpar-shard-optimizer"> {
  let summary = "Let each rank of an axis step a part of the parameters (ZeRO)";
  let description = [{
    Behind llmpar-propagate-shardings. An optimizer's op that does not use the axis is split over it along its largest
    dimension, states included; the gradient is reduced and scattered, the new parameter gathered (stages 1 and 2). With
    `parameters`, those of two dimensions or more rest in these parts, and every op that reads one gathers it (stage 3).
  }];
  let options = [
    Option<"axis", "axis", "std::string", "\"\"", "mesh axis">,
    Option<"parameters", "parameters", "bool", "false", "split parameters between steps too">
  ];
}
def PlaceState : PartitionPass<"llmpar-place-state"> {
  let summary = "Make weights that steps change arguments, each with one sharding between steps";
  let description = [{
    A weight with `llmpar.mutable` becomes an argument with `llmpar.state`, sharded as it is loaded first; its next
    value, the function result with `llmpar.next`, is wanted so too.
  }];
}
def DelayReductions : PartitionPass<"llmpar-delay-reductions"> {
  let summary = "Let partial sums pass through ops that are linear in them";
  let description = [{
    A sum of partial values is partial, and is reduced once. Reads and writes `llmpar.in` and `llmpar.out`. The order of
    a sum of numbers is changed, so that those that are partial over the same axes are reduced together.
  }];
}
def InsertReshards : PartitionPass<"llmpar-insert-reshards"> {
  let summary = "Insert a reshard where a value's sharding differs from what its user needs";
  let description = [{
    Users that want the same share a reshard, but for a weight that rests in smaller shards (`llmpar.rest`): each user
    gathers it in front of itself, so that it is whole no longer than for that op. A partial value is reduced as soon as
    it is computed.
  }];
}
def LowerReshards : PartitionPass<"llmpar-lower-reshards"> {
  let summary = "Replace each reshard by collectives";
}
def CombineCollectives : PartitionPass<"llmpar-combine-collectives"> {
  let summary = "Turn an all-reduce whose every use keeps a slice into a reduce-scatter";
}
def RouteTokens : PartitionPass<"llmpar-route-tokens"> {
  let summary = "Exchange tokens only with the ranks whose experts take them";
  let description = [{
    Where the experts of a mixture are split over the axis that its tokens are split over, an all_gather of the tokens
    becomes a dispatch, and the reduce_scatter of the result a combine: the same values, but only rows are sent whose
    routing weights for the receiver's (sender's) experts are not all 0.
  }];
}
def SynchronizeReplicas : PartitionPass<"llmpar-synchronize-replicas"> {
  let summary = "Let replicas step by gradients of their own, or by sums of earlier ones";
  let description = [{
    Behind llmpar-combine-collectives. Where an optimizer's op reads a gradient of this step, its sum over the axis
    becomes the replica's own share, times the replicas; the states' next values get `llmpar.average`, so that every
    `every` steps end with their mean (local SGD). Where it reads a state (gradients that are held back,
    `staleness`), that state holds the replica's own share, and is reduced at the begin of the step that uses it; with
    `every` its mean is held at the end of such steps, so that a checkpoint of one replica is one of all.
  }];
  let options = [
    Option<"axis", "axis", "std::string", "\"\"", "mesh axis of the replicas">,
    Option<"every", "every", "int64_t", "0", "steps between means of the states; 0: none">
  ];
}
def BucketReductions : PartitionPass<"llmpar-bucket-reductions"> {
  let summary = "Reduce small gradients together";
  let description = [{
    Of a training step. All-reduces of fewer than `bytes` over the same axis are joined, in program order, until they have
    as many; the bucket is reduced when it is full, or before the first op that reads one of its sums. Only tensors that are
    whole on every rank: shards of one may differ in size.
  }];
  let options = [Option<"bytes", "bytes", "int64_t", "1048576", "of a bucket; 0: none">];
}
def LocalizeShapes : PartitionPass<"llmpar-localize-shapes"> {
  let summary = "Give every value the shape of its largest shard";
}
