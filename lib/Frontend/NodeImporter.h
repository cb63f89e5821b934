//===- NodeImporter.h - What a handler of an ONNX operator uses -*- C++ -*-===//
//
// A handler turns one node into llmpar ops:
//
//   void importHardmax(NodeImporter &n) {
//     Value x = n.input(0);
//     ...
//     n.result(0, n.cast(isMax, n.elementType(x)));
//   }
//
// Errors are sticky, as in a stream: the first one is reported with the node's name and file, every helper
// then passes null values through, and `dim`/`rank` of a null value are 1 and 0. So a handler need not test
// each step; it must only return early (`if (n.failed()) return;`) before it uses constants it required.
//
// Ops fold as they are built, so the arithmetic on shapes is gone when a handler asks for its result.
//
//===----------------------------------------------------------------------===//
#ifndef LLMPAR_LIB_FRONTEND_NODEIMPORTER_H
#define LLMPAR_LIB_FRONTEND_NODEIMPORTER_H

#include "llmpar/Dialect/Llmpar.h"
#include "mlir/IR/Builders.h"
#include "onnx/onnx.pb.h"
#include <optional>
#include <string>

namespace llmpar {

class GraphImporter;
struct Scope;
using Ints = llvm::SmallVector<int64_t>;

class NodeImporter {
public:
  NodeImporter(GraphImporter &graph, Scope &scope, const ::onnx::NodeProto &node, mlir::Location loc);

  //===-- The node ---------------------------------------------------------===//

  const ::onnx::NodeProto &node;
  mlir::Location loc;
  int64_t opset = 1;    ///< version of the node's domain
  llvm::StringRef kind; ///< the `kind` column of OnnxOps.def
  GraphImporter &graph;
  Scope &scope;

  /// Reports "model.onnx: node 'x' (Op): message", unless one was reported; returns null.
  mlir::Value error(const llvm::Twine &message);
  bool failed() const { return hasError; }
  void setFailed() { hasError = true; } ///< a diagnostic was emitted elsewhere

  size_t numInputs() const { return inputs.size(); }
  bool has(size_t i) const { return i < inputs.size() && inputs[i]; }
  mlir::Value input(size_t i); ///< an error if absent
  mlir::Value optional(size_t i) const { return has(i) ? inputs[i] : mlir::Value(); }
  bool wants(int i) const { return i < node.output_size() && !node.output(i).empty(); }
  void result(size_t i, mlir::Value value);
  llvm::ArrayRef<mlir::Value> getResults() const { return results; }

  //===-- Attributes (function references resolved) --------------------------===//

  const ::onnx::AttributeProto *attribute(llvm::StringRef name) const;
  bool hasAttribute(llvm::StringRef name) const { return attribute(name); }
  /// The value of an attribute of that type; an error if it is of another.
  int64_t integer(llvm::StringRef name, int64_t otherwise);
  double real(llvm::StringRef name, double otherwise);
  std::string text(llvm::StringRef name, llvm::StringRef otherwise);
  std::optional<Ints> integers(llvm::StringRef name);
  /// Position of a word among `choices`, of which the first is the default; an error lists them.
  size_t choice(llvm::StringRef name, llvm::ArrayRef<llvm::StringRef> choices);
  /// The axis an attribute names, non-negative; an error outside [-rank, rank).
  int64_t axis(llvm::StringRef name, int64_t otherwise, int64_t rank);
  int64_t normalizeAxis(int64_t axis, int64_t rank);
  /// Each axis non-negative, in the same order; an error if one occurs twice.
  Ints normalizeAxes(llvm::ArrayRef<int64_t> axes, int64_t rank);

  //===-- Constants ----------------------------------------------------------===//

  std::optional<Ints> constantIntegers(mlir::Value value) const;
  std::optional<llvm::SmallVector<double>> constantReals(mlir::Value value) const;
  /// Elements of an input that must be constant; an error names the input's `role`.
  Ints requireIntegers(size_t i, llvm::StringRef role);
  int64_t requireInteger(size_t i, llvm::StringRef role);
  double requireReal(size_t i, llvm::StringRef role);
  /// Attribute `name`, or input i, or none: axes and sizes moved from one to the other over the opsets.
  std::optional<Ints> integersFrom(llvm::StringRef name, size_t i);

  //===-- Types --------------------------------------------------------------===//

  llvm::ArrayRef<int64_t> shape(mlir::Value value) const;
  int64_t rank(mlir::Value value) const { return static_cast<int64_t>(shape(value).size()); }
  int64_t dim(mlir::Value value, int64_t axis) const; ///< negative axes count from the end; 1 outside
  int64_t numElements(mlir::Value value) const;
  mlir::Type elementType(mlir::Value value) const;
  bool isFloat(mlir::Value value) const { return llvm::isa<mlir::FloatType>(elementType(value)); }
  bool isBool(mlir::Value value) const { return elementType(value).isInteger(1); }
  /// MLIR type of an ONNX element type; an error (and f32) if it has none.
  mlir::Type onnxType(int64_t dataType);
  mlir::Type i64() { return builder.getI64Type(); }
  mlir::Type i1() { return builder.getI1Type(); }
  mlir::Type f32() { return builder.getF32Type(); }

  //===-- Emission -----------------------------------------------------------===//

  /// Creates or folds an op; infers the result types unless given. Empty after an error.
  template <typename Op>
  llvm::SmallVector<mlir::Value> emitAll(mlir::ValueRange operands, llvm::ArrayRef<mlir::NamedAttribute> attributes,
                                         mlir::TypeRange types = {});
  template <typename Op>
  mlir::Value emit(mlir::ValueRange operands, llvm::ArrayRef<mlir::NamedAttribute> attributes,
                   mlir::TypeRange types = {}) {
    llvm::SmallVector<mlir::Value> values = emitAll<Op>(operands, attributes, types);
    return values.empty() ? mlir::Value() : values.front();
  }

