//===- KernelReferenceTest.cpp - Small cases worked by hand -----*- C++ -*-===//
#include "KernelTesting.h"

#include <limits>

namespace llmpar::rt::test {
namespace {

using Values = std::vector<double>;
constexpr double inf = std::numeric_limits<double>::infinity();

Values reference(KernelId id, const std::vector<Tensor> &inputs, DType dtype, const Shape &shape,
                 const std::vector<int64_t> &ints = {}, const std::vector<double> &floats = {}) {
  return values(run(findReferenceKernel(id), inputs, dtype, shape, ints, floats));
}
Tensor f32(const Shape &shape, const Values &v) { return tensor(DType::F32, shape, v); }
Tensor i64(const Shape &shape, const Values &v) { return tensor(DType::I64, shape, v); }
Values f32Of(KernelId id, const std::vector<Tensor> &inputs, const Shape &shape, const std::vector<int64_t> &ints = {},
             const std::vector<double> &floats = {}) {
  return reference(id, inputs, DType::F32, shape, ints, floats);
}
double unaryOf(UnaryKind kind, double x, double a = 0, double b = 0, DType to = DType::F64) {
  return reference(KernelId::unary, {tensor(DType::F64, {1}, {x})}, to, {1}, {int64_t(kind)}, {a, b})[0];
}
double binaryOf(BinaryKind kind, DType dtype, double a, double b) {
  DType to = kind >= BinaryKind::equal ? DType::Bool : dtype;
  return reference(KernelId::binary, {tensor(dtype, {1}, {a}), tensor(dtype, {1}, {b})}, to, {1}, {int64_t(kind)})[0];
}

TEST(Kernel, NamesRoundTrip) {
  KernelId id{};
  EXPECT_TRUE(parseKernelId("matmul", id));
  EXPECT_EQ(id, KernelId::matmul);
  EXPECT_EQ(kernelName(KernelId::top_k), "top_k");
  EXPECT_FALSE(parseKernelId("matmull", id));
  EXPECT_EQ(findReferenceKernel(KernelId::all_reduce), nullptr);
  EXPECT_NE(findReferenceKernel(KernelId::copy), nullptr);
}

TEST(Reference, Unary) {
  EXPECT_EQ(unaryOf(UnaryKind::relu, -2), 0);
  EXPECT_NEAR(unaryOf(UnaryKind::gelu, 1), 0.8413447460685429, 1e-12);
  EXPECT_NEAR(unaryOf(UnaryKind::gelu_tanh, 1), 0.8411919906082768, 1e-12);
  EXPECT_NEAR(unaryOf(UnaryKind::silu, 2, 1), 1.7615941559557649, 1e-12);
  EXPECT_NEAR(unaryOf(UnaryKind::silu, 1, 1.702), 0.8457957659328212, 1e-12);
  EXPECT_NEAR(unaryOf(UnaryKind::softplus, 800), 800, 0);
  EXPECT_NEAR(unaryOf(UnaryKind::elu, -1, 2), 2 * std::expm1(-1), 1e-12);
  EXPECT_EQ(unaryOf(UnaryKind::hard_sigmoid, 1, 0.2, 0.5), 0.7);
  EXPECT_EQ(unaryOf(UnaryKind::round, 2.5), 2);
  EXPECT_EQ(unaryOf(UnaryKind::sign, -3), -1);
  EXPECT_EQ(unaryOf(UnaryKind::is_inf, -inf, 0, 1, DType::Bool), 0);
  EXPECT_EQ(unaryOf(UnaryKind::is_inf, inf, 0, 1, DType::Bool), 1);
  EXPECT_EQ(unaryOf(UnaryKind::is_nan, std::nan(""), 0, 0, DType::Bool), 1);
  auto boolNot = reference(KernelId::unary, {tensor(DType::Bool, {2}, {0, 1})}, DType::Bool, {2},
                           {int64_t(UnaryKind::logical_not)});
  EXPECT_EQ(boolNot, (Values{1, 0}));
  auto bitNot =
      reference(KernelId::unary, {tensor(DType::U8, {1}, {5})}, DType::U8, {1}, {int64_t(UnaryKind::bitwise_not)});
  EXPECT_EQ(bitNot, (Values{250}));
}

TEST(Reference, BinaryOfFloats) {
  EXPECT_EQ(binaryOf(BinaryKind::mod, DType::F32, -7, 3), 2);
  EXPECT_EQ(binaryOf(BinaryKind::fmod, DType::F32, -7, 3), -1);
  EXPECT_TRUE(std::isnan(binaryOf(BinaryKind::max, DType::F32, 1, std::nan(""))));
  EXPECT_EQ(binaryOf(BinaryKind::prelu, DType::F32, -2, 0.25), -0.5);
  EXPECT_EQ(binaryOf(BinaryKind::pow, DType::F32, 2, -1), 0.5);
  EXPECT_EQ(binaryOf(BinaryKind::less_equal, DType::F32, 2, 2), 1);
}

TEST(Reference, BinaryOfIntegers) {
  EXPECT_EQ(binaryOf(BinaryKind::div, DType::I32, -7, 2), -3);
  EXPECT_EQ(binaryOf(BinaryKind::div, DType::I32, 7, 0), 0);
  EXPECT_EQ(binaryOf(BinaryKind::mod, DType::I64, -7, 3), 2);
  EXPECT_EQ(binaryOf(BinaryKind::fmod, DType::I64, -7, 3), -1);
  EXPECT_EQ(binaryOf(BinaryKind::pow, DType::I32, 3, 4), 81);
  EXPECT_EQ(binaryOf(BinaryKind::add, DType::U8, 250, 10), 4);
  EXPECT_EQ(binaryOf(BinaryKind::shift_left, DType::U8, 3, 7), 128);
  EXPECT_EQ(binaryOf(BinaryKind::shift_right, DType::U32, 12, 2), 3);
}

TEST(Reference, BinaryKeepsSixtyFourBits) {
  Tensor a = tensor(DType::I64, {1}), b = tensor(DType::I64, {1}), u = tensor(DType::U64, {1}), v = u;
  store<int64_t>(a.view(), 0, (int64_t(1) << 53) + 1);
  store<int64_t>(b.view(), 0, 2);
  Tensor sum = run(findReferenceKernel(KernelId::binary), {a, b}, DType::I64, {1}, {int64_t(BinaryKind::add)});
  EXPECT_EQ(load<int64_t>(sum.view(), 0), (int64_t(1) << 53) + 3);
  store<uint64_t>(u.view(), 0, ~uint64_t(0));
  store<uint64_t>(v.view(), 0, ~uint64_t(0) - 1);
  Tensor more = run(findReferenceKernel(KernelId::binary), {u, v}, DType::Bool, {1}, {int64_t(BinaryKind::greater)});
  EXPECT_EQ(values(more), (Values{1}));
  Tensor most = run(findReferenceKernel(KernelId::binary), {u, v}, DType::U64, {1}, {int64_t(BinaryKind::min)});
  EXPECT_EQ(load<uint64_t>(most.view(), 0), ~uint64_t(0) - 1);
}

TEST(Reference, BinaryBroadcasts) {
  Tensor a = f32({2, 1}, {10, 20}), b = f32({3}, {1, 2, 3});
  EXPECT_EQ(f32Of(KernelId::binary, {a, b}, {2, 3}, {int64_t(BinaryKind::add)}), (Values{11, 12, 13, 21, 22, 23}));
  EXPECT_EQ(f32Of(KernelId::binary, {f32({0, 3}, {}), b}, {0, 3}, {int64_t(BinaryKind::add)}), Values{});
}

TEST(Reference, Select) {
  Tensor c = tensor(DType::Bool, {2, 1}, {1, 0}), a = f32({3}, {1, 2, 3}), b = f32({1}, {9});
  EXPECT_EQ(f32Of(KernelId::select, {c, a, b}, {2, 3}), (Values{1, 2, 3, 9, 9, 9}));
}

TEST(Reference, Cast) {
  Tensor x = f32({5}, {-1.5, 2.9, 0, 300, std::nan("")});
  EXPECT_EQ(reference(KernelId::cast, {x}, DType::I32, {5}), (Values{-1, 2, 0, 300, 0}));
  EXPECT_EQ(reference(KernelId::cast, {x}, DType::U8, {5}), (Values{255, 2, 0, 44, 0}));
  EXPECT_EQ(reference(KernelId::cast, {x}, DType::Bool, {5}), (Values{1, 1, 0, 1, 1}));
  EXPECT_EQ(reference(KernelId::cast, {f32({1}, {1.00390625})}, DType::BF16, {1}), (Values{1}));
  EXPECT_EQ(reference(KernelId::cast, {i64({2}, {-3, 7})}, DType::F16, {2}), (Values{-3, 7}));
}

TEST(Reference, Matmul) {
  Tensor a = f32({2, 3}, {1, 2, 3, 4, 5, 6}), b = f32({3, 2}, {1, 2, 3, 4, 5, 6});
  EXPECT_EQ(f32Of(KernelId::matmul, {a, b}, {2, 2}, {0, 0}), (Values{22, 28, 49, 64}));
  EXPECT_EQ(f32Of(KernelId::matmul, {b, a}, {2, 2}, {1, 1}), (Values{22, 49, 28, 64}));
  Tensor batch = f32({2, 1, 2}, {1, 0, 0, 1}), matrix = f32({2, 2}, {1, 2, 3, 4});
  EXPECT_EQ(f32Of(KernelId::matmul, {batch, matrix}, {2, 1, 2}, {0, 0}), (Values{1, 2, 3, 4}));
  EXPECT_EQ(f32Of(KernelId::matmul, {f32({2, 0}, {}), f32({0, 2}, {})}, {2, 2}, {0, 0}), (Values{0, 0, 0, 0}));
  Tensor integers = tensor(DType::U64, {1, 1});
  store<uint64_t>(integers.view(), 0, uint64_t(1) << 33);
  Tensor square = run(findReferenceKernel(KernelId::matmul), {integers, tensor(DType::U64, {1, 1}, {2})}, DType::U64,
                      {1, 1}, {0, 0});
  EXPECT_EQ(load<uint64_t>(square.view(), 0), uint64_t(1) << 34);
}

TEST(Reference, Reduce) {
  Tensor x = f32({2, 3}, {1, 2, 3, 4, 5, 6});
  EXPECT_EQ(f32Of(KernelId::reduce, {x}, {2}, {int64_t(ReduceKind::sum), 0, 1}), (Values{6, 15}));
  EXPECT_EQ(f32Of(KernelId::reduce, {x}, {1, 3}, {int64_t(ReduceKind::prod), 1, 0}), (Values{4, 10, 18}));
  EXPECT_EQ(f32Of(KernelId::reduce, {x}, {}, {int64_t(ReduceKind::max), 0, 0, -1}), (Values{6}));
  Tensor none = f32({0, 2}, {});
  EXPECT_EQ(f32Of(KernelId::reduce, {none}, {2}, {int64_t(ReduceKind::sum), 0, 0}), (Values{0, 0}));
  EXPECT_EQ(f32Of(KernelId::reduce, {none}, {2}, {int64_t(ReduceKind::max), 0, 0}), (Values{-inf, -inf}));
  EXPECT_EQ(reference(KernelId::reduce, {tensor(DType::I8, {0}, {})}, DType::I8, {}, {int64_t(ReduceKind::min), 0, 0}),
            (Values{127}));
}

TEST(Reference, Softmax) {
  Tensor x = tensor(DType::F64, {2, 2}, {0, std::log(3), 1000, 1000});
  Values y = reference(KernelId::softmax, {x}, DType::F64, {2, 2}, {1, 0});
  EXPECT_NEAR(y[0], 0.25, 1e-12);
  EXPECT_NEAR(y[3], 0.5, 1e-12);
  Values columns = reference(KernelId::softmax, {x}, DType::F64, {2, 2}, {0, 1});
  EXPECT_NEAR(columns[0], -1000, 1e-9);
  EXPECT_NEAR(columns[2], 0, 1e-9);
}

TEST(Reference, Normalizations) {
  Tensor x = f32({2, 2}, {1, 3, 2, 2}), scale = f32({2}, {1, 10}), bias = f32({2}, {0, 1});
  EXPECT_EQ(f32Of(KernelId::layer_norm, {x, scale, bias}, {2, 2}, {1}, {0}).at(1), 11);
  EXPECT_EQ(f32Of(KernelId::layer_norm, {x, scale}, {2, 2}, {-1}, {1}).at(2), 0);
  Values rms = f32Of(KernelId::rms_norm, {f32({1, 2}, {3, 4}), scale}, {1, 2}, {1}, {0});
  EXPECT_NEAR(rms[1], 40 / std::sqrt(12.5), 1e-5);
}

TEST(Reference, Rotary) {
  // A quarter turn, and one by the angle of 3, 4, 5; behind the pairs a 9. The second row is not turned.
  Tensor x = f32({2, 5}, {1, 2, 3, 4, 9, 1, 2, 3, 4, 9}), cos = f32({2, 2}, {0, 0.6, 1, 1}),
         sin = f32({2, 2}, {1, 0.8, 0, 0});
  auto expectTurned = [&](int64_t interleaved, const Values &first) {
    Values turned = f32Of(KernelId::rotary, {x, cos, sin}, {2, 5}, {interleaved});
    for (size_t i = 0; i < 5; ++i) {
      EXPECT_NEAR(turned[i], first[i], 1e-6) << i;
      EXPECT_EQ(turned[5 + i], values(x)[5 + i]) << i;
    }
  };
  expectTurned(0, {-3, 2 * 0.6 - 4 * 0.8, 1, 4 * 0.6 + 2 * 0.8, 9});
  expectTurned(1, {-2, 1, 3 * 0.6 - 4 * 0.8, 4 * 0.6 + 3 * 0.8, 9});
  Tensor heads = f32({1, 2, 2}, {1, 0, 0, 1}); // one angle for both
  EXPECT_EQ(f32Of(KernelId::rotary, {heads, f32({1}, {0}), f32({1}, {1})}, {1, 2, 2}, {0}), (Values{0, 1, -1, 0}));
  EXPECT_EQ(f32Of(KernelId::rotary, {f32({1, 3}, {1, 2, 3}), f32({0}, {}), f32({0}, {})}, {1, 3}, {0}),
            (Values{1, 2, 3}));
}

TEST(Reference, GatherReadsTheLocalShard) {
  Tensor data = f32({2, 2}, {1, 2, 3, 4}), indices = i64({3}, {0, 3, -2}); // rows 2 and 3 of five
  EXPECT_EQ(f32Of(KernelId::gather, {data, indices}, {3, 2}, {0, 2, 5}), (Values{0, 0, 3, 4, 3, 4}));
  EXPECT_EQ(f32Of(KernelId::gather, {data, i64({1}, {1})}, {2, 1}, {1, 0, 2}), (Values{2, 4}));
}

TEST(Reference, GatherRefusesAnIndexOutOfRange) {
  std::vector<Tensor> y = {tensor(DType::F32, {1, 2})};
  Status status =
      runInto(findReferenceKernel(KernelId::gather), {f32({2, 2}, {1, 2, 3, 4}), i64({1}, {5})}, y, {0, 2, 5});
  EXPECT_EQ(status.code(), Code::Invalid);
  EXPECT_EQ(status.message(), "gather: index 5 is outside [-5, 5)");
}

TEST(Reference, GatherElementsAndNd) {
  Tensor data = f32({2, 2}, {1, 2, 3, 4});
  EXPECT_EQ(f32Of(KernelId::gather_elements, {data, i64({2, 2}, {0, 0, -1, 0})}, {2, 2}, {1}), (Values{1, 1, 4, 3}));
  EXPECT_EQ(f32Of(KernelId::gather_nd, {data, i64({2, 2}, {0, 0, 1, 1})}, {2}, {0}), (Values{1, 4}));
  EXPECT_EQ(f32Of(KernelId::gather_nd, {data, i64({1, 1}, {1})}, {1, 2}, {0}), (Values{3, 4}));
  EXPECT_EQ(f32Of(KernelId::gather_nd, {data, i64({2, 1}, {1, 0})}, {2}, {1}), (Values{2, 3}));
}

TEST(Reference, Scatter) {
  Tensor data = f32({4}, {1, 2, 3, 4}), indices = i64({2, 1}, {3, 3}), updates = f32({2}, {10, 20});
  EXPECT_EQ(f32Of(KernelId::scatter_nd, {data, indices, updates}, {4}, {0}), (Values{1, 2, 3, 20}));
  EXPECT_EQ(f32Of(KernelId::scatter_nd, {data, indices, updates}, {4}, {1}), (Values{1, 2, 3, 34}));
  EXPECT_EQ(f32Of(KernelId::scatter_nd, {data, indices, updates}, {4}, {4}), (Values{1, 2, 3, 20}));
  Tensor square = f32({2, 2}, {1, 2, 3, 4}), row = i64({1, 2}, {1, 0}), two = f32({1, 2}, {5, 6});
  EXPECT_EQ(f32Of(KernelId::scatter_elements, {square, row, two}, {2, 2}, {0, 0}), (Values{1, 6, 5, 4}));
  EXPECT_EQ(f32Of(KernelId::scatter_elements, {square, row, two}, {2, 2}, {0, 2}), (Values{1, 12, 15, 4}));
}

TEST(Reference, TransposeReshapeBroadcast) {
  Tensor x = f32({1, 2, 3}, {1, 2, 3, 4, 5, 6});
  EXPECT_EQ(f32Of(KernelId::transpose, {x}, {3, 1, 2}, {2, 0, 1}), (Values{1, 4, 2, 5, 3, 6}));
  EXPECT_EQ(f32Of(KernelId::reshape, {x}, {6}), (Values{1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(f32Of(KernelId::broadcast, {f32({2, 1}, {1, 2})}, {2, 2, 2}), (Values{1, 1, 2, 2, 1, 1, 2, 2}));
  EXPECT_EQ(f32Of(KernelId::broadcast, {f32({1}, {1})}, {0, 2}), Values{});
}

TEST(Reference, SliceConcatPad) {
  Tensor x = f32({2, 3}, {1, 2, 3, 4, 5, 6});
  EXPECT_EQ(f32Of(KernelId::slice, {x}, {1, 2}, {1, 2, 1, -2}), (Values{6, 4}));
  EXPECT_EQ(f32Of(KernelId::concat, {x, f32({2, 0}, {}), f32({2, 1}, {7, 8})}, {2, 4}, {1}),
            (Values{1, 2, 3, 7, 4, 5, 6, 8}));
  Tensor row = f32({3}, {1, 2, 3});
  EXPECT_EQ(f32Of(KernelId::pad, {row}, {6}, {0, 1}, {9}), (Values{9, 1, 2, 3, 9, 9}));
  EXPECT_EQ(f32Of(KernelId::pad, {row}, {7}, {1, 2}, {0}), (Values{3, 2, 1, 2, 3, 2, 1}));
  EXPECT_EQ(f32Of(KernelId::pad, {row}, {6}, {2, 1}, {0}), (Values{1, 1, 2, 3, 3, 3}));
  EXPECT_EQ(f32Of(KernelId::pad, {row}, {6}, {3, 1}, {0}), (Values{3, 1, 2, 3, 1, 2}));
}

TEST(Reference, Iota) {
  EXPECT_EQ(reference(KernelId::iota, {}, DType::I64, {2, 2}, {1, 10, 5, -1}, {0, 0}), (Values{-5, -6, -5, -6}));
  EXPECT_EQ(f32Of(KernelId::iota, {}, {3}, {0, 1, 0, 0}, {0.5, 0.25}), (Values{0.75, 1, 1.25}));
}

TEST(Reference, Conv) {
  Tensor x = f32({1, 1, 3}, {1, 2, 3}), w = f32({1, 1, 2}, {1, 10}), bias = f32({1}, {100});
  EXPECT_EQ(f32Of(KernelId::conv, {x, w}, {1, 1, 2}, {1, 1, 0, 0, 1}), (Values{21, 32}));
  EXPECT_EQ(f32Of(KernelId::conv, {x, w, bias}, {1, 1, 2}, {1, 2, 1, 0, 1}), (Values{110, 132}));
  EXPECT_EQ(f32Of(KernelId::conv, {x, w}, {1, 1, 1}, {1, 1, 0, 0, 2}), (Values{31}));
  Tensor two = f32({1, 2, 1}, {1, 2}), depthwise = f32({2, 1, 1}, {3, 5});
  EXPECT_EQ(f32Of(KernelId::conv, {two, depthwise}, {1, 2, 1}, {2, 1, 0, 0, 1}), (Values{3, 10}));
}

TEST(Reference, Pool) {
  Tensor x = f32({1, 1, 3}, {1, 2, 6});
  auto pooled = [&](int64_t kind, const Shape &shape, int64_t padBegin, int64_t padEnd) {
    return f32Of(KernelId::pool, {x}, shape, {kind, 2, 1, padBegin, padEnd, 1});
  };
  EXPECT_EQ(pooled(0, {1, 1, 2}, 0, 0), (Values{2, 6}));
  EXPECT_EQ(pooled(1, {1, 1, 3}, 1, 0), (Values{1, 1.5, 4}));
  EXPECT_EQ(pooled(2, {1, 1, 3}, 1, 0), (Values{0.5, 1.5, 4}));
}

TEST(Reference, TopKArgReduceCumsum) {
  Tensor x = f32({1, 5}, {3, 1, 3, 2, 1});
  std::vector<Tensor> y = {tensor(DType::F32, {1, 3}), tensor(DType::I64, {1, 3})};
  ASSERT_TRUE(runInto(findReferenceKernel(KernelId::top_k), {x}, y, {1, 1}).ok());
  EXPECT_EQ(values(y[0]), (Values{3, 3, 2}));
  EXPECT_EQ(values(y[1]), (Values{0, 2, 3}));
  ASSERT_TRUE(runInto(findReferenceKernel(KernelId::top_k), {x}, y, {1, 0}).ok());
  EXPECT_EQ(values(y[1]), (Values{1, 4, 3}));
  EXPECT_EQ(reference(KernelId::arg_reduce, {x}, DType::I64, {1}, {1, 0, 1, 0}), (Values{0}));
  EXPECT_EQ(reference(KernelId::arg_reduce, {x}, DType::I64, {1}, {1, 0, 1, 1}), (Values{2}));
  EXPECT_EQ(reference(KernelId::arg_reduce, {x}, DType::I64, {1, 1}, {1, 1, 0, 1}), (Values{4}));
  EXPECT_EQ(f32Of(KernelId::cumsum, {x}, {1, 5}, {1, 0, 0}), (Values{3, 4, 7, 9, 10}));
  EXPECT_EQ(f32Of(KernelId::cumsum, {x}, {1, 5}, {1, 1, 1}), (Values{7, 6, 3, 1, 0}));
}

} // namespace
} // namespace llmpar::rt::test
