//===- Passes.td - From an inference graph to a training step -------------===//
include "mlir/Pass/PassBase.td"

class TrainingPass<string arg> : Pass<arg, "::mlir::ModuleOp"> {
  let dependentDialects = ["::llmpar::LlmparDialect", "::mlir::func::FuncDialect"];
}

def LowerPrecision : TrainingPass<"llmpar-lower-precision"> {
  let summary = "Compute what depends on f32 weights in bf16 or f16";
  let description = [{
    Weights stay f32; whoever reads one reads a cast of it. Products, norms, attention and elementwise ops compute in
    `type`; kernels sum in f32. What overflows or loses digits where it is written out (`exp`, `log`, roots, powers, sums)
    computes in f32, and so does what reads nothing else, until a product or an op with an operand in `type`.

    Values that depend on no weight, and tables of rotary positions and masks, stay as they are and are cast where they
    meet others; numbers beyond the range of `type` (masks of -1e9) become its largest ones. Results keep their types.
    What a model computes in bf16 or f16 of its own, and widens to f32, stays so.
  }];
  let options = [Option<"type", "type", "std::string", "\"bf16\"", "bf16 or f16">];
}
def SplitPackedWeights : TrainingPass<"llmpar-split-packed-weights"> {
  let summary = "Make the parts of a packed weight weights of their own";
  let description = [{
    A weight that is read in slices alone (through its narrow copies too), which are all of it, cut along one dimension,
    becomes one weight for each slice (`llmpar.part`). Each has a gradient, states and a sharding of its own then, so that
    a tensor axis that splits each of them gathers nothing. Behind `llmpar-split-packed-projections`, which makes
    the slices.

    In files of states and in loads it is the one tensor that it was, of which ranks hold boxes.
  }];
}
def BuildTrainingStep : TrainingPass<"llmpar-build-training-step"> {
  let summary = "Make @main a training step: loss, gradients, optimizer";
  let description = [{
    The step takes @main's inputs and `labels`, and gives the mean loss over the labels that count (and the norm of the
    gradient, if it is clipped). Labels of `cross-entropy` are classes, one i64 for each row of the logits, of which
    `ignore-index` does not count; those of `mse` are f32, one for each logit, of which NaN does not count. Every float
    weight that the logits depend on becomes state: its next value is a further result, with the weight's symbol as
    `llmpar.next`. What the optimizer keeps (`@w.m`, `@w.v`, `@w.velocity`, `@step`) are weights without a file: they begin
    as zeros.

    With `gradient-accumulation-steps` the graph is that of one micro-batch. Inputs with a batch get the rows of all of
    them; forward and backward of each micro-batch follow each other, and gradients are summed. The loss is still the
    mean over all labels that count.

    A weight in bf16 or f16 becomes an f32 one that is loaded from it (its master copy; `llmpar.stored`), of which the
    forward reads a cast. Gradients are cast to f32 before they are summed.

    With `initial-loss-scale` the gradients are those of the loss times a scale, and are divided by it. A step with a
    gradient that is not finite leaves all states as they are, and after `hysteresis` such steps each one halves the
    scale; `loss-scale-window` good steps in a row double it (`@loss_scale`, `@good_steps`, `@overflows`).

    With `staleness` the optimizer gets gradients of earlier steps, which are states meanwhile (`@w.gradient`).
  }];
  let options = [
    Option<"logits", "logits", "std::string", "\"\"", "name of the result that holds the logits; the first float result if empty">,
    Option<"loss", "loss", "std::string", "\"cross-entropy\"", "cross-entropy, or mse: the mean of squared distances">,
    Option<"optimizer", "optimizer", "std::string", "\"adamw\"", "adamw, adam or sgd">,
    Option<"rate", "lr", "double", "1e-3", "learning rate at its peak">,
    Option<"minRate", "min-lr", "double", "0.0", "learning rate at the end of its decay">,
    Option<"schedule", "lr-schedule", "std::string", "\"constant\"", "constant, linear or cosine: how the rate decays">,
    Option<"warmup", "warmup", "int64_t", "0", "steps in which the rate rises from 0">,
    Option<"steps", "steps", "int64_t", "0", "steps at whose end the rate has decayed; for linear and cosine">,
    Option<"beta1", "adam-beta1", "double", "0.9", "decay of Adam's first moment">,
    Option<"beta2", "adam-beta2", "double", "0.999", "decay of Adam's second moment">,
    Option<"epsilon", "adam-eps", "double", "1e-8", "added to the root of Adam's second moment">,
    Option<"momentum", "sgd-momentum", "double", "0.0", "momentum of sgd">,
    Option<"weightDecay", "weight-decay", "double", "0.0", "of parameters with two dimensions or more">,
    Option<"clip", "clip-grad", "double", "0.0", "largest norm of all gradients together; 0: no limit">,
    Option<"lossScale", "initial-loss-scale", "double", "0.0", "of gradients in f16; 0: none">,
    Option<"lossScaleWindow", "loss-scale-window", "int64_t", "1000", "good steps in a row that double the scale">,
    Option<"minLossScale", "min-loss-scale", "double", "1.0", "the scale is not halved below it">,
    Option<"hysteresis", "hysteresis", "int64_t", "2", "steps with an overflow until the scale is halved">,
    Option<"staleness", "staleness", "int64_t", "0", "steps that a gradient waits before the optimizer gets it">,
    Option<"accumulation", "gradient-accumulation-steps", "int64_t", "1", "micro-batches of a step">,
    Option<"labelSmoothing", "label-smoothing", "double", "0.0", "share of the target that all classes have">,
    ListOption<"frozen", "freeze", "std::string", "name patterns of weights that are not trained, beside tables of rotary positions and masks">,
    Option<"ignoreIndex", "ignore-index", "int64_t", "-100", "label of rows that do not count">
  ];
}
def Recompute : TrainingPass<"llmpar-recompute"> {
  let summary = "Compute activations again where the backward needs them, so that they do not live until then";
  let description = [{
    `none` keeps all but copies: of a value that the backward reads in two orders of its dimensions (the result of
    attention, by heads and by rows) it keeps one, and transposes again.

    `full` (Chen et al., 2016) keeps the values at which the forward graph is cut in two, the residual stream between
    blocks, and computes all others of a block again before its backward. The blocks are those that need the least
    memory for what is kept and what the largest of them computes again.

    `selective` (Korthikanti et al., 2022) computes again what costs little: elementwise ops, softmax, norms, and products
    over the features of a head. Of all sets of values from which the backward's can be computed so, it keeps the one
    with the fewest bytes: a minimum cut.

    Values that do not depend on parameters (masks, tables of rotary positions) are kept. Ops that compute again have
    `llmpar.recompute`, so that CSE does not merge them with the first ones.
  }];
  let options = [Option<"granularity", "granularity", "std::string", "\"selective\"", "none, selective or full">];
}
def BuildEvaluationStep : TrainingPass<"llmpar-build-evaluation-step"> {
  let summary = "Make @main a step of evaluation: sums of loss and of correct predictions";
  let description = [{
    The step takes @main's inputs and `labels`, as a training step does, and gives sums over the labels that count:
    `loss`; `hits`, the rows whose label has the largest logit (of cross-entropy); `count`, the labels. Every float
    weight becomes state that no step changes: the weights of a training run can be put there.
  }];
  let options = [
    Option<"logits", "logits", "std::string", "\"\"", "name of the result that holds the logits; the first float result if empty">,
    Option<"loss", "loss", "std::string", "\"cross-entropy\"", "cross-entropy, or mse: the mean of squared distances">,
    Option<"ignoreIndex", "ignore-index", "int64_t", "-100", "label of rows that do not count">
  ];
}
