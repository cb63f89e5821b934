//===- KernelRun.h - Ops on the reference kernels, for tests ----*- C++ -*-===//
#ifndef LLMPAR_TEST_UNIT_KERNELRUN_H
#define LLMPAR_TEST_UNIT_KERNELRUN_H

#include "core/Kernel.h"
#include "llmpar/Lowering/KernelAttributes.h"

#include "llvm/ADT/TypeSwitch.h"
#include <random>

namespace llmpar {

/// A dense tensor as doubles, which hold every value that a test uses.
struct Tensor {
  DType dtype = DType::F32;
  Shape shape;
  std::vector<double> values;
};

struct Bytes {
  std::vector<char> bytes;
  rt::TensorView view;
};
inline Bytes pack(const Tensor &tensor) {
  Bytes packed;
  packed.bytes.resize(tensor.values.size() * dtypeSize(tensor.dtype) + 8);
  packed.view.data = packed.bytes.data();
  packed.view.dtype = tensor.dtype;
  packed.view.rank = static_cast<int>(tensor.shape.size());
  llvm::copy(tensor.shape, packed.view.dims.begin());
  dispatch(tensor.dtype, [&](auto zero) {
    using T = decltype(zero);
    for (auto [index, value] : llvm::enumerate(tensor.values)) {
      T element;
      if constexpr (std::is_arithmetic_v<T>)
        element = static_cast<T>(value);
      else
        element = T(static_cast<float>(value));
      std::memcpy(packed.bytes.data() + index * sizeof(T), &element, sizeof(T));
    }
  });
  return packed;
}
inline void unpack(const Bytes &packed, Tensor &tensor) {
  dispatch(tensor.dtype, [&](auto zero) {
    using T = decltype(zero);
    for (auto [index, value] : llvm::enumerate(tensor.values)) {
      T element;
      std::memcpy(&element, packed.bytes.data() + index * sizeof(T), sizeof(T));
      if constexpr (std::is_arithmetic_v<T>)
        value = static_cast<double>(element);
      else
        value = static_cast<float>(element);
    }
  });
}

inline Tensor emptyTensor(DType dtype, Shape shape) {
  Tensor tensor{dtype, std::move(shape), {}};
  int64_t count = 1;
  for (int64_t size : tensor.shape)
    count *= size;
  tensor.values.assign(count, 0);
  return tensor;
}
inline Shape shapeOf(mlir::Value value) {
  return Shape(mlir::cast<mlir::RankedTensorType>(value.getType()).getShape());
}
inline DType dtypeOf(mlir::Value value) {
  return *toDType(mlir::cast<mlir::RankedTensorType>(value.getType()).getElementType());
}

/// What an operand's values may be if they index something: [low, high].
inline std::optional<std::pair<int64_t, int64_t>> indexRange(mlir::Operation *op, unsigned operand) {
  using Range = std::optional<std::pair<int64_t, int64_t>>;
  auto of = [](int64_t size) { return Range({-size, size - 1}); };
  if (auto grad = mlir::dyn_cast<GatherGradOp>(op); grad && operand == 0)
    return of(shapeOf(grad.getResult())[grad.getAxis()]);
  if (operand != 1)
    return std::nullopt;
  Shape data = shapeOf(op->getOperand(0));
  auto smallest = [&](int64_t begin) {
    return *std::min_element(data.begin() + begin, data.begin() + begin + shapeOf(op->getOperand(1)).back());
  };
  return llvm::TypeSwitch<mlir::Operation *, Range>(op)
      .Case<GatherOp, GatherElementsOp, ScatterElementsOp>([&](auto o) { return of(data[o.getAxis()]); })
      .Case([&](GatherNdOp o) { return of(smallest(o.getBatchDims())); })
      .Case([&](ScatterNdOp) { return of(smallest(0)); })
      .Case<CrossEntropyOp, CrossEntropyGradOp>([&](auto) { return Range({0, data.back() - 1}); })
      .Default([](mlir::Operation *) { return std::nullopt; });
}

/// Multiples of 1/8, small integers, indices within what they index.
inline std::vector<Tensor> randomInputs(mlir::Operation *op, unsigned seed = 7) {
  std::mt19937 random(seed);
  auto between = [&](int64_t low, int64_t high) { return low + static_cast<int64_t>(random() % (high - low + 1)); };
  std::vector<Tensor> inputs;
  for (mlir::OpOperand &operand : op->getOpOperands()) {
    Tensor tensor = emptyTensor(dtypeOf(operand.get()), shapeOf(operand.get()));
    auto indices = indexRange(op, operand.getOperandNumber());
    for (double &value : tensor.values)
      value = indices                       ? between(indices->first, indices->second)
              : tensor.dtype == DType::Bool ? between(0, 1)
              : isFloat(tensor.dtype)       ? between(-16, 16) / 8.0
                                            : between(-5, 5);
    inputs.push_back(std::move(tensor));
  }
  return inputs;
}

/// Runs the op on one rank's operands.
inline llvm::Expected<std::vector<Tensor>> runKernel(mlir::Operation *op, const ValueLayouts &layouts, int64_t rank,
                                                     llvm::ArrayRef<Tensor> inputs) {
  rt::KernelId id;
  if (!rt::parseKernelId(kernelName(op), id))
    return llvm::createStringError("no kernel");
  std::vector<Bytes> ins, outs;
  std::vector<rt::TensorView> inViews, outViews;
  for (const Tensor &input : inputs)
    inViews.push_back(ins.emplace_back(pack(input)).view);
  std::vector<Tensor> results;
  for (mlir::Value result : op->getResults()) {
    results.push_back(emptyTensor(dtypeOf(result), layouts.valid(result, rank)));
    outViews.push_back(outs.emplace_back(pack(results.back())).view);
  }
  KernelAttributes attributes = kernelAttributes(op, layouts, rank);
  rt::Status status = rt::findReferenceKernel(id)({inViews, outViews, attributes.ints, attributes.floats});
  if (!status.ok())
    return llvm::createStringError(status.message());
  for (auto [bytes, result] : llvm::zip(outs, results))
    unpack(bytes, result);
  return results;
}

} // namespace llmpar

#endif // LLMPAR_TEST_UNIT_KERNELRUN_H
