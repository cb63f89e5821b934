//===- HostTensor.h - Constants that folding computes with ------*- C++ -*-===//
//
// The elements of a small constant, and the arithmetic of Abi/Kinds.def on them. It is
// that of the reference kernels: integers are exact and wrap to their width; floats are
// computed in double and rounded to their type after each op (f16 and bf16 through f32).
//
//   HostTensor x = *HostTensor::read(attribute);      // nullopt: not a constant, or too large
//   HostTensor y(Shape{2, 3}, DType::I64);
//   forEachIndex(y.shape, [&](size_t flat, ArrayRef<int64_t> index) {
//     y.values[flat] = x.values[flatten(x.shape, index)]; // x broadcasts
//   });
//   return y.write();
//
//===----------------------------------------------------------------------===//
#ifndef LLMPAR_LIB_DIALECT_HOSTTENSOR_H
#define LLMPAR_LIB_DIALECT_HOSTTENSOR_H

#include "llmpar/Dialect/Llmpar.h"
#include <vector>

namespace llmpar {

/// One element; which member counts follows from its type. A ui64 is stored as its bit pattern.
struct Number {
  double real = 0;
  int64_t integer = 0;
};

struct HostTensor {
  Shape shape;
  DType dtype = DType::F32;
  std::vector<Number> values; ///< row-major

  HostTensor(llvm::ArrayRef<int64_t> shape, DType dtype);
  /// A zero tensor of that type; nullopt if it has more than maxFoldedElements elements or an unknown type.
  static std::optional<HostTensor> zeros(mlir::Type type);
  /// The elements of a dense constant; nullopt as above, or if `attribute` is none.
  static std::optional<HostTensor> read(mlir::Attribute attribute, int64_t largest = maxFoldedElements);
  /// The elements as a constant of `type`, which has the shape's element count.
  mlir::DenseElementsAttr write(mlir::Type type) const;
};

/// A value of `type` as near to `value` as a kernel's store: rounds floats, truncates and wraps integers.
Number store(DType type, double value);
Number convert(DType from, DType to, Number value);

/// y = kind(x) for x of type `from`, y of type `to`. `kind` is a position in Abi/Kinds.def.
Number evaluateUnary(int64_t kind, DType from, DType to, Number x, double alpha, double beta);
Number evaluateBinary(int64_t kind, DType from, DType to, Number a, Number b);
/// `kind` of all `values`; without any: sum 0, prod 1, max the lowest, min the highest value of the type.
Number evaluateReduce(llvm::StringRef kind, DType type, llvm::ArrayRef<Number> values);

/// Calls `body(flat, index)` for every index of `shape`, row-major.
template <typename Body> void forEachIndex(llvm::ArrayRef<int64_t> shape, Body body) {
  int64_t count = 1;
  for (int64_t size : shape)
    count *= size;
  llvm::SmallVector<int64_t> index(shape.size(), 0);
  for (int64_t flat = 0; flat < count; ++flat) {
    body(static_cast<size_t>(flat), llvm::ArrayRef<int64_t>(index));
    for (size_t dim = shape.size(); dim > 0 && ++index[dim - 1] == shape[dim - 1]; --dim)
      index[dim - 1] = 0;
  }
}

/// Row-major position in a tensor of `shape` of an index of the larger shape that it broadcasts to.
size_t flatten(llvm::ArrayRef<int64_t> shape, llvm::ArrayRef<int64_t> index);

} // namespace llmpar

#endif // LLMPAR_LIB_DIALECT_HOSTTENSOR_H
