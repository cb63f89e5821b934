//===- CollectiveTest.cpp - Conformance of communicators -------------------===//
//
// Every collective, on 1 to 5 members, of every element type, with even, uneven and
// empty extents, against a naive model that sees all members' data at once. A new
// communicator adds itself to `worlds`.
//
//===----------------------------------------------------------------------===//
#include "comm/Communicator.h"
#include "reference/Kinds.h"

#include <chrono>
#include <functional>
#include <gtest/gtest.h>
#include <random>
#include <thread>

namespace llmpar::rt {
namespace {

using Shape = std::vector<int64_t>;

struct Tensor {
  DType dtype = DType::F32;
  Shape shape;
  std::vector<std::byte> data;

  Tensor() = default;
  Tensor(DType dtype, Shape dims) : dtype(dtype), shape(std::move(dims)), data(count() * dtypeSize(dtype)) {}
  size_t count() const {
    size_t n = 1;
    for (int64_t d : shape)
      n *= static_cast<size_t>(d);
    return n;
  }
  TensorView view() {
    TensorView v{.data = data.data(), .dtype = dtype, .rank = static_cast<int>(shape.size())};
    std::copy(shape.begin(), shape.end(), v.dims.begin());
    return v;
  }
  void fillRandom(std::mt19937 &random) {
    dispatch(dtype, [&](auto zero) {
      using T = decltype(zero);
      auto *values = reinterpret_cast<T *>(data.data());
      for (size_t i = 0; i < count(); ++i) {
        int value = static_cast<int>(random() % 7); // small: exact in every type
        values[i] = static_cast<T>(std::is_same_v<T, bool> ? float(value % 2) : float(value));
      }
    });
  }
};

/// Runs `body(rank)` on one thread each.
void onRanks(uint32_t ranks, const std::function<void(uint32_t)> &body) {
  std::vector<std::thread> threads;
  for (uint32_t r = 0; r < ranks; ++r)
    threads.emplace_back([&, r] { body(r); });
  for (std::thread &thread : threads)
    thread.join();
}

struct Case {
  std::string name;
  std::function<std::unique_ptr<World>(uint32_t)> makeWorld;
  uint32_t members;
};

void PrintTo(const Case &c, std::ostream *out) { *out << c.name; }

class Collective : public testing::TestWithParam<Case> {
protected:
  uint32_t n() const { return GetParam().members; }

  /// Runs one collective on all members; member i is rank n - 1 - i, so that ranks and members differ.
  void run(KernelId kernel, std::vector<Tensor> &x, std::vector<Tensor> &y, const Shape &ints, bool inPlace = false) {
    std::unique_ptr<World> world = GetParam().makeWorld(n());
    std::vector<uint32_t> group;
    for (uint32_t i = 0; i < n(); ++i)
      group.push_back(n() - 1 - i);
    onRanks(n(), [&](uint32_t rank) {
      uint32_t member = n() - 1 - rank;
      CollectiveCall call{.kernel = kernel,
                          .group = group,
                          .x = inPlace ? y[member].view() : x[member].view(),
                          .y = y[member].view(),
                          .ints = ints};
      std::unique_ptr<Thunk> thunk;
      Status status = world->communicator(rank).prepare(call, thunk);
      ASSERT_TRUE(status.ok()) << status.message();
      status = thunk->run();
      EXPECT_TRUE(status.ok()) << status.message();
    });
  }

  /// Uneven extents with a zero among them: 3 1 0 2 2.
  Shape extents() const {
    static const int64_t pattern[] = {3, 1, 0, 2, 2};
    return {pattern, pattern + n()};
  }

