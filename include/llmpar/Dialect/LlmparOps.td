//===- LlmparOps.td - Operators on global or local tensors -----------------===//
#ifndef LLMPAR_OPS_TD
#define LLMPAR_OPS_TD

include "llmpar/Dialect/LlmparDialect.td"
include "llmpar/Dialect/FactorOpInterface.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

// The element types of Abi/DTypes.def, and shapes within Abi/Limits.h.
def AnyRanked : ConfinedType<StaticShapeTensorOf<[F32, F64, F16, BF16, I8, I16, I32, I64, UI8, UI16, UI32, UI64, I1]>,
    [CPred<"::llmpar::fitsProgram(::llvm::cast<::mlir::ShapedType>($_self).getShape())">],
    "static tensor of floats, integers of 8 to 64 bits or i1, with at most 8 dimensions and 2^46 elements">;

class Llmpar_Op<string mnemonic, list<Trait> traits = []> : Op<Llmpar_Dialect, mnemonic, traits>;

// An operator with a factor rule. An empty rule: the op computes it (ComputedFactorRules.cpp).
class FactorOp<string mnemonic, string rule, string flops = "", list<Trait> traits = []>
    : Llmpar_Op<mnemonic, traits # [Pure, DeclareOpInterfaceMethods<FactorOpInterface>]> {
  string factorRule = rule;
  code ruleBody = !if(!empty(rule), "",
      "::llmpar::FactorRule $cppClass::getFactorRule() { return ::llmpar::parseFactorRule(\"" # rule #
      "\", ::llmpar::operandShapes(*this), ::llmpar::resultShapes(*this)); }\n");
  let extraClassDefinition = ruleBody #
      "::llvm::StringRef $cppClass::getFlopPolynomial() { return \"" # flops # "\"; }\n";
}
// Result types follow from operands and attributes (InferTypes.cpp); the trait InferredTypes compares.
def InferredTypes : NativeOpTrait<"InferredTypes"> {
  let cppNamespace = "::llmpar";
}
class InferredFactorOp<string mnemonic, string rule, string flops = "", list<Trait> traits = []>
    : FactorOp<mnemonic, rule, flops, traits # [InferTypeOpAdaptor, InferredTypes]> {
  // The interface's own check would add "failed to infer returned types" to the error of the inference.
  let extraClassDeclaration = [{
    static ::llvm::LogicalResult refineReturnTypes(::mlir::MLIRContext *, std::optional<::mlir::Location>,
        ::mlir::ValueRange, ::mlir::DictionaryAttr, ::mlir::OpaqueProperties, ::mlir::RegionRange,
        ::llvm::SmallVectorImpl<::mlir::Type> &) { return ::llvm::success(); }
  }];
}

//===-- Symbols and sources -----------------------------------------------===//

def MeshOp : Llmpar_Op<"mesh", [Symbol]> {
  let summary = "named mesh axes, outermost first; a rank is a row-major coordinate";
  let arguments = (ins SymbolNameAttr:$sym_name, StrArrayAttr:$axes, DenseI64ArrayAttr:$sizes);
  let assemblyFormat = "$sym_name custom<MeshAxes>($axes, $sizes) attr-dict";
  let hasVerifier = 1;
}
def ExternalArrayAttr : TypedArrayAttrBase<ExternalAttr, "parts of files">;
def WeightOp : Llmpar_Op<"weight", [Symbol]> {
  let summary = "a model parameter, by reference to a file; of several sources each is an equal part of dimension 0";
  let arguments = (ins SymbolNameAttr:$sym_name, TypeAttrOf<AnyRanked>:$type, ExternalArrayAttr:$sources);
  let assemblyFormat = "$sym_name `:` $type `from` custom<Sources>($sources) attr-dict";
  let hasVerifier = 1;
}
def LoadWeightOp : FactorOp<"load_weight", "", "", [DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "the value of a weight; any sharding of it is free";
  let arguments = (ins FlatSymbolRefAttr:$weight);
  let results = (outs AnyRanked:$result);
  let assemblyFormat = "$weight attr-dict `:` type($result)";
}
def ConstantOp : FactorOp<"constant", "", "", [ConstantLike]> {
  let summary = "a small constant";
  let arguments = (ins ElementsAttr:$value);
  let results = (outs AnyRanked:$result);
  let assemblyFormat = "$value attr-dict `:` type($result)";
  let hasFolder = 1;
  let hasVerifier = 1;
}
def IotaOp : FactorOp<"iota", ""> {
  let summary = "start + step * i along one axis; `offset` shifts i (a shard's first index)";
  let arguments = (ins I64Attr:$axis, F64Attr:$start, F64Attr:$step);
  let results = (outs AnyRanked:$result);
  let assemblyFormat = "attr-dict `:` type($result)";
  let hasFolder = 1;
  let hasVerifier = 1;
}

