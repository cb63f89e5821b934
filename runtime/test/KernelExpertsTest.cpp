//===- KernelExpertsTest.cpp - experts, by hand and against the reference --===//
#include "KernelTesting.h"

#include "core/CheckRecord.h"
#include "cpu/CpuKernels.h"

#include <limits>

namespace llmpar::rt::test {
namespace {

using Values = std::vector<double>;
constexpr auto relu = static_cast<int64_t>(UnaryKind::relu), silu = static_cast<int64_t>(UnaryKind::silu);

Tensor f32(const Shape &shape, const Values &values) { return tensor(DType::F32, shape, values); }

Tensor uniform(DType dtype, const Shape &shape, std::mt19937 &random) {
  Tensor t = tensor(dtype, shape);
  std::uniform_real_distribution<double> value(-1, 1);
  for (int64_t i = 0; i < t.shape.elements(); ++i)
    store<double>(t.view(), i, value(random));
  return t;
}

/// Every token goes to `k` of the experts.
Tensor routing(DType dtype, const Shape &shape, int64_t k, std::mt19937 &random) {
  Tensor t = uniform(dtype, shape, random);
  int64_t experts = shape.back();
  for (int64_t i = 0; i < t.shape.elements(); ++i)
    if ((i % experts + i / experts) % experts >= k)
      store<double>(t.view(), i, 0);
  return t;
}

TEST(ReferenceExperts, AddsWhatTheChosenExpertsGive) {
  // Two tokens of one feature; expert 0 doubles, expert 1 takes the negative part away and triples.
  Tensor x = f32({2, 1}, {5, -1}), weights = f32({2, 2}, {0.5, 0.25, 0, 1});
  Tensor up = f32({2, 1, 1}, {2, 1}), down = f32({2, 1, 1}, {1, 3});
  for (KernelFn kernel : {findReferenceKernel(KernelId::experts), findCpuKernel(KernelId::experts)})
    EXPECT_EQ(values(run(kernel, {x, weights, up, down}, DType::F32, {2, 1}, {relu}, {1, 0})),
              (Values{0.5 * 10 + 0.25 * 15, 0}));
}

TEST(ReferenceExperts, AGateGoesThroughTheFunctionAndMultiplies) {
  Tensor x = f32({1, 1}, {2}), weights = f32({1, 1}, {1});
  Tensor up = f32({1, 1, 1}, {-5}), down = f32({1, 2, 1}, {1, 10}), gate = f32({1, 1, 1}, {3});
  for (KernelFn kernel : {findReferenceKernel(KernelId::experts), findCpuKernel(KernelId::experts)})
    EXPECT_EQ(values(run(kernel, {x, weights, up, down, gate}, DType::F32, {1, 2}, {relu}, {1, 0})), (Values{-60, -600}));
}

TEST(ReferenceExperts, AnExpertThatIsNotChosenAddsNothingWhateverItHolds) {
  double nan = std::numeric_limits<double>::quiet_NaN();
  Tensor x = f32({1, 1}, {2}), weights = f32({1, 2}, {1, 0});
  Tensor up = f32({2, 1, 1}, {3, nan}), down = f32({2, 1, 1}, {1, nan});
  for (KernelFn kernel : {findReferenceKernel(KernelId::experts), findCpuKernel(KernelId::experts)})
    EXPECT_EQ(values(run(kernel, {x, weights, up, down}, DType::F32, {1, 1}, {relu}, {1, 0})), (Values{6}));
}

TEST(ReferenceExperts, AWeightThatIsNaNIsNotZero) {
  Tensor x = f32({1, 1}, {2}), weights = f32({1, 1}, {std::numeric_limits<double>::quiet_NaN()});
  Tensor up = f32({1, 1, 1}, {3}), down = f32({1, 1, 1}, {1});
  for (KernelFn kernel : {findReferenceKernel(KernelId::experts), findCpuKernel(KernelId::experts)})
    EXPECT_TRUE(std::isnan(values(run(kernel, {x, weights, up, down}, DType::F32, {1, 1}, {relu}, {1, 0}))[0]));
}

TEST(CheckExperts, CallsThatHaveNoMeaningAreRefused) {
  Tensor x = tensor(DType::F32, {2, 3}), weights = tensor(DType::F32, {2, 4}), up = tensor(DType::F32, {4, 5, 3}),
         down = tensor(DType::F32, {4, 6, 5}), y = tensor(DType::F32, {2, 6});
  auto message = [&](const std::vector<Tensor> &inputs, const Tensor &result, int64_t kind = relu) {
    std::vector<TensorView> in, out{result.view()};
    for (const Tensor &input : inputs)
      in.push_back(input.view());
    std::vector<int64_t> ints{kind};
    std::vector<double> floats{1, 0};
    return checkKernel(KernelId::experts, {in, out, ints, floats});
  };
  EXPECT_EQ(message({x, weights, up, down}, y), "");
  EXPECT_EQ(message({x, weights, up, down}, y, -1), "unknown kind -1");
  EXPECT_EQ(message({x, weights, up, down}, x), "the result is 2x3xf32, expected 2x6xf32");
  EXPECT_EQ(message({x, tensor(DType::F64, {2, 4}), up, down}, y), "operands are 2x3xf32 and 2x4xf64: one float type expected");
  EXPECT_EQ(message({x, tensor(DType::F32, {3, 4}), up, down}, y), "routing is 3x4xf32, not of the tokens of 2x3xf32");
  EXPECT_EQ(message({x, weights, up, up}, y), "weights 4x5x3xf32 and 4x5x3xf32 do not fit 2x3xf32 and 2x4xf32");
  EXPECT_EQ(message({x, weights, x, down}, y), "operands are 2x3xf32, 2x4xf32, 2x3xf32 and 4x6x5xf32");
  EXPECT_EQ(message({x, weights, up, down, down}, y), "the gate is 4x6x5xf32, expected 4x5x3xf32");
}

struct Extents {
  Shape tokens;
  int64_t experts, features, inner, width, k;
};

TEST(CpuExperts, AgreeWithTheReference) {
  std::mt19937 random(11);
  for (DType dtype : {DType::F32, DType::BF16, DType::F16, DType::F64})
    for (const Extents &e : {Extents{{3, 5}, 4, 7, 9, 6, 2},        // few rows an expert
                             Extents{{40}, 3, 17, 33, 18, 1},       // more, and a rest
                             Extents{{600}, 2, 5, 3, 4, 2},         // more than a block
                             Extents{{4}, 0, 5, 3, 4, 0},           // a rank without experts
                             Extents{{4}, 2, 5, 0, 4, 1},           // or without a part of what is inside
                             Extents{{0}, 2, 5, 3, 4, 1}})          // or without tokens
      for (bool isGated : {false, true}) {
        auto of = [](Shape shape, int64_t last) { return shape.push_back(last), shape; };
        std::vector<Tensor> inputs = {uniform(dtype, of(e.tokens, e.features), random),
                                      routing(dtype, of(e.tokens, e.experts), e.k, random),
                                      uniform(dtype, {e.experts, e.inner, e.features}, random),
                                      uniform(dtype, {e.experts, e.width, e.inner}, random)};
        if (isGated)
          inputs.push_back(uniform(dtype, {e.experts, e.inner, e.features}, random));
        Shape result = of(e.tokens, e.width);
        Values expected = values(run(findReferenceKernel(KernelId::experts), inputs, dtype, result, {silu}, {1, 0}));
        Values actual = values(run(findCpuKernel(KernelId::experts), inputs, dtype, result, {silu}, {1, 0}));
        double largest = 1;
        for (double value : expected)
          largest = std::max(largest, std::abs(value));
        double tolerance = largest * (dtype == DType::BF16 ? 3e-2 : dtype == DType::F16 ? 4e-3 : 1e-5);
        for (size_t i = 0; i < expected.size(); ++i)
          ASSERT_NEAR(actual[i], expected[i], tolerance) << static_cast<int>(dtype) << " element " << i;
      }
}

} // namespace
} // namespace llmpar::rt::test
