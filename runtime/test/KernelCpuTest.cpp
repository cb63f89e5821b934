//===- KernelCpuTest.cpp - Fast kernels against reference ones --*- C++ -*-===//
//
// Random shapes with odd, unit and empty extents. Movement of elements and
// integers must be equal; floats agree within a tolerance.
//
//===----------------------------------------------------------------------===//
#include "KernelTesting.h"

#include "cpu/CpuKernels.h"
#include "cpu/PackedMatmul.h"

#include <thread>

namespace llmpar::rt::test {
namespace {

class CpuKernel : public ::testing::Test {
protected:
  std::mt19937 random{7};

  int64_t uniform(int64_t low, int64_t high) { return std::uniform_int_distribution<int64_t>(low, high)(random); }
  /// Mostly small, sometimes longer than a vector, rarely 0.
  int64_t extent() {
    int64_t choice = uniform(0, 29);
    return choice == 0 ? 0 : choice < 6 ? 1 : choice < 24 ? uniform(2, 7) : uniform(15, 70);
  }
  Shape shape(int64_t rank) {
    Shape s(static_cast<size_t>(rank));
    for (int64_t &e : s)
      e = extent();
    return s;
  }
  /// A shape that broadcasts to `to`.
  Shape broadcastable(const Shape &to) {
    Shape s(to.begin() + uniform(0, static_cast<int64_t>(to.size())), to.end());
    for (int64_t &e : s)
      if (uniform(0, 2) == 0)
        e = 1;
    return s;
  }
  Tensor filled(DType dtype, const Shape &s, double low = -3, double high = 3) {
    Tensor t = tensor(dtype, s);
    std::uniform_real_distribution<double> value(low, high);
    for (int64_t i = 0, n = t.shape.elements(); i < n; ++i)
      store<double>(t.view(), i, dtype == DType::Bool ? double(uniform(0, 1)) : value(random));
    return t;
  }
  static double toleranceOf(DType dtype) {
    return dtype == DType::BF16 ? 8e-3 : dtype == DType::F16 ? 1e-3 : dtype == DType::F32 ? 1e-6 : 0;
  }
  /// Both kernels on the same operands; `scale` widens the tolerance for long sums.
  void compare(KernelId id, const std::vector<Tensor> &inputs, DType dtype, const Shape &to,
               const std::vector<int64_t> &ints = {}, const std::vector<double> &floats = {}, double scale = 1) {
    Tensor expected = run(findReferenceKernel(id), inputs, dtype, to, ints, floats);
    Tensor actual = run(findCpuKernel(id), inputs, dtype, to, ints, floats);
    expectNear(actual, expected, toleranceOf(dtype) * scale, std::string(kernelName(id)));
  }
  void expectNear(const Tensor &actual, const Tensor &expected, double tolerance, const std::string &what) {
    Values a = values(actual), e = values(expected);
    for (size_t i = 0; i < e.size(); ++i) {
      if (std::isnan(e[i]) && std::isnan(a[i]))
        continue;
      bool near = a[i] == e[i] || std::fabs(a[i] - e[i]) <= tolerance * std::max(1.0, std::fabs(e[i]));
      ASSERT_TRUE(near) << what << " of " << dtypeName(expected.shape.dtype) << ", element " << i << " of " << e.size()
                        << ": " << a[i] << ", expected " << e[i];
    }
  }
  using Values = std::vector<double>;
};

constexpr DType floatTypes[] = {DType::F32, DType::BF16, DType::F16};
constexpr DType sizes[] = {DType::Bool, DType::BF16, DType::F32, DType::I64};

TEST_F(CpuKernel, EveryUnaryKind) {
  for (int64_t kind = 0; kind < unaryKinds; ++kind)
    for (DType dtype : {DType::F32, DType::BF16, DType::F16, DType::F64, DType::I32}) {
      SCOPED_TRACE("kind " + std::to_string(kind));
      auto k = static_cast<UnaryKind>(kind);
      bool toBool = k == UnaryKind::logical_not || k == UnaryKind::is_nan || k == UnaryKind::is_inf;
      bool positive = k == UnaryKind::log || k == UnaryKind::sqrt || k == UnaryKind::rsqrt;
      Shape s = {uniform(1, 9), uniform(100, 300)};
      Tensor x = positive ? filled(dtype, s, 1e-3, 50) : filled(dtype, s, -8, 8);
      // The last one is -log(1 - x^2) / 2 and 1/x: steep.
      compare(KernelId::unary, {x}, toBool ? DType::Bool : dtype, s, {kind}, {0.7, 0.4}, 4);
    }
}

TEST_F(CpuKernel, UnaryToMasks) {
  constexpr double inf = std::numeric_limits<double>::infinity();
  Tensor x = tensor(DType::F32, {6}, {0, std::nan(""), inf, -inf, 1, -std::nan("")}), mask = filled(DType::Bool, {77});
  compare(KernelId::unary, {x}, DType::Bool, {6}, {int64_t(UnaryKind::is_nan)}, {0, 0});
  for (UnaryKind kind : {UnaryKind::logical_not, UnaryKind::bitwise_not})
    compare(KernelId::unary, {mask}, DType::Bool, {77}, {int64_t(kind)}, {0, 0});
}

TEST_F(CpuKernel, UnaryAtTheEdges) {
  constexpr double inf = std::numeric_limits<double>::infinity();
  std::vector<double> edges = {0,    -0.0, inf,  -inf,  std::nan(""), 88.7,   89.5,   -87.5, -95,
                               -103, -110, 1e30, -1e30, 1e-30,        -1e-30, 1e-42,  0.625, -0.9277,
                               0.5,  20,   -20,  5,     -5,           3.4e38, -3.4e38};
  Shape s = {static_cast<int64_t>(edges.size())};
  for (UnaryKind kind : {UnaryKind::exp, UnaryKind::log, UnaryKind::tanh, UnaryKind::sigmoid, UnaryKind::erf,
                         UnaryKind::relu, UnaryKind::gelu, UnaryKind::silu, UnaryKind::softplus, UnaryKind::elu,
                         UnaryKind::sign, UnaryKind::hard_sigmoid, UnaryKind::round, UnaryKind::sqrt}) {
    SCOPED_TRACE("kind " + std::to_string(int64_t(kind)));
    compare(KernelId::unary, {tensor(DType::F32, s, edges)}, DType::F32, s, {int64_t(kind)}, {1, 1});
  }
}

TEST_F(CpuKernel, ExpIsAccurateRelatively) {
  Tensor x = filled(DType::F32, {20000}, -86, 88);
  Tensor y = run(findCpuKernel(KernelId::unary), {x}, DType::F32, {20000}, {int64_t(UnaryKind::exp)}, {0, 0});
  Values from = values(x), to = values(y);
  for (size_t i = 0; i < from.size(); ++i)
    ASSERT_NEAR(to[i] / std::exp(from[i]), 1, 2e-7) << from[i];
}

TEST_F(CpuKernel, EveryBinaryKindBroadcast) {
  for (int64_t kind = 0; kind < binaryKinds; ++kind)
    for (int round = 0; round < 12; ++round)
      for (DType dtype :
           {DType::F32, DType::BF16, DType::F16, DType::F64, DType::I32, DType::I64, DType::U8, DType::Bool}) {
        SCOPED_TRACE("kind " + std::to_string(kind));
        auto k = static_cast<BinaryKind>(kind);
        bool bits = k == BinaryKind::bit_and || k == BinaryKind::bit_or || k == BinaryKind::bit_xor;
        bool shifts = k == BinaryKind::shift_left || k == BinaryKind::shift_right;
        bool compares = k >= BinaryKind::equal;
        if (((bits || shifts) && isFloat(dtype)) || (dtype == DType::Bool && !bits && !compares))
          continue;
        Shape to = shape(uniform(0, 4)), a = round % 2 ? broadcastable(to) : to, b = round % 2 ? to : broadcastable(to);
        double low = k == BinaryKind::pow || dtype == DType::U8 || shifts ? 0.5 : -6;
        compare(KernelId::binary, {filled(dtype, a, low, 6), filled(dtype, b, low, 6)}, compares ? DType::Bool : dtype,
                to, {kind}, {}, 2);
      }
}

TEST_F(CpuKernel, BinaryOnLongRows) {
  for (DType dtype : floatTypes) {
    Shape to = {3, 2500};
    Tensor matrix = filled(dtype, to), row = filled(dtype, {2500}), column = filled(dtype, {3, 1}),
           one = filled(dtype, {});
    for (BinaryKind kind : {BinaryKind::add, BinaryKind::min, BinaryKind::less})
      for (const Tensor &other : {matrix, row, column, one}) {
        DType result = kind == BinaryKind::less ? DType::Bool : dtype;
        compare(KernelId::binary, {matrix, other}, result, to, {int64_t(kind)});
        compare(KernelId::binary, {other, matrix}, result, to, {int64_t(kind)});
      }
  }
}

TEST_F(CpuKernel, Select) {
  for (int round = 0; round < 100; ++round)
    for (DType dtype : sizes) {
      Shape to = shape(uniform(0, 4));
      Shape a = uniform(0, 1) ? to : broadcastable(to), b = uniform(0, 1) ? to : broadcastable(to),
            c = a == to || b == to ? broadcastable(to) : to;
      compare(KernelId::select, {filled(DType::Bool, c), filled(dtype, a), filled(dtype, b)}, dtype, to);
    }
}

TEST_F(CpuKernel, CastBetweenAllTypes) {
  for (int from = 0; from < dtypeCount; ++from)
    for (int to = 0; to < dtypeCount; ++to) {
      Tensor x = filled(DType(from), {77}, from >= int(DType::U8) ? 0 : -100, 100);
      Tensor expected = run(findReferenceKernel(KernelId::cast), {x}, DType(to), {77});
      expectNear(run(findCpuKernel(KernelId::cast), {x}, DType(to), {77}), expected, 0, "cast");
    }
}

TEST_F(CpuKernel, CastOfEveryHalf) {
  for (DType dtype : {DType::F16, DType::BF16}) {
    Tensor all = tensor(dtype, {65536}), floats = tensor(DType::F32, {65536});
    for (int i = 0; i < 65536; ++i) {
      all.view().as<uint16_t>()[i] = static_cast<uint16_t>(i);
      uint32_t bits = static_cast<uint32_t>(random());
      std::memcpy(floats.view().as<float>() + i, &bits, 4);
    }
    compare(KernelId::cast, {all}, DType::F32, {65536});
    Tensor expected = run(findReferenceKernel(KernelId::cast), {floats}, dtype, {65536});
    expectNear(run(findCpuKernel(KernelId::cast), {floats}, dtype, {65536}), expected, 0, "cast");
    Tensor near = filled(DType::F32, {65536}, -1e-4, 1e-4); // subnormals of f16
    expected = run(findReferenceKernel(KernelId::cast), {near}, dtype, {65536});
    expectNear(run(findCpuKernel(KernelId::cast), {near}, dtype, {65536}), expected, 0, "cast");
  }
}

TEST_F(CpuKernel, MatmulOfRandomShapes) {
  for (int round = 0; round < 150; ++round)
    for (DType dtype : {DType::F32, DType::BF16, DType::F16, DType::I32}) {
      Shape batch = shape(uniform(0, 3));
      for (int64_t &e : batch)
        e = std::min<int64_t>(e, 4);
      Shape a = uniform(0, 1) ? batch : broadcastable(batch), b = a == batch ? broadcastable(batch) : batch, y = batch;
      int64_t m = extent(), n = extent(), k = extent(), ta = uniform(0, 1), tb = uniform(0, 1);
      a.insert(a.end(), {ta ? k : m, ta ? m : k});
      b.insert(b.end(), {tb ? n : k, tb ? k : n});
      y.insert(y.end(), {m, n});
      SCOPED_TRACE(testing::Message() << "m " << m << " n " << n << " k " << k << " transposed " << ta << tb);
      compare(KernelId::matmul, {filled(dtype, a, -1, 1), filled(dtype, b, -1, 1)}, dtype, y, {ta, tb}, {}, 8);
    }
}

TEST_F(CpuKernel, NarrowMatmulOfSeveralBlocks) { // of 1024
  for (DType dtype : {DType::BF16, DType::F16})
    for (auto [m, n, k] : {std::array<int64_t, 3>{1030, 9, 33}, {12, 1040, 17}, {11, 13, 2050}})
      for (int64_t transposed : {0, 1, 2, 3}) {
        int64_t ta = transposed & 1, tb = transposed >> 1;
        compare(KernelId::matmul,
                {filled(dtype, ta ? Shape{k, m} : Shape{m, k}, -0.1, 0.1),
                 filled(dtype, tb ? Shape{n, k} : Shape{k, n}, -0.1, 0.1)},
                dtype, {m, n}, {ta, tb}, {}, 8);
      }
}

TEST_F(CpuKernel, PackedMatmul) {
  for (DType dtype : {DType::F32, DType::BF16})
    for (int64_t m : {1, 2, 3, 4, 5, 8, 33})
      for (int64_t tb : {0, 1}) {
        int64_t n = uniform(1, 90), k = uniform(1, 90);
        Tensor a = filled(dtype, {1, m, k}, -1, 1), b = filled(dtype, tb ? Shape{n, k} : Shape{k, n}, -1, 1);
        Tensor y = tensor(dtype, {1, m, n});
        if (!PackedMatmul::supports(a.view(), b.view(), y.view(), false, tb)) {
          EXPECT_NE(dtype, DType::F32);
          continue;
        }
        PackedMatmul packed(a.shape, b.view(), y.shape, false, tb);
        EXPECT_GE(packed.packedBytes(), b.shape.bytes());
        Tensor expected = run(findReferenceKernel(KernelId::matmul), {a, b}, dtype, {1, m, n}, {0, tb});
        std::fill(b.bytes.begin(), b.bytes.end(), 0);
        Status status;
        std::thread([&] { status = packed.run(a.view(), y.view()); }).join();
        ASSERT_TRUE(status.ok()) << status.message();
        expectNear(y, expected, toleranceOf(dtype) * 8, "packed matmul");
        expectTailUntouched(y);
      }
  Tensor a = filled(DType::F32, {2, 3, 4}), b = filled(DType::F32, {2, 4, 5}), y = tensor(DType::F32, {2, 3, 5});
  EXPECT_FALSE(PackedMatmul::supports(a.view(), b.view(), y.view(), false, false));
}

TEST_F(CpuKernel, MatmulOnSeveralThreads) {
  Tensor a = filled(DType::F32, {37, 65}, -1, 1), b = filled(DType::F32, {65, 41}, -1, 1);
  Tensor expected = run(findReferenceKernel(KernelId::matmul), {a, b}, DType::F32, {37, 41}, {0, 0});
  std::vector<Tensor> results(4);
  std::vector<std::thread> threads;
  for (Tensor &result : results)
    threads.emplace_back([&] {
      for (int i = 0; i < 20; ++i)
        result = run(findCpuKernel(KernelId::matmul), {a, b}, DType::F32, {37, 41}, {0, 0});
    });
  for (std::thread &thread : threads)
    thread.join();
  for (const Tensor &result : results)
    expectNear(result, expected, 1e-5, "matmul");
}

TEST_F(CpuKernel, Conv) {
  for (int round = 0; round < 40; ++round)
    for (DType dtype : {DType::F32, DType::BF16, DType::F16}) {
      int64_t spatial = uniform(1, 3), group = uniform(1, 3), in = group * uniform(1, 5), out = group * uniform(1, 5);
      Shape x = {uniform(1, 2), in}, w = {out, in / group}, y = {x[0], out};
      std::vector<int64_t> ints = {group}, strides, begin, end, dilations;
      for (int64_t i = 0; i < spatial; ++i) {
        int64_t kernel = uniform(1, 3), stride = uniform(1, 2), dilation = uniform(1, 2);
        x.push_back(uniform((kernel - 1) * dilation + 1, 9));
        w.push_back(kernel);
        strides.push_back(stride);
        begin.push_back(uniform(0, kernel - 1));
        end.push_back(uniform(0, kernel - 1));
        dilations.push_back(dilation);
        y.push_back((x.back() + begin.back() + end.back() - (kernel - 1) * dilation - 1) / stride + 1);
      }
      for (const auto &list : {strides, begin, end, dilations})
        ints.insert(ints.end(), list.begin(), list.end());
      std::vector<Tensor> inputs = {filled(dtype, x, -1, 1), filled(dtype, w, -1, 1)};
      if (round % 2)
        inputs.push_back(filled(dtype, {out}, -1, 1));
      compare(KernelId::conv, inputs, dtype, y, ints, {}, 8);
    }
}

TEST_F(CpuKernel, Pool) {
  for (int round = 0; round < 60; ++round)
    for (int64_t kind : {0, 1, 2}) {
      int64_t spatial = uniform(1, 2);
      Shape x = {uniform(1, 2), uniform(1, 20)}, y = x;
      std::vector<int64_t> ints = {kind}, window, strides, begin, end, dilations;
      for (int64_t i = 0; i < spatial; ++i) {
        int64_t kernel = uniform(1, 3), stride = uniform(1, 3), dilation = round % 5 ? 1 : 2, up = uniform(0, 1);
        x.push_back(uniform((kernel - 1) * dilation + 1, 12));
        window.push_back(kernel);
        strides.push_back(stride);
        begin.push_back(uniform(0, kernel - 1));
        end.push_back(uniform(0, kernel - 1));
        dilations.push_back(dilation);
        int64_t room = x.back() + begin.back() + end.back() - (kernel - 1) * dilation - 1;
        y.push_back((room + up * (stride - 1)) / stride + 1);
        if ((y.back() - 1) * stride >= x.back() + begin.back())
          --y.back(); // ONNX: no window starts in the padding at the end
      }
      for (const auto &list : {window, strides, begin, end, dilations})
        ints.insert(ints.end(), list.begin(), list.end());
      compare(KernelId::pool, {filled(round % 7 ? DType::F32 : DType::BF16, x)}, round % 7 ? DType::F32 : DType::BF16,
              y, ints, {}, 2);
    }
}

TEST_F(CpuKernel, SoftmaxAndNormalizations) {
  for (int round = 0; round < 60; ++round)
    for (DType dtype : floatTypes) {
      Shape s = shape(uniform(1, 4));
      auto rank = static_cast<int64_t>(s.size());
      Tensor x = filled(dtype, s, -5, 5);
      compare(KernelId::softmax, {x}, dtype, s, {uniform(0, 2) ? -1 : uniform(0, rank - 1), uniform(0, 1)}, {}, 4);
      int64_t axis = uniform(0, rank - 1);
      Shape row(s.begin() + axis, s.end());
      if (round % 3 == 0)
        row = broadcastable(row);
      Tensor scale = filled(dtype, row), bias = filled(dtype, row);
      compare(KernelId::layer_norm, {x, scale, bias}, dtype, s, {axis}, {1e-5}, 16);
      compare(KernelId::layer_norm, {x, scale}, dtype, s, {axis}, {1e-5}, 16);
      compare(KernelId::rms_norm, {x, scale}, dtype, s, {axis}, {1e-5}, 8);
    }
}

TEST_F(CpuKernel, Rotary) {
  for (int round = 0; round < 60; ++round)
    for (DType dtype : {DType::F32, DType::BF16, DType::F16, DType::F64}) {
      Shape s = shape(uniform(1, 4));
      int64_t pairs = uniform(0, s.back() / 2);
      auto angles = [&] {
        Shape own = broadcastable(Shape(s.begin(), s.end() - 1));
        own.push_back(pairs);
        return filled(uniform(0, 1) ? dtype : DType::F32, own, -1, 1);
      };
      Tensor x = filled(dtype, s), cos = angles(), sin = angles();
      std::vector<int64_t> ints = {round % 2};
      compare(KernelId::rotary, {x, cos, sin}, dtype, s, ints, {}, 8);
      Tensor expected = run(findCpuKernel(KernelId::rotary), {x, cos, sin}, dtype, s, ints);
      TensorView inputs[] = {x.view(), cos.view(), sin.view()}, outputs[] = {x.view()};
      ASSERT_TRUE(findCpuKernel(KernelId::rotary)({inputs, outputs, ints, {}}).ok());
      EXPECT_EQ(values(x), values(expected)) << "in place of x";
    }
}

TEST_F(CpuKernel, SoftmaxOfMaskedRows) {
  Tensor x = filled(DType::F32, {2, 40});
  for (int64_t i = 20; i < 80; ++i) // half of the first row, all of the second
    store<double>(x.view(), i, -std::numeric_limits<double>::infinity());
  compare(KernelId::softmax, {x}, DType::F32, {2, 40}, {1, 0});
}

TEST_F(CpuKernel, Reduce) {
  for (int round = 0; round < 100; ++round)
    for (DType dtype : {DType::F32, DType::BF16, DType::F16, DType::I64})
      for (int64_t kind = 0; kind < reduceKinds; ++kind) {
        Shape s = shape(uniform(0, 4)), to;
        std::vector<int64_t> ints = {kind, 0};
        for (size_t i = 0; i < s.size(); ++i)
          if (uniform(0, 1))
            ints.push_back(static_cast<int64_t>(i));
          else
            to.push_back(s[i]);
        bool product = kind == int64_t(ReduceKind::prod); // of many: keep it near 1
        compare(KernelId::reduce, {filled(dtype, s, product ? 0.95 : -1, product ? 1.05 : 1)}, dtype, to, ints, {}, 64);
      }
}

TEST_F(CpuKernel, ArgReduce) {
  for (int round = 0; round < 60; ++round) {
    Shape s = shape(uniform(1, 3)), to = s;
    int64_t axis = uniform(0, 1) ? static_cast<int64_t>(s.size()) - 1 : 0;
    to.erase(to.begin() + axis);
    Tensor x = tensor(DType::F32, s);
    for (int64_t i = 0, n = x.shape.elements(); i < n; ++i) // many equals, some NaN
      store<double>(x.view(), i, uniform(0, 40) ? double(uniform(0, 5)) : std::nan(""));
    compare(KernelId::arg_reduce, {x}, DType::I64, to, {axis, 0, uniform(0, 1), uniform(0, 1)});
  }
}

TEST_F(CpuKernel, TransposeOfRandomShapes) {
  for (int round = 0; round < 200; ++round)
    for (DType dtype : sizes) {
      Shape s = shape(uniform(0, 5)), to;
      std::vector<int64_t> permutation(s.size());
      for (size_t i = 0; i < s.size(); ++i)
        permutation[i] = static_cast<int64_t>(i);
      std::shuffle(permutation.begin(), permutation.end(), random);
      for (int64_t dim : permutation)
        to.push_back(s[static_cast<size_t>(dim)]);
      compare(KernelId::transpose, {filled(dtype, s)}, dtype, to, permutation);
    }
}

TEST_F(CpuKernel, BroadcastSliceConcatPad) {
  for (int round = 0; round < 150; ++round)
    for (DType dtype : sizes) {
      Shape s = shape(uniform(1, 4));
      size_t rank = s.size();
      compare(KernelId::broadcast, {filled(dtype, broadcastable(s))}, dtype, s);

      std::vector<int64_t> starts, steps, pads = {uniform(0, 3)};
      Shape sliced, padded;
      for (int64_t extent : s) {
        int64_t step = uniform(0, 2) ? 1 : uniform(0, 1) ? 2 : -1;
        int64_t start = extent == 0 ? 0 : step < 0 ? extent - 1 : uniform(0, extent - 1);
        int64_t room = extent == 0 ? 0 : step < 0 ? extent : (extent - start + step - 1) / step;
        starts.push_back(start);
        steps.push_back(step);
        sliced.push_back(uniform(0, 2) ? room : uniform(0, room));
        pads.push_back(uniform(0, 3));
        padded.push_back(pads.back() + extent + uniform(0, 3));
      }
      starts.insert(starts.end(), steps.begin(), steps.end());
      Tensor x = filled(dtype, s);
      compare(KernelId::slice, {x}, dtype, sliced, starts);
      compare(KernelId::pad, {x}, dtype, padded, pads, {1});

      auto axis = static_cast<size_t>(uniform(0, static_cast<int64_t>(rank) - 1));
      Shape other = s, joined = s;
      other[axis] = extent();
      joined[axis] = 2 * s[axis] + other[axis];
      compare(KernelId::concat, {x, filled(dtype, other), x}, dtype, joined, {static_cast<int64_t>(axis)});
    }
}

TEST_F(CpuKernel, Gather) {
  for (int round = 0; round < 100; ++round)
    for (DType dtype : sizes) {
      Shape s = shape(uniform(1, 3)), indexShape = shape(uniform(0, 2)), to = s;
      int64_t axis = uniform(0, static_cast<int64_t>(s.size()) - 1), extent = s[static_cast<size_t>(axis)];
      int64_t offset = uniform(0, 5), size = std::max<int64_t>(1, offset + extent + uniform(0, 5));
      Tensor indices = tensor(round % 2 ? DType::I64 : DType::I32, indexShape);
      for (int64_t i = 0, n = indices.shape.elements(); i < n; ++i)
        store<int64_t>(indices.view(), i, uniform(-size, size - 1));
      to.erase(to.begin() + axis);
      to.insert(to.begin() + axis, indexShape.begin(), indexShape.end());
      compare(KernelId::gather, {filled(dtype, s), indices}, dtype, to, {axis, offset, size});
    }
}

TEST_F(CpuKernel, GatherNd) {
  for (int round = 0; round < 100; ++round)
    for (DType dtype : sizes) {
      Shape batch = shape(uniform(0, 1)), inner = shape(uniform(1, 3)), s = batch, indexShape = batch, to;
      int64_t length = uniform(1, static_cast<int64_t>(inner.size()));
      for (int64_t &e : inner)
        e = std::max<int64_t>(e, 1);
      s.insert(s.end(), inner.begin(), inner.end());
      indexShape.push_back(extent());
      to = indexShape;
      to.insert(to.end(), inner.begin() + length, inner.end());
      indexShape.push_back(length);
      Tensor indices = tensor(round % 3 ? DType::I64 : DType::I32, indexShape);
      for (int64_t i = 0, n = indices.shape.elements(); i < n; ++i) {
        int64_t size = inner[static_cast<size_t>(i % length)];
        store<int64_t>(indices.view(), i, uniform(-size, size - 1));
      }
      compare(KernelId::gather_nd, {filled(dtype, s), indices}, dtype, to, {static_cast<int64_t>(batch.size())});
    }
  Tensor data = tensor(DType::F32, {2, 3}), indices = tensor(DType::I64, {1, 1}, {2});
  std::vector<Tensor> y = {tensor(DType::F32, {1, 3})};
  EXPECT_EQ(runInto(findCpuKernel(KernelId::gather_nd), {data, indices}, y, {0}).message(),
            "gather_nd: index 2 is outside [-2, 2)");
}

} // namespace
} // namespace llmpar::rt::test