  std::mt19937 random{17};
};

constexpr DType allTypes[] = {
#define LLMPAR_DTYPE(Name, Cpp, Mlir, Numpy) DType::Name,
#include "llmpar/Abi/DTypes.def"
};

int64_t total(const Shape &extents) {
  int64_t sum = 0;
  for (int64_t e : extents)
    sum += e;
  return sum;
}

/// The naive model of one element.
template <typename T> T reduceElement(ReduceKind kind, const std::vector<T> &values) {
  using A = std::conditional_t<std::is_same_v<T, Half> || std::is_same_v<T, BFloat16>, float, T>;
  A result = static_cast<A>(values[0]);
  for (size_t i = 1; i < values.size(); ++i) {
    A v = static_cast<A>(values[i]);
    if constexpr (std::is_same_v<T, bool>)
      result = kind == ReduceKind::sum || kind == ReduceKind::max ? (result || v) : (result && v);
    else
      result = kind == ReduceKind::sum    ? static_cast<A>(result + v)
               : kind == ReduceKind::prod ? static_cast<A>(result * v)
               : kind == ReduceKind::max  ? std::max(result, v)
                                          : std::min(result, v);
  }
  return static_cast<T>(result);
}

Tensor reduceAll(ReduceKind kind, const std::vector<Tensor> &x) {
  Tensor result(x[0].dtype, x[0].shape);
  dispatch(x[0].dtype, [&](auto zero) {
    using T = decltype(zero);
    for (size_t i = 0; i < result.count(); ++i) {
      std::vector<T> values;
      for (const Tensor &t : x)
        values.push_back(reinterpret_cast<const T *>(t.data.data())[i]);
      reinterpret_cast<T *>(result.data.data())[i] = reduceElement<T>(kind, values);
    }
  });
  return result;
}

/// Copies the box of `from` at `fromStarts` to `to` at `toStarts`, element by element.
void copyBox(const Tensor &from, const Shape &fromStarts, Tensor &to, const Shape &toStarts, const Shape &box) {
  size_t width = dtypeSize(from.dtype);
  Shape index(box.size());
  for (int64_t d : box)
    if (d == 0)
      return;
  for (;;) {
    size_t a = 0, b = 0;
    for (size_t d = 0; d < box.size(); ++d) {
      a = a * static_cast<size_t>(from.shape[d]) + static_cast<size_t>(fromStarts[d] + index[d]);
      b = b * static_cast<size_t>(to.shape[d]) + static_cast<size_t>(toStarts[d] + index[d]);
    }
    std::memcpy(to.data.data() + b * width, from.data.data() + a * width, width);
    size_t d = box.size();
    while (d > 0 && ++index[d - 1] == box[d - 1])
      index[--d] = 0;
    if (d == 0)
      return;
  }
}

TEST_P(Collective, AllReduceOfEveryTypeAndKind) {
  for (DType dtype : allTypes)
    for (int64_t kind = 0; kind < reduceKinds; ++kind)
      for (bool inPlace : {false, true})
        for (const Shape &shape : {Shape{5}, Shape{0, 3}, Shape{}, Shape{33, 701}}) { // the last one works in chunks
          std::vector<Tensor> x, y;
          for (uint32_t i = 0; i < n(); ++i) {
            x.emplace_back(dtype, shape);
            x.back().fillRandom(random);
          }
          y = x;
          Tensor expected = reduceAll(static_cast<ReduceKind>(kind), x);
          run(KernelId::all_reduce, x, y, {kind}, inPlace);
          for (uint32_t i = 0; i < n(); ++i)
            ASSERT_EQ(y[i].data, expected.data)
                << dtypeName(dtype) << " kind " << kind << " member " << i << " in place " << inPlace;
        }
}

TEST_P(Collective, AllGatherOfUnevenParts) {
  for (DType dtype : allTypes)
    for (int64_t dim : {0, 1, 2}) {
      Shape whole{2, 3, 5}, extents = this->extents(), ints{dim};
      ints.insert(ints.end(), extents.begin(), extents.end());
      whole[static_cast<size_t>(dim)] = total(extents);
      Tensor expected(dtype, whole);
      expected.fillRandom(random);
      std::vector<Tensor> x, y;
      Shape begin(3);
      for (uint32_t i = 0; i < n(); ++i) {
        Shape part = whole;
        part[static_cast<size_t>(dim)] = extents[i];
        x.emplace_back(dtype, part);
        y.emplace_back(dtype, whole);
        copyBox(expected, begin, x.back(), Shape(3), part);
        begin[static_cast<size_t>(dim)] += extents[i];
      }
      run(KernelId::all_gather, x, y, ints);
      for (uint32_t i = 0; i < n(); ++i)
        ASSERT_EQ(y[i].data, expected.data) << dtypeName(dtype) << " dim " << dim << " member " << i;
    }
}

TEST_P(Collective, ReduceScatterToUnevenParts) {
  for (DType dtype : allTypes)
    for (int64_t dim : {0, 1, 2}) {
      Shape whole{2, 3, 5}, extents = this->extents(), ints{static_cast<int64_t>(ReduceKind::sum), dim};
      ints.insert(ints.end(), extents.begin(), extents.end());
      whole[static_cast<size_t>(dim)] = total(extents);
      std::vector<Tensor> x, y;
      for (uint32_t i = 0; i < n(); ++i) {
        Shape part = whole;
        part[static_cast<size_t>(dim)] = extents[i];
        x.emplace_back(dtype, whole);
        x.back().fillRandom(random);
        y.emplace_back(dtype, part);
      }
      Tensor reduced = reduceAll(ReduceKind::sum, x);
      run(KernelId::reduce_scatter, x, y, ints);
      Shape begin(3);
      for (uint32_t i = 0; i < n(); ++i) {
        Tensor expected(dtype, y[i].shape);
        copyBox(reduced, begin, expected, Shape(3), y[i].shape);
        begin[static_cast<size_t>(dim)] += extents[i];
        ASSERT_EQ(y[i].data, expected.data) << dtypeName(dtype) << " dim " << dim << " member " << i;
      }
    }
}

TEST_P(Collective, AllToAllMovesTheShardedDimension) {
  for (DType dtype : allTypes)
    for (auto [split, concat] : {std::pair<int64_t, int64_t>{0, 1}, {1, 0}, {0, 3}, {3, 1}, {2, 3}}) {
      Shape whole{2, 3, 4, 5}, splits = extents(), concats = extents();
      std::reverse(concats.begin(), concats.end());
      whole[static_cast<size_t>(split)] = total(splits);
      whole[static_cast<size_t>(concat)] = total(concats);
      Shape ints{split, concat};
      ints.insert(ints.end(), splits.begin(), splits.end());
      ints.insert(ints.end(), concats.begin(), concats.end());
      Tensor global(dtype, whole);
      global.fillRandom(random);
      std::vector<Tensor> x, y, expected;
      Shape from(4), to(4);
      for (uint32_t i = 0; i < n(); ++i) { // before: sharded along concat; after: along split
        Shape before = whole, after = whole;
        before[static_cast<size_t>(concat)] = concats[i];
        after[static_cast<size_t>(split)] = splits[i];
        x.emplace_back(dtype, before);
        y.emplace_back(dtype, after);
        expected.emplace_back(dtype, after);
        copyBox(global, from, x.back(), Shape(4), before);
        copyBox(global, to, expected.back(), Shape(4), after);
        from[static_cast<size_t>(concat)] += concats[i];
        to[static_cast<size_t>(split)] += splits[i];
      }
      run(KernelId::all_to_all, x, y, ints);
      for (uint32_t i = 0; i < n(); ++i)
        ASSERT_EQ(y[i].data, expected[i].data) << dtypeName(dtype) << " " << split << "->" << concat << " member " << i;
    }
}

TEST_P(Collective, SumOfFloatsHasTheSameBitsOnAllMembersAndInEveryRun) {
  std::vector<Tensor> x, first;
  for (uint32_t i = 0; i < n(); ++i) {
    x.emplace_back(DType::F32, Shape{20011});
    for (size_t k = 0; k < x.back().count(); ++k)
      reinterpret_cast<float *>(x.back().data.data())[k] = std::uniform_real_distribution<float>(-1, 1)(random);
  }
  Tensor expected = reduceAll(ReduceKind::sum, x);
  for (int repeat = 0; repeat < 3; ++repeat) {
    std::vector<Tensor> y = x;
    run(KernelId::all_reduce, x, y, {0}, repeat == 2);
    for (uint32_t i = 0; i < n(); ++i)
      ASSERT_EQ(y[i].data, expected.data) << "member " << i;
  }
}

TEST_P(Collective, AbortReleasesWaitingMembers) {
  if (n() < 2)
    GTEST_SKIP() << "nobody waits";
  std::unique_ptr<World> world = GetParam().makeWorld(n());
  std::vector<uint32_t> group;
  for (uint32_t i = 0; i < n(); ++i)
    group.push_back(i);
  std::vector<Tensor> x(n(), Tensor(DType::F32, {4})), y = x;
  Shape ints{0};
  std::vector<std::unique_ptr<Thunk>> thunks(n());
  for (uint32_t r = 0; r < n(); ++r) {
    CollectiveCall call{
        .kernel = KernelId::all_reduce, .group = group, .x = x[r].view(), .y = y[r].view(), .ints = ints};
    ASSERT_TRUE(world->communicator(r).prepare(call, thunks[r]).ok());
  }
  onRanks(n(), [&](uint32_t rank) {
    if (rank == n() - 1) {
      std::this_thread::sleep_for(std::chrono::milliseconds(20)); // the others sleep by now
      world->communicator(rank).abort(Status::device("disk on fire"));
      return;
    }
    EXPECT_EQ(thunks[rank]->run().code(), Code::Aborted);
    EXPECT_EQ(world->communicator(rank).barrier().code(), Code::Aborted);
  });
  EXPECT_EQ(world->failure().message(), "disk on fire");
  world->reset();
  onRanks(n(), [&](uint32_t rank) { EXPECT_TRUE(thunks[rank]->run().ok()); });
}

TEST_P(Collective, DifferentCollectivesInOneGroupAreReported) {
  if (n() < 2)
    GTEST_SKIP() << "one member cannot disagree";
  struct Variant {
    KernelId kernel;
    DType dtype;
    Shape shape, ints;
  };
  Shape gather{0};
  gather.resize(1 + n(), 0);
  gather[1 + n() - 1] = 4;
  for (const Variant &odd :
       {Variant{KernelId::all_reduce, DType::I32, {4}, {0}}, Variant{KernelId::all_reduce, DType::F32, {5}, {0}},
        Variant{KernelId::all_reduce, DType::F32, {4}, {1}}, Variant{KernelId::all_gather, DType::F32, {4}, gather}}) {
    std::unique_ptr<World> world = GetParam().makeWorld(n());
    std::vector<uint32_t> group;
    for (uint32_t i = 0; i < n(); ++i)
      group.push_back(i);
    std::atomic<int> reports{0};
    onRanks(n(), [&](uint32_t rank) {
      Variant mine = rank == n() - 1 ? odd : Variant{KernelId::all_reduce, DType::F32, {4}, {0}};
      Tensor x(mine.dtype, mine.shape), y(mine.dtype, mine.shape);
      std::unique_ptr<Thunk> thunk;
      CollectiveCall call{.kernel = mine.kernel, .group = group, .x = x.view(), .y = y.view(), .ints = mine.ints};
      ASSERT_TRUE(world->communicator(rank).prepare(call, thunk).ok());
      Status status = thunk->run();
      EXPECT_EQ(status.code(), Code::Invalid);
      EXPECT_NE(status.message().find("collectives differ"), std::string::npos) << status.message();
      reports += status.code() == Code::Invalid;
      // Nobody frees its tensors while another one looks at its thunk.
      EXPECT_TRUE(world->communicator(rank).barrier().ok());
    });
    EXPECT_EQ(reports, static_cast<int>(n()));
  }
}

INSTANTIATE_TEST_SUITE_P(Thread, Collective, testing::ValuesIn([] {
                           std::vector<Case> cases;
                           for (uint32_t members = 1; members <= 5; ++members)
                             cases.push_back({"Members" + std::to_string(members),
                                              [](uint32_t ranks) { return makeThreadWorld(ranks); }, members});
                           return cases;
                         }()),
                         [](const auto &info) { return info.param.name; });

TEST(CollectiveCall, RejectsWhatHasNoMeaning) {
  Tensor x(DType::F32, {4}), y(DType::F32, {4}), z(DType::F32, {6});
  std::vector<uint32_t> group{0, 1};
  auto message = [&](KernelId kernel, TensorView a, TensorView b, Shape ints, uint32_t rank) {
    return checkCollective({.kernel = kernel, .group = group, .x = a, .y = b, .ints = ints}, rank).message();
  };
  EXPECT_EQ(message(KernelId::all_reduce, x.view(), y.view(), {0}, 0), "");
  EXPECT_EQ(message(KernelId::all_reduce, x.view(), y.view(), {0}, 2), "rank 2 is not in the group");
  EXPECT_EQ(message(KernelId::all_reduce, x.view(), y.view(), {9}, 0), "unknown reduction 9");
  EXPECT_EQ(message(KernelId::all_reduce, x.view(), z.view(), {0}, 0), "the result is 6xf32, expected 4xf32");
  EXPECT_EQ(message(KernelId::all_reduce, x.view(), y.view(), {0, 1}, 0), "");
  EXPECT_EQ(message(KernelId::all_reduce, x.view(), y.view(), {1, 1}, 0), "a mean is a sum of floats");
  EXPECT_EQ(message(KernelId::all_gather, x.view(), z.view(), {0, 4, 3}, 0),
            "dimension 0 of 4xf32 and 6xf32 should have extents 4 and 7");
  EXPECT_EQ(message(KernelId::all_gather, x.view(), z.view(), {0, 4}, 0), "1 extents for 2 members");
  TensorView shifted = x.view();
  shifted.data = x.data.data() + 4;
  shifted.dims[0] = 3;
  TensorView three = x.view();
  three.dims[0] = 3;
  EXPECT_EQ(message(KernelId::all_reduce, three, shifted, {0}, 0), "input and output overlap");
}

} // namespace
} // namespace llmpar::rt