//===-- Elementwise ---------------------------------------------------------===//

def UnaryOp : InferredFactorOp<"unary", "... -> ...", "..."> {
  let summary = "elementwise function of one tensor; kinds: Abi/Kinds.def";
  let arguments = (ins StrAttr:$kind, AnyRanked:$x, DefaultValuedAttr<F64Attr, "1.0">:$alpha,
                       DefaultValuedAttr<F64Attr, "0.0">:$beta);
  let results = (outs AnyRanked:$result);
  let assemblyFormat = "$kind $x attr-dict `:` functional-type(operands, results)";
  let hasFolder = 1;
  let hasVerifier = 1;
}
def BinaryOp : InferredFactorOp<"binary", "..., ... -> ...", "..."> {
  let summary = "elementwise function of two tensors with NumPy broadcasting; kinds: Abi/Kinds.def";
  let arguments = (ins StrAttr:$kind, AnyRanked:$a, AnyRanked:$b);
  let results = (outs AnyRanked:$result);
  let assemblyFormat = "$kind $a `,` $b attr-dict `:` functional-type(operands, results)";
  let hasFolder = 1;
  let hasVerifier = 1;
}
def SelectOp : InferredFactorOp<"select", "..., ..., ... -> ..."> {
  let summary = "condition ? a : b with NumPy broadcasting";
  let arguments = (ins AnyRanked:$condition, AnyRanked:$a, AnyRanked:$b);
  let results = (outs AnyRanked:$result);
  let assemblyFormat = "$condition `,` $a `,` $b attr-dict `:` functional-type(operands, results)";
  let hasFolder = 1;
  let hasVerifier = 1;
}
def CastOp : FactorOp<"cast", "... -> ..."> {
  let summary = "element type conversion; float to integer truncates, to bool: x != 0";
  let arguments = (ins AnyRanked:$x);
  let results = (outs AnyRanked:$result);
  let assemblyFormat = "$x attr-dict `:` functional-type(operands, results)";
  let hasFolder = 1;
  let hasVerifier = 1;
}

//===-- Contractions ----------------------------------------------------------===//

