//===- ExecOps.td - The llmpar_rt dialect: one op per runtime record ------===//
//
//   llmpar_rt.program @main mesh ["tp" = 2] model "gpt2" layout "tp=2" compiler "llmpar" {
//     llmpar_rt.file "gpt2.onnx.data" size 0
//     llmpar_rt.input "x" : tensor<4x8xf32>
//     llmpar_rt.output "y" : tensor<4x8xf32>
//     llmpar_rt.rank 0 arenas [256, 512, 0] {
//       llmpar_rt.load "w" from "gpt2.onnx.data" + 64 shape [8, 8] starts [0, 0] to weights+0 : tensor<8x8xf32>
//       llmpar_rt.slice_in "x" starts [0, 0] to activations+0 : tensor<4x8xf32>
//       llmpar_rt.slice_out "y" starts [0, 0] from activations+128 : tensor<4x8xf32>
//       llmpar_rt.init {
//       }
//       llmpar_rt.main {
//         llmpar_rt.kernel "matmul" ins(activations+0 : tensor<4x8xf32>, weights+0 : tensor<8x8xf32>)
//             outs(activations+128 : tensor<4x8xf32>) ints [0, 0] flops 512
//       }
//     }
//   }
//
// Names and order are those of Abi/Program.fbs; a record has no SSA values, because its operands are memory.
//===----------------------------------------------------------------------===//
#ifndef LLMPAR_EXEC_OPS_TD
#define LLMPAR_EXEC_OPS_TD

include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/BuiltinAttributeInterfaces.td"
include "mlir/IR/OpBase.td"
include "mlir/IR/RegionKindInterface.td"
include "mlir/IR/SymbolInterfaces.td"

def ExecDialect : Dialect {
  let name = "llmpar_rt";
  let cppNamespace = "::llmpar::exec";
  let summary = "the program file as text: every rank's loads, records and slices";
  let useDefaultAttributePrinterParser = 1;
}

def BufferAttr : AttrDef<ExecDialect, "Buffer"> {
  let mnemonic = "buffer";
  let summary = "a dense row-major tensor at a byte offset of an arena: `<activations+256 : tensor<4x8xf32>>`";
  let parameters = (ins "::llmpar::exec::Arena":$arena, "int64_t":$offset, "::mlir::RankedTensorType":$type);
  let hasCustomAssemblyFormat = 1;
}
def BufferArrayAttr : TypedArrayAttrBase<BufferAttr, "buffers">;
def AnyStaticTensor : TypeAttrOf<AnyStaticShapeTensor>;

class Exec_Op<string mnemonic, list<Trait> traits = []> : Op<ExecDialect, mnemonic, traits>;
class Exec_RegionOp<string mnemonic, list<Trait> traits = []>
    : Exec_Op<mnemonic, traits # [SingleBlock, NoTerminator, NoRegionArguments]> {
  let regions = (region SizedRegion<1>:$body);
}

