//===- KernelAttentionTest.cpp - Attention by hand, and fast against reference ----===//
#include "KernelTesting.h"

#include "cpu/CpuKernels.h"

namespace llmpar::rt::test {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

TEST(ReferenceAttention, OfTwoKeysByHand) {
  // Scores 2 q k = 0, 2 ln 3 -> with the bias ln 1/3 of the second key: 0, ln 3; softmax 1/4, 3/4.
  double third = std::log(3.0);
  std::vector<Tensor> inputs = {tensor(DType::F64, {1, 1}, {third}), tensor(DType::F64, {2, 1}, {0, 1}),
                                tensor(DType::F64, {2, 2}, {4, 8, 0, 4}), tensor(DType::F64, {2}, {0, -third})};
  std::vector<Tensor> outputs = {tensor(DType::F64, {1, 2}), tensor(DType::F64, {1})};
  ASSERT_TRUE(runInto(findReferenceKernel(KernelId::attention), inputs, outputs, {0, 0}, {2, -infinity}).ok());
  EXPECT_NEAR(values(outputs[0])[0], 1, 1e-12);
  EXPECT_NEAR(values(outputs[0])[1], 5, 1e-12);
  EXPECT_NEAR(values(outputs[1])[0], std::log(4.0), 1e-12);
}

TEST(ReferenceAttention, RowWithoutKeysIsNanOrZero) {
  std::vector<Tensor> inputs = {tensor(DType::F32, {1, 1}, {1}), tensor(DType::F32, {2, 1}, {0, 1}),
                                tensor(DType::F32, {2, 1}, {4, 8}), tensor(DType::Bool, {1, 1}, {0})};
  for (KernelFn kernel : {findReferenceKernel(KernelId::attention), findCpuKernel(KernelId::attention)}) {
    std::vector<Tensor> outputs = {tensor(DType::F32, {1, 1}), tensor(DType::F32, {1})};
    ASSERT_TRUE(runInto(kernel, inputs, outputs, {0, 0}, {1, -infinity}).ok());
    EXPECT_TRUE(std::isnan(values(outputs[0])[0]));
    ASSERT_TRUE(runInto(kernel, inputs, outputs, {1, 0}, {1, -infinity}).ok());
    EXPECT_EQ(values(outputs[0])[0], 0);
  }
}

class AttentionKernel : public RandomTensors {
protected:
  Tensor coins(const Shape &shape) {
    Tensor t = tensor(DType::Bool, shape);
    for (int64_t i = 0, n = t.shape.elements(); i < n; ++i)
      store<int64_t>(t.view(), i, random() & 1);
    return t;
  }
  /// Query i may read keys up to i + keys - queries.
  Tensor causal(int64_t queries, int64_t keys) {
    Tensor t = tensor(DType::Bool, {queries, keys});
    for (int64_t i = 0; i < queries * keys; ++i)
      store<int64_t>(t.view(), i, i % keys <= i / keys + keys - queries);
    return t;
  }
  /// 0, or `below` for the first keys (padding on the left).
  Tensor padded(DType dtype, const Shape &shape, int64_t first, double below) {
    Tensor t = tensor(dtype, shape);
    for (int64_t i = 0, n = t.shape.elements(); i < n; ++i)
      store<double>(t.view(), i, i % shape.back() < first ? below : 0);
    return t;
  }
  static void expectEqual(const std::vector<Tensor> &actual, const std::vector<Tensor> &expected, double tolerance) {
    for (size_t k = 0; k < expected.size(); ++k) {
      std::vector<double> a = values(actual[k]), e = values(expected[k]);
      for (size_t i = 0; i < e.size(); ++i)
        if (!(std::isnan(a[i]) && std::isnan(e[i])) && a[i] != e[i])
          ASSERT_NEAR(a[i], e[i], tolerance * (1 + std::abs(e[i]))) << "result " << k << " at " << i;
    }
  }
  /// q, k, v, then masks. Compares the gradient too.
  void compare(std::vector<Tensor> inputs, std::vector<int64_t> ints = {0, 0}, double fill = -infinity,
               double slack = 1) {
    DType dtype = inputs[0].shape.dtype;
    Shape q(inputs[0].shape.shape().begin(), inputs[0].shape.shape().end()), y = q, rows(q.begin(), q.end() - 1);
    y.back() = inputs[2].shape.shape().back();
    std::vector<double> floats = {0.3, fill};
    double tolerance = slack * (dtype == DType::F32 ? 2e-5 : 3e-2);
    std::vector<Tensor> expected = {tensor(dtype, y), tensor(DType::F32, rows)}, actual = expected;
    ASSERT_TRUE(runInto(findReferenceKernel(KernelId::attention), inputs, expected, ints, floats).ok());
    ASSERT_TRUE(runInto(findCpuKernel(KernelId::attention), inputs, actual, ints, floats).ok());
    expectEqual(actual, expected, tolerance);
    std::vector<Tensor> gradInputs = {inputs[0], inputs[1], inputs[2], expected[0], expected[1], filled(dtype, y)};
    gradInputs.insert(gradInputs.end(), inputs.begin() + 3, inputs.end());
    std::vector<Tensor> wanted, given;
    for (int i : {0, 1, 2})
      wanted.push_back(tensor(dtype, Shape(inputs[i].shape.shape().begin(), inputs[i].shape.shape().end())));
    given = wanted;
    ASSERT_TRUE(runInto(findReferenceKernel(KernelId::attention_grad), gradInputs, wanted, ints, floats).ok());
    ASSERT_TRUE(runInto(findCpuKernel(KernelId::attention_grad), gradInputs, given, ints, floats).ok());
    expectEqual(given, wanted, slack * (dtype == DType::F32 ? 3e-4 : 3e-2));
  }
};

TEST_F(AttentionKernel, OfEveryExtent) {
  for (int64_t m : {0, 1, 3, 9, 70})
    for (int64_t n : {0, 1, 5, 300})
      compare({filled(DType::F32, {2, m, 16}), filled(DType::F32, {2, n, 16}), filled(DType::F32, {2, n, 20})});
}

TEST_F(AttentionKernel, OfNarrowTypes) {
  for (DType dtype : {DType::BF16, DType::F16})
    for (int64_t m : {1, 12})
      compare({filled(dtype, {2, m, 6}), filled(dtype, {2, 19, 6}), filled(dtype, {2, 19, 5}), filled(dtype, {m, 19})});
}

TEST_F(AttentionKernel, OfTransposedKeys) {
  for (int64_t m : {1, 66})
    compare({filled(DType::F32, {2, 2, m, 6}), filled(DType::F32, {2, 2, 6, 261}), filled(DType::F32, {2, 2, 261, 5})},
            {0, 1});
}

TEST_F(AttentionKernel, OfSharedKeys) {
  compare({filled(DType::F32, {2, 6, 10, 6}), filled(DType::F32, {2, 2, 9, 6}), filled(DType::F32, {2, 3 * 2, 9, 5})});
  compare({filled(DType::F32, {2, 6, 10, 6}), filled(DType::F32, {2, 1, 9, 6}), filled(DType::F32, {1, 2, 9, 5})});
}

TEST_F(AttentionKernel, UnderMasksOfEveryShape) {
  auto operands = [&] { // 3 heads of 67 queries and 300 keys
    return std::vector<Tensor>{filled(DType::F32, {2, 3, 67, 8}), filled(DType::F32, {2, 3, 300, 8}),
                               filled(DType::F32, {2, 3, 300, 7})};
  };
  for (const Shape &shape : {Shape{67, 300}, Shape{2, 1, 1, 300}, Shape{3, 67, 1}, Shape{1}, Shape{2, 3, 67, 300}}) {
    std::vector<Tensor> inputs = operands();
    inputs.push_back(filled(DType::F32, shape));
    compare(inputs);
    inputs.push_back(coins(shape));
    compare(inputs, {1, 0});
    compare(inputs, {0, 0}, -1.5);
    std::swap(inputs[3], inputs[4]);
    compare(inputs, {0, 0}, -1.5);
  }
}

/// Tiles of a causal mask, of padding on either side, with -inf or only a large number.
TEST_F(AttentionKernel, WhereWholeTilesAreForbidden) {
  Tensor q = filled(DType::F32, {2, 130, 8}), k = filled(DType::F32, {2, 530, 8}), v = filled(DType::F32, {2, 530, 8});
  for (double fill : {-infinity, -1e4, -0x1p127}) {
    double slack = fill == -1e4 ? 100 : 1; // -1e4 + score is rounded
    compare({q, k, v, causal(130, 530)}, {0, 0}, fill);
    compare({q, k, v, padded(DType::F32, {1, 530}, 450, fill)});
    compare({q, k, v, padded(DType::F32, {1, 530}, 450, fill), causal(130, 530)}, {0, 0}, fill, slack);
    compare({q, k, v, padded(DType::F32, {1, 530}, 530, fill)}, {1, 0}, 0, slack);
  }
}

} // namespace
} // namespace llmpar::rt::test
