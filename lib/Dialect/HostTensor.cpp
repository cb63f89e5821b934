//===- HostTensor.cpp - Constants that folding computes with ----------------===//
#include "HostTensor.h"

namespace llmpar {

HostTensor::HostTensor(llvm::ArrayRef<int64_t> shape, DType dtype) : shape(shape), dtype(dtype) {
  int64_t count = 1;
  for (int64_t size : shape)
    count *= size;
  values.resize(count);
}

std::optional<HostTensor> HostTensor::zeros(mlir::Type type) {
  auto tensor = mlir::cast<mlir::RankedTensorType>(type);
  std::optional<DType> dtype = toDType(tensor.getElementType());
  if (!dtype || !tensor.hasStaticShape() || !fitsProgram(tensor.getShape()) ||
      tensor.getNumElements() > maxFoldedElements)
    return std::nullopt;
  return HostTensor(tensor.getShape(), *dtype);
}

std::optional<HostTensor> HostTensor::read(mlir::Attribute attribute, int64_t largest) {
  auto elements = mlir::dyn_cast_or_null<mlir::DenseElementsAttr>(attribute);
  if (!elements || elements.getNumElements() > largest)
    return std::nullopt;
  std::optional<DType> dtype = toDType(elements.getElementType());
  if (!dtype)
    return std::nullopt;
  HostTensor tensor(elements.getType().getShape(), *dtype);
  if (isFloat(*dtype)) {
    for (auto [to, value] : llvm::zip(tensor.values, elements.getValues<llvm::APFloat>()))
      to.real = value.convertToDouble();
    return tensor;
  }
  bool isSigned = *dtype >= DType::I8 && *dtype <= DType::I64;
  for (auto [to, value] : llvm::zip(tensor.values, elements.getValues<llvm::APInt>()))
    to.integer = isSigned ? value.getSExtValue() : static_cast<int64_t>(value.getZExtValue());
  return tensor;
}

/// One value if all are bitwise equal: constants that say the same compare equal.
template <typename T, typename Equal>
static mlir::DenseElementsAttr splatOrAll(mlir::RankedTensorType type, llvm::ArrayRef<T> values, Equal equal) {
  bool same = llvm::all_of(values, [&](const T &value) { return equal(value, values.front()); });
  return mlir::DenseElementsAttr::get(type, same ? values.take_front(1) : values);
}

mlir::DenseElementsAttr HostTensor::write(mlir::Type type) const {
  auto tensor = mlir::cast<mlir::RankedTensorType>(type);
  if (auto floatType = mlir::dyn_cast<mlir::FloatType>(tensor.getElementType())) {
    llvm::SmallVector<llvm::APFloat> numbers;
    for (const Number &value : values) {
      bool lost;
      numbers.emplace_back(value.real)
          .convert(floatType.getFloatSemantics(), llvm::APFloat::rmNearestTiesToEven, &lost);
    }
    return splatOrAll<llvm::APFloat>(tensor, numbers, [](auto &a, auto &b) { return a.bitwiseIsEqual(b); });
  }
  unsigned width = tensor.getElementType().getIntOrFloatBitWidth();
  llvm::SmallVector<llvm::APInt> numbers;
  for (const Number &value : values)
    numbers.push_back(llvm::APInt(64, static_cast<uint64_t>(value.integer)).trunc(width));
  return splatOrAll<llvm::APInt>(tensor, numbers, [](auto &a, auto &b) { return a == b; });
}

size_t flatten(llvm::ArrayRef<int64_t> shape, llvm::ArrayRef<int64_t> index) {
  size_t flat = 0;
  for (size_t dim = 0; dim < shape.size(); ++dim)
    flat = flat * shape[dim] + (shape[dim] == 1 ? 0 : index[index.size() - shape.size() + dim]);
  return flat;
}

} // namespace llmpar
