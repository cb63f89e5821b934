//===- ImportOnnx.cpp - ONNX file to llmpar module ------------------------===//
#include "llmpar/Frontend/ImportOnnx.h"
#include "BindDims.h"
#include "GraphImporter.h"
#include "OnnxOps.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Verifier.h"
#include "llvm/ADT/StringSet.h"

using namespace mlir;

namespace llmpar {
namespace {

constexpr int64_t oldestIr = 3, newestIr = ::onnx::Version::IR_VERSION;

/// Graph inputs that are no initialisers: those must be given.
std::vector<OnnxSignature::Tensor> describeInputs(const ::onnx::GraphProto &graph) {
  llvm::StringSet<> initializers;
  for (const auto &tensor : graph.initializer())
    initializers.insert(tensor.name());
  std::vector<OnnxSignature::Tensor> inputs;
  for (const auto &input : graph.input())
    if (!initializers.contains(input.name()))
      inputs.push_back(describeTensor(input));
  return inputs;
}

std::vector<OnnxSignature::Tensor> describeOutputs(const ::onnx::GraphProto &graph) {
  std::vector<OnnxSignature::Tensor> outputs;
  for (const auto &output : graph.output())
    outputs.push_back(describeTensor(output));
  return outputs;
}

DictionaryAttr describe(Builder &builder, const OnnxSignature::Tensor &tensor) {
  llvm::SmallVector<llvm::StringRef> dims;
  for (const auto &dim : tensor.dims)
    dims.push_back(dim.name);
  return builder.getDictionaryAttr({builder.getNamedAttr(LlmparDialect::kName, builder.getStringAttr(tensor.name)),
                                    builder.getNamedAttr(LlmparDialect::kDims, builder.getStrArrayAttr(dims))});
}

/// Constants whose readers have folded away.
void eraseDeadOps(Block &block) {
  for (Operation &op : llvm::make_early_inc_range(llvm::reverse(block)))
    if (isOpTriviallyDead(&op))
      op.erase();
}

LogicalResult checkValueTypes(const ::onnx::GraphProto &graph, const std::vector<OnnxSignature::Tensor> &inputs,
                              Location loc) {
  for (const auto &input : graph.input())
    if (!input.type().has_tensor_type())
      return emitError(loc) << "input '" << input.name() << "' is not a tensor: sequences, maps and optionals are not "
                            << "supported";
  for (const auto &input : graph.input())
    for (const auto &given : inputs)
      if (given.name == input.name() && !onnxDType(input.type().tensor_type().elem_type()))
        return emitError(loc) << "input '" << input.name() << "' has element type " << given.elementType
                              << ", which is not supported";
  return success();
}

LogicalResult importGraph(const OnnxFile &file, ModuleOp module, const ImportOptions &options) {
  MLIRContext *context = module.getContext();
  Location loc = file.location(context);
  const ::onnx::GraphProto &graph = file.model.graph();
  if (file.model.ir_version() < oldestIr || file.model.ir_version() > newestIr)
    return emitError(loc) << "IR version " << file.model.ir_version() << " is outside " << oldestIr << " to "
                          << newestIr;
  auto inputs = describeInputs(graph), outputs = describeOutputs(graph);
  if (failed(checkValueTypes(graph, inputs, loc)))
    return failure();
  auto shapes = bindDims(inputs, outputs, options, loc);
  if (failed(shapes))
    return failure();

  OpBuilder builder(context);
  builder.setInsertionPointToEnd(module.getBody());
  auto function = func::FuncOp::create(builder, loc, "main", builder.getFunctionType({}, {}));
  Block *block = function.addEntryBlock();
  builder.setInsertionPointToEnd(block);
  OnnxWeights weights(file, module, options.keepsSmallParameters);
  GraphImporter importer(file, builder, weights);
  Scope scope;
  scope.opsets = &importer.opsets;
  if (failed(importer.addInitializers(graph, scope)))
    return failure();

  llvm::SmallVector<Type> argumentTypes, resultTypes;
  llvm::SmallVector<Attribute> argumentAttrs, resultAttrs;
  for (auto [input, shape] : llvm::zip_equal(inputs, *shapes)) {
    auto element = llvm::find_if(graph.input(), [&](const auto &info) { return info.name() == input.name; })
                       ->type()
                       .tensor_type()
                       .elem_type();
    Type type = RankedTensorType::get(shape, toMlirType(*onnxDType(element), context));
    if (!fitsProgram(shape))
      return emitError(loc) << "input '" << input.name << "' is " << type
                            << ": at most 8 dimensions and 2^46 elements, none negative";
    argumentTypes.push_back(type);
    argumentAttrs.push_back(describe(builder, input));
    if (!scope.values.try_emplace(input.name, block->addArgument(type, loc)).second)
      return emitError(loc) << "input '" << input.name << "' is defined twice";
  }

  std::vector<std::string> outputNames;
  for (const auto &output : outputs)
    outputNames.push_back(output.name);
  if (failed(importer.importNodes(graph.node(), outputNames, scope)))
    return failure();
  llvm::SmallVector<Value> results;
  for (const auto &output : outputs) {
    auto value = importer.lookup(output.name, scope, loc);
    if (failed(value))
      return failure();
    if (!*value || !**value)
      return emitError(loc) << "output '" << output.name << "' is computed by no node";
    auto declared = llvm::find_if(graph.output(), [&](const auto &info) { return info.name() == output.name; });
    if (auto dtype = onnxDType(declared->type().tensor_type().elem_type());
        dtype && toMlirType(*dtype, context) != cast<RankedTensorType>((**value).getType()).getElementType())
      return emitError(loc) << "output '" << output.name << "' is declared as " << output.elementType << ", but computed as "
                            << (**value).getType();
    results.push_back(**value);
    resultTypes.push_back(results.back().getType());
    resultAttrs.push_back(describe(builder, output));
  }
  func::ReturnOp::create(builder, loc, results);
  function.setType(builder.getFunctionType(argumentTypes, resultTypes));
  function.setArgAttrsAttr(builder.getArrayAttr(argumentAttrs));
  function.setResAttrsAttr(builder.getArrayAttr(resultAttrs));
  eraseDeadOps(*block);
  return weights.finish();
}

} // namespace

OwningOpRef<ModuleOp> importOnnx(MLIRContext &context, llvm::StringRef path, const ImportOptions &options) {
  context.loadDialect<LlmparDialect, func::FuncDialect>();
  std::unique_ptr<OnnxFile> file = OnnxFile::load(&context, path);
  if (!file)
    return nullptr;
  OwningOpRef<ModuleOp> module = ModuleOp::create(file->location(&context));
  Builder builder(&context);
  (*module)->setAttr(LlmparDialect::kModelDir, builder.getStringAttr(file->directory.empty() ? "." : file->directory));
  (*module)->setAttr(LlmparDialect::kModel, builder.getStringAttr(file->name));
  if (failed(importGraph(*file, *module, options)) || failed(verify(*module)))
    return nullptr;
  return module;
}

std::optional<OnnxSignature> readOnnxSignature(MLIRContext &context, llvm::StringRef path) {
  std::unique_ptr<OnnxFile> file = OnnxFile::load(&context, path);
  if (!file)
    return std::nullopt;
  const ::onnx::ModelProto &model = file->model;
  OnnxSignature signature;
  signature.inputs = describeInputs(model.graph());
  signature.outputs = describeOutputs(model.graph());
  signature.irVersion = model.ir_version();
  for (const auto &opset : model.opset_import()) {
    int64_t &version = signature.opsets[normalizeDomain(opset.domain()).str()];
    version = std::max(version, opset.version());
  }
  for (const auto &node : model.graph().node()) {
    llvm::StringRef domain = normalizeDomain(node.domain());
    auto &entry = signature.operators[(domain.empty() ? "" : domain.str() + ".") + node.op_type()];
    ++entry.count;
    auto version = signature.opsets.find(domain.str());
    entry.supported = findOnnxOp(domain, node.op_type(), version == signature.opsets.end() ? 1 : version->second) ||
                      llvm::any_of(model.functions(), [&](const ::onnx::FunctionProto &function) {
                        return normalizeDomain(function.domain()) == domain && function.name() == node.op_type();
                      });
  }
  return signature;
}

} // namespace llmpar
