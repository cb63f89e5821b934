//===- TrainingOps.td - Gradients, losses, optimizer steps -----------------===//
//
// What a training step has beyond inference. A gradient that other ops express well has no op of its own
// (lib/Training); these read less memory than their parts would, or have a factor rule that the parts have not.
//
//===----------------------------------------------------------------------===//
#ifndef LLMPAR_TRAINING_OPS_TD
#define LLMPAR_TRAINING_OPS_TD

//===-- Gradients --------------------------------------------------------------===//

def UnaryGradOp : InferredFactorOp<"unary_grad", "..., ... -> ...", "4 ..."> {
  let summary = "gradient of `unary`: dy times the derivative of the kind at x";
  let arguments = (ins StrAttr:$kind, AnyRanked:$x, AnyRanked:$dy, DefaultValuedAttr<F64Attr, "1.0">:$alpha,
                       DefaultValuedAttr<F64Attr, "0.0">:$beta);
  let results = (outs AnyRanked:$result);
  let assemblyFormat = "$kind $x `,` $dy attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}
def WeightGradOp : InferredFactorOp<"weight_grad", "", "2 ... m n"> {
  let summary = "sum over rows of the outer products of a's and b's rows: the gradient of a weight of `matmul`";
  let description = [{
    a is [rows.., m], b is [rows.., n], the result [m, n]. For y = matmul(x, w), the gradient of w is
    weight_grad(x, dy): every dimension of the activations but the last one is contracted, in one product.
  }];
  let arguments = (ins AnyRanked:$a, AnyRanked:$b);
  let results = (outs AnyRanked:$result);
  let assemblyFormat = "$a `,` $b attr-dict `:` functional-type(operands, results)";
}
def SoftmaxGradOp : InferredFactorOp<"softmax_grad", "", "4 ..."> {
  let summary = "gradient of `softmax` from its result y: y (dy - sum(y dy)), or dy - exp(y) sum(dy) for log-softmax";
  let arguments = (ins AnyRanked:$y, AnyRanked:$dy, I64Attr:$axis, DefaultValuedAttr<BoolAttr, "false">:$log);
  let results = (outs AnyRanked:$result);
  let assemblyFormat = "$y `,` $dy attr-dict `:` functional-type(operands, results)";
}
def NormGradOp : InferredFactorOp<"norm_grad", "", "10 ..."> {
  let summary = "gradient of `layer_norm` (centered) or `rms_norm` with respect to x; scale has the shape of a row";
  let arguments = (ins AnyRanked:$x, AnyRanked:$scale, AnyRanked:$dy, I64Attr:$axis, F64Attr:$epsilon,
                       BoolAttr:$centered);
  let results = (outs AnyRanked:$result);
  let assemblyFormat = "$x `,` $scale `,` $dy attr-dict `:` functional-type(operands, results)";
}
def NormScaleGradOp : InferredFactorOp<"norm_scale_grad", "", "6 ..."> {
  let summary = "gradient of `layer_norm` (centered) or `rms_norm` with respect to scale: sum over rows of dy times the normalized x";
  let arguments = (ins AnyRanked:$x, AnyRanked:$dy, I64Attr:$axis, F64Attr:$epsilon, BoolAttr:$centered);
  let results = (outs AnyRanked:$result);
  let assemblyFormat = "$x `,` $dy attr-dict `:` functional-type(operands, results)";
}
def GatherGradOp : FactorOp<"gather_grad", ""> {
  let summary = "gradient of `gather` with respect to data: dy's slices added at their indices, 0 elsewhere";
  let arguments = (ins AnyRanked:$indices, AnyRanked:$dy, I64Attr:$axis);
  let results = (outs AnyRanked:$result);
  let assemblyFormat = "$indices `,` $dy attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}
def SliceGradOp : FactorOp<"slice_grad", ""> {
  let summary = "gradient of `slice`: result[starts + i * steps] = dy[i], 0 elsewhere";
  let arguments = (ins AnyRanked:$dy, DenseI64ArrayAttr:$starts, DenseI64ArrayAttr:$steps);
  let results = (outs AnyRanked:$result);
  let assemblyFormat = "$dy attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def AttentionGradOp : InferredFactorOp<"attention_grad", "", "6 ... m n d + 4 ... m n e"> {
  let summary = "gradients of `attention` with respect to q, k and v, from its results y and lse; scores are computed again";
  let description = [{
    With p = exp(scores - lse) and ds = p (dy v' - sum(dy y)): dv = p' dy, dq = scale ds k, dk = scale ds' q. Heads of q
    that share one of k or v are summed. Rule: as of `attention`; dk and dv are sums over m, dq and dk over e.
  }];
  let arguments = (ins AnyRanked:$q, AnyRanked:$k, AnyRanked:$v, AnyRanked:$y, AnyRanked:$lse, AnyRanked:$dy,
                       Variadic<AnyRanked>:$masks, F64Attr:$scale, F64Attr:$fill,
                       DefaultValuedAttr<BoolAttr, "false">:$zero_empty,
                       DefaultValuedAttr<BoolAttr, "false">:$transpose_k);
  let results = (outs AnyRanked:$dq, AnyRanked:$dk, AnyRanked:$dv);
  let assemblyFormat = [{
    $q `,` $k `,` $v `,` $y `,` $lse `,` $dy (`masks` $masks^)? attr-dict `:` functional-type(operands, results)
  }];
}

//===-- Loss ---------------------------------------------------------------------===//

def CrossEntropyOp : InferredFactorOp<"cross_entropy", "", "4 ... v"> {
  let summary = "negative log-likelihood of labels under softmax(logits), by row; and the log of the softmax's sum";
  let description = [{
    logits are [rows.., v], labels [rows..]. With smoothing s, loss = lse - (1 - s) logits[label] - s mean(logits), where
    lse = log(sum(exp(logits))). A row whose label is `ignore_index` has loss 0.
  }];
  let arguments = (ins AnyRanked:$logits, AnyRanked:$labels, I64Attr:$ignore_index,
                       DefaultValuedAttr<F64Attr, "0.0">:$label_smoothing);
  let results = (outs AnyRanked:$loss, AnyRanked:$lse);
  let assemblyFormat = "$logits `,` $labels attr-dict `:` functional-type(operands, results)";
}
def CrossEntropyGradOp : InferredFactorOp<"cross_entropy_grad", "", "4 ... v"> {
  let summary = "gradient of `cross_entropy` with respect to logits: dloss (exp(logits - lse) - target)";
  let arguments = (ins AnyRanked:$logits, AnyRanked:$labels, AnyRanked:$lse, AnyRanked:$dloss, I64Attr:$ignore_index,
                       DefaultValuedAttr<F64Attr, "0.0">:$label_smoothing);
  let results = (outs AnyRanked:$result);
  let assemblyFormat = "$logits `,` $labels `,` $lse `,` $dloss attr-dict `:` functional-type(operands, results)";
}

//===-- Optimizer steps ------------------------------------------------------------===//
// `rate` is the learning rate, `grad_scale` multiplies the gradient (clipping, loss scaling); both have no dimensions.

def AdamOp : InferredFactorOp<"adam", "..., ..., ..., ..., ..., ..., ... -> ..., ..., ...", "16 ..."> {
  let summary = "a step of Adam (Kingma and Ba, 2015), or AdamW (Loshchilov and Hutter, 2019) if `decoupled`";
  let description = [{
    g = grad grad_scale (+ weight_decay param, unless decoupled); m' = beta1 m + (1 - beta1) g;
    v' = beta2 v + (1 - beta2) g^2; param' = param - rate (m' / (1 - beta1^step) / (sqrt(v' / (1 - beta2^step)) + epsilon)
    (+ weight_decay param, if decoupled)). `step` counts from 1.
  }];
  let arguments = (ins AnyRanked:$param, AnyRanked:$grad, AnyRanked:$m, AnyRanked:$v, AnyRanked:$rate,
                       AnyRanked:$grad_scale, AnyRanked:$step, F64Attr:$beta1, F64Attr:$beta2, F64Attr:$epsilon,
                       F64Attr:$weight_decay, BoolAttr:$decoupled);
  let results = (outs AnyRanked:$new_param, AnyRanked:$new_m, AnyRanked:$new_v);
  let assemblyFormat = "operands attr-dict `:` functional-type(operands, results)";
}
def SgdOp : InferredFactorOp<"sgd", "..., ..., ..., ..., ... -> ..., ...", "6 ..."> {
  let summary = "a step of stochastic gradient descent with momentum";
  let description = [{
    g = grad grad_scale + weight_decay param; velocity' = momentum velocity + g;
    param' = param - rate (nesterov ? g + momentum velocity' : velocity').
  }];
  let arguments = (ins AnyRanked:$param, AnyRanked:$grad, AnyRanked:$velocity, AnyRanked:$rate, AnyRanked:$grad_scale,
                       F64Attr:$momentum, F64Attr:$weight_decay, BoolAttr:$nesterov);
  let results = (outs AnyRanked:$new_param, AnyRanked:$new_velocity);
  let assemblyFormat = "operands attr-dict `:` functional-type(operands, results)";
}
#endif // LLMPAR_TRAINING_OPS_TD
