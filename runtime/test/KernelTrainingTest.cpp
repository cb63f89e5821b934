//===- KernelTrainingTest.cpp - Fast training kernels against reference -----===//
#include "KernelTesting.h"

#include "cpu/CpuKernels.h"

namespace llmpar::rt::test {
namespace {

class TrainingKernel : public RandomTensors {
protected:
  Tensor indices(const Shape &shape, int64_t low, int64_t high) {
    Tensor t = tensor(DType::I64, shape);
    for (int64_t i = 0, n = t.shape.elements(); i < n; ++i)
      store<int64_t>(t.view(), i, std::uniform_int_distribution<int64_t>(low, high)(random));
    return t;
  }
  void compare(KernelId id, const std::vector<Tensor> &inputs, const std::vector<Shape> &shapes,
               DType dtype = DType::F32, const std::vector<int64_t> &ints = {},
               const std::vector<double> &floats = {}) {
    std::vector<Tensor> expected, actual;
    for (const Shape &shape : shapes) {
      expected.push_back(tensor(dtype, shape));
      actual.push_back(tensor(dtype, shape));
    }
    Status want = runInto(findReferenceKernel(id), inputs, expected, ints, floats);
    Status have = runInto(findCpuKernel(id), inputs, actual, ints, floats);
    ASSERT_EQ(have.message(), want.message());
    double tolerance = dtype == DType::F64 ? 0 : dtype == DType::F32 ? 4e-6 : 2e-2;
    for (size_t k = 0; k < shapes.size() && want.ok(); ++k) {
      std::vector<double> a = values(actual[k]), e = values(expected[k]);
      for (size_t i = 0; i < e.size(); ++i)
        if (!(std::isnan(a[i]) && std::isnan(e[i]))) // acosh below 1
          ASSERT_NEAR(a[i], e[i], tolerance * (1 + std::abs(e[i]))) << kernelName(id) << " result " << k << " at " << i;
    }
  }
};

constexpr DType floatTypes[] = {DType::F32, DType::BF16, DType::F16};
const std::vector<Shape> shapes = {{1, 1}, {3, 5}, {0, 7}, {7, 0}, {2, 33}, {4, 70}, {5, 16}};

TEST_F(TrainingKernel, UnaryGrad) {
  for (int64_t kind = 0; kind < unaryKinds; ++kind)
    for (DType dtype : floatTypes)
      for (const Shape &shape : shapes)
        compare(KernelId::unary_grad, {filled(dtype, shape, 0.1, 0.9), filled(dtype, shape)}, {shape}, dtype, {kind},
                {0.7, 0.2});
  // Far from 0, where e^x leaves the range.
  compare(KernelId::unary_grad, {filled(DType::F32, {50}, -200, 200), filled(DType::F32, {50})}, {{50}}, DType::F32,
          {static_cast<int64_t>(UnaryKind::gelu_tanh)}, {1, 0});
  compare(KernelId::unary_grad, {filled(DType::F32, {50}, -200, 200), filled(DType::F32, {50})}, {{50}}, DType::F32,
          {static_cast<int64_t>(UnaryKind::silu)}, {1, 0});
}

TEST_F(TrainingKernel, WeightGrad) {
  for (DType dtype : {DType::F32, DType::BF16, DType::F16, DType::F64})
    for (const Shape &rows : {Shape{}, Shape{1}, Shape{5}, Shape{3, 7}, Shape{0}, Shape{2, 9, 4}}) {
      Shape a = rows, b = rows;
      a.push_back(6), b.push_back(19);
      compare(KernelId::weight_grad, {filled(dtype, a), filled(dtype, b)}, {{6, 19}}, dtype);
    }
}

TEST_F(TrainingKernel, SoftmaxGrad) {
  for (DType dtype : floatTypes)
    for (const Shape &shape : shapes)
      for (int64_t axis : {0, 1})
        for (int64_t log : {0, 1})
          compare(KernelId::softmax_grad, {filled(dtype, shape, 0, 0.5), filled(dtype, shape)}, {shape}, dtype,
                  {axis, log});
}

TEST_F(TrainingKernel, NormGrad) {
  for (DType dtype : floatTypes)
    for (const Shape &shape : shapes)
      for (int64_t centered : {0, 1}) {
        Shape row(shape.begin() + 1, shape.end());
        compare(KernelId::norm_grad, {filled(dtype, shape), filled(dtype, row), filled(dtype, shape)}, {shape}, dtype,
                {1, centered}, {0.1});
        compare(KernelId::norm_scale_grad, {filled(dtype, shape), filled(dtype, shape)}, {row}, dtype, {1, centered},
                {0.1});
      }
}

TEST_F(TrainingKernel, GatherGradAddsEqualIndicesAndLeavesOutOthers) {
  compare(KernelId::gather_grad, {indices({3, 7}, -9, 8), filled(DType::F32, {3, 7, 20})}, {{9, 20}}, DType::F32,
          {0, 0, 9});
  compare(KernelId::gather_grad, {indices({3, 7}, -9, 8), filled(DType::F32, {3, 7, 20})}, {{4, 20}}, DType::F32,
          {0, 3, 9});
  compare(KernelId::gather_grad, {indices({5}, 0, 6), filled(DType::F32, {4, 5, 3})}, {{4, 7, 3}}, DType::F32,
          {1, 0, 7});
  compare(KernelId::gather_grad, {indices({5}, 9, 9), filled(DType::F32, {5, 20})}, {{9, 20}}, DType::F32,
          {0, 0, 9}); // out of range
}

TEST_F(TrainingKernel, NarrowGatherGradRoundsEachSumOnce) {
  // 600 ones: a sum that were rounded to bf16 at each term would stop at 256.
  for (DType dtype : {DType::BF16, DType::F16}) {
    std::vector<Tensor> result = {tensor(dtype, {2, 8})};
    Tensor zeros = indices({600}, 0, 0), ones = filled(dtype, {600, 8}, 1, 1);
    ASSERT_TRUE(runInto(findCpuKernel(KernelId::gather_grad), {zeros, ones}, result, {0, 0, 2}, {}).ok());
    EXPECT_EQ(values(result[0])[0], 600);
    EXPECT_EQ(values(result[0])[8], 0);
  }
}

TEST_F(TrainingKernel, SliceGrad) {
  compare(KernelId::slice_grad, {filled(DType::F32, {3, 2, 5})}, {{3, 5, 9}}, DType::F32, {0, 1, 3, 1, 2, 1});
  compare(KernelId::slice_grad, {filled(DType::F32, {3, 2, 5})}, {{3, 5, 9}}, DType::F32, {0, 1, 8, 1, 2, -2});
  compare(KernelId::slice_grad, {filled(DType::F32, {0, 5})}, {{4, 5}}, DType::F32, {0, 0, 1, 1});
}

TEST_F(TrainingKernel, CrossEntropy) {
  for (double smoothing : {0.0, 0.1}) {
    Tensor logits = filled(DType::F32, {3, 5, 37}, -9, 9), labels = indices({3, 5}, -1, 36);
    compare(KernelId::cross_entropy, {logits, labels}, {{3, 5}, {3, 5}}, DType::F32, {-1}, {smoothing});
    Tensor lse = filled(DType::F32, {3, 5}, 9, 12), dloss = filled(DType::F32, {3, 5});
    compare(KernelId::cross_entropy_grad, {logits, labels, lse, dloss}, {{3, 5, 37}}, DType::F32, {-1, 0, 37},
            {smoothing});
    Tensor part = filled(DType::F32, {3, 5, 20}, -9, 9);
    compare(KernelId::cross_entropy_grad, {part, labels, lse, dloss}, {{3, 5, 20}}, DType::F32, {-1, 17, 37},
            {smoothing});
    compare(KernelId::cross_entropy, {logits, indices({3, 5}, 37, 37)}, {{3, 5}, {3, 5}}, DType::F32, {-1},
            {smoothing});                           // no such class
    for (DType dtype : {DType::BF16, DType::F16}) { // whose loss is f32
      Tensor narrow = filled(dtype, {3, 5, 37}, -9, 9);
      compare(KernelId::cross_entropy, {narrow, labels}, {{3, 5}, {3, 5}}, DType::F32, {-1}, {smoothing});
      compare(KernelId::cross_entropy_grad, {narrow, labels, lse, dloss}, {{3, 5, 37}}, dtype, {-1, 0, 37},
              {smoothing});
    }
  }
}

TEST_F(TrainingKernel, OptimizerSteps) {
  for (const Shape &shape : {Shape{}, Shape{5}, Shape{3, 41}, Shape{0, 2}})
    for (int64_t flag : {0, 1}) {
      auto scalar = [&](double value) { return tensor(DType::F32, {}, {value}); };
      std::vector<Tensor> inputs = {filled(DType::F32, shape), filled(DType::F32, shape), filled(DType::F32, shape)};
      inputs.push_back(filled(DType::F32, shape, 0, 1));
      for (double value : {0.01, 0.5, 3.0})
        inputs.push_back(scalar(value));
      compare(KernelId::adam, inputs, {shape, shape, shape}, DType::F32, {flag}, {0.9, 0.999, 1e-8, 0.1});
    }
}

} // namespace
} // namespace llmpar::rt::test
