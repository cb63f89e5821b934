//===- NodeImporter.cpp - What a handler of an ONNX operator uses ---------===//
#include "NodeImporter.h"
#include "GraphImporter.h"

using namespace mlir;

namespace llmpar {

NodeImporter::NodeImporter(GraphImporter &graph, Scope &scope, const ::onnx::NodeProto &node, Location loc)
    : node(node), loc(loc), graph(graph), scope(scope), builder(graph.builder) {
  results.resize(node.output_size());
}

Value NodeImporter::error(const Twine &message) {
  if (hasError)
    return nullptr;
  hasError = true;
  llvm::StringRef domain = normalizeDomain(node.domain());
  std::string name = node.name().empty() && node.output_size() ? "-> " + node.output(0) : node.name();
  emitError(loc) << graph.file.name << ": node '" << name << "' (" << node.op_type() << (domain.empty() ? "" : ", ")
                 << domain << "): " << message;
  return nullptr;
}

Value NodeImporter::input(size_t i) {
  if (has(i))
    return inputs[i];
  return error("input " + Twine(i) + " is missing");
}

void NodeImporter::result(size_t i, Value value) {
  if (i < results.size())
    results[i] = value;
}

//===-- Types -----------------------------------------------------------------===//

llvm::ArrayRef<int64_t> NodeImporter::shape(Value value) const {
  if (!value)
    return {};
  return cast<RankedTensorType>(value.getType()).getShape();
}

int64_t NodeImporter::dim(Value value, int64_t axis) const {
  llvm::ArrayRef<int64_t> extents = shape(value);
  int64_t rank = static_cast<int64_t>(extents.size());
  if (axis < 0)
    axis += rank;
  return axis >= 0 && axis < rank ? extents[axis] : 1;
}

int64_t NodeImporter::numElements(Value value) const {
  int64_t count = 1;
  for (int64_t extent : shape(value))
    count *= extent;
  return count;
}

Type NodeImporter::elementType(Value value) const {
  return value ? cast<RankedTensorType>(value.getType()).getElementType() : Type(builder.getF32Type());
}

Type NodeImporter::onnxType(int64_t dataType) {
  if (std::optional<DType> dtype = onnxDType(static_cast<int32_t>(dataType)))
    return toMlirType(*dtype, builder.getContext());
  error("element type " + Twine(onnxTypeName(static_cast<int32_t>(dataType))) + " is not supported");
  return builder.getF32Type();
}

Type NodeImporter::typeLike(Value x, llvm::ArrayRef<int64_t> shape) {
  for (int64_t extent : shape)
    if (extent < 0) {
      error("negative extent " + Twine(extent));
      return RankedTensorType::get({}, elementType(x));
    }
  return RankedTensorType::get(shape, elementType(x));
}

//===-- Emission --------------------------------------------------------------===//

llvm::SmallVector<Value> NodeImporter::insertOrFold(OperationState &state) {
  Operation *op = builder.create(state);
  llvm::SmallVector<Value> values;
  // Constants that folding makes go before the op, where the builder stands afterwards.
  builder.setInsertionPoint(op);
  if (succeeded(builder.tryFold(op, values)) && !values.empty()) {
    builder.setInsertionPointAfter(op);
    op->erase();
    return values;
  }
  builder.setInsertionPointAfter(op);
  values.assign(op->result_begin(), op->result_end());
  return values;
}

void NodeImporter::reportInference(llvm::ArrayRef<std::string> messages) {
  error(messages.empty() ? "its operands do not fit together" : llvm::Twine(messages.front()));
}

Value NodeImporter::constant(DenseElementsAttr value) {
  return emit<ConstantOp>({}, {named("value", value)}, {value.getType()});
}

Value NodeImporter::scalar(double value, Type elementType) {
  auto type = RankedTensorType::get({}, elementType);
  if (auto floatType = dyn_cast<FloatType>(elementType)) {
    APFloat number(value);
    bool lossy;
    number.convert(floatType.getFloatSemantics(), APFloat::rmNearestTiesToEven, &lossy);
    return constant(DenseElementsAttr::get(type, number));
  }
  unsigned width = elementType.getIntOrFloatBitWidth();
  uint64_t bits = value < 0 ? static_cast<uint64_t>(static_cast<int64_t>(value)) : static_cast<uint64_t>(value);
  return constant(DenseElementsAttr::get(type, APInt(64, bits).trunc(width)));
}

Value NodeImporter::integerVector(llvm::ArrayRef<int64_t> values) {
  auto type = RankedTensorType::get({static_cast<int64_t>(values.size())}, i64());
  return constant(DenseElementsAttr::get(type, values));
}

Value NodeImporter::filled(double value, Type elementType, llvm::ArrayRef<int64_t> shape) {
  return broadcast(scalar(value, elementType), shape);
}

Value NodeImporter::iota(Type elementType, llvm::ArrayRef<int64_t> shape, int64_t axis, double start, double step) {
  return emit<IotaOp>({}, {named("axis", axis), number("start", start), number("step", step)},
                      {RankedTensorType::get(shape, elementType)});
}

Value NodeImporter::unary(llvm::StringRef kind, Value x, double alpha, double beta) {
  return emit<UnaryOp>({x}, {word("kind", kind), number("alpha", alpha), number("beta", beta)});
}

Value NodeImporter::binary(llvm::StringRef kind, Value a, Value b) {
  return emit<BinaryOp>({a, b}, {word("kind", kind)});
}

Value NodeImporter::scale(Value x, double factor) { return factor == 1 ? x : mul(x, scalarLike(factor, x)); }

Value NodeImporter::select(Value condition, Value a, Value b) { return emit<SelectOp>({condition, a, b}, {}); }

Value NodeImporter::cast(Value x, Type elementType) {
  if (!x || this->elementType(x) == elementType)
    return x;
  return emit<CastOp>({x}, {}, {RankedTensorType::get(shape(x), elementType)});
}

Value NodeImporter::matmul(Value a, Value b, bool transposeA, bool transposeB) {
  return emit<MatmulOp>({a, b}, {flag("transpose_a", transposeA), flag("transpose_b", transposeB)});
}

Value NodeImporter::reduce(llvm::StringRef kind, Value x, llvm::ArrayRef<int64_t> axes, bool keepDims) {
  if (axes.empty())
    return x;
  return emit<ReduceOp>({x}, {word("kind", kind), named("axes", axes), flag("keep_dims", keepDims)});
}

Value NodeImporter::mean(Value x, llvm::ArrayRef<int64_t> axes, bool keepDims) {
  double count = 1;
  for (int64_t axis : axes)
    count *= static_cast<double>(dim(x, axis));
  Value sum = reduce("sum", x, axes, keepDims);
  return axes.empty() ? sum : div(sum, scalarLike(count, x));
}

Value NodeImporter::softmax(Value x, int64_t axis, bool log) {
  return emit<SoftmaxOp>({x}, {named("axis", axis), flag("log", log)});
}

Value NodeImporter::layerNorm(Value x, Value scale, Value bias, int64_t axis, double epsilon) {
  llvm::SmallVector<Value> operands{x, scale};
  if (bias)
    operands.push_back(bias);
  return emit<LayerNormOp>(operands, {named("axis", axis), number("epsilon", epsilon)});
}

Value NodeImporter::rmsNorm(Value x, Value scale, int64_t axis, double epsilon) {
  return emit<RmsNormOp>({x, scale}, {named("axis", axis), number("epsilon", epsilon)});
}

Value NodeImporter::rotary(Value x, Value cos, Value sin, bool interleaved) {
  return emit<RotaryOp>({x, cos, sin}, {flag("interleaved", interleaved)});
}

Value NodeImporter::argReduce(Value x, int64_t axis, bool keepDims, bool largest, bool last) {
  return emit<ArgReduceOp>(
      {x}, {named("axis", axis), flag("keep_dims", keepDims), flag("largest", largest), flag("last", last)});
}

Value NodeImporter::gather(Value data, Value indices, int64_t axis) {
  return emit<GatherOp>({data, indices}, {named("axis", axis)});
}

Value NodeImporter::gatherElements(Value data, Value indices, int64_t axis) {
  return emit<GatherElementsOp>({data, indices}, {named("axis", axis)});
}

Value NodeImporter::transpose(Value x, llvm::ArrayRef<int64_t> permutation) {
  if (llvm::equal(permutation, llvm::seq<int64_t>(0, static_cast<int64_t>(permutation.size()))))
    return x;
  return emit<TransposeOp>({x}, {named("permutation", permutation)});
}

Value NodeImporter::reshape(Value x, llvm::ArrayRef<int64_t> shape) {
  if (!x || this->shape(x) == shape)
    return x;
  int64_t count = 1;
  for (int64_t extent : shape)
    count *= extent;
  if (count != numElements(x))
    return error("cannot reshape " + Twine(numElements(x)) + " elements to " + Twine(count));
  return emit<ReshapeOp>({x}, {}, {typeLike(x, shape)});
}

Value NodeImporter::unsqueeze(Value x, llvm::ArrayRef<int64_t> axes) {
  Ints extents(shape(x));
  for (int64_t axis : axes)
    if (axis <= static_cast<int64_t>(extents.size()))
      extents.insert(extents.begin() + axis, 1);
  return reshape(x, extents);
}

Value NodeImporter::broadcast(Value x, llvm::ArrayRef<int64_t> shape) {
  if (!x || this->shape(x) == shape)
    return x;
  bool fits = rank(x) <= static_cast<int64_t>(shape.size());
  for (int64_t i = 1; fits && i <= rank(x); ++i)
    fits = dim(x, -i) == 1 || dim(x, -i) == shape[shape.size() - i];
  if (!fits)
    return error("its input does not broadcast to the requested shape");
  return emit<BroadcastOp>({x}, {}, {typeLike(x, shape)});
}

Value NodeImporter::slice(Value x, llvm::ArrayRef<int64_t> starts, llvm::ArrayRef<int64_t> sizes,
                          llvm::ArrayRef<int64_t> steps) {
  Ints ones(starts.size(), 1);
  if (steps.empty())
    steps = ones;
  if (!x || (shape(x) == sizes && llvm::all_of(steps, [](int64_t step) { return step == 1; })))
    return x;
  return emit<SliceOp>({x}, {named("starts", starts), named("steps", steps)}, {typeLike(x, sizes)});
}

Value NodeImporter::sliceAxis(Value x, int64_t axis, int64_t begin, int64_t size, int64_t step) {
  if (!x)
    return x;
  axis = normalizeAxis(axis, rank(x));
  Ints starts(rank(x), 0), sizes(shape(x)), steps(rank(x), 1);
  starts[axis] = begin, sizes[axis] = size, steps[axis] = step;
  return slice(x, starts, sizes, steps);
}

Value NodeImporter::concat(llvm::ArrayRef<Value> values, int64_t axis) {
  if (values.size() == 1)
    return values.front();
  return emit<ConcatOp>(values, {named("axis", axis)});
}

Value NodeImporter::pad(Value x, llvm::ArrayRef<int64_t> low, llvm::ArrayRef<int64_t> high, double value,
                        int64_t mode) {
  Ints extents(shape(x));
  for (size_t i = 0; i < extents.size() && i < low.size(); ++i)
    extents[i] += low[i] + high[i];
  if (extents == Ints(shape(x)))
    return x;
  return emit<PadOp>({x}, {named("mode", mode), named("low", low), number("value", value)}, {typeLike(x, extents)});
}

} // namespace llmpar
