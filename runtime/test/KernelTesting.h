//===- KernelTesting.h - Tensors for tests of kernels -----------*- C++ -*-===//
//
//   Tensor x = tensor(DType::F32, {2, 3}, {1, 2, 3, 4, 5, 6});
//   Tensor y = run(findReferenceKernel(KernelId::reduce), {x}, DType::F32, {2}, {sum, 0, 1});
//   EXPECT_EQ(values(y), (std::vector<double>{6, 15}));
//
//===----------------------------------------------------------------------===//
#ifndef LLMPAR_RUNTIME_TEST_KERNELTESTING_H
#define LLMPAR_RUNTIME_TEST_KERNELTESTING_H

#include "reference/Kinds.h"
#include "reference/Loops.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace llmpar::rt::test {

using Shape = std::vector<int64_t>;

struct Tensor {
  std::vector<char> bytes;
  TensorView shape; ///< without data
  TensorView view() const {
    TensorView v = shape;
    v.data = const_cast<char *>(bytes.data());
    return v;
  }
};

inline Tensor tensor(DType dtype, const Shape &shape) {
  Tensor t;
  t.shape.dtype = dtype;
  t.shape.rank = static_cast<int>(shape.size());
  std::copy(shape.begin(), shape.end(), t.shape.dims.begin());
  t.bytes.assign(t.shape.bytes() + 64, 0x5a); // what follows the tensor must not be written
  return t;
}

inline Tensor tensor(DType dtype, const Shape &shape, const std::vector<double> &values) {
  Tensor t = tensor(dtype, shape);
  EXPECT_EQ(t.shape.elements(), static_cast<int64_t>(values.size()));
  for (size_t i = 0; i < values.size(); ++i)
    store<double>(t.view(), static_cast<int64_t>(i), values[i]);
  return t;
}

inline std::vector<double> values(const Tensor &t) {
  std::vector<double> result(static_cast<size_t>(t.shape.elements()));
  for (size_t i = 0; i < result.size(); ++i)
    result[i] = load<double>(t.view(), static_cast<int64_t>(i));
  return result;
}

inline void expectTailUntouched(const Tensor &t) {
  for (size_t i = t.shape.bytes(); i < t.bytes.size(); ++i)
    ASSERT_EQ(t.bytes[i], 0x5a) << "wrote past the end";
}

/// Runs a kernel of one output.
inline Status runInto(KernelFn kernel, const std::vector<Tensor> &inputs, std::vector<Tensor> &outputs,
                      const std::vector<int64_t> &ints = {}, const std::vector<double> &floats = {}) {
  std::vector<TensorView> in, out;
  for (const Tensor &t : inputs)
    in.push_back(t.view());
  for (const Tensor &t : outputs)
    out.push_back(t.view());
  Status status = kernel({in, out, ints, floats});
  for (const Tensor &t : outputs)
    expectTailUntouched(t);
  return status;
}

inline Tensor run(KernelFn kernel, const std::vector<Tensor> &inputs, DType dtype, const Shape &shape,
                  const std::vector<int64_t> &ints = {}, const std::vector<double> &floats = {}) {
  std::vector<Tensor> outputs = {tensor(dtype, shape)};
  Status status = runInto(kernel, inputs, outputs, ints, floats);
  EXPECT_TRUE(status.ok()) << status.message();
  return outputs[0];
}

/// A fixture with numbers that are the same in every run.
class RandomTensors : public ::testing::Test {
protected:
  std::mt19937 random{5};

  Tensor filled(DType dtype, const Shape &shape, double low = -2, double high = 2) {
    Tensor t = tensor(dtype, shape);
    std::uniform_real_distribution<double> value(low, high);
    for (int64_t i = 0, n = t.shape.elements(); i < n; ++i)
      store<double>(t.view(), i, value(random));
    return t;
  }
};

} // namespace llmpar::rt::test

#endif // LLMPAR_RUNTIME_TEST_KERNELTESTING_H
