//===- LlmparDialect.td - The llmpar dialect and its attributes -----------===//
#ifndef LLMPAR_DIALECT_TD
#define LLMPAR_DIALECT_TD

include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/OpBase.td"

def Llmpar_Dialect : Dialect {
  let name = "llmpar";
  let cppNamespace = "::llmpar";
  let summary = "transformer graphs over global tensors, and their sharded form";
  let description = [{
    Pure tensor operations with static shapes. Every op that computes implements
    `FactorOpInterface`: its factor rule says how it may be sharded, what a shard
    computes and what remains to be combined.
  }];
  let useDefaultAttributePrinterParser = 1;
  let hasConstantMaterializer = 1;
  let hasOperationAttrVerify = 1;
  let hasRegionArgAttrVerify = 1;
  let extraClassDeclaration = [{
    /// Discardable attributes. On an op: the sharding of each result, and the
    /// sharding that each operand must have. On a function argument: the first.
    static constexpr llvm::StringLiteral kOutShardings = "llmpar.out";
    static constexpr llvm::StringLiteral kInShardings = "llmpar.in";
    /// On an op before llmpar-propagate-shardings: what a plan decided, axes by factor name;
    /// `{m = #llmpar.dim<{"dp"}>}`. Factors that are not named stay whole.
    static constexpr llvm::StringLiteral kFactors = "llmpar.factors";
    /// Beside it, on an op whose weights are split at rest and gathered for use: the sharding of each operand at
    /// rest. It matters for weights alone.
    static constexpr llvm::StringLiteral kRestShardings = "llmpar.rest";
    /// On an argument or function result: its ONNX name, and the names of its
    /// symbolic dimensions ("" for a static one).
    static constexpr llvm::StringLiteral kName = "llmpar.name";
    static constexpr llvm::StringLiteral kDims = "llmpar.dims";
    /// On an op after llmpar-localize-shapes: the global types of its results.
    static constexpr llvm::StringLiteral kGlobalTypes = "llmpar.global";
    /// On the module: the ONNX file's name, and the folder that external weights are relative to.
    static constexpr llvm::StringLiteral kModel = "llmpar.model";
    static constexpr llvm::StringLiteral kModelDir = "llmpar.model_dir";
    /// On a weight: a step gives it a new value, which is the function result that has its symbol as `llmpar.next`.
    /// From llmpar-place-state on, the value before the step is the argument that has it as `llmpar.state`.
    static constexpr llvm::StringLiteral kMutable = "llmpar.mutable";
    static constexpr llvm::StringLiteral kNext = "llmpar.next";
    static constexpr llvm::StringLiteral kState = "llmpar.state";
    /// On a weight in f32: the float type of its sources, where that is a narrower one; `llmpar.stored = bf16`.
    static constexpr llvm::StringLiteral kStored = "llmpar.stored";
    /// On a result that is a state's next value, of which each rank of an axis may have another: {axis = "dp", every = 8}.
    /// Every eighth step ends with their mean in all of them.
    static constexpr llvm::StringLiteral kAverage = "llmpar.average";
  }];
}

class Llmpar_Attr<string name, string attrMnemonic> : AttrDef<Llmpar_Dialect, name> {
  let mnemonic = attrMnemonic;
}

def ExternalAttr : Llmpar_Attr<"External", "external"> {
  let summary = "a row-major tensor inside a file: path, byte offset, byte size";
  let parameters = (ins StringRefParameter<>:$path, "int64_t":$offset, "int64_t":$size);
  let assemblyFormat = "`<` $path `,` $offset `,` $size `>`";
}

def DimShardingAttr : Llmpar_Attr<"DimSharding", "dim"> {
  let summary = "mesh axes of one dimension, major first; shards are multiples of `unit` elements";
  let parameters = (ins ArrayRefParameter<"::mlir::StringAttr">:$axes, DefaultValuedParameter<"int64_t", "1">:$unit);
  let hasCustomAssemblyFormat = 1;
}

def ShardingAttr : Llmpar_Attr<"Sharding", "sharding"> {
  let summary = "how a value lies on a mesh";
  let description = [{
    `#llmpar.sharding<@m, [{"dp"}, {}, {"tp":64} ], partial = {"x" : sum}>`: mesh axes per
    dimension, outermost first, an optional unit (shards are multiples of 64 elements), and
    the axes over which the value is still to be combined.
  }];
  let parameters = (ins "::mlir::FlatSymbolRefAttr":$mesh, ArrayRefParameter<"DimShardingAttr">:$dims,
                        ArrayRefParameter<"::mlir::NamedAttribute">:$partial);
  let hasCustomAssemblyFormat = 1;
}
#endif // LLMPAR_DIALECT_TD