def MatmulOp : InferredFactorOp<"matmul", "", "2 ... m n k"> {
  let summary = "batched matrix product, batch dimensions broadcast; both ranks at least 2";
  let arguments = (ins AnyRanked:$a, AnyRanked:$b, DefaultValuedAttr<BoolAttr, "false">:$transpose_a,
                       DefaultValuedAttr<BoolAttr, "false">:$transpose_b);
  let results = (outs AnyRanked:$result);
  let assemblyFormat = "$a `,` $b attr-dict `:` functional-type(operands, results)";
  let hasCanonicalizer = 1;
}
def ConvOp : InferredFactorOp<"conv", "", ""> {
  let summary = "convolution, N C spatial.. layout; optional bias";
  let arguments = (ins AnyRanked:$x, AnyRanked:$w, Optional<AnyRanked>:$bias, I64Attr:$group,
                       DenseI64ArrayAttr:$strides, DenseI64ArrayAttr:$pads_begin, DenseI64ArrayAttr:$pads_end,
                       DenseI64ArrayAttr:$dilations);
  let results = (outs AnyRanked:$result);
  let assemblyFormat = "$x `,` $w (`,` $bias^)? attr-dict `:` functional-type(operands, results)";
}
def ExpertsOp : InferredFactorOp<"experts", ""> {
  let summary = "mixture of experts: sum over e of routing[.., e] * down[e] (f(up[e] x) or f(gate[e] x) * up[e] x)";
  let description = [{
    x [.., h], routing [.., e], up and gate [e, f, h], down [e, g, f] give [.., g]; f is the unary `kind`. An expert
    whose routing weight of a token is exactly 0 is not computed for it, so that it adds 0 whatever its weights hold.
    At most `k` of `experts` weights of a token are not 0; work is counted with k / experts of them.
    Rule: "... h, ... e, e f h, e g f, e f h -> ... g ; sum(e) sum(f) whole(h)".
  }];
  let arguments = (ins AnyRanked:$x, AnyRanked:$routing, AnyRanked:$up, AnyRanked:$down, Optional<AnyRanked>:$gate,
                       StrAttr:$kind, DefaultValuedAttr<F64Attr, "1.0">:$alpha, DefaultValuedAttr<F64Attr, "0.0">:$beta,
                       I64Attr:$k, I64Attr:$experts);
  let results = (outs AnyRanked:$result);
  let assemblyFormat = [{
    $kind $x `,` $routing `up` $up `down` $down (`gate` $gate^)? attr-dict `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

def AttentionOp : InferredFactorOp<"attention", "", "2 ... m n d + 2 ... m n e"> {
  let summary = "scaled dot-product attention without its scores in memory: softmax(scale q k' and masks) v";
  let description = [{
    q [.., m, d], k [.., n, d] (or [.., d, n] if `transpose_k`) and v [.., n, e] give [.., m, e], and the log of the
    softmax's sum of each row, [.., m], in f32 (f64 for f64). Leading dimensions of k and v divide those of q:
    head h of q reads head h / (H / K) of k. Masks broadcast to [.., m, n] and are applied in order: a float is added to
    the scores, a bool that is false replaces them with `fill`. A row whose softmax is NaN (no key is allowed) gives NaN,
    or 0 if `zero_empty`.
    Rule: "... m d, ... n d, ... n e, ... m n -> ... m e, ... m ; whole(n) whole(d)".
  }];
  let arguments = (ins AnyRanked:$q, AnyRanked:$k, AnyRanked:$v, Variadic<AnyRanked>:$masks, F64Attr:$scale,
                       F64Attr:$fill, DefaultValuedAttr<BoolAttr, "false">:$zero_empty,
                       DefaultValuedAttr<BoolAttr, "false">:$transpose_k);
  let results = (outs AnyRanked:$result, AnyRanked:$lse);
  let assemblyFormat = [{
    $q `,` $k `,` $v (`masks` $masks^)? attr-dict `:` functional-type(operands, results)
  }];
}

//===-- Reductions and normalisation ------------------------------------------===//

def ReduceOp : InferredFactorOp<"reduce", "", "x"> {
  let summary = "sum, max, min or prod over axes";
  let arguments = (ins StrAttr:$kind, AnyRanked:$x, DenseI64ArrayAttr:$axes, BoolAttr:$keep_dims);
  let results = (outs AnyRanked:$result);
  let assemblyFormat = "$kind $x attr-dict `:` functional-type(operands, results)";
  let hasFolder = 1;
  let hasVerifier = 1;
}
def SoftmaxOp : InferredFactorOp<"softmax", ""> {
  let summary = "softmax (or log-softmax) over one axis";
  let arguments = (ins AnyRanked:$x, I64Attr:$axis, DefaultValuedAttr<BoolAttr, "false">:$log);
  let results = (outs AnyRanked:$result);
  let assemblyFormat = "$x attr-dict `:` functional-type(operands, results)";
}
def LayerNormOp : InferredFactorOp<"layer_norm", ""> {
  let summary = "(x - mean) / sqrt(variance + epsilon) * scale + bias over dimensions axis..";
  let arguments = (ins AnyRanked:$x, AnyRanked:$scale, Optional<AnyRanked>:$bias, I64Attr:$axis, F64Attr:$epsilon);
  let results = (outs AnyRanked:$result);
  let assemblyFormat = "$x `,` $scale (`,` $bias^)? attr-dict `:` functional-type(operands, results)";
}
def RmsNormOp : InferredFactorOp<"rms_norm", ""> {
  let summary = "x / sqrt(mean(x^2) + epsilon) * scale over dimensions axis..";
  let arguments = (ins AnyRanked:$x, AnyRanked:$scale, I64Attr:$axis, F64Attr:$epsilon);
  let results = (outs AnyRanked:$result);
  let assemblyFormat = "$x `,` $scale attr-dict `:` functional-type(operands, results)";
}
def RotaryOp : InferredFactorOp<"rotary", "... d, ... h, ... h -> ... d ; whole(d) whole(h)", "6 ... h"> {
  let summary = "rotary position embedding: pairs of the last dimension's first 2 h elements are turned by angles";
  let description = [{
    x is [.., d], cos and sin are [.., h] with 2 h <= d, in x's type or in f32; their leading dimensions broadcast to x's.
    The pair (a, b) becomes (a cos - b sin, b cos + a sin). Pair i is x[i] and x[i + h], or x[2 i] and x[2 i + 1] if
    `interleaved`. Elements behind the pairs pass through.
  }];
  let arguments = (ins AnyRanked:$x, AnyRanked:$cos, AnyRanked:$sin, DefaultValuedAttr<BoolAttr, "false">:$interleaved);
  let results = (outs AnyRanked:$result);
  let assemblyFormat = "$x `,` $cos `,` $sin attr-dict `:` functional-type(operands, results)";
}
def CumsumOp : InferredFactorOp<"cumsum", ""> {
  let summary = "running sum along an axis";
  let arguments = (ins AnyRanked:$x, I64Attr:$axis, BoolAttr:$exclusive, BoolAttr:$reverse);
  let results = (outs AnyRanked:$result);
  let assemblyFormat = "$x attr-dict `:` functional-type(operands, results)";
  let hasFolder = 1;
}
def ArgReduceOp : InferredFactorOp<"arg_reduce", ""> {
  let summary = "index (i64) of the largest or smallest element along an axis";
  let arguments = (ins AnyRanked:$x, I64Attr:$axis, BoolAttr:$keep_dims, BoolAttr:$largest, BoolAttr:$last);
  let results = (outs AnyRanked:$result);
  let assemblyFormat = "$x attr-dict `:` functional-type(operands, results)";
}
def TopKOp : InferredFactorOp<"top_k", ""> {
  let summary = "the k largest or smallest along an axis, sorted, and their indices (i64)";
  let arguments = (ins AnyRanked:$x, I64Attr:$k, I64Attr:$axis, BoolAttr:$largest);
  let results = (outs AnyRanked:$values, AnyRanked:$indices);
  let assemblyFormat = "$x attr-dict `:` functional-type(operands, results)";
}
def PoolOp : InferredFactorOp<"pool", ""> {
  let summary = "max or mean pooling, N C spatial..; kind: 0 max, 1 mean without padding, 2 mean with padding";
  let arguments = (ins AnyRanked:$x, I64Attr:$kind, DenseI64ArrayAttr:$kernel, DenseI64ArrayAttr:$strides,
                       DenseI64ArrayAttr:$pads_begin, DenseI64ArrayAttr:$pads_end, DenseI64ArrayAttr:$dilations);
  let results = (outs AnyRanked:$result);
  let assemblyFormat = "$x attr-dict `:` functional-type(operands, results)";
}

//===-- Indexing --------------------------------------------------------------===//

def GatherOp : InferredFactorOp<"gather", ""> {
  let summary = "slices of data along an axis; negative indices count from its end";
  let arguments = (ins AnyRanked:$data, AnyRanked:$indices, I64Attr:$axis);
  let results = (outs AnyRanked:$result);
  let assemblyFormat = "$data `,` $indices attr-dict `:` functional-type(operands, results)";
  let hasFolder = 1;
}
def GatherElementsOp : InferredFactorOp<"gather_elements", ""> {
  let arguments = (ins AnyRanked:$data, AnyRanked:$indices, I64Attr:$axis);
  let results = (outs AnyRanked:$result);
  let assemblyFormat = "$data `,` $indices attr-dict `:` functional-type(operands, results)";
}
def GatherNdOp : InferredFactorOp<"gather_nd", ""> {
  let arguments = (ins AnyRanked:$data, AnyRanked:$indices, I64Attr:$batch_dims);
  let results = (outs AnyRanked:$result);
  let assemblyFormat = "$data `,` $indices attr-dict `:` functional-type(operands, results)";
}
def ScatterNdOp : InferredFactorOp<"scatter_nd", ""> {
  let summary = "a copy of data with slices replaced; reduction: none add mul min max";
  let arguments = (ins AnyRanked:$data, AnyRanked:$indices, AnyRanked:$updates, StrAttr:$reduction);
  let results = (outs AnyRanked:$result);
  let assemblyFormat = "$data `,` $indices `,` $updates attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}
def ScatterElementsOp : InferredFactorOp<"scatter_elements", ""> {
  let arguments = (ins AnyRanked:$data, AnyRanked:$indices, AnyRanked:$updates, I64Attr:$axis, StrAttr:$reduction);
  let results = (outs AnyRanked:$result);
  let assemblyFormat = "$data `,` $indices `,` $updates attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

//===-- Layout ------------------------------------------------------------------===//

def TransposeOp : InferredFactorOp<"transpose", ""> {
  let summary = "result.dim[i] = x.dim[permutation[i]]";
  let arguments = (ins AnyRanked:$x, DenseI64ArrayAttr:$permutation);
  let results = (outs AnyRanked:$result);
  let assemblyFormat = "$x attr-dict `:` functional-type(operands, results)";
  let hasFolder = 1;
}
def ReshapeOp : FactorOp<"reshape", ""> {
  let arguments = (ins AnyRanked:$x);
  let results = (outs AnyRanked:$result);
  let assemblyFormat = "$x attr-dict `:` functional-type(operands, results)";
  let hasFolder = 1;
  let hasVerifier = 1;
}
def BroadcastOp : FactorOp<"broadcast", "... -> ..."> {
  let summary = "x with NumPy broadcasting to the result shape";
  let arguments = (ins AnyRanked:$x);
  let results = (outs AnyRanked:$result);
  let assemblyFormat = "$x attr-dict `:` functional-type(operands, results)";
  let hasFolder = 1;
  let hasVerifier = 1;
}
def SliceOp : FactorOp<"slice", ""> {
  let summary = "result[i] = x[starts + i * steps]; steps may be negative";
  let arguments = (ins AnyRanked:$x, DenseI64ArrayAttr:$starts, DenseI64ArrayAttr:$steps);
  let results = (outs AnyRanked:$result);
  let assemblyFormat = "$x attr-dict `:` functional-type(operands, results)";
  let hasFolder = 1;
  let hasVerifier = 1;
}
def ConcatOp : InferredFactorOp<"concat", ""> {
  let arguments = (ins Variadic<AnyRanked>:$inputs, I64Attr:$axis);
  let results = (outs AnyRanked:$result);
  let assemblyFormat = "$inputs attr-dict `:` functional-type(operands, results)";
  let hasFolder = 1;
}
def PadOp : FactorOp<"pad", ""> {
  let summary = "mode: 0 constant 1 reflect 2 edge 3 wrap; the result shape says how much above";
  let arguments = (ins AnyRanked:$x, I64Attr:$mode, DenseI64ArrayAttr:$low, F64Attr:$value);
  let results = (outs AnyRanked:$result);
  let assemblyFormat = "$x attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

//===-- Sharded form --------------------------------------------------------------===//

def ReshardOp : Llmpar_Op<"reshard", [Pure, SameOperandsAndResultType]> {
  let summary = "the same global value with another sharding (from `llmpar.in` to `llmpar.out`)";
  let arguments = (ins AnyRanked:$x);
  let results = (outs AnyRanked:$result);
  let assemblyFormat = "$x attr-dict `:` functional-type(operands, results)";
}
// Before llmpar-localize-shapes operand and result have one type; then each has its largest shard's.
class CollectiveOp<string mnemonic, dag extra> : Llmpar_Op<mnemonic, [Pure]> {
  let arguments = !con((ins AnyRanked:$x, StrAttr:$axis), extra);
  let results = (outs AnyRanked:$result);
  let assemblyFormat = "$axis $x attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}
def AllReduceOp : CollectiveOp<"all_reduce", (ins StrAttr:$reduction)>;
def AllGatherOp : CollectiveOp<"all_gather", (ins I64Attr:$dim)>;
def ReduceScatterOp : CollectiveOp<"reduce_scatter", (ins StrAttr:$reduction, I64Attr:$dim)>;
def AllToAllOp : CollectiveOp<"all_to_all", (ins I64Attr:$split_dim, I64Attr:$concat_dim)>;
// Collectives of the tokens of a mixture of experts: rows of x that the experts here, or there, take.
class TokenCollectiveOp<string mnemonic> : Llmpar_Op<mnemonic, [Pure]> {
  let arguments = (ins AnyRanked:$x, AnyRanked:$routing, StrAttr:$axis, I64Attr:$dim, I64Attr:$k);
  let results = (outs AnyRanked:$result);
  let assemblyFormat = "$axis $x `,` $routing attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}
def DispatchOp : TokenCollectiveOp<"dispatch"> {
  let summary = "all_gather of the tokens whose routing to the experts here is not 0; the others' rows are 0";
}
def CombineOp : TokenCollectiveOp<"combine"> {
  let summary = "reduce_scatter (sum) of the tokens whose routing to a member's experts is not 0; others add nothing";
}
def AllSliceOp : CollectiveOp<"all_slice", (ins I64Attr:$dim)> {
  let summary = "keep this rank's part of a dimension; no communication";
}

include "llmpar/Dialect/TrainingOps.td"
#endif // LLMPAR_OPS_TD