def ProgramOp : Exec_RegionOp<"program", [Symbol, IsolatedFromAbove]> {
  let summary = "a program file: mesh, files, inputs, outputs and one program per rank";
  let arguments = (ins SymbolNameAttr:$sym_name, StrArrayAttr:$axes, DenseI64ArrayAttr:$sizes, StrAttr:$model,
                       StrAttr:$layout, StrAttr:$compiler);
  let assemblyFormat = [{
    $sym_name `mesh` custom<Axes>($axes, $sizes) `model` $model `layout` $layout `compiler` $compiler
    attr-dict-with-keyword $body
  }];
  let hasVerifier = 1;
}
def FileOp : Exec_Op<"file"> {
  let summary = "a weight file, relative to the model's folder; size in bytes, 0 if it was not there when compiling";
  let arguments = (ins StrAttr:$path, I64Attr:$size);
  let assemblyFormat = "$path `size` $size attr-dict";
}
class IoOp<string mnemonic> : Exec_Op<mnemonic> {
  let arguments = (ins StrAttr:$name, AnyStaticTensor:$type);
  let assemblyFormat = "$name `:` $type attr-dict";
}
def InputOp : IoOp<"input"> {
  let summary = "a global input";
}
def OutputOp : IoOp<"output"> {
  let summary = "a global output";
}
def StateOp : IoOp<"state"> {
  let summary = "a global tensor that every step reads and gives a new value, in place";
}
def RankOp : Exec_RegionOp<"rank"> {
  let summary = "the program of one rank; bytes of the arenas weights, activations, staging";
  let arguments = (ins I64Attr:$rank, DenseI64ArrayAttr:$arenas);
  let assemblyFormat = "$rank `arenas` $arenas attr-dict-with-keyword $body";
  let hasVerifier = 1;
}
def LoadOp : Exec_Op<"load"> {
  let summary = "box [starts, starts + target) of the tensor `shape` at a byte offset of a file goes to target";
  let description = "`as bf16` or `as f16`: the element type in the file, where the target has f32.";
  let arguments = (ins StrAttr:$name, StrAttr:$file, I64Attr:$offset, DenseI64ArrayAttr:$shape,
                       DenseI64ArrayAttr:$starts, BufferAttr:$target, OptionalAttr<TypeAttr>:$stored);
  let assemblyFormat = [{
    $name `from` $file `+` $offset `shape` $shape (`as` $stored^)? `starts` $starts `to` custom<Buffer>($target) attr-dict
  }];
}
def ConstantOp : Exec_Op<"constant"> {
  let summary = "box [starts, starts + target) of a constant in the program file goes to target";
  let arguments = (ins StrAttr:$name, ElementsAttr:$value, DenseI64ArrayAttr:$starts, BufferAttr:$target);
  let assemblyFormat = "$name `=` $value `starts` $starts `to` custom<Buffer>($target) attr-dict";
}
class SliceOp<string mnemonic, string direction> : Exec_Op<mnemonic> {
  let arguments = (ins StrAttr:$name, DenseI64ArrayAttr:$starts, BufferAttr:$buffer);
  let assemblyFormat = "$name `starts` $starts `" # direction # "` custom<Buffer>($buffer) attr-dict";
}
def SliceInOp : SliceOp<"slice_in", "to"> {
  let summary = "box [starts, starts + buffer) of a global input that this rank reads";
}
def SliceOutOp : SliceOp<"slice_out", "from"> {
  let summary = "box [starts, starts + buffer) of a global output that this rank writes";
}
def SliceStateOp : SliceOp<"slice_state", "at"> {
  let summary = "box [starts, starts + buffer) of a state that this rank holds";
}
class EntryOp<string mnemonic> : Exec_RegionOp<mnemonic> {
  let assemblyFormat = "attr-dict-with-keyword $body";
  let hasVerifier = 1;
}
def InitOp : EntryOp<"init"> {
  let summary = "records that run once, after the loads";
}
def MainOp : EntryOp<"main"> {
  let summary = "records of one step";
}
def KernelOp : Exec_Op<"kernel"> {
  let summary = "one record: a kernel of Abi/Kernels.def on buffers";
  let arguments = (ins StrAttr:$kernel, BufferArrayAttr:$inputs, BufferArrayAttr:$outputs,
                       OptionalAttr<DenseI64ArrayAttr>:$ints, OptionalAttr<DenseF64ArrayAttr>:$floats,
                       OptionalAttr<DenseI64ArrayAttr>:$group, OptionalAttr<StrAttr>:$lane,
                       OptionalAttr<DenseI64ArrayAttr>:$waits, OptionalAttr<I64Attr>:$flops,
                       OptionalAttr<I64Attr>:$bytes, OptionalAttr<I64Attr>:$every,
                       OptionalAttr<StrAttr>:$location);
  let assemblyFormat = [{
    $kernel `ins` `` custom<Buffers>($inputs) `outs` `` custom<Buffers>($outputs) (`ints` $ints^)? (`floats` $floats^)?
    (`group` $group^)? (`lane` $lane^)? (`waits` $waits^)? (`flops` $flops^)? (`bytes` $bytes^)? (`every` $every^)? (`at` $location^)?
    attr-dict
  }];
  let hasVerifier = 1;
}
#endif // LLMPAR_EXEC_OPS_TD