  mlir::Value constant(mlir::DenseElementsAttr value);
  mlir::Value scalar(double value, mlir::Type elementType);
  mlir::Value scalarLike(double value, mlir::Value like) { return scalar(value, elementType(like)); }
  mlir::Value integerVector(llvm::ArrayRef<int64_t> values);
  mlir::Value filled(double value, mlir::Type elementType, llvm::ArrayRef<int64_t> shape);
  /// start + step * index along `axis` of a tensor of `shape`.
  mlir::Value iota(mlir::Type elementType, llvm::ArrayRef<int64_t> shape, int64_t axis, double start = 0,
                   double step = 1);

  mlir::Value unary(llvm::StringRef kind, mlir::Value x, double alpha = 1, double beta = 0);
  mlir::Value binary(llvm::StringRef kind, mlir::Value a, mlir::Value b);
  mlir::Value add(mlir::Value a, mlir::Value b) { return binary("add", a, b); }
  mlir::Value sub(mlir::Value a, mlir::Value b) { return binary("sub", a, b); }
  mlir::Value mul(mlir::Value a, mlir::Value b) { return binary("mul", a, b); }
  mlir::Value div(mlir::Value a, mlir::Value b) { return binary("div", a, b); }
  mlir::Value scale(mlir::Value x, double factor); ///< x * factor; x if factor is 1
  mlir::Value select(mlir::Value condition, mlir::Value a, mlir::Value b);
  mlir::Value cast(mlir::Value x, mlir::Type elementType);

  mlir::Value matmul(mlir::Value a, mlir::Value b, bool transposeA = false, bool transposeB = false);
  mlir::Value reduce(llvm::StringRef kind, mlir::Value x, llvm::ArrayRef<int64_t> axes, bool keepDims = true);
  mlir::Value mean(mlir::Value x, llvm::ArrayRef<int64_t> axes, bool keepDims = true);
  mlir::Value softmax(mlir::Value x, int64_t axis, bool log = false);
  mlir::Value layerNorm(mlir::Value x, mlir::Value scale, mlir::Value bias, int64_t axis, double epsilon);
  mlir::Value rmsNorm(mlir::Value x, mlir::Value scale, int64_t axis, double epsilon);
  /// Rotary positions: cos and sin are [.., h], of the first 2 h elements of x's rows.
  mlir::Value rotary(mlir::Value x, mlir::Value cos, mlir::Value sin, bool interleaved);
  mlir::Value argReduce(mlir::Value x, int64_t axis, bool keepDims, bool largest, bool last = false);

  mlir::Value gather(mlir::Value data, mlir::Value indices, int64_t axis);
  mlir::Value gatherElements(mlir::Value data, mlir::Value indices, int64_t axis);
  mlir::Value transpose(mlir::Value x, llvm::ArrayRef<int64_t> permutation); ///< x if it is the identity
  mlir::Value reshape(mlir::Value x, llvm::ArrayRef<int64_t> shape);         ///< x if it has that shape
  mlir::Value unsqueeze(mlir::Value x, llvm::ArrayRef<int64_t> axes);        ///< axes of the result, ascending
  mlir::Value broadcast(mlir::Value x, llvm::ArrayRef<int64_t> shape);       ///< x if it has that shape
  mlir::Value slice(mlir::Value x, llvm::ArrayRef<int64_t> starts, llvm::ArrayRef<int64_t> sizes,
                    llvm::ArrayRef<int64_t> steps = {});
  /// x[begin, begin + size) along one axis.
  mlir::Value sliceAxis(mlir::Value x, int64_t axis, int64_t begin, int64_t size, int64_t step = 1);
  mlir::Value concat(llvm::ArrayRef<mlir::Value> values, int64_t axis);
  mlir::Value pad(mlir::Value x, llvm::ArrayRef<int64_t> low, llvm::ArrayRef<int64_t> high, double value,
                  int64_t mode = 0);

  mlir::NamedAttribute named(llvm::StringRef name, mlir::Attribute value) { return builder.getNamedAttr(name, value); }
  mlir::NamedAttribute named(llvm::StringRef name, int64_t value) {
    return named(name, builder.getI64IntegerAttr(value));
  }
  mlir::NamedAttribute named(llvm::StringRef name, llvm::ArrayRef<int64_t> values) {
    return named(name, builder.getDenseI64ArrayAttr(values));
  }
  mlir::NamedAttribute flag(llvm::StringRef name, bool value) { return named(name, builder.getBoolAttr(value)); }
  mlir::NamedAttribute number(llvm::StringRef name, double value) {
    return named(name, builder.getF64FloatAttr(value));
  }
  mlir::NamedAttribute word(llvm::StringRef name, llvm::StringRef value) {
    return named(name, builder.getStringAttr(value));
  }

  mlir::OpBuilder &builder;
  llvm::SmallVector<mlir::Value> inputs; ///< null for an absent optional one

private:
  const ::onnx::AttributeProto *typed(llvm::StringRef name, ::onnx::AttributeProto::AttributeType type);
  mlir::Type typeLike(mlir::Value x, llvm::ArrayRef<int64_t> shape);
  llvm::SmallVector<mlir::Value> insertOrFold(mlir::OperationState &state);
  void reportInference(llvm::ArrayRef<std::string> messages);

  llvm::SmallVector<mlir::Value> results;
  bool hasError = false;
};

} // namespace llmpar

#include "EmitOp.h"

#endif // LLMPAR_LIB_FRONTEND_NODEIMPORTER_H
