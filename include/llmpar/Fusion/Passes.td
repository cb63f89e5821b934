//===- Passes.td - Larger ops from groups of smaller ones -----------------===//
include "mlir/Pass/PassBase.td"

class FusionPass<string arg> : Pass<arg, "::mlir::ModuleOp"> {
  let dependentDialects = ["::llmpar::LlmparDialect", "::mlir::func::FuncDialect"];
}

def RaiseExperts : FusionPass<"llmpar-raise-experts"> {
  let summary = "Make a mixture of experts, however it is written, one llmpar.experts";
  let description = [{
    Recognised by structure: experts `down(f(up x))` or `down(f(gate x) * up x)` whose weights a top-k chooses,
    written out one by one, each scaled by its column of routing weights, and summed; or with the weights of
    every token's experts gathered from stacked ones. The experts must be alike, all experts of the top-k must be
    there, and nothing else may use what they compute. Weights of single experts become one weight with a source
    for each expert.
  }];
}

def RaiseActivations : FusionPass<"llmpar-raise-activations"> {
  let summary = "Make GELU and SiLU, however they are written, llmpar.unary";
  let description = [{
    `0.5 x (1 + erf(x / sqrt 2))`, the tanh form of GELU, `x sigmoid(a x)` and `x / (1 + exp(-x))`, with their factors
    in any order and constants within the rounding of their type. Nothing else may use what is inside.
  }];
}
def RaiseNorms : FusionPass<"llmpar-raise-norms"> {
  let summary = "Make layer and RMS normalisation, however they are written, llmpar.layer_norm and llmpar.rms_norm";
  let description = [{
    Over the last dimensions, with or without scale and bias, also as TensorFlow distributes them; epsilon is kept.
    Conversions to f32 and back go, for the kernels compute in f32. Nothing else may use what is inside.
  }];
}
def RaiseRotary : FusionPass<"llmpar-raise-rotary"> {
  let summary = "Make rotary position embedding, however it is written, llmpar.rotary";
  let description = [{
    `x cos + turn(x) sin` with tables as wide as x, or `(a cos - b sin, b cos + a sin)`; of halves or of neighbours, of
    whole rows or of their first elements. A table as wide as x must be known to give each angle twice: by concat, by
    repetition, or as a constant of the graph, also through arithmetic and lookups; what is in a file of weights is not
    read. Nothing else may use what is inside.
  }];
}
def SplitBatches : FusionPass<"llmpar-split-batches"> {
  let summary = "Keep batch and heads apart in attention that merges them to one dimension";
  let description = [{
    Exports multiply matrices in a single batch dimension (`bmm`, `baddbmm`) and reshape scores for the mask and the softmax.
    Products and elementwise ops on the way get the dimensions of the softmax; queries, keys and values are reshaped in
    place of scores. Then heads can be sharded, and the whole becomes one llmpar.attention.
  }];
}
def FuseAttention : FusionPass<"llmpar-fuse-attention"> {
  let summary = "Make products of queries, keys and values around a softmax one llmpar.attention";
  let description = [{
    Behind llmpar-localize-shapes, where the layout is decided: a rank's part of the pattern is attention of its own heads
    and queries. A softmax over split keys stays as it was decomposed. Before llmpar-build-training-step, whose gradient
    of llmpar.attention keeps no scores: there with `for-training`, which leaves masks that are trained.
  }];
  let options = [Option<"forTraining", "for-training", "bool", "false", "leave attention whose masks depend on weights">];
}
